//! Webhooks: who is told over HTTP of what happens to runs and tokens, and what was sent.

use std::{collections::BTreeSet, fmt::Write as _, net::IpAddr};

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::{
    CryptoRng,
    distr::{Alphanumeric, SampleString as _},
};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::{
    JobId, Name, RunId, Timestamp,
    authz::Webhooks,
    kept::{FieldKind, Hidden, Id, Level, Noun, Reference},
};

/// The text is no key of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no such key")]
pub struct InvalidKey;

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A new one, that nobody guesses.
            pub fn mint(rng: &mut impl CryptoRng) -> Self {
                Self(format!("{}{}", $prefix, Alphanumeric.sample_string(rng, KEY_CHARS)))
            }

            /// As it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidKey;
            fn from_str(text: &str) -> Result<Self, InvalidKey> {
                let body = text.strip_prefix($prefix).ok_or(InvalidKey)?;
                let fits = body.len() == KEY_CHARS
                    && body.bytes().all(|byte| byte.is_ascii_alphanumeric());
                if fits { Ok(Self(text.to_owned())) } else { Err(InvalidKey) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidKey;
            fn try_from(text: String) -> Result<Self, InvalidKey> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(key: $name) -> Self {
                key.0
            }
        }
    )*};
}

/// Random characters of a key.
const KEY_CHARS: usize = 27;
/// Characters of a secret: 62 to the 43rd is more than 2 to the 256th.
const SECRET_CHARS: usize = 43;

keys! {
    /// What names a webhook on the wire: `wsu_` and 27 letters or digits.
    WebhookKey = "wsu_";
    /// What names an event of a webhook.
    EventKey = "wev_";
    /// What names a receipt of an event.
    ReceiptKey = "wrc_";
    /// What names the address that a git host sends to.
    GitHookKey = "ghk_";
}

/// A webhook: where to send what happens to the runs of which jobs, and to tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// What names it on the wire.
    pub key: WebhookKey,
    /// What people call it.
    pub name: Name,
    /// What it is for; may be empty.
    pub description: String,
    /// What is sent; not empty.
    pub event_types: BTreeSet<EventType>,
    /// Of which jobs; empty means of all.
    pub job_ids: BTreeSet<JobId>,
    /// Where to.
    pub client_url: ClientUrl,
    /// Whether anything is sent.
    pub active: bool,
    /// Why nothing is sent, where Narrowgate itself ended it.
    pub deactivate_reason: Option<String>,
}

impl Webhook {
    /// Whether it is told of this event of tokens.
    #[must_use]
    pub fn wants_of_tokens(&self, kind: EventType) -> bool {
        self.active && kind.is_of_tokens() && self.event_types.contains(&kind)
    }

    /// Whether it tells of tokens at all.
    #[must_use]
    pub fn tells_of_tokens(&self) -> bool {
        self.event_types.iter().any(|kind| kind.is_of_tokens())
    }

    /// Whether it is told of this event of this job's runs.
    #[must_use]
    pub fn wants(&self, kind: EventType, job: JobId) -> bool {
        let of_job = self.job_ids.is_empty() || self.job_ids.contains(&job);
        self.active && of_job && self.event_types.contains(&kind)
    }
}

/// What can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EventType {
    /// `job.run.started`
    #[serde(rename = "job.run.started")]
    Started,
    /// `job.run.completed`
    #[serde(rename = "job.run.completed")]
    Completed,
    /// `job.run.errored`
    #[serde(rename = "job.run.errored")]
    Errored,
    /// `service_token.created`
    #[serde(rename = "service_token.created")]
    TokenCreated,
    /// `service_token.changed`
    #[serde(rename = "service_token.changed")]
    TokenChanged,
    /// `service_token.rotated`
    #[serde(rename = "service_token.rotated")]
    TokenRotated,
    /// `service_token.revoked`
    #[serde(rename = "service_token.revoked")]
    TokenRevoked,
    /// `service_token.expiring`
    #[serde(rename = "service_token.expiring")]
    TokenExpiring,
    /// `service_token.leaked`
    #[serde(rename = "service_token.leaked")]
    TokenLeaked,
    /// `service_token.canary_used`
    #[serde(rename = "service_token.canary_used")]
    CanaryUsed,
    /// `personal_token.leaked`
    #[serde(rename = "personal_token.leaked")]
    PersonalTokenLeaked,
}

/// The text names no event type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {}", EventType::ALL.map(|kind| format!("`{}`", kind.word())).join(", "))]
pub struct UnknownEventType;

impl EventType {
    /// Every one; those of tokens are documented additions.
    pub const ALL: [Self; 11] = [
        Self::Started,
        Self::Completed,
        Self::Errored,
        Self::TokenCreated,
        Self::TokenChanged,
        Self::TokenRotated,
        Self::TokenRevoked,
        Self::TokenExpiring,
        Self::TokenLeaked,
        Self::CanaryUsed,
        Self::PersonalTokenLeaked,
    ];

    /// The word of the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Started => "job.run.started",
            Self::Completed => "job.run.completed",
            Self::Errored => "job.run.errored",
            Self::TokenCreated => "service_token.created",
            Self::TokenChanged => "service_token.changed",
            Self::TokenRotated => "service_token.rotated",
            Self::TokenRevoked => "service_token.revoked",
            Self::TokenExpiring => "service_token.expiring",
            Self::TokenLeaked => "service_token.leaked",
            Self::CanaryUsed => "service_token.canary_used",
            Self::PersonalTokenLeaked => "personal_token.leaked",
        }
    }

    /// Whether it is about a token, and not about a run.
    #[must_use]
    pub const fn is_of_tokens(self) -> bool {
        match self {
            Self::Started | Self::Completed | Self::Errored => false,
            Self::TokenCreated
            | Self::TokenChanged
            | Self::TokenRotated
            | Self::TokenRevoked
            | Self::TokenExpiring
            | Self::TokenLeaked
            | Self::CanaryUsed
            | Self::PersonalTokenLeaked => true,
        }
    }
}

impl std::str::FromStr for EventType {
    type Err = UnknownEventType;
    fn from_str(text: &str) -> Result<Self, UnknownEventType> {
        Self::ALL.into_iter().find(|kind| kind.word() == text).ok_or(UnknownEventType)
    }
}

/// Where a webhook is sent: `https://…`, or `http://` on the server's own machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClientUrl(String);

/// Why a text is no [`ClientUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidClientUrl {
    /// No URL with a host.
    #[error("must be a URL such as `https://example.com/hook`, at most 2048 characters")]
    Form,
    /// Something that everyone on the way could read.
    #[error("must be https (plain http goes to `localhost`, `127.0.0.1` or `[::1]` alone)")]
    Plain,
    /// A name or password in it.
    #[error("must not hold a user name or password: the signature says who sends")]
    UserInfo,
}

impl ClientUrl {
    /// The one way in.
    ///
    /// # Errors
    /// [`InvalidClientUrl`]
    pub fn parse(text: &str) -> Result<Self, InvalidClientUrl> {
        let plain = text.len() <= 2048 && text.is_ascii();
        if !plain || text.bytes().any(|byte| byte <= b' ' || byte == b'\\' || byte == 0x7f) {
            return Err(InvalidClientUrl::Form);
        }
        let (scheme, rest) = text.split_once("://").ok_or(InvalidClientUrl::Form)?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(InvalidClientUrl::UserInfo);
        }
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        if host.is_empty() {
            return Err(InvalidClientUrl::Form);
        }
        let here = host.eq_ignore_ascii_case("localhost")
            || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        match scheme.to_ascii_lowercase().as_str() {
            "https" => Ok(Self(text.to_owned())),
            "http" if here => Ok(Self(text.to_owned())),
            "http" => Err(InvalidClientUrl::Plain),
            _ => Err(InvalidClientUrl::Form),
        }
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ClientUrl {
    type Error = InvalidClientUrl;
    fn try_from(text: String) -> Result<Self, InvalidClientUrl> {
        Self::parse(&text)
    }
}

impl From<ClientUrl> for String {
    fn from(url: ClientUrl) -> Self {
        url.0
    }
}

impl Noun for Webhook {
    const WORD: &str = "webhook";
    const PARAMETER: &str = "webhook_id";
    const LEVEL: Level = Level::Account;
    const FIELDS: &[(&str, FieldKind)] =
        &[("name", FieldKind::Text), ("client_url", FieldKind::Text), ("active", FieldKind::Bool)];
    type Resource = Webhooks;

    fn references(&self) -> Vec<(&'static str, Reference)> {
        self.job_ids.iter().map(|job| ("job_ids", Reference::Job(*job))).collect()
    }

    fn unique(&self) -> Option<(&'static str, String)> {
        Some(("id", self.key.to_string()))
    }

    /// A job that goes leaves the list. An empty list would mean every job: so the last one takes
    /// the webhook out of service.
    fn without(mut self, gone: Reference) -> Option<Self> {
        let Reference::Job(job) = gone else { return None };
        self.job_ids.remove(&job);
        if self.job_ids.is_empty() {
            self.active = false;
            self.deactivate_reason = Some("the last of its jobs was deleted".to_owned());
        }
        Some(self)
    }
}

/// A new secret to sign with.
pub fn mint_secret(rng: &mut impl CryptoRng) -> Hidden {
    Hidden::new(Alphanumeric.sample_string(rng, SECRET_CHARS))
}

/// What goes into the header `Authorization`: HMAC-SHA-256 of the body under the secret, in hex.
#[must_use]
pub fn signature(secret: &Hidden, body: &[u8]) -> String {
    let key = secret.reveal().as_bytes();
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    let bytes = mac.chain_update(body).finalize().into_bytes();
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Whether an address is out in the internet: not this machine, not a network of one's own, not
/// what only some of the machines on the way know (SECURITY.md, line 47).
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let benchmark = a == 198 && (b == 18 || b == 19);
            let assigned = (a, b, c) == (192, 0, 0) || (a, b, c) == (192, 88, 99);
            !(a == 0
                || a >= 224
                || v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_documentation()
                || shared
                || benchmark
                || assigned)
        }
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            // 2000::/3 is what is given out; some of it leads into IPv4 networks or is for books.
            let given_out = first & 0xe000 == 0x2000;
            let tunnel = first == 0x2002 || (first, second) == (0x2001, 0);
            given_out && !tunnel && (first, second) != (0x2001, 0x0db8)
        }
    }
}

/// Something that was sent, or was to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEvent {
    /// What names it on the wire.
    pub key: EventKey,
    /// Of which webhook.
    pub webhook: Id<Webhook>,
    /// About which job; a test is about none.
    pub job: Option<JobId>,
    /// About which run.
    pub run: Option<RunId>,
    /// The word of its type; `test` for a test.
    pub event_type: String,
    /// The body, as it was sent.
    pub payload: String,
    /// When it happened.
    pub created_at: Timestamp,
}

/// One attempt to send an event, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookReceipt {
    /// What names it on the wire.
    pub key: ReceiptKey,
    /// Which event was sent.
    pub event: EventKey,
    /// Of which webhook.
    pub webhook: Id<Webhook>,
    /// What came of it.
    pub dispatch: Dispatch,
}

/// What came of sending a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatch {
    /// When it was sent.
    pub dispatched_at: Timestamp,
    /// The status of the answer, if there was one.
    pub http_status_code: Option<u16>,
    /// Why there was none, or why it did not count; empty if it arrived.
    pub error_info: String,
    /// The headers that were sent, as JSON; not the signature.
    pub request_headers: String,
    /// The body that was sent.
    pub request_body: String,
    /// The beginning of the body of the answer.
    pub response_body: String,
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    #[test]
    fn a_key_reads_back_and_nothing_else_does() {
        let key = WebhookKey::mint(&mut StdRng::seed_from_u64(1));
        assert_eq!(key.as_str().parse(), Ok(key.clone()));
        assert_eq!(key.as_str().parse::<EventKey>(), Err(InvalidKey));
        for text in ["", "wsu_", "wsu_short", "wsu_%00aaaaaaaaaaaaaaaaaaaaaaaaa", "5"] {
            assert_eq!(text.parse::<WebhookKey>(), Err(InvalidKey), "{text}");
        }
    }

    #[test]
    fn a_url_is_https_or_of_this_machine() {
        for fine in [
            "https://example.com/hook?x=1",
            "HTTPS://example.com:8443",
            "http://localhost:9000/hook",
            "http://127.0.0.1:9000",
            "http://[::1]/",
        ] {
            assert!(ClientUrl::parse(fine).is_ok(), "{fine}");
        }
        for (text, wrong) in [
            ("", InvalidClientUrl::Form),
            ("example.com", InvalidClientUrl::Form),
            ("ftp://example.com", InvalidClientUrl::Form),
            ("https://", InvalidClientUrl::Form),
            ("https:///path", InvalidClientUrl::Form),
            ("https://a b", InvalidClientUrl::Form),
            ("https://a\\@b", InvalidClientUrl::Form),
            ("http://example.com", InvalidClientUrl::Plain),
            ("http://localhost.example.com", InvalidClientUrl::Plain),
            ("http://127.0.0.1.example.com", InvalidClientUrl::Plain),
            ("https://ada:secret@example.com", InvalidClientUrl::UserInfo),
            ("http://localhost@example.com", InvalidClientUrl::UserInfo),
        ] {
            assert_eq!(ClientUrl::parse(text), Err(wrong), "{text}");
        }
    }

    #[test]
    fn a_signature_is_that_of_rfc_4231() {
        let secret = Hidden::new("Jefe".to_owned());
        insta::assert_snapshot!(
            signature(&secret, b"what do ya want for nothing?"),
            @"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn only_the_internet_is_public() {
        for public in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "64:ff9b::a00:1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::",
            "fc00::1",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[test]
    fn the_last_job_that_goes_takes_a_webhook_out_of_service() {
        let jobs = [JobId::new(1).unwrap(), JobId::new(2).unwrap()];
        let webhook = Webhook {
            key: WebhookKey::mint(&mut StdRng::seed_from_u64(1)),
            name: Name::parse("ops").unwrap(),
            description: String::new(),
            event_types: [EventType::Errored].into(),
            job_ids: jobs.into(),
            client_url: ClientUrl::parse("https://example.com").unwrap(),
            active: true,
            deactivate_reason: None,
        };
        let one = webhook.without(Reference::Job(jobs[0])).unwrap();
        assert!(one.active && one.job_ids.len() == 1);
        let none = one.without(Reference::Job(jobs[1])).unwrap();
        assert!(!none.active && none.deactivate_reason.is_some());
    }
}
