//! What a request pays before it reaches the store: `cargo bench -p domain`.
//!
//! Aims: authorise in at most 10 ns, under every restriction in at most 40 ns; the least that holds 10,000 uses in 50 ms; a wrong checksum in at most 0.4 of a digest.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot start may as well stop"
)]

#[path = "../tests/common/cedar.rs"]
mod cedar;
#[path = "../tests/common/table.rs"]
mod table;
#[path = "../tests/common/world.rs"]
mod world;

use std::sync::Arc;

use cedar::{Engine, Object, Who};
use divan::{Bencher, black_box, counter::ItemsCount};
use domain::{
    Plan, ServiceTokenId, Timestamp,
    authz::{
        Action, Caller, Category, Extent, Grant, Jobs, Judge, Level, Members, Origin, Permit,
        Principal, Projects, Read, Restrictions, Use, UsedAt, Whereabouts, Write, authorize,
        catalogue, contained, decide, grants_alone, propose, replay,
    },
    ip_restriction::Cidr,
    networks::Networks,
    rate::{Debt, Rate},
    secret::{DigestKey, TokenKind, TokenSecret},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use table::{Row, Table};
use world::{NAMED, account, environment, environment_id, grant, job_id, project, terms, token};

const PRINCIPALS: usize = 1_000;
const WRITE_JOBS: Action = Action::of::<Write, Jobs>();

fn main() {
    divan::main();
}

/// Permission rows of many shapes: 1 to 8 each, on all projects or on some, raised or not.
fn principals(table: &Table) -> Vec<Vec<Row>> {
    let mut rng = StdRng::seed_from_u64(2_026);
    let on_enterprise = |set: &usize| table.sets[*set].plans.iter().any(|key| key == "enterprise");
    let sets: Vec<_> = (0..table.sets.len()).filter(on_enterprise).collect();
    let mut row = || {
        let set = *sets.choose(&mut rng).unwrap();
        let some = table.sets[set].names_projects && rng.random();
        let projects = some.then(|| NAMED.sample(&mut rng, 2).copied().collect());
        Row { set, projects, raised: Category::ALL.sample(&mut rng, 1).copied().collect() }
    };
    (0..PRINCIPALS).map(|number| (0..=number % 8).map(|_| row()).collect()).collect()
}

fn principal(table: &Table, rows: &[Row]) -> Principal {
    token(terms(Some(Plan::Enterprise)), rows.iter().map(|row| grant(table, row)).collect())
}

fn callers() -> Vec<Arc<Caller>> {
    let table = Table::read();
    let caller =
        |rows: &Vec<Row>| Arc::new(Caller::new(Arc::new(principal(&table, rows)), Origin::local()));
    principals(&table).iter().map(caller).collect()
}

/// Each item is one decision, with its permit made and dropped.
#[divan::bench]
fn authorise(bencher: Bencher) {
    let (callers, account) = (callers(), account());
    bencher.counter(ItemsCount::new(PRINCIPALS)).bench_local(|| {
        for caller in &callers {
            let permit: Result<Permit<Write, Jobs>, _> = authorize(black_box(caller), account);
            let _ = black_box(permit);
        }
    });
}

/// Every restriction, but for read-only, which takes the rest: so many networks, and all places.
fn every_restriction(networks: u8) -> Restrictions {
    let network = |number: u8| Cidr::parse(format!("10.{number}.0.0/24")).unwrap();
    let everywhere = || NAMED.into_iter().flat_map(|project| Category::ALL.map(|of| (project, of)));
    let (per_second, burst) = (1_000_000.try_into().unwrap(), 1_000_000.try_into().unwrap());
    Restrictions {
        addresses: Some(Networks::new((0..networks).map(network))),
        environments: Some(everywhere().map(|(project, of)| environment_id(project, of)).collect()),
        jobs: Some(everywhere().map(|(project, of)| job_id(project, of)).collect()),
        read_only: false,
        rate: Some(Rate { per_second, burst }),
    }
}

/// Each item is what a request costs under every restriction: its address, its rate, and the
/// decision with its permit.
#[divan::bench(args = [10, 100])]
fn authorise_under_every_restriction(bencher: Bencher, networks: u8) {
    let (table, account, by) = (Table::read(), account(), every_restriction(networks));
    let caller = |rows: &Vec<Row>| {
        let principal = principal(&table, rows).restricted(by.clone());
        Arc::new(Caller::new(Arc::new(principal), Origin::local()))
    };
    let callers: Vec<_> = principals(&table).iter().map(caller).collect();
    let (from, now) = ("10.5.0.7".parse().unwrap(), Timestamp::from_micros(1).unwrap());
    let mut debts = vec![Debt::default(); PRINCIPALS];
    bencher.counter(ItemsCount::new(PRINCIPALS)).bench_local(|| {
        for (caller, debt) in callers.iter().zip(&mut debts) {
            let restrictions = black_box(caller).principal().restrictions();
            let rate = restrictions.rate.unwrap();
            let admitted = restrictions.admit(black_box(Some(from)));
            let in_time = rate.check(*debt, black_box(now));
            *debt = rate.after(Debt::default(), now);
            let permit: Result<Permit<Write, Jobs>, _> = authorize(caller, account);
            let _ = black_box((admitted, in_time, permit));
        }
    });
}

/// Each item is whether one job is left to a principal under every restriction: the scope that it
/// is confined by, and its place in it.
#[divan::bench]
fn one_job_under_every_restriction(bencher: Bencher) {
    let (table, by) = (Table::read(), every_restriction(100));
    let principals: Vec<_> = principals(&table)
        .iter()
        .map(|rows| principal(&table, rows).restricted(by.clone()))
        .collect();
    let place =
        environment(project(2), Category::Production).of_job(job_id(2, Category::Production));
    bencher.counter(ItemsCount::new(PRINCIPALS)).bench_local(|| {
        for principal in &principals {
            black_box(Extent::of(black_box(principal), WRITE_JOBS).covers(black_box(place)));
        }
    });
}

/// Each item is a batch: 1,000 questions about one principal, each action on some job.
#[divan::bench]
fn a_thousand_checks(bencher: Bencher) {
    let (table, by) = (Table::read(), every_restriction(100));
    let principals: Vec<_> = principals(&table)
        .iter()
        .take(8)
        .map(|rows| principal(&table, rows).restricted(by.clone()))
        .collect();
    let actions: Vec<_> = Action::all().collect();
    let questions: Vec<_> = (0..1_000)
        .map(|number| {
            let (id, of) = (NAMED[number % 4], Category::ALL[number % 3]);
            let place = environment(project(id), of).of_job(job_id(id, of));
            (actions[number % actions.len()], Whereabouts::Object(place))
        })
        .collect();
    bencher.counter(ItemsCount::new(principals.len())).bench_local(|| {
        for principal in &principals {
            let mut judge = Judge::of(black_box(principal));
            for (action, at) in &questions {
                let _ = black_box(judge.ask(*action, *at));
            }
        }
    });
}

/// Each item is one decision with its scope: what a list asks for.
#[divan::bench]
fn decide_where(bencher: Bencher) {
    let callers = callers();
    bencher.counter(ItemsCount::new(PRINCIPALS)).bench_local(|| {
        for caller in &callers {
            black_box(decide(black_box(caller.principal()), WRITE_JOBS));
        }
    });
}

/// Each item is the same decision by `cedar-policy`, of which every principal's policies are
/// loaded and its question is put before.
#[divan::bench]
fn authorise_with_cedar(bencher: Bencher) {
    let (table, engine) = (Table::read(), Engine::new());
    let here = Object::Environment(NAMED[0], Category::Production);
    let questions = [
        (WRITE_JOBS, here),
        (WRITE_JOBS, Object::Job(NAMED[0], Category::Production)),
        (WRITE_JOBS, Object::Project(NAMED[0])),
        (Action::of::<Read, Members>(), Object::Account),
    ];
    let ask = |(rows, (action, object)): (&Vec<Row>, _)| {
        let who = Who { is_user: false, may_mint: true, opens_admin: table.open_admin(rows) };
        (cedar::policies(&table, rows), cedar::request(who, action, object))
    };
    let principals = principals(&table);
    let asked: Vec<_> = principals.iter().zip(questions.into_iter().cycle()).map(ask).collect();
    bencher.counter(ItemsCount::new(PRINCIPALS)).bench_local(|| {
        for (policies, request) in &asked {
            black_box(engine.allows(black_box(policies), request));
        }
    });
}

fn secret() -> TokenSecret {
    TokenSecret::mint(TokenKind::Service, &mut StdRng::seed_from_u64(1))
}

fn key() -> DigestKey {
    DigestKey::new(1, &[7; 32])
}

#[divan::bench]
fn digest(bencher: Bencher) {
    let (secret, key) = (secret(), key());
    bencher.bench_local(|| black_box(&secret).digest(black_box(&key)));
}

#[divan::bench]
fn parse_and_digest(bencher: Bencher) {
    let (secret, key) = (secret(), key());
    let text = secret.reveal();
    bencher.bench_local(|| TokenSecret::parse(black_box(text)).unwrap().digest(black_box(&key)));
}

#[divan::bench]
fn refuse_a_wrong_checksum(bencher: Bencher) {
    let mut text = secret().reveal().to_owned();
    let last = text.pop().unwrap();
    text.push(if last == '0' { '1' } else { '0' });
    assert!(TokenSecret::parse(&text).is_err());
    bencher.bench_local(|| TokenSecret::parse(black_box(&text)).is_err());
}

#[divan::bench]
fn mint(bencher: Bencher) {
    let mut rng = StdRng::seed_from_u64(1);
    bencher.bench_local(|| TokenSecret::mint(TokenKind::Service, &mut rng));
}

/// Every permission row that a token may carry at most.
fn five_hundred(table: &Table) -> Vec<Grant> {
    principals(table).concat().iter().take(500).map(|row| grant(table, row)).collect()
}

/// A principal with 500 grants is read from its rows.
#[divan::bench]
fn principal_of_500_grants(bencher: Bencher) {
    let grants = five_hundred(&Table::read());
    bencher
        .with_inputs(|| grants.clone())
        .bench_local_values(|grants| token(terms(Some(Plan::Enterprise)), grants));
}

/// 500 grants are made by a maker that holds 500.
#[divan::bench]
fn containment_of_500_grants(bencher: Bencher) {
    let table = Table::read();
    let wanted = five_hundred(&table);
    let maker = token(terms(Some(Plan::Enterprise)), wanted.clone());
    let wanted: Vec<_> = wanted
        .into_iter()
        .filter(|grant| grant.offered_by(Some(Plan::Enterprise)).is_ok())
        .collect();
    assert_eq!(contained(&wanted, &maker), Ok(()));
    bencher.bench_local(|| contained(black_box(&wanted), black_box(&maker)));
}

/// A token on all projects, and 10,000 things that it was used for: in each of 1,000 projects ten of
/// some twenty, in 40 projects in ways of their own.
fn ten_thousand_uses() -> (Vec<Grant>, Vec<Use>) {
    let mut rng = StdRng::seed_from_u64(2_026);
    let all = |key: &str| Grant::new(key.parse().unwrap(), Projects::All).unwrap();
    let grants = vec![all("job_admin"), all("git_admin"), all("webhooks_only")];
    let held = token(terms(Some(Plan::Enterprise)), grants.clone());
    let in_project = |action: &Action| {
        Level::Project == catalogue().resource(action.on).level && held.holds(*action)
    };
    let actions: Vec<_> = Action::all().filter(in_project).collect();
    let mut ways = || -> Vec<_> {
        let mut way: Vec<(Action, Option<Category>)> = Vec::new();
        while way.len() < 10 {
            let of = Some(Category::ALL[rng.random_range(0..4)]).filter(|_| rng.random());
            let used = (*actions.choose(&mut rng).unwrap(), of);
            if !way.contains(&used) {
                way.push(used);
            }
        }
        way
    };
    let ways: Vec<_> = (0..40).map(|_| ways()).collect();
    let mut uses = Vec::new();
    for id in 1..=1_000 {
        let there = |(action, of): &(Action, Option<Category>)| Use {
            action: *action,
            at: UsedAt::Project(project(id), *of),
        };
        uses.extend(ways[usize::try_from(id).unwrap() % 40].iter().map(there));
    }
    assert_eq!(uses.iter().collect::<std::collections::BTreeSet<_>>().len(), 10_000);
    (grants, uses)
}

/// What is the least that holds 10,000 uses, and the replay of them all.
#[divan::bench(max_time = 10)]
fn least_privilege_for_10_000_uses(bencher: Bencher) {
    let (grants, uses) = ten_thousand_uses();
    let (plan, id) = (Some(Plan::Enterprise), ServiceTokenId::new(3).unwrap());
    bencher.bench_local(|| {
        let proposal = propose(plan, black_box(&grants), black_box(&uses), |_| true);
        let before = grants_alone(id, terms(plan), grants.clone());
        let after = grants_alone(id, terms(plan), proposal.grants);
        assert_eq!(replay(&uses, &before, &after), []);
    });
}

/// Each item is what noting a request's decisions costs: the bit, a place, and what is taken out.
#[divan::bench]
fn note_a_decision(bencher: Bencher) {
    let table = Table::read();
    let principal = Arc::new(principal(&table, &principals(&table)[0]));
    let account = account();
    bencher
        .with_inputs(|| Arc::new(Caller::new(Arc::clone(&principal), Origin::local())))
        .bench_local_values(|caller| {
            let permit: Result<Permit<Read, Jobs>, _> = authorize(&caller, account);
            if let Ok(permit) = &permit {
                permit.note_project(project(7));
            }
            black_box(caller.decisions(true))
        });
}
