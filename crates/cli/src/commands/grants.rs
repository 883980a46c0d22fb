//! Grants as the command line says them: `job_admin:7,8`.

use domain::{
    ProjectId,
    authz::{Grant, PermissionSet, Projects},
};
use serde_json::{Value, json};

use crate::{args::GrantArgs, error::CliError};

impl GrantArgs {
    /// The grants as the API takes them; the server says what is wrong with them.
    pub(super) fn body(&self) -> Vec<Value> {
        let row = |text: &String| {
            let (set, projects) = text.split_once(':').unwrap_or((text, ""));
            let ids: Vec<Value> = projects
                .split(',')
                .filter(|id| !id.is_empty())
                .map(|id| id.parse::<i64>().map_or_else(|_| json!(id), Value::from))
                .collect();
            let mut row = json!({
                "permission_set": set,
                "writable_environment_categories": self.environments,
            });
            if let Some(row) = row.as_object_mut() {
                if ids.is_empty() {
                    row.insert("all_projects".to_owned(), json!(true));
                } else {
                    row.insert("project_ids".to_owned(), json!(ids));
                }
            }
            row
        };
        self.grants.iter().map(row).collect()
    }
}

/// A grant out of a text such as `job_admin` or `job_admin:7,8`.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub(super) fn parse(text: &str) -> Result<Grant, CliError> {
    let wrong = |error: String| CliError::Other(format!("the permission `{text}`: {error}"));
    let (set, projects) = text.split_once(':').unwrap_or((text, ""));
    let set: PermissionSet = set.trim().parse().map_err(|error| wrong(format!("{error}")))?;
    let projects = if text.contains(':') {
        let ids: Result<Vec<ProjectId>, _> =
            projects.split(',').map(|id| id.trim().parse()).collect();
        let ids = ids.map_err(|error| wrong(format!("a project {error}")))?;
        Projects::only(ids).map_err(|error| wrong(error.to_string()))?
    } else {
        Projects::All
    };
    Grant::new(set, projects).map_err(|error| wrong(error.to_string()))
}

/// A grant as people read it: `Job Admin on 7, 8`.
pub(super) fn told(grants: &[wire::v3::PermissionGrant]) -> String {
    let one = |grant: &wire::v3::PermissionGrant| {
        let place =
            grant.project_id.map_or("all projects".to_owned(), |id| format!("project {id}"));
        let raised = grant.writable_environment_categories.join(", ");
        let raised = if raised.is_empty() { raised } else { format!(", writes in {raised}") };
        format!("{} on {place}{raised}", grant.permission_set)
    };
    grants.iter().map(one).collect::<Vec<_>>().join("\n")
}
