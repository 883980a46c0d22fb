//! What webhooks are sent (source: docs.getdbt.com/docs/deploy/webhooks, examples of payloads; what
//! is told of tokens is an addition).

use domain::{
    Timestamp,
    outbox::{News, OutgoingWebhook},
    run::{Outcome, RunStatus},
    run_report::{RunReport, Stage},
    token_report::{TokenNews, TokenReport},
    webhook::EventType,
};
use serde::Serialize;

/// The body of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDelivery {
    /// The account.
    pub account_id: i64,
    /// `wsu_…`
    pub webhook_id: String,
    /// `wev_…`, the same however often it is sent.
    pub event_id: String,
    /// When it came to pass.
    pub timestamp: String,
    /// Such as `job.run.started` or `service_token.revoked`.
    pub event_type: String,
    /// What the webhook is called.
    pub webhook_name: String,
    /// What it is about.
    pub data: DeliveryData,
}

/// What a delivery is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum DeliveryData {
    /// A run.
    Run(Box<RunData>),
    /// A token.
    Token(Box<TokenData>),
}

/// The run that a delivery is about; ids are texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunData {
    pub job_id: String,
    pub job_name: String,
    pub run_id: String,
    pub environment_id: String,
    pub environment_name: String,
    pub dbt_version: String,
    pub project_name: String,
    pub project_id: String,
    /// `Running`, `Success`, `Errored` or `Cancelled`.
    pub run_status: String,
    pub run_status_code: u8,
    /// `None`, in letters, if there is nothing to say.
    pub run_status_message: String,
    pub run_reason: String,
    /// Absent if it was cancelled in the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_started_at: Option<String>,
    /// Of `job.run.completed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_finished_at: Option<String>,
    /// Of `job.run.errored`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_errored_at: Option<String>,
}

impl WebhookDelivery {
    /// What is sent of an event.
    #[must_use]
    pub fn new(outgoing: &OutgoingWebhook) -> Self {
        let OutgoingWebhook { webhook, key, event_type, news, .. } = outgoing;
        let data = match news {
            News::Run(report) => DeliveryData::Run(Box::new(RunData::new(report, *event_type))),
            News::Token(report) => DeliveryData::Token(Box::new(TokenData::new(report))),
        };
        Self {
            account_id: webhook.account.get(),
            webhook_id: webhook.spec.key.to_string(),
            event_id: key.to_string(),
            timestamp: news.at().to_string(),
            event_type: event_type.word().to_owned(),
            webhook_name: webhook.spec.name.to_string(),
            data,
        }
    }
}

impl RunData {
    fn new(report: &RunReport, event_type: EventType) -> Self {
        let at = |kind| (event_type == kind).then(|| report.at.to_string());
        let (run_status, run_status_code) = status(report.stage);
        let message = if report.message.is_empty() { "None" } else { &report.message };
        Self {
            job_id: report.job.to_string(),
            job_name: report.job_name.clone(),
            run_id: report.run.to_string(),
            environment_id: report.environment.to_string(),
            environment_name: report.environment_name.clone(),
            dbt_version: report.dbt_version.clone(),
            project_name: report.project_name.clone(),
            project_id: report.project.to_string(),
            run_status: run_status.to_owned(),
            run_status_code,
            run_status_message: message.to_owned(),
            run_reason: report.cause.clone(),
            run_started_at: report.started_at.as_ref().map(Timestamp::to_string),
            run_finished_at: at(EventType::Completed),
            run_errored_at: at(EventType::Errored),
        }
    }
}

/// The token that a delivery is about; ids are texts. Never its secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenData {
    pub token_id: String,
    pub token_uid: String,
    pub token_name: String,
    /// Of a personal token: whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Who did it: `user:1`, `service_token:3`, `system:watcher`.
    pub actor: String,
    /// Of `service_token.changed`: how, as the audit log has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// Of `service_token.expiring`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Of the same: 30, 7 or 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days_before: Option<u32>,
    /// Of a leak: what the scanner calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leak_type: Option<String>,
    /// Of a leak: where it was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leak_url: Option<String>,
    /// Of a leak: in what kind of place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leak_source: Option<String>,
    /// Of `service_token.canary_used`: how often since it was last told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uses: Option<u64>,
    /// Of the same: from where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Of the same: the `User-Agent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

impl TokenData {
    fn new(report: &TokenReport) -> Self {
        let told = Self {
            token_id: report.id.to_string(),
            token_uid: report.uid.clone(),
            token_name: report.name.clone(),
            user_id: report.user.map(|user| user.to_string()),
            actor: report.actor.clone(),
            ..Self::default()
        };
        match &report.news {
            TokenNews::Created | TokenNews::Rotated | TokenNews::Revoked => told,
            TokenNews::Changed { how } => Self { change: Some(how.clone()), ..told },
            TokenNews::Expiring { expires_at, days } => {
                Self { expires_at: Some(expires_at.to_string()), days_before: Some(*days), ..told }
            }
            TokenNews::Leaked(leak) => Self {
                leak_type: Some(leak.kind.clone()),
                leak_url: Some(leak.url.clone()),
                leak_source: Some(leak.source.clone()),
                ..told
            },
            TokenNews::CanaryUsed { uses, address, agent } => Self {
                uses: Some(*uses),
                address: address.map(|address| address.to_string()),
                agent: Some(agent.clone()),
                ..told
            },
        }
    }
}

/// The word of deliveries, which is not always that of the Admin API, and its number.
fn status(stage: Stage) -> (&'static str, u8) {
    match stage {
        Stage::Started => ("Running", RunStatus::RUNNING.code()),
        Stage::Ended(Outcome::Success) => ("Success", RunStatus::SUCCESS.code()),
        Stage::Ended(Outcome::Error) => ("Errored", RunStatus::ERROR.code()),
        Stage::Ended(Outcome::Cancelled) => ("Cancelled", RunStatus::CANCELLED.code()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::{
        AccountId, EnvironmentId, JobId, Name, ProjectId, RunId,
        kept::{Hidden, Id, Kept},
        webhook::{ClientUrl, Webhook},
    };
    use insta::assert_snapshot;

    use super::*;

    fn outgoing(event_type: EventType, stage: Stage, message: &str) -> OutgoingWebhook {
        let time = |text| Timestamp::parse(text).unwrap();
        let spec = Webhook {
            key: format!("wsu_{}", "a".repeat(27)).parse().unwrap(),
            name: Name::parse("ops").unwrap(),
            description: String::new(),
            event_types: EventType::ALL.into(),
            job_ids: BTreeSet::new(),
            client_url: ClientUrl::parse("https://example.com").unwrap(),
            active: true,
            deactivate_reason: None,
        };
        let account = AccountId::new(1).unwrap();
        OutgoingWebhook {
            webhook: Kept {
                id: Id::new(5).unwrap(),
                account,
                project: None,
                spec,
                deleted: false,
                created_at: time("2026-11-23"),
                updated_at: time("2026-11-23"),
            },
            secret: Hidden::new("secret".to_owned()),
            key: format!("wev_{}", "a".repeat(27)).parse().unwrap(),
            event_type,
            news: News::Run(RunReport {
                account,
                project: ProjectId::new(2).unwrap(),
                project_name: "Shop".to_owned(),
                environment: EnvironmentId::new(3).unwrap(),
                environment_name: "Production".to_owned(),
                job: JobId::new(4).unwrap(),
                job_name: "nightly".to_owned(),
                run: RunId::new(11).unwrap(),
                dbt_version: "1.11.0".to_owned(),
                cause: "by hand".to_owned(),
                stage,
                warnings: 0,
                message: message.to_owned(),
                started_at: Some(time("2026-11-23T12:00:00Z")),
                at: time("2026-11-23T12:01:00Z"),
            }),
        }
    }

    #[test]
    fn a_delivery_has_the_keys_of_dbts_page() {
        let failed = Stage::Ended(Outcome::Error);
        let sent = [
            outgoing(EventType::Started, Stage::Started, ""),
            outgoing(EventType::Completed, Stage::Ended(Outcome::Success), ""),
            outgoing(EventType::Errored, failed, "step 4 failed"),
            outgoing(EventType::Completed, failed, "step 4 failed"),
            outgoing(EventType::Completed, Stage::Ended(Outcome::Cancelled), "cancelled"),
        ];
        let bodies: Vec<_> = sent.iter().map(WebhookDelivery::new).collect();
        assert_snapshot!(serde_json::to_string_pretty(&bodies).unwrap());
    }
}
