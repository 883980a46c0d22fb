//! `narrowgate token apply`

use std::process::ExitCode;

use domain::token_policy::End;
use serde_json::{Value, json};
use wire::{
    client::Client,
    v3::{ServiceToken, TokenProposal},
};

use super::{
    super::{rotate::to_get_another, sink::Sink, token::all},
    Wanted,
    plan::{Deed, Step, count, plan, show},
    read, rows,
};
use crate::{args::TokenApplyArgs, error::CliError, output};

/// The exit code of a plan that would change something.
const WOULD_CHANGE: u8 = 3;

/// First the plan; with `--yes`, what it shows, a token after the other.
pub(in super::super) async fn apply(args: &TokenApplyArgs) -> Result<ExitCode, CliError> {
    let wanted = read(&args.file)?;
    let client = args.client.client()?;
    let there: Vec<ServiceToken> = all(&client, &args.client.v3("/service-tokens/")).await?;
    let steps = plan(args.client.account, wanted, &there, args.prune)?;
    let changes = steps.iter().any(|step| step.deed != Deed::Keep);
    if !args.yes {
        if args.client.json {
            output::json(&steps)?;
        } else {
            show(&steps);
            output::line(format!("{}; nothing is done without --yes", count(&steps)));
        }
        return Ok(if changes { ExitCode::from(WOULD_CHANGE) } else { ExitCode::SUCCESS });
    }
    let makes_some = steps.iter().any(|step| step.deed == Deed::Create);
    let sink = makes_some.then(|| args.sink.sink()).transpose()?;
    if let Some(sink) = &sink {
        sink.check(&[])?;
    }
    let mut told = Vec::new();
    for step in &steps {
        let outcome = send(args, &client, sink.as_ref(), step).await;
        if !args.client.json {
            tell(step, &outcome);
        }
        told.push(match outcome {
            Ok(outcome) => json!({ "name": step.name, "deed": step.deed, "outcome": outcome }),
            Err(error) => {
                json!({ "name": step.name, "deed": step.deed, "failed": error.to_string() })
            }
        });
    }
    let failed = told.iter().any(|one| one.get("failed").is_some());
    if args.client.json {
        output::json(&told)?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What came of a step.
#[derive(serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// Nothing was to be done.
    Unchanged,
    /// It is done; of a new token, where its secret is.
    Done { secret_in: Option<String> },
    /// These wait for a second person; the rest is done.
    Proposed { proposals: Vec<i64> },
}

async fn send(
    args: &TokenApplyArgs,
    client: &Client,
    sink: Option<&Sink>,
    step: &Step,
) -> Result<Outcome, CliError> {
    let path = |rest: &str| {
        let id = step.id.map_or_else(String::new, |id| format!("{id}/"));
        args.client.v3(&format!("/service-tokens/{id}{rest}"))
    };
    match (step.deed, &step.todo.wanted, sink) {
        (Deed::Create, Some(wanted), Some(sink)) => {
            let made: Value = client.post(&path(""), &body_of_new(wanted)).await?;
            let id = made.get("id").and_then(Value::as_i64).unwrap_or_default();
            let made = sink.keep(made, to_get_another)?;
            if wanted.disabled == Some(true) {
                let path = args.client.v3(&format!("/service-tokens/{id}/"));
                client.post::<Value>(&path, &json!({ "disabled": true })).await?;
            }
            let place = made.get("secret_in").and_then(Value::as_str).map(str::to_owned);
            Ok(Outcome::Done { secret_in: place })
        }
        (Deed::Change, Some(wanted), _) => change(client, path, step, wanted).await,
        (Deed::Delete, ..) => {
            client.delete::<Value>(&path("")).await?;
            Ok(Outcome::Done { secret_in: None })
        }
        (Deed::Create | Deed::Change | Deed::Keep, ..) => Ok(Outcome::Unchanged),
    }
}

async fn change(
    client: &Client,
    path: impl Fn(&str) -> String,
    step: &Step,
    wanted: &Wanted,
) -> Result<Outcome, CliError> {
    let todo = &step.todo;
    let mut proposals = Vec::new();
    // What takes away comes first, so that the token never has more than before or after.
    let parts = if todo.tightens {
        ["restrictions/", "permissions/"]
    } else {
        ["permissions/", "restrictions/"]
    };
    for part in parts {
        let answer: Value = match part {
            "permissions/" if todo.grants => {
                client.post(&path(part), &rows(&wanted.grants)).await?
            }
            "restrictions/" if todo.restrictions => {
                client.post(&path(part), &wanted.restrictions_body).await?
            }
            _ => continue,
        };
        let proposal = serde_json::from_value::<TokenProposal>(answer);
        proposals.extend(proposal.ok().map(|proposal| proposal.id));
    }
    if todo.end || todo.disabled || todo.responsible {
        let body = json!({
            "expires_at": todo.end.then(|| wanted.end.map(end)),
            "disabled": wanted.disabled.filter(|_| todo.disabled),
            "responsible_user_id": wanted.responsible.filter(|_| todo.responsible),
        });
        client.post::<Value>(&path(""), &body).await?;
    }
    Ok(if proposals.is_empty() {
        Outcome::Done { secret_in: None }
    } else {
        Outcome::Proposed { proposals }
    })
}

fn body_of_new(wanted: &Wanted) -> Value {
    json!({
        "name": wanted.name,
        "permission_grants": rows(&wanted.grants),
        "restrictions": wanted.restrictions_body,
        "expires_at": wanted.end.map(end),
        "responsible_user_id": wanted.responsible,
    })
}

fn end(end: End) -> String {
    match end {
        End::Never => "never".to_owned(),
        End::At(time) => time.to_string(),
    }
}

fn tell(step: &Step, outcome: &Result<Outcome, CliError>) {
    let name = &step.name;
    output::line(match outcome {
        Ok(Outcome::Unchanged) => return,
        Ok(Outcome::Done { secret_in: Some(place) }) => {
            format!("`{name}` is made; its secret is in {place}")
        }
        Ok(Outcome::Done { .. }) if step.deed == Deed::Delete => format!("`{name}` is deleted"),
        Ok(Outcome::Done { .. }) => format!("`{name}` is changed"),
        Ok(Outcome::Proposed { proposals }) => {
            let ids: Vec<_> = proposals.iter().map(ToString::to_string).collect();
            format!("`{name}`: proposed as {}; another person accepts it", ids.join(", "))
        }
        Err(error) => format!("`{name}`: failed: {error}"),
    });
}
