//! Groups of users, and what they give.

use std::collections::{BTreeMap, BTreeSet};

use domain::{ProjectId, UserId, event::Event};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _,
    sea_query::{Expr, ExprTrait as _},
};
use serde_json::json;

use crate::{
    StoreError,
    entities::{group_member, group_permission as permission, membership},
    tx::Tx,
};

/// Takes a project out of every group's grants; whoever is in one of them holds less from then on.
pub(crate) async fn drop_grants_on(tx: &mut Tx, project: ProjectId) -> Result<(), StoreError> {
    let on_project = permission::Column::ProjectId.eq(project.get());
    let rows = permission::Entity::find()
        .filter(on_project.clone())
        .all(tx.db())
        .await
        .map_err(StoreError::db)?;
    let mut lost: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for row in rows {
        lost.entry(row.group_id).or_default().push(row.permission_set);
    }
    permission::Entity::delete_many()
        .filter(on_project)
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    touch_members(tx, lost.keys().copied().collect()).await?;
    for (group, sets) in lost {
        let before = json!({ "permission_sets": sets });
        let object = format!("group:{group}");
        tx.record("group.project_deleted", object, Some(project), Some(before), None).await?;
    }
    Ok(())
}

/// Counts up the revision of the members' rights.
async fn touch_members(tx: &mut Tx, groups: Vec<i64>) -> Result<(), StoreError> {
    if groups.is_empty() {
        return Ok(());
    }
    let members = group_member::Entity::find()
        .filter(group_member::Column::GroupId.is_in(groups))
        .all(tx.db())
        .await
        .map_err(StoreError::db)?;
    let users: BTreeSet<i64> = members.into_iter().map(|row| row.user_id).collect();
    membership::Entity::update_many()
        .col_expr(membership::Column::Revision, Expr::col(membership::Column::Revision).add(1))
        .filter(membership::Column::AccountId.eq(tx.account().get()))
        .filter(membership::Column::UserId.is_in(users.iter().copied()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    for user in users {
        let id = UserId::new(user).map_err(StoreError::corrupt)?;
        tx.event(Event::UserChanged { id }).await?;
    }
    Ok(())
}
