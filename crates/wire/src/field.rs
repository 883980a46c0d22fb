//! Fields that many bodies have: each is read on its own, and what is wrong is noted under its
//! name.

use domain::{InvalidId, Name, authz::License};
use serde::Serialize;
use serde_json::Value;

use crate::{Patch, invalid::Collector};

/// Reads a field further; one that is wrong is noted, and counts as absent.
pub(crate) fn read<T, U, E: ToString>(
    bad: &mut Collector,
    field: &str,
    given: Patch<T>,
    parse: impl FnOnce(T) -> Result<U, E>,
) -> Patch<U> {
    bad.take(field, given.try_map(parse)).unwrap_or_default()
}

/// The field `name`.
pub(crate) fn name(bad: &mut Collector, given: Patch<String>, required: bool) -> Option<Name> {
    let given = given.value();
    if required && given.is_none() {
        bad.note("name", "is required");
    }
    bad.take("name", Name::parse(given?))
}

/// The field `license_type`, which is required.
pub(crate) fn license(bad: &mut Collector, given: Option<String>) -> Option<License> {
    let Some(text) = given else {
        bad.note("license_type", "is required");
        return None;
    };
    let license = text.parse::<License>();
    bad.take("license_type", license.map_err(|_| "must be developer, read_only, it or analyst"))
}

/// Ids of something else, each once.
pub(crate) fn ids<I: Ord>(
    bad: &mut Collector,
    field: &str,
    given: Vec<i64>,
    new: impl Fn(i64) -> Result<I, InvalidId>,
) -> std::collections::BTreeSet<I> {
    if given.len() > 1_000 {
        bad.note(field, "takes at most 1000");
        return std::collections::BTreeSet::new();
    }
    let ids: Result<_, _> = given.into_iter().map(new).collect();
    bad.take(field, ids).unwrap_or_default()
}

/// Names of groups of an identity provider: at most 100, each a line of at most 255 characters.
pub(crate) fn group_names(names: Vec<String>) -> Result<Vec<String>, String> {
    if names.len() > domain::group::Group::MAX_MAPPINGS {
        return Err("takes at most 100 groups".to_owned());
    }
    names.into_iter().map(|name| line(name, 255)).collect()
}

/// An id of something else; 0 counts as null, as some clients write it.
pub(crate) fn id<I>(
    bad: &mut Collector,
    field: &str,
    given: Patch<i64>,
    new: impl FnOnce(i64) -> Result<I, InvalidId>,
) -> Patch<I> {
    let given = if given == Patch::Value(0) { Patch::Null } else { given };
    read(bad, field, given, new)
}

/// A text that may be null; an empty one counts as null.
pub(crate) fn or_null(given: Patch<String>) -> Patch<String> {
    match given {
        Patch::Value(text) if text.is_empty() => Patch::Null,
        Patch::Absent | Patch::Null | Patch::Value(_) => given,
    }
}

/// Whether `state` says that the object is to be deleted.
pub(crate) const fn deletes(state: &Patch<i64>) -> bool {
    matches!(state, Patch::Value(2))
}

/// The field `state` of an answer.
pub(crate) const fn state_of(deleted: bool) -> u8 {
    if deleted { 2 } else { 1 }
}

/// The field `state` of a body that does not delete.
pub(crate) fn state(bad: &mut Collector, given: &Patch<i64>) {
    if !matches!(given, Patch::Absent | Patch::Null | Patch::Value(1)) {
        bad.note("state", "must be 1 (active), or 2 (deleted) for what is there");
    }
}

/// A field of the documents that this server does not have: it takes what means nothing (null,
/// 0, false, an empty text), which is what clients echo, and refuses the rest.
pub(crate) fn unsupported(bad: &mut Collector, field: &str, given: &Patch<Value>) {
    let Patch::Value(value) = given else { return };
    let nothing = match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Bool(true) | Value::Array(_) | Value::Object(_) => false,
    };
    if !nothing {
        bad.note(field, "is not supported by this server: leave it out, or null");
    }
}

/// JSON that is kept as it is: at most 64 KiB of it.
pub(crate) fn bounded<T: Serialize>(given: T) -> Result<T, String> {
    const MOST: usize = 64 << 10;
    let size = serde_json::to_string(&given).map_err(|error| error.to_string())?.len();
    if size > MOST { Err(format!("must have at most {MOST} bytes of JSON")) } else { Ok(given) }
}

/// A text of 1 to `most` characters on one line.
pub(crate) fn line(text: String, most: usize) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("must not be empty".to_owned())
    } else if text.chars().count() > most {
        Err(format!("must have at most {most} characters"))
    } else if text.chars().any(char::is_control) {
        Err("must not contain control characters".to_owned())
    } else {
        Ok(text)
    }
}

/// A text of at most `most` characters, line ends and tabs among them.
pub(crate) fn prose(text: String, most: usize) -> Result<String, String> {
    if text.chars().count() > most {
        Err(format!("must have at most {most} characters"))
    } else if text.chars().any(|c| c.is_control() && !['\n', '\r', '\t'].contains(&c)) {
        Err("must not contain control characters".to_owned())
    } else {
        Ok(text)
    }
}

/// One of these words.
pub(crate) fn one_of(text: String, words: &[&str]) -> Result<String, String> {
    if words.contains(&text.as_str()) {
        return Ok(text);
    }
    let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    Err(match words.as_slice() {
        [only] => format!("must be {only}"),
        [first @ .., last] => format!("must be {} or {last}", first.join(", ")),
        [] => "must be left out".to_owned(),
    })
}
