//! `narrowgate token restrictions`: what a token is held to, beside its grants.

use serde_json::Value;
use wire::v3::{TokenRateBody, TokenRestrictions, TokenRestrictionsBody};

use super::proposals;
use crate::{
    args::{RestrictionArgs, TokenRestrictionsArgs},
    error::CliError,
    output,
};

impl RestrictionArgs {
    /// The restrictions as the API takes them; `None` if there are none.
    pub(super) fn body(&self) -> Option<TokenRestrictionsBody> {
        let some = |list: &[i64]| (!list.is_empty()).then(|| list.to_vec());
        let (environments, jobs): (Vec<i64>, Vec<i64>) = (
            self.environment_ids.iter().map(|id| id.get()).collect(),
            self.jobs.iter().map(|id| id.get()).collect(),
        );
        let body = TokenRestrictionsBody {
            addresses: (!self.addresses.is_empty()).then(|| self.addresses.clone()),
            environments: some(&environments),
            jobs: some(&jobs),
            read_only: self.read_only.then_some(true),
            rate: self.rate.map(|per_second| TokenRateBody {
                per_second: Some(per_second),
                burst: self.burst,
            }),
            force: None,
        };
        let says_something = body.addresses.is_some()
            || body.environments.is_some()
            || body.jobs.is_some()
            || body.read_only.is_some()
            || body.rate.is_some();
        let force = self.force.then_some(true);
        says_something.then_some(TokenRestrictionsBody { force, ..body })
    }
}

pub(super) async fn run(args: &TokenRestrictionsArgs) -> Result<(), CliError> {
    let client = &args.client;
    let path = client.v3(&format!("/service-tokens/{}/restrictions/", args.id));
    let asked = args.restrictions.body().or_else(|| args.none.then(Default::default));
    let answer: Value = match asked {
        Some(body) => client.client()?.post(&path, &body).await?,
        None => client.client()?.get(&path).await?,
    };
    if client.json {
        return output::json(&answer);
    }
    if let Ok(proposal) = serde_json::from_value(answer.clone()) {
        proposals::tell(&proposal);
        return Ok(());
    }
    let held: TokenRestrictions = serde_json::from_value(answer).map_err(CliError::other)?;
    for line in told(&held) {
        output::line(line);
    }
    Ok(())
}

/// What a token is held to, in lines for people.
pub(super) fn told(held: &TokenRestrictions) -> Vec<String> {
    let ids = |ids: &[i64]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let lines = [
        held.addresses.as_ref().map(|list| format!("from {} only", list.join(", "))),
        held.environments.as_ref().map(|list| format!("in environments {} only", ids(list))),
        held.jobs.as_ref().map(|list| format!("jobs {} only", ids(list))),
        held.read_only.then(|| "read-only".to_owned()),
        held.rate
            .map(|rate| format!("{} requests a second, {} at once", rate.per_second, rate.burst)),
    ];
    let lines: Vec<_> = lines.into_iter().flatten().collect();
    if lines.is_empty() { vec!["held to nothing beside its grants".to_owned()] } else { lines }
}
