//! Users, licences, groups and invitations.

use domain::license_map::LicenseMap;

use super::{DELETE, GET, POST, ServedRoute, served};
use crate::admin::{kept, v2, v3};

/// Its routes, in the order of paths.
pub(super) fn routes() -> Vec<ServedRoute> {
    const V2_USERS: &str = "/api/v2/accounts/{account_id}/users";
    const V2_USER: &str = "/api/v2/accounts/{account_id}/users/{user_id}";
    const V2_INVITES: &str = "/api/v2/accounts/{account_id}/invites";
    const V2_INVITE: &str = "/api/v2/accounts/{account_id}/invites/{invite_id}";
    const SEATS: &str = "/api/v2/accounts/{account_id}/licenses";
    const LICENSE: &str = "/api/v2/accounts/{account_id}/permissions/{permission_id}";
    const ANY_USER: &str = "/api/v2/users/{user_id}";
    const ASSIGN: &str = "/api/v3/accounts/{account_id}/assign-groups";
    const GRANTS: &str = "/api/v3/accounts/{account_id}/group-permissions/{group_permission_id}";
    const GROUPS: &str = "/api/v3/accounts/{account_id}/groups";
    const GROUP: &str = "/api/v3/accounts/{account_id}/groups/{group_id}";
    const INVITES: &str = "/api/v3/accounts/{account_id}/invites";
    const MAPS: &str = "/api/v3/accounts/{account_id}/license-maps";
    const MAP: &str = "/api/v3/accounts/{account_id}/license-maps/{license_map_id}";
    const USERS: &str = "/api/v3/accounts/{account_id}/users";
    const USER: &str = "/api/v3/accounts/{account_id}/users/{user_id}";
    vec![
        served(GET, V2_INVITES, "List Invites", v2::invites::list),
        served(GET, V2_INVITE, "Retrieve Invite", v2::invites::show),
        served(GET, SEATS, "List Account License Allocations", v2::licenses::list),
        served(POST, LICENSE, "Update License Permissions", v2::licenses::update),
        served(GET, V2_USERS, "List Users", v2::users::list),
        served(GET, V2_USER, "Retrieve Users", v2::users::show_of_account),
        served(GET, ANY_USER, "Retrieve User", v2::users::show),
        served(POST, ANY_USER, "Update User", v2::users::update),
        served(POST, ASSIGN, "Assign User to Groups", v3::groups::assign),
        served(POST, GRANTS, "Assign Group Permissions", v3::groups::replace_permissions),
        served(GET, GROUPS, "List Groups", v3::groups::list),
        served(POST, GROUPS, "Create Group", v3::groups::create),
        served(GET, GROUP, "Retrieve Group", v3::groups::show),
        served(POST, GROUP, "Update Group", v3::groups::update),
        served(POST, INVITES, "Send user invites", v3::invites::create),
        served(GET, MAPS, "List License Maps", kept::list::<LicenseMap>),
        served(POST, MAPS, "Create License Map", kept::create::<LicenseMap>),
        served(GET, MAP, "Retrieve License Map", kept::show::<LicenseMap>),
        served(POST, MAP, "Update License Map", kept::update::<LicenseMap>),
        served(DELETE, MAP, "Destroy License Map", kept::delete::<LicenseMap>),
        served(GET, USERS, "List Users", v3::users::list),
        served(GET, USER, "Retrieve User", v3::users::show),
    ]
}
