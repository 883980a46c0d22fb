//! Adapters of a project (documents: `DbtAdapterResponse`, `DbtAdapterRequest`).

use domain::{
    adapter::AdapterVersion, authz::PrincipalId, kept::Kept,
    project_adapter::ProjectAdapter as Spec,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{Invalid, KeptBody, KeptFace, Patch, field, kept::of_project};

/// An adapter of a project, as v3 has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProjectAdapter {
    /// Its id: credentials and connections of the project name it as `adapter_id`.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// The project that it belongs to.
    pub project_id: Option<i64>,
    /// The user who made it, if it was one.
    pub created_by_id: Option<i64>,
    /// The service token that made it, if it was one.
    pub created_by_service_token_id: Option<i64>,
    /// The data platform, as connections have it.
    pub adapter_version: String,
    /// What was noted beside it.
    pub metadata_json: Value,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

impl From<&Kept<Spec>> for ProjectAdapter {
    fn from(kept: &Kept<Spec>) -> Self {
        let (user, token) = authors(kept.spec.created_by);
        Self {
            id: kept.id.get(),
            account_id: kept.account.get(),
            project_id: kept.project.map(Into::into),
            created_by_id: user,
            created_by_service_token_id: token,
            adapter_version: kept.spec.adapter_version.version.to_owned(),
            metadata_json: kept.spec.metadata_json.clone(),
            state: field::state_of(kept.deleted),
            created_at: kept.created_at.to_string(),
            updated_at: kept.updated_at.to_string(),
        }
    }
}

/// `created_by_id` and `created_by_service_token_id`.
pub(super) fn authors(author: Option<PrincipalId>) -> (Option<i64>, Option<i64>) {
    match author {
        Some(PrincipalId::User(id)) => (Some(id.get()), None),
        Some(PrincipalId::ServiceToken(id)) => (None, Some(id.get())),
        Some(PrincipalId::System(_)) | None => (None, None),
    }
}

/// The body that makes or changes an adapter of a project. Keys that are absent keep their value;
/// other keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ProjectAdapterBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// The project, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub project_id: Patch<i64>,
    /// One of those that `adapter-schema` knows; required, and never changed.
    #[schema(value_type = Option<String>)]
    pub adapter_version: Patch<String>,
    /// Any JSON, at most 64 KiB, read back as it is; `{}` unless given.
    #[schema(value_type = Option<Value>)]
    pub metadata_json: Patch<Value>,
    /// 1; or 2, which deletes it.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
}

impl KeptFace for Spec {
    type Told = ProjectAdapter;
    type Body = ProjectAdapterBody;
}

impl KeptBody for ProjectAdapterBody {
    type Noun = Spec;

    of_project! {}

    /// Who makes it is the handler's to say.
    fn over(self, old: Option<Spec>) -> Result<Spec, Invalid> {
        let mut bad = Invalid::collector();
        field::state(&mut bad, &self.state);
        let metadata = field::read(&mut bad, "metadata_json", self.metadata_json, field::bounded);
        let version = field::read(&mut bad, "adapter_version", self.adapter_version, |version| {
            AdapterVersion::parse(&version)
        });
        let kept = old.as_ref().map(|old| old.adapter_version);
        let version = match (version.value(), kept) {
            (Some(given), Some(kept)) if given != kept => {
                let reason = format!("cannot be changed: it is `{}`", kept.version);
                bad.note("adapter_version", reason);
                None
            }
            (given, kept) => given.or(kept),
        };
        if version.is_none() {
            bad.note("adapter_version", "is required");
        }
        bad.finish()?;
        let (noted, created_by) = old.map_or_else(
            || (Value::Object(serde_json::Map::new()), None),
            |old| (old.metadata_json, old.created_by),
        );
        let metadata_json = metadata.or_keep(noted);
        version
            .map(|adapter_version| Spec { adapter_version, metadata_json, created_by })
            .ok_or_else(|| Invalid::field("adapter_version", "is required"))
    }
}
