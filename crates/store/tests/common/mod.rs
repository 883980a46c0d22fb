//! A store on a folder of its own, with an account in it.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "each test file uses its part of it, and a failure here is a failed test"
)]

use std::{sync::Arc, time::Duration};

use domain::{
    AccountId, Name, Plan, ServiceTokenId, Timestamp, UserId,
    authz::{
        AccessMarker, Caller, Grant, KindMarker, License, Origin, Permit, Principal, Projects,
        authorize,
    },
    lease::Worker,
    secret::{TokenKind, TokenSecret},
    service_token::ServiceToken,
    user::Email,
};
use rand::{SeedableRng as _, rngs::StdRng};
use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use store::{
    ArtifactPlace, Clock, DataDir, Keyring, NewAccount, NewServiceToken, Store, StoreError,
    TokenChange,
};
use tempfile::TempDir;

/// A data folder, the store on it, and one account with its admin.
pub(crate) struct House {
    pub folder: TempDir,
    pub store: Store,
    pub clock: Clock,
    pub account: AccountId,
    pub user: UserId,
    /// The admin's personal token.
    pub secret: TokenSecret,
}

/// Noon of a day, for clocks that are set by hand.
pub(crate) fn noon() -> Timestamp {
    Timestamp::parse("2026-11-23T12:00:00+00:00").unwrap()
}

/// A worker that is not taken for dead, however far a test sets its clock.
pub(crate) fn worker() -> Worker {
    Worker { name: "a test".to_owned(), lease: Duration::from_hours(100_000) }
}

pub(crate) fn secret(kind: TokenKind, seed: u64) -> TokenSecret {
    TokenSecret::mint(kind, &mut StdRng::seed_from_u64(seed))
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Another name for a service token.
pub(crate) fn named(name: Name) -> TokenChange {
    TokenChange { name: Some(name), ..TokenChange::default() }
}

/// A permission set on all projects.
pub(crate) fn everywhere(set: &str) -> Grant {
    Grant::new(set.parse().unwrap(), Projects::All).unwrap()
}

/// A house on the Enterprise plan.
pub(crate) async fn house() -> House {
    house_on(Plan::Enterprise).await
}

pub(crate) async fn house_on(plan: Plan) -> House {
    house_in(plan, ArtifactPlace::Folder).await
}

/// One that keeps its artifacts in this place.
pub(crate) async fn house_in(plan: Plan, artifacts: ArtifactPlace) -> House {
    let folder = TempDir::new().unwrap();
    let dir = DataDir::new(folder.path().join("data"));
    let clock = Clock::fixed(noon());
    let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
    let store = Store::open_with(&dir, keyring, clock.clone(), artifacts).await.unwrap();
    let (made, secret) = account(&store, "Acme", plan, "ada@example.com", 1).await;
    House { folder, clock, account: made.account.id, user: made.admin.id, secret, store }
}

/// Makes an account more.
pub(crate) async fn account(
    store: &Store,
    named: &str,
    plan: Plan,
    email: &str,
    seed: u64,
) -> (store::Bootstrapped, TokenSecret) {
    let secret = secret(TokenKind::Personal, seed);
    let admin_email = Email::parse(email).unwrap();
    let new = NewAccount { name: name(named), plan, admin_email };
    (store.create_account(new, &secret).await.unwrap(), secret)
}

impl House {
    /// Who the secret belongs to.
    pub(crate) async fn caller(&self, secret: &TokenSecret) -> Option<Arc<Caller>> {
        let principal = self.store.authenticate(secret).await.unwrap()?;
        Some(Arc::new(Caller::new(principal, Origin::local())))
    }

    /// The permit of whoever holds the secret.
    pub(crate) async fn permit_of<A: AccessMarker, K: KindMarker>(
        &self,
        secret: &TokenSecret,
    ) -> Permit<A, K> {
        authorize(&self.caller(secret).await.expect("the secret works"), self.account).unwrap()
    }

    /// The admin's permit.
    pub(crate) async fn permit<A: AccessMarker, K: KindMarker>(&self) -> Permit<A, K> {
        self.permit_of(&self.secret).await
    }

    /// The permit of one of Narrowgate's own tasks.
    pub(crate) async fn task<A: AccessMarker, K: KindMarker>(
        &self,
        task: domain::authz::SystemTask,
    ) -> Permit<A, K> {
        let principals = self.store.system_principals(task).await.unwrap();
        let ours: &Arc<Principal> =
            principals.iter().find(|principal| principal.account() == self.account).unwrap();
        let caller = Arc::new(Caller::new(Arc::clone(ours), Origin::local()));
        authorize(&caller, self.account).unwrap()
    }

    /// A service token that the admin makes.
    pub(crate) async fn token(
        &self,
        named: &str,
        grants: Vec<Grant>,
        seed: u64,
    ) -> (ServiceToken, TokenSecret) {
        let secret = secret(TokenKind::Service, seed);
        let new = NewServiceToken { name: name(named), grants, end: None };
        let made = self.store.create_service_token(&self.permit().await, new, &secret).await;
        (made.unwrap(), secret)
    }

    pub(crate) async fn read(&self, id: ServiceTokenId) -> Result<ServiceToken, StoreError> {
        self.store.service_token(&self.permit().await, id).await
    }

    pub(crate) async fn revoke(&self, id: ServiceTokenId) {
        self.store.revoke_service_token(&self.permit().await, id).await.unwrap();
    }

    pub(crate) async fn user(&self, email: &str, license: License, grants: Vec<Grant>) -> UserId {
        let email = Email::parse(email).unwrap();
        self.store.add_user(self.account, email, license, grants).await.unwrap()
    }

    /// The number of records in the account's audit chain, which has to be whole.
    pub(crate) async fn records(&self) -> i64 {
        let permit = self.task(domain::authz::SystemTask::Auditor).await;
        self.store.verify_audit(&permit).await.unwrap()
    }

    /// The database, past the store: what somebody with the file in their hands can do.
    pub(crate) async fn raw(&self) -> DatabaseConnection {
        raw(&self.store.data_dir().database()).await
    }
}

pub(crate) async fn raw(database: &std::path::Path) -> DatabaseConnection {
    let url = format!("sqlite://{}?mode=rw", database.display());
    let db = sea_orm::Database::connect(url).await.unwrap();
    let off = "PRAGMA foreign_keys = off; PRAGMA synchronous = off";
    db.execute_unprepared(off).await.unwrap();
    db
}

/// One number out of a query.
pub(crate) async fn number(db: &DatabaseConnection, sql: &str) -> i64 {
    let row = db.query_one_raw(sea_orm::Statement::from_string(db.get_database_backend(), sql));
    row.await.unwrap().unwrap().try_get_by_index(0).unwrap()
}
