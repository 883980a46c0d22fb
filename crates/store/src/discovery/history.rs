//! How nodes went in earlier runs.

use domain::{
    EnvironmentId, Timestamp,
    authz::{Metadata, Permit, Read, Runs, Write},
    discovery::Execution,
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _,
};

use super::executions::Invocations;
use crate::{
    Store, StoreError,
    entities::{
        applied_node,
        node_execution::{Column, Entity},
    },
    retention,
};

/// How many executions are removed in one turn.
const AT_ONCE: u64 = 2_000;

impl Store {
    /// How a node went in its last runs in an environment, the newest first, at most so many.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the environment is out of reach, [`StoreError::Unavailable`].
    pub async fn node_history(
        &self,
        permit: &Permit<Read, Metadata>,
        environment: EnvironmentId,
        unique_id: &str,
        most: u32,
    ) -> Result<Vec<Execution>, StoreError> {
        self.reached_environment(permit, environment).await?;
        let rows = Entity::find()
            .filter(Column::EnvironmentId.eq(environment.get()))
            .filter(Column::UniqueId.eq(unique_id))
            .order_by_desc(Column::RunId)
            .order_by_desc(Column::Step)
            .limit(u64::from(most))
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        let invocations = Invocations::of(self.reader(), &rows).await?;
        rows.iter().map(|row| invocations.execution(row)).collect()
    }

    /// Removes the account's executions that were folded before then, at most 2,000; gives how
    /// many. The newest execution of each node stays.
    ///
    /// # Errors
    /// [`StoreError::Denied`] if the permit is not the keeper's, [`StoreError::Unavailable`].
    pub async fn prune_node_executions(
        &self,
        permit: &Permit<Write, Runs>,
        before: Timestamp,
    ) -> Result<u64, StoreError> {
        retention::keeper_alone(permit)?;
        let applied = applied_node::Entity::find()
            .select_only()
            .column(applied_node::Column::ExecutionId)
            .into_query();
        let old = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::AccountId.eq(permit.account().get()))
            .filter(Column::CreatedAt.lt(before.micros()))
            .filter(Column::Id.not_in_subquery(applied))
            .limit(AT_ONCE)
            .into_query();
        let tx = self.begin(permit).await?;
        let gone = Entity::delete_many()
            .filter(Column::Id.in_subquery(old))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        tx.commit_unrecorded().await?;
        Ok(gone.rows_affected)
    }
}
