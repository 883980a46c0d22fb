//! A file of service tokens: what each is granted and held to, when it ends, who answers for it. No
//! secrets.

mod apply;
mod export;
mod plan;

pub(super) use apply::apply;
pub(super) use export::export;

use std::{collections::BTreeSet, ops::Range, path::Path};

use domain::{
    Name, ProjectId, Timestamp,
    authz::{Categories, Grant, PermissionSet, Projects, Restrictions},
    token_policy::End,
};
use serde::{Deserialize, Serialize};
use toml::Spanned;
use wire::v3::{PermissionGrant, TokenRestrictionsBody};

use crate::error::CliError;

/// The file as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default, rename = "token")]
    tokens: Vec<Spanned<Entry>>,
}

/// A token as it is written. Its grants and restrictions are all that it has; of the rest, what is
/// not there stays.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disabled: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    responsible_user_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restrictions: Option<Spanned<TokenRestrictionsBody>>,
    #[serde(default, rename = "grant", skip_serializing_if = "Vec::is_empty")]
    grants: Vec<Spanned<GrantEntry>>,
}

/// A grant as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantEntry {
    permission_set: String,
    /// All projects unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    projects: Option<Vec<i64>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    writable_environment_categories: Vec<String>,
}

/// A token as it is meant.
struct Wanted {
    name: String,
    end: Option<End>,
    disabled: Option<bool>,
    responsible: Option<i64>,
    restrictions: Restrictions,
    /// As the API takes them.
    restrictions_body: TokenRestrictionsBody,
    grants: Vec<Grant>,
}

/// Reads a file; what is wrong is told with its line.
fn read(file: &Path) -> Result<Vec<Wanted>, CliError> {
    let told = |error: String| CliError::Other(format!("{}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| told(error.to_string()))?;
    parse(&text).map_err(|Wrong { at, why }| {
        let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        CliError::Other(format!("{}:{line}: {why}", file.display()))
    })
}

/// What is wrong, and at which byte.
#[derive(Debug)]
struct Wrong {
    at: usize,
    why: String,
}

impl Wrong {
    fn at(span: Range<usize>, why: impl Into<String>) -> Self {
        Self { at: span.start, why: why.into() }
    }
}

fn parse(text: &str) -> Result<Vec<Wanted>, Wrong> {
    let page: Page = toml::from_str(text).map_err(|error| {
        let why = error.message().to_owned();
        Wrong::at(error.span().unwrap_or_default(), why)
    })?;
    let mut seen = BTreeSet::new();
    let mut wanted = Vec::with_capacity(page.tokens.len());
    for token in page.tokens {
        let span = token.span();
        let token = token.into_inner();
        if !seen.insert(token.name.clone()) {
            let why =
                format!("the name `{}` stands twice: names tell tokens apart here", token.name);
            return Err(Wrong::at(span, why));
        }
        wanted.push(token.read(&span)?);
    }
    Ok(wanted)
}

impl Entry {
    fn read(self, span: &Range<usize>) -> Result<Wanted, Wrong> {
        let here = |why: String| Wrong::at(span.clone(), why);
        Name::parse(self.name.as_str()).map_err(|error| here(format!("`name` {error}")))?;
        let end = self.expires_at.as_deref().map(|text| match text.trim() {
            "never" => Ok(End::Never),
            time => Timestamp::parse(time).map(End::At),
        });
        let end = end.transpose().map_err(|error| here(format!("`expires_at` {error}")))?;
        let mut grants = Vec::with_capacity(self.grants.len());
        let mut places = BTreeSet::new();
        for grant in self.grants {
            let at = grant.span();
            let grant = grant.into_inner().read().map_err(|why| Wrong::at(at.clone(), why))?;
            for row in rows(std::slice::from_ref(&grant)) {
                if !places.insert((row.permission_set.clone(), row.project_id)) {
                    let why = format!("`{}` is granted twice on one place", row.permission_set);
                    return Err(Wrong::at(at, why));
                }
            }
            grants.push(grant);
        }
        let (body, restrictions) = match self.restrictions {
            None => (TokenRestrictionsBody::default(), Restrictions::default()),
            Some(body) => {
                let at = body.span();
                let body = body.into_inner();
                let read = body.restrictions("").map_err(|invalid| {
                    let reasons = invalid.reasons.iter();
                    let told: Vec<_> =
                        reasons.map(|(field, why)| format!("`{field}` {why}")).collect();
                    Wrong::at(at, told.join("; "))
                })?;
                (body, read)
            }
        };
        Ok(Wanted {
            name: self.name,
            end,
            disabled: self.disabled,
            responsible: self.responsible_user_id,
            restrictions,
            restrictions_body: body,
            grants,
        })
    }
}

impl GrantEntry {
    fn read(self) -> Result<Grant, String> {
        let set: PermissionSet =
            self.permission_set.parse().map_err(|error| format!("`permission_set`: {error}"))?;
        let projects = match self.projects {
            None => Projects::All,
            Some(ids) => {
                let ids: Result<Vec<_>, _> = ids.into_iter().map(ProjectId::new).collect();
                let ids = ids.map_err(|error| format!("`projects`: each {error}"))?;
                Projects::only(ids).map_err(|error| format!("`projects`: {error}"))?
            }
        };
        let raised = Categories::parse(&self.writable_environment_categories)
            .map_err(|error| format!("`writable_environment_categories`: {error}"))?;
        Ok(Grant::new(set, projects).map_err(|error| error.to_string())?.raising(raised))
    }
}

/// Grants as the API tells them, in an order of their own: a row for each project.
fn rows(grants: &[Grant]) -> Vec<PermissionGrant> {
    let mut rows: Vec<_> = grants.iter().flat_map(PermissionGrant::of).collect();
    rows.sort_by(|a, b| (&a.permission_set, a.project_id).cmp(&(&b.permission_set, b.project_id)));
    rows
}
