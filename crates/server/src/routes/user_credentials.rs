//! Users' own credentials.

use super::{DELETE, GET, POST, ServedRoute, served};
use crate::admin::v3::user_credentials;

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    const ALL: &str = "/api/v3/users/{user_id}/credentials";
    const ONE: &str = "/api/v3/users/{user_id}/credentials/{user_credential_id}";
    vec![
        served(GET, ALL, "List User Credentials", user_credentials::list),
        served(POST, ALL, "Create User Credentials", user_credentials::create),
        served(GET, ONE, "Get User Credentials", user_credentials::show),
        served(POST, ONE, "Update User Credentials", user_credentials::update),
        served(DELETE, ONE, "Delete User Credentials", user_credentials::delete),
    ]
}
