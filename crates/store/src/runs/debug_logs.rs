//! dbt's own log of a step.

use std::collections::BTreeMap;

use domain::{
    StepId,
    authz::{Permit, Read, Runs, Write},
    lease::Lease,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, EntityTrait as _, Order, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _,
    sea_query::{Alias, Expr, ExprTrait as _, Func, Query, SelectStatement, WindowStatement},
};

use super::steps::check_is_there;
use crate::{
    Store, StoreError,
    entities::{
        run_step,
        step_debug_chunk::{ActiveModel, Column, Entity},
    },
    rows::Placed as _,
};

/// How much of a debug log is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DebugLog {
    /// All that is kept.
    Whole,
    /// Its end, about 256 KiB at least, if there is so much.
    End,
}

/// How many batches of text its end has: but for the last, each has 64 KiB at least.
const END: i64 = 5;

impl Store {
    /// dbt's own log of these steps so far, of those that have one, in one statement; confined like
    /// [`Store::step_logs`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn debug_logs(
        &self,
        permit: &Permit<Read, Runs>,
        steps: &[StepId],
        part: DebugLog,
    ) -> Result<BTreeMap<StepId, String>, StoreError> {
        let reached = run_step::Entity::within(permit)
            .select_only()
            .column(run_step::Column::Id)
            .filter(run_step::Column::Id.is_in(steps.iter().map(|step| step.get())))
            .into_query();
        let chunks = Entity::find().order_by_asc(Column::Id);
        let chunks = match part {
            DebugLog::Whole => chunks.filter(Column::StepId.in_subquery(reached)),
            DebugLog::End => chunks.filter(Column::Id.in_subquery(last_of(reached))),
        };
        let chunks = chunks.all(self.reader()).await.map_err(StoreError::db)?;
        let mut texts: BTreeMap<StepId, String> = BTreeMap::new();
        for chunk in chunks {
            let step = StepId::new(chunk.step_id).map_err(StoreError::corrupt)?;
            texts.entry(step).or_default().push_str(&chunk.text);
        }
        Ok(texts)
    }

    /// Adds to dbt's own log of a step.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::LeaseLost`], [`StoreError::Unavailable`].
    pub async fn append_debug_log(
        &self,
        permit: &Permit<Write, Runs>,
        lease: &Lease,
        id: StepId,
        text: &str,
    ) -> Result<(), StoreError> {
        let tx = self.begin_leased(permit, lease).await?;
        check_is_there(&tx, (lease.run, id)).await?;
        let chunk = ActiveModel {
            step_id: Set(id.get()),
            text: Set(text.to_owned()),
            ..Default::default()
        };
        Entity::insert(chunk).exec(tx.db()).await.map_err(StoreError::db)?;
        tx.commit_unrecorded().await
    }
}

/// The texts of the chunks of one step's log, in their order.
pub(super) fn texts_of(step: StepId, part: DebugLog) -> SelectStatement {
    let chunks = Entity::find()
        .select_only()
        .column(Column::Text)
        .filter(Column::StepId.eq(step.get()))
        .order_by_asc(Column::Id);
    match part {
        DebugLog::Whole => chunks.into_query(),
        DebugLog::End => {
            let step = Query::select().expr(step.get()).take();
            chunks.filter(Column::Id.in_subquery(last_of(step))).into_query()
        }
    }
}

/// The ids of the last chunks of each of these steps.
fn last_of(steps: SelectStatement) -> SelectStatement {
    let (nth, ranked) = (Alias::new("nth"), Alias::new("ranked"));
    let backwards =
        WindowStatement::partition_by(Column::StepId).order_by(Column::Id, Order::Desc).take();
    let chunks = Query::select()
        .column(Column::Id)
        .expr_window_as(Func::cust("ROW_NUMBER"), backwards, nth.clone())
        .from(Entity)
        .and_where(Expr::col(Column::StepId).in_subquery(steps))
        .take();
    Query::select()
        .column(Column::Id)
        .from_subquery(chunks, ranked)
        .and_where(Expr::col(nth).lte(END))
        .take()
}
