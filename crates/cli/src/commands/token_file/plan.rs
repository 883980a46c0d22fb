//! What a file would change, in rights gained and lost.

use std::collections::BTreeMap;

use domain::{
    Plan, ServiceTokenId, Timestamp,
    authz::{
        AccountTerms, Action, Categories, Grant, PermissionSet, Projects, Restrictions, difference,
    },
    token_policy::End,
};
use serde::Serialize;
use wire::v3::{PermissionGrant, ServiceToken};

use super::{Wanted, rows};
use crate::{commands::restrictions, error::CliError, output};

/// What is done to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Deed {
    Create,
    Change,
    Delete,
    Keep,
}

/// A token, and what the file would change of it.
#[derive(Serialize)]
pub(super) struct Step {
    pub(super) name: String,
    /// Of a token that is there.
    pub(super) id: Option<i64>,
    pub(super) deed: Deed,
    /// Actions of which it would have more.
    pub(super) gains: Vec<String>,
    /// Actions of which it would have less.
    pub(super) loses: Vec<String>,
    /// What else changes, in words.
    pub(super) changes: Vec<String>,
    #[serde(skip)]
    pub(super) todo: Todo,
}

/// What is sent.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a part of a token")]
pub(super) struct Todo {
    pub(super) wanted: Option<Wanted>,
    pub(super) grants: bool,
    pub(super) restrictions: bool,
    /// Whether the restrictions leave no more than before.
    pub(super) tightens: bool,
    pub(super) end: bool,
    pub(super) disabled: bool,
    pub(super) responsible: bool,
}

/// Compares a file with what is there.
pub(super) fn plan(
    account: domain::AccountId,
    wanted: Vec<Wanted>,
    there: &[ServiceToken],
    prune: bool,
) -> Result<Vec<Step>, CliError> {
    let mut by_name: BTreeMap<&str, Vec<&ServiceToken>> = BTreeMap::new();
    for token in there {
        by_name.entry(&token.name).or_default().push(token);
    }
    let terms = AccountTerms { id: account, plan: Some(Plan::Enterprise), tokens_may_mint: true };
    let mut steps = Vec::new();
    for token in wanted {
        steps.push(match by_name.remove(token.name.as_str()).as_deref() {
            None => compare(terms, None, Some(token))?,
            Some([one]) => compare(terms, Some(one), Some(token))?,
            Some(_) => {
                let name = token.name;
                return Err(CliError::Other(format!("more than one token is called `{name}`")));
            }
        });
    }
    if prune {
        let left = there.iter().filter(|token| by_name.contains_key(token.name.as_str()));
        for token in left {
            steps.push(compare(terms, Some(token), None)?);
        }
    }
    Ok(steps)
}

fn compare(
    terms: AccountTerms,
    there: Option<&ServiceToken>,
    wanted: Option<Wanted>,
) -> Result<Step, CliError> {
    let before = there.map(Held::of).transpose()?.unwrap_or_default();
    let no_grants = Vec::new();
    let no_restrictions = Restrictions::default();
    let (grants, restrictions) = match &wanted {
        Some(wanted) => (&wanted.grants, &wanted.restrictions),
        None => (&no_grants, &no_restrictions),
    };
    let any = ServiceTokenId::new(there.map_or(1, |token| token.id)).map_err(CliError::other)?;
    let held = (before.grants.as_slice(), &before.restrictions);
    // What is deleted has nothing left, whatever it was held to.
    let rights = difference(any, terms, held, (grants, restrictions));
    let (mut todo, mut changes) = (Todo::default(), Vec::new());
    if let Some(wanted) = &wanted {
        todo.grants = rows(&before.grants) != rows(grants);
        todo.restrictions = before.restrictions != *restrictions;
        todo.tightens = restrictions.within(&before.restrictions);
        if todo.restrictions {
            changes.push(format!("held to: {}", told(restrictions)));
        }
        if let Some(end) = wanted.end.filter(|end| there.is_none() || *end != before.end) {
            todo.end = true;
            changes.push(match end {
                End::Never => "ends: never".to_owned(),
                End::At(time) => format!("ends: {time}"),
            });
        }
        if let Some(disabled) = wanted.disabled.filter(|disabled| *disabled != before.disabled) {
            todo.disabled = true;
            changes.push(if disabled { "is disabled" } else { "is enabled" }.to_owned());
        }
        if let Some(user) = wanted.responsible.filter(|user| Some(*user) != before.responsible) {
            todo.responsible = true;
            changes.push(format!("user {user} answers for it"));
        }
    }
    let differs = todo.grants || !changes.is_empty();
    let name = wanted.as_ref().map(|wanted| wanted.name.clone());
    let deed = match (there, &wanted) {
        (None, _) => Deed::Create,
        (Some(_), None) => Deed::Delete,
        (Some(_), Some(_)) if differs => Deed::Change,
        (Some(_), Some(_)) => Deed::Keep,
    };
    let words = |actions: Vec<Action>| actions.iter().map(ToString::to_string).collect();
    Ok(Step {
        name: name.or_else(|| there.map(|token| token.name.clone())).unwrap_or_default(),
        id: there.map(|token| token.id),
        deed,
        gains: words(rights.gained),
        loses: words(rights.lost),
        changes,
        todo: Todo { wanted, ..todo },
    })
}

/// What a token has now.
struct Held {
    grants: Vec<Grant>,
    restrictions: Restrictions,
    end: End,
    disabled: bool,
    responsible: Option<i64>,
}

impl Default for Held {
    fn default() -> Self {
        Self {
            grants: Vec::new(),
            restrictions: Restrictions::default(),
            end: End::Never,
            disabled: false,
            responsible: None,
        }
    }
}

impl Held {
    fn of(token: &ServiceToken) -> Result<Self, CliError> {
        let restrictions = token.restrictions.as_ref().map(|held| {
            let body = super::export::body(held);
            body.restrictions("").map_err(|invalid| {
                CliError::Other(format!("token {}: {:?}", token.id, invalid.reasons))
            })
        });
        let end = token.expires_at.as_deref().map(Timestamp::parse).transpose();
        Ok(Self {
            grants: token.permission_grants.iter().map(grant).collect::<Result<_, _>>()?,
            restrictions: restrictions.transpose()?.unwrap_or_default(),
            end: end.map_err(CliError::other)?.map_or(End::Never, End::At),
            disabled: token.disabled,
            responsible: token.responsible_user_id,
        })
    }
}

fn grant(row: &PermissionGrant) -> Result<Grant, CliError> {
    let set: PermissionSet = row.permission_set.parse().map_err(CliError::other)?;
    let projects = match row.project_id {
        None => Projects::All,
        Some(id) => {
            let id = domain::ProjectId::new(id).map_err(CliError::other)?;
            Projects::only([id]).map_err(CliError::other)?
        }
    };
    let raised =
        Categories::parse(&row.writable_environment_categories).map_err(CliError::other)?;
    Ok(Grant::new(set, projects).map_err(CliError::other)?.raising(raised))
}

fn told(held: &Restrictions) -> String {
    restrictions::told(&held.into()).join("; ")
}

/// Shows what would be done.
pub(super) fn show(steps: &[Step]) {
    for step in steps {
        let sign = match step.deed {
            Deed::Create => "+ create",
            Deed::Change => "~ change",
            Deed::Delete => "- delete",
            Deed::Keep => continue,
        };
        output::line(format!("{sign} `{}`", step.name));
        for (word, actions) in [("gains", &step.gains), ("loses", &step.loses)] {
            if !actions.is_empty() {
                output::line(format!("    {word}: {}", actions.join(", ")));
            }
        }
        for change in &step.changes {
            output::line(format!("    {change}"));
        }
    }
}

/// How many tokens of each kind there are, in a line.
pub(super) fn count(steps: &[Step]) -> String {
    let of = |deed| steps.iter().filter(|step| step.deed == deed).count();
    format!(
        "{} to create, {} to change, {} to delete, {} unchanged",
        of(Deed::Create),
        of(Deed::Change),
        of(Deed::Delete),
        of(Deed::Keep)
    )
}
