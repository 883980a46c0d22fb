//! `narrowgate token rotate` and what follows it.

use std::process::ExitCode;

use domain::ServiceTokenId;
use rand::{
    distr::{Alphanumeric, SampleString as _},
    rand_core::UnwrapErr,
    rngs::SysRng,
};
use serde_json::{Value, json};
use wire::v3::{ManyTokens, OneOfMany, ServiceToken, TokenCredential};

use super::{
    many,
    sink::{self, Sink},
    token::{all, day},
    token_use,
};
use crate::{
    args::{ClientArgs, ManySecretsArgs, TokenRotateArgs, TokenShowArgs},
    error::CliError,
    output,
};

/// The exit code of a report that still has something to say.
const LEFT: u8 = 3;

/// How many tokens one request rotates.
const AT_ONCE: usize = 100;

/// One token, or all that a filter means.
pub(super) async fn rotate(args: &TokenRotateArgs) -> Result<ExitCode, CliError> {
    match args.id {
        Some(id) => rotate_one(args, id).await.map(|()| ExitCode::SUCCESS),
        None => rotate_many(args).await,
    }
}

async fn rotate_one(args: &TokenRotateArgs, id: ServiceTokenId) -> Result<(), CliError> {
    let sink = args.sink.sink()?;
    sink.check(&[id.get()])?;
    token_use::tell(&args.client, id).await?;
    let body = json!({
        "overlap_minutes": args.overlap,
        "minutes_after_first_use": args.after_first_use,
    });
    let path = args.client.v3(&format!("/service-tokens/{id}/rotate/"));
    let rotated: Value = args.client.client()?.post_again(&path, &body, &key()).await?;
    let rotated = sink.keep(rotated, to_get_another)?;
    if args.client.json {
        return output::json(&rotated);
    }
    if sink.is_output() {
        output::line(sink::secret_of(&rotated));
    } else {
        let (place, end) = (sink::place_of(&rotated), rotated.get("old_secret_ends_at"));
        let end = end.and_then(Value::as_str);
        let old = end.map_or(String::new(), |end| format!("; the old secret ends at {end}"));
        output::line(format!("the new secret of token {id} is in {place}{old}"));
    }
    Ok(())
}

/// How somebody whose new secret could not be kept gets another.
pub(super) fn to_get_another(id: i64) -> String {
    format!(
        "`narrowgate token cancel-rotation {id}` if an old one still works, then `narrowgate token rotate {id} --overlap 0`"
    )
}

/// First the plan; with `--apply`, what it shows, a hundred tokens a request. What fails is said, and
/// the rest goes on.
async fn rotate_many(args: &TokenRotateArgs) -> Result<ExitCode, CliError> {
    let (client, filter) = (args.client.client()?, args.filter.body());
    let path = args.client.v3("/service-tokens/rotate/");
    let asked = json!({ "filter": filter, "dry_run": true });
    let plan: ManyTokens = client.post(&path, &asked).await?;
    let ids = many::ids(&plan);
    if !args.apply {
        many::show(&plan, args.client.json)?;
        if !args.client.json {
            let number = ids.len();
            output::line(format!(
                "{number} tokens would be rotated; nothing is done without --apply"
            ));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let sink = ManySecretsArgs {
        to_dir: args.to_dir.clone(),
        to_env: args.sink.to_env.clone(),
        overwrite: args.sink.overwrite,
    };
    let sink = sink.sink()?;
    sink.check(&ids)?;
    let skipped = plan.tokens.iter().filter(|token| token.skipped.is_some());
    let mut told: Vec<Value> =
        skipped.map(|token| not_rotated(token, token.skipped.as_deref())).collect();
    for ids in ids.chunks(AT_ONCE) {
        let body = json!({
            "filter": many::of_ids(&filter, ids),
            "expected_ids": ids,
            "overlap_minutes": args.overlap,
            "minutes_after_first_use": args.after_first_use,
        });
        let rotated: Result<ManyTokens, _> = client.post_again(&path, &body, &key()).await;
        match rotated {
            Ok(rotated) => {
                told.extend(rotated.tokens.iter().map(|token| kept(&sink, token)));
            }
            Err(error) => {
                let why = error.to_string();
                let those = plan.tokens.iter().filter(|token| ids.contains(&token.id));
                told.extend(those.map(|token| not_rotated(token, Some(&why))));
            }
        }
    }
    tell(args.client.json, &told)
}

/// What came of one token.
fn kept(sink: &Sink, token: &OneOfMany) -> Value {
    let answer = json!(token);
    sink.keep(answer, to_get_another).unwrap_or_else(|error| {
        let why = error.to_string();
        json!({ "id": token.id, "name": token.name, "failed": why })
    })
}

fn not_rotated(token: &OneOfMany, why: Option<&str>) -> Value {
    json!({ "id": token.id, "name": token.name, "failed": format!("not rotated: {}", why.unwrap_or_default()) })
}

/// Says what came of each; exit code 1 if something failed.
fn tell(as_json: bool, told: &[Value]) -> Result<ExitCode, CliError> {
    let failed = told.iter().any(|one| one.get("failed").is_some());
    if as_json {
        output::json(&told)?;
    } else {
        for one in told {
            let text = |key| one.get(key).and_then(Value::as_str);
            let outcome = text("failed").or_else(|| text("secret_in")).unwrap_or_default();
            let id = one.get("id").cloned().unwrap_or_default();
            output::line(format!("{id} `{}`: {outcome}", text("name").unwrap_or_default()));
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Names a request, so that one whose reply is lost is sent again and answered the same.
fn key() -> String {
    Alphanumeric.sample_string(&mut UnwrapErr(SysRng), 32)
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
