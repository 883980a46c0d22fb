//! Who a token is, and the words that the API uses.

use std::collections::BTreeMap;

use domain::authz::{PermissionSet, Principal};
use serde::Serialize;
use utoipa::ToSchema;

use super::UserLicense;

/// Who is asking: `GET /api/v2/whoami/` (no document has it; Terraform and dbt-mcp call it).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WhoAmI {
    /// The user; null for a service token.
    pub user: Option<WhoAmIUser>,
    /// A documented addition: `service_token:3` or `user:1`.
    pub principal: String,
    /// A documented addition: the account.
    pub account_id: i64,
}

/// A user, as far as `whoami` tells.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WhoAmIUser {
    /// The id.
    pub id: i64,
    /// The address.
    pub email: String,
    /// The first name.
    pub first_name: String,
    /// The last name.
    pub last_name: String,
    /// The licence: `developer`, `read_only`, `it`, `analyst`.
    pub license_type: String,
    /// The licence with the groups: one.
    pub permissions: Vec<UserLicense>,
}

impl WhoAmI {
    /// From the principal, and its user if it is one.
    #[must_use]
    pub fn new(principal: &Principal, user: Option<&domain::user::User>) -> Self {
        let user = user.map(|user| WhoAmIUser {
            id: user.id.get(),
            email: user.email.as_str().to_owned(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            license_type: user.license.key().to_owned(),
            permissions: vec![UserLicense::new(principal.account(), user)],
        });
        Self { user, principal: principal.id().to_string(), account_id: principal.account().get() }
    }
}

/// The words that the API uses: `GET /api/v2/constants/` (no document has it; Terraform calls it).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Constants {
    /// Each permission set's key and label.
    pub permissions_sets: BTreeMap<String, String>,
}

impl Constants {
    /// From the catalogue.
    #[must_use]
    pub fn of_catalogue() -> Self {
        let named = |set: PermissionSet| (set.key().to_owned(), set.label().to_owned());
        Self { permissions_sets: PermissionSet::all().map(named).collect() }
    }
}
