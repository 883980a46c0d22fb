//! The artifacts of the example project: as bytes, and as plain JSON.

use serde_json::Value;

pub(crate) const MANIFEST: &[u8] = include_bytes!("../artifacts/manifest.json");
pub(crate) const RESULTS: &[u8] = include_bytes!("../artifacts/run_results.json");
pub(crate) const SOURCES: &[u8] = include_bytes!("../artifacts/sources.json");
pub(crate) const CATALOG: &[u8] = include_bytes!("../artifacts/catalog.json");
pub(crate) const LATER_MANIFEST: &[u8] = include_bytes!("../artifacts/run2_error/manifest.json");
pub(crate) const LATER_RESULTS: &[u8] = include_bytes!("../artifacts/run2_error/run_results.json");

pub(crate) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

/// The entries of an object of a file, by their keys.
pub(crate) fn entries<'a>(file: &'a Value, key: &str) -> Vec<(&'a str, &'a Value)> {
    file[key].as_object().unwrap().iter().map(|(key, value)| (key.as_str(), value)).collect()
}

/// The texts of a list; none where there is no list.
pub(crate) fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap()).collect()
}
