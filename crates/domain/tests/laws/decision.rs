//! What `decide` says, beside a naive loop that reads the catalogue's text for itself.

use std::collections::BTreeSet;

use domain::{
    ProjectId,
    authz::{
        Access, Action, Category, Decision, Jobs, Permit, Principal, Read, Runs, Scope, Write,
        authorize, authorize_action, decide,
    },
};
use proptest::prelude::*;

use super::{
    place::{caller, implied, places, scope},
    rows::{Carrier, TABLE, carrier, row, rows},
    table::Row,
    world::{account, environment},
};

/// Every place where the action is allowed, row by row, project by project, category by category.
fn naive(carrier: Carrier, rows: &[Row], action: Action) -> BTreeSet<(ProjectId, Category)> {
    let (is_user, live): (bool, Vec<_>) = match carrier {
        Carrier::User(_) => (true, rows.iter().collect()),
        Carrier::Token(plan) => (false, rows.iter().filter(|row| offered(row, plan)).collect()),
    };
    let mints = action.access == Access::Write && action.on.key() == "service_tokens";
    let mut reach = BTreeSet::new();
    for (project, category) in places() {
        if implied(action, is_user, TABLE.open_admin(live.iter().copied())) {
            reach.insert((project, category));
        }
        for row in &live {
            let cell = (action.on.key().to_owned(), action.access);
            let set = &TABLE.sets[row.set];
            let of_account = TABLE.kinds[&cell.0].of_account;
            let here = row.projects.as_ref().is_none_or(|ids| ids.contains(&project.get()));
            let raised = row.raised.contains(&category) && set.raised.contains(&cell);
            let holds = set.cells.contains(&cell) && (of_account || here) || raised && here;
            let unlicensed =
                mints && matches!(carrier, Carrier::User(domain::authz::License::Analyst));
            if holds && !unlicensed {
                reach.insert((project, category));
            }
        }
    }
    reach
}

fn offered(row: &Row, plan: Option<domain::Plan>) -> bool {
    plan.is_some_and(|plan| TABLE.sets[row.set].plans.iter().any(|key| key == plan.key()))
}

fn reach(principal: &Principal, action: Action) -> BTreeSet<(ProjectId, Category)> {
    let scope = scope(principal, action);
    places().filter(|(project, category)| scope.categories_in(*project).has(*category)).collect()
}

proptest! {
    #[test]
    fn decide_agrees_with_a_naive_loop(carrier in carrier(), rows in rows()) {
        let principal = carrier.with(&rows);
        for action in Action::all() {
            prop_assert_eq!(reach(&principal, action), naive(carrier, &rows, action), "{}", action);
        }
    }

    #[test]
    fn more_grants_never_allow_less(carrier in carrier(), rows in rows(), one_more in row()) {
        let before = carrier.with(&rows);
        let mut more = rows;
        more.push(one_more);
        let after = carrier.with(&more);
        for action in Action::all() {
            prop_assert!(scope(&after, action).contains(&scope(&before, action)), "{}", action);
        }
    }

    #[test]
    fn the_order_of_grants_means_nothing(carrier in carrier(), (rows, shuffled) in rows_and_shuffled()) {
        let (one, other) = (carrier.with(&rows), carrier.with(&shuffled));
        for action in Action::all() {
            prop_assert_eq!(decide(&one, action), decide(&other, action));
        }
    }

    #[test]
    fn a_grant_twice_means_what_it_means_once(carrier in carrier(), rows in rows()) {
        let twice: Vec<_> = rows.iter().chain(&rows).cloned().collect();
        let (once, twice) = (carrier.with(&rows), carrier.with(&twice));
        for action in Action::all() {
            prop_assert_eq!(decide(&once, action), decide(&twice, action));
        }
    }

    /// One grant on two projects is two grants on one each.
    #[test]
    fn a_grant_is_the_union_of_its_projects(carrier in carrier(), row in row()) {
        let apart: Vec<_> = match &row.projects {
            None => vec![row.clone()],
            Some(ids) => ids
                .iter()
                .map(|id| Row { projects: Some([*id].into()), ..row.clone() })
                .collect(),
        };
        let (one, many) = (carrier.with(&[row]), carrier.with(&apart));
        for action in Action::all() {
            prop_assert_eq!(decide(&one, action), decide(&many, action));
        }
    }

    #[test]
    fn write_includes_read(carrier in carrier(), rows in rows()) {
        let principal = carrier.with(&rows);
        for write in Action::all().filter(|action| action.access == Access::Write) {
            let read = Action::new(Access::Read, write.on);
            prop_assert!(scope(&principal, read).contains(&scope(&principal, write)), "{}", write);
        }
    }

    #[test]
    fn authorize_says_yes_exactly_where_decide_does(carrier in carrier(), rows in rows()) {
        let principal = carrier.with(&rows);
        for action in Action::all() {
            let allowed = decide(&principal, action) != Decision::Deny;
            prop_assert_eq!(principal.holds(action), allowed);
            prop_assert_eq!(authorize_action(&principal, account(), action).is_ok(), allowed);
        }
    }

    #[test]
    fn an_allowed_scope_covers_something(carrier in carrier(), rows in rows()) {
        let principal = carrier.with(&rows);
        for action in Action::all() {
            prop_assert_ne!(decide(&principal, action), Decision::Allow(Scope::nowhere()));
        }
    }

    #[test]
    fn no_principal_reaches_another_account(carrier in carrier(), rows in rows()) {
        let principal = carrier.with(&rows);
        let other = domain::AccountId::new(2).unwrap();
        for action in Action::all() {
            prop_assert!(authorize_action(&principal, other, action).is_err());
        }
    }

    /// A permit confines to what was decided, and an object of which not even a read is allowed
    /// is not said to exist.
    #[test]
    fn a_permit_confines_to_the_decision(carrier in carrier(), rows in rows()) {
        let principal = carrier.with(&rows);
        let caller = caller(principal.clone());
        let runs: Option<Permit<Write, Runs>> = authorize(&caller, account()).ok();
        let jobs: Option<Permit<Read, Jobs>> = authorize(&caller, account()).ok();
        let (write, read) = (reach(&principal, Action::of::<Write, Runs>()), reach(&principal, Action::of::<Read, Jobs>()));
        prop_assert_eq!(runs.is_some(), !write.is_empty());
        prop_assert_eq!(jobs.is_some(), !read.is_empty());
        for (project, category) in places() {
            let here = (project, category);
            if let Some(permit) = &runs {
                prop_assert_eq!(permit.at(environment(project, category)).is_ok(), write.contains(&here));
                let whole = Category::ALL.iter().all(|each| write.contains(&(project, *each)));
                prop_assert_eq!(permit.within(project).is_ok(), whole);
                if let Err(denied) = permit.at(environment(project, category)) {
                    let seen = scope(&principal, Action::of::<Read, Runs>()).categories_in(project);
                    prop_assert_eq!(denied.explanation().is_some(), !seen.is_empty());
                }
            }
            if let Some(permit) = &jobs {
                prop_assert_eq!(permit.within(project).is_ok(), read.contains(&here));
            }
        }
    }
}

fn rows_and_shuffled() -> impl Strategy<Value = (Vec<Row>, Vec<Row>)> {
    rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
}
