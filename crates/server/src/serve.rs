//! The listening server.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{ServiceExt, extract::Request};
use axum_server::{Handle, accept::NoDelayAcceptor, tls_rustls::RustlsAcceptor};
use domain::token_use::Days;
use hyper_util::rt::TokioTimer;
use store::Store;
use tokio::{net::TcpListener, task::JoinSet, time::MissedTickBehavior};
use tower::Layer as _;
use tower_http::normalize_path::NormalizePathLayer;

use crate::{
    LeakKeys, TrustedProxies,
    app::App,
    exports,
    failures::{FailureLimits, Failures},
    mail::{MailConfig, MailError, Mailer},
    outbox::Messenger,
    rates::Rates,
    reminders, retention,
    routes::router,
    streams::Streams,
    tls::{Tls, TlsError, TlsFiles, hsts},
    webhooks::WebhookTargets,
};

/// How often last-used times are written down.
const FLUSH_EVERY: Duration = Duration::from_secs(10);
/// After how many of these turns answers that were kept are wiped: every minute.
const FORGET_EVERY: u32 = 6;
/// How long requests in flight may take once the server is told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// About where a request's head becomes too large (431): what is read of it at once.
const MAX_HEAD: usize = 64 << 10;
/// The most headers of a request, hyper's default. More are answered with 431.
const MAX_HEADERS: usize = 100;

/// How the server is reached.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What links begin with; the address itself unless given.
    pub public_url: Option<String>,
    /// What TLS is served with; plain HTTP unless given.
    pub tls: Option<TlsFiles>,
    /// The mail server that invitations and notifications go by; without one, links are shown to the
    /// inviter and notifications are dropped.
    pub mail: Option<MailConfig>,
    /// Whether `/api/openapi.json` is shut; `narrowgate openapi` prints the same.
    pub no_openapi: bool,
    /// How long things may take.
    pub limits: Limits,
    /// Whose `X-Forwarded-For` counts; nobody's unless given.
    pub trusted_proxies: TrustedProxies,
    /// Where webhooks may lead.
    pub webhook_targets: WebhookTargets,
    /// How often it is looked for messages that are due, beside wake-ups of this process (1 s).
    pub outbox_round: Duration,
    /// How often it is looked for service tokens that end soon (1 min).
    pub reminder_round: Duration,
    /// After how many days artifacts of runs are removed; never unless given.
    pub keep_artifacts_days: Option<u32>,
    /// For how many days it is known what service tokens were used for, and by whom.
    pub keep_token_uses: Days,
    /// How many wrong tokens may be presented; any number if none is given.
    pub failures: Option<FailureLimits>,
    /// Whose reports of leaks are believed; of those who hold the secrets if there is none.
    pub leak_keys: LeakKeys,
}

impl ServerConfig {
    /// How many wrong tokens one address may present at once, unless it is said.
    pub const FAILURES: u32 = 60;

    /// What is usual, at this address.
    #[must_use]
    pub fn on(listen: SocketAddr) -> Self {
        let (limits, trusted_proxies) = (Limits::default(), TrustedProxies::default());
        Self {
            listen,
            public_url: None,
            tls: None,
            mail: None,
            no_openapi: false,
            limits,
            trusted_proxies,
            webhook_targets: WebhookTargets::Public,
            outbox_round: Duration::from_secs(1),
            reminder_round: Duration::from_mins(1),
            keep_artifacts_days: None,
            keep_token_uses: Days::ALL,
            failures: FailureLimits::new(Self::FAILURES),
            leak_keys: LeakKeys::default(),
        }
    }
}

/// How long things may take, and how many streams there may be. A run is not among them: it goes on
/// by itself.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A request's head, from the first wait for it: also how long a connection may be idle.
    pub head: Duration,
    /// A request's body.
    pub body: Duration,
    /// The whole answer; of a stream, what comes before its first event.
    pub answer: Duration,
    /// How many streams go on at once.
    pub streams: usize,
    /// How many of them one service token, or one user, has.
    pub streams_each: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            head: seconds(30),
            body: seconds(30),
            answer: seconds(60),
            streams: 256,
            streams_each: 16,
        }
    }
}

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        reason: std::io::Error,
    },
    /// TLS cannot be served.
    #[error("tls: {0}")]
    Tls(#[from] TlsError),
    /// The mail server cannot be what is configured.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// It stopped by a failure.
    #[error("the server stopped: {0}")]
    Stopped(std::io::Error),
}

/// A server that is bound to its address.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    public_url: String,
    mailer: Option<Mailer>,
    store: Store,
    tls: Option<Tls>,
    no_openapi: bool,
    limits: Limits,
    trusted_proxies: TrustedProxies,
    webhook_targets: WebhookTargets,
    outbox_round: Duration,
    reminder_round: Duration,
    keep_artifacts_days: Option<u32>,
    keep_token_uses: Days,
    failures: Option<FailureLimits>,
    leak_keys: LeakKeys,
}

impl Server {
    /// Binds the address; requests wait until [`Server::run`].
    ///
    /// # Errors
    /// [`ServerError::Listen`] if the address is taken or not this machine's;
    /// [`ServerError::Tls`] if the certificate cannot be used; [`ServerError::Mail`] if the mail
    /// server's URL or the sender cannot be read.
    pub async fn bind(store: Store, config: ServerConfig) -> Result<Self, ServerError> {
        let mailer = config.mail.as_ref().map(Mailer::new).transpose()?;
        let tls = match config.tls {
            Some(files) => Some(Tls::load(files).await?),
            None => None,
        };
        let listen = |reason| ServerError::Listen { address: config.listen, reason };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let own_url = origin(tls.is_some(), address);
        let public_url = config.public_url.unwrap_or(own_url);
        let (no_openapi, limits) = (config.no_openapi, config.limits);
        let (trusted_proxies, webhook_targets) = (config.trusted_proxies, config.webhook_targets);
        Ok(Self {
            listener,
            address,
            public_url,
            mailer,
            store,
            tls,
            no_openapi,
            limits,
            trusted_proxies,
            webhook_targets,
            outbox_round: config.outbox_round,
            reminder_round: config.reminder_round,
            keep_artifacts_days: config.keep_artifacts_days,
            keep_token_uses: config.keep_token_uses,
            failures: config.failures,
            leak_keys: config.leak_keys,
        })
    }

    /// The address that it listens on.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a URL: `https://127.0.0.1:8580`.
    #[must_use]
    pub fn local_url(&self) -> String {
        origin(self.tls.is_some(), self.address)
    }

    /// What links begin with.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// Answers until `shutdown` is over, then finishes what is in flight, for at most 10 s.
    ///
    /// # Errors
    /// [`ServerError::Stopped`].
    pub async fn run(
        self,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServerError> {
        let app = App {
            store: self.store.clone(),
            public_url: self.public_url.trim_end_matches('/').into(),
            limits: self.limits,
            no_openapi: self.no_openapi,
            trusted_proxies: self.trusted_proxies.into(),
            exports: Arc::default(),
            mailer: self.mailer,
            webhook_targets: self.webhook_targets,
            streams: Streams::default(),
            rates: Rates::default(),
            leak_keys: self.leak_keys.into(),
            failures: Failures::new(self.failures),
            console: Arc::default(),
        };
        let stopping = app.streams.stopping.clone();
        let exports = exports::write(app.store.clone(), Arc::clone(&app.exports));
        let messenger = Messenger::of(&app, self.outbox_round);
        let mut router = router(app);
        if self.tls.is_some() {
            router = router.layer(hsts());
        }
        // Every path answers with a slash at its end and without, and never by a redirect, which
        // would turn a client's POST into a GET (contract, section 1).
        let service = NormalizePathLayer::trim_trailing_slash().layer(router);
        let service =
            ServiceExt::<Request>::into_make_service_with_connect_info::<SocketAddr>(service);
        let handle = Handle::new();
        let listener = self.listener.into_std().map_err(ServerError::Stopped)?;
        let mut serving = axum_server::from_tcp(listener)
            .map_err(ServerError::Stopped)?
            .http1_only()
            .handle(handle.clone())
            .acceptor(NoDelayAcceptor::new());
        let mut http = serving.http_builder().http1();
        http.timer(TokioTimer::new()).header_read_timeout(self.limits.head);
        http.max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD);
        let mut beside = JoinSet::new();
        beside.spawn(flush_last_used(self.store.clone()));
        beside.spawn(exports);
        beside.spawn(messenger.work());
        beside.spawn(retention::forget_leases(self.store.clone()));
        beside.spawn(retention::forget_executions(self.store.clone()));
        beside.spawn(retention::forget_token_uses(self.store.clone(), self.keep_token_uses));
        beside.spawn(reminders::send(self.store.clone(), self.reminder_round));
        if let Some(days) = self.keep_artifacts_days {
            beside.spawn(retention::keep(self.store.clone(), days));
        }
        beside.spawn(async move {
            shutdown.await;
            // They would hold up what is finished in the time of grace.
            stopping.cancel();
            handle.graceful_shutdown(Some(GRACE));
        });
        let ended = match self.tls {
            Some(tls) => {
                let acceptor = RustlsAcceptor::new(tls.config());
                beside.spawn(tls.follow());
                serving.map(|plain| acceptor.acceptor(plain)).serve(service).await
            }
            None => serving.serve(service).await,
        };
        beside.shutdown().await;
        if let Err(error) = self.store.flush_last_used().await {
            tracing::warn!(%error, "last-used times were not written down");
        }
        ended.map_err(ServerError::Stopped)
    }
}

fn origin(tls: bool, address: SocketAddr) -> String {
    let scheme = if tls { "https" } else { "http" };
    format!("{scheme}://{address}")
}

async fn flush_last_used(store: Store) {
    let mut tick = tokio::time::interval(FLUSH_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut turns = 0;
    loop {
        tick.tick().await;
        if let Err(error) = store.flush_last_used().await {
            tracing::warn!(%error, "last-used times wait for the next turn");
        }
        turns = (turns + 1) % FORGET_EVERY;
        if turns == 0
            && let Err(error) = store.forget_answers().await
        {
            tracing::warn!(%error, "kept answers wait for the next turn");
        }
    }
}
