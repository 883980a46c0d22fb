//! Profiles of a project: kept as other nouns are, and told with the environments that connect by
//! them.

use axum::extract::State;
use domain::{
    ProjectId,
    authz::{DataPlatformConfigs, Permit, Read, Write},
    kept::{Id, Kept},
    list::{Filter, Test},
    profile::Profile as Noun,
};
use wire::v3::{Profile, ProfileBody};

use super::within;
use crate::{
    admin::kept,
    answer::{Object, Page},
    app::App,
    error::ApiError,
    extract::{At, Body, Query},
};

/// `GET /api/v3/accounts/{account_id}/projects/{project_id}/profiles/`
pub(crate) async fn list(
    permit: Permit<Read, DataPlatformConfigs>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    Query(mut params): Query,
) -> Result<Page<Profile>, ApiError> {
    within(&app, &permit, project).await?;
    for filter in &mut params.query.filters {
        by_id(filter);
    }
    let page = app.store.kept::<Noun>(&permit, Some(project), &params.query).await?;
    let environments = app.store.environments_with_profiles(&permit, project).await?;
    Ok(Page(params, page.map(|kept| Profile::bound(&kept, &environments))))
}

/// `GET /api/v3/accounts/{account_id}/projects/{project_id}/profiles/{profile_id}/`
pub(crate) async fn show(
    permit: Permit<Read, DataPlatformConfigs>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<Id<Noun>>,
) -> Result<Object<Profile>, ApiError> {
    let found: Kept<Noun> = app.store.kept_one(&permit, id).await?;
    if found.project != Some(project) {
        return Err(ApiError::NotFound);
    }
    let environments = app.store.environments_with_profiles(&permit, project).await?;
    Ok(Object(Profile::bound(&found, &environments)))
}

/// `PATCH /api/v3/accounts/{account_id}/projects/{project_id}/profiles/{profile_id}/`: what the
/// body names.
pub(crate) async fn update(
    permit: Permit<Write, DataPlatformConfigs>,
    State(app): State<App>,
    At(project): At<ProjectId>,
    At(id): At<Id<Noun>>,
    Body(body): Body<ProfileBody>,
) -> Result<Object<Profile>, ApiError> {
    let reading = permit.also()?;
    let app = State(app);
    let changed =
        kept::update_of_project::<Noun>(permit, app.clone(), At(project), At(id), Body(body));
    let Object(changed) = changed.await?;
    if changed.state == 2 {
        Ok(Object(changed))
    } else {
        show(reading, app, At(project), At(id)).await
    }
}

/// `profile_ids=1,2` is `id__in=[1,2]`.
fn by_id(filter: &mut Filter) {
    if let ("profile_ids", Test::Is(text)) = (filter.field.as_str(), &filter.test) {
        let ids = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|id| !id.is_empty());
        *filter =
            Filter { field: "id".to_owned(), test: Test::In(ids.map(str::to_owned).collect()) };
    }
}
