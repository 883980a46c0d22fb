//! Who reaches a project.

use std::collections::BTreeMap;

use domain::{
    GroupId, ProjectId, ServiceTokenId,
    authz::{Grant, Permit, Read, kinds::Permissions},
    reach::{GroupReach, ProjectReach, TokenReach},
};
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _,
};

use crate::{
    Store, StoreError,
    entities::{
        group, group_member, group_permission,
        service_token::{self, ACTIVE},
        service_token_credential,
        service_token_permission::{self, grant},
    },
    projects,
};

impl Store {
    /// The groups and service tokens that have grants on the project, and which.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Denied`], [`StoreError::Unavailable`].
    pub async fn project_reach(
        &self,
        permit: &Permit<Read, Permissions>,
        project: ProjectId,
    ) -> Result<ProjectReach, StoreError> {
        permit.within(project)?;
        projects::find(self.reader(), permit.account(), project).await?;
        Ok(ProjectReach {
            groups: self.groups_on(permit, project).await?,
            service_tokens: self.tokens_on(permit, project).await?,
        })
    }

    async fn tokens_on(
        &self,
        permit: &Permit<Read, Permissions>,
        project: ProjectId,
    ) -> Result<Vec<TokenReach>, StoreError> {
        use service_token_permission::{Column, Entity};
        let open = service_token_credential::Entity::find()
            .select_only()
            .column(service_token_credential::Column::ServiceTokenId)
            .filter(service_token_credential::is_open(self.clock().now()));
        let rows = Entity::find()
            .find_also_related(service_token::Entity)
            .filter(service_token::Column::AccountId.eq(permit.account().get()))
            .filter(service_token::Column::State.eq(ACTIVE))
            .filter(service_token::Column::Id.in_subquery(open.into_query()))
            .filter(on(Column::ProjectId, project))
            .order_by_asc(Column::Id)
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        let plan = permit.principal().terms().plan;
        let mut tokens: BTreeMap<i64, TokenReach> = BTreeMap::new();
        for (row, token) in rows {
            let Some(token) = token else { continue };
            let grant = grant(&row.permission_set, row.project_id, &row.categories)?;
            let id = ServiceTokenId::new(token.id).map_err(StoreError::corrupt)?;
            let reach = || TokenReach { id, name: token.name, grants: Vec::new() };
            let offered = grant.offered_by(plan).is_ok();
            tokens.entry(id.get()).or_insert_with(reach).grants.push((grant, offered));
        }
        Ok(tokens.into_values().collect())
    }

    async fn groups_on(
        &self,
        permit: &Permit<Read, Permissions>,
        project: ProjectId,
    ) -> Result<Vec<GroupReach>, StoreError> {
        use group_permission::{Column, Entity};
        let rows = Entity::find()
            .filter(Column::AccountId.eq(permit.account().get()))
            .filter(on(Column::ProjectId, project))
            .order_by_asc(Column::Id)
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        let mut grants: BTreeMap<i64, Vec<Grant>> = BTreeMap::new();
        for row in rows {
            let grant = grant(&row.permission_set, row.project_id, &row.categories)?;
            grants.entry(row.group_id).or_default().push(grant);
        }
        let ids = || grants.keys().copied().collect::<Vec<_>>();
        let members: Vec<(i64, i64)> = group_member::Entity::find()
            .select_only()
            .column(group_member::Column::GroupId)
            .column_as(group_member::Column::UserId.count(), "members")
            .filter(group_member::Column::GroupId.is_in(ids()))
            .group_by(group_member::Column::GroupId)
            .into_tuple()
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        let members: BTreeMap<_, _> = members.into_iter().collect();
        let groups = group::Entity::find()
            .filter(group::Column::AccountId.eq(permit.account().get()))
            .filter(group::Column::Id.is_in(ids()))
            .order_by_asc(group::Column::Id)
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        groups
            .into_iter()
            .map(|row| {
                let members = members.get(&row.id).copied().unwrap_or_default();
                Ok(GroupReach {
                    id: GroupId::new(row.id).map_err(StoreError::corrupt)?,
                    name: row.name,
                    members: u64::try_from(members).map_err(StoreError::corrupt)?,
                    grants: grants.remove(&row.id).unwrap_or_default(),
                })
            })
            .collect()
    }
}

/// Of this project, or of all.
fn on(column: impl sea_orm::ColumnTrait, project: ProjectId) -> Condition {
    Condition::any().add(column.is_null()).add(column.eq(project.get()))
}
