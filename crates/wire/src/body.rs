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

/// What would be right, in serde's words, without the position, which means nothing to most
/// callers, and without the value, which may be a secret in the wrong field.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    match error.classify() {
        serde_json::error::Category::Data => match text.rsplit_once(", expected ") {
            Some((_, expected)) => format!("does not fit: expected {expected}"),
            None if text.starts_with("missing field ") => format!("does not fit: {text}"),
            None => "does not fit".to_owned(),
        },
        serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof
        | serde_json::error::Category::Io => format!("is not JSON: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Small,
        Large,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only their reading is looked at")]
    struct Whole {
        count: i64,
        kind: Kind,
    }

    fn told(text: &str) -> String {
        from_json::<Whole>(text.as_bytes()).unwrap_err().summary()
    }

    #[test]
    fn what_does_not_fit_is_told_by_what_would_and_never_repeated() {
        for (text, said) in [
            (r#"{"count":"swordfish","kind":"small"}"#, "`count` does not fit: expected i64"),
            (
                r#"{"count":"swordfish, expected fish","kind":"small"}"#,
                "`count` does not fit: expected i64",
            ),
            (
                r#"{"count":1,"kind":"swordfish"}"#,
                "`kind` does not fit: expected `small` or `large`",
            ),
            (r#"{"count":1}"#, "`body` does not fit: missing field `kind`"),
            (r#""swordfish""#, "`body` does not fit: expected struct Whole"),
        ] {
            assert_eq!(told(text), said);
        }
        for text in [r#"{"count": swordfish}"#, "swordfish", "{\"a\":\"swordfish"] {
            let said = told(text);
            assert!(said.starts_with("`body` is not JSON") && !said.contains("fish"), "{said}");
        }
    }
}
