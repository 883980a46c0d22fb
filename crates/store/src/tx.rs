//! One transaction: rows, their audit record and their event, or nothing.

use domain::{
    AccountId, ProjectId, ServiceTokenId, Timestamp, TokenCredentialId,
    authz::{AccessMarker, AccountTerms, Credential, KindMarker, Origin, Permit, PrincipalId},
    event::Event,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, DatabaseTransaction, EntityTrait as _, JoinType,
    QueryFilter as _, QuerySelect as _, RelationTrait as _,
};
use serde_json::Value;
use tokio::sync::OwnedMutexGuard;

use crate::{
    Keyring, Store, StoreError, audit,
    entities::{
        account, event, membership, personal_token, service_token, service_token_credential,
        session,
    },
    principals::ForgetsWhenDropped,
    rows::ACTIVE,
};

/// What is recorded often and changes no principal's rights; after any other record all principals
/// are read anew.
const CHANGE_NO_RIGHTS: [&str; 4] = ["environment.", "job.", "run.", "session."];

/// A transaction that writes, for one account and by one author.
///
/// It has the database to itself from its beginning to its end, and is rolled back when it is
/// dropped. [`Tx::commit`] refuses if nothing was recorded in the audit chain.
#[expect(clippy::struct_excessive_bools, reason = "each says that one thing happened in it")]
pub(crate) struct Tx {
    // Dropped in this order: the connection is given back before the next writer is let in.
    db: DatabaseTransaction,
    _turn: OwnedMutexGuard<()>,
    store: Store,
    account: AccountId,
    actor: String,
    origin: Origin,
    now: Timestamp,
    recorded: bool,
    announced: bool,
    changes_rights: bool,
    posted: bool,
}

impl Store {
    /// Begins a transaction for what the permit allows, once the credential that it was given for
    /// is found to stand as it was read (SECURITY.md, line 22).
    ///
    /// # Errors
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub(crate) async fn begin<A: AccessMarker, K: KindMarker>(
        &self,
        permit: &Permit<A, K>,
    ) -> Result<Tx, StoreError> {
        let (author, origin) = (permit.author(), permit.origin().clone());
        let tx = Tx::over(self, self.write().await?, permit.account(), author, origin);
        let principal = permit.principal();
        tx.check_credential(principal.credential(), principal.terms()).await?;
        Ok(tx)
    }
}

impl Tx {
    /// Begins without a permit: for what happens before there is anybody to hold one.
    pub(crate) fn over(
        store: &Store,
        (turn, db): (OwnedMutexGuard<()>, DatabaseTransaction),
        account: AccountId,
        actor: PrincipalId,
        origin: Origin,
    ) -> Self {
        Self {
            db,
            _turn: turn,
            store: store.clone(),
            account,
            actor: actor.to_string(),
            origin,
            now: store.clock().now(),
            recorded: false,
            announced: false,
            changes_rights: false,
            posted: false,
        }
    }

    /// What statements are sent with.
    pub(crate) fn db(&self) -> &DatabaseTransaction {
        &self.db
    }

    /// The account that is written in.
    pub(crate) fn account(&self) -> AccountId {
        self.account
    }

    /// Who writes: `user:1`.
    pub(crate) fn actor(&self) -> &str {
        &self.actor
    }

    /// What secrets are sealed with.
    pub(crate) fn keyring(&self) -> &Keyring {
        self.store.keyring()
    }

    /// When it began: the time of every row that it writes.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Appends to the account's audit chain: `event` (such as `job.created`) happened to `object`
    /// (such as `job:7`). Author and origin are the permit's. Never give it a secret.
    pub(crate) async fn record(
        &mut self,
        event: &str,
        object: impl std::fmt::Display,
        project: Option<ProjectId>,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Result<(), StoreError> {
        let actor = self.actor.clone();
        self.record_by(&actor, event, object, project, before, after).await
    }

    /// The same, where it is another who acts: what follows from the permit's deed by itself.
    pub(crate) async fn record_by(
        &mut self,
        actor: &str,
        event: &str,
        object: impl std::fmt::Display,
        project: Option<ProjectId>,
        before: Option<Value>,
        after: Option<Value>,
    ) -> Result<(), StoreError> {
        let mut change = serde_json::json!({ "before": before, "after": after });
        // The canonical bytes are the same whether or not serde_json keeps the order of keys.
        change.sort_all_objects();
        let entry = audit::Entry {
            account: self.account,
            at: self.now,
            actor,
            event,
            object: object.to_string(),
            project,
            change,
            origin: &self.origin,
        };
        audit::append(&self.db, self.store.keyring(), entry).await?;
        self.recorded = true;
        self.changes_rights |= !CHANGE_NO_RIGHTS.iter().any(|noun| event.starts_with(noun));
        Ok(())
    }

    /// Appends to the event log.
    pub(crate) async fn event(&mut self, event: Event) -> Result<(), StoreError> {
        let row = event::ActiveModel {
            at: Set(self.now.micros()),
            payload: Set(serde_json::to_string(&event).map_err(StoreError::corrupt)?),
            ..Default::default()
        };
        event::Entity::insert(row).exec(&self.db).await.map_err(StoreError::db)?;
        self.announced = true;
        Ok(())
    }

    /// Wakes the messenger once it is committed: there is something to send.
    pub(crate) fn post(&mut self) {
        self.posted = true;
    }

    /// Makes it all so.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if nothing was recorded: a write without an audit record is a
    /// mistake of ours, and is not made.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        if self.recorded {
            self.end().await
        } else {
            Err(StoreError::Corrupt("a write came without an audit record".to_owned()))
        }
    }

    /// Makes it all so, for what is not worth a record: a worker's progress notes.
    pub(crate) async fn commit_unrecorded(self) -> Result<(), StoreError> {
        self.end().await
    }

    async fn end(self) -> Result<(), StoreError> {
        let Self { db, _turn, store, announced, changes_rights, posted, .. } = self;
        let _forgets = changes_rights.then(|| ForgetsWhenDropped(store.principals()));
        db.commit().await.map_err(StoreError::db)?;
        if announced {
            store.announce();
        }
        if posted {
            store.announce_post();
        }
        Ok(())
    }

    /// The uid of the token that a permit was given for; `None` of Narrowgate's own tasks.
    pub(crate) async fn token(&self, credential: Credential) -> Result<Option<String>, StoreError> {
        let uid = match credential {
            Credential::ServiceToken { id, .. } => {
                let row = service_token::Entity::find_by_id(id.get()).select_only();
                let row = row.column(service_token::Column::Uid).into_tuple();
                row.one(&self.db).await
            }
            Credential::PersonalToken { id, .. } => {
                let row = personal_token::Entity::find_by_id(id.get()).select_only();
                let row = row.column(personal_token::Column::Uid).into_tuple();
                row.one(&self.db).await
            }
            Credential::Session { .. } | Credential::Process => return Ok(None),
        };
        uid.map_err(StoreError::db)
    }

    /// Whether the credential still holds what it held when it was read.
    async fn check_credential(
        &self,
        credential: Credential,
        terms: &AccountTerms,
    ) -> Result<(), StoreError> {
        let stands = match credential {
            Credential::ServiceToken { id, revision, presented } => {
                self.service_token_stands(id, revision, presented, terms).await?
            }
            Credential::PersonalToken { id, revision } => {
                self.personal_token_stands(id.get(), revision, terms).await?
            }
            Credential::Session { id, revision } => {
                self.session_stands(id.get(), revision, terms).await?
            }
            Credential::Process => self.account_terms().await?.is_some(),
        };
        if stands { Ok(()) } else { Err(StoreError::CredentialChanged) }
    }

    async fn service_token_stands(
        &self,
        id: ServiceTokenId,
        revision: i64,
        presented: Option<TokenCredentialId>,
        terms: &AccountTerms,
    ) -> Result<bool, StoreError> {
        use service_token_credential::{Column, Entity, Relation, is_open};
        // A token that is only asked about presents nothing, and writes nothing.
        let Some(presented) = presented else { return Ok(false) };
        let row: Option<i64> = Entity::find_by_id(presented.get())
            .filter(is_open(self.now))
            .filter(Column::ServiceTokenId.eq(id.get()))
            .filter(service_token::Column::AccountId.eq(self.account.get()))
            .filter(service_token::Column::State.eq(service_token::ACTIVE))
            .join(JoinType::InnerJoin, Relation::Token.def())
            .select_only()
            .column(service_token::Column::Revision)
            .into_tuple()
            .one(&self.db)
            .await
            .map_err(StoreError::db)?;
        Ok(row == Some(revision) && self.account_terms().await?.as_ref() == Some(terms))
    }

    async fn personal_token_stands(
        &self,
        id: i64,
        revision: i64,
        terms: &AccountTerms,
    ) -> Result<bool, StoreError> {
        let row: Option<i64> = personal_token::Entity::find_by_id(id)
            .filter(personal_token::Column::AccountId.eq(self.account.get()))
            .filter(personal_token::Column::RevokedAt.is_null())
            .filter(membership::Column::State.eq(ACTIVE))
            .filter(
                Condition::any()
                    .add(personal_token::Column::ExpiresAt.is_null())
                    .add(personal_token::Column::ExpiresAt.gt(self.now.micros())),
            )
            .join(JoinType::InnerJoin, personal_token::Relation::Membership.def())
            .select_only()
            .column(membership::Column::Revision)
            .into_tuple()
            .one(&self.db)
            .await
            .map_err(StoreError::db)?;
        Ok(row == Some(revision) && self.account_terms().await?.as_ref() == Some(terms))
    }

    async fn session_stands(
        &self,
        id: i64,
        revision: i64,
        terms: &AccountTerms,
    ) -> Result<bool, StoreError> {
        let row: Option<i64> = session::Entity::find_by_id(id)
            .filter(session::Column::AccountId.eq(self.account.get()))
            .filter(session::Column::EndedAt.is_null())
            .filter(session::Column::ExpiresAt.gt(self.now.micros()))
            .filter(membership::Column::State.eq(ACTIVE))
            .join(JoinType::InnerJoin, session::Relation::Membership.def())
            .select_only()
            .column(membership::Column::Revision)
            .into_tuple()
            .one(&self.db)
            .await
            .map_err(StoreError::db)?;
        Ok(row == Some(revision) && self.account_terms().await?.as_ref() == Some(terms))
    }

    /// What of the account bears on decisions, now.
    pub(crate) async fn account_terms(&self) -> Result<Option<AccountTerms>, StoreError> {
        let row = account::Entity::find_by_id(self.account.get())
            .one(&self.db)
            .await
            .map_err(StoreError::db)?;
        row.map(|row| Ok(row.into_domain()?.terms())).transpose()
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        Name, Plan, UserId,
        authz::{Origin, PrincipalId},
        event::Event,
        secret::{TokenKind, TokenSecret},
        user::Email,
    };
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;
    use crate::{Clock, DataDir, Keyring, NewAccount};

    async fn open() -> (tempfile::TempDir, Store, AccountId) {
        let folder = tempfile::TempDir::new().unwrap();
        let dir = DataDir::new(folder.path());
        let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
        let store = Store::open(&dir, keyring, Clock::System).await.unwrap();
        let new = NewAccount {
            name: Name::parse("Acme").unwrap(),
            plan: Plan::Team,
            admin_email: Email::parse("ada@example.com").unwrap(),
        };
        let secret = TokenSecret::mint(TokenKind::Personal, &mut StdRng::seed_from_u64(1));
        let account = store.create_account(new, &secret).await.unwrap().account.id;
        (folder, store, account)
    }

    async fn begin(store: &Store, account: AccountId) -> Tx {
        let author = PrincipalId::User(UserId::new(1).unwrap());
        Tx::over(store, store.write().await.unwrap(), account, author, Origin::local())
    }

    #[tokio::test]
    async fn what_is_not_recorded_is_not_committed() {
        let (_folder, store, account) = open().await;
        let before = store.events_after(0).await.unwrap();

        let mut tx = begin(&store, account).await;
        tx.event(Event::AccountChanged { id: account }).await.unwrap();
        let refused = tx.commit().await;

        assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
        assert_eq!(store.events_after(0).await.unwrap(), before);
    }

    #[tokio::test]
    async fn what_is_dropped_is_rolled_back_and_the_next_writer_is_let_in() {
        let (_folder, store, account) = open().await;
        let before = store.events_after(0).await.unwrap();

        for _ in 0..3 {
            let mut tx = begin(&store, account).await;
            tx.event(Event::AccountChanged { id: account }).await.unwrap();
            tx.record("account.updated", "account:1", None, None, None).await.unwrap();
        }

        assert_eq!(store.events_after(0).await.unwrap(), before);
        let mut tx = begin(&store, account).await;
        tx.record("account.updated", "account:1", None, None, None).await.unwrap();
        tx.commit().await.unwrap();
    }

    #[tokio::test]
    async fn a_reader_cannot_write() {
        use sea_orm::ConnectionTrait as _;
        let (_folder, store, _) = open().await;
        let written = store.reader().execute_unprepared("DELETE FROM events").await;
        assert!(written.unwrap_err().to_string().contains("readonly"));
    }
}
