//! A service token, as pages show it.

use std::collections::BTreeMap;

use domain::{
    ProjectId, ServiceTokenId, Timestamp,
    authz::{Categories, PermissionSet, Permit, PrincipalId, Projects, Read, ServiceTokens},
    list::ListQuery,
    service_token::{ServiceToken, TokenState},
    token_use::Sender,
};
use store::{Maker, StoreError};

use super::page::When;
use crate::{app::App, error::ApiError};

/// How long a token may be unused before it is said.
pub(super) const UNUSED_SECONDS: i64 = 90 * 86_400;
/// How near an end is before it is said.
pub(super) const EXPIRING_SECONDS: i64 = 30 * 86_400;

/// The names of an account's projects, as far as the visitor may see them.
pub(super) type ProjectNames = BTreeMap<ProjectId, String>;

/// A service token, in words.
#[expect(clippy::struct_excessive_bools, reason = "each is a badge of its own")]
pub(super) struct TokenView {
    pub(super) id: ServiceTokenId,
    pub(super) uid: String,
    pub(super) name: String,
    pub(super) grants: Vec<GrantView>,
    pub(super) created: When,
    pub(super) last_used: Option<When>,
    pub(super) expires: Option<When>,
    pub(super) maker: String,
    /// What it is advised to do about it, and why.
    pub(super) advice: Option<String>,
    pub(super) expiring: bool,
    pub(super) ended: bool,
    pub(super) imported: bool,
    pub(super) disabled: bool,
    /// Whether its old secret still works beside the new one.
    pub(super) rotating: bool,
}

/// Somebody who uses a token.
pub(super) struct SenderView {
    pub(super) address: String,
    pub(super) agent: String,
    pub(super) last_used: When,
}

impl SenderView {
    /// A sender as seen now.
    pub(super) fn new(sender: &Sender, now: Timestamp) -> Self {
        let unknown = || "an unknown address".to_owned();
        Self {
            address: sender.address.map_or_else(unknown, |address| address.to_string()),
            agent: sender.agent.clone(),
            last_used: When::new(sender.last_used, now),
        }
    }
}

/// One permission set of a token.
pub(super) struct GrantView {
    pub(super) key: &'static str,
    pub(super) label: &'static str,
    pub(super) about: &'static str,
    pub(super) projects: String,
    /// Where it writes jobs and runs, if only there.
    pub(super) writes_in: Option<String>,
    pub(super) reads_only: bool,
}

impl TokenView {
    /// A token as it looks now.
    pub(super) fn new(
        token: &ServiceToken,
        names: &ProjectNames,
        maker: Option<&Maker>,
        now: Timestamp,
    ) -> Self {
        let end = token.expires_at();
        let advice = token.advisory().map(|advisory| advice(advisory.reason));
        Self {
            id: token.id,
            uid: token.uid.clone(),
            name: token.name.as_str().to_owned(),
            grants: grants(token, names),
            created: When::new(token.created_at, now),
            last_used: token.last_used.map(|time| When::new(time, now)),
            expires: end.map(|end| When::new(end, now)),
            maker: maker.map_or_else(|| "not recorded".to_owned(), told),
            advice,
            expiring: is_expiring(token, now),
            ended: end.is_some_and(|end| end <= now),
            imported: token.state == TokenState::Imported,
            disabled: token.is_disabled(),
            rotating: token.retiring(now).is_some(),
        }
    }
}

/// Whether it ends by itself within 30 days.
pub(super) fn is_expiring(token: &ServiceToken, now: Timestamp) -> bool {
    token.expires_at().is_some_and(|end| end > now && end.seconds_since(now) <= EXPIRING_SECONDS)
}

/// Whether nobody has used it for 90 days.
pub(super) fn is_unused(token: &ServiceToken, now: Timestamp) -> bool {
    let last = token.last_used.unwrap_or(token.created_at);
    now.seconds_since(last) > UNUSED_SECONDS
}

/// The advisory's own words, as a sentence.
fn advice(reason: &str) -> String {
    let mut letters = reason.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

fn told(maker: &Maker) -> String {
    match (&maker.name, maker.principal) {
        (Some(name), _) => name.clone(),
        (None, PrincipalId::User(_)) => "a former user".to_owned(),
        (None, PrincipalId::ServiceToken(id)) => format!("service token {id}"),
        (None, PrincipalId::System(_)) => "an import".to_owned(),
    }
}

/// A set's rows become one: its projects, named.
fn grants(token: &ServiceToken, names: &ProjectNames) -> Vec<GrantView> {
    let mut rows: Vec<(PermissionSet, Categories, Option<Vec<String>>)> = Vec::new();
    for row in &token.grants {
        let grant = &row.grant;
        let (set, raised) = (grant.permission_set(), grant.raised());
        let projects = match grant.projects() {
            Projects::All => None,
            Projects::Only(ids) => Some(ids.iter().map(|id| project(*id, names)).collect()),
        };
        let same = rows.iter_mut().find(|(other, categories, held)| {
            (*other, *categories, held.is_some()) == (set, raised, projects.is_some())
        });
        match (same, projects) {
            (Some((_, _, Some(held))), Some(more)) => held.extend::<Vec<String>>(more),
            (_, projects) => rows.push((set, raised, projects)),
        }
    }
    rows.into_iter().map(|(set, raised, projects)| view(set, raised, projects)).collect()
}

fn view(set: PermissionSet, raised: Categories, projects: Option<Vec<String>>) -> GrantView {
    let row = set.row();
    let account = row.level == domain::authz::Level::Account;
    let projects = match projects {
        Some(names) => names.join(", "),
        None if account => "whole account".to_owned(),
        None => "all projects".to_owned(),
    };
    let writes_in =
        (!raised.is_empty() && !row.raised.is_empty()).then(|| raised.words().join(", "));
    let reads_only = !row.rights.actions().any(is_write) && writes_in.is_none();
    GrantView {
        key: &row.key,
        label: &row.label,
        about: &row.about,
        projects,
        writes_in,
        reads_only,
    }
}

pub(super) fn is_write(action: domain::authz::Action) -> bool {
    action.access == domain::authz::Access::Write
}

fn project(id: ProjectId, names: &ProjectNames) -> String {
    names.get(&id).cloned().unwrap_or_else(|| format!("project {id}"))
}

/// The names of the projects that the visitor may see.
pub(super) async fn project_names(
    app: &App,
    permit: &Permit<Read, ServiceTokens>,
) -> Result<ProjectNames, ApiError> {
    let Ok(permit) = permit.also() else { return Ok(ProjectNames::new()) };
    let mut names = ProjectNames::new();
    let mut query = ListQuery::first_page();
    loop {
        let page = app.store.projects(&permit, &query).await?;
        let found = page.rows.len();
        names.extend(page.rows.into_iter().map(|row| (row.id, row.spec.name.as_str().to_owned())));
        query.offset = u32::try_from(names.len()).unwrap_or(u32::MAX);
        if found == 0 || u64::from(query.offset) >= page.total {
            return Ok(names);
        }
    }
}

/// Who made one token.
pub(super) async fn maker(
    app: &App,
    permit: &Permit<Read, ServiceTokens>,
    id: ServiceTokenId,
) -> Result<Option<Maker>, StoreError> {
    Ok(app.store.makers_of(permit, &[id]).await?.remove(&id))
}

/// The same as a page, asked of the API.
pub(super) fn curl(app: &App, path: &str) -> String {
    format!("curl -H \"Authorization: Token $DBT_CLOUD_TOKEN\" '{}{path}'", app.public_url)
}
