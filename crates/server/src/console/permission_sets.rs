//! Permission sets: the whole matrix, and one set in full.

use askama::Template;
use axum::extract::State;
use domain::{
    Plan,
    authz::{
        Access, Action, Identity, Level, PermissionSet, Permit, Read, ResourceKind, ResourceRow,
        SetRow, catalogue,
    },
};

use super::{
    door::Visitor,
    form::Asked,
    icons,
    page::{Page, Shell},
    picker::sentence,
    token_view::curl,
};
use crate::{app::App, error::ApiError};

/// The plans, as the filter has them.
const PLANS: [Plan; 4] = [Plan::Enterprise, Plan::Team, Plan::Starter, Plan::Developer];

#[derive(Template)]
#[template(path = "permission_sets.html")]
struct Matrix<'a> {
    shell: Shell<'a>,
    text: &'a str,
    plans: Vec<(String, String, bool)>,
    sets: Vec<(&'static str, &'static str)>,
    groups: Vec<Group>,
    chosen: Option<Chosen>,
}

/// The resources of a level.
struct Group {
    label: &'static str,
    rows: Vec<(&'static str, Vec<Cell>)>,
}

/// What a set allows on a resource; nothing where `letter` is empty.
struct Cell {
    set: &'static str,
    class: &'static str,
    letter: &'static str,
    title: String,
}

/// One set in full.
struct Chosen {
    key: &'static str,
    label: &'static str,
    about: &'static str,
    level: &'static str,
    plans: Vec<String>,
    rows: Vec<(&'static str, &'static str, String, &'static str)>,
    source: &'static str,
}

/// `GET /console/permission-sets`
pub(super) async fn list(
    permit: Permit<Read, Identity>,
    State(app): State<App>,
    visitor: Visitor,
    Asked(asked): Asked,
) -> Result<Page, ApiError> {
    let plan = PLANS.into_iter().find(|plan| plan.key() == asked.first("plan"));
    let text = asked.first("q").trim();
    let (sets, kinds) = found(&text.to_lowercase(), plan);
    let chosen: Option<PermissionSet> = asked.first("set").parse().ok();
    // No call lists the sets: this one asks what a caller's own allow.
    let path = format!("/api/v3/accounts/{}/check/", permit.account());
    let body = r#"curl --json '{"resource": "jobs", "action": "write"}' "#;
    let curl = curl(&app, &path).replacen("curl ", body, 1);
    Page::of(&Matrix {
        shell: Shell { visitor: &visitor, here: "permission-sets", curl },
        text,
        plans: PLANS.map(|one| (one.key().to_owned(), name(one), plan == Some(one))).into(),
        sets: sets.iter().map(|row| (row.key.as_str(), row.label.as_str())).collect(),
        groups: groups(&sets, &kinds),
        chosen: chosen.map(|set| whole(set.row())),
    })
}

fn name(plan: Plan) -> String {
    sentence(plan.key()).trim_end_matches('.').to_owned()
}

/// The sets and resources that the words are in; all of the others where they are in one kind only.
fn found(text: &str, plan: Option<Plan>) -> (Vec<&'static SetRow>, Vec<&'static ResourceRow>) {
    let has = |label: &str| label.to_lowercase().contains(text);
    let offered = |row: &&SetRow| plan.is_none_or(|plan| row.plans.contains(&plan));
    let all: Vec<_> = catalogue().sets().filter(offered).collect();
    let sets: Vec<_> = all.iter().copied().filter(|row| has(&row.label)).collect();
    let every = || catalogue().resources().iter().filter(|row| is_in_a_set(row.kind));
    let kinds: Vec<_> = every().filter(|row| has(&row.label)).collect();
    let sets = if sets.is_empty() && !kinds.is_empty() { all } else { sets };
    let kinds = if kinds.is_empty() && !sets.is_empty() { every().collect() } else { kinds };
    (sets, kinds)
}

/// Whether some set holds it; what everybody holds by what they are stands in none.
fn is_in_a_set(kind: ResourceKind) -> bool {
    catalogue().sets().any(|row| allows(row, kind).is_some())
}

/// How a set allows a resource: the stylesheet's word, a letter, words.
fn allows(row: &SetRow, kind: ResourceKind) -> Option<(&'static str, &'static str, &'static str)> {
    let write = Action::new(Access::Write, kind);
    if row.rights.allow(write) {
        Some(("w", "W", "write"))
    } else if row.raised.allow(write) {
        Some(("r", "R*", "read, and write where an environment category is named"))
    } else {
        row.rights.allow(Action::new(Access::Read, kind)).then_some(("r", "R", "read"))
    }
}

fn groups(sets: &[&'static SetRow], kinds: &[&'static ResourceRow]) -> Vec<Group> {
    let levels = [(Level::Account, "Account level"), (Level::Project, "Project level")];
    let group = |(level, label)| {
        let rows = kinds.iter().filter(|row| row.level == level);
        let rows = rows.map(|kind| (kind.label.as_str(), cells(sets, kind))).collect();
        Group { label, rows }
    };
    levels.into_iter().map(group).filter(|group| !group.rows.is_empty()).collect()
}

fn cells(sets: &[&'static SetRow], kind: &ResourceRow) -> Vec<Cell> {
    let cell = |row: &&'static SetRow| {
        let (class, letter, words) = allows(row, kind.kind).unwrap_or_default();
        let title = format!("{}: {words}, {} ({})", row.label, kind.label, row.source);
        Cell { set: &row.label, class, letter, title }
    };
    sets.iter().map(cell).collect()
}

fn whole(row: &'static SetRow) -> Chosen {
    let level = |level| match level {
        Level::Account => "Account",
        Level::Project => "Project",
    };
    let resource = |kind: &'static ResourceRow| {
        let (_, _, words) = allows(row, kind.kind)?;
        Some((kind.label.as_str(), level(kind.level), words.to_owned(), kind.about.as_str()))
    };
    Chosen {
        key: &row.key,
        label: &row.label,
        about: &row.about,
        level: level(row.level),
        plans: row.plans.iter().map(|plan| name(*plan)).collect(),
        rows: catalogue().resources().iter().filter_map(resource).collect(),
        source: &row.source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_find_sets_or_resources_and_nothing_where_they_are_in_neither() {
        let count = |text: &str, plan| {
            let (sets, kinds) = found(text, plan);
            (sets.len(), kinds.len())
        };
        let (sets, kinds) = count("", None);
        assert_eq!(sets, catalogue().sets().count());
        assert_eq!(count("job admin", None), (1, kinds));
        assert_eq!(count("audit logs", None), (sets, 1));
        assert_eq!(count("no such words", None), (0, 0));
        assert!(count("", Some(Plan::Team)).0 < sets);
    }

    #[test]
    fn a_cell_says_what_the_catalogue_says() {
        let row = |key: &str| key.parse::<PermissionSet>().unwrap().row();
        let says = |key: &str, kind| allows(row(key), kind).map(|(_, letter, _)| letter);
        assert_eq!(says("job_admin", ResourceKind::Jobs), Some("W"));
        assert_eq!(says("job_viewer", ResourceKind::Jobs), Some("R"));
        assert_eq!(says("developer", ResourceKind::Jobs), Some("R*"));
        assert_eq!(says("job_viewer", ResourceKind::Billing), None);
    }
}
