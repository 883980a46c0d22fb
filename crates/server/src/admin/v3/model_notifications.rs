//! Model notifications of an environment.

use axum::extract::State;
use domain::{
    EnvironmentId,
    authz::{Environments, Permit, Read, Write},
    model_notification::ModelNotifications as Spec,
};
use wire::v3::{ModelNotifications, ModelNotificationsBody};

use super::same_account;
use crate::{
    answer::Object,
    app::App,
    error::ApiError,
    extract::{At, Body},
};

/// `GET /api/v3/accounts/{account_id}/environments/{environment_id}/model-notifications/`
pub(crate) async fn show(
    permit: Permit<Read, Environments>,
    State(app): State<App>,
    At(environment): At<EnvironmentId>,
) -> Result<Object<ModelNotifications>, ApiError> {
    let (environment, found) = app.store.model_notifications(&permit, environment).await?;
    let unset = || ModelNotifications::unset(permit.account(), Spec::none(environment.id));
    Ok(Object(found.as_ref().map_or_else(unset, ModelNotifications::from)))
}

/// `POST /api/v3/accounts/{account_id}/environments/{environment_id}/model-notifications/`
pub(crate) async fn set(
    permit: Permit<Write, Environments>,
    State(app): State<App>,
    At(environment): At<EnvironmentId>,
    Body(body): Body<ModelNotificationsBody>,
) -> Result<Object<ModelNotifications>, ApiError> {
    same_account(&permit, &body.account_id)?;
    let change = |old| body.over(old).map_err(ApiError::from);
    let kept = app.store.set_model_notifications(&permit, environment, change).await?;
    Ok(Object(ModelNotifications::from(&kept)))
}
