//! Environments (document: `EnvironmentV2Response`). The body is v3's.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Job;
use crate::v3::{self, Credential, EnvironmentVariable, Project, RelatedConnection, Repository};

/// An environment, as v2 has it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = EnvironmentV2)]
pub struct Environment {
    /// Its id.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// The project that it belongs to.
    pub project_id: i64,
    /// What people call it.
    pub name: String,
    /// `development` or `deployment`.
    pub r#type: String,
    /// Of a deployment environment: `production`, `staging`, or null for a general one.
    pub deployment_type: Option<String>,
    /// The dbt version, as asked for.
    pub dbt_version: String,
    /// The same.
    pub raw_dbt_version: String,
    /// The connection that its jobs use; null takes the project's.
    pub connection_id: Option<i64>,
    /// The credential that its jobs use.
    pub credentials_id: Option<i64>,
    /// The project's; null unless `project` or `repository` is asked for.
    pub repository_id: Option<i64>,
    /// The project's; null unless `project` or `repository` is asked for.
    pub dbt_project_subdirectory: Option<String>,
    /// Keys that go into `profiles.yml` over connection and credential.
    pub extended_attributes_id: Option<i64>,
    /// Whether `custom_branch` counts.
    pub use_custom_branch: bool,
    /// The branch to check out in place of the repository's default.
    pub custom_branch: Option<String>,
    /// Kept and echoed.
    pub supports_docs: bool,
    /// Always null.
    pub created_by_id: Option<i64>,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// Null unless asked for by `include_related`.
    pub project: Option<Box<Project>>,
    /// The project's; null unless asked for by `include_related`.
    pub repository: Option<Repository>,
    /// Null unless asked for by `include_related`.
    pub connection: Option<RelatedConnection>,
    /// Null unless asked for by `include_related`.
    pub credentials: Option<Credential>,
    /// Its jobs; null unless asked for by `include_related`. The client has no use for it.
    #[serde(skip_deserializing)]
    #[schema(no_recursion)]
    pub jobs: Option<Vec<Job>>,
    /// The values that variables have in it; null unless asked for by `include_related`.
    pub custom_environment_variables: Option<Vec<EnvironmentVariable>>,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

impl From<&domain::environment::Environment> for Environment {
    fn from(environment: &domain::environment::Environment) -> Self {
        v3::Environment::from(environment).into()
    }
}

impl From<v3::Environment> for Environment {
    /// Related objects come along.
    fn from(environment: v3::Environment) -> Self {
        let project = environment.project.as_deref();
        Self {
            repository_id: project.and_then(|project| project.repository_id),
            dbt_project_subdirectory: project
                .and_then(|project| project.dbt_project_subdirectory.clone()),
            id: environment.id,
            account_id: environment.account_id,
            project_id: environment.project_id,
            name: environment.name,
            r#type: environment.r#type,
            deployment_type: environment.deployment_type,
            dbt_version: environment.dbt_version,
            raw_dbt_version: environment.raw_dbt_version,
            connection_id: environment.connection_id,
            credentials_id: environment.credentials_id,
            extended_attributes_id: environment.extended_attributes_id,
            use_custom_branch: environment.use_custom_branch,
            custom_branch: environment.custom_branch,
            supports_docs: environment.supports_docs,
            created_by_id: None,
            state: environment.state,
            project: environment.project,
            repository: environment.repository,
            connection: environment.connection,
            credentials: environment.credentials,
            jobs: None,
            custom_environment_variables: None,
            created_at: environment.created_at,
            updated_at: environment.updated_at,
        }
    }
}
