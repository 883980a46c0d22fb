//! What a token is narrowed to holds everything that it was used for, and nothing smaller does.

use std::collections::BTreeSet;

use domain::{
    Plan, ServiceTokenId,
    authz::{
        Access, Action, Category, Grant, Judge, PermissionSet, Principal, Projects, Proposal, Use,
        UsedAt, contained, grants_alone, lost, propose, replay,
    },
};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{select, subsequence},
};

use super::{
    place::scope,
    rows::{TABLE, grants, plan, row, rows},
    table::Row,
    world::{NAMED, TOMORROW, project, terms},
};

/// A use of any action, anywhere.
fn used() -> impl Strategy<Value = Use> {
    let actions: Vec<_> = Action::all().collect();
    let projects = select([&NAMED[..], &[TOMORROW]].concat());
    let category = option::of(select(&Category::ALL[..]));
    let at = prop_oneof![
        1 => Just(UsedAt::Somewhere),
        1 => Just(UsedAt::Wherever),
        6 => (projects, category).prop_map(|(id, of)| UsedAt::Project(project(id), of)),
    ];
    (select(actions), at).prop_map(|(action, at)| Use { action, at })
}

fn alone(plan: Option<Plan>, grants: Vec<Grant>) -> Principal {
    grants_alone(ServiceTokenId::new(3).unwrap(), terms(plan), grants)
}

fn held(principal: &Principal, uses: Vec<Use>) -> Vec<Use> {
    let mut judge = Judge::of(principal);
    uses.into_iter().filter(|used| used.is_held(&mut judge)).collect()
}

/// The rows that grants are, by the test's own table.
fn rows_of(grants: &[Grant]) -> Vec<Row> {
    let set = |key| TABLE.sets.iter().position(|set| set.key == key).unwrap();
    let row = |grant: &Grant| Row {
        set: set(grant.permission_set().key()),
        projects: match grant.projects() {
            Projects::All => None,
            Projects::Only(ids) => Some(ids.iter().map(|id| id.get()).collect()),
        },
        raised: Category::ALL.into_iter().filter(|of| grant.raised().has(*of)).collect(),
    };
    grants.iter().map(row).collect()
}

/// What rows cost: writes, rights, rows; reckoned from the catalogue's text.
fn cost(rows: &[Row], projects: &BTreeSet<i64>) -> (usize, usize, usize) {
    let mut account = BTreeSet::new();
    let mut cells = BTreeSet::new();
    for row in rows {
        let set = &TABLE.sets[row.set];
        let places: Vec<i64> = match &row.projects {
            Some(ids) => ids.iter().copied().collect(),
            None => projects.iter().copied().chain([TOMORROW * 2]).collect(),
        };
        for (kind, access) in &set.cells {
            if TABLE.kinds[kind].of_account {
                account.insert((kind, *access));
                continue;
            }
            for place in &places {
                cells.extend(Category::ALL.map(|of| (*place, of as usize, kind, *access)));
            }
        }
        for (kind, access) in &set.raised {
            for (place, of) in
                places.iter().flat_map(|id| row.raised.iter().map(move |of| (id, of)))
            {
                cells.insert((*place, *of as usize, kind, *access));
            }
        }
    }
    let writes = account.iter().filter(|(_, access)| *access == Access::Write).count() * 4
        + cells.iter().filter(|(.., access)| *access == Access::Write).count();
    let count = |row: &Row| row.projects.as_ref().map_or(1, BTreeSet::len);
    (writes, account.len() * 4 + cells.len(), rows.iter().map(count).sum())
}

/// The projects that the present rows, or uses of what projects have, name.
fn named(rows: &[Row], uses: &[Use]) -> BTreeSet<i64> {
    let of_project = |used: &&Use| !TABLE.kinds[used.action.on.key()].of_account;
    let there = uses.iter().filter(of_project).filter_map(|used| match used.at {
        UsedAt::Project(project, _) => Some(project.get()),
        UsedAt::Somewhere | UsedAt::Wherever => None,
    });
    rows.iter().filter_map(|row| row.projects.clone()).flatten().chain(there).collect()
}

/// The smallest choice among all of at most four rows of these sets, tried one by one.
fn by_force(
    present: &Principal,
    sets: &[usize],
    uses: &[Use],
    on: &BTreeSet<i64>,
) -> (usize, usize, usize) {
    let mut all: Vec<(Row, Grant)> = Vec::new();
    for set in sets {
        let wholly = [None].into_iter();
        let singly = on.iter().map(|id| Some(BTreeSet::from([*id])));
        let singly = singly.filter(|_| TABLE.sets[*set].names_projects);
        for projects in wholly.chain(singly) {
            for raised in [vec![], vec![Category::Staging]] {
                let row = Row { set: *set, projects: projects.clone(), raised };
                let raises = !TABLE.sets[*set].raised.is_empty();
                let grant = grants(std::slice::from_ref(&row)).remove(0);
                let within = contained(std::slice::from_ref(&grant), present).is_ok();
                if within && (raises || row.raised.is_empty()) {
                    all.push((row, grant));
                }
            }
        }
    }
    let mut best = None;
    let mut chosen = vec![vec![]];
    for _ in 0..=4 {
        let mut longer = Vec::new();
        for places in chosen {
            let rows: Vec<Row> = places.iter().map(|at: &usize| all[*at].0.clone()).collect();
            let cost = cost(&rows, on);
            // What costs more than the best does so with one more row, too.
            if best.is_some_and(|best| best <= cost) {
                continue;
            }
            let grants = places.iter().map(|at| all[*at].1.clone()).collect();
            if replay(uses, present, &alone(Some(Plan::Enterprise), grants)).is_empty() {
                best = Some(cost);
            }
            let from = places.last().map_or(0, |last| last + 1);
            longer.extend((from..all.len()).map(|at| [&places[..], &[at]].concat()));
        }
        chosen = longer;
    }
    best.unwrap_or((usize::MAX, 0, 0))
}

fn propose_any(plan: Option<Plan>, rows: &[Row], uses: &[Use]) -> Proposal {
    propose(plan, &grants(rows), uses, |_| true)
}

proptest! {
    #[test]
    fn a_proposal_holds_every_use_that_the_present_grants_hold(
        plan in plan(), rows in rows(), uses in vec(used(), 0..30),
    ) {
        let before = alone(plan, grants(&rows));
        let proposal = propose_any(plan, &rows, &uses);
        let after = alone(plan, proposal.grants.clone());
        prop_assert_eq!(replay(&uses, &before, &after), vec![]);

        let kept = held(&before, uses.clone());
        let not_held: Vec<_> = uses.into_iter().filter(|used| !kept.contains(used)).collect();
        prop_assert_eq!(proposal.not_held, not_held);
    }

    #[test]
    fn a_proposal_is_never_wider_than_the_present_grants(
        plan in plan(), rows in rows(), uses in vec(used(), 0..30),
    ) {
        let before = alone(plan, grants(&rows));
        let proposal = propose_any(plan, &rows, &uses);
        prop_assert_eq!(contained(&proposal.grants, &before), Ok(()));
        let after = alone(plan, proposal.grants.clone());
        prop_assert_eq!(lost(&after, &before), vec![]);
        for grant in &proposal.grants {
            prop_assert!(grant.offered_by(plan).is_ok(), "{:?}", grant);
        }
        let lost = lost(&before, &after);
        for action in Action::all() {
            let less = !scope(&after, action).contains(&scope(&before, action));
            prop_assert_eq!(less, lost.iter().any(|lost| lost.action == action));
        }
    }

    #[test]
    fn no_grant_of_a_proposal_can_be_left_out(
        rows in rows(), uses in vec(used(), 0..12),
    ) {
        let plan = Some(Plan::Enterprise);
        let before = alone(plan, grants(&rows));
        let proposal = propose_any(plan, &rows, &uses);
        for left_out in 0..proposal.grants.len() {
            let mut fewer = proposal.grants.clone();
            fewer.remove(left_out);
            prop_assert_ne!(replay(&uses, &before, &alone(plan, fewer)), vec![]);
        }
    }

    #[test]
    fn the_order_of_uses_and_how_often_they_came_is_nothing(
        rows in rows(), uses in vec(used(), 0..20),
    ) {
        let there = propose_any(Some(Plan::Enterprise), &rows, &uses);
        let back: Vec<_> = uses.iter().rev().chain(&uses).copied().collect();
        let back = propose_any(Some(Plan::Enterprise), &rows, &back);
        prop_assert_eq!(there.grants, back.grants);
    }

    /// Also from what was proposed: there is nothing more to take away.
    #[test]
    fn a_narrowed_token_is_narrowed_no_further(rows in rows(), uses in vec(used(), 0..20)) {
        let plan = Some(Plan::Enterprise);
        // A list asks for all that is reached: for less, once less is.
        let uses: Vec<_> = uses.into_iter().filter(|used| used.at != UsedAt::Wherever).collect();
        let first = propose_any(plan, &rows, &uses);
        let again = propose(plan, &first.grants, &uses, |_| true);
        let on = named(&[], &uses);
        // What took too long to look for is not known to be the smallest, and does.
        prop_assume!(first.is_smallest && again.is_smallest);
        prop_assert_eq!(cost(&rows_of(&again.grants), &on), cost(&rows_of(&first.grants), &on));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Sets and rows are few, so that every choice can be tried.
    #[test]
    fn nothing_smaller_than_a_proposal_holds_every_use(
        present in vec(row(), 1..3),
        sets in subsequence((0..TABLE.sets.len()).collect::<Vec<_>>(), 3),
        uses in vec(used(), 1..40),
    ) {
        let plan = Some(Plan::Enterprise);
        let narrow = |row: Row| Row {
            projects: row.projects.map(|_| BTreeSet::from([1])),
            raised: row.raised.into_iter().filter(|of| *of == Category::Staging).collect(),
            ..row
        };
        let present: Vec<Row> = present.into_iter().map(narrow).collect();
        let near = |used: &Use| match used.at {
            UsedAt::Project(project, category) => {
                project.get() <= 2 && category.is_none_or(|of| of == Category::Staging)
            }
            UsedAt::Somewhere | UsedAt::Wherever => true,
        };
        let before = alone(plan, grants(&present));
        let uses: Vec<Use> = held(&before, uses.into_iter().filter(near).collect());
        let key = |set: usize| TABLE.sets[set].key.parse::<PermissionSet>().unwrap();
        let gainable: Vec<_> = sets.iter().map(|set| key(*set)).collect();

        let proposal = propose(plan, &grants(&present), &uses, |set| gainable.contains(&set));

        let on_enterprise = |set: &usize| TABLE.sets[*set].plans.iter().any(|plan| plan == "enterprise");
        let mut all: BTreeSet<usize> = present.iter().map(|row| row.set).collect();
        all.extend(&sets);
        let all: Vec<_> = all.into_iter().filter(on_enterprise).collect();
        let live: Vec<Row> = present.iter().filter(|row| on_enterprise(&row.set)).cloned().collect();
        let on = named(&live, &uses);
        let (ours, best) = (cost(&rows_of(&proposal.grants), &on), by_force(&before, &all, &uses, &on));
        prop_assert!(proposal.is_smallest);
        prop_assert!(ours <= best, "{:?} of {:?}, not {:?}", ours, proposal.grants, best);
    }
}

fn of_set(key: &str, projects: Projects) -> Grant {
    Grant::new(key.parse().unwrap(), projects).unwrap()
}

fn action(text: &str) -> Action {
    Action::all().find(|action| action.to_string() == text).unwrap()
}

#[test]
fn a_token_that_only_runs_jobs_of_one_project_needs_no_more_than_to_run_them() {
    let present = [of_set("account_admin", Projects::All)];
    let there =
        |text, category| Use { action: action(text), at: UsedAt::Project(project(2), category) };
    let uses = [there("read on jobs", None), there("write on runs", Some(Category::Production))];
    let proposal = propose(Some(Plan::Enterprise), &present, &uses, |_| true);
    let on_two = Projects::only([project(2)]).unwrap();
    assert_eq!(proposal.grants, [of_set("job_runner", on_two)]);
    assert!(proposal.is_smallest);
}

#[test]
fn what_was_only_read_is_not_left_to_be_written() {
    let present = [of_set("job_admin", Projects::All)];
    let at = UsedAt::Project(project(2), None);
    let uses = [Use { action: action("read on runs"), at }];
    let proposal = propose(Some(Plan::Enterprise), &present, &uses, |_| true);
    let on_two = Projects::only([project(2)]).unwrap();
    // Fewer rights than this has the set that runs jobs, but with a write among them.
    assert_eq!(proposal.grants, [of_set("job_viewer", on_two)]);
}

#[test]
fn sets_that_the_policy_refuses_are_not_proposed_and_those_that_are_held_may_stay() {
    let present = [of_set("job_admin", Projects::All)];
    let uses = [Use { action: action("write on runs"), at: UsedAt::Project(project(2), None) }];
    let proposal = propose(Some(Plan::Enterprise), &present, &uses, |_| false);
    let on_two = Projects::only([project(2)]).unwrap();
    assert_eq!(proposal.grants, [of_set("job_admin", on_two)]);
}

#[test]
fn of_two_sets_that_hold_the_same_the_first_by_name_is_taken() {
    let present = [of_set("owner", Projects::All)];
    let uses = [Use { action: action("write on service_tokens"), at: UsedAt::Somewhere }];
    let proposal = propose(Some(Plan::Team), &present, &uses, |_| true);
    assert_eq!(proposal.grants, [of_set("account_admin", Projects::All)]);
}

#[test]
fn a_token_that_was_not_used_needs_nothing() {
    let present = [of_set("job_admin", Projects::All)];
    assert_eq!(propose(Some(Plan::Enterprise), &present, &[], |_| true).grants, []);
}

/// So that a read of something in an environment may be noted without its category.
#[test]
fn what_a_set_reads_in_some_categories_it_reads_in_all() {
    for set in &TABLE.sets {
        for (kind, _) in set.raised.iter().filter(|(_, access)| *access == Access::Read) {
            let reads = set.cells.contains(&(kind.clone(), Access::Read));
            assert!(reads || TABLE.kinds[kind].of_account, "{} on {kind}", set.key);
        }
    }
}

#[test]
fn what_needs_more_rows_than_a_token_may_have_is_kept_in_all_projects() {
    let present = [of_set("job_admin", Projects::All)];
    let in_each =
        |id| Use { action: action("write on runs"), at: UsedAt::Project(project(id), None) };
    let uses: Vec<_> = (1..=501).map(in_each).collect();
    let proposal = propose(Some(Plan::Enterprise), &present, &uses, |_| true);
    assert_eq!(proposal.grants, [of_set("job_runner", Projects::All)]);
    assert!(!proposal.is_smallest);
}
