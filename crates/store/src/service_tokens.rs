//! Service tokens and their permission rows.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Store, StoreError,
    entities::{
        service_token::{ACTIVE, ActiveModel, Column, DISABLED, Entity, IMPORTED, REVOKED},
        service_token_credential, service_token_permission as permission,
        service_token_restriction,
    },
    grant_rows::{GrantKey, check_no_row_twice, check_projects, keys},
    kept,
    list::{Collection, Field, Kind, State},
    responsible, token_credentials, token_news, token_policies, token_proposals,
    token_restrictions, token_uses,
    tx::Tx,
    uid::new_uid,
};
use domain::{
    AccountId, Name, ProjectId, ServiceTokenId, Timestamp, TokenCredentialId, UserId,
    authz::{
        Credential, Grant, Identity, Permit, PrincipalId, Read, Restrictions, ServiceTokens,
        SystemTask, Write, contained_under,
    },
    event::Event,
    kept::Reference,
    list::{ListQuery, Paged, StateFilter, Test},
    secret::TokenSecret,
    service_token::ServiceToken,
    token_credential::TokenCredential,
    token_policy::{End, TokenPolicy},
    token_report::TokenNews,
    token_use::{Days, InvalidDays},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    Select, UpdateMany,
    sea_query::{Expr, ExprTrait as _},
};
use serde_json::{Value, json};

/// What a service token is made of.
#[derive(Debug, Clone)]
pub struct NewServiceToken {
    /// Its name.
    pub name: Name,
    /// What it may do; may be empty.
    pub grants: Vec<Grant>,
    /// When it ends; `None` leaves that to the account's policy.
    pub end: Option<End>,
}

/// What of a service token can be changed while its secret stays; `None` keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenChange {
    /// Its name.
    pub name: Option<Name>,
    /// When it ends.
    pub end: Option<End>,
    /// Whether it authorises nothing for now.
    pub disabled: Option<bool>,
    /// Who answers for it.
    pub responsible: Option<UserId>,
}

/// The metadata of a token that was made elsewhere. It has no secret until it is rotated.
#[derive(Debug, Clone)]
pub struct ImportedToken {
    /// Its name.
    pub name: Name,
    /// What it may do.
    pub grants: Vec<Grant>,
    /// When it was made, elsewhere.
    pub created_at: Timestamp,
    /// When it was last used, elsewhere.
    pub last_used: Option<Timestamp>,
}

static COLLECTION: Collection<Column> = Collection {
    id: Column::Id,
    fields: &[
        Field { name: "uid", column: Column::Uid, kind: Kind::Text },
        Field { name: "name", column: Column::Name, kind: Kind::Text },
        Field { name: "created_at", column: Column::CreatedAt, kind: Kind::Time },
        Field { name: "updated_at", column: Column::UpdatedAt, kind: Kind::Time },
        Field { name: "last_used", column: Column::LastUsed, kind: Kind::Time },
        Field { name: "responsible_user_id", column: Column::ResponsibleUserId, kind: Kind::Int },
    ],
    state: State { active: || Column::State.ne(REVOKED), default: StateFilter::Active },
};

static ROWS: Collection<permission::Column> = Collection {
    id: permission::Column::Id,
    fields: &[
        Field {
            name: "permission_set",
            column: permission::Column::PermissionSet,
            kind: Kind::Text,
        },
        Field { name: "project_id", column: permission::Column::ProjectId, kind: Kind::Int },
        Field { name: "created_at", column: permission::Column::CreatedAt, kind: Kind::Time },
    ],
    // A row that is taken away is gone.
    state: State { active: || Expr::value(true), default: StateFilter::Active },
};

impl Store {
    /// Service tokens of the permit's account. Revoked ones come with `state` deleted or all; the
    /// filter `unused_for_days` asks for those that nobody used for so long.
    ///
    /// # Errors
    /// [`StoreError::Invalid`], [`StoreError::Unavailable`].
    pub async fn service_tokens(
        &self,
        permit: &Permit<Read, ServiceTokens>,
        query: &ListQuery,
    ) -> Result<Paged<ServiceToken>, StoreError> {
        let mut tokens = of(permit.account());
        if let Some(days) = unused_for(query)? {
            self.flush_last_used().await?;
            tokens = tokens.filter(token_uses::is_unused(days, self.clock().now()));
        }
        let page = self.page(tokens, &COLLECTION, query).await?;
        let mut permissions: BTreeMap<i64, Vec<permission::Model>> = BTreeMap::new();
        let ids = page.rows.iter().map(|row| row.id);
        let rows = permission::Entity::find()
            .filter(permission::Column::ServiceTokenId.is_in(ids))
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        for row in rows {
            permissions.entry(row.service_token_id).or_default().push(row);
        }
        let ids = || page.rows.iter().map(|row| row.id);
        let mut credentials = token_credentials::of(self.reader(), ids()).await?;
        let restrictions = token_restrictions::of_each(self.reader(), ids()).await?;
        let total = page.total;
        let rows = page.rows.into_iter().map(|row| {
            let permissions = permissions.remove(&row.id).unwrap_or_default();
            let credentials = credentials.remove(&row.id).unwrap_or_default();
            let held_to = restrictions.get(&row.id);
            row.into_domain(permissions, credentials, held_to)
        });
        Ok(Paged { rows: rows.collect::<Result<_, _>>()?, total })
    }

    /// One of them; a revoked one is not found.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn service_token(
        &self,
        permit: &Permit<Read, ServiceTokens>,
        id: ServiceTokenId,
    ) -> Result<ServiceToken, StoreError> {
        find(self.reader(), permit.account(), id).await
    }

    /// A token, and which of its permission rows the query asks for, in its order.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Invalid`] (order or filter),
    /// [`StoreError::Unavailable`].
    pub async fn service_token_rows(
        &self,
        permit: &Permit<Read, ServiceTokens>,
        id: ServiceTokenId,
        query: &ListQuery,
    ) -> Result<(ServiceToken, Paged<i64>), StoreError> {
        let token = self.service_token(permit, id).await?;
        let rows = permission::Entity::find()
            .filter(permission::Column::ServiceTokenId.eq(token.id.get()));
        let page = self.page(rows, &ROWS, query).await?;
        Ok((token, page.map(|row| row.id)))
    }

    /// Makes one. Its grants must be offered by the plan, name projects of the account, and be within what the maker holds.
    ///
    /// # Errors
    /// [`StoreError::NotOffered`], [`StoreError::Exceeds`], [`StoreError::Invalid`], [`StoreError::Conflict`] (too many tokens), [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn create_service_token(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        new: NewServiceToken,
        secret: &TokenSecret,
    ) -> Result<ServiceToken, StoreError> {
        let held_to = (Restrictions::default(), false);
        self.create_restricted_token(permit, new, held_to, secret).await
    }

    /// The same, held to restrictions from the start, which have to be no looser than the maker's;
    /// a list of addresses that does not admit the maker's own is refused unless it is forced.
    ///
    /// # Errors
    /// As [`Store::create_service_token`].
    pub async fn create_restricted_token(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        new: NewServiceToken,
        held_to: (Restrictions, bool),
        secret: &TokenSecret,
    ) -> Result<ServiceToken, StoreError> {
        self.create_token_of(permit, new, held_to, None, secret).await
    }

    /// The same, and somebody else than its maker answers for it: a user of the account. Of a token
    /// that a service token makes it is, unless it is said, who answers for that.
    ///
    /// # Errors
    /// As [`Store::create_service_token`].
    pub async fn create_token_of(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        new: NewServiceToken,
        (restrictions, forced): (Restrictions, bool),
        responsible: Option<UserId>,
        secret: &TokenSecret,
    ) -> Result<ServiceToken, StoreError> {
        let mut tx = self.begin(permit).await?;
        check_count(&tx, 1).await?;
        check_grants(&tx, permit, &restrictions, &new.grants).await?;
        let policy = token_policies::of(tx.db(), tx.account()).await?;
        policy.check_granted(&new.grants)?;
        let end = policy.first_end(new.end, &new.grants, tx.now())?;
        let responsible = responsible::of_new(&tx, permit, responsible).await?;
        let row = ActiveModel {
            responsible_user_id: Set(responsible.map(UserId::get)),
            ..active(&tx, &new.name)
        };
        let secret = Some((secret, end));
        let made = insert(&mut tx, row, secret, &new.grants, "service_token.created").await?;
        token_restrictions::insert(&mut tx, permit, made.id, &restrictions, forced).await?;
        tx.commit().await?;
        Ok(ServiceToken { restrictions, ..made })
    }

    /// Makes a canary: it looks like any other, grants nothing, and any use of it is told. It does
    /// not end unless that is said.
    ///
    /// # Errors
    /// As [`Store::create_service_token`].
    pub async fn create_canary(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        (name, end): (Name, Option<End>),
        secret: &TokenSecret,
    ) -> Result<ServiceToken, StoreError> {
        let mut tx = self.begin(permit).await?;
        check_count(&tx, 1).await?;
        let policy = token_policies::of(tx.db(), tx.account()).await?;
        let end = policy.first_end(Some(end.unwrap_or(End::Never)), &[], tx.now())?;
        let row = ActiveModel { is_canary: Set(true), ..active(&tx, &name) };
        let token = insert(&mut tx, row, Some((secret, end)), &[], "service_token.created").await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Changes its name, when it ends, whether it is disabled, or who answers for it; the secret
    /// stays. What gives it more time, or its rights back, has to be within what the maker holds.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Invalid`] (the end is past, or beyond the account's
    /// policy), [`StoreError::Exceeds`], [`StoreError::Conflict`] (it has expired, or was imported
    /// and has no secret), [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn update_service_token(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        id: ServiceTokenId,
        change: TokenChange,
    ) -> Result<ServiceToken, StoreError> {
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account(), id).await?;
        let mut events = Vec::new();
        let end = change.end.filter(|end| *end != before.end());
        if let Some(end) = end {
            prolong_or_shorten(&tx, permit, &before, end).await?;
            events.push("service_token.expiry_changed");
        }
        let disabled = change.disabled.filter(|disabled| *disabled != before.is_disabled());
        if let Some(disabled) = disabled {
            switch(&tx, permit, &before, disabled).await?;
            events.push(if disabled { "service_token.disabled" } else { "service_token.enabled" });
        }
        let responsible = change.responsible.filter(|user| Some(*user) != before.responsible);
        if let Some(user) = responsible {
            responsible::check(&tx, permit, user).await?;
            responsible::set(&tx, id, user).await?;
            events.push("service_token.responsible_changed");
        }
        let name = change.name.as_ref().unwrap_or(&before.name);
        if *name != before.name || events.is_empty() {
            events.push("service_token.renamed");
        }
        let touched = ServiceToken { updated_at: tx.now(), ..before.clone() };
        update(&touched)
            .col_expr(Column::Name, Expr::value(name.as_str()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        let after = find(tx.db(), tx.account(), id).await?;
        for event in events {
            record(&mut tx, event, Some(&before), &after).await?;
        }
        tx.event(Event::GrantsChanged { id }).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Replaces all its grants; the secret stays. A row that is wanted again stays as it is. Where the
    /// account's policy asks for a second person, what widens is proposed instead
    /// ([`Store::propose`]).
    ///
    /// # Errors
    /// As [`Store::create_service_token`], [`StoreError::NotFound`], [`StoreError::NeedsSecond`].
    pub async fn replace_grants(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        id: ServiceTokenId,
        grants: Vec<Grant>,
    ) -> Result<ServiceToken, StoreError> {
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account(), id).await?;
        let event = "service_token.grants_replaced";
        let after = change_grants(&mut tx, permit, &before, &grants, event).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Ends it: it authorises no further request.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn revoke_service_token(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        id: ServiceTokenId,
    ) -> Result<ServiceToken, StoreError> {
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account(), id).await?;
        let after = revoke(&mut tx, before, permit.author()).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Gives up the credential that the permit was given for: it authorises no further request. A
    /// service token is revoked with the last of its secrets that works.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] (one of our own tasks), [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn give_up(&self, permit: &Permit<Read, Identity>) -> Result<(), StoreError> {
        let (id, presented) = match (permit.principal().credential(), permit.author()) {
            (Credential::ServiceToken { id, presented: Some(presented), .. }, _) => (id, presented),
            (Credential::PersonalToken { id, .. }, PrincipalId::User(user)) => {
                return self.revoke_personal_token(&permit.also()?, user, id).await.map(drop);
            }
            _ => return Err(StoreError::NotFound),
        };
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account(), id).await?;
        end_secret(&mut tx, before, presented, permit.author()).await?;
        tx.commit().await
    }

    /// Takes over the metadata of tokens that were made elsewhere, all or none.
    ///
    /// # Errors
    /// As [`Store::create_service_token`].
    pub async fn import_service_tokens(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        tokens: Vec<ImportedToken>,
    ) -> Result<Vec<ServiceToken>, StoreError> {
        if tokens.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.begin(permit).await?;
        check_count(&tx, tokens.len()).await?;
        let mut imported = Vec::with_capacity(tokens.len());
        for token in &tokens {
            check_imported(&tx, permit, &token.grants).await?;
            let row = without_secret(&tx, token);
            let event = "service_token.imported";
            imported.push(insert(&mut tx, row, None, &token.grants, event).await?);
        }
        tx.commit().await?;
        Ok(imported)
    }
}

/// Replaces all grants of a token, if the caller may hand these out, the account's policy lets the
/// token gain what it did not hold, and nobody else has to agree; the event says why.
pub(crate) async fn change_grants(
    tx: &mut Tx,
    permit: &Permit<Write, ServiceTokens>,
    before: &ServiceToken,
    grants: &[Grant],
    event: &str,
) -> Result<ServiceToken, StoreError> {
    check_replaced(tx, permit, before, grants).await?;
    if before.gains_by(grants, permit.principal().terms()) {
        token_proposals::check_alone(tx).await?;
    }
    write_grants(tx, before, grants, event).await
}

/// Whether these can take the place of a token's grants, by who would have it so and by the
/// account's policy.
pub(crate) async fn check_replaced(
    tx: &Tx,
    permit: &Permit<Write, ServiceTokens>,
    before: &ServiceToken,
    grants: &[Grant],
) -> Result<(), StoreError> {
    if before.is_canary && !grants.is_empty() {
        let message =
            format!("service token `{}` is a canary, which is granted nothing", before.id);
        return Err(StoreError::Conflict(message));
    }
    check_grants(tx, permit, &before.restrictions, grants).await?;
    check_gained(tx, before, grants).await
}

/// Writes them in their place; the event says why.
pub(crate) async fn write_grants(
    tx: &mut Tx,
    before: &ServiceToken,
    grants: &[Grant],
    event: &str,
) -> Result<ServiceToken, StoreError> {
    replace_rows(tx, before, grants).await?;
    changed(tx, event, before).await
}

/// Ends one secret of a token, and the token with the last of them that works.
pub(crate) async fn end_secret(
    tx: &mut Tx,
    before: ServiceToken,
    secret: TokenCredentialId,
    author: PrincipalId,
) -> Result<(), StoreError> {
    let mut others = before.credentials.iter().filter(|one| one.id != secret);
    if others.any(|other| other.life.is_open(tx.now())) {
        token_credentials::take_back(tx, secret).await?;
        changed(tx, "service_token.secret_revoked", &before).await.map(drop)
    } else {
        revoke(tx, before, author).await.map(drop)
    }
}

/// Ends a token.
pub(crate) async fn revoke(
    tx: &mut Tx,
    before: ServiceToken,
    author: PrincipalId,
) -> Result<ServiceToken, StoreError> {
    let (id, now) = (before.id, tx.now());
    let after = before.clone().revoke(now, author).map_err(|_| StoreError::NotFound)?;
    update(&after)
        .col_expr(Column::State, Expr::value(REVOKED))
        .col_expr(Column::RevokedAt, Expr::value(now.micros()))
        .col_expr(Column::RevokedBy, Expr::value(author.to_string()))
        .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    token_credentials::take_back_all(tx, &before).await?;
    token_proposals::withdraw_those_about(tx, id).await?;
    kept::let_go(tx, Reference::ServiceToken(id)).await?;
    record(tx, "service_token.revoked", Some(&before), &after).await?;
    tx.event(Event::ServiceTokenRevoked { id }).await?;
    Ok(after)
}

/// Takes a project out of every service token's grants. A token that named only this project is
/// left with nothing there, never with more.
pub(crate) async fn drop_grants_on(tx: &mut Tx, project: ProjectId) -> Result<(), StoreError> {
    let rows = permission::Entity::find()
        .filter(permission::Column::ProjectId.eq(project.get()))
        .all(tx.db())
        .await
        .map_err(StoreError::db)?;
    let holders: BTreeSet<i64> = rows.into_iter().map(|row| row.service_token_id).collect();
    let mut before = Vec::new();
    for id in holders {
        let id = ServiceTokenId::new(id).map_err(StoreError::corrupt)?;
        // A revoked token has nothing to lose: its rows go without a record.
        match find(tx.db(), tx.account(), id).await {
            Ok(token) => before.push(token),
            Err(StoreError::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    permission::Entity::delete_many()
        .filter(permission::Column::ProjectId.eq(project.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    for token in before {
        changed(tx, "service_token.project_deleted", &token).await?;
    }
    Ok(())
}

/// The tokens of an account, revoked ones included.
fn of(account: AccountId) -> Select<Entity> {
    Entity::find().filter(Column::AccountId.eq(account.get()))
}

/// For how many days nobody is to have used what is asked for.
fn unused_for(query: &ListQuery) -> Result<Option<Days>, StoreError> {
    const FIELD: &str = "unused_for_days";
    let invalid = || StoreError::Invalid { field: FIELD, message: InvalidDays.to_string() };
    let Some(filter) = query.filters.iter().find(|filter| filter.field == FIELD) else {
        return Ok(None);
    };
    let Test::Is(days) = &filter.test else { return Err(invalid()) };
    days.parse().map(Some).map_err(|_| invalid())
}

/// A token that is not revoked, with its permission rows, its credentials and what it is held to, in
/// one statement.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    account: AccountId,
    id: ServiceTokenId,
) -> Result<ServiceToken, StoreError> {
    let rows = of(account)
        .filter(Column::Id.eq(id.get()))
        .filter(Column::State.ne(REVOKED))
        .find_also_related(permission::Entity)
        .find_also_related(service_token_credential::Entity)
        .find_also(Entity, service_token_restriction::Entity)
        .consolidate()
        .all(db)
        .await
        .map_err(StoreError::db)?;
    let found = rows.into_iter().next().ok_or(StoreError::NotFound)?;
    let (token, permissions, credentials, restrictions) = found;
    token.into_domain(permissions, credentials, restrictions.first())
}

/// Whether the account has room for more tokens.
async fn check_count(tx: &Tx, more: usize) -> Result<(), StoreError> {
    let held = of(tx.account()).filter(Column::State.ne(REVOKED)).count(tx.db());
    let held = held.await.map_err(StoreError::db)?;
    let more = u64::try_from(more).unwrap_or(u64::MAX);
    if held.saturating_add(more) <= ServiceToken::MAX_PER_ACCOUNT {
        Ok(())
    } else {
        let most = ServiceToken::MAX_PER_ACCOUNT;
        Err(StoreError::Conflict(format!("an account has at most {most} service tokens")))
    }
}

/// Whether these can be a token's grants: not too many, offered by the plan, no row twice.
fn check_form(permit: &Permit<Write, ServiceTokens>, grants: &[Grant]) -> Result<(), StoreError> {
    let rows = keys(grants);
    if rows.len() > ServiceToken::MAX_GRANTS {
        let message = format!("has at most {} rows", ServiceToken::MAX_GRANTS);
        return Err(StoreError::Invalid { field: "permission_grants", message });
    }
    for grant in grants {
        grant.offered_by(permit.principal().terms().plan)?;
    }
    check_no_row_twice(&rows, "permission_grants")
}

/// Whether the maker may hand them out under these restrictions: well formed, within what it holds
/// and is held to, on projects of the account.
///
/// The projects are looked up last: a maker that is held to some projects gets the same answer
/// for one out of its reach, whether or not it exists.
async fn check_grants(
    tx: &Tx,
    permit: &Permit<Write, ServiceTokens>,
    restrictions: &Restrictions,
    grants: &[Grant],
) -> Result<(), StoreError> {
    check_form(permit, grants)?;
    contained_under(restrictions, grants, permit.principal())?;
    check_projects(tx, grants).await
}

/// Whether the account's policy lets a token gain the sets that it did not hold. What it held may
/// stay: narrowing is never refused.
async fn check_gained(tx: &Tx, before: &ServiceToken, grants: &[Grant]) -> Result<(), StoreError> {
    let held = |set| before.grants.iter().any(|row| row.grant.permission_set() == set);
    let gained = grants.iter().filter(|grant| !held(grant.permission_set()));
    let gained: Vec<Grant> = gained.cloned().collect();
    let policy = token_policies::of(tx.db(), tx.account()).await?;
    Ok(policy.check_gained(before, &gained, tx.now())?)
}

/// Gives a token another end. A shorter life holds for a secret that is being replaced, too; a
/// longer one is for the newest alone, so that no old secret gains from it.
async fn prolong_or_shorten(
    tx: &Tx,
    permit: &Permit<Write, ServiceTokens>,
    token: &ServiceToken,
    end: End,
) -> Result<(), StoreError> {
    let conflict = |what| Err(StoreError::Conflict(format!("service token `{}` {what}", token.id)));
    let Some(newest) = token.newest() else {
        return conflict("was imported without a secret: rotate it first");
    };
    if newest.life.is_over(tx.now()) {
        return conflict("has expired, and nothing revives it: make another in its place");
    }
    let longer = match (newest.life.expires_at, end) {
        (None, _) => false,
        (Some(_), End::Never) => true,
        (Some(before), End::At(after)) => before < after,
    };
    let grants = token.granted();
    let end = match end {
        End::At(end) if !longer => {
            // Also an end that the policy would not have given: it is nearer than it was.
            TokenPolicy::default().end(End::At(end), &grants, tx.now(), tx.now())?
        }
        End::Never | End::At(_) => {
            check_held(permit, token)?;
            let policy = token_policies::of(tx.db(), tx.account()).await?;
            policy.end(end, &grants, newest.life.created_at, tx.now())?
        }
    };
    token_credentials::set_end(tx, token, end).await
}

/// Whether a token's grants, under its restrictions, are within what the caller holds: whoever gives
/// a token more life could have made it.
pub(crate) fn check_held(
    permit: &Permit<Write, ServiceTokens>,
    token: &ServiceToken,
) -> Result<(), StoreError> {
    Ok(contained_under(&token.restrictions, &token.granted(), permit.principal())?)
}

/// Disables a token, or enables it again.
async fn switch(
    tx: &Tx,
    permit: &Permit<Write, ServiceTokens>,
    token: &ServiceToken,
    disable: bool,
) -> Result<(), StoreError> {
    if token.newest().is_none() {
        let message = format!("service token `{}` was imported and opens nothing yet", token.id);
        return Err(StoreError::Conflict(message));
    }
    if !disable {
        check_held(permit, token)?;
    }
    let state = if disable { DISABLED } else { ACTIVE };
    update(&ServiceToken { updated_at: tx.now(), ..token.clone() })
        .col_expr(Column::State, Expr::value(state))
        .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// Whether they may be imported.
///
/// What the importer brings authorises nothing until it is rotated, and whoever rotates it is
/// asked what they hold; the importer itself holds nothing that it could hand out.
async fn check_imported(
    tx: &Tx,
    permit: &Permit<Write, ServiceTokens>,
    grants: &[Grant],
) -> Result<(), StoreError> {
    if permit.author() == PrincipalId::System(SystemTask::Importer) {
        check_form(permit, grants)?;
        check_projects(tx, grants).await
    } else {
        check_grants(tx, permit, &Restrictions::default(), grants).await
    }
}

/// The row of a token that works from now on.
fn active(tx: &Tx, name: &Name) -> ActiveModel {
    ActiveModel {
        state: Set(ACTIVE.to_owned()),
        created_at: Set(tx.now().micros()),
        ..row(tx, name)
    }
}

/// The row of a token that was made elsewhere.
fn without_secret(tx: &Tx, token: &ImportedToken) -> ActiveModel {
    ActiveModel {
        state: Set(IMPORTED.to_owned()),
        created_at: Set(token.created_at.micros()),
        last_used: Set(token.last_used.map(Timestamp::micros)),
        ..row(tx, &token.name)
    }
}

fn row(tx: &Tx, name: &Name) -> ActiveModel {
    ActiveModel {
        uid: Set(new_uid(tx.now())),
        account_id: Set(tx.account().get()),
        name: Set(name.as_str().to_owned()),
        revision: Set(1),
        updated_at: Set(tx.now().micros()),
        ..Default::default()
    }
}

/// Makes a token with its permission rows, its first credential if it has a secret (and when that
/// ends), audit record and event.
async fn insert(
    tx: &mut Tx,
    row: ActiveModel,
    secret: Option<(&TokenSecret, Option<Timestamp>)>,
    grants: &[Grant],
    event: &str,
) -> Result<ServiceToken, StoreError> {
    let id = Entity::insert(row).exec(tx.db()).await.map_err(StoreError::db)?.last_insert_id;
    insert_rows(tx, id, keys(grants)).await?;
    let id = ServiceTokenId::new(id).map_err(StoreError::corrupt)?;
    if let Some((secret, expires_at)) = secret {
        token_credentials::insert(tx, id, secret, expires_at).await?;
    }
    let token = find(tx.db(), tx.account(), id).await?;
    record(tx, event, None, &token).await?;
    tx.event(Event::ServiceTokenCreated { id }).await?;
    Ok(token)
}

async fn insert_rows(tx: &Tx, token: i64, keys: Vec<GrantKey>) -> Result<(), StoreError> {
    let rows: Vec<_> = keys
        .into_iter()
        .map(|key| permission::ActiveModel {
            service_token_id: Set(token),
            permission_set: Set(key.set),
            project_id: Set(key.project),
            categories: Set(key.categories),
            created_at: Set(tx.now().micros()),
            ..Default::default()
        })
        .collect();
    if !rows.is_empty() {
        let inserted = permission::Entity::insert_many(rows).exec_without_returning(tx.db());
        inserted.await.map_err(StoreError::db)?;
    }
    Ok(())
}

/// Deletes the rows that are not wanted, and makes those that are missing.
async fn replace_rows(tx: &Tx, token: &ServiceToken, grants: &[Grant]) -> Result<(), StoreError> {
    let mut wanted: Vec<GrantKey> = keys(grants);
    let mut unwanted = Vec::new();
    for row in &token.grants {
        let held = keys(std::slice::from_ref(&row.grant));
        if held.iter().all(|key| wanted.contains(key)) {
            wanted.retain(|key| !held.contains(key));
        } else {
            unwanted.push(row.id.get());
        }
    }
    if !unwanted.is_empty() {
        permission::Entity::delete_many()
            .filter(permission::Column::Id.is_in(unwanted))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
    }
    insert_rows(tx, token.id.get(), wanted).await
}

/// Notes that it changed.
pub(crate) async fn touch(tx: &Tx, token: &ServiceToken) -> Result<(), StoreError> {
    let touched = ServiceToken { updated_at: tx.now(), ..token.clone() };
    update(&touched).exec(tx.db()).await.map(drop).map_err(StoreError::db)
}

/// Has one that was imported open what it was granted, now that it has a secret.
pub(crate) async fn activate(tx: &Tx, token: &ServiceToken) -> Result<(), StoreError> {
    update(token)
        .col_expr(Column::State, Expr::value(ACTIVE))
        .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
        .exec(tx.db())
        .await
        .map(drop)
        .map_err(StoreError::db)
}

/// Finishes a change of a token's permission rows: revision, audit record and event.
async fn changed(
    tx: &mut Tx,
    event: &str,
    before: &ServiceToken,
) -> Result<ServiceToken, StoreError> {
    let touched = ServiceToken { updated_at: tx.now(), ..before.clone() };
    update(&touched)
        .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    let after = find(tx.db(), tx.account(), before.id).await?;
    record(tx, event, Some(before), &after).await?;
    tx.event(Event::GrantsChanged { id: before.id }).await?;
    Ok(after)
}

fn update(token: &ServiceToken) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::UpdatedAt, Expr::value(token.updated_at.micros()))
        .filter(Column::Id.eq(token.id.get()))
}

/// Notes a change in the audit log, and tells of it outside.
pub(crate) async fn record(
    tx: &mut Tx,
    event: &str,
    before: Option<&ServiceToken>,
    after: &ServiceToken,
) -> Result<(), StoreError> {
    let object = format!("service_token:{}", after.id);
    tx.record(event, object, None, before.map(said), Some(said(after))).await?;
    token_news::tell(tx, after, TokenNews::of_record(event)).await
}

/// What an audit record says of a service token; never its digest.
fn said(token: &ServiceToken) -> Value {
    let rows = token.grants.iter().flat_map(|row| keys(std::slice::from_ref(&row.grant)));
    let mut said = json!({
        "name": token.name,
        "state": token.state,
        "expires_at": token.expires_at(),
        "responsible_user_id": token.responsible,
        "secrets": token.credentials.iter().map(said_of_secret).collect::<Vec<_>>(),
        "grants": rows.map(|key| key.said()).collect::<Vec<_>>(),
    });
    if let (true, Some(said)) = (token.is_canary, said.as_object_mut()) {
        said.insert("canary".to_owned(), Value::Bool(true));
    }
    said
}

fn said_of_secret(secret: &TokenCredential) -> Value {
    json!({ "credential": secret.id.get(), "ends_at": secret.life.ends_at() })
}
