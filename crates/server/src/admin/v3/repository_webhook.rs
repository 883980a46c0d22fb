//! The hook of a repository, where its git host tells of pushes and pull requests: an addition of
//! ours.

use axum::extract::State;
use domain::{
    ProjectId, RepositoryId,
    authz::{Permit, Read, Repositories, Write},
    git_hook::{GitHook, mint_secret},
    webhook::GitHookKey,
};
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use wire::v3::RepositoryWebhook;

use super::repositories::find;
use crate::{
    answer::{Created, Object},
    app::App,
    error::ApiError,
    extract::At,
};

/// `GET /api/v3/accounts/{account_id}/projects/{project_id}/repositories/{repository_id}/webhook/`
pub(crate) async fn show(
    permit: Permit<Read, Repositories>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<RepositoryId>,
) -> Result<Object<RepositoryWebhook>, ApiError> {
    let hook = app.store.git_hook(&permit, id).await?;
    if hook.project == project { Ok(Object(told(&app, &hook))) } else { Err(ApiError::NotFound) }
}

/// `POST /api/v3/accounts/{account_id}/projects/{project_id}/repositories/{repository_id}/webhook/`:
/// makes it, or gives it another secret.
///
/// The only answer that ever carries `secret`.
pub(crate) async fn arm(
    permit: Permit<Write, Repositories>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<RepositoryId>,
) -> Result<Created<RepositoryWebhook>, ApiError> {
    find(&app, &permit.also()?, project, id).await?;
    let mut rng = UnwrapErr(SysRng);
    let (key, secret) = (GitHookKey::mint(&mut rng), mint_secret(&mut rng));
    let hook = app.store.arm_git_hook(&permit, id, key, &secret).await?;
    let secret = Some(secret.reveal().to_owned());
    Ok(Created(RepositoryWebhook { secret, ..told(&app, &hook) }))
}

/// `DELETE /api/v3/accounts/{account_id}/projects/{project_id}/repositories/{repository_id}/webhook/`:
/// gives what it was.
pub(crate) async fn delete(
    permit: Permit<Write, Repositories>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<RepositoryId>,
) -> Result<Object<RepositoryWebhook>, ApiError> {
    find(&app, &permit.also()?, project, id).await?;
    let hook = app.store.delete_git_hook(&permit, id).await?;
    Ok(Object(told(&app, &hook)))
}

fn told(app: &App, hook: &GitHook) -> RepositoryWebhook {
    RepositoryWebhook::new(hook, &app.public_url)
}
