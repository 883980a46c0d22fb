//! Users, as v3 has them (document: `AccountUser`).

use serde::Serialize;
use utoipa::ToSchema;

use crate::v2::UserLicense;

/// A user of the account.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "field by field the document's AccountUser")]
pub struct AccountUser {
    /// The id.
    pub id: i64,
    /// The address that they sign in with.
    pub email: String,
    /// The first name; may be empty.
    pub first_name: String,
    /// The last name; may be empty.
    pub last_name: String,
    /// Both, with a space between.
    pub fullname: String,
    /// Always false: addresses are not verified yet.
    pub email_verified: bool,
    /// The licence in this account.
    pub license: AccountUserLicense,
    /// The licence with the groups: one.
    pub permissions: Vec<UserLicense>,
    /// Whether they are in the account.
    pub is_active: bool,
    /// Always false.
    pub is_staff: bool,
    /// Always false: there is no SCIM yet.
    pub scim_managed: bool,
    /// When they were added.
    pub created_at: String,
    /// When their names, licence or groups last changed.
    pub updated_at: String,
}

/// A licence in short.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AccountUserLicense {
    /// Its id.
    pub id: i64,
    /// `developer`, `read_only`, `it` or `analyst`.
    pub license_type: String,
}

impl AccountUser {
    /// A user, as the account sees them.
    #[must_use]
    pub fn new(account: domain::AccountId, user: &domain::user::User) -> Self {
        let fullname = format!("{} {}", user.first_name, user.last_name).trim().to_owned();
        Self {
            id: user.id.get(),
            email: user.email.as_str().to_owned(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            fullname,
            email_verified: false,
            license: AccountUserLicense {
                id: user.license_id.get(),
                license_type: user.license.key().to_owned(),
            },
            permissions: vec![UserLicense::new(account, user)],
            is_active: !user.left,
            is_staff: false,
            scim_managed: false,
            created_at: user.created_at.to_string(),
            updated_at: user.updated_at.to_string(),
        }
    }
}
