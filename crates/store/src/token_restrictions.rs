//! What service tokens are held to, beside their grants.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ServiceTokenId,
    authz::{
        Environments, Jobs, Permit, Read, Restrictions, ServiceTokens, Write, contained_under,
    },
    event::Event,
    service_token::ServiceToken,
    token_report::TokenNews,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    sea_query::{Expr, ExprTrait as _, OnConflict},
};

use crate::{
    Store, StoreError,
    entities::{
        environment, job, service_token,
        service_token_restriction::{ActiveModel, Column, Entity, Model},
    },
    rows::{ACTIVE, Placed as _, said, to_text},
    service_tokens::find,
    token_news, token_proposals,
    tx::Tx,
};

/// What the audit log says of a change.
const REPLACED: &str = "service_token.restrictions_replaced";

impl Store {
    /// What a token is held to.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn token_restrictions(
        &self,
        permit: &Permit<Read, ServiceTokens>,
        id: ServiceTokenId,
    ) -> Result<(ServiceToken, Restrictions), StoreError> {
        let token = find(self.reader(), permit.account(), id).await?;
        let restrictions = token.restrictions.clone();
        Ok((token, restrictions))
    }

    /// Replaces all that a token is held to; its secret stays. A list of addresses that does not
    /// admit the caller's own is refused, unless it is `forced`.
    ///
    /// What leaves less than before anyone may set who may write tokens; what leaves more has to
    /// be within what they hold themselves.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Invalid`] (an environment or job that is not within
    /// reach; it would shut out its author), [`StoreError::Exceeds`], [`StoreError::NeedsSecond`],
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn replace_token_restrictions(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        id: ServiceTokenId,
        restrictions: Restrictions,
        forced: bool,
    ) -> Result<Restrictions, StoreError> {
        let mut tx = self.begin(permit).await?;
        let token = find(tx.db(), tx.account(), id).await?;
        if !restrictions.within(&token.restrictions) {
            contained_under(&restrictions, &token.granted(), permit.principal())?;
            token_proposals::check_alone(&tx).await?;
        }
        check(&tx, permit, &token.restrictions, &restrictions, forced).await?;
        replace(&mut tx, &token, &restrictions).await?;
        tx.commit().await?;
        Ok(restrictions)
    }
}

/// Writes what a token is held to in place of what it was held to.
pub(crate) async fn replace(
    tx: &mut Tx,
    token: &ServiceToken,
    restrictions: &Restrictions,
) -> Result<(), StoreError> {
    use service_token::{Column, Entity};
    let id = token.id;
    put(tx, id, Some(&token.restrictions), restrictions).await?;
    token_news::tell(tx, token, TokenNews::of_record(REPLACED)).await?;
    Entity::update_many()
        .col_expr(Column::UpdatedAt, Expr::value(tx.now().micros()))
        .col_expr(Column::Revision, Expr::col(Column::Revision).add(1))
        .filter(Column::Id.eq(id.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    tx.event(Event::GrantsChanged { id }).await
}

/// What these tokens are held to, by token; those that are held to nothing are not there.
pub(crate) async fn of_each(
    db: &impl ConnectionTrait,
    tokens: impl IntoIterator<Item = i64>,
) -> Result<BTreeMap<i64, Model>, StoreError> {
    let rows = Entity::find().filter(Column::ServiceTokenId.is_in(tokens)).all(db).await;
    let rows = rows.map_err(StoreError::db)?;
    Ok(rows.into_iter().map(|row| (row.service_token_id, row)).collect())
}

/// Holds a token that has just been made.
pub(crate) async fn insert(
    tx: &mut Tx,
    permit: &Permit<Write, ServiceTokens>,
    id: ServiceTokenId,
    restrictions: &Restrictions,
    forced: bool,
) -> Result<(), StoreError> {
    if restrictions.are_none() {
        return Ok(());
    }
    check(tx, permit, &Restrictions::default(), restrictions, forced).await?;
    put(tx, id, None, restrictions).await
}

/// Whether what they name anew is within the author's reach, and its own address is admitted.
pub(crate) async fn check(
    tx: &Tx,
    permit: &Permit<Write, ServiceTokens>,
    before: &Restrictions,
    after: &Restrictions,
    forced: bool,
) -> Result<(), StoreError> {
    let environments = added(before.environments.as_ref(), after.environments.as_ref());
    let jobs = added(before.jobs.as_ref(), after.jobs.as_ref());
    let reached = match permit.also::<Read, Environments>() {
        Ok(permit) if !environments.is_empty() => {
            use environment::{Column, Entity};
            let rows = Entity::within(&permit);
            let rows = rows.filter(Column::Id.is_in(environments.clone()));
            rows.filter(Column::State.eq(ACTIVE)).count(tx.db()).await.map_err(StoreError::db)?
        }
        Ok(_) | Err(_) => 0,
    };
    if reached != environments.len() as u64 {
        return Err(names_nothing("restrictions.environments", "an environment"));
    }
    let reached = match permit.also::<Read, Jobs>() {
        Ok(permit) if !jobs.is_empty() => {
            use job::{Column, Entity};
            let rows = Entity::within(&permit);
            let rows = rows.filter(Column::Id.is_in(jobs.clone()));
            rows.filter(Column::State.eq(ACTIVE)).count(tx.db()).await.map_err(StoreError::db)?
        }
        Ok(_) | Err(_) => 0,
    };
    if reached != jobs.len() as u64 {
        return Err(names_nothing("restrictions.jobs", "a job"));
    }
    // The server's own process has no address, and cannot be shut out.
    match permit.origin().address {
        Some(address) if !forced && !after.admit(Some(address)) => Err(StoreError::Invalid {
            field: "restrictions.addresses",
            message: format!(
                "would shut out your own address `{address}`: add it, or say `force` if that is meant"
            ),
        }),
        _ => Ok(()),
    }
}

/// The ids of a list that were not in it before. One that was may be deleted by now, and does not
/// stand in the way of another change.
fn added<I: Copy + Ord + Into<i64>>(
    before: Option<&BTreeSet<I>>,
    after: Option<&BTreeSet<I>>,
) -> Vec<i64> {
    let known = |id: &&I| before.is_some_and(|before| before.contains(*id));
    after.into_iter().flatten().filter(|id| !known(id)).map(|id| (*id).into()).collect()
}

fn names_nothing(field: &'static str, what: &str) -> StoreError {
    StoreError::Invalid { field, message: format!("names {what} that is not within reach") }
}

async fn put(
    tx: &mut Tx,
    id: ServiceTokenId,
    before: Option<&Restrictions>,
    after: &Restrictions,
) -> Result<(), StoreError> {
    let row = ActiveModel { service_token_id: Set(id.get()), restrictions: Set(to_text(after)?) };
    let again =
        OnConflict::column(Column::ServiceTokenId).update_column(Column::Restrictions).to_owned();
    let written = Entity::insert(row).on_conflict(again).exec_without_returning(tx.db());
    written.await.map_err(StoreError::db)?;
    let object = format!("service_token:{id}");
    tx.record(REPLACED, object, None, before.map(said), Some(said(after))).await
}
