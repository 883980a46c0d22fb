//! What belongs to a page of projects or environments: one look-up a kind for the whole page, and
//! only what the caller may read. What it may not read is not there.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ConnectionId, CredentialId, ProjectId, RepositoryId,
    authz::{
        AccessMarker, Connections, DataPlatformConfigs, EnvironmentCredentials, Environments,
        Groups, KindMarker, Permit, Read, Repositories, SemanticLayerConfig,
    },
    connection::Connection,
    list::{ListQuery, Paged, StateFilter},
    semantic_layer::SemanticLayerConfiguration,
};
use store::StoreError;
use wire::{
    ListParams,
    v3::{Credential, Environment, GroupPermission, RelatedConnection, Repository},
};

use crate::{admin::v2::related::by_id, app::App, error::ApiError};

/// The connections with these ids: of the account, and of projects.
pub(super) async fn connections<A: AccessMarker, K: KindMarker>(
    app: &App,
    permit: &Permit<A, K>,
    ids: impl Iterator<Item = ConnectionId>,
) -> Result<BTreeMap<ConnectionId, RelatedConnection>, ApiError> {
    let mut missing: BTreeSet<_> = ids.collect();
    let mut found = BTreeMap::new();
    let mut take = |rows: Vec<Connection>, missing: &mut BTreeSet<_>| {
        for row in rows {
            missing.remove(&row.id);
            found.insert(row.id, RelatedConnection::from(&row));
        }
    };
    if let (Ok(permit), Some(query)) =
        (permit.also::<Read, Connections>(), by_id(missing.iter().copied()))
    {
        take(app.store.connections(&permit, &query).await?.rows, &mut missing);
    }
    if let (Ok(permit), Some(query)) =
        (permit.also::<Read, DataPlatformConfigs>(), by_id(missing.iter().copied()))
    {
        take(app.store.project_connections(&permit, &query).await?.rows, &mut missing);
    }
    Ok(found)
}

/// The warehouse credentials with these ids.
pub(super) async fn credentials<A: AccessMarker, K: KindMarker>(
    app: &App,
    permit: &Permit<A, K>,
    ids: impl Iterator<Item = CredentialId>,
) -> Result<BTreeMap<CredentialId, Credential>, ApiError> {
    let permit = permit.also::<Read, EnvironmentCredentials>();
    let (Ok(permit), Some(query)) = (permit, by_id(ids)) else {
        return Ok(BTreeMap::new());
    };
    let credentials = app.store.warehouse_credentials(&permit, &query).await?.rows;
    Ok(credentials.iter().map(|found| (found.id, Credential::from(found))).collect())
}

/// The repositories with these ids.
pub(super) async fn repositories<A: AccessMarker, K: KindMarker>(
    app: &App,
    permit: &Permit<A, K>,
    ids: impl Iterator<Item = RepositoryId>,
) -> Result<BTreeMap<RepositoryId, Repository>, ApiError> {
    let (Ok(permit), Some(query)) = (permit.also::<Read, Repositories>(), by_id(ids)) else {
        return Ok(BTreeMap::new());
    };
    let repositories = app.store.repositories(&permit, &query).await?.rows;
    Ok(repositories.iter().map(|found| (found.id, Repository::from(found))).collect())
}

/// The Semantic Layer configurations of these projects.
pub(super) async fn configurations<A: AccessMarker, K: KindMarker>(
    app: &App,
    permit: &Permit<A, K>,
    projects: impl Iterator<Item = ProjectId>,
) -> Result<BTreeMap<ProjectId, i64>, ApiError> {
    let projects: BTreeSet<_> = projects.collect();
    let Ok(permit) = permit.also::<Read, SemanticLayerConfig>() else { return Ok(BTreeMap::new()) };
    if projects.is_empty() {
        return Ok(BTreeMap::new());
    }
    let query = ListQuery { limit: u16::MAX, ..ListQuery::first_page() };
    let query = query.with_in("project_id", projects);
    let page = app.store.kept::<SemanticLayerConfiguration>(&permit, None, &query).await?;
    Ok(page.rows.iter().filter_map(|kept| Some((kept.project?, kept.id.get()))).collect())
}

/// The environments of these projects; each project is there, with an empty list if it has none.
/// Those whose environments the caller may not read are not.
pub(super) async fn environments_of<A: AccessMarker, K: KindMarker>(
    app: &App,
    permit: &Permit<A, K>,
    projects: impl Iterator<Item = ProjectId>,
) -> Result<BTreeMap<ProjectId, Vec<Environment>>, ApiError> {
    let Ok(permit) = permit.also::<Read, Environments>() else { return Ok(BTreeMap::new()) };
    let reached = |project: &ProjectId| permit.among(*project).is_ok();
    let mut found: BTreeMap<_, _> =
        projects.filter(reached).map(|project| (project, Vec::new())).collect();
    if found.is_empty() {
        return Ok(found);
    }
    // All of them: a page of projects may have more environments than a page.
    let query = ListQuery { limit: u16::MAX, ..ListQuery::first_page() };
    let query = query.with_in("project_id", found.keys());
    for environment in app.store.environments(&permit, &query).await?.rows {
        found.entry(environment.project).or_default().push(Environment::from(&environment));
    }
    Ok(found)
}

/// The rows of groups that name these projects; each project is there, with an empty list if none
/// does. Who may not read groups sees none of it.
pub(super) async fn group_permissions_on<A: AccessMarker, K: KindMarker>(
    app: &App,
    permit: &Permit<A, K>,
    projects: impl Iterator<Item = ProjectId>,
) -> Result<BTreeMap<ProjectId, Vec<GroupPermission>>, ApiError> {
    let Ok(permit) = permit.also::<Read, Groups>() else { return Ok(BTreeMap::new()) };
    let mut found: BTreeMap<_, _> = projects.map(|project| (project, Vec::new())).collect();
    if found.is_empty() {
        return Ok(found);
    }
    let projects: Vec<_> = found.keys().copied().collect();
    for (project, group, row) in app.store.group_grants_on(&permit, &projects).await? {
        let rows = GroupPermission::of(permit.account(), group, &row);
        found.entry(project).or_default().extend(rows);
    }
    Ok(found)
}

/// Which rows of a page are deleted. What the store gives does not say; where a caller lists both
/// kinds, the deleted ones among the rows are asked for once more.
pub(in crate::admin) async fn deleted<T, F>(
    asked: &ListParams,
    page: &Paged<T>,
    id: impl Fn(&T) -> i64,
    list: impl FnOnce(ListQuery) -> F,
) -> Result<BTreeSet<i64>, ApiError>
where
    F: Future<Output = Result<Paged<T>, StoreError>>,
{
    let ids = page.rows.iter().map(&id);
    match asked.query.state {
        None | Some(StateFilter::Active) => Ok(BTreeSet::new()),
        Some(StateFilter::Deleted) => Ok(ids.collect()),
        Some(StateFilter::All) => {
            let query = ListQuery {
                state: Some(StateFilter::Deleted),
                ..ListQuery::first_page().with_in("id", ids)
            };
            Ok(list(query).await?.rows.iter().map(id).collect())
        }
    }
}
