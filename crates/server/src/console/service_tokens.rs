//! Account settings → Service tokens: the list.

use askama::Template;
use axum::extract::State;
use domain::{
    Timestamp,
    authz::{PermissionSet, Permit, Projects, Read, ServiceTokens, Write, catalogue},
    service_token::ServiceToken,
};

use super::{
    door::Visitor,
    form::{Asked, Fields},
    icons,
    page::{Page, Shell},
    paging::{Choice, Pages},
    token_view::{ProjectNames, TokenView, curl, is_expiring, is_unused, project_names},
};
use crate::{app::App, error::ApiError};

/// Tokens on a page.
const ROWS: usize = 25;

/// What of the tokens is shown besides all: its key, and how it is called.
const SHOWN: [(&str, &str); 5] = [
    ("", "All tokens"),
    ("rotate", "Rotate advised"),
    ("expiring", "Expiring in 30 days"),
    ("unused", "Unused for 90 days"),
    ("imported", "Without a secret"),
];

/// The columns that the list can be in the order of: key, how they are called.
const SORTS: [&str; 4] = ["name", "created", "last_used", "expires"];

#[derive(Template)]
#[template(path = "service_tokens.html")]
struct List<'a> {
    shell: Shell<'a>,
    done: Option<&'static str>,
    tokens: Vec<TokenView>,
    /// Those of the whole account, and those of them that are to be rotated.
    all: usize,
    advised: usize,
    may_write: bool,
    wanted: Wanted,
    sets: Vec<Choice>,
    projects: Vec<Choice>,
    shown: Vec<Choice>,
    heads: Vec<Head>,
    pages: Pages,
}

/// A head that sorts: where it leads, and how it stands.
struct Head {
    label: &'static str,
    link: String,
    order: Option<&'static str>,
}

/// What of the list is wanted.
#[derive(Clone)]
struct Wanted {
    text: String,
    set: Option<PermissionSet>,
    project: String,
    show: String,
    sort: &'static str,
    descending: bool,
    page: usize,
}

impl Wanted {
    fn read(asked: &Fields) -> Self {
        let sort = asked.first("sort");
        let key = sort.trim_start_matches('-');
        let sort_key = SORTS.into_iter().find(|known| *known == key);
        Self {
            text: asked.first("q").trim().to_owned(),
            set: asked.first("set").parse().ok(),
            project: asked.first("project").to_owned(),
            show: asked.first("show").to_owned(),
            sort: sort_key.unwrap_or("last_used"),
            descending: sort_key.is_none() || sort.starts_with('-'),
            page: asked.first("page").parse().unwrap_or(1).max(1),
        }
    }

    fn is_narrow(&self) -> bool {
        let none = self.text.is_empty() && self.project.is_empty() && self.show.is_empty();
        !none || self.set.is_some()
    }

    fn meets(&self, token: &ServiceToken, now: Timestamp) -> bool {
        let text = self.text.to_lowercase();
        let named = token.name.as_str().to_lowercase().contains(&text) || token.uid.contains(&text);
        let set = self
            .set
            .is_none_or(|set| token.grants.iter().any(|row| row.grant.permission_set() == set));
        named && set && self.meets_project(token) && self.meets_show(token, now)
    }

    fn meets_project(&self, token: &ServiceToken) -> bool {
        let Ok(wanted) = self.project.parse() else { return true };
        token.grants.iter().any(|row| match row.grant.projects() {
            Projects::All => true,
            Projects::Only(projects) => projects.contains(&wanted),
        })
    }

    fn meets_show(&self, token: &ServiceToken, now: Timestamp) -> bool {
        match self.show.as_str() {
            "rotate" => token.advisory().is_some(),
            "expiring" => is_expiring(token, now),
            "unused" => is_unused(token, now),
            "imported" => token.state == domain::service_token::TokenState::Imported,
            _ => true,
        }
    }

    fn order(&self, tokens: &mut [&ServiceToken]) {
        match self.sort {
            "name" => tokens.sort_by_cached_key(|token| token.name.as_str().to_lowercase()),
            "created" => tokens.sort_by_key(|token| token.created_at),
            "expires" => tokens.sort_by_key(|token| token.expires_at()),
            _ => tokens.sort_by_key(|token| token.last_used),
        }
        if self.descending {
            tokens.reverse();
        }
    }

    /// The address of the list with this page and order.
    fn link(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let set = self.set.map(PermissionSet::key).unwrap_or_default();
        for (key, value) in
            [("q", &*self.text), ("set", set), ("project", &self.project), ("show", &self.show)]
        {
            if !value.is_empty() {
                query.append_pair(key, value);
            }
        }
        if (self.sort, self.descending) != ("last_used", true) {
            let sign = if self.descending { "-" } else { "" };
            query.append_pair("sort", &format!("{sign}{}", self.sort));
        }
        if self.page > 1 {
            query.append_pair("page", &self.page.to_string());
        }
        format!("/console/service-tokens?{}", query.finish())
    }

    fn head(&self, label: &'static str, sort: &'static str) -> Head {
        let here = self.sort == sort;
        let order = match (here, self.descending) {
            (false, _) => None,
            (true, true) => Some("descending"),
            (true, false) => Some("ascending"),
        };
        // Names go up first, times go down first.
        let descending = if here { !self.descending } else { sort != "name" };
        let link = Self { sort, descending, page: 1, ..self.clone() }.link();
        Head { label, link, order }
    }

    fn pages(&self, found: usize) -> Pages {
        Pages::new(self.page, ROWS, found, |page| Self { page, ..self.clone() }.link())
    }
}

/// `GET /console/service-tokens`
pub(super) async fn list(
    permit: Permit<Read, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    Asked(asked): Asked,
) -> Result<Page, ApiError> {
    let wanted = Wanted::read(&asked);
    let now = app.store.clock().now();
    let all = app.store.every_service_token(&permit).await?;
    let mut found: Vec<_> = all.iter().filter(|token| wanted.meets(token, now)).collect();
    wanted.order(&mut found);
    let pages = wanted.pages(found.len());
    let here = found.get(pages.first.saturating_sub(1)..pages.last).unwrap_or_default();
    let names = project_names(&app, &permit).await?;
    let ids: Vec<_> = here.iter().map(|token| token.id).collect();
    let makers = app.store.makers_of(&permit, &ids).await?;
    let tokens = here
        .iter()
        .map(|token| TokenView::new(token, &names, makers.get(&token.id), now))
        .collect();
    let path = format!("/api/v3/accounts/{}/service-tokens/", permit.account());
    let done = asked.has("deleted").then_some("Token deleted");
    Page::of(&List {
        shell: Shell { visitor: &visitor, here: "service-tokens", curl: curl(&app, &path) },
        done,
        tokens,
        all: all.len(),
        advised: all.iter().filter(|token| token.advisory().is_some()).count(),
        may_write: permit.also::<Write, ServiceTokens>().is_ok(),
        sets: sets(&all, wanted.set),
        projects: projects(&names, &wanted.project),
        shown: shown(&wanted.show),
        heads: vec![
            wanted.head("Created", "created"),
            wanted.head("Last used", "last_used"),
            wanted.head("Expires", "expires"),
        ],
        wanted,
        pages,
    })
}

impl List<'_> {
    fn name_head(&self) -> Head {
        self.wanted.head("Name", "name")
    }
}

/// The sets that some token has.
fn sets(tokens: &[ServiceToken], chosen: Option<PermissionSet>) -> Vec<Choice> {
    let has = |set: PermissionSet| {
        let mut rows = tokens.iter().flat_map(|token| &token.grants);
        rows.any(|row| row.grant.permission_set() == set)
    };
    let held = catalogue().sets().filter(|row| has(row.set) || chosen == Some(row.set));
    let chosen = chosen.map(PermissionSet::key).unwrap_or_default();
    held.map(|row| Choice::new(&row.key, &row.label, chosen)).collect()
}

fn projects(names: &ProjectNames, chosen: &str) -> Vec<Choice> {
    names.iter().map(|(id, name)| Choice::new(id, name, chosen)).collect()
}

fn shown(chosen: &str) -> Vec<Choice> {
    SHOWN.into_iter().map(|(key, label)| Choice::new(key, label, chosen)).collect()
}
