//! Environments (documents: `EnvironmentV3Response`, `EnvironmentV3Request`).

use domain::{
    ConnectionId, CredentialId,
    authz::Category,
    environment::{BranchName, EnvironmentSpec},
    kept::Id,
    list::{Filter, ListQuery, Test},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Credential, Project, RelatedConnection, Repository};
use crate::{Invalid, Patch, field, invalid::Collector};

/// An environment, as v3 has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "key by key the document's")]
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
    /// Keys that go into `profiles.yml` over connection and credential.
    pub extended_attributes_id: Option<i64>,
    /// The profile that its jobs connect by, in place of connection, credential and extended
    /// attributes.
    pub primary_profile_id: Option<i64>,
    /// Whether `custom_branch` counts.
    pub use_custom_branch: bool,
    /// The branch to check out in place of the repository's default.
    pub custom_branch: Option<String>,
    /// Kept and echoed.
    pub supports_docs: bool,
    /// Whether other jobs can defer to it: whether its type is `deployment`.
    pub is_deferrable: bool,
    /// Kept and echoed.
    pub enable_model_query_history: bool,
    /// Always false.
    pub enable_dbt_state: bool,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// Null unless asked for by `include_related`.
    #[schema(no_recursion)]
    pub project: Option<Box<Project>>,
    /// Null unless asked for by `include_related`.
    pub connection: Option<RelatedConnection>,
    /// Null unless asked for by `include_related`.
    pub credentials: Option<Credential>,
    /// The project's; null unless asked for by `include_related`.
    pub repository: Option<Repository>,
    /// Always null: Terraform reads a text.
    pub jobs: Option<String>,
    /// Always null: Terraform reads a text.
    pub custom_environment_variables: Option<String>,
    /// Always null.
    pub fusion_readiness: Option<Value>,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

impl From<&domain::environment::Environment> for Environment {
    fn from(environment: &domain::environment::Environment) -> Self {
        let spec = &environment.spec;
        let (word, deployment_type) = words(spec.category);
        Self {
            id: environment.id.get(),
            account_id: environment.account.get(),
            project_id: environment.project.get(),
            name: spec.name.to_string(),
            r#type: word.to_owned(),
            deployment_type: deployment_type.map(str::to_owned),
            dbt_version: spec.dbt_version.clone(),
            raw_dbt_version: spec.dbt_version.clone(),
            connection_id: spec.connection.map(Into::into),
            credentials_id: spec.credential.map(Into::into),
            extended_attributes_id: spec.extended_attributes.map(Id::get),
            primary_profile_id: spec.profile.map(Id::get),
            use_custom_branch: spec.use_custom_branch,
            custom_branch: spec.custom_branch.clone().map(Into::into),
            supports_docs: spec.supports_docs,
            is_deferrable: word == DEPLOYMENT,
            enable_model_query_history: spec.enable_model_query_history,
            enable_dbt_state: false,
            state: 1,
            project: None,
            connection: None,
            credentials: None,
            repository: None,
            jobs: None,
            custom_environment_variables: None,
            fusion_readiness: None,
            created_at: environment.created_at.to_string(),
            updated_at: environment.updated_at.to_string(),
        }
    }
}

impl Environment {
    /// The same, deleted.
    #[must_use]
    pub fn deleted(self) -> Self {
        Self { state: 2, ..self }
    }
}

const DEVELOPMENT: &str = "development";
const DEPLOYMENT: &str = "deployment";

/// The wire's `type` and `deployment_type`.
pub(crate) const fn words(category: Category) -> (&'static str, Option<&'static str>) {
    match category {
        Category::Development => (DEVELOPMENT, None),
        Category::Staging => (DEPLOYMENT, Some("staging")),
        Category::Production => (DEPLOYMENT, Some("production")),
        Category::Other => (DEPLOYMENT, None),
    }
}

/// A query for environments with the wire's `type=deployment` in the store's words: every
/// category but development.
#[must_use]
pub fn environment_query(mut query: ListQuery) -> ListQuery {
    for Filter { field, test } in &mut query.filters {
        if field == "type" && *test == Test::Is(DEPLOYMENT.to_owned()) {
            let deployment = Category::ALL.into_iter().filter(|c| *c != Category::Development);
            *test = Test::In(deployment.map(|category| category.key().to_owned()).collect());
        }
    }
    query
}

/// The body that makes or changes an environment, in v2 and v3. Keys that are absent keep their
/// value; other keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct EnvironmentBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// The project: in v3, if given, the path's; in v2 required where one is made.
    #[schema(value_type = Option<i64>)]
    pub project_id: Patch<i64>,
    /// 1 to 255 characters; required.
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// `development` or `deployment`; `deployment` unless given.
    #[schema(value_type = Option<String>)]
    pub r#type: Patch<String>,
    /// Of a deployment environment: `production`, `staging`, or null for a general one.
    #[schema(value_type = Option<String>)]
    pub deployment_type: Patch<String>,
    /// 1 to 64 letters, digits, and `.`, `-`, `_` or `+`; `latest` unless given.
    #[schema(value_type = Option<String>)]
    pub dbt_version: Patch<String>,
    /// A connection of the account.
    #[schema(value_type = Option<i64>)]
    pub connection_id: Patch<i64>,
    /// A credential of the project.
    #[schema(value_type = Option<i64>)]
    pub credentials_id: Patch<i64>,
    /// Whether `custom_branch` counts.
    #[schema(value_type = Option<bool>)]
    pub use_custom_branch: Patch<bool>,
    /// The branch to check out in place of the repository's default.
    #[schema(value_type = Option<String>)]
    pub custom_branch: Patch<String>,
    /// Kept and echoed.
    #[schema(value_type = Option<bool>)]
    pub supports_docs: Patch<bool>,
    /// Kept and echoed.
    #[schema(value_type = Option<bool>)]
    pub enable_model_query_history: Patch<bool>,
    /// Not supported: false.
    #[schema(value_type = Option<bool>)]
    pub enable_dbt_state: Patch<Value>,
    /// Extended attributes of the project.
    #[schema(value_type = Option<i64>)]
    pub extended_attributes_id: Patch<i64>,
    /// A profile of the project.
    #[schema(value_type = Option<i64>)]
    pub primary_profile_id: Patch<i64>,
    /// 1; or 2, which deletes it.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
}

impl EnvironmentBody {
    /// Whether the body deletes the environment.
    #[must_use]
    pub const fn deletes(&self) -> bool {
        field::deletes(&self.state)
    }

    /// The environment that it makes.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn create(self) -> Result<EnvironmentSpec, Invalid> {
        self.over(None)
    }

    /// What it makes of an environment that is there.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn apply(self, old: EnvironmentSpec) -> Result<EnvironmentSpec, Invalid> {
        self.over(Some(old))
    }

    fn over(self, old: Option<EnvironmentSpec>) -> Result<EnvironmentSpec, Invalid> {
        let mut bad = Invalid::collector();
        let bad = &mut bad;
        field::state(bad, &self.state);
        field::unsupported(bad, "enable_dbt_state", &self.enable_dbt_state);
        let name = field::name(bad, self.name, old.is_none());
        let before = old.as_ref().map_or(Category::Other, |old| old.category);
        let category = category(bad, self.r#type, self.deployment_type, before);
        let dbt_version = field::read(bad, "dbt_version", self.dbt_version, version);
        let connection = field::id(bad, "connection_id", self.connection_id, ConnectionId::new);
        let credential = field::id(bad, "credentials_id", self.credentials_id, CredentialId::new);
        let attributes =
            field::id(bad, "extended_attributes_id", self.extended_attributes_id, Id::new);
        let profile = field::id(bad, "primary_profile_id", self.primary_profile_id, Id::new);
        let custom_branch = field::or_null(self.custom_branch);
        let custom_branch =
            field::read(bad, "custom_branch", custom_branch, |text| BranchName::parse(&text));
        std::mem::take(bad).finish()?;
        let old = old
            .or_else(|| name.clone().map(EnvironmentSpec::named))
            .ok_or_else(|| Invalid::field("name", "is required"))?;
        Ok(EnvironmentSpec {
            name: name.unwrap_or(old.name),
            category,
            dbt_version: dbt_version.or_keep(old.dbt_version),
            connection: connection.over(old.connection),
            credential: credential.over(old.credential),
            extended_attributes: attributes.over(old.extended_attributes),
            profile: profile.over(old.profile),
            use_custom_branch: self.use_custom_branch.or_keep(old.use_custom_branch),
            custom_branch: custom_branch.over(old.custom_branch),
            supports_docs: self.supports_docs.or_keep(old.supports_docs),
            enable_model_query_history: self
                .enable_model_query_history
                .or_keep(old.enable_model_query_history),
        })
    }
}

/// `type` and `deployment_type` together, over what was there.
fn category(
    bad: &mut Collector,
    word: Patch<String>,
    deployment_type: Patch<String>,
    before: Category,
) -> Category {
    let word =
        field::read(bad, "type", word, |text| field::one_of(text, &[DEVELOPMENT, DEPLOYMENT]));
    let deployment_type =
        field::read(bad, "deployment_type", field::or_null(deployment_type), |text| {
            match text.as_str() {
                "production" => Ok(Category::Production),
                "staging" => Ok(Category::Staging),
                _ => Err("must be `production`, `staging` or null"),
            }
        });
    let development = match word.value() {
        Some(word) => word == DEVELOPMENT,
        None => before == Category::Development,
    };
    match (development, deployment_type) {
        (true, Patch::Value(_)) => {
            bad.note("deployment_type", "must be null in a development environment");
            before
        }
        (true, Patch::Absent | Patch::Null) => Category::Development,
        (false, Patch::Value(category)) => category,
        (false, Patch::Absent) if before != Category::Development => before,
        (false, Patch::Absent | Patch::Null) => Category::Other,
    }
}

fn version(text: String) -> Result<String, &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_+".contains(c);
    if (1..=64).contains(&text.len()) && text.chars().all(plain) {
        Ok(text)
    } else {
        Err("must be 1 to 64 letters, digits, and `.`, `-`, `_` or `+`")
    }
}
