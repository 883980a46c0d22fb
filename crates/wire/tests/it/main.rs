//! The nouns that jobs run on: what is read, what is refused, what is answered.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

mod connection;
mod credential;
mod environment;
mod project;
mod repository;

use std::collections::BTreeMap;

use domain::{Name, Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use wire::Invalid;

/// Reads a body as the server does.
fn body<T: DeserializeOwned>(json: &Value) -> T {
    wire::from_json(json.to_string().as_bytes()).unwrap()
}

/// Why a body is refused, field by field.
fn reasons<T: std::fmt::Debug>(refused: Result<T, Invalid>) -> BTreeMap<String, String> {
    refused.unwrap_err().reasons
}

/// The fields that are refused.
fn fields<T: std::fmt::Debug>(refused: Result<T, Invalid>) -> Vec<String> {
    reasons(refused).into_keys().collect()
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn pretty(answer: &impl Serialize) -> String {
    serde_json::to_string_pretty(answer).unwrap()
}

/// A whole object as clients echo it, with what they put in besides.
fn echo(answer: &impl Serialize) -> Value {
    let mut whole = serde_json::to_value(answer).unwrap();
    whole["uid"] = "".into();
    whole["token_string"] = Value::Null;
    whole["something_new"] = serde_json::json!({ "deep": [1] });
    whole
}
