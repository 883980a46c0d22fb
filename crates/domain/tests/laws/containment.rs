//! Nobody hands out more than they hold.

use domain::{
    Plan,
    authz::{
        Access, AccountTerms, Action, Category, Exceeds, Grant, License, PermissionSet, Principal,
        Projects, contained,
    },
};
use proptest::{
    collection::btree_set,
    prelude::*,
    sample::{select, subsequence},
};

use super::{
    place::{places, scope},
    rows::{Carrier, TABLE, carrier, grants, rows},
    table::Row,
    world::{NAMED, terms, token},
};

/// Whether everything that the grants give, at every place, is allowed to the maker there.
fn within_pointwise(grants: &[Grant], maker: &Principal) -> bool {
    Action::all().all(|action| {
        let held = scope(maker, action);
        grants.iter().map(|grant| grant.scope_of(action)).all(|given| {
            places().all(|(project, category)| {
                held.categories_in(project).has(category)
                    || !given.categories_in(project).has(category)
            })
        })
    })
}

/// Some of the rows, each on fewer projects and with fewer categories.
fn narrower(rows: Vec<Row>) -> impl Strategy<Value = Vec<Row>> {
    let count = rows.len();
    let words = subsequence(Category::ALL.to_vec(), 0..=4);
    (subsequence(rows, 0..=count), btree_set(select(&NAMED[..]), 1..=3), words).prop_map(
        |(rows, ids, words)| {
            let narrow = |row: Row| Row {
                projects: match row.projects {
                    Some(held) => Some(held.into_iter().filter(|id| ids.contains(id)).collect()),
                    None => TABLE.sets[row.set].names_projects.then(|| ids.clone()),
                },
                raised: row.raised.into_iter().filter(|word| words.contains(word)).collect(),
                ..row
            };
            let named = |row: &Row| row.projects.as_ref().is_none_or(|ids| !ids.is_empty());
            rows.into_iter().map(narrow).filter(named).collect()
        },
    )
}

fn rows_and_narrower() -> impl Strategy<Value = (Vec<Row>, Vec<Row>)> {
    rows().prop_flat_map(|rows| (Just(rows.clone()), narrower(rows)))
}

/// Three lists of rows of which the later ones are often, not always, parts of the earlier.
fn chain() -> impl Strategy<Value = [Vec<Row>; 3]> {
    let part = |of: Vec<Row>| prop_oneof![3 => narrower(of).boxed(), 1 => rows().boxed()];
    rows()
        .prop_flat_map(move |outer| (Just(outer.clone()), part(outer)))
        .prop_flat_map(move |(outer, middle)| (Just(outer), Just(middle.clone()), part(middle)))
        .prop_map(|(outer, middle, inner)| [outer, middle, inner])
}

fn developer(rows: &[Row]) -> Principal {
    Carrier::User(License::Developer).with(rows)
}

proptest! {
    #[test]
    fn containment_is_pointwise(carrier in carrier(), (held, part) in rows_and_narrower(), other in rows()) {
        let maker = carrier.with(&held);
        for asked in [grants(&part), grants(&held), grants(&other)] {
            prop_assert_eq!(contained(&asked, &maker).is_ok(), within_pointwise(&asked, &maker));
        }
    }

    #[test]
    fn everyone_may_hand_out_what_they_hold(rows in rows()) {
        prop_assert_eq!(contained(&grants(&rows), &developer(&rows)), Ok(()));
    }

    #[test]
    fn everyone_may_hand_out_less_than_they_hold((rows, part) in rows_and_narrower()) {
        prop_assert_eq!(contained(&grants(&part), &developer(&rows)), Ok(()));
    }

    #[test]
    fn containment_is_transitive([outer, middle, inner] in chain()) {
        let first = contained(&grants(&middle), &developer(&outer)).is_ok();
        let second = contained(&grants(&inner), &developer(&middle)).is_ok();
        if first && second {
            prop_assert_eq!(contained(&grants(&inner), &developer(&outer)), Ok(()));
        }
    }

    /// So that nothing is gained by handing it on: whatever chain of tokens is made, the last
    /// holds no more than the first.
    #[test]
    fn a_token_that_was_made_holds_no_more_than_its_maker(carrier in carrier(), held in rows(), asked in rows()) {
        let maker = carrier.with(&held);
        if contained(&grants(&asked), &maker).is_ok() {
            let made = token(terms(Some(Plan::Enterprise)), grants(&asked));
            for action in Action::all() {
                prop_assert!(scope(&maker, action).contains(&scope(&made, action)), "{}", action);
            }
        }
    }

    #[test]
    fn a_refusal_names_a_grant_and_an_action_that_exceed(carrier in carrier(), held in rows(), asked in rows()) {
        let maker = carrier.with(&held);
        if let Err(exceeds) = contained(&grants(&asked), &maker) {
            let Exceeds::Grant { grant, action } = exceeds else {
                return Err(TestCaseError::fail("nobody is restricted here"));
            };
            prop_assert!(grants(&asked).contains(&grant));
            prop_assert!(!scope(&maker, action).contains(&grant.scope_of(action)));
        }
    }
}

fn everywhere(set: &str) -> Grant {
    Grant::new(set.parse().unwrap(), Projects::All).unwrap()
}

/// All of them, not a sample: each set held everywhere or on one project, each asked for likewise.
#[test]
fn every_set_is_contained_in_another_where_the_naive_loop_says_so() {
    let places = |set: PermissionSet| {
        let here = Projects::only([NAMED[0].try_into().unwrap()]).unwrap();
        [Projects::All, here].into_iter().filter_map(move |place| Grant::new(set, place).ok())
    };
    let all: Vec<_> = PermissionSet::all().flat_map(places).collect();
    let (mut within, mut pairs) = (0, 0);
    for held in &all {
        let maker = token(terms(Some(Plan::Enterprise)), vec![held.clone()]);
        for asked in &all {
            let asked = [asked.clone()];
            let expected = within_pointwise(&asked, &maker);
            assert_eq!(contained(&asked, &maker).is_ok(), expected, "{held:?} {asked:?}");
            within += usize::from(expected);
            pairs += 1;
        }
    }
    assert!(pairs >= 31 * 31 && within > all.len(), "{within} of {pairs}");
}

#[test]
fn who_may_not_make_tokens_hands_out_no_right_to_make_them() {
    let admin = vec![everywhere("account_admin")];
    let terms = AccountTerms { tokens_may_mint: false, ..terms(Some(Plan::Enterprise)) };
    let exceeds = contained(&admin, &token(terms, admin.clone())).unwrap_err();
    assert!(matches!(exceeds, Exceeds::Grant { action, .. } if action.access == Access::Write));
    assert_eq!(
        exceeds.to_string(),
        "`account_admin` would hand out write on service_tokens beyond what you hold"
    );
}

#[test]
fn a_grant_on_some_projects_does_not_reach_all() {
    let on = |ids: &[i64]| {
        let projects = super::world::on(Some(ids.iter().copied()));
        vec![Grant::new("job_admin".parse().unwrap(), projects).unwrap()]
    };
    let maker = Carrier::User(License::Developer).with_grants(on(&NAMED));
    assert!(contained(&on(&[1, 2]), &maker).is_ok());
    assert!(contained(&on(&[1, 9]), &maker).is_err());
    // All projects are more than all that there are today.
    assert!(contained(&[everywhere("job_admin")], &maker).is_err());
}
