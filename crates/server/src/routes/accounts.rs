//! The account itself, and who calls.

use super::{GET, PATCH, POST, ServedRoute, served};
use crate::admin::v2;

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    vec![
        served(GET, "/api/v2/whoami", "Who Am I", v2::whoami::show),
        served(GET, "/api/v2/constants", "Constants", v2::constants::show),
        served(GET, "/api/v2/accounts", "List Accounts", v2::accounts::list),
        served(GET, "/api/v2/accounts/{account_id}", "Retrieve Account", v2::accounts::show),
        served(POST, "/api/v2/accounts/{account_id}", "Update Account", v2::accounts::update),
        served(
            PATCH,
            "/api/v2/accounts/{account_id}",
            "Partial Update Account",
            v2::accounts::update,
        ),
        served(GET, "/api/v3/accounts", "List Accounts", v2::accounts::list),
    ]
}
