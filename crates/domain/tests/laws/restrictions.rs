//! What restrictions leave: less with each, and the same in any order.

use std::{collections::BTreeSet, net::IpAddr, num::NonZeroU32};

use domain::{
    Plan, Timestamp,
    authz::{
        Access, Action, Category, Extent, Grant, Jobs, Permit, Place, Principal, Restrictions,
        Write, authorize, authorize_action, contained_under,
    },
    ip_restriction::Cidr,
    networks::Networks,
    rate::{Debt, Rate},
};
use proptest::{
    collection::{btree_set, vec},
    option,
    prelude::*,
    sample::select,
};

use super::{
    place::{caller, places},
    rows::{TABLE, carrier, grants, rows},
    world::{NAMED, TOMORROW, account, environment, environment_id, job_id, project, terms, token},
};

/// Some networks that overlap, touch and nest, and what is in none of them.
const CIDRS: [&str; 9] = [
    "10.0.0.0/8",
    "10.0.0.0/9",
    "10.128.0.0/9",
    "10.1.2.3",
    "192.0.2.0/24",
    "::ffff:192.0.2.128/121",
    "2001:db8::/32",
    "2001:db8::1",
    "0.0.0.0/0",
];
const ADDRESSES: [&str; 9] = [
    "10.1.2.3",
    "10.1.2.4",
    "10.200.0.1",
    "192.0.2.1",
    "192.0.2.129",
    "::ffff:10.1.2.3",
    "2001:db8::1",
    "2001:db8:1::",
    "fe80::1",
];

fn cidrs() -> impl Strategy<Value = Vec<&'static str>> {
    vec(select(&CIDRS[..]), 0..4)
}

fn networks(texts: &[&str]) -> Networks {
    Networks::new(texts.iter().map(|text| Cidr::parse(*text).unwrap()))
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn rate() -> impl Strategy<Value = Rate> {
    let number = || (1..20_u32).prop_map(|number| NonZeroU32::new(number).unwrap());
    (number(), number()).prop_map(|(per_second, burst)| Rate { per_second, burst })
}

/// What a token can be held to; each part is often left out.
fn restrictions() -> impl Strategy<Value = Restrictions> {
    let here = || (select(&NAMED[..]), select(&Category::ALL[..]));
    let environments = here().prop_map(|(project, category)| environment_id(project, category));
    let jobs = here().prop_map(|(project, category)| job_id(project, category));
    (
        option::of(cidrs().prop_map(|texts| networks(&texts))),
        option::of(btree_set(environments, 0..6)),
        option::of(btree_set(jobs, 0..6)),
        any::<bool>(),
        option::of(rate()),
    )
        .prop_map(|(addresses, environments, jobs, read_only, rate)| Restrictions {
            addresses,
            environments,
            jobs,
            read_only,
            rate,
        })
}

/// Each project, each environment in it and the job in that.
fn objects() -> Vec<Place> {
    let projects = NAMED.into_iter().chain([TOMORROW]).map(project);
    let inner = |(project, category)| {
        let place = environment(project, category);
        [place, place.of_job(job_id(i64::from(project), category))]
    };
    projects.map(Place::project).chain(places().flat_map(inner)).collect()
}

/// The place that an object of the kind has: its project, its environment, its job.
fn of_kind(place: Place, action: Action) -> bool {
    let lives_in = TABLE.kinds[action.on.key()].lives_in.as_deref();
    match lives_in {
        Some("job") => place.job.is_some(),
        Some("environment") => place.job.is_none() && place.environment.is_some(),
        _ => place.environment.is_none(),
    }
}

/// Everything that is allowed: the action, where, and from where.
fn allowed(principal: &Principal) -> BTreeSet<(Action, String, &'static str)> {
    let restrictions = principal.restrictions();
    let mut all = BTreeSet::new();
    for action in Action::all().filter(|action| principal.holds(*action)) {
        let extent = Extent::of(principal, action);
        for place in objects().into_iter().filter(|place| of_kind(*place, action)) {
            let implied = TABLE.kinds[action.on.key()].implied.is_some();
            let of_account = TABLE.kinds[action.on.key()].of_account;
            if !(implied || of_account || extent.covers(place)) {
                continue;
            }
            for from in ADDRESSES {
                if restrictions.admit(Some(address(from))) {
                    all.insert((action, format!("{place:?}"), from));
                }
            }
        }
    }
    all
}

/// The same, asked of each restriction by itself and of the grants without any.
fn naive(unrestricted: &Principal, by: &Restrictions) -> BTreeSet<(Action, String, &'static str)> {
    let mut left = allowed(unrestricted);
    left.retain(|(action, place, from)| {
        let kind = &TABLE.kinds[action.on.key()];
        let lives_in = kind.lives_in.as_deref();
        let granted = kind.implied.is_none();
        let place = objects().into_iter().find(|other| format!("{other:?}") == *place).unwrap();
        let environment = place.environment.map(|(id, _)| id);
        let in_environment = by.environments.as_ref().is_none_or(|ids| {
            !granted || lives_in.is_some() && environment.is_some_and(|id| ids.contains(&id))
        });
        let of_job = by.jobs.as_ref().is_none_or(|ids| {
            !granted || lives_in == Some("job") && place.job.is_some_and(|id| ids.contains(&id))
        });
        let writes = action.access == Access::Write;
        let mints = writes && action.on.key() == "service_tokens";
        let from = by.addresses.as_ref().is_none_or(|list| list.contain(address(from)));
        in_environment
            && of_job
            && from
            && !(by.read_only && writes)
            && !(by.rate.is_some() && mints)
    });
    left
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_allowed_is_what_the_grants_give_and_each_restriction_leaves(
        carrier in carrier(), rows in rows(), by in restrictions(),
    ) {
        let free = carrier.with(&rows);
        prop_assert_eq!(allowed(&free.clone().restricted(by.clone())), naive(&free, &by));
    }

    #[test]
    fn one_restriction_more_never_allows_more(
        carrier in carrier(), rows in rows(), some in restrictions(), more in restrictions(),
    ) {
        let some = carrier.with(&rows).restricted(some);
        let more = some.clone().restricted(more);
        prop_assert!(allowed(&more).is_subset(&allowed(&some)));
    }

    #[test]
    fn without_restrictions_all_is_as_it_was(carrier in carrier(), rows in rows()) {
        let free = carrier.with(&rows);
        prop_assert_eq!(&free.clone().restricted(Restrictions::default()), &free);
    }

    #[test]
    fn a_write_that_is_left_leaves_the_read(carrier in carrier(), rows in rows(), by in restrictions()) {
        let held = carrier.with(&rows).restricted(by);
        for write in Action::all().filter(|action| action.access == Access::Write) {
            prop_assert!(!held.holds(write) || held.holds(Action::new(Access::Read, write.on)));
        }
    }

    #[test]
    fn authorize_and_permits_say_the_same(carrier in carrier(), rows in rows(), by in restrictions()) {
        let held = carrier.with(&rows).restricted(by);
        for action in Action::all() {
            let said = authorize_action(&held, account(), action);
            prop_assert_eq!(said.is_ok(), held.holds(action));
            prop_assert_eq!(held.refuses(action).is_none(), held.holds(action));
        }
        let caller = caller(held.clone());
        let Ok(permit): Result<Permit<Write, Jobs>, _> = authorize(&caller, account()) else {
            return Ok(());
        };
        let extent = Extent::of(&held, Action::of::<Write, Jobs>());
        for place in objects() {
            prop_assert_eq!(permit.at(place).is_ok(), extent.covers(place), "{:?}", place);
        }
    }
}

proptest! {
    #[test]
    fn restrictions_meet_in_any_order_and_grouping(
        a in restrictions(), b in restrictions(), c in restrictions(),
    ) {
        prop_assert_eq!(a.clone().meet(b.clone()), b.clone().meet(a.clone()));
        let left = a.clone().meet(b.clone()).meet(c.clone());
        prop_assert_eq!(left, a.meet(b.meet(c)));
    }

    #[test]
    fn a_restriction_twice_is_once_and_none_is_nothing(a in restrictions()) {
        prop_assert_eq!(a.clone().meet(a.clone()), a.clone());
        prop_assert_eq!(a.clone().meet(Restrictions::default()), a.clone());
        prop_assert_eq!(a.are_none(), a.within(&Restrictions::default()) && Restrictions::default().within(&a));
    }

    #[test]
    fn within_is_the_order_of_meeting(a in restrictions(), b in restrictions()) {
        prop_assert_eq!(a.within(&b), a.clone().meet(b.clone()) == a);
        prop_assert!(a.clone().meet(b.clone()).within(&b));
    }

    /// What is made by a maker who is held to something is held to it, too: whatever chain of
    /// tokens is made, the last may do no more, and from no other place, than the first.
    #[test]
    fn a_token_that_was_made_under_restrictions_may_do_no_more_than_its_maker(
        carrier in carrier(), held in rows(), of_maker in restrictions(),
        asked in rows(), of_made in restrictions(), copies in any::<bool>(),
    ) {
        let maker = carrier.with(&held).restricted(of_maker.clone());
        // Chance alone seldom finds one that may be made.
        let of_made = if copies { of_made.meet(of_maker) } else { of_made };
        if contained_under(&of_made, &grants(&asked), &maker).is_ok() {
            let plan = Some(Plan::Enterprise);
            let made = token(terms(plan), grants(&asked)).restricted(of_made.clone());
            prop_assert!(allowed(&made).is_subset(&allowed(&maker)));
            prop_assert!(of_made.within(maker.restrictions()));
        }
    }

    #[test]
    fn who_is_held_to_a_rate_makes_no_tokens(held in rows(), rate in rate()) {
        let by = Restrictions { rate: Some(rate), ..Restrictions::default() };
        let maker = token(terms(Some(Plan::Enterprise)), grants(&held)).restricted(by);
        let mint = Action::new(Access::Write, domain::authz::ResourceKind::ServiceTokens);
        prop_assert!(!maker.holds(mint));
    }

    #[test]
    fn networks_name_what_their_texts_name(texts in cidrs(), others in cidrs()) {
        let list = networks(&texts);
        let both = list.meet(&networks(&others));
        let named = |texts: &[&str], at: IpAddr| {
            texts.iter().any(|text| Cidr::parse(*text).unwrap().contains(at))
        };
        for at in ADDRESSES.map(address) {
            prop_assert_eq!(list.contain(at), named(&texts, at), "{}", at);
            prop_assert_eq!(both.contain(at), named(&texts, at) && named(&others, at), "{}", at);
        }
        let again: Vec<String> = list.clone().into();
        prop_assert_eq!(Networks::try_from(again), Ok(list));
    }

    /// Within each stretch of time, no more than the burst and what the time has earned.
    #[test]
    fn a_rate_admits_no_more_than_its_burst_and_what_time_earns(
        rate in rate(), pauses in vec(0..400_000_i64, 1..120),
    ) {
        let (mut now, mut debt, mut admitted) = (0, Debt::default(), Vec::new());
        for pause in pauses {
            now += pause;
            let at = Timestamp::from_micros(now).unwrap();
            if rate.check(debt, at).is_ok() {
                debt = rate.after(debt, at);
                admitted.push(now);
            }
        }
        let (per_second, burst) = (i64::from(rate.per_second.get()), i64::from(rate.burst.get()));
        for (first, from) in admitted.iter().enumerate() {
            for (last, to) in admitted.iter().enumerate().skip(first) {
                let count = i64::try_from(last - first).unwrap() + 1;
                let earned = (to - from) * per_second / 1_000_000 + 1;
                prop_assert!(count <= burst + earned, "{} in {} µs of {:?}", count, to - from, rate);
            }
        }
    }

    #[test]
    fn who_waits_as_told_is_admitted_and_not_a_microsecond_sooner(rate in rate(), asked in 1..60_usize) {
        let start = Timestamp::parse("2026-11-24T12:00:00Z").unwrap();
        let debt = (0..asked).fold(Debt::default(), |debt, _| rate.after(debt, start));
        let burst = usize::try_from(rate.burst.get()).unwrap();
        prop_assert_eq!(rate.check(debt, start).is_ok(), asked < burst);
        if let Err(early) = rate.check(debt, start) {
            let wait = i64::try_from(early.wait.as_micros()).unwrap();
            let then = |micros| Timestamp::from_micros(start.micros() + micros).unwrap();
            prop_assert!(rate.check(debt, then(wait)).is_ok());
            prop_assert!(rate.check(debt, then(wait - 1)).is_err());
        }
    }
}

#[test]
fn a_restricted_maker_makes_nothing_that_is_not() {
    let admin = Grant::new("account_admin".parse().unwrap(), domain::authz::Projects::All).unwrap();
    let held = |texts: &[&str]| Restrictions {
        addresses: Some(networks(texts)),
        ..Restrictions::default()
    };
    let maker = token(terms(Some(Plan::Enterprise)), vec![admin.clone()]);
    let maker = maker.restricted(held(&["10.0.0.0/8"]));
    let may = |by: &Restrictions| contained_under(by, std::slice::from_ref(&admin), &maker);
    assert!(may(&held(&["10.1.0.0/16"])).is_ok() && may(&held(&["10.0.0.0/8"])).is_ok());
    assert!(may(&held(&["10.0.0.0/9", "10.128.0.0/9"])).is_ok(), "the same, in two halves");
    assert_eq!(
        may(&Restrictions::default()).unwrap_err().to_string(),
        "you are held to `addresses`, and so is what you make: give it the same or less"
    );
    assert!(may(&held(&["10.0.0.0/7"])).is_err());
    assert!(may(&held(&["10.0.0.0/8", "192.0.2.1"])).is_err());
}
