//! Nouns that are kept alike: one set of handlers for all of them. What sets one apart stands in
//! `domain` (its spec) and in `wire` (its JSON); its routes name it: `kept::list::<Notification>`.

use axum::extract::State;
use domain::{
    ProjectId,
    authz::{Permit, Read, Write},
    kept::{Id, Kept},
};
use wire::{KeptBody, KeptFace, Patch};

use super::v3::{same_account, same_project, within};
use crate::{
    answer::{Created, Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Body, Query},
};

/// `GET …/accounts/{account_id}/…/`
pub(crate) async fn list<N: KeptFace>(
    permit: Permit<Read, N::Resource>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Page<N::Told>, ApiError> {
    let page = app.store.kept::<N>(&permit, None, &params.query).await?;
    Ok(Page(params, page.map(|kept| N::Told::from(&kept))))
}

/// `GET …/accounts/{account_id}/…/{id}/`
pub(crate) async fn show<N: KeptFace>(
    permit: Permit<Read, N::Resource>,
    State(app): State<App>,
    At(id): At<Id<N>>,
) -> Result<Object<N::Told>, ApiError> {
    let kept = app.store.kept_one(&permit, id).await?;
    Ok(Object(N::Told::from(&kept)))
}

/// `POST …/accounts/{account_id}/…/`
pub(crate) async fn create<N: KeptFace>(
    permit: Permit<Write, N::Resource>,
    State(app): State<App>,
    Body(body): Body<N::Body>,
) -> Result<Created<N::Told>, ApiError> {
    same_account(&permit, body.account())?;
    let project = named_project(body.project())?;
    let secret = body.secret();
    let kept = app.store.keep(&permit, project, body.over(None)?, secret).await?;
    Ok(Created(N::Told::from(&kept)))
}

/// `POST`, `PUT` or `PATCH …/accounts/{account_id}/…/{id}/`: what the body names, or state 2.
pub(crate) async fn update<N: KeptFace>(
    permit: Permit<Write, N::Resource>,
    State(app): State<App>,
    At(id): At<Id<N>>,
    Body(body): Body<N::Body>,
) -> Result<Object<N::Told>, ApiError> {
    same_account(&permit, body.account())?;
    if body.deletes() {
        return delete(permit, State(app), At(id)).await;
    }
    changed(&app, &permit, id, body).await
}

/// `DELETE …/accounts/{account_id}/…/{id}/`: gives what it was, at state 2.
pub(crate) async fn delete<N: KeptFace>(
    permit: Permit<Write, N::Resource>,
    State(app): State<App>,
    At(id): At<Id<N>>,
) -> Result<Object<N::Told>, ApiError> {
    let kept = app.store.delete_kept(&permit, id).await?;
    Ok(Object(N::Told::from(&kept)))
}

/// `GET …/accounts/{account_id}/projects/{project_id}/…/{id}/`
pub(crate) async fn show_of_project<N: KeptFace>(
    permit: Permit<Read, N::Resource>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<Id<N>>,
) -> Result<Object<N::Told>, ApiError> {
    let kept = find(&app, &permit, project, id).await?;
    Ok(Object(N::Told::from(&kept)))
}

/// `POST …/accounts/{account_id}/projects/{project_id}/…/`
pub(crate) async fn create_of_project<N: KeptFace>(
    permit: Permit<Write, N::Resource>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    Body(body): Body<N::Body>,
) -> Result<Created<N::Told>, ApiError> {
    same_account(&permit, body.account())?;
    same_project(project, body.project())?;
    within(&app, &permit, project).await?;
    let secret = body.secret();
    let kept = app.store.keep(&permit, Some(project), body.over(None)?, secret).await?;
    Ok(Created(N::Told::from(&kept)))
}

/// `POST`, `PUT` or `PATCH …/accounts/{account_id}/projects/{project_id}/…/{id}/`: what the body
/// names, or state 2.
pub(crate) async fn update_of_project<N: KeptFace>(
    permit: Permit<Write, N::Resource>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<Id<N>>,
    Body(body): Body<N::Body>,
) -> Result<Object<N::Told>, ApiError> {
    same_account(&permit, body.account())?;
    same_project(project, body.project())?;
    if body.deletes() {
        return delete_of_project(permit, State(app), At(project), At(id)).await;
    }
    find(&app, &permit.also()?, project, id).await?;
    changed(&app, &permit, id, body).await
}

/// `DELETE …/accounts/{account_id}/projects/{project_id}/…/{id}/`: gives what it was, at state 2.
pub(crate) async fn delete_of_project<N: KeptFace>(
    permit: Permit<Write, N::Resource>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<Id<N>>,
) -> Result<Object<N::Told>, ApiError> {
    find(&app, &permit.also()?, project, id).await?;
    let kept = app.store.delete_kept(&permit, id).await?;
    Ok(Object(N::Told::from(&kept)))
}

async fn changed<N: KeptFace>(
    app: &App,
    permit: &Permit<Write, N::Resource>,
    id: Id<N>,
    body: N::Body,
) -> Result<Object<N::Told>, ApiError> {
    let secret = body.secret();
    let change = |spec| body.over(Some(spec)).map_err(ApiError::from);
    let kept = app.store.update_kept(permit, id, secret, change).await?;
    Ok(Object(N::Told::from(&kept)))
}

/// One of the path's project.
async fn find<N: KeptFace>(
    app: &App,
    permit: &Permit<Read, N::Resource>,
    project: ProjectId,
    id: Id<N>,
) -> Result<Kept<N>, ApiError> {
    let kept = app.store.kept_one(permit, id).await?;
    if kept.project == Some(project) { Ok(kept) } else { Err(ApiError::NotFound) }
}

/// The project that a body of the account's level is about.
fn named_project(named: &Patch<i64>) -> Result<Option<ProjectId>, ApiError> {
    match named {
        Patch::Absent | Patch::Null | Patch::Value(0) => Ok(None),
        Patch::Value(id) => {
            let project = ProjectId::new(*id);
            project.map(Some).map_err(|wrong| ApiError::field("project_id", wrong))
        }
    }
}
