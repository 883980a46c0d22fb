//! `/api/v3`.

use domain::{
    ProjectId,
    authz::{AccessMarker, KindMarker, Permit, Read, kinds::Projects},
    list::{Paged, Test},
};
use wire::{ListParams, Patch};

use crate::{answer::Page, app::App, error::ApiError};

pub(crate) mod adapter_schema;
pub(crate) mod audit_logs;
pub(crate) mod check;
pub(crate) mod connections;
pub(crate) mod credentials;
pub(crate) mod environment_variables;
pub(crate) mod environments;
pub(crate) mod groups;
pub(crate) mod invites;
pub(crate) mod ip_restrictions;
pub(crate) mod least_privilege;
pub(crate) mod many_tokens;
pub(crate) mod model_notifications;
pub(crate) mod personal_tokens;
pub(crate) mod profiles;
pub(crate) mod project_adapters;
pub(crate) mod project_connections;
pub(crate) mod project_permissions;
pub(crate) mod projects;
mod related;
pub(crate) mod repositories;
pub(crate) mod repository_webhook;
pub(crate) mod self_token;
pub(crate) mod service_tokens;
pub(crate) mod source_freshness;
pub(crate) mod token_policy;
pub(crate) mod token_proposals;
pub(crate) mod token_restrictions;
pub(crate) mod token_rotations;
pub(crate) mod token_use;
pub(crate) mod usage;
pub(crate) mod user_credentials;
pub(crate) mod users;
pub(crate) mod webhooks;

/// A body that names an account has to name the path's: an id of another reads as not found.
pub(crate) fn same_account<A: AccessMarker, K: KindMarker>(
    permit: &Permit<A, K>,
    named: &Patch<i64>,
) -> Result<(), ApiError> {
    match named {
        Patch::Value(id) if *id != permit.account().get() => Err(ApiError::NotFound),
        Patch::Absent | Patch::Null | Patch::Value(_) => Ok(()),
    }
}

/// A body that names a project has to name the path's: an id of another reads as not found.
pub(crate) fn same_project(project: ProjectId, named: &Patch<i64>) -> Result<(), ApiError> {
    match named {
        Patch::Value(id) if *id != project.get() => Err(ApiError::NotFound),
        Patch::Absent | Patch::Null | Patch::Value(_) => Ok(()),
    }
}

/// Holds a permit to the project that a collection belongs to; one that is out of reach, or not
/// there at all as far as the caller may know, is not found.
pub(crate) async fn within<A: AccessMarker, K: KindMarker>(
    app: &App,
    permit: &Permit<A, K>,
    project: ProjectId,
) -> Result<(), ApiError> {
    permit.among(project)?;
    match permit.also::<Read, Projects>() {
        Ok(projects) if projects.within(project).is_ok() => {
            app.store.project(&projects, project).await?;
        }
        Ok(_) | Err(_) => {}
    }
    Ok(())
}

/// A page of rows that are few and in hand, in their order.
pub(crate) fn paged<T>(params: ListParams, rows: Vec<T>) -> Page<T> {
    let total = rows.len() as u64;
    let offset = usize::try_from(params.query.offset).unwrap_or(usize::MAX);
    let rows = rows.into_iter().skip(offset).take(params.query.limit.into()).collect();
    Page(params, Paged { rows, total })
}

/// What a parameter names, such as an id.
pub(crate) fn named<I: std::str::FromStr<Err: ToString>>(
    params: &ListParams,
    name: &str,
) -> Result<Option<I>, ApiError> {
    let given = params.query.filters.iter().find_map(|filter| match &filter.test {
        Test::Is(text) if filter.field == name => Some(text),
        _ => None,
    });
    given
        .map(|text| text.parse().map_err(|wrong: I::Err| ApiError::field(name, wrong.to_string())))
        .transpose()
}
