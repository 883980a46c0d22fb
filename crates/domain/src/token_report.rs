//! What is told of a token to those outside: by webhooks and by mail. Never a secret.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{AccountId, Timestamp, UserId, leak::Leak, user::Email, webhook::EventType};

/// A token at the moment when something came to pass with it; its name is that of the moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenReport {
    /// The account that it belongs to.
    pub account: AccountId,
    /// The user whose personal token it is; `None` of a service token.
    pub user: Option<UserId>,
    /// Its id.
    pub id: i64,
    /// Its id as text: a UUID.
    pub uid: String,
    /// What people call it.
    pub name: String,
    /// What came to pass.
    pub news: TokenNews,
    /// Who did it: `user:1`, `system:watcher`.
    pub actor: String,
    /// When it came to pass.
    pub at: Timestamp,
}

/// What comes to pass with a token that others are told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenNews {
    /// It was made, or imported.
    Created,
    /// It was changed.
    Changed {
        /// How, as the audit log has it: `renamed`, `grants_replaced`.
        how: String,
    },
    /// It was given another secret.
    Rotated,
    /// It works no longer.
    Revoked,
    /// It ends soon by itself.
    Expiring {
        /// When.
        expires_at: Timestamp,
        /// How many days before, at most: 30, 7 or 1.
        days: u32,
    },
    /// A secret of it was found where everybody can read it, and was ended.
    Leaked(Leak),
    /// Somebody presented a secret of a canary.
    CanaryUsed {
        /// How often since it was last told.
        uses: u64,
        /// From where; `None` is not known.
        address: Option<IpAddr>,
        /// The `User-Agent` of the last of them, at most 255 characters.
        agent: String,
    },
}

impl TokenNews {
    /// What an audit record of a service token's change tells outside.
    ///
    /// `event` is the record's: `service_token.renamed`.
    #[must_use]
    pub fn of_record(event: &str) -> Self {
        match event.strip_prefix("service_token.").unwrap_or(event) {
            "created" | "imported" => Self::Created,
            "rotated" => Self::Rotated,
            "revoked" => Self::Revoked,
            how => Self::Changed { how: how.to_owned() },
        }
    }

    /// Whether it is worth a mail.
    #[must_use]
    pub const fn is_urgent(&self) -> bool {
        match self {
            Self::Expiring { .. } | Self::Leaked(_) | Self::CanaryUsed { .. } => true,
            Self::Created | Self::Changed { .. } | Self::Rotated | Self::Revoked => false,
        }
    }
}

impl TokenReport {
    /// The event that webhooks are sent of it; of a personal token there is but one.
    #[must_use]
    pub const fn event_type(&self) -> Option<EventType> {
        match (&self.news, self.user) {
            (TokenNews::Leaked(_), Some(_)) => Some(EventType::PersonalTokenLeaked),
            (_, Some(_)) => None,
            (TokenNews::Created, None) => Some(EventType::TokenCreated),
            (TokenNews::Changed { .. }, None) => Some(EventType::TokenChanged),
            (TokenNews::Rotated, None) => Some(EventType::TokenRotated),
            (TokenNews::Revoked, None) => Some(EventType::TokenRevoked),
            (TokenNews::Expiring { .. }, None) => Some(EventType::TokenExpiring),
            (TokenNews::Leaked(_), None) => Some(EventType::TokenLeaked),
            (TokenNews::CanaryUsed { .. }, None) => Some(EventType::CanaryUsed),
        }
    }
}

/// A mail about a token, as it waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenMail {
    /// Whom it goes to.
    pub to: Email,
    /// What is told.
    pub report: TokenReport,
}
