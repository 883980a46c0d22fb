//! Profiles.

use domain::profile::Profile;

use super::{DELETE, GET, PATCH, POST, ServedRoute, served};
use crate::admin::{kept, v3::profiles};

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    const ALL: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/profiles";
    const ONE: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/profiles/{profile_id}";
    vec![
        served(GET, ALL, "List Profiles", profiles::list),
        served(POST, ALL, "Create Profile", kept::create_of_project::<Profile>),
        served(GET, ONE, "Retrieve Profile", profiles::show),
        served(PATCH, ONE, "Update Profile", profiles::update),
        served(DELETE, ONE, "Delete Profile", kept::delete_of_project::<Profile>),
    ]
}
