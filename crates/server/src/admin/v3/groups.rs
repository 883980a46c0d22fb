//! Groups, what they give, and who is in them.

use axum::extract::State;
use domain::{
    GroupId,
    authz::{Groups, Members, Permit, Read, Write},
};
use wire::v3::{AssignGroupsBody, Group, GroupBody, GroupPermission, PermissionRows};

use super::{paged, same_account};
use crate::{
    answer::{Created, Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Body, Query},
};

/// `GET /api/v3/accounts/{account_id}/groups/`
pub(crate) async fn list(
    permit: Permit<Read, Groups>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<Group>, ApiError> {
    let page = app.store.groups(&permit, &params.query).await?;
    Ok(Page(params, page.map(|group| Group::from(&group))))
}

/// `GET /api/v3/accounts/{account_id}/groups/{group_id}/`
pub(crate) async fn show(
    permit: Permit<Read, Groups>,
    State(app): State<App>,
    At(id): At<GroupId>,
) -> Result<Object<Group>, ApiError> {
    let group = app.store.group(&permit, id).await?;
    Ok(Object(Group::from(&group)))
}

/// `POST /api/v3/accounts/{account_id}/groups/`
pub(crate) async fn create(
    permit: Permit<Write, Groups>,
    State(app): State<App>,
    Body(body): Body<GroupBody>,
) -> Result<Created<Group>, ApiError> {
    same_account(&permit, &body.account_id)?;
    let group = app.store.create_group(&permit, body.over(None)?).await?;
    Ok(Created(Group::from(&group)))
}

/// `POST /api/v3/accounts/{account_id}/groups/{group_id}/`: what the body names, or state 2.
pub(crate) async fn update(
    permit: Permit<Write, Groups>,
    State(app): State<App>,
    At(id): At<GroupId>,
    Body(body): Body<GroupBody>,
) -> Result<Object<Group>, ApiError> {
    same_account(&permit, &body.account_id)?;
    let group = if body.deletes() {
        app.store.delete_group(&permit, id).await?
    } else {
        let change = |spec| body.over(Some(spec)).map_err(ApiError::from);
        app.store.update_group(&permit, id, change).await?
    };
    Ok(Object(Group::from(&group)))
}

/// `POST /api/v3/accounts/{account_id}/group-permissions/{group_permission_id}/`, where the id is
/// the group's: replaces all that it gives, all or nothing.
pub(crate) async fn replace_permissions(
    permit: Permit<Write, Groups>,
    State(app): State<App>,
    At(id): At<GroupId>,
    Query(params): Query,
    Body(rows): Body<PermissionRows>,
) -> Result<Page<GroupPermission>, ApiError> {
    let group = app.store.replace_group_grants(&permit, id, rows.grants()?).await?;
    Ok(paged(params, GroupPermission::all_of(&group)))
}

/// `POST /api/v3/accounts/{account_id}/assign-groups/`: the groups that a user is in, all of them.
pub(crate) async fn assign(
    permit: Permit<Write, Members>,
    State(app): State<App>,
    Query(params): Query,
    Body(body): Body<AssignGroupsBody>,
) -> Result<Page<Group>, ApiError> {
    let (user, desired) = body.read()?;
    let shows_grants = permit.also::<Read, Groups>().is_ok();
    let groups = app.store.assign_groups(&permit, user, desired).await?;
    let told = |group| {
        let told = Group::from(&group);
        if shows_grants { told } else { Group { group_permissions: Vec::new(), ..told } }
    };
    Ok(paged(params, groups.into_iter().map(told).collect()))
}
