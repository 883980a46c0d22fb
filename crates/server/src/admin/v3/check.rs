//! May this token do that here? The question that a gateway, or a person, asks.

use axum::extract::State;
use domain::authz::{
    Category, Decision, Identity, Permit, Principal, Read, Scope, decide, explain,
};
use wire::v3::{Check, CheckAnswer, CheckProjects, CheckRequest};

use crate::{answer::Object, app::App, error::ApiError, extract::Body};

/// `POST /api/v3/accounts/{account_id}/check/`
///
/// Asks about the token that calls; about another one if `service_token_id` names it, for which
/// the caller has to read service tokens. Nothing is done, and nothing is counted as a use of
/// that other token.
pub(crate) async fn check(
    permit: Permit<Read, Identity>,
    State(app): State<App>,
    Body(asked): Body<CheckRequest>,
) -> Result<Object<CheckAnswer>, ApiError> {
    let asked = Check::try_from(asked)?;
    let Some(id) = asked.token else {
        return Ok(Object(answer(permit.principal(), asked)));
    };
    let token = app.store.service_token(&permit.also()?, id).await?;
    let now = app.store.clock().now();
    let grants = if token.is_usable(now) {
        token.grants.into_iter().map(|row| row.grant).collect()
    } else {
        Vec::new()
    };
    let terms = *permit.principal().terms();
    Ok(Object(answer(&Principal::service_token(id, 0, terms, grants), asked)))
}

fn answer(principal: &Principal, asked: Check) -> CheckAnswer {
    let scope = match decide(principal, asked.action) {
        Decision::Allow(scope) => scope,
        Decision::Deny => Scope::nowhere(),
    };
    let allowed = allows(&scope, asked);
    let sets = if allowed { Vec::new() } else { explain(asked.action, principal.terms().plan) };
    CheckAnswer {
        allowed,
        reason: (!allowed).then(|| reason(&scope, asked)),
        resource: asked.action.on.key().to_owned(),
        action: asked.action.access.key().to_owned(),
        project_id: asked.project.map(domain::ProjectId::get),
        projects: CheckProjects::from(&scope),
        permission_sets: sets.into_iter().map(Into::into).collect(),
    }
}

/// Without a project: anywhere. Without a category: in environments of every category.
fn allows(scope: &Scope, asked: Check) -> bool {
    match (asked.project, asked.category) {
        (None, _) => !scope.is_nowhere(),
        (Some(project), Some(category)) => scope.categories_in(project).has(category),
        (Some(project), None) => {
            let held = scope.categories_in(project);
            Category::ALL.into_iter().all(|category| held.has(category))
        }
    }
}

fn reason(scope: &Scope, asked: Check) -> String {
    let action = asked.action;
    match asked.project {
        _ if scope.is_nowhere() => format!("no grant holds {action}"),
        Some(project) if scope.categories_in(project).is_empty() => {
            format!("{action} is granted on other projects, not on project {project}")
        }
        Some(project) => {
            let held = scope.categories_in(project).words().join(", ");
            format!("in project {project} {action} is granted in {held} environments only")
        }
        None => format!("no grant holds {action}"),
    }
}
