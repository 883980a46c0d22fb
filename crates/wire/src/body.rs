//! How a body is read.

use serde::de::DeserializeOwned;

use crate::Invalid;

/// Reads a JSON body. Unknown keys are ignored (contract, section 1).
///
/// # Errors
/// [`Invalid`] names the field that does not fit, or `body` if it is no JSON at all.
pub fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Invalid> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let is_json = error.inner().is_data();
        let field = if is_json && path != "." { path } else { "body".to_owned() };
        Invalid::field(field, reason(error.inner()))
    })?;
    json.end().map_err(|error| Invalid::field("body", reason(&error)))?;
    Ok(value)
}

/// serde's words without the position, which means nothing to most callers.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    match error.classify() {
        serde_json::error::Category::Data => format!("does not fit: {text}"),
        serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof
        | serde_json::error::Category::Io => format!("is not JSON: {text}"),
    }
}
