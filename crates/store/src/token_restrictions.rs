//! What service tokens are held to, beside their grants.

use std::collections::BTreeSet;

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
        service_token_restriction::{ActiveModel, Column, Entity},
    },
    rows::{ACTIVE, Placed as _, from_text, said, to_text},
    service_tokens::find,
    token_news,
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
        let restrictions = of(self.reader(), id).await?;
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
    /// reach; it would shut out its author), [`StoreError::Exceeds`],
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
        let before = of(tx.db(), id).await?;
        if !restrictions.within(&before) {
            contained_under(&restrictions, &token.granted(), permit.principal())?;
        }
        check(&tx, permit, &before, &restrictions, forced).await?;
        put(&mut tx, id, Some(&before), &restrictions).await?;
        token_news::tell(&mut tx, &token, TokenNews::of_record(REPLACED)).await?;
        service_token::Entity::update_many()
            .col_expr(service_token::Column::UpdatedAt, Expr::value(tx.now().micros()))
            .col_expr(
                service_token::Column::Revision,
                Expr::col(service_token::Column::Revision).add(1),
            )
            .filter(service_token::Column::Id.eq(id.get()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        tx.event(Event::GrantsChanged { id }).await?;
        tx.commit().await?;
        Ok(restrictions)
    }
}

/// What a token is held to.
pub(crate) async fn of(
    db: &impl ConnectionTrait,
    id: ServiceTokenId,
) -> Result<Restrictions, StoreError> {
    let row = Entity::find_by_id(id.get()).one(db).await.map_err(StoreError::db)?;
    row.map_or_else(|| Ok(Restrictions::default()), |row| from_text(&row.restrictions))
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
async fn check(
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
