//! Users, and their licences (documents: `UserResponse`, `UserRequest`, `UserLicenseResponse`,
//! `UserLicenseRequest`).

use domain::{UserId, authz::License};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{Invalid, Patch, field, v3::GroupShown};

/// A user, as v2 has them. Of other ways to sign in than tokens there is nothing to say yet.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[expect(
    missing_docs,
    clippy::struct_excessive_bools,
    reason = "field by field the document's UserResponse"
)]
pub struct User {
    pub id: i64,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    /// When a personal token of theirs was last used in this account.
    pub apitoken_last_used: Option<String>,
    pub azure_active_directory_connected: bool,
    pub azure_active_directory_token_retrieval_failure: bool,
    pub azure_active_directory_username: Option<String>,
    pub email_connected: bool,
    pub email_verified: bool,
    pub enterprise_connected: bool,
    pub enterprise_authentication_method: Option<String>,
    pub github_connected: bool,
    pub github_username: Option<String>,
    pub github_token_retrieval_failure: bool,
    pub gitlab_connected: bool,
    pub gitlab_username: Option<String>,
    pub gitlab_token_retrieval_failure: bool,
    /// Whether they are in the account.
    pub is_active: bool,
    pub is_staff: bool,
    pub last_login: Option<String>,
    pub sso_only_user: bool,
    /// Their licence and groups in this account: one.
    pub permissions: Vec<UserLicense>,
    pub auth_provider_infos: Option<Value>,
    pub licenses: Option<Value>,
    pub created_at: String,
}

/// A user's licence in an account, which the documents call their permission.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UserLicense {
    /// Its id.
    pub id: i64,
    /// The account.
    pub account_id: i64,
    /// The user.
    pub user_id: i64,
    /// `developer`, `read_only`, `it` or `analyst`.
    pub license_type: String,
    /// 1 active, 2 once the user has left.
    pub state: u8,
    /// The groups that they are in.
    pub groups: Vec<GroupShown>,
    /// Always false: there is no SCIM yet.
    pub scim_managed: bool,
    /// When they were added.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

impl User {
    /// A user, as the account sees them.
    #[must_use]
    pub fn new(account: domain::AccountId, user: &domain::user::User) -> Self {
        Self {
            id: user.id.get(),
            email: user.email.as_str().to_owned(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            apitoken_last_used: user.last_used.map(|time| time.to_string()),
            azure_active_directory_connected: false,
            azure_active_directory_token_retrieval_failure: false,
            azure_active_directory_username: None,
            email_connected: false,
            email_verified: false,
            enterprise_connected: false,
            enterprise_authentication_method: None,
            github_connected: false,
            github_username: None,
            github_token_retrieval_failure: false,
            gitlab_connected: false,
            gitlab_username: None,
            gitlab_token_retrieval_failure: false,
            is_active: !user.left,
            is_staff: false,
            last_login: None,
            sso_only_user: false,
            permissions: vec![UserLicense::new(account, user)],
            auth_provider_infos: None,
            licenses: None,
            created_at: user.created_at.to_string(),
        }
    }
}

impl UserLicense {
    /// A user's licence in the account.
    #[must_use]
    pub fn new(account: domain::AccountId, user: &domain::user::User) -> Self {
        Self {
            id: user.license_id.get(),
            account_id: account.get(),
            user_id: user.id.get(),
            license_type: user.license.key().to_owned(),
            state: field::state_of(user.left),
            groups: user.groups.iter().map(GroupShown::from).collect(),
            scim_managed: false,
            created_at: user.created_at.to_string(),
            updated_at: user.updated_at.to_string(),
        }
    }
}

/// The body that changes a user's names. Other keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct UserBody {
    /// At most 255 characters.
    #[schema(value_type = Option<String>)]
    pub first_name: Patch<String>,
    /// At most 255 characters.
    #[schema(value_type = Option<String>)]
    pub last_name: Patch<String>,
}

impl UserBody {
    /// The first and the last name, as far as they change.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn names(self) -> Result<(Option<String>, Option<String>), Invalid> {
        let mut bad = Invalid::collector();
        let mut read = |field: &str, given| match field::or_null(given) {
            Patch::Absent => None,
            Patch::Null => Some(String::new()),
            Patch::Value(text) => bad.take(field, field::line(text, 255)),
        };
        let names = (read("first_name", self.first_name), read("last_name", self.last_name));
        bad.finish()?;
        Ok(names)
    }
}

/// The body that changes a licence. Other keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct UserLicenseBody {
    /// `developer`, `read_only`, `it` or `analyst`.
    #[schema(value_type = Option<String>)]
    pub license_type: Patch<String>,
    /// 1; or 2, which takes the user out of the account.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
    /// A documented addition, with state 2: the user who answers for their service tokens then; unless
    /// given, who takes them out.
    #[schema(value_type = Option<i64>)]
    pub service_tokens_to: Patch<i64>,
}

impl UserLicenseBody {
    /// Who answers for the service tokens of a user who leaves, if that is said.
    ///
    /// # Errors
    /// [`Invalid`] names `service_tokens_to`.
    pub fn heir(&self) -> Result<Option<UserId>, Invalid> {
        let id = self.service_tokens_to.value().map(UserId::new).transpose();
        id.map_err(|error| Invalid::field("service_tokens_to", error))
    }

    /// The licence that the user shall have; `None` takes them out of the account.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn license(self) -> Result<Option<License>, Invalid> {
        if field::deletes(&self.state) {
            return Ok(None);
        }
        let mut bad = Invalid::collector();
        field::state(&mut bad, &self.state);
        let license = field::license(&mut bad, self.license_type.value());
        bad.finish()?;
        license.map(Some).ok_or_else(|| Invalid::field("license_type", "is required"))
    }
}
