//! Secret → principal: one of the files without permits.

use std::sync::Arc;

use domain::{
    AccountId, AccountPlan, PersonalTokenId, ServiceTokenId, Timestamp, TokenCredentialId, UserId,
    authz::{
        AccountTerms, Caller, Credential, Grant, Identity, Origin, Permit, Principal, PrincipalId,
        Read, Restrictions, ServiceTokens, SystemTask, Write, authorize,
    },
    git_hook::GitHook,
    kept::Hidden,
    leak::Leak,
    secret::{TokenKind, TokenSecret},
    token_credential::Life,
    webhook::GitHookKey,
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, RelationTrait as _,
    sea_query::{Expr, ExprTrait as _, IntoCondition as _},
};

use crate::{
    Keyring, Store, StoreError,
    canary_uses::{self, Canary},
    entities::{
        account, group_member, group_permission, maybe_time, membership, personal_token,
        service_token, service_token_credential,
        service_token_permission::{self, grant},
        service_token_restriction, time,
    },
    git_hooks, last_used,
    leaks::{self, Found, FoundToken},
    old_secret_uses::OldSecret,
    outbox,
    principals::Known,
    rows::{ACTIVE, from_text, only},
    token_rotations,
};

/// A credential of a service token and the token's row, beside one of its permission rows.
#[derive(FromQueryResult)]
struct ServiceRow {
    id: i64,
    revision: i64,
    credential_id: i64,
    created_at: i64,
    expires_at: Option<i64>,
    retires_at: Option<i64>,
    ended_at: Option<i64>,
    account_id: i64,
    plan: String,
    tokens_may_mint: bool,
    ip_rules_enabled: bool,
    ip_rules_revision: i64,
    is_canary: bool,
    permission_set: Option<String>,
    project_id: Option<i64>,
    categories: Option<String>,
    restrictions: Option<String>,
}

/// A personal token's row, beside one permission row of one of its user's groups.
#[derive(FromQueryResult)]
struct PersonalRow {
    id: i64,
    expires_at: Option<i64>,
    user_id: i64,
    license: String,
    revision: i64,
    account_id: i64,
    plan: String,
    tokens_may_mint: bool,
    ip_rules_enabled: bool,
    ip_rules_revision: i64,
    permission_set: Option<String>,
    project_id: Option<i64>,
    categories: Option<String>,
}

impl Store {
    /// Who the secret belongs to, with what it holds now, in one statement, or none if it was asked
    /// for a moment ago (`principals.rs`); `None` if it is unknown, expired, revoked or imported,
    /// or its account or user is gone.
    ///
    /// For this process itself: it asks no IP restriction. A face calls
    /// [`Store::authenticate_from`]. Notes the use in memory; [`Store::flush_last_used`] writes it
    /// down.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn authenticate(
        &self,
        secret: &TokenSecret,
    ) -> Result<Option<Arc<Principal>>, StoreError> {
        let origin = Origin::local();
        let found = self.find_principal(secret, &origin).await?;
        Ok(found.map(|known| self.note_use(known, &origin)))
    }

    /// [`Store::authenticate`] for a caller from elsewhere, held to the account's IP restrictions
    /// as they are now. They are read again only after they changed.
    ///
    /// # Errors
    /// [`StoreError::AddressRefused`], [`StoreError::Unavailable`].
    pub async fn authenticate_from(
        &self,
        secret: &TokenSecret,
        origin: &Origin,
    ) -> Result<Option<Arc<Principal>>, StoreError> {
        let found = self.find_principal(secret, origin).await?;
        self.admitted(found, origin).await
    }

    /// Holds a principal to its account's IP restrictions, and notes the use.
    pub(crate) async fn admitted(
        &self,
        found: Option<Known>,
        origin: &Origin,
    ) -> Result<Option<Arc<Principal>>, StoreError> {
        let address = origin.address;
        let Some(known) = found else { return Ok(None) };
        let (principal, account) = (&known.principal, known.principal.account());
        if let Some(revision) = known.rules
            && !self.admits(account, revision, address).await?
        {
            let user = match principal.id() {
                PrincipalId::User(user) => Some(user),
                PrincipalId::ServiceToken(_) | PrincipalId::System(_) => None,
            };
            tracing::warn!(%account, caller = %principal.id(), ?address, "address refused");
            return Err(StoreError::AddressRefused { account, user });
        }
        if !principal.restrictions().admit(address) {
            tracing::warn!(%account, caller = %principal.id(), ?address, "address refused");
            return Err(StoreError::AddressRestricted);
        }
        Ok(Some(self.note_use(known, origin)))
    }

    /// [`Store::authenticate_from`] with what the secret holds in the database now, remembered by
    /// nobody: for an answer that goes on while rights may change, also by another process.
    ///
    /// # Errors
    /// [`StoreError::AddressRefused`], [`StoreError::Unavailable`].
    pub async fn authenticate_anew(
        &self,
        secret: &TokenSecret,
        origin: &Origin,
    ) -> Result<Option<Arc<Principal>>, StoreError> {
        let read = self.read_principal(secret, origin).await?;
        self.admitted(read, origin).await
    }

    /// Who the secret belongs to, remembered or read.
    async fn find_principal(
        &self,
        secret: &TokenSecret,
        origin: &Origin,
    ) -> Result<Option<Known>, StoreError> {
        let (now, principals) = (self.clock().now(), self.principals());
        let digest = secret.digest(self.keyring().digest_key());
        if let Some(known) = principals.get(&digest, now) {
            return Ok(Some(known));
        }
        let changes = principals.changes();
        let read = self.read_principal(secret, origin).await?;
        if let Some(known) = &read {
            principals.put(digest, known.clone(), changes);
        }
        Ok(read)
    }

    async fn read_principal(
        &self,
        secret: &TokenSecret,
        origin: &Origin,
    ) -> Result<Option<Known>, StoreError> {
        let now = self.clock().now();
        match secret.kind() {
            TokenKind::Service => self.service_principal(secret, origin, now).await,
            TokenKind::Personal => self.personal_principal(secret, now).await,
            TokenKind::Invitation => Ok(None),
        }
    }

    fn note_use(&self, known: Known, origin: &Origin) -> Arc<Principal> {
        let (principal, now) = (known.principal, self.clock().now());
        match principal.credential() {
            Credential::ServiceToken { id, presented: Some(presented), .. } => {
                self.last_used().service(id, presented, now, origin);
                if known.is_replaced {
                    let account = principal.account();
                    let secret = OldSecret { account, token: id, credential: presented };
                    self.last_used().old_secrets.note(secret, now, origin, false);
                }
            }
            Credential::PersonalToken { id, .. } => self.last_used().personal(id, now),
            Credential::ServiceToken { presented: None, .. }
            | Credential::Session { .. }
            | Credential::Process => {}
        }
        principal
    }

    /// Counts what was decided about a request, if a service token sent it; `answered` is whether it
    /// got what it asked for. In memory; [`Store::flush_last_used`] writes it down.
    pub fn note_decisions(&self, caller: &Caller, answered: bool) {
        if let Credential::ServiceToken { id, presented: Some(_), .. } =
            caller.principal().credential()
        {
            let (now, decisions) = (self.clock().now(), caller.decisions(answered));
            self.last_used().uses.note(id, now, caller.origin(), &decisions);
        }
    }

    async fn service_principal(
        &self,
        secret: &TokenSecret,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Option<Known>, StoreError> {
        use service_token::Relation;
        use service_token_credential as credential;
        use service_token_permission as permission;

        let rows: Vec<ServiceRow> = credential::Entity::find()
            .select_only()
            .columns([service_token::Column::Id, service_token::Column::Revision])
            .column_as(credential::Column::Id, "credential_id")
            .columns([credential::Column::CreatedAt, credential::Column::ExpiresAt])
            .columns([credential::Column::RetiresAt, credential::Column::EndedAt])
            .columns([service_token::Column::AccountId, service_token::Column::IsCanary])
            .columns([account::Column::Plan, account::Column::TokensMayMint])
            .columns([account::Column::IpRulesEnabled, account::Column::IpRulesRevision])
            .columns([
                permission::Column::PermissionSet,
                permission::Column::ProjectId,
                permission::Column::Categories,
            ])
            .column(service_token_restriction::Column::Restrictions)
            .join(JoinType::InnerJoin, credential::Relation::Token.def())
            .join(JoinType::InnerJoin, Relation::Account.def())
            .join(JoinType::LeftJoin, Relation::Permission.def())
            .join(JoinType::LeftJoin, Relation::Restriction.def())
            .filter(digest_of(
                self.keyring(),
                secret,
                credential::Column::DigestKeyId,
                credential::Column::Digest,
            ))
            .filter(service_token::Column::State.eq(service_token::ACTIVE))
            .order_by_asc(permission::Column::Id)
            .into_model()
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;

        let Some(first) = rows.first() else { return Ok(None) };
        let presented = TokenCredentialId::new(first.credential_id).map_err(StoreError::corrupt)?;
        let id = ServiceTokenId::new(first.id).map_err(StoreError::corrupt)?;
        let (life, is_replaced) = (first.life()?, first.retires_at.is_some());
        if !self.is_open(presented, life, now) {
            if is_replaced {
                let account = AccountId::new(first.account_id).map_err(StoreError::corrupt)?;
                let secret = OldSecret { account, token: id, credential: presented };
                self.last_used().old_secrets.note(secret, now, origin, true);
            }
            return Ok(None);
        }
        if first.is_canary {
            let account = AccountId::new(first.account_id).map_err(StoreError::corrupt)?;
            self.last_used().canaries.note(Canary { account, token: id }, origin);
            return Ok(None);
        }
        let terms = terms(first.account_id, &first.plan, first.tokens_may_mint)?;
        let revision = first.revision;
        let grants = grants(rows.iter().map(|row| {
            (row.permission_set.as_deref(), row.project_id, row.categories.as_deref())
        }))?;
        let rules = first.ip_rules_enabled.then_some(first.ip_rules_revision);
        let restrictions = restrictions(first.restrictions.as_deref())?;
        let principal = Principal::service_token(id, revision, terms, grants);
        let principal = Arc::new(principal.presenting(presented).restricted(restrictions));
        Ok(Some(Known { principal, rules, ends_at: life.ends_at(), is_replaced }))
    }

    /// Judges a credential by the clock. One whose end has come is noted, and stays refused.
    fn is_open(&self, credential: TokenCredentialId, life: Life, now: Timestamp) -> bool {
        if life.is_over(now) {
            if life.ended_at.is_none() {
                self.last_used().over(credential);
            }
            return false;
        }
        life.is_open(now) && !self.last_used().is_over(credential)
    }

    async fn personal_principal(
        &self,
        secret: &TokenSecret,
        now: Timestamp,
    ) -> Result<Option<Known>, StoreError> {
        use personal_token::{Column, Entity, Relation};

        // A user's groups in other accounts give nothing here.
        let of_this_account = group_member::Relation::Permissions.def().on_condition(|_, right| {
            Expr::col((right, group_permission::Column::AccountId))
                .equals((Entity, Column::AccountId))
                .into_condition()
        });
        let rows: Vec<PersonalRow> = Entity::find()
            .select_only()
            .columns([Column::Id, Column::ExpiresAt, Column::UserId, Column::AccountId])
            .columns([membership::Column::License, membership::Column::Revision])
            .columns([account::Column::Plan, account::Column::TokensMayMint])
            .columns([account::Column::IpRulesEnabled, account::Column::IpRulesRevision])
            .columns([
                group_permission::Column::PermissionSet,
                group_permission::Column::ProjectId,
                group_permission::Column::Categories,
            ])
            .join(JoinType::InnerJoin, Relation::Membership.def())
            .join(JoinType::InnerJoin, Relation::Account.def())
            .join(JoinType::LeftJoin, Relation::InGroups.def())
            .join(JoinType::LeftJoin, of_this_account)
            .filter(digest_of(self.keyring(), secret, Column::DigestKeyId, Column::Digest))
            .filter(membership::Column::State.eq(ACTIVE))
            .filter(Column::RevokedAt.is_null())
            .order_by_asc(group_permission::Column::Id)
            .into_model()
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;

        let Some(first) = rows.first() else { return Ok(None) };
        let ends_at = maybe_time(first.expires_at)?;
        if ends_at.is_some_and(|end| end <= now) {
            return Ok(None);
        }
        let id = PersonalTokenId::new(first.id).map_err(StoreError::corrupt)?;
        let user = UserId::new(first.user_id).map_err(StoreError::corrupt)?;
        let license = first.license.parse().map_err(StoreError::corrupt)?;
        let terms = terms(first.account_id, &first.plan, first.tokens_may_mint)?;
        let credential = Credential::PersonalToken { id, revision: first.revision };
        let grants = grants(rows.iter().map(|row| {
            (row.permission_set.as_deref(), row.project_id, row.categories.as_deref())
        }))?;
        let rules = first.ip_rules_enabled.then_some(first.ip_rules_revision);
        let principal = Arc::new(Principal::user(user, credential, terms, license, grants));
        Ok(Some(Known { principal, rules, ends_at, is_replaced: false }))
    }

    /// One principal for each account, for one of Narrowgate's own tasks.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn system_principals(
        &self,
        task: SystemTask,
    ) -> Result<Vec<Arc<Principal>>, StoreError> {
        let accounts = account::Entity::find()
            .order_by_asc(account::Column::Id)
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        accounts
            .into_iter()
            .map(|row| Ok(Arc::new(Principal::system(task, row.into_domain()?.terms()))))
            .collect()
    }

    /// The messenger in each account that has something to send now, in one statement.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn messengers(&self) -> Result<Vec<Arc<Principal>>, StoreError> {
        let accounts = account::Entity::find()
            .filter(account::Column::Id.in_subquery(outbox::due_accounts(self.clock().now())))
            .order_by_asc(account::Column::Id)
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        let messenger = |row: account::Model| {
            Ok(Arc::new(Principal::system(SystemTask::Messenger, row.into_domain()?.terms())))
        };
        accounts.into_iter().map(messenger).collect()
    }

    /// The hook with this key, and the git host as it acts there, if `proved` says so of the
    /// hook's secret; `None` if not. It is asked without one where there is no such hook.
    ///
    /// # Errors
    /// [`StoreError::AddressRefused`] by the IP restrictions of the hook's account,
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn git_host(
        &self,
        key: &GitHookKey,
        origin: &Origin,
        proved: impl FnOnce(Option<&Hidden>) -> bool + Send,
    ) -> Result<Option<(GitHook, Arc<Principal>)>, StoreError> {
        let found = git_hooks::with_secret(self, key).await?;
        let proved = proved(found.as_ref().map(|(_, secret)| secret));
        let Some((hook, _)) = found.filter(|_| proved) else { return Ok(None) };
        let account = account::Entity::find_by_id(hook.account.get()).one(self.reader()).await;
        let Some(account) = account.map_err(StoreError::db)? else { return Ok(None) };
        let rules = account.ip_rules_enabled.then_some(account.ip_rules_revision);
        let terms = account.into_domain()?.terms();
        let principal = Arc::new(Principal::system(SystemTask::GitHost, terms));
        let known = Known { principal, rules, ends_at: None, is_replaced: false };
        let admitted = self.admitted(Some(known), origin).await?;
        Ok(admitted.map(|principal| (hook, principal)))
    }

    /// Writes down when tokens were last used, in one statement for each table, never moving a time
    /// back; then tells of canaries that were used. The server calls it every 10 s.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; what was noted is kept for the next time.
    pub async fn flush_last_used(&self) -> Result<(), StoreError> {
        self.write_last_used().await?;
        self.tell_of_canaries().await
    }

    async fn write_last_used(&self) -> Result<(), StoreError> {
        let Some(noted) = self.last_used().take() else { return Ok(()) };
        let written = async {
            let (_turn, db) = self.write().await?;
            last_used::write(&db, self.keyring(), &noted, self.clock().now()).await?;
            db.commit().await.map_err(StoreError::db)
        };
        match written.await {
            Ok(()) => self.last_used().written(&noted),
            Err(error) => {
                self.last_used().put_back(noted);
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Store {
    /// Gives up the secret that is presented, for whoever holds it, from wherever: its use is not
    /// noted. Nothing is done, and nothing said, where it opens nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn revoke_presented(
        &self,
        secret: &TokenSecret,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        let Some(known) = self.read_principal(secret, origin).await? else { return Ok(()) };
        let account = known.principal.account();
        let caller = Arc::new(Caller::new(known.principal, origin.clone()));
        let permit: Permit<Read, Identity> = authorize(&caller, account)?;
        match self.give_up(&permit).await {
            // Somebody else ended it meanwhile.
            Err(StoreError::CredentialChanged | StoreError::NotFound) => Ok(()),
            given_up => given_up,
        }
    }

    /// Ends those of these secrets that are ours: whoever reports one that leaked holds it. Gives
    /// which were. Look-ups take two statements, however many there are; no use is noted. A canary's
    /// stays, is told as used, and counts as unknown.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; what was ended before it stays so.
    pub async fn end_leaked(
        &self,
        leaks: &[(Option<&TokenSecret>, &Leak)],
        origin: &Origin,
    ) -> Result<Vec<bool>, StoreError> {
        let secrets: Vec<_> = leaks.iter().map(|(secret, _)| *secret).collect();
        let mut ended = Vec::with_capacity(leaks.len());
        for (found, (_, leak)) in leaks::find(self, &secrets).await?.into_iter().zip(leaks) {
            let is_ours = match found {
                None => false,
                Some(Found {
                    account,
                    what: FoundToken::Service { token, is_canary: true, .. },
                }) => {
                    self.last_used().canaries.note(Canary { account, token }, origin);
                    false
                }
                Some(Found { account, what }) => {
                    let permit = self.watcher(account, origin).await?;
                    self.end_leaked_token(&permit, what, leak).await?;
                    true
                }
            };
            ended.push(is_ours);
        }
        Ok(ended)
    }

    /// Tells of canaries that were used.
    async fn tell_of_canaries(&self) -> Result<(), StoreError> {
        let now = self.clock().now();
        for used in self.last_used().canaries.due(now) {
            let (address, agent) = (used.address, used.agent.clone());
            let origin = Origin { address, agent, request_id: String::new() };
            let permit = self.watcher(used.canary.account, &origin).await?;
            canary_uses::tell(self, &permit, &used).await?;
            self.last_used().canaries.told(&used, now);
        }
        Ok(())
    }

    /// What the watcher may do in an account.
    async fn watcher(
        &self,
        account: AccountId,
        origin: &Origin,
    ) -> Result<Permit<Write, ServiceTokens>, StoreError> {
        let row = only(account::Entity::find_by_id(account.get()), self.reader()).await?;
        let watcher = Principal::system(SystemTask::Watcher, row.into_domain()?.terms());
        let caller = Arc::new(Caller::new(Arc::new(watcher), origin.clone()));
        Ok(authorize(&caller, account)?)
    }

    /// Wipes the secrets of answers that are given again to nobody. The server calls it every
    /// minute.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_answers(&self) -> Result<(), StoreError> {
        let (_turn, db) = self.write().await?;
        token_rotations::forget_answers(&db, self.clock().now()).await?;
        db.commit().await.map_err(StoreError::db)
    }
}

impl ServiceRow {
    fn life(&self) -> Result<Life, StoreError> {
        Ok(Life {
            created_at: time(self.created_at)?,
            expires_at: maybe_time(self.expires_at)?,
            retires_at: maybe_time(self.retires_at)?,
            ended_at: maybe_time(self.ended_at)?,
        })
    }
}

/// The condition that a row holds the secret's digest under one of the keys.
pub(crate) fn digest_of<C: ColumnTrait>(
    keyring: &Keyring,
    secret: &TokenSecret,
    key_id: C,
    digest: C,
) -> Condition {
    keyring.digest_keys().fold(Condition::any(), |any, key| {
        let digest = digest.eq(secret.digest(key).as_bytes().to_vec());
        any.add(digest.and(key_id.eq(i64::from(key.id()))))
    })
}

pub(crate) fn terms(
    account: i64,
    plan: &str,
    tokens_may_mint: bool,
) -> Result<AccountTerms, StoreError> {
    let id = AccountId::new(account).map_err(StoreError::corrupt)?;
    Ok(AccountTerms { id, plan: AccountPlan::new(plan).tier(), tokens_may_mint })
}

/// What a token is held to. What cannot be read opens nothing: no request of it is answered.
fn restrictions(text: Option<&str>) -> Result<Restrictions, StoreError> {
    text.map_or_else(|| Ok(Restrictions::default()), from_text)
}

/// The grants of joined rows; a row without one is what a left join gives where there is none.
pub(crate) fn grants<'a>(
    rows: impl Iterator<Item = (Option<&'a str>, Option<i64>, Option<&'a str>)>,
) -> Result<Vec<Grant>, StoreError> {
    rows.filter_map(|(set, project, categories)| {
        set.map(|set| grant(set, project, categories.unwrap_or_default()))
    })
    .collect()
}
