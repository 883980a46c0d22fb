//! Model notifications of an environment, in no document: the shape that dbt's Terraform provider
//! reads and writes.

use domain::{AccountId, kept::Kept, model_notification::ModelNotifications as Spec};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Invalid, Patch, field};

/// Of which ends the owners of an environment's models are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, as the API has them")]
pub struct ModelNotifications {
    /// Their id; null if nobody has set any, which tells nothing.
    pub id: Option<i64>,
    /// The account that the environment belongs to.
    pub account_id: i64,
    /// The environment.
    pub environment_id: i64,
    /// Whether anything is told at all.
    pub enabled: bool,
    /// Of models that were built and tests that passed.
    pub on_success: bool,
    /// Of models and tests that failed.
    pub on_failure: bool,
    /// Of tests that warned.
    pub on_warning: bool,
    /// Of models and tests that were skipped.
    pub on_skipped: bool,
    /// When they were first set.
    pub created_at: Option<String>,
    /// When they last changed.
    pub updated_at: Option<String>,
}

impl ModelNotifications {
    /// Those that hold where nobody has set any.
    #[must_use]
    pub fn unset(account: AccountId, spec: Spec) -> Self {
        Self {
            id: None,
            account_id: account.get(),
            environment_id: spec.environment_id.get(),
            enabled: spec.enabled,
            on_success: spec.on_success,
            on_failure: spec.on_failure,
            on_warning: spec.on_warning,
            on_skipped: spec.on_skipped,
            created_at: None,
            updated_at: None,
        }
    }
}

impl From<&Kept<Spec>> for ModelNotifications {
    fn from(kept: &Kept<Spec>) -> Self {
        Self {
            id: Some(kept.id.get()),
            created_at: Some(kept.created_at.to_string()),
            updated_at: Some(kept.updated_at.to_string()),
            ..Self::unset(kept.account, kept.spec)
        }
    }
}

/// The body that sets model notifications. Keys that are absent keep their value; other keys are
/// ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ModelNotificationsBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// The environment, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub environment_id: Patch<i64>,
    /// Whether anything is told at all.
    #[schema(value_type = Option<bool>)]
    pub enabled: Patch<bool>,
    /// Of models that were built and tests that passed.
    #[schema(value_type = Option<bool>)]
    pub on_success: Patch<bool>,
    /// Of models and tests that failed.
    #[schema(value_type = Option<bool>)]
    pub on_failure: Patch<bool>,
    /// Of tests that warned.
    #[schema(value_type = Option<bool>)]
    pub on_warning: Patch<bool>,
    /// Of models and tests that were skipped.
    #[schema(value_type = Option<bool>)]
    pub on_skipped: Patch<bool>,
}

impl ModelNotificationsBody {
    /// What it makes of `old`.
    ///
    /// # Errors
    /// [`Invalid`] if it is about another environment than the path.
    pub fn over(self, old: Spec) -> Result<Spec, Invalid> {
        let mut bad = Invalid::collector();
        let same =
            |id| if id == old.environment_id.get() { Ok(id) } else { Err("is not the path's") };
        field::read(&mut bad, "environment_id", self.environment_id, same);
        let spec = Spec {
            environment_id: old.environment_id,
            enabled: self.enabled.or_keep(old.enabled),
            on_success: self.on_success.or_keep(old.on_success),
            on_failure: self.on_failure.or_keep(old.on_failure),
            on_warning: self.on_warning.or_keep(old.on_warning),
            on_skipped: self.on_skipped.or_keep(old.on_skipped),
        };
        bad.finish().map(|()| spec)
    }
}
