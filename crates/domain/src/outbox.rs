//! The outbox: what is sent of runs and tokens, and when something that did not arrive is tried again.

use crate::{
    JobId, RunId, Timestamp,
    kept::{Hidden, Kept},
    model_notification::NodeEnd,
    run_report::RunReport,
    token_report::TokenReport,
    user::Email,
    webhook::{EventKey, EventType, Webhook, WebhookEvent},
};

/// How often an event is tried (docs.getdbt.com/docs/deploy/webhooks: five times).
pub const TRIES: u32 = 5;

/// How long, in seconds, whoever has claimed a message has it to themselves. It is more than a try
/// may take; a message whose sender died is due again after it.
pub const HOLD: i64 = 60;

/// How long what was sent is told of, in seconds: 30 days, as dbt's own log.
pub const KEPT: i64 = 30 * 24 * 60 * 60;

/// After how many seconds a message that failed so often is tried again: 30 s, 2 min, 8 min,
/// 32 min; `None` once it is given up.
#[must_use]
pub const fn wait_after(failed: u32) -> Option<i64> {
    match failed {
        0 => Some(0),
        1..TRIES => Some(30 << (2 * (failed - 1))),
        TRIES.. => None,
    }
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Of a run.
    Run(RunReport),
    /// Of a token.
    Token(TokenReport),
}

/// An event that is to be sent to a webhook.
#[derive(Debug, Clone)]
pub struct OutgoingWebhook {
    /// The webhook.
    pub webhook: Kept<Webhook>,
    /// What it is signed with.
    pub secret: Hidden,
    /// What names the event: the same at every try.
    pub key: EventKey,
    /// What kind of event it is.
    pub event_type: EventType,
    /// What is told.
    pub news: News,
}

/// A mail about the end of a run, or about a token.
#[derive(Debug, Clone)]
pub struct OutgoingMail {
    /// The id of the notification or the model notifications that ask for it; mails about tokens
    /// are asked for by none.
    pub asked_by: Option<i64>,
    /// Whom it goes to.
    pub to: Email,
    /// What is told.
    pub news: News,
    /// The nodes that are told of to their owner; none if it is about the run itself.
    pub nodes: Vec<NodeEnd>,
}

impl News {
    /// When it came to pass.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Run(report) => report.at,
            Self::Token(report) => report.at,
        }
    }

    /// The run that it is about, and its job.
    #[must_use]
    pub const fn run(&self) -> Option<(RunId, JobId)> {
        match self {
            Self::Run(report) => Some((report.run, report.job)),
            Self::Token(_) => None,
        }
    }
}

impl OutgoingWebhook {
    /// The event as it is kept, with the body that is sent.
    #[must_use]
    pub fn event(&self, payload: String) -> WebhookEvent {
        let (run, job) = self.news.run().unzip();
        WebhookEvent {
            key: self.key.clone(),
            webhook: self.webhook.id,
            job,
            run,
            event_type: self.event_type.word().to_owned(),
            payload,
            created_at: self.news.at(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_tries_lie_further_and_further_apart() {
        let waits: Vec<_> = (0..7).map(wait_after).collect();
        let seconds = [Some(0), Some(30), Some(120), Some(480), Some(1920), None, None];
        assert_eq!(waits, seconds);
    }
}
