//! What plan, licence and account settings leave of the grants.

use domain::{
    Plan,
    authz::{
        Access, AccountTerms, Action, Decision, Grant, License, Principal, Projects, ResourceKind,
        Scope, catalogue, decide,
    },
};
use proptest::{prelude::*, sample::select};

use super::{
    place::{implied, scope},
    rows::{TABLE, grants, plan, rows, user},
    table::Row,
    world::{on, terms, token},
};

const MINT: Action = Action::new(Access::Write, ResourceKind::ServiceTokens);

fn everywhere(set: &str) -> Grant {
    Grant::new(set.parse().unwrap(), Projects::All).unwrap()
}

fn same(one: &Principal, other: &Principal) -> Result<(), TestCaseError> {
    for action in Action::all() {
        prop_assert_eq!(decide(one, action), decide(other, action), "{}", action);
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_set_that_the_plan_does_not_offer_is_inert(plan in plan(), rows in rows()) {
        let offers = |row: &&Row| {
            plan.is_some_and(|plan| TABLE.sets[row.set].plans.iter().any(|key| key == plan.key()))
        };
        let offered: Vec<_> = rows.iter().filter(offers).cloned().collect();
        same(&token(terms(plan), grants(&rows)), &token(terms(plan), grants(&offered)))?;
        for (row, grant) in rows.iter().zip(grants(&rows)) {
            prop_assert_eq!(grant.offered_by(plan).is_ok(), offers(&row));
        }
    }

    /// Plans limit what a token carries, not what groups give.
    #[test]
    fn a_plan_takes_nothing_from_users(plan in plan(), rows in rows()) {
        let on = |plan| {
            let id = domain::UserId::new(5).unwrap();
            let process = domain::authz::Credential::Process;
            Principal::user(id, process, terms(plan), License::Developer, grants(&rows))
        };
        same(&on(plan), &on(Some(Plan::Enterprise)))?;
    }

    #[test]
    fn where_tokens_may_not_mint_only_write_on_service_tokens_goes(plan in plan(), rows in rows()) {
        let may = token(terms(plan), grants(&rows));
        let may_not = token(AccountTerms { tokens_may_mint: false, ..terms(plan) }, grants(&rows));
        for action in Action::all() {
            let left = if action == MINT { Decision::Deny } else { decide(&may, action) };
            prop_assert_eq!(decide(&may_not, action), left);
        }
    }

    #[test]
    fn a_developer_licence_leaves_what_groups_give_whole(rows in rows()) {
        let developer = user(License::Developer, grants(&rows));
        let grants = grants(&rows);
        for action in Action::all() {
            let given = grants.iter().map(|grant| grant.scope_of(action));
            let given = given.fold(Scope::nowhere(), Scope::union);
            let implied = implied(action, true, TABLE.open_admin(&rows));
            let whole = Scope::all_projects(domain::authz::Categories::ALL);
            prop_assert_eq!(scope(&developer, action), if implied { whole } else { given });
        }
    }

    #[test]
    fn an_analyst_is_a_developer_who_makes_no_service_tokens(rows in rows()) {
        let developer = user(License::Developer, grants(&rows));
        let analyst = user(License::Analyst, grants(&rows));
        for action in Action::all() {
            let left = if action == MINT { Decision::Deny } else { decide(&developer, action) };
            prop_assert_eq!(decide(&analyst, action), left);
        }
    }

    #[test]
    fn a_read_only_licence_replaces_what_groups_give(rows in rows()) {
        let stakeholder = user(License::Developer, vec![everywhere("stakeholder")]);
        same(&user(License::ReadOnly, grants(&rows)), &stakeholder)?;
    }

    #[test]
    fn an_it_licence_replaces_what_groups_give(rows in rows()) {
        let sets = vec![everywhere("security_admin"), everywhere("billing_admin")];
        let (it, base) = (user(License::It, grants(&rows)), user(License::Developer, sets));
        for action in Action::all() {
            let ours = action.on == ResourceKind::Connections;
            let whole = Scope::all_projects(domain::authz::Categories::ALL);
            prop_assert_eq!(scope(&it, action), if ours { whole } else { scope(&base, action) });
        }
    }

    #[test]
    fn only_developers_make_service_tokens(license in select(&License::ALL[..]), rows in rows()) {
        let mut given = grants(&rows);
        given.push(everywhere("account_admin"));
        let may = decide(&user(license, given), MINT) != Decision::Deny;
        prop_assert_eq!(may, license == License::Developer);
    }

    #[test]
    fn no_service_token_has_personal_tokens(plan in plan(), rows in rows()) {
        let token = token(terms(plan), grants(&rows));
        for access in Access::ALL {
            prop_assert!(!token.holds(Action::new(access, ResourceKind::OwnTokens)));
        }
    }

    #[test]
    fn a_token_of_a_cancelled_account_says_who_it_is_and_nothing_more(rows in rows()) {
        let token = token(terms(None), grants(&rows));
        let left: Vec<_> = Action::all().filter(|action| token.holds(*action)).collect();
        prop_assert_eq!(left, [Action::new(Access::Read, ResourceKind::Identity)]);
    }
}

#[test]
fn only_sets_of_project_level_can_be_held_to_a_project() {
    for set in &TABLE.sets {
        let held = Grant::new(set.key.parse().unwrap(), on(Some([1])));
        assert_eq!(held.is_ok(), set.names_projects, "{}", set.key);
        assert!(Grant::new(set.key.parse().unwrap(), Projects::All).is_ok(), "{}", set.key);
    }
    assert!(Projects::only([]).is_err());
}

#[test]
fn loading_reads_every_row_of_the_catalogue_as_it_stands() {
    let loaded: Vec<_> = catalogue().sets().map(|row| row.key.as_str()).collect();
    let written: Vec<_> = TABLE.sets.iter().map(|set| set.key.as_str()).collect();
    assert_eq!(loaded, written);
    for (row, set) in catalogue().sets().zip(&TABLE.sets) {
        let cells = |rights: domain::authz::Rights| {
            rights.actions().map(|a| (a.on.key().to_owned(), a.access)).collect()
        };
        assert_eq!(set.cells, cells(row.rights), "{}", set.key);
        assert_eq!(set.raised, cells(row.raised), "{}", set.key);
    }
    assert_eq!(TABLE.kinds.len(), catalogue().resources().len());
}
