//! Users' own credentials: each user sees and writes theirs alone, by a token of their own.

use axum::extract::State;
use domain::{
    CredentialId, ProjectId, UserId,
    authz::{AccessMarker, Develop, EnvironmentCredentials, OwnTokens, Permit, Read, Write},
    kept::{Id, Kept},
    user_credentials::UserCredentials as Own,
};
use store::StoreError;
use wire::{
    Include, Patch,
    v3::{UserCredentials, UserCredentialsBody},
};

use super::{related, same_account, within};
use crate::{
    admin::v2,
    answer::{Created, Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Body, Query},
};

/// `GET /api/v3/users/{user_id}/credentials/`
pub(crate) async fn list(
    permit: Permit<Read, OwnTokens>,
    State(app): State<App>,
    At(user): At<UserId>,
    Query(params): Query,
) -> Result<Page<UserCredentials>, ApiError> {
    let page = app.store.user_credentials(&permit, user, &params.query).await?;
    let rows = with_related(&app, &permit, &params.include, &page.rows).await?;
    let page = domain::list::Paged { rows, total: page.total };
    Ok(Page(params, page))
}

/// `GET /api/v3/users/{user_id}/credentials/{user_credential_id}/`
pub(crate) async fn show(
    permit: Permit<Read, OwnTokens>,
    State(app): State<App>,
    At(user): At<UserId>,
    At(id): At<Id<Own>>,
    Query(params): Query,
) -> Result<Object<UserCredentials>, ApiError> {
    let found = app.store.one_of_user_credentials(&permit, user, id).await?;
    let found = with_related(&app, &permit, &params.include, &[found]).await?;
    found.into_iter().next().map(Object).ok_or(ApiError::NotFound)
}

/// `POST /api/v3/users/{user_id}/credentials/`
pub(crate) async fn create(
    permit: Permit<Write, OwnTokens>,
    State(app): State<App>,
    At(user): At<UserId>,
    Body(body): Body<UserCredentialsBody>,
) -> Result<Created<UserCredentials>, ApiError> {
    own(&permit, user, &body)?;
    let (project, spec) = body.create(user)?;
    may_develop(&app, &permit, project, spec.credentials_id).await?;
    let made = app.store.create_user_credentials(&permit, project, spec).await?;
    Ok(Created(UserCredentials::from(&made)))
}

/// `POST /api/v3/users/{user_id}/credentials/{user_credential_id}/`: what the body names, or
/// state 2.
pub(crate) async fn update(
    permit: Permit<Write, OwnTokens>,
    State(app): State<App>,
    At(user): At<UserId>,
    At(id): At<Id<Own>>,
    Body(body): Body<UserCredentialsBody>,
) -> Result<Object<UserCredentials>, ApiError> {
    own(&permit, user, &body)?;
    if body.deletes() {
        return delete(permit, State(app), At(user), At(id)).await;
    }
    let before = app.store.one_of_user_credentials(&permit.also()?, user, id).await?;
    let project = before.project.ok_or(ApiError::NotFound)?;
    let credential = body.change(before.project)?;
    if let Some(credential) = credential {
        may_develop(&app, &permit, project, credential).await?;
    }
    let after = app.store.update_user_credentials(&permit, id, credential).await?;
    Ok(Object(UserCredentials::from(&after)))
}

/// `DELETE /api/v3/users/{user_id}/credentials/{user_credential_id}/`: gives what it was, at state
/// 2. The credential itself stays.
pub(crate) async fn delete(
    permit: Permit<Write, OwnTokens>,
    State(app): State<App>,
    At(user): At<UserId>,
    At(id): At<Id<Own>>,
) -> Result<Object<UserCredentials>, ApiError> {
    let deleted = app.store.delete_user_credentials(&permit, user, id).await?;
    Ok(Object(UserCredentials::from(&deleted)))
}

/// That path and body are about the caller. What is another's reads as not found.
fn own(
    permit: &Permit<Write, OwnTokens>,
    user: UserId,
    body: &UserCredentialsBody,
) -> Result<(), ApiError> {
    same_account(permit, &body.account_id)?;
    let caller = domain::authz::PrincipalId::User(user);
    match body.user_id {
        _ if permit.author() != caller => Err(ApiError::NotFound),
        Patch::Value(named) if named != user.get() => Err(ApiError::NotFound),
        Patch::Absent | Patch::Null | Patch::Value(_) => Ok(()),
    }
}

/// That the caller may develop in the project, and read the credential there.
async fn may_develop(
    app: &App,
    permit: &Permit<Write, OwnTokens>,
    project: ProjectId,
    credential: CredentialId,
) -> Result<(), ApiError> {
    let develops: Permit<Write, Develop> = permit.also()?;
    within(app, &develops, project).await?;
    let nothing = || ApiError::field("credentials_id", "does not name a credential within reach");
    let reads = permit.also::<Read, EnvironmentCredentials>().map_err(|_| nothing())?;
    match app.store.warehouse_credential(&reads, credential).await {
        Ok(found) if found.project == project => Ok(()),
        Ok(_) | Err(StoreError::NotFound) => Err(nothing()),
        Err(error) => Err(error.into()),
    }
}

/// Credentials with what the caller wants along, as far as it may read that.
async fn with_related<A: AccessMarker>(
    app: &App,
    permit: &Permit<A, OwnTokens>,
    include: &Include,
    all: &[Kept<Own>],
) -> Result<Vec<UserCredentials>, ApiError> {
    let asked = |name| all.iter().filter(move |_| include.has(name));
    let projects = asked("project").filter_map(|own| own.project);
    let projects = v2::related::projects(app, permit, projects).await?;
    let credentials = asked("credentials").map(|own| own.spec.credentials_id);
    let credentials = related::credentials(app, permit, credentials).await?;
    let whole = all.iter().map(|own| UserCredentials {
        project: own.project.and_then(|project| projects.get(&project).cloned()),
        credentials: credentials.get(&own.spec.credentials_id).cloned(),
        ..UserCredentials::from(own)
    });
    Ok(whole.collect())
}
