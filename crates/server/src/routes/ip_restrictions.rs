//! IP restrictions.

use super::{DELETE, GET, POST, PUT, ServedRoute, served};
use crate::admin::v3::ip_restrictions;

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    const ALL: &str = "/api/v3/accounts/{account_id}/ip-restrictions";
    const ONE: &str = "/api/v3/accounts/{account_id}/ip-restrictions/{ip_restriction_id}";
    const SET: &str = "/api/v3/accounts/{account_id}/ip-restrictions-set";
    const VALIDATE: &str =
        "/api/v3/accounts/{account_id}/ip-restrictions-set/{ip_restrictions_set_id}/validate";
    const WITHOUT: &str = "/api/v3/accounts/{account_id}/ip-restrictions-set/{ip_restrictions_set_id}/validate/{validate_id}";
    vec![
        served(GET, ALL, "List IP Restrictions", ip_restrictions::list),
        served(POST, ALL, "Save IP Restriction", ip_restrictions::create),
        served(GET, ONE, "Retrieve IP Restriction", ip_restrictions::show),
        served(PUT, ONE, "Update IP Restriction", ip_restrictions::update),
        served(DELETE, ONE, "Delete IP Restriction", ip_restrictions::delete),
        served(POST, SET, "Enable IP Restrictions", ip_restrictions::enable),
        served(
            GET,
            VALIDATE,
            "Validate Client IP Against IP Restrictions",
            ip_restrictions::validate,
        ),
        served(
            GET,
            WITHOUT,
            "Validate Client IP Against IP Restrictions Excluding Specified IP Rule",
            ip_restrictions::validate_without,
        ),
    ]
}
