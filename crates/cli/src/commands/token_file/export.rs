//! `narrowgate token export`

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use toml::Spanned;
use wire::v3::{
    PermissionGrant, ServiceToken, TokenRateBody, TokenRestrictions, TokenRestrictionsBody,
};

use super::{super::token::all, Entry, GrantEntry, Page};
use crate::{args::ClientArgs, error::CliError, output};

/// Prints all tokens of the account as a file for `token apply`.
pub(in super::super) async fn export(args: &ClientArgs) -> Result<(), CliError> {
    let tokens: Vec<ServiceToken> = all(&args.client()?, &args.v3("/service-tokens/")).await?;
    check_names(&tokens)?;
    let page = Page { tokens: tokens.iter().map(|token| unplaced(entry(token))).collect() };
    if args.json {
        return output::json(&json!(page));
    }
    let text = toml::to_string_pretty(&page).map_err(CliError::other)?;
    let account = args.account;
    output::line(format!("# Service tokens of account {account}, for `narrowgate token apply`."));
    output::text(&text);
    Ok(())
}

/// In the file names tell tokens apart.
fn check_names(tokens: &[ServiceToken]) -> Result<(), CliError> {
    let mut seen = BTreeSet::new();
    let Some(twice) = tokens.iter().find(|token| !seen.insert(&token.name)) else { return Ok(()) };
    let (id, name) = (twice.id, &twice.name);
    Err(CliError::Other(format!(
        "more than one token is called `{name}`: rename one first, by `narrowgate token change {id} --name …`"
    )))
}

/// Of what is written nobody asks where it stood.
fn unplaced<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}

fn entry(token: &ServiceToken) -> Entry {
    Entry {
        name: token.name.clone(),
        expires_at: Some(token.expires_at.clone().unwrap_or_else(|| "never".to_owned())),
        disabled: Some(token.disabled),
        responsible_user_id: token.responsible_user_id,
        restrictions: token.restrictions.as_ref().map(|held| unplaced(body(held))),
        grants: grants(&token.permission_grants).into_iter().map(unplaced).collect(),
    }
}

/// Restrictions as a body says them.
pub(super) fn body(held: &TokenRestrictions) -> TokenRestrictionsBody {
    TokenRestrictionsBody {
        addresses: held.addresses.clone(),
        environments: held.environments.clone(),
        jobs: held.jobs.clone(),
        read_only: held.read_only.then_some(true),
        rate: held.rate.map(|rate| TokenRateBody {
            per_second: Some(rate.per_second.into()),
            burst: Some(rate.burst.into()),
        }),
        force: None,
    }
}

/// One entry for all projects of a set that writes in the same environments.
fn grants(rows: &[PermissionGrant]) -> Vec<GrantEntry> {
    let mut entries: BTreeMap<(&str, &[String], bool), Vec<i64>> = BTreeMap::new();
    for row in rows {
        let categories = row.writable_environment_categories.as_slice();
        let key = (row.permission_set.as_str(), categories, row.project_id.is_some());
        entries.entry(key).or_default().extend(row.project_id);
    }
    let entry =
        |((set, categories, on_some), mut projects): ((&str, &[String], bool), Vec<i64>)| {
            projects.sort_unstable();
            GrantEntry {
                permission_set: set.to_owned(),
                projects: on_some.then_some(projects),
                writable_environment_categories: categories.to_vec(),
            }
        };
    entries.into_iter().map(entry).collect()
}
