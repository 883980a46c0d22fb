//! A server of one test.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use domain::{
    AccountId, Name, Plan, Timestamp,
    authz::{Caller, Origin, SystemTask},
    secret::{TokenKind, TokenSecret},
    user::Email,
};
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use server::{MailConfig, Server, ServerConfig, TrustedProxies, WebhookTargets};
use store::{Clock, DataDir, Keyring, NewAccount, Store};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{TestAccount, TestClient};

/// How often a server looks for what is to be sent anew where a test is about that.
const OFTEN: Duration = Duration::from_millis(100);

/// A server of one test: a data folder, a store in it, and a port on loopback.
pub struct TestApp {
    /// The store behind it.
    pub store: Store,
    /// Its clock; it begins at 2026-11-23T12:00:00Z and stands still.
    pub clock: Clock,
    url: String,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
    folder: Arc<tempfile::TempDir>,
}

impl TestApp {
    /// Starts one with an empty database.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self::in_folder(Arc::new(folder), |_| {}).await
    }

    /// Starts one that looks often for what is to be sent anew.
    pub async fn that_retries() -> Self {
        Self::set(|config| config.outbox_round = OFTEN).await
    }

    /// Starts one that sends its mail by this server: `smtp://127.0.0.1:2525`.
    pub async fn with_mail(url: &str) -> Self {
        let from = "Narrowgate <narrowgate@example.com>".to_owned();
        Self::set(|config| {
            config.mail = Some(MailConfig { url: url.to_owned(), from });
            config.outbox_round = OFTEN;
        })
        .await
    }

    /// Starts one that is set otherwise than usual.
    pub async fn set(edit: impl FnOnce(&mut ServerConfig)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self::in_folder(Arc::new(folder), edit).await
    }

    /// Starts one that takes these proxies' word on where requests come from.
    pub async fn behind(proxies: &[&str]) -> Self {
        let proxies = TrustedProxies::parse(proxies).expect("networks");
        Self::set(|config| config.trusted_proxies = proxies).await
    }

    async fn in_folder(
        folder: Arc<tempfile::TempDir>,
        edit: impl FnOnce(&mut ServerConfig),
    ) -> Self {
        let dir = DataDir::new(folder.path());
        let start = Timestamp::parse("2026-11-23T12:00:00Z").expect("a time");
        let clock = Clock::fixed(start);
        let keyring = Keyring::load_or_create(&dir.keyring()).expect("a keyring can be made");
        let store = Store::open(&dir, keyring, clock.clone()).await.expect("the store opens");
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = ServerConfig::on(listen);
        // What webhooks of tests lead to is on this machine.
        config.webhook_targets = WebhookTargets::Any;
        // Its looks would be counted among the statements of a test's own requests.
        config.outbox_round = Duration::from_hours(1);
        config.reminder_round = Duration::from_hours(1);
        // Tests present wrong tokens from one address while no time passes.
        config.failures = None;
        edit(&mut config);
        let server = Server::bind(store.clone(), config).await.expect("a port is free");
        let url = server.local_url();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let until = async {
                let _ = stopped.await;
            };
            server.run(until).await.expect("the server runs");
        });
        Self { store, clock, url, stop: Some(stop), serving: Some(serving), folder }
    }

    /// Stops the server and starts another on the same folder.
    pub async fn restart(self) -> Self {
        self.restart_with(|config| config.outbox_round = OFTEN).await
    }

    /// The same with one that is set otherwise than usual.
    pub async fn restart_with(mut self, edit: impl FnOnce(&mut ServerConfig)) -> Self {
        let folder = Arc::clone(&self.folder);
        self.stop().await;
        drop(self);
        Self::in_folder(folder, edit).await
    }

    /// Stops the server: requests in flight are finished.
    pub async fn stop(&mut self) {
        if let (Some(stop), Some(serving)) = (self.stop.take(), self.serving.take()) {
            let _ = stop.send(());
            serving.await.expect("the server ends well");
            self.store.close().await.expect("the store ends well");
        }
    }

    /// What URLs begin with.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The data folder.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A client that presents nothing.
    #[must_use]
    pub fn anonymous(&self) -> TestClient {
        TestClient::new(&self.url, None)
    }

    /// A client that presents this text.
    #[must_use]
    pub fn presenting(&self, secret: &str) -> TestClient {
        TestClient::new(&self.url, Some(secret.to_owned()))
    }

    /// An account on the Enterprise plan.
    pub async fn account(&self, name: &str) -> TestAccount {
        self.account_on(name, Plan::Enterprise).await
    }

    /// An account on a plan, with an admin who has a personal token.
    pub async fn account_on(&self, name: &str, plan: Plan) -> TestAccount {
        let secret = TokenSecret::mint(TokenKind::Personal, &mut UnwrapErr(SysRng));
        let new = NewAccount {
            name: Name::parse(name).expect("a name"),
            plan,
            admin_email: Email::parse(&format!("admin@{name}.example")).expect("an address"),
        };
        let made = self.store.create_account(new, &secret).await.expect("an account can be made");
        TestAccount::new(self, &made, self.presenting(secret.reveal()))
    }

    /// One of Narrowgate's own tasks, for one account: what the runner shows the store.
    pub async fn system(&self, task: SystemTask, account: AccountId) -> Arc<Caller> {
        let principals = self.store.system_principals(task).await.expect("the store answers");
        let principal = principals
            .into_iter()
            .find(|principal| principal.account() == account)
            .expect("the account is there");
        Arc::new(Caller::new(principal, Origin::local()))
    }
}
