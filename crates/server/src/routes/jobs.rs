//! Jobs.

use super::{DELETE, GET, POST, ServedRoute, served};
use crate::admin::v2;

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    vec![
        served(GET, "/api/v2/accounts/{account_id}/jobs", "List Jobs", v2::jobs::list),
        served(POST, "/api/v2/accounts/{account_id}/jobs", "Create Job", v2::jobs::create),
        served(GET, "/api/v2/accounts/{account_id}/jobs/{job_id}", "Retrieve Job", v2::jobs::show),
        served(POST, "/api/v2/accounts/{account_id}/jobs/{job_id}", "Update Job", v2::jobs::update),
        served(
            DELETE,
            "/api/v2/accounts/{account_id}/jobs/{job_id}",
            "Destroy Job",
            v2::jobs::delete,
        ),
        served(
            GET,
            "/api/v2/accounts/{account_id}/jobs/{job_id}/artifacts/{*remainder}",
            "Retrieve Job Artifact",
            v2::artifacts::show_of_job,
        ),
        served(
            POST,
            "/api/v2/accounts/{account_id}/jobs/{job_id}/rerun",
            "Retry Failed Job",
            v2::runs::rerun,
        ),
        served(
            POST,
            "/api/v2/accounts/{account_id}/jobs/{job_id}/run",
            "Trigger Job Run",
            v2::runs::trigger,
        ),
    ]
}
