//! Runs, their steps and artifacts.

use super::{GET, POST, ServedRoute, served};
use crate::admin::v2;

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    const RETRY: &str = "/api/v2/accounts/{account_id}/runs/{run_id}/retry";
    vec![
        served(GET, "/api/v2/accounts/{account_id}/runs", "List Runs", v2::runs::list),
        served(GET, "/api/v2/accounts/{account_id}/runs/{run_id}", "Retrieve Run", v2::runs::show),
        served(
            GET,
            "/api/v2/accounts/{account_id}/runs/{run_id}/artifacts",
            "List Run Artifacts",
            v2::artifacts::list,
        ),
        served(
            GET,
            "/api/v2/accounts/{account_id}/runs/{run_id}/artifacts/{*remainder}",
            "Retrieve Run Artifact",
            v2::artifacts::show,
        ),
        served(
            POST,
            "/api/v2/accounts/{account_id}/runs/{run_id}/cancel",
            "Cancel Run",
            v2::runs::cancel,
        ),
        served(
            GET,
            "/api/v2/accounts/{account_id}/runs/{run_id}/cancel",
            "Retrieve Cancel",
            v2::runs::cancel,
        ),
        served(GET, RETRY, "Retrieve Run Failure Details", v2::runs::failure),
        served(POST, RETRY, "Retry Run", v2::runs::retry),
        served(
            GET,
            "/api/v2/accounts/{account_id}/steps/{step_id}",
            "Retrieve Run Step",
            v2::steps::show,
        ),
    ]
}
