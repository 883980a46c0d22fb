//! The text, block by block; every letter in it is an answer of `decide`.

use std::fmt::Write as _;

use domain::{
    AccountId, Plan, ProjectId, ServiceTokenId, UserId,
    authz::{
        Access, AccountTerms, Action, Categories, Credential, Decision, Grant, Level, License,
        PermissionSet, Principal, Projects, ResourceKind, SystemTask, catalogue, decide,
    },
};

const HEAD: &str = "\
# Who may do what. Every letter is an answer of `domain::authz::decide`; the test `matrix` keeps
# this file, and `NARROWGATE_BLESS=1 cargo test -p domain --test matrix` writes it anew.
#
#   -            nothing
#   R            read
#   W            write, which includes read
#   R+W(env)     read; write in environments of the categories that the grant names
#
# Scopes: `all` is a grant on all projects; `one` is a grant on one project, asked there; `other`
# is the same grant, asked in another project. What belongs to the account has no project, so a
# grant on one project holds it for the whole account. A kind that a block does not list: nothing.
";

/// The whole text.
pub(crate) fn matrix() -> String {
    let mut text = HEAD.to_owned();
    plans(&mut text);
    let mut sets: Vec<_> = PermissionSet::all().collect();
    sets.sort_by_key(|set| set.key());
    for set in sets {
        permission_set(&mut text, set);
    }
    for license in License::ALL {
        for groups in [None, Some("account_admin")] {
            licence(&mut text, license, groups);
        }
    }
    for task in SystemTask::ALL {
        let principal = Principal::system(task, terms());
        heading(&mut text, &format!("Narrowgate's own task {}", task.key()));
        in_short(&mut text, &principal);
    }
    text
}

fn terms() -> AccountTerms {
    let id = AccountId::new(1).unwrap();
    AccountTerms { id, plan: Some(Plan::Enterprise), tokens_may_mint: true }
}

fn user(license: License, grants: Vec<Grant>) -> Principal {
    let id = UserId::new(1).unwrap();
    Principal::user(id, Credential::Process, terms(), license, grants)
}

fn heading(text: &mut String, words: &str) {
    writeln!(text, "\n{words}\n{}", "-".repeat(words.chars().count())).unwrap();
}

/// Which plans offer which set to service tokens.
fn plans(text: &mut String) {
    heading(text, "Plans: the sets that a service token may carry");
    let keys = Plan::ALL.map(|plan| format!("{:<12}", plan.key())).concat();
    writeln!(text, "{:<26}{}", "", keys.trim_end()).unwrap();
    let mut sets: Vec<_> = PermissionSet::all().collect();
    sets.sort_by_key(|set| set.key());
    for set in sets {
        let grant = Grant::new(set, Projects::All).unwrap();
        let offers = |plan| if grant.offered_by(Some(plan)).is_ok() { "yes" } else { "-" };
        let offers = Plan::ALL.map(|plan| format!("{:<12}", offers(plan))).concat();
        writeln!(text, "{:<26}{}", set.key(), offers.trim_end()).unwrap();
    }
}

/// The kinds of a level, by their keys.
fn kinds(level: Level) -> Vec<ResourceKind> {
    let rows = catalogue().resources().iter().filter(|row| row.level == level);
    let mut kinds: Vec<_> = rows.map(|row| row.kind).collect();
    kinds.sort_by_key(|kind| kind.key());
    kinds
}

/// A service token that carries the set, on a plan that offers it; a user where no plan does.
fn carrier(set: PermissionSet, projects: Projects, raised: Categories) -> Principal {
    let grant = Grant::new(set, projects).unwrap().raising(raised);
    match Plan::ALL.into_iter().rev().find(|plan| grant.offered_by(Some(*plan)).is_ok()) {
        Some(plan) => {
            let terms = AccountTerms { plan: Some(plan), ..terms() };
            Principal::service_token(ServiceTokenId::new(1).unwrap(), 1, terms, vec![grant])
        }
        None => user(License::Developer, vec![grant]),
    }
}

fn permission_set(text: &mut String, set: PermissionSet) {
    let row = set.row();
    let level = match (row.level, row.also_project_level) {
        (Level::Account, false) => "account-level",
        (Level::Account, true) => "both levels",
        (Level::Project, _) => "project-level",
    };
    let carried = if row.plans.is_empty() { "carried by users only" } else { "" };
    let notes = [row.label.as_str(), level, carried].map(str::to_owned);
    let notes: Vec<_> = notes.into_iter().filter(|note| !note.is_empty()).collect();
    heading(text, &format!("{}: {}", set.key(), notes.join(", ")));

    let (here, there) = (ProjectId::new(1).unwrap(), ProjectId::new(2).unwrap());
    let one = Projects::only([here]).unwrap();
    let scopes = match Grant::new(set, one.clone()) {
        Err(_) => vec![("all", Projects::All, here)],
        Ok(_) => {
            vec![("all", Projects::All, here), ("one", one.clone(), here), ("other", one, there)]
        }
    };
    let names = scopes.iter().map(|(name, ..)| format!("{name:<11}"));
    writeln!(text, "{:<42}{}", "", names.collect::<String>().trim_end()).unwrap();
    for (level, title) in [(Level::Account, "account"), (Level::Project, "project")] {
        for kind in kinds(level) {
            let cell = |(_, projects, at): &(_, Projects, _)| cell(set, kind, projects, *at);
            let cells: Vec<_> = scopes.iter().map(cell).collect();
            if cells.iter().any(|cell| cell != "-") {
                let cells =
                    cells.iter().map(|cell| format!("{cell:<11}")).collect::<Vec<_>>().concat();
                let line = format!("  {title:<9}{:<31}{}", kind.key(), cells.trim_end());
                writeln!(text, "{line}").unwrap();
            }
        }
    }
}

/// What a principal may do there, in environments of every category.
fn access(principal: &Principal, kind: ResourceKind, at: ProjectId) -> Option<Access> {
    let allows = |access: &Access| match decide(principal, Action::new(*access, kind)) {
        Decision::Allow(scope) => scope.categories_in(at) == Categories::ALL,
        Decision::Deny => false,
    };
    Access::ALL.into_iter().rev().find(allows)
}

fn letter(access: Option<Access>) -> &'static str {
    match access {
        None => "-",
        Some(Access::Read) => "R",
        Some(Access::Write) => "W",
    }
}

fn cell(set: PermissionSet, kind: ResourceKind, projects: &Projects, at: ProjectId) -> String {
    let with = |raised| access(&carrier(set, projects.clone(), raised), kind, at);
    let (plain, raised) = (letter(with(Categories::NONE)), letter(with(Categories::ALL)));
    if plain == raised { plain.to_owned() } else { format!("{plain}+{raised}(env)") }
}

fn licence(text: &mut String, license: License, groups: Option<&str>) {
    let given = groups.map_or_else(|| "nothing".to_owned(), |set| format!("{set} on all projects"));
    heading(text, &format!("Licence {}, where groups give {given}", license.key()));
    let grant = |set: &str| Grant::new(set.parse().unwrap(), Projects::All).unwrap();
    in_short(text, &user(license, groups.map(grant).into_iter().collect()));
}

/// Everything that it may do, on every project, in two lists.
fn in_short(text: &mut String, principal: &Principal) {
    let anywhere = ProjectId::new(1).unwrap();
    let mut all = [kinds(Level::Account), kinds(Level::Project)].concat();
    all.sort_by_key(|kind| kind.key());
    for (letter, wanted) in [("W", Access::Write), ("R", Access::Read)] {
        let held = all.iter().filter(|kind| access(principal, **kind, anywhere) == Some(wanted));
        for (number, kind) in held.enumerate() {
            writeln!(text, "  {:<2}{}", if number == 0 { letter } else { "" }, kind.key()).unwrap();
        }
    }
}
