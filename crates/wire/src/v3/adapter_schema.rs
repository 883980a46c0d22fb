//! What connections and credentials of a data platform say (document: `AdapterSchemaResponse`).

use std::collections::BTreeMap;

use domain::adapter::{AdapterVersion, Field, Kind, Need};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// The schema of an adapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AdapterSchema {
    /// The adapter.
    pub adapter: AdapterFace,
}

/// An adapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AdapterFace {
    /// What it is called, and where its documentation is.
    pub metadata: AdapterMetadata,
    /// What a connection says in `config`.
    pub connection: AdapterFields,
    /// What a credential says in `credential_details`, besides `schema`, `target_name` and
    /// `threads`.
    pub credential: AdapterFields,
}

/// What an adapter is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AdapterMetadata {
    /// For people.
    pub title: String,
    /// dbt's page on it.
    pub docs_link: String,
    /// Always empty.
    pub image_link: String,
    /// Always null: there are no private links.
    pub private_link: Option<Value>,
}

/// The fields of a connection or a credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AdapterFields {
    /// Their order.
    pub field_order: Vec<String>,
    /// Always empty.
    pub field_groups: Vec<String>,
    /// Each of them: a documented addition.
    pub fields: BTreeMap<String, AdapterField>,
}

/// A field of a connection or a credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AdapterField {
    /// `text`, `number`, `boolean`, `list` or `ignored`.
    pub r#type: String,
    /// Whether it has to be there.
    pub required: bool,
    /// Whether it is sealed, and in no answer.
    pub secret: bool,
    /// What it is unless given.
    pub default: Option<Value>,
    /// The words that it may be.
    pub options: Option<Vec<String>>,
    /// The least number.
    pub minimum: Option<i64>,
    /// The largest number.
    pub maximum: Option<i64>,
    /// The most characters.
    pub max_length: Option<usize>,
}

impl From<AdapterVersion> for AdapterSchema {
    fn from(adapter: AdapterVersion) -> Self {
        let page = format!(
            "https://docs.getdbt.com/docs/core/connect-data-platform/{}-setup",
            adapter.dbt
        );
        Self {
            adapter: AdapterFace {
                metadata: AdapterMetadata {
                    title: adapter.title.to_owned(),
                    docs_link: page,
                    image_link: String::new(),
                    private_link: None,
                },
                connection: fields(adapter.connection),
                credential: fields(adapter.credential),
            },
        }
    }
}

fn fields(fields: &[Field]) -> AdapterFields {
    AdapterFields {
        field_order: fields.iter().map(|field| field.name.to_owned()).collect(),
        field_groups: Vec::new(),
        fields: fields.iter().map(|field| (field.name.to_owned(), field.into())).collect(),
    }
}

impl From<&Field> for AdapterField {
    fn from(field: &Field) -> Self {
        let (word, options, range, max_length) = match field.kind {
            Kind::Text(most) => ("text", None, None, Some(most)),
            Kind::With(..) => ("text", None, None, Some(1024)),
            Kind::Secret => ("text", None, None, Some(16_384)),
            Kind::Words(words) => ("text", Some(words), None, None),
            Kind::Int(least, most) => ("number", None, Some((least, most)), None),
            Kind::Bool => ("boolean", None, None, None),
            Kind::Texts => ("list", None, None, None),
            Kind::Ignored => ("ignored", None, None, None),
        };
        Self {
            r#type: word.to_owned(),
            required: matches!(field.need, Need::Required),
            secret: field.is_secret(),
            default: field.default_value(),
            options: options.map(|words| words.iter().map(|&word| word.to_owned()).collect()),
            minimum: range.map(|(least, _)| least),
            maximum: range.map(|(_, most)| most),
            max_length,
        }
    }
}
