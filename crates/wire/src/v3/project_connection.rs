//! Connections of one project (documents: `BaseConnectionV3Response`, `BaseConnectionV3Request`),
//! with `details` as clients of that time write them (contract, section 11).

use domain::{
    adapter::{self, AdapterVersion, FieldSecrets},
    connection::{ConnectionSpec, Platform},
    kept::Id,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{
    ConfigBody, RelatedConnection,
    connection::{OtherConfig, platform},
    credential::{ADAPTER, kind},
};
use crate::{Invalid, Patch, field};

/// A connection of one project. Its secrets are in no answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProjectConnection {
    /// What projects and environments carry along, too.
    #[serde(flatten)]
    pub row: RelatedConnection,
    /// Where the data platform is: the keys that `adapter-schema` names; of the type `adapter`
    /// under `connection_details.fields`, beside `adapter_id`.
    #[schema(value_type = Object)]
    pub details: Value,
}

impl From<&domain::connection::Connection> for ProjectConnection {
    fn from(connection: &domain::connection::Connection) -> Self {
        let row = RelatedConnection::from(connection);
        let values = told(&connection.spec.platform);
        let details = if row.r#type == ADAPTER {
            let order: Vec<_> = values.keys().cloned().collect();
            let fields = values.into_iter().map(|(name, value)| (name, json!({ "value": value })));
            json!({
                "adapter_id": connection.spec.adapter_id.map(Id::get),
                "connection_details": {
                    "fields": fields.collect::<Map<_, _>>(), "field_order": order,
                },
            })
        } else {
            Value::Object(values)
        };
        Self { row, details }
    }
}

impl ProjectConnection {
    /// The same, deleted.
    #[must_use]
    pub fn deleted(self) -> Self {
        Self { row: RelatedConnection { state: 2, ..self.row }, ..self }
    }
}

/// What of a platform can be read, with null where nothing is set.
fn told(platform: &Platform) -> Map<String, Value> {
    let values = platform.values();
    let Ok(adapter) = AdapterVersion::parse(platform.adapter_version()) else { return values };
    OtherConfig::of(adapter, &values).0
}

/// The body that makes or changes a connection of a project. Keys that are absent keep their
/// value, those of `details` one by one; other keys are ignored, but for those in `details`, which
/// are refused.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ProjectConnectionBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// The project, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub project_id: Patch<i64>,
    /// 1 to 255 characters; required.
    #[schema(value_type = Option<String>)]
    pub name: Patch<String>,
    /// `postgres`, `redshift`, `snowflake`, `bigquery` or `adapter`; required, and never changed.
    #[schema(value_type = Option<String>)]
    pub r#type: Patch<String>,
    /// The data platform; required where the type is `adapter` and `details` names no
    /// `adapter_id`.
    #[schema(value_type = Option<String>)]
    pub adapter_version: Patch<String>,
    /// Where the data platform is, by the keys that `adapter-schema` names, secrets among them;
    /// or those under `connection_details.fields`, each as `{"value": …}` or as it is. Required.
    #[schema(value_type = Option<Object>)]
    pub details: Patch<ConfigBody>,
    /// 1; or 2, which deletes it.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
    /// Not supported: null.
    #[schema(value_type = Option<String>)]
    pub private_link_endpoint_id: Patch<Value>,
    /// Not supported: null.
    #[schema(value_type = Option<i64>)]
    pub oauth_configuration_id: Patch<Value>,
}

/// `details`, taken apart.
#[derive(Default)]
struct Details {
    values: Map<String, Value>,
    adapter_id: Patch<Value>,
    tunnel_enabled: Patch<Value>,
}

impl Details {
    fn of(body: ConfigBody) -> Self {
        let mut values = body.into_inner();
        let mut take = |key| values.remove(key).map_or(Patch::Absent, Patch::Value);
        let (adapter_id, tunnel_enabled) = (take("adapter_id"), take("tunnel_enabled"));
        let fields = match take("connection_details") {
            Patch::Value(Value::Object(mut detailed)) => detailed.remove("fields"),
            Patch::Value(other) if !other.is_null() => {
                values.insert("connection_details".to_owned(), other);
                None
            }
            Patch::Absent | Patch::Null | Patch::Value(_) => None,
        };
        if let Some(Value::Object(fields)) = fields {
            values.extend(fields.into_iter().map(|(name, value)| match value {
                Value::Object(mut one) => (name, one.remove("value").unwrap_or_default()),
                plain => (name, plain),
            }));
        }
        Self { values, adapter_id, tunnel_enabled }
    }
}

impl ProjectConnectionBody {
    /// The adapter of the project that `details` names, if any.
    ///
    /// # Errors
    /// [`Invalid`] if it is no id.
    pub fn adapter_id(&self) -> Result<Patch<i64>, Invalid> {
        let Some(details) = self.details.clone().value() else { return Ok(Patch::Absent) };
        match Details::of(details).adapter_id {
            Patch::Absent => Ok(Patch::Absent),
            Patch::Null | Patch::Value(Value::Null) => Ok(Patch::Null),
            Patch::Value(value) => value
                .as_i64()
                .map(Patch::Value)
                .ok_or_else(|| Invalid::field("details.adapter_id", "must be a whole number")),
        }
    }

    /// The secrets that it brings; those that it leaves out are kept. `old` is the platform of the
    /// connection that is changed.
    #[must_use]
    pub fn secrets(&self, old: Option<&Platform>) -> FieldSecrets {
        let kept = old.and_then(|old| AdapterVersion::parse(old.adapter_version()).ok());
        let mut unheard = Invalid::collector();
        let adapter = kind(&mut unheard, &self.r#type, &self.adapter_version, kept);
        match (adapter, self.details.clone().value()) {
            (Some(adapter), Some(details)) => {
                let given = Details::of(details).values;
                adapter::fill(adapter.version, adapter.connection, None, given).secrets
            }
            _ => FieldSecrets::default(),
        }
    }

    /// Whether the body deletes the connection.
    #[must_use]
    pub const fn deletes(&self) -> bool {
        field::deletes(&self.state)
    }

    /// The connection that it makes.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field; those of `details` as `details.port`.
    pub fn create(self) -> Result<ConnectionSpec, Invalid> {
        self.over(None)
    }

    /// What it makes of a connection that is there.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field; those of `details` as `details.port`.
    pub fn apply(self, old: ConnectionSpec) -> Result<ConnectionSpec, Invalid> {
        self.over(Some(old))
    }

    fn over(self, old: Option<ConnectionSpec>) -> Result<ConnectionSpec, Invalid> {
        let adapter_id = self.adapter_id()?;
        let mut bad = Invalid::collector();
        field::state(&mut bad, &self.state);
        field::unsupported(&mut bad, "private_link_endpoint_id", &self.private_link_endpoint_id);
        field::unsupported(&mut bad, "oauth_configuration_id", &self.oauth_configuration_id);
        let name = field::name(&mut bad, self.name, old.is_none());
        let before = old.as_ref().map(|old| &old.platform);
        let kept = before.and_then(|old| AdapterVersion::parse(old.adapter_version()).ok());
        let adapter = kind(&mut bad, &self.r#type, &self.adapter_version, kept);
        let details = self.details.value().map(Details::of);
        if details.is_none() && old.is_none() {
            bad.note("details", "is required");
        }
        let given = match (details, adapter) {
            (Some(details), Some(adapter)) => {
                field::unsupported(&mut bad, "details.tunnel_enabled", &details.tunnel_enabled);
                platform(&mut bad, "details", adapter, before, details.values)
            }
            (Some(_), None) | (None, _) => None,
        };
        let adapter_id = field::id(&mut bad, "details.adapter_id", adapter_id, Id::new);
        bad.finish()?;
        let adapter_id = adapter_id.over(old.as_ref().and_then(|old| old.adapter_id));
        let (name, platform) = match old {
            Some(old) => (Some(name.unwrap_or(old.name)), Some(given.unwrap_or(old.platform))),
            None => (name, given),
        };
        match (name, platform) {
            (Some(name), Some(platform)) => Ok(ConnectionSpec { name, platform, adapter_id }),
            (None, _) => Err(Invalid::field("name", "is required")),
            (_, None) => Err(Invalid::field("details", "is required")),
        }
    }
}
