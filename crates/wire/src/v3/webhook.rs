//! Webhooks (documents: `Subscription`, `SubscriptionRequest`, `Event`, `Receipt`).

use std::collections::BTreeSet;

use domain::{
    JobId, Name,
    kept::Kept,
    webhook::{
        ClientUrl, EventType, UnknownEventType, Webhook, WebhookEvent as Event, WebhookKey,
        WebhookReceipt as Receipt,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{Invalid, Patch, field, invalid::Collector};

/// The most jobs that a webhook names.
const MOST_JOBS: usize = 1_000;

/// A webhook, as v3 has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookSubscription {
    /// `wsu_…`
    pub id: String,
    /// The account that it belongs to.
    pub account_id: i64,
    /// Always null: accounts have no other name here.
    pub account_identifier: Option<String>,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What is sent: `job.run.started`, `job.run.completed`, `job.run.errored`, and, as documented
    /// additions, what happens to tokens (`service_token.revoked`, …).
    pub event_types: Vec<String>,
    /// Of which jobs; empty means of all.
    pub job_ids: Vec<i64>,
    /// Where to.
    pub client_url: String,
    /// Whether anything is sent.
    pub active: bool,
    /// Why nothing is sent, where the server itself ended it.
    pub deactivate_reason: Option<String>,
    /// What it last answered; `0` if nothing was sent yet, null if nothing came back.
    pub http_status_code: Option<String>,
    /// When something was last sent.
    pub dispatched_at: Option<String>,
    /// What deliveries are signed with; told once, by the answer that makes the webhook.
    pub hmac_secret: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

impl WebhookSubscription {
    /// A webhook, and the last that was sent of it.
    #[must_use]
    pub fn new(kept: &Kept<Webhook>, latest: Option<&Receipt>) -> Self {
        let spec = &kept.spec;
        Self {
            id: spec.key.to_string(),
            account_id: kept.account.get(),
            account_identifier: None,
            name: spec.name.to_string(),
            description: spec.description.clone(),
            event_types: spec.event_types.iter().map(|kind| kind.word().to_owned()).collect(),
            job_ids: spec.job_ids.iter().map(|job| job.get()).collect(),
            client_url: spec.client_url.as_str().to_owned(),
            active: spec.active,
            deactivate_reason: spec.deactivate_reason.clone(),
            http_status_code: latest.map_or_else(|| Some("0".to_owned()), status),
            dispatched_at: latest.map(|receipt| receipt.dispatch.dispatched_at.to_string()),
            hmac_secret: None,
            created_at: kept.created_at.to_string(),
            updated_at: kept.updated_at.to_string(),
        }
    }
}

fn status(receipt: &Receipt) -> Option<String> {
    receipt.dispatch.http_status_code.map(|code| code.to_string())
}

/// What was sent, or was to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookEvent {
    /// `wev_…`
    pub id: String,
    /// The webhook.
    pub subscription_id: String,
    /// The account, as a text.
    pub account_id: String,
    /// Always null.
    pub account_identifier: Option<String>,
    /// The job, as a text; null of a test.
    pub job_id: Option<String>,
    /// The word of its type; `test` for a test.
    pub trigger_event_type: String,
    /// The body, as it was sent.
    pub payload: String,
    /// What was answered last.
    pub http_status_code: Option<String>,
    /// When it happened.
    pub created_at: String,
}

impl WebhookEvent {
    /// An event of a webhook, and the last attempt to send it.
    #[must_use]
    pub fn new(event: &Event, webhook: &Kept<Webhook>, latest: Option<&Receipt>) -> Self {
        Self {
            id: event.key.to_string(),
            subscription_id: webhook.spec.key.to_string(),
            account_id: webhook.account.to_string(),
            account_identifier: None,
            job_id: event.job.map(|job| job.to_string()),
            trigger_event_type: event.event_type.clone(),
            payload: event.payload.clone(),
            http_status_code: latest.and_then(status),
            created_at: event.created_at.to_string(),
        }
    }
}

/// One attempt to send an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookReceipt {
    /// `wrc_…`
    pub id: String,
    /// The event.
    pub event_id: String,
    /// The webhook.
    pub subscription_id: String,
    /// When it was sent.
    pub dispatched_at: String,
    /// What was answered; null if nothing came back.
    pub http_status_code: Option<String>,
    /// Why nothing came back; empty if all was well.
    pub error_info: String,
    /// The body that was sent.
    pub request_body: String,
    /// The headers that were sent, as JSON; without the signature.
    pub request_headers: String,
    /// The beginning of what was answered.
    pub response_body: String,
}

impl WebhookReceipt {
    /// A receipt of a webhook.
    #[must_use]
    pub fn new(receipt: &Receipt, webhook: &Kept<Webhook>) -> Self {
        let sent = &receipt.dispatch;
        Self {
            id: receipt.key.to_string(),
            event_id: receipt.event.to_string(),
            subscription_id: webhook.spec.key.to_string(),
            dispatched_at: sent.dispatched_at.to_string(),
            http_status_code: status(receipt),
            error_info: sent.error_info.clone(),
            request_body: sent.request_body.clone(),
            request_headers: sent.request_headers.clone(),
            response_body: sent.response_body.clone(),
        }
    }
}

/// What a test of a webhook gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookTested {
    /// The event that was sent: its receipt says what came of it.
    pub event_id: String,
}

/// The body that makes or changes a webhook. Keys that are absent, or null, keep their value;
/// other keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct WebhookBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// 1 to 255 characters; required.
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// At most 10,000 characters.
    #[schema(value_type = Option<String>)]
    pub description: Patch<String>,
    /// `job.run.started`, `job.run.completed`, `job.run.errored` or, as documented additions,
    /// `service_token.created`, `.changed`, `.rotated`, `.revoked`, `.expiring`, `.leaked`,
    /// `.canary_used` and `personal_token.leaked`: at least one; required.
    #[schema(value_type = Option<Vec<String>>)]
    pub event_types: Patch<Vec<String>>,
    /// Jobs of projects that the token's grants name, as numbers or texts; empty means all. What
    /// happens to tokens is of no job.
    #[schema(value_type = Option<Vec<i64>>)]
    pub job_ids: Patch<Vec<Value>>,
    /// `https://…`, or `http://` on the server's own machine; required.
    #[schema(value_type = Option<String>)]
    pub client_url: Patch<String>,
    /// Whether anything is sent; true unless given.
    #[schema(value_type = Option<bool>)]
    pub active: Patch<bool>,
}

impl WebhookBody {
    /// A new webhook.
    ///
    /// # Errors
    /// [`Invalid`] names each field that is wrong or missing.
    pub fn create(self, key: WebhookKey) -> Result<Webhook, Invalid> {
        let mut bad = Invalid::collector();
        let missing = [
            ("name", self.name.clone().value().is_none()),
            ("event_types", self.event_types.clone().value().is_none()),
            ("client_url", self.client_url.clone().value().is_none()),
        ];
        for (field, _) in missing.iter().filter(|(_, missing)| *missing) {
            bad.note(field, "is required");
        }
        let read = self.read(&mut bad);
        bad.finish()?;
        let (Some(name), Some(event_types), Some(client_url)) =
            (read.name, read.event_types, read.client_url)
        else {
            return Err(Invalid::field("name", "is required"));
        };
        Ok(Webhook {
            key,
            name,
            description: read.description.unwrap_or_default(),
            event_types,
            job_ids: read.job_ids.unwrap_or_default(),
            client_url,
            active: read.active.unwrap_or(true),
            deactivate_reason: None,
        })
    }

    /// What the body makes of a webhook that is there.
    ///
    /// # Errors
    /// [`Invalid`] names each field that is wrong.
    pub fn over(self, old: Webhook) -> Result<Webhook, Invalid> {
        let mut bad = Invalid::collector();
        let read = self.read(&mut bad);
        bad.finish()?;
        let active = read.active.unwrap_or(old.active);
        Ok(Webhook {
            key: old.key,
            name: read.name.unwrap_or(old.name),
            description: read.description.unwrap_or(old.description),
            event_types: read.event_types.unwrap_or(old.event_types),
            job_ids: read.job_ids.unwrap_or(old.job_ids),
            client_url: read.client_url.unwrap_or(old.client_url),
            active,
            deactivate_reason: old.deactivate_reason.filter(|_| !active),
        })
    }

    fn read(self, bad: &mut Collector) -> Read {
        let description = |text| field::prose(text, 10_000);
        Read {
            name: field::read(bad, "name", self.name, Name::parse).value(),
            description: field::read(bad, "description", self.description, description).value(),
            event_types: field::read(bad, "event_types", self.event_types, |words| {
                event_types(&words)
            })
            .value(),
            job_ids: field::read(bad, "job_ids", self.job_ids, |ids| job_ids(&ids)).value(),
            client_url: field::read(bad, "client_url", self.client_url, |text| {
                ClientUrl::parse(&text)
            })
            .value(),
            active: self.active.value(),
        }
    }
}

/// The fields of a body that fit.
struct Read {
    name: Option<Name>,
    description: Option<String>,
    event_types: Option<BTreeSet<EventType>>,
    job_ids: Option<BTreeSet<JobId>>,
    client_url: Option<ClientUrl>,
    active: Option<bool>,
}

fn event_types(words: &[String]) -> Result<BTreeSet<EventType>, String> {
    if words.is_empty() {
        return Err("must name at least one event type".to_owned());
    }
    let read: Result<_, UnknownEventType> = words.iter().map(|word| word.parse()).collect();
    read.map_err(|wrong| wrong.to_string())
}

fn job_ids(given: &[Value]) -> Result<BTreeSet<JobId>, String> {
    if given.len() > MOST_JOBS {
        return Err(format!("takes at most {MOST_JOBS} jobs"));
    }
    let id = |value: &Value| {
        let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
        number.and_then(|number| JobId::new(number).ok())
    };
    let read: Option<_> = given.iter().map(id).collect();
    read.ok_or_else(|| "must be ids of jobs".to_owned())
}
