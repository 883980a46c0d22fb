//! Notifications (documents: `JobNotificationSettingsResponse`, `JobNotificationSettingsRequest`).

use std::collections::BTreeSet;

use domain::{
    JobId, UserId,
    kept::Kept,
    notification::{Notification as Spec, NotificationType},
    user::Email,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{Invalid, KeptBody, KeptFace, Patch, field, invalid::Collector, kept::of_account};

/// A notification, as v2 has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Notification {
    /// Its id.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// Whose it is.
    pub user_id: i64,
    /// 1 the user's address, 4 another one.
    pub r#type: u8,
    /// The address of type 4.
    pub external_email: Option<String>,
    /// Always null: Slack is not served.
    pub slack_channel_id: Option<String>,
    /// Always null: Slack is not served.
    pub slack_channel_name: Option<String>,
    /// Jobs of whose cancelled runs they are told.
    pub on_cancel: Vec<i64>,
    /// Of failed ones.
    pub on_failure: Vec<i64>,
    /// Of successful ones.
    pub on_success: Vec<i64>,
    /// Of ones that ended with warnings.
    pub on_warning: Vec<i64>,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// Always null.
    pub user: Option<Value>,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

impl From<&Kept<Spec>> for Notification {
    fn from(kept: &Kept<Spec>) -> Self {
        let spec = &kept.spec;
        let ids = |jobs: &BTreeSet<JobId>| jobs.iter().map(|job| job.get()).collect();
        Self {
            id: kept.id.get(),
            account_id: kept.account.get(),
            user_id: spec.user_id.get(),
            r#type: spec.r#type.into(),
            external_email: spec.external_email.clone().map(Into::into),
            slack_channel_id: None,
            slack_channel_name: None,
            on_cancel: ids(&spec.on_cancel),
            on_failure: ids(&spec.on_failure),
            on_success: ids(&spec.on_success),
            on_warning: ids(&spec.on_warning),
            state: field::state_of(kept.deleted),
            user: None,
            created_at: kept.created_at.to_string(),
            updated_at: kept.updated_at.to_string(),
        }
    }
}

/// The body that makes or changes a notification. Keys that are absent keep their value; other
/// keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct NotificationBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// A user of the account; required.
    #[schema(value_type = Option<i64>)]
    pub user_id: Patch<i64>,
    /// 1 the user's address, 4 another one; 1 unless given.
    #[schema(value_type = Option<i64>)]
    pub r#type: Patch<i64>,
    /// The address of type 4.
    #[schema(value_type = Option<String>)]
    pub external_email: Patch<String>,
    /// Not supported: null.
    #[schema(value_type = Option<String>)]
    pub slack_channel_id: Patch<Value>,
    /// Not supported: null.
    #[schema(value_type = Option<String>)]
    pub slack_channel_name: Patch<Value>,
    /// Jobs of the account.
    #[schema(value_type = Option<Vec<i64>>)]
    pub on_cancel: Patch<Vec<i64>>,
    /// Jobs of the account.
    #[schema(value_type = Option<Vec<i64>>)]
    pub on_failure: Patch<Vec<i64>>,
    /// Jobs of the account.
    #[schema(value_type = Option<Vec<i64>>)]
    pub on_success: Patch<Vec<i64>>,
    /// Jobs of the account.
    #[schema(value_type = Option<Vec<i64>>)]
    pub on_warning: Patch<Vec<i64>>,
    /// 1; or 2, which deletes it.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
}

/// That a user left their notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unsubscribed {
    /// How many there were.
    pub notifications: u64,
}

impl KeptFace for Spec {
    type Told = Notification;
    type Body = NotificationBody;
}

impl KeptBody for NotificationBody {
    type Noun = Spec;

    of_account! {}

    fn over(self, old: Option<Spec>) -> Result<Spec, Invalid> {
        let mut bad = Invalid::collector();
        field::state(&mut bad, &self.state);
        field::unsupported(&mut bad, "slack_channel_id", &self.slack_channel_id);
        field::unsupported(&mut bad, "slack_channel_name", &self.slack_channel_name);
        let user = field::id(&mut bad, "user_id", self.user_id, UserId::new);
        let user = user.value().or_else(|| old.as_ref().map(|old| old.user_id));
        let code = |code| {
            u8::try_from(code).map_err(|_| "must be 1 or 4").and_then(NotificationType::try_from)
        };
        let kind = field::read(&mut bad, "type", self.r#type, code);
        let kind = kind.or_keep(old.as_ref().map_or(NotificationType::User, |old| old.r#type));
        let email = field::or_null(self.external_email);
        let email = field::read(&mut bad, "external_email", email, |text| Email::parse(&text));
        let external_email = email.over(old.as_ref().and_then(|old| old.external_email.clone()));
        let mut jobs = |name, given, old: Option<&BTreeSet<JobId>>| {
            read_jobs(&mut bad, name, given).or_keep(old.cloned().unwrap_or_default())
        };
        let old = old.as_ref();
        let on_cancel = jobs("on_cancel", self.on_cancel, old.map(|old| &old.on_cancel));
        let on_failure = jobs("on_failure", self.on_failure, old.map(|old| &old.on_failure));
        let on_success = jobs("on_success", self.on_success, old.map(|old| &old.on_success));
        let on_warning = jobs("on_warning", self.on_warning, old.map(|old| &old.on_warning));
        match (kind, &external_email) {
            (NotificationType::External, None) => {
                bad.note("external_email", "is required for type 4");
            }
            (NotificationType::User, Some(_)) => {
                bad.note("external_email", "must be null unless the type is 4");
            }
            (NotificationType::User, None) | (NotificationType::External, Some(_)) => {}
        }
        if user.is_none() {
            bad.note("user_id", "is required");
        }
        bad.finish()?;
        let user_id = user.ok_or_else(|| Invalid::field("user_id", "is required"))?;
        Ok(Spec {
            user_id,
            r#type: kind,
            external_email,
            on_cancel,
            on_failure,
            on_success,
            on_warning,
        })
    }
}

/// A list of at most 1,000 job ids.
fn read_jobs(bad: &mut Collector, name: &str, given: Patch<Vec<i64>>) -> Patch<BTreeSet<JobId>> {
    field::read(bad, name, given, |ids| {
        if ids.len() > 1_000 {
            return Err("takes at most 1000 jobs".to_owned());
        }
        ids.into_iter().map(JobId::new).collect::<Result<_, _>>().map_err(|bad| bad.to_string())
    })
}
