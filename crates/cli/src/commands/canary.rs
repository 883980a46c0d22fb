//! `narrowgate token canary`: a token to leave where only an intruder looks.

use serde_json::{Value, json};
use wire::v3::ServiceToken;

use super::token::print;
use crate::{args::TokenCanaryArgs, error::CliError, output};

/// Makes one; its secret is shown once.
pub(super) async fn make(args: &TokenCanaryArgs) -> Result<(), CliError> {
    let body = json!({ "name": args.name, "canary": true, "expires_at": args.expires_at });
    let client = &args.client;
    let made: Value = client.client()?.post(&client.v3("/service-tokens/"), &body).await?;
    if client.json {
        return output::json(&made);
    }
    let secret = made.get("token_string").and_then(Value::as_str).unwrap_or_default();
    let token: ServiceToken = serde_json::from_value(made.clone()).map_err(CliError::other)?;
    print(&token);
    output::line(format!("secret, shown this once:\n{secret}"));
    Ok(())
}
