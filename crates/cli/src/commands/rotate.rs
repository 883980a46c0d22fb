//! `narrowgate token rotate` and what follows it.

use std::process::ExitCode;

use domain::ServiceTokenId;
use rand::{
    distr::{Alphanumeric, SampleString as _},
    rand_core::UnwrapErr,
    rngs::SysRng,
};
use serde_json::{Value, json};
use wire::{
    client::Client,
    v3::{ServiceToken, TokenCredential},
};

use super::{
    grants::told,
    sink::Sink,
    token::{all, day},
    token_use,
};
use crate::{
    args::{ClientArgs, TokenRotateArgs, TokenShowArgs},
    error::CliError,
    output,
};

/// The exit code of a report that still has something to say.
const LEFT: u8 = 3;

/// One token, or all that an advisory is about.
pub(super) async fn rotate(args: &TokenRotateArgs) -> Result<ExitCode, CliError> {
    match args.id {
        Some(id) => rotate_one(args, id).await.map(|()| ExitCode::SUCCESS),
        None => rotate_advised(args).await,
    }
}

async fn rotate_one(args: &TokenRotateArgs, id: ServiceTokenId) -> Result<(), CliError> {
    let sink = args.sink.for_one()?;
    sink.check()?;
    token_use::tell(&args.client, id).await?;
    let rotated = send(&args.client.client()?, args, id.get()).await?;
    let place = sink.put(id.get(), secret(&rotated))?;
    if !matches!(sink, Sink::Output) {
        let end = rotated.get("old_secret_ends_at").and_then(Value::as_str);
        let old = end.map_or(String::new(), |end| format!("; the old secret ends at {end}"));
        output::line(format!("the new secret of token {id} is in {place}{old}"));
    }
    Ok(())
}

/// First the plan; with `--apply`, one token after the other. What fails is said, and the rest goes
/// on.
async fn rotate_advised(args: &TokenRotateArgs) -> Result<ExitCode, CliError> {
    let client = args.client.client()?;
    let tokens: Vec<ServiceToken> = all(&client, &args.client.v3("/service-tokens/")).await?;
    let advised: Vec<_> = tokens.into_iter().filter(|token| token.advisory.is_some()).collect();
    if !args.apply {
        plan(args, &advised)?;
        return Ok(ExitCode::SUCCESS);
    }
    let sink = args.sink.for_many()?;
    sink.check()?;
    let mut failed = false;
    for token in &advised {
        let rotated = send(&client, args, token.id).await;
        match rotated.and_then(|rotated| sink.put(token.id, secret(&rotated))) {
            Ok(place) => output::line(format!("{} `{}`: {place}", token.id, token.name)),
            Err(error) => {
                failed = true;
                output::line(format!("{} `{}`: not rotated: {error}", token.id, token.name));
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn plan(args: &TokenRotateArgs, advised: &[ServiceToken]) -> Result<(), CliError> {
    if args.client.json {
        return output::json(&advised);
    }
    let rows = advised.iter().map(|token| {
        [
            token.id.to_string(),
            token.name.clone(),
            told(&token.permission_grants),
            day(&token.created_at),
            token.last_used.as_deref().map_or("never".to_owned(), day),
        ]
    });
    output::table(["id", "name", "permissions", "created", "last used"], rows);
    let number = advised.len();
    output::line(format!("{number} tokens would be rotated; nothing is done without --apply"));
    Ok(())
}

/// Asks for another secret; a reply that is lost is asked for again and is the same.
async fn send(client: &Client, args: &TokenRotateArgs, id: i64) -> Result<Value, CliError> {
    let body = json!({
        "overlap_minutes": args.overlap,
        "minutes_after_first_use": args.after_first_use,
    });
    let key = Alphanumeric.sample_string(&mut UnwrapErr(SysRng), 32);
    let path = args.client.v3(&format!("/service-tokens/{id}/rotate/"));
    Ok(client.post_again(&path, &body, &key).await?)
}

fn secret(rotated: &Value) -> &str {
    rotated.get("token_string").and_then(Value::as_str).unwrap_or_default()
}

/// The old secret lives on.
pub(super) async fn cancel(args: &TokenShowArgs) -> Result<(), CliError> {
    let client = &args.client;
    let path = client.v3(&format!("/service-tokens/{}/rotate/cancel/", args.id));
    let token: ServiceToken = client.client()?.post(&path, &json!({})).await?;
    if client.json {
        return output::json(&token);
    }
    let (id, name) = (token.id, token.name);
    output::line(format!("token {id} `{name}` keeps its old secret; the new one opens nothing"));
    Ok(())
}

/// Secrets that still open something and should not for long: those that were replaced, and those
/// that an advisory is about. Exit code 3 while there are any.
pub(super) async fn old_secrets(args: &ClientArgs) -> Result<ExitCode, CliError> {
    let client = args.client()?;
    let tokens: Vec<ServiceToken> = all(&client, &args.v3("/service-tokens/")).await?;
    let secrets: Vec<TokenCredential> =
        all(&client, &args.v3("/service-token-credentials/")).await?;
    let advised = |id| tokens.iter().any(|token| token.id == id && token.advisory.is_some());
    let old: Vec<_> = secrets
        .into_iter()
        .filter(|one| {
            one.state == "retiring" || one.state == "open" && advised(one.service_token_id)
        })
        .collect();
    if args.json {
        output::json(&old)?;
    } else {
        let name = |id| tokens.iter().find(|token| token.id == id).map(|token| token.name.clone());
        let rows = old.iter().map(|one| {
            [
                one.service_token_id.to_string(),
                name(one.service_token_id).unwrap_or_default(),
                day(&one.created_at),
                one.ends_at.clone().unwrap_or_else(|| "not by itself".to_owned()),
                one.last_used.clone().unwrap_or_else(|| "never".to_owned()),
                senders(one),
            ]
        });
        output::table(["token", "name", "made", "ends", "last used", "by"], rows);
        output::line(format!("{} old secrets still work", old.len()));
    }
    Ok(if old.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(LEFT) })
}

/// Who sends it: each since it was replaced, else the last one.
fn senders(secret: &TokenCredential) -> String {
    let told =
        |address: Option<&str>, agent: &str| format!("{} {agent}", address.unwrap_or("here"));
    if secret.senders.is_empty() {
        let agent = secret.last_used_agent.as_deref();
        return agent
            .map_or_else(String::new, |agent| told(secret.last_used_address.as_deref(), agent));
    }
    let senders = secret.senders.iter();
    let senders: Vec<_> =
        senders.map(|sender| told(sender.address.as_deref(), &sender.agent)).collect();
    senders.join("\n")
}
