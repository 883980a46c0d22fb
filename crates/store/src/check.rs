//! What questions about tokens are about: who asks, the objects that are named, the addresses.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::IpAddr,
};

use domain::{
    EnvironmentId, JobId, ProjectId,
    authz::{Credential, Identity, Permit, Place, Read},
    service_token::ServiceToken,
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, JoinType, QueryFilter as _, QuerySelect as _};

use crate::{
    Store, StoreError,
    entities::{
        account,
        environment::{self, Model},
        job, project,
    },
    rows::{ACTIVE, of_account, only},
    service_tokens,
};

/// Where the objects are that were named, as far as there are any.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The projects that there are.
    pub projects: HashSet<ProjectId>,
    /// Of jobs: the place of each, its environment's and its own.
    pub jobs: HashMap<JobId, Place>,
    /// Of environments.
    pub environments: HashMap<EnvironmentId, Place>,
}

impl Store {
    /// The service token that asks, with the one credential that it presented; `None` if somebody
    /// else does.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] (it was revoked meanwhile), [`StoreError::Unavailable`].
    pub async fn asking_token(
        &self,
        permit: &Permit<Read, Identity>,
    ) -> Result<Option<ServiceToken>, StoreError> {
        let Credential::ServiceToken { id, presented, .. } = permit.principal().credential() else {
            return Ok(None);
        };
        let mut token = service_tokens::find(self.reader(), permit.account(), id).await?;
        token.credentials.retain(|credential| Some(credential.id) == presented);
        Ok(Some(token))
    }

    /// Which of these projects there are, and where environments and jobs of the account are,
    /// whoever asks: what is told of them is for the answer to decide. A statement each.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn places(
        &self,
        permit: &Permit<Read, Identity>,
        projects: &BTreeSet<ProjectId>,
        environments: &BTreeSet<EnvironmentId>,
        jobs: &BTreeSet<JobId>,
    ) -> Result<Places, StoreError> {
        let mut places = Places::default();
        if !projects.is_empty() {
            let rows: Vec<i64> =
                of_account::<project::Entity>(project::Column::AccountId, permit.account())
                    .filter(project::Column::Id.is_in(projects.iter().map(|id| id.get())))
                    .filter(project::Column::State.eq(ACTIVE))
                    .select_only()
                    .column(project::Column::Id)
                    .into_tuple()
                    .all(self.reader())
                    .await
                    .map_err(StoreError::db)?;
            for id in rows {
                places.projects.insert(ProjectId::new(id).map_err(StoreError::corrupt)?);
            }
        }
        if !environments.is_empty() {
            let account = (environment::Column::AccountId, permit.account());
            let rows = of_account::<environment::Entity>(account.0, account.1)
                .filter(environment::Column::Id.is_in(environments.iter().map(|id| id.get())))
                .filter(environment::Column::State.eq(ACTIVE))
                .all(self.reader())
                .await
                .map_err(StoreError::db)?;
            for found in rows.into_iter().map(Model::into_domain) {
                let found = found?;
                places.environments.insert(found.id, found.place());
            }
        }
        if !jobs.is_empty() {
            let environments = job::Entity::belongs_to(environment::Entity)
                .from(job::Column::EnvironmentId)
                .to(environment::Column::Id);
            let rows: Vec<(job::Model, Option<Model>)> =
                of_account::<job::Entity>(job::Column::AccountId, permit.account())
                    .filter(job::Column::Id.is_in(jobs.iter().map(|id| id.get())))
                    .filter(job::Column::State.eq(ACTIVE))
                    .join(JoinType::InnerJoin, environments.into())
                    .select_also(environment::Entity)
                    .all(self.reader())
                    .await
                    .map_err(StoreError::db)?;
            for (job, environment) in rows {
                let Some(environment) = environment else { continue };
                let id = JobId::new(job.id).map_err(StoreError::corrupt)?;
                places.jobs.insert(id, environment.into_domain()?.place().of_job(id));
            }
        }
        Ok(places)
    }

    /// Whether the account's IP restrictions, where they are enforced, admit these addresses.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn admits_addresses(
        &self,
        permit: &Permit<Read, Identity>,
        addresses: &BTreeSet<IpAddr>,
    ) -> Result<HashMap<IpAddr, bool>, StoreError> {
        let mut admitted = HashMap::new();
        if addresses.is_empty() {
            return Ok(admitted);
        }
        let row = account::Entity::find_by_id(permit.account().get());
        let row = only(row, self.reader()).await?;
        for address in addresses {
            let may = !row.ip_rules_enabled
                || self.admits(permit.account(), row.ip_rules_revision, Some(*address)).await?;
            admitted.insert(*address, may);
        }
        Ok(admitted)
    }
}
