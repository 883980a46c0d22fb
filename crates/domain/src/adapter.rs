//! Data platforms: what a connection and a credential of each has to say, in one table.
//!
//! The same table checks bodies, answers `adapter-schema`, tells which fields are secrets, and says
//! under which key of `profiles.yml` each of them goes. Connection fields and their limits are those
//! of the published document's 14 `config` shapes; the keys are those of dbt's adapters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::kept::Hidden;

mod table;

/// A data platform.
#[derive(Debug)]
pub struct Adapter {
    /// The wire's `adapter_version`.
    pub version: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// The wire's word for credentials and project connections of it.
    pub word: &'static str,
    /// `type` in `profiles.yml`.
    pub dbt: &'static str,
    /// What a connection says.
    pub connection: &'static [Field],
    /// What a credential says besides schema, target name and threads.
    pub credential: &'static [Field],
    /// What is the same in each `profiles.yml` of it: key → value.
    pub fixed: &'static [(&'static str, &'static str)],
}

/// Something that a connection or a credential says.
#[derive(Debug)]
pub struct Field {
    /// Its name on the wire.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// Whether it has to be there.
    pub need: Need,
    /// Its key in `profiles.yml`, with a dot where it is inside of another; empty if it is not
    /// written.
    pub key: &'static str,
}

/// What the values of a field are.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// One line, at most this many characters.
    Text(usize),
    /// One line that meets a condition, which the text says.
    With(fn(&str) -> bool, &'static str),
    /// A secret, at most 16,384 bytes: sealed, and never read back.
    Secret,
    /// A whole number in this range.
    Int(i64, i64),
    /// Yes or no.
    Bool,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// Taken, and ignored.
    Ignored,
}

/// Whether a field has to be there.
#[derive(Debug, Clone, Copy)]
pub enum Need {
    /// It has to.
    Required,
    /// It may be missing.
    Optional,
    /// It is this text unless given.
    Text(&'static str),
    /// It is this number unless given.
    Int(i64),
    /// It is this unless given.
    Bool(bool),
}

impl Field {
    /// Whether it is a secret.
    #[must_use]
    pub const fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret)
    }

    /// What it is unless given.
    #[must_use]
    pub fn default_value(&self) -> Option<Value> {
        match self.need {
            Need::Required | Need::Optional => None,
            Need::Text(text) => Some(text.into()),
            Need::Int(number) => Some(number.into()),
            Need::Bool(yes) => Some(yes.into()),
        }
    }

    fn check(&self, value: &Value) -> Result<(), String> {
        match (self.kind, value) {
            (Kind::Text(most), Value::String(text)) => line(text, most),
            (Kind::With(fits, reason), Value::String(text)) => {
                line(text, 1024)?;
                if fits(text) { Ok(()) } else { Err(reason.to_owned()) }
            }
            (Kind::Secret, Value::String(text)) if text.len() > 16_384 || text.contains('\0') => {
                Err("must have at most 16384 bytes, none of them NUL".to_owned())
            }
            (Kind::Ignored, _)
            | (Kind::Bool, Value::Bool(_))
            | (Kind::Secret, Value::String(_)) => Ok(()),
            (Kind::Int(least, most), value) => {
                let fits = value.as_i64().is_some_and(|number| (least..=most).contains(&number));
                let reason = || format!("must be a whole number from {least} to {most}");
                if fits { Ok(()) } else { Err(reason()) }
            }
            (Kind::Words(words), Value::String(text)) if words.contains(&text.as_str()) => Ok(()),
            (Kind::Words(words), _) => {
                let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
                Err(format!("must be {}", words.join(" or ")))
            }
            (Kind::Texts, Value::Array(texts)) if texts.len() <= 100 => {
                texts.iter().try_for_each(|text| match text {
                    Value::String(text) => line(text, 255),
                    _ => Err("must be a list of texts".to_owned()),
                })
            }
            (Kind::Texts, _) => Err("must be a list of at most 100 texts".to_owned()),
            (Kind::Bool, _) => Err("must be true or false".to_owned()),
            (Kind::Text(_) | Kind::With(..) | Kind::Secret, _) => Err("must be a text".to_owned()),
        }
    }
}

fn line(text: &str, most: usize) -> Result<(), String> {
    if text.trim().is_empty() {
        Err("must not be empty".to_owned())
    } else if text.chars().count() > most {
        Err(format!("must have at most {most} characters"))
    } else if text.chars().any(char::is_control) {
        Err("must not contain control characters".to_owned())
    } else {
        Ok(())
    }
}

/// What was read of a connection or a credential.
#[derive(Debug, Default)]
pub struct Filled {
    /// What can be read back.
    pub values: Map<String, Value>,
    /// The secrets that were given.
    pub secrets: FieldSecrets,
    /// What is wrong: field → what would be right.
    pub wrong: BTreeMap<String, String>,
}

/// Reads what is given over what was there (`None` where one is made). A value that is null goes
/// back to its default; a secret that is null or empty keeps what it was.
#[must_use]
pub fn fill(
    version: &str,
    fields: &[Field],
    before: Option<&Map<String, Value>>,
    mut given: Map<String, Value>,
) -> Filled {
    let mut filled = Filled::default();
    for field in fields {
        let value = given.remove(field.name);
        let fine = value.as_ref().filter(|value| !is_nothing(field, value));
        if let Some(Err(reason)) = fine.map(|value| field.check(value)) {
            filled.wrong.insert(field.name.to_owned(), reason);
            continue;
        }
        let text = fine.and_then(Value::as_str);
        if field.is_secret() {
            if let Some(text) = text {
                filled.secrets.0.insert(field.name.to_owned(), Hidden::new(text.to_owned()));
            } else if before.is_none() && matches!(field.need, Need::Required) {
                filled.wrong.insert(field.name.to_owned(), "is required".to_owned());
            }
            continue;
        }
        let kept = before.and_then(|before| before.get(field.name)).filter(|_| value.is_none());
        let ignored = matches!(field.kind, Kind::Ignored);
        match fine.or(kept).cloned().or_else(|| field.default_value()).filter(|_| !ignored) {
            Some(value) => {
                filled.values.insert(field.name.to_owned(), value);
            }
            None if matches!(field.need, Need::Required) => {
                filled.wrong.insert(field.name.to_owned(), "is required".to_owned());
            }
            None => {}
        }
    }
    for (name, _) in given.into_iter().filter(|(_, value)| !value.is_null()) {
        filled.wrong.insert(name, format!("is not a key of `{version}`"));
    }
    filled
}

/// Whether a value says nothing: null, or an empty text where the field may be missing.
fn is_nothing(field: &Field, value: &Value) -> bool {
    let may_be_missing = field.is_secret() || !matches!(field.need, Need::Required);
    value.is_null() || (may_be_missing && value == "")
}

/// The secrets of a connection or a credential, by field. Its `Debug` shows no value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSecrets(pub BTreeMap<String, Hidden>);

impl FieldSecrets {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These over those that were there.
    #[must_use]
    pub fn over(self, mut old: Self) -> Self {
        old.0.extend(self.0);
        old
    }

    /// As they are sealed.
    #[must_use]
    pub fn to_text(&self) -> Hidden {
        let object: Map<String, Value> =
            self.0.iter().map(|(name, secret)| (name.clone(), secret.reveal().into())).collect();
        Hidden::new(Value::Object(object).to_string())
    }

    /// As they were sealed; what is no object of texts (a password that was sealed by itself) is
    /// the field `password`.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let object = serde_json::from_str::<BTreeMap<String, String>>(text);
        let object =
            object.unwrap_or_else(|_| BTreeMap::from([("password".to_owned(), text.to_owned())]));
        Self(object.into_iter().map(|(name, secret)| (name, Hidden::new(secret))).collect())
    }
}

/// A data platform by its `adapter_version`.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AdapterVersion(&'static Adapter);

/// The text is no `adapter_version` that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not the version of an adapter that this server knows: see `adapter-schema`")]
pub struct UnknownAdapter;

impl AdapterVersion {
    /// Looks it up.
    ///
    /// # Errors
    /// [`UnknownAdapter`]
    pub fn parse(text: &str) -> Result<Self, UnknownAdapter> {
        Self::all().find(|adapter| adapter.version == text).ok_or(UnknownAdapter)
    }

    /// All of them, in the order of their versions.
    pub fn all() -> impl Iterator<Item = Self> {
        table::ADAPTERS.iter().map(Self)
    }
}

impl std::ops::Deref for AdapterVersion {
    type Target = Adapter;
    fn deref(&self) -> &Adapter {
        self.0
    }
}

impl PartialEq for AdapterVersion {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
    }
}

impl Eq for AdapterVersion {}

impl std::fmt::Debug for AdapterVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.version)
    }
}

impl std::str::FromStr for AdapterVersion {
    type Err = UnknownAdapter;
    fn from_str(text: &str) -> Result<Self, UnknownAdapter> {
        Self::parse(text)
    }
}

impl TryFrom<String> for AdapterVersion {
    type Error = UnknownAdapter;
    fn try_from(text: String) -> Result<Self, UnknownAdapter> {
        Self::parse(&text)
    }
}

impl From<AdapterVersion> for String {
    fn from(adapter: AdapterVersion) -> Self {
        adapter.version.to_owned()
    }
}
