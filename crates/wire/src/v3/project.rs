//! Projects (documents: `ProjectResponse`, the same in v2 and v3).

use domain::{
    ConnectionId, JobId, RepositoryId,
    project::{ProjectSpec, Subdirectory},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Environment, GroupPermission, RelatedConnection, Repository};
use crate::{Invalid, Patch, field};

/// A project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Project {
    /// Its id.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// What people call it.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// 0 default, 1 hybrid.
    pub r#type: u8,
    /// Where `dbt_project.yml` stands in the repository; null is its root.
    pub dbt_project_subdirectory: Option<String>,
    /// The connection that its environments use unless they name another.
    pub connection_id: Option<i64>,
    /// Where its code is.
    pub repository_id: Option<i64>,
    /// The job whose docs are shown.
    pub docs_job_id: Option<i64>,
    /// The job whose source freshness is shown.
    pub freshness_job_id: Option<i64>,
    /// Always null.
    pub semantic_layer_config_id: Option<i64>,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// Null unless asked for by `include_related`.
    pub connection: Option<RelatedConnection>,
    /// Null unless asked for by `include_related`.
    pub repository: Option<Repository>,
    /// Null unless asked for by `include_related`.
    pub environments: Option<Vec<Environment>>,
    /// Rows of groups that name this project; null unless asked for by `include_related`.
    pub group_permissions: Option<Vec<GroupPermission>>,
    /// The job of `docs_job_id`, as v2 has it; null unless asked for by `include_related`.
    pub docs_job: Option<Value>,
    /// The job of `freshness_job_id`, as v2 has it; null unless asked for by `include_related`.
    pub freshness_job: Option<Value>,
    /// Always null.
    pub fusion_readiness: Option<Value>,
    /// Always null.
    pub default_version: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

impl From<&domain::project::Project> for Project {
    fn from(project: &domain::project::Project) -> Self {
        let spec = &project.spec;
        Self {
            id: project.id.get(),
            account_id: project.account.get(),
            name: spec.name.to_string(),
            description: spec.description.clone(),
            r#type: spec.kind,
            dbt_project_subdirectory: spec.subdirectory.clone().map(Into::into),
            connection_id: spec.connection.map(Into::into),
            repository_id: spec.repository.map(Into::into),
            docs_job_id: spec.docs_job.map(Into::into),
            freshness_job_id: spec.freshness_job.map(Into::into),
            // The configuration names the project: whoever may read it is told.
            semantic_layer_config_id: None,
            state: 1,
            connection: None,
            repository: None,
            environments: None,
            group_permissions: None,
            docs_job: None,
            freshness_job: None,
            fusion_readiness: None,
            default_version: None,
            created_at: project.created_at.to_string(),
            updated_at: project.updated_at.to_string(),
        }
    }
}

impl Project {
    /// The same, deleted.
    #[must_use]
    pub fn deleted(self) -> Self {
        Self { state: 2, ..self }
    }
}

/// The body that makes or changes a project. Keys that are absent keep their value; other keys
/// are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ProjectBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// 1 to 255 characters; required.
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// At most 4,096 characters.
    #[schema(value_type = Option<String>)]
    pub description: Patch<String>,
    /// 0 default, 1 hybrid; 0 unless given.
    #[schema(value_type = Option<i64>)]
    pub r#type: Patch<i64>,
    /// A folder inside the repository: relative, without `..`.
    #[schema(value_type = Option<String>)]
    pub dbt_project_subdirectory: Patch<String>,
    /// A connection of the account.
    #[schema(value_type = Option<i64>)]
    pub connection_id: Patch<i64>,
    /// A repository of the project.
    #[schema(value_type = Option<i64>)]
    pub repository_id: Patch<i64>,
    /// A job of the project.
    #[schema(value_type = Option<i64>)]
    pub docs_job_id: Patch<i64>,
    /// A job of the project.
    #[schema(value_type = Option<i64>)]
    pub freshness_job_id: Patch<i64>,
    /// The project's Semantic Layer configuration, or null: the link follows the configuration.
    #[schema(value_type = Option<i64>)]
    pub semantic_layer_config_id: Patch<i64>,
    /// 1; or 2, which deletes it.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
}

impl ProjectBody {
    /// Whether the body deletes the project.
    #[must_use]
    pub const fn deletes(&self) -> bool {
        field::deletes(&self.state)
    }

    /// The project that it makes.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn create(self) -> Result<ProjectSpec, Invalid> {
        self.over(None)
    }

    /// What it makes of a project that is there.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn apply(self, old: ProjectSpec) -> Result<ProjectSpec, Invalid> {
        self.over(Some(old))
    }

    fn over(self, old: Option<ProjectSpec>) -> Result<ProjectSpec, Invalid> {
        let mut bad = Invalid::collector();
        let bad = &mut bad;
        field::state(bad, &self.state);
        let name = field::name(bad, self.name, old.is_none());
        let description =
            field::read(bad, "description", self.description, |text| field::prose(text, 4096));
        let kind = field::read(bad, "type", self.r#type, kind);
        let subdirectory = field::or_null(self.dbt_project_subdirectory);
        let subdirectory = field::read(bad, "dbt_project_subdirectory", subdirectory, |text| {
            Subdirectory::parse(&text)
        });
        let connection = field::id(bad, "connection_id", self.connection_id, ConnectionId::new);
        let repository = field::id(bad, "repository_id", self.repository_id, RepositoryId::new);
        let docs_job = field::id(bad, "docs_job_id", self.docs_job_id, JobId::new);
        let freshness_job = field::id(bad, "freshness_job_id", self.freshness_job_id, JobId::new);
        std::mem::take(bad).finish()?;
        let old = old
            .or_else(|| name.clone().map(ProjectSpec::named))
            .ok_or_else(|| Invalid::field("name", "is required"))?;
        Ok(ProjectSpec {
            name: name.unwrap_or(old.name),
            description: description.over(Some(old.description)).unwrap_or_default(),
            subdirectory: subdirectory.over(old.subdirectory),
            connection: connection.over(old.connection),
            repository: repository.over(old.repository),
            kind: kind.or_keep(old.kind),
            docs_job: docs_job.over(old.docs_job),
            freshness_job: freshness_job.over(old.freshness_job),
        })
    }
}

fn kind(number: i64) -> Result<u8, &'static str> {
    match number {
        0 => Ok(0),
        1 => Ok(1),
        _ => Err("must be 0 (default) or 1 (hybrid)"),
    }
}
