//! Service tokens narrowed to what they were used for, and given back what they had.

use domain::{
    ServiceTokenId, Timestamp,
    authz::{
        AccountTerms, Grant, Lost, PermissionSet, Permit, Projects, Proposal, Read, ServiceTokens,
        Use, Write, grants_alone, lost, propose, replay,
    },
    service_token::ServiceToken,
    token_policy::TokenPolicy,
    token_use::{Days, TokenUses},
};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, EntityTrait as _, QuerySelect as _, sea_query::OnConflict,
};

use crate::{
    Store, StoreError,
    entities::{
        service_token,
        service_token_permission::grant,
        time,
        token_narrowing::{ActiveModel, Column, Entity, Model},
    },
    grant_rows::keys,
    rows::{from_text, to_text},
    service_tokens::{change_grants, find},
    token_policies, token_uses,
    tx::Tx,
};

/// What a token could be narrowed to.
#[derive(Debug, Clone)]
pub struct Narrowing {
    /// The token as it is.
    pub token: ServiceToken,
    /// How many days were looked at.
    pub days: Days,
    /// What it was used for in them.
    pub uses: TokenUses,
    /// The smallest grants that hold all of that.
    pub proposal: Proposal,
    /// The uses that would have been refused under them: none, or it cannot be applied.
    pub failing: Vec<Use>,
    /// What the token would hold no longer.
    pub lost: Vec<Lost>,
    /// Names this proposal for this token as it is.
    pub name: String,
    /// When the token was narrowed, if what it had before can be given back.
    pub undoable_since: Option<Timestamp>,
    revision: i64,
}

impl Store {
    /// What a token could be narrowed to by what it was used for in these days.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn least_privilege(
        &self,
        permit: &Permit<Read, ServiceTokens>,
        id: ServiceTokenId,
        days: Days,
    ) -> Result<Narrowing, StoreError> {
        self.flush_last_used().await?;
        let (db, now) = (self.reader(), self.clock().now());
        let token = find(db, permit.account(), id).await?;
        let revision = revision(db, id).await?;
        let uses = token_uses::of(db, id, days, now).await?;
        let policy = token_policies::of(db, permit.account()).await?;
        let undoable = former(db, id).await?.filter(|row| row.revision == revision);
        let terms = *permit.principal().terms();
        let reckoned = tokio::task::spawn_blocking(move || {
            let may_gain = |set| may_gain(&policy, &token, set, now);
            let (grants, asked) = (token.granted(), uses.uses());
            let proposal = propose(terms.plan, &grants, &asked, may_gain);
            let before = grants_alone(id, terms, grants);
            let after = grants_alone(id, terms, proposal.grants.clone());
            let (failing, lost) = (replay(&asked, &before, &after), lost(&before, &after));
            (token, uses, proposal, failing, lost)
        });
        let (token, uses, proposal, failing, lost) = reckoned.await.map_err(StoreError::corrupt)?;
        let name = proposal.name(id, revision);
        let undoable_since = undoable.map(|row| time(row.narrowed_at)).transpose()?;
        Ok(Narrowing { token, days, uses, proposal, failing, lost, name, undoable_since, revision })
    }

    /// Narrows a token to what was proposed by this name; its secret stays. What it had can be given
    /// back until something else of its rights changes.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] (something else would be proposed now, the token or its uses have
    /// changed); as [`Store::replace_grants`].
    pub async fn narrow(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        id: ServiceTokenId,
        days: Days,
        name: &str,
    ) -> Result<ServiceToken, StoreError> {
        let narrowing = self.least_privilege(&permit.also()?, id, days).await?;
        if narrowing.name != name {
            return Err(changed("proposal", "the token or what it was used for has changed"));
        }
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account(), id).await?;
        if revision(tx.db(), id).await? != narrowing.revision {
            return Err(changed("proposal", "the token has changed"));
        }
        // What came since it was reckoned.
        let uses = token_uses::of(tx.db(), id, days, tx.now()).await?;
        let terms = permit.principal().terms();
        check_replay(id, *terms, &before, &narrowing.proposal.grants, &uses.uses())?;
        let event = "service_token.least_privilege_applied";
        let after =
            change_grants(&mut tx, permit, &before, &narrowing.proposal.grants, event).await?;
        keep_former(&tx, &before).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Gives a token back what it had before it was narrowed, if nothing of its rights has changed
    /// since and the caller may grant it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] (it was not narrowed, or has changed since); as
    /// [`Store::replace_grants`].
    pub async fn widen_again(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        id: ServiceTokenId,
    ) -> Result<ServiceToken, StoreError> {
        let mut tx = self.begin(permit).await?;
        let before = find(tx.db(), tx.account(), id).await?;
        let Some(row) = former(tx.db(), id).await? else {
            let message =
                format!("service token `{id}` was not narrowed: there is nothing to undo");
            return Err(StoreError::Conflict(message));
        };
        if row.revision != revision(tx.db(), id).await? {
            let message = format!("service token `{id}` has changed since it was narrowed");
            return Err(StoreError::Conflict(message));
        }
        let grants = row.grants()?;
        let event = "service_token.least_privilege_undone";
        let after = change_grants(&mut tx, permit, &before, &grants, event).await?;
        Entity::delete_by_id(id.get()).exec(tx.db()).await.map_err(StoreError::db)?;
        tx.commit().await?;
        Ok(after)
    }
}

fn changed(what: &str, why: &str) -> StoreError {
    StoreError::Conflict(format!("this {what} is not made any more, since {why}: read it again"))
}

/// Holds a proposal to everything that the token was used for until now.
fn check_replay(
    id: ServiceTokenId,
    terms: AccountTerms,
    token: &ServiceToken,
    grants: &[Grant],
    uses: &[Use],
) -> Result<(), StoreError> {
    let before = grants_alone(id, terms, token.granted());
    let after = grants_alone(id, terms, grants.to_vec());
    match replay(uses, &before, &after).first() {
        None => Ok(()),
        Some(first) => Err(changed("proposal", &format!("the token uses {}", first.action))),
    }
}

/// Whether a token may be granted a set that it does not hold.
fn may_gain(
    policy: &TokenPolicy,
    token: &ServiceToken,
    set: PermissionSet,
    now: Timestamp,
) -> bool {
    let Ok(grant) = Grant::new(set, Projects::All) else { return false };
    policy.check_gained(token, &[grant], now).is_ok()
}

/// The revision of a token's row: it counts up with every change of its rights or state.
async fn revision(db: &impl ConnectionTrait, id: ServiceTokenId) -> Result<i64, StoreError> {
    let revision: Option<i64> = service_token::Entity::find_by_id(id.get())
        .select_only()
        .column(service_token::Column::Revision)
        .into_tuple()
        .one(db)
        .await
        .map_err(StoreError::db)?;
    revision.ok_or(StoreError::NotFound)
}

/// What a token had before it was narrowed last.
async fn former(
    db: &impl ConnectionTrait,
    id: ServiceTokenId,
) -> Result<Option<Model>, StoreError> {
    Entity::find_by_id(id.get()).one(db).await.map_err(StoreError::db)
}

/// A permission row as it is kept: set, project, categories.
type KeptRow = (String, Option<i64>, String);

/// Keeps what a token had, now that it is narrowed.
async fn keep_former(tx: &Tx, before: &ServiceToken) -> Result<(), StoreError> {
    let rows = keys(&before.granted());
    let rows = rows.into_iter().map(|key| (key.set, key.project, key.categories));
    let row = ActiveModel {
        service_token_id: Set(before.id.get()),
        former: Set(to_text(&rows.collect::<Vec<KeptRow>>())?),
        revision: Set(revision(tx.db(), before.id).await?),
        narrowed_at: Set(tx.now().micros()),
    };
    let columns = [Column::Former, Column::Revision, Column::NarrowedAt];
    let replace = OnConflict::column(Column::ServiceTokenId).update_columns(columns).to_owned();
    let kept = Entity::insert(row).on_conflict(replace).exec_without_returning(tx.db());
    kept.await.map(drop).map_err(StoreError::db)
}

impl Model {
    fn grants(&self) -> Result<Vec<Grant>, StoreError> {
        let rows: Vec<KeptRow> = from_text(&self.former)?;
        rows.iter().map(|(set, project, raised)| grant(set, *project, raised)).collect()
    }
}
