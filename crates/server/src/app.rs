//! What every handler can reach.

use std::sync::Arc;

use domain::secret::{TokenKind, TokenSecret};
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use store::Store;
use tokio::sync::Notify;

use crate::{
    LeakKeys, TrustedProxies, console::Console, failures::Failures, mail::Mailer, rates::Rates,
    serve::Limits, streams::Streams, webhooks::WebhookTargets,
};

/// The state of the router.
#[derive(Clone)]
pub(crate) struct App {
    /// Everything that is kept.
    pub(crate) store: Store,
    /// What links begin with, without a slash at its end.
    pub(crate) public_url: Arc<str>,
    /// How long things may take.
    pub(crate) limits: Limits,
    /// Whether `/api/openapi.json` is shut.
    pub(crate) no_openapi: bool,
    /// Whose `X-Forwarded-For` counts.
    pub(crate) trusted_proxies: Arc<TrustedProxies>,
    /// Wakes whoever writes exports of the audit log.
    pub(crate) exports: Arc<Notify>,
    /// What sends invitations; none shows their links to the inviter.
    pub(crate) mailer: Option<Mailer>,
    /// Where webhooks may lead.
    pub(crate) webhook_targets: WebhookTargets,
    /// Answers that go on.
    pub(crate) streams: Streams,
    /// What tokens owe that are held to a rate.
    pub(crate) rates: Rates,
    /// Whose reports of leaks are believed.
    pub(crate) leak_keys: Arc<LeakKeys>,
    /// Who presented wrong tokens.
    pub(crate) failures: Failures,
    /// What the console keeps in memory.
    pub(crate) console: Arc<Console>,
}

/// A new secret from the operating system's generator.
pub(crate) fn mint(kind: TokenKind) -> TokenSecret {
    TokenSecret::mint(kind, &mut UnwrapErr(SysRng))
}
