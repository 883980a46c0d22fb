//! Extended attributes (documents: `ExtendedAttributes`, `ExtendedAttributesCreateBodyRequest`).

use domain::{extended_attributes::ExtendedAttributes as Spec, kept::Kept};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{Invalid, KeptBody, KeptFace, Patch, field, kept::of_project};

/// Extended attributes, as v3 has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExtendedAttributes {
    /// Their id.
    pub id: i64,
    /// The account that they belong to.
    pub account_id: i64,
    /// The project that they belong to.
    pub project_id: Option<i64>,
    /// Keys of a target in `profiles.yml`.
    pub extended_attributes: Map<String, Value>,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// When they were made.
    pub created_at: String,
    /// When they last changed.
    pub updated_at: String,
}

impl From<&Kept<Spec>> for ExtendedAttributes {
    fn from(kept: &Kept<Spec>) -> Self {
        Self {
            id: kept.id.get(),
            account_id: kept.account.get(),
            project_id: kept.project.map(Into::into),
            extended_attributes: kept.spec.extended_attributes.clone(),
            state: field::state_of(kept.deleted),
            created_at: kept.created_at.to_string(),
            updated_at: kept.updated_at.to_string(),
        }
    }
}

/// The body that makes or changes extended attributes. Other keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ExtendedAttributesBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// The project, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub project_id: Patch<i64>,
    /// Replaced as a whole; required where they are made.
    #[schema(value_type = Option<Object>)]
    pub extended_attributes: Patch<Map<String, Value>>,
    /// 1; or 2, which deletes them.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
}

impl KeptFace for Spec {
    type Told = ExtendedAttributes;
    type Body = ExtendedAttributesBody;
}

impl KeptBody for ExtendedAttributesBody {
    type Noun = Spec;

    of_project! {}

    fn over(self, old: Option<Spec>) -> Result<Spec, Invalid> {
        let mut bad = Invalid::collector();
        field::state(&mut bad, &self.state);
        let given =
            field::read(&mut bad, "extended_attributes", self.extended_attributes, field::bounded);
        bad.finish()?;
        let old = old.map(|old| old.extended_attributes);
        let extended_attributes = given.value().or(old);
        extended_attributes
            .map(|extended_attributes| Spec { extended_attributes })
            .ok_or_else(|| Invalid::field("extended_attributes", "is required: an object"))
    }
}
