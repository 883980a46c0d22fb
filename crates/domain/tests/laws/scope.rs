//! A scope is a join: more pieces never cover less.

use domain::authz::Scope;
use proptest::prelude::*;

use super::{
    place::places,
    rows::scope,
    world::{TOMORROW, project},
};

fn covers_pointwise(outer: &Scope, inner: &Scope) -> bool {
    places().all(|(project, category)| {
        outer.categories_in(project).has(category) || !inner.categories_in(project).has(category)
    })
}

proptest! {
    #[test]
    fn union_is_associative(a in scope(), b in scope(), c in scope()) {
        let left = a.clone().union(b.clone()).union(c.clone());
        prop_assert_eq!(left, a.union(b.union(c)));
    }

    #[test]
    fn union_is_commutative(a in scope(), b in scope()) {
        prop_assert_eq!(a.clone().union(b.clone()), b.union(a));
    }

    #[test]
    fn union_is_idempotent_and_nowhere_is_its_unit(a in scope()) {
        prop_assert_eq!(a.clone().union(a.clone()), a.clone());
        prop_assert_eq!(a.clone().union(Scope::nowhere()), a);
    }

    #[test]
    fn union_covers_what_either_covers(a in scope(), b in scope()) {
        let both = a.clone().union(b.clone());
        for (project, _) in places() {
            let either = a.categories_in(project).union(b.categories_in(project));
            prop_assert_eq!(both.categories_in(project), either);
        }
    }

    #[test]
    fn contains_is_the_order_of_the_union(a in scope(), b in scope()) {
        prop_assert_eq!(a.contains(&b), a.clone().union(b.clone()) == a);
    }

    #[test]
    fn contains_is_pointwise(a in scope(), b in scope()) {
        prop_assert_eq!(a.contains(&b), covers_pointwise(&a, &b));
    }

    /// So that equality of scopes is equality of what they cover.
    #[test]
    fn scopes_that_cover_the_same_are_equal(a in scope(), b in scope()) {
        let same = covers_pointwise(&a, &b) && covers_pointwise(&b, &a);
        prop_assert_eq!(same, a == b);
    }

    #[test]
    fn nowhere_covers_nothing_and_only_nowhere_does(a in scope()) {
        let covers = places().any(|(project, category)| a.categories_in(project).has(category));
        prop_assert_eq!(a.is_nowhere(), !covers);
    }

    #[test]
    fn what_is_covered_everywhere_is_covered_in_a_project_of_tomorrow(a in scope()) {
        prop_assert_eq!(a.categories_in(project(TOMORROW)), a.everywhere());
    }
}
