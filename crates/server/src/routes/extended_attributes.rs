//! Extended attributes.

use domain::extended_attributes::ExtendedAttributes;

use super::{DELETE, GET, PATCH, POST, ServedRoute, served};
use crate::admin::kept;

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    const ALL: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/extended-attributes";
    const ONE: &str = "/api/v3/accounts/{account_id}/projects/{project_id}/extended-attributes/{extended_attribute_id}";
    type Noun = ExtendedAttributes;
    vec![
        served(POST, ALL, "Create Extended Attributes", kept::create_of_project::<Noun>),
        served(GET, ONE, "Retrieve Extended Attributes", kept::show_of_project::<Noun>),
        served(PATCH, ONE, "Update Extended Attributes", kept::update_of_project::<Noun>),
        served(POST, ONE, "Write Extended Attributes", kept::update_of_project::<Noun>),
        served(DELETE, ONE, "Destroy Extended Attributes", kept::delete_of_project::<Noun>),
    ]
}
