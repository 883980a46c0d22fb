//! How people come in and go: one of the files without permits. A password, the secret of a link or
//! that of a session is the proof.

use std::sync::Arc;

use domain::{
    AccountId, SessionId, Timestamp, UserId,
    authz::{Credential, Origin, Principal, PrincipalId, SystemTask},
    password::{Password, PasswordHash},
    secret::TokenSecret,
    session::{LIFETIME_SECONDS, RESET_SECONDS, SessionSecret, goes_on},
    user::Email,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, FromQueryResult, JoinType,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, RelationTrait as _,
    sea_query::{Expr, ExprTrait as _, IntoCondition as _, OnConflict},
};
use serde_json::json;

use crate::{
    Store, StoreError,
    credential::{grants, terms},
    entities::{
        account, group_member, group_permission, membership, password, session, sign_in_link, time,
        user,
    },
    principals::Known,
    rows::ACTIVE,
    second_factors, sign_in_links,
    tx::Tx,
};

/// How often a session's use is written down.
const NOTED_EVERY_SECONDS: i64 = 60;
/// In how many accounts one password is tried; more cannot be signed in to by it.
const MOST_TRIED: u64 = 5;

/// A user of an account who has a password there.
#[derive(Debug, Clone)]
pub struct Candidate {
    account: AccountId,
    user: UserId,
    hash: PasswordHash,
}

/// Proof that somebody is a user of an account; it opens one session.
#[derive(Debug)]
pub struct Proven {
    pub(crate) account: AccountId,
    pub(crate) user: UserId,
    /// Whether their second factor was shown, too.
    second: bool,
}

impl Proven {
    /// Proof by what opens an account without a second factor.
    pub(crate) const fn new(account: AccountId, user: UserId) -> Self {
        Self { account, user, second: false }
    }
}

impl Candidate {
    /// Whether the password is theirs. It takes about 20 ms of a core.
    #[must_use]
    pub fn prove(&self, password: &Password) -> Option<Proven> {
        self.hash.is_of(password).then_some(Proven::new(self.account, self.user))
    }
}

/// A session that goes on: who it is, and what pages call them and their account.
#[derive(Debug, Clone)]
pub struct LiveSession {
    /// Who acts.
    pub principal: Arc<Principal>,
    /// Their address.
    pub email: String,
    /// Their name, or the address if they have given none.
    pub user_name: String,
    /// The account's name.
    pub account_name: String,
    /// When they signed in.
    pub since: Timestamp,
}

/// A session's row, beside one permission row of one of its user's groups.
#[derive(FromQueryResult)]
struct Row {
    id: i64,
    account_id: i64,
    user_id: i64,
    created_at: i64,
    seen_at: i64,
    expires_at: i64,
    license: String,
    revision: i64,
    first_name: String,
    last_name: String,
    email: String,
    name: String,
    plan: String,
    tokens_may_mint: bool,
    ip_rules_enabled: bool,
    ip_rules_revision: i64,
    permission_set: Option<String>,
    project_id: Option<i64>,
    categories: Option<String>,
}

impl Store {
    /// Everybody who may sign in with this address: one a account, at most five.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn sign_in_candidates(&self, email: &Email) -> Result<Vec<Candidate>, StoreError> {
        let rows = password::Entity::find()
            .join(JoinType::InnerJoin, password::Relation::Membership.def())
            .join(JoinType::InnerJoin, password::Relation::User.def())
            .filter(user::Column::Email.eq(email.as_str()))
            .filter(membership::Column::State.eq(ACTIVE))
            .order_by_asc(password::Column::AccountId)
            .limit(MOST_TRIED)
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        rows.into_iter().map(password::Model::into_domain).collect()
    }

    /// Makes a link, good once and for an hour, by which somebody who lost their password sets
    /// another; its secret was passed in. Gives what the account is called, and when the link ends.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the account is gone, [`StoreError::Unavailable`].
    pub async fn create_reset_link(
        &self,
        candidate: &Candidate,
        secret: &TokenSecret,
        origin: Origin,
    ) -> Result<(String, Timestamp), StoreError> {
        let (account, user) = (candidate.account, candidate.user);
        let (write, by) = (self.write().await?, PrincipalId::System(SystemTask::Messenger));
        let mut tx = Tx::over(self, write, account, by, origin);
        let called = account::Entity::find_by_id(account.get()).one(tx.db()).await;
        let called = called.map_err(StoreError::db)?.ok_or(StoreError::NotFound)?.name;
        let whose = (account, user);
        let end = sign_in_links::insert(&tx, self.keyring(), whose, secret, RESET_SECONDS).await?;
        let said = json!({ "expires_at": end });
        tx.record("password.reset_asked", format!("user:{user}"), None, None, Some(said)).await?;
        tx.commit().await?;
        Ok((called, end))
    }

    /// Whether a second factor is asked of whoever proved who they are.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn wants_second_factor(&self, proven: &Proven) -> Result<bool, StoreError> {
        second_factors::is_on(self.reader(), proven.account, proven.user).await
    }

    /// Takes a code of their second factor, or one for when that is lost, once: the proof that opens
    /// a session, or the one that was passed in if the code is wrong.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn prove_second_factor(
        &self,
        proven: Proven,
        code: &str,
        origin: Origin,
    ) -> Result<Result<Proven, Proven>, StoreError> {
        let (write, by) = (self.write().await?, PrincipalId::User(proven.user));
        let mut tx = Tx::over(self, write, proven.account, by, origin);
        if !second_factors::take(self, &mut tx, proven.user, code).await? {
            return Ok(Err(proven));
        }
        let object = format!("user:{}", proven.user);
        tx.record("second_factor.used", object, None, None, None).await?;
        tx.commit().await?;
        Ok(Ok(Proven { second: true, ..proven }))
    }

    /// Opens a session, whose secret was passed in, for whoever proved who they are.
    ///
    /// # Errors
    /// [`StoreError::AddressRefused`], [`StoreError::NotFound`] if they have left the account
    /// meanwhile, or have a second factor that was not proved; [`StoreError::Unavailable`].
    pub async fn open_session(
        &self,
        proven: Proven,
        secret: &SessionSecret,
        origin: Origin,
    ) -> Result<(), StoreError> {
        let Proven { account, user, second } = proven;
        let write = self.write().await?;
        let mut tx = Tx::over(self, write, account, PrincipalId::User(user), origin.clone());
        let there = crate::memberships::of(account)
            .filter(membership::Column::UserId.eq(user.get()))
            .filter(membership::Column::State.eq(ACTIVE));
        there.one(tx.db()).await.map_err(StoreError::db)?.ok_or(StoreError::NotFound)?;
        if !second && second_factors::is_on(tx.db(), account, user).await? {
            return Err(StoreError::NotFound);
        }
        let key = self.keyring().digest_key();
        let now = tx.now();
        let row = session::ActiveModel {
            account_id: Set(account.get()),
            user_id: Set(user.get()),
            digest_key_id: Set(key.id().into()),
            digest: Set(secret.digest(key).as_bytes().to_vec()),
            created_at: Set(now.micros()),
            seen_at: Set(now.micros()),
            expires_at: Set(now.plus_seconds(LIFETIME_SECONDS).micros()),
            ..Default::default()
        };
        let row = session::Entity::insert(row).exec_with_returning(tx.db()).await;
        let id = row.map_err(StoreError::db)?.id;
        tx.record("session.opened", format!("session:{id}"), None, None, None).await?;
        tx.commit().await?;
        // What the account's rules do not admit does not stay open.
        match self.session_from(secret, &origin).await {
            Err(refused) => {
                end(self, Condition::all().add(session::Column::Id.eq(id))).await?;
                Err(refused)
            }
            Ok(_) => Ok(()),
        }
    }

    /// Whose session it is, with what they hold now, in one statement; `None` if there is none, or
    /// it has ended. It notes the use, at most once a minute.
    ///
    /// # Errors
    /// [`StoreError::AddressRefused`], [`StoreError::Unavailable`].
    pub async fn session_from(
        &self,
        secret: &SessionSecret,
        origin: &Origin,
    ) -> Result<Option<LiveSession>, StoreError> {
        let rows = self.session_rows(secret).await?;
        let now = self.clock().now();
        let Some(first) = rows.first() else { return Ok(None) };
        let known = self.known(&rows, first)?;
        let Some(principal) = self.admitted(known, origin).await? else { return Ok(None) };
        if now.seconds_since(time(first.seen_at)?) >= NOTED_EVERY_SECONDS {
            self.note_session(first.id, now).await?;
        }
        let name = format!("{} {}", first.first_name, first.last_name).trim().to_owned();
        Ok(Some(LiveSession {
            principal,
            user_name: if name.is_empty() { first.email.clone() } else { name },
            email: first.email.clone(),
            account_name: first.name.clone(),
            since: time(first.created_at)?,
        }))
    }

    /// Who a session is of, while an answer to it goes on; no use of it is noted. `None` once it has
    /// ended.
    ///
    /// # Errors
    /// [`StoreError::AddressRefused`], [`StoreError::Unavailable`].
    pub async fn session_anew(
        &self,
        secret: &SessionSecret,
        origin: &Origin,
    ) -> Result<Option<Arc<Principal>>, StoreError> {
        let rows = self.session_rows(secret).await?;
        let known = rows.first().map(|first| self.known(&rows, first)).transpose()?.flatten();
        self.admitted(known, origin).await
    }

    /// Who a session is of, if it goes on.
    fn known(&self, rows: &[Row], first: &Row) -> Result<Option<Known>, StoreError> {
        let (seen_at, expires_at) = (time(first.seen_at)?, time(first.expires_at)?);
        if !goes_on(self.clock().now(), seen_at, expires_at) {
            return Ok(None);
        }
        let rules = first.ip_rules_enabled.then_some(first.ip_rules_revision);
        let principal = Arc::new(principal(rows, first)?);
        Ok(Some(Known { principal, rules, ends_at: None, is_replaced: false }))
    }

    async fn session_rows(&self, secret: &SessionSecret) -> Result<Vec<Row>, StoreError> {
        use session::{Column, Entity, Relation};

        // A user's groups in other accounts give nothing here.
        let of_this_account = group_member::Relation::Permissions.def().on_condition(|_, right| {
            Expr::col((right, group_permission::Column::AccountId))
                .equals((Entity, Column::AccountId))
                .into_condition()
        });
        let digest = self.keyring().digest_keys().fold(Condition::any(), |any, key| {
            let digest = Column::Digest.eq(secret.digest(key).as_bytes().to_vec());
            any.add(digest.and(Column::DigestKeyId.eq(i64::from(key.id()))))
        });
        Entity::find()
            .select_only()
            .columns([Column::Id, Column::AccountId, Column::UserId])
            .columns([Column::CreatedAt, Column::SeenAt, Column::ExpiresAt])
            .columns([membership::Column::License, membership::Column::Revision])
            .columns([membership::Column::FirstName, membership::Column::LastName])
            .column(user::Column::Email)
            .columns([account::Column::Name, account::Column::Plan])
            .columns([account::Column::TokensMayMint])
            .columns([account::Column::IpRulesEnabled, account::Column::IpRulesRevision])
            .columns([
                group_permission::Column::PermissionSet,
                group_permission::Column::ProjectId,
                group_permission::Column::Categories,
            ])
            .join(JoinType::InnerJoin, Relation::Membership.def())
            .join(JoinType::InnerJoin, Relation::User.def())
            .join(JoinType::InnerJoin, Relation::Account.def())
            .join(JoinType::LeftJoin, Relation::InGroups.def())
            .join(JoinType::LeftJoin, of_this_account)
            .filter(digest)
            .filter(Column::EndedAt.is_null())
            .filter(membership::Column::State.eq(ACTIVE))
            .order_by_asc(group_permission::Column::Id)
            .into_model()
            .all(self.reader())
            .await
            .map_err(StoreError::db)
    }

    async fn note_session(&self, id: i64, now: Timestamp) -> Result<(), StoreError> {
        let (_turn, db) = self.write().await?;
        session::Entity::update_many()
            .col_expr(session::Column::SeenAt, Expr::value(now.micros()))
            .filter(session::Column::Id.eq(id))
            .filter(session::Column::SeenAt.lt(now.micros()))
            .exec(&db)
            .await
            .map_err(StoreError::db)?;
        db.commit().await.map_err(StoreError::db)
    }
}

impl password::Model {
    pub(crate) fn into_domain(self) -> Result<Candidate, StoreError> {
        Ok(Candidate {
            account: AccountId::new(self.account_id).map_err(StoreError::corrupt)?,
            user: UserId::new(self.user_id).map_err(StoreError::corrupt)?,
            hash: PasswordHash::parse(&self.hash).map_err(StoreError::corrupt)?,
        })
    }
}

fn principal(rows: &[Row], first: &Row) -> Result<Principal, StoreError> {
    let id = SessionId::new(first.id).map_err(StoreError::corrupt)?;
    let user = UserId::new(first.user_id).map_err(StoreError::corrupt)?;
    let license = first.license.parse().map_err(StoreError::corrupt)?;
    let terms = terms(first.account_id, &first.plan, first.tokens_may_mint)?;
    let credential = Credential::Session { id, revision: first.revision };
    let grants =
        grants(rows.iter().map(|row| {
            (row.permission_set.as_deref(), row.project_id, row.categories.as_deref())
        }))?;
    Ok(Principal::user(user, credential, terms, license, grants))
}

/// Ends sessions outside of any other change.
async fn end(store: &Store, which: Condition) -> Result<(), StoreError> {
    let (_turn, db) = store.write().await?;
    end_in(&db, store.clock().now(), which).await?;
    db.commit().await.map_err(StoreError::db)
}

/// Ends sessions that go on; gives how many.
pub(crate) async fn end_in(
    db: &impl ConnectionTrait,
    now: Timestamp,
    which: Condition,
) -> Result<u64, StoreError> {
    let ended = session::Entity::update_many()
        .col_expr(session::Column::EndedAt, Expr::value(now.micros()))
        .filter(session::Column::EndedAt.is_null())
        .filter(which)
        .exec(db)
        .await;
    ended.map(|ended| ended.rows_affected).map_err(StoreError::db)
}

/// The sessions of a user in an account.
pub(crate) fn of(account: AccountId, user: UserId) -> Condition {
    Condition::all()
        .add(session::Column::AccountId.eq(account.get()))
        .add(session::Column::UserId.eq(user.get()))
}

/// Sets a password, and ends the sessions that were opened with the one before.
pub(crate) async fn set_password(
    tx: &mut Tx,
    user: UserId,
    hash: &PasswordHash,
    keep: Option<SessionId>,
) -> Result<(), StoreError> {
    let row = password::ActiveModel {
        account_id: Set(tx.account().get()),
        user_id: Set(user.get()),
        hash: Set(hash.as_str().to_owned()),
        changed_at: Set(tx.now().micros()),
    };
    let mut instead = OnConflict::columns([password::Column::AccountId, password::Column::UserId]);
    instead.update_columns([password::Column::Hash, password::Column::ChangedAt]);
    password::Entity::insert(row)
        .on_conflict(instead)
        .exec_without_returning(tx.db())
        .await
        .map_err(StoreError::db)?;
    let others = keep.map(|keep| session::Column::Id.ne(keep.get()));
    let ended = of(tx.account(), user).add_option(others);
    let ended = end_in(tx.db(), tx.now(), ended).await?;
    let said = json!({ "sessions_ended": ended });
    tx.record("password.set", format!("user:{user}"), None, None, Some(said)).await
}

/// What opens the console for a user who leaves the account is gone.
pub(crate) async fn forget(tx: &Tx, user: UserId) -> Result<(), StoreError> {
    end_in(tx.db(), tx.now(), of(tx.account(), user)).await?;
    second_factors::forget(tx, user).await?;
    password::Entity::delete_by_id((tx.account().get(), user.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    sign_in_link::Entity::delete_many()
        .filter(sign_in_link::Column::AccountId.eq(tx.account().get()))
        .filter(sign_in_link::Column::UserId.eq(user.get()))
        .exec(tx.db())
        .await
        .map(drop)
        .map_err(StoreError::db)
}
