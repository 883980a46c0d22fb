//! Grants as rows: one permission set and project a row, for tokens and groups alike.

use domain::{
    ProjectId,
    authz::{Grant, Projects},
};
use serde_json::{Value, json};

use crate::{StoreError, groups, service_tokens, tx::Tx};

/// The columns of a permission row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GrantKey {
    /// The permission set's key.
    pub set: String,
    /// `None` is all projects.
    pub project: Option<i64>,
    /// The wire's words, with commas between them.
    pub categories: String,
}

/// The rows of these grants, in their order: a grant on several projects is a row for each.
pub(crate) fn keys(grants: &[Grant]) -> Vec<GrantKey> {
    grants.iter().flat_map(rows).collect()
}

fn rows(grant: &Grant) -> Vec<GrantKey> {
    let row = |project: Option<ProjectId>| GrantKey {
        set: grant.permission_set().key().to_owned(),
        project: project.map(ProjectId::get),
        categories: grant.raised().words().join(","),
    };
    match grant.projects() {
        Projects::All => vec![row(None)],
        Projects::Only(projects) => projects.iter().map(|project| row(Some(*project))).collect(),
    }
}

impl GrantKey {
    /// What an audit record says of it.
    pub(crate) fn said(&self) -> Value {
        let words: Vec<_> = self.categories.split(',').filter(|word| !word.is_empty()).collect();
        json!({
            "permission_set": self.set,
            "project_id": self.project,
            "writable_environment_categories": words,
        })
    }
}

/// Takes a deleted project out of all grants, of service tokens and of groups, with their audit
/// records and events. What named only this project is left with nothing there, never with more.
pub(crate) async fn forget_project(tx: &mut Tx, project: ProjectId) -> Result<(), StoreError> {
    service_tokens::drop_grants_on(tx, project).await?;
    groups::drop_grants_on(tx, project).await
}
