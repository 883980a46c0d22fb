//! Service tokens, personal tokens, and what they may do.

use super::{DELETE, GET, POST, PUT, ServedRoute, served};
use crate::admin::v3;

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    vec![
        served(POST, "/api/v3/accounts/{account_id}/check", "Check", v3::check::check),
        served(
            GET,
            "/api/v3/accounts/{account_id}/service-tokens",
            "List Service Tokens",
            v3::service_tokens::list,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/service-tokens",
            "Create Service Token",
            v3::service_tokens::create,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}",
            "Retrieve Service Token",
            v3::service_tokens::show,
        ),
        served(
            PUT,
            "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}",
            "Update Service Token",
            v3::service_tokens::update,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}",
            "Update Service Token",
            v3::service_tokens::update,
        ),
        served(
            DELETE,
            "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}",
            "Delete Service Token",
            v3::service_tokens::delete,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}/permissions",
            "List Service Token Permissions",
            v3::service_tokens::permissions,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}/permissions",
            "Replace Service Token Permissions",
            v3::service_tokens::replace_permissions,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}/restrictions",
            "Read Service Token Restrictions",
            v3::token_restrictions::show,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/service-tokens/{service_token_id}/restrictions",
            "Replace Service Token Restrictions",
            v3::token_restrictions::replace,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/users/{user_id}/account-apikeys",
            "List Account Scoped PATs",
            v3::personal_tokens::list,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/users/{user_id}/account-apikeys",
            "Create Account Scoped PAT",
            v3::personal_tokens::create,
        ),
        served(
            GET,
            "/api/v3/accounts/{account_id}/users/{user_id}/account-apikeys/{personal_token_id}",
            "Get Account Scoped PAT",
            v3::personal_tokens::show,
        ),
        served(
            POST,
            "/api/v3/accounts/{account_id}/users/{user_id}/account-apikeys/{personal_token_id}",
            "Rotate Account Scoped PAT",
            v3::personal_tokens::rotate,
        ),
        served(
            DELETE,
            "/api/v3/accounts/{account_id}/users/{user_id}/account-apikeys/{personal_token_id}",
            "Delete Account Scoped PAT",
            v3::personal_tokens::delete,
        ),
    ]
}
