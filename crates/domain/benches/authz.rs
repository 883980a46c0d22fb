//! What a request pays before it reaches the store: `cargo bench -p domain`.
//!
//! Aims: authorise in at most 10 ns; a wrong checksum in at most 0.4 of a digest.
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
    Plan,
    authz::{
        Action, Caller, Category, Grant, Jobs, Members, Origin, Permit, Principal, Read, Write,
        authorize, contained, decide,
    },
    secret::{DigestKey, TokenKind, TokenSecret},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use table::{Row, Table};
use world::{NAMED, account, grant, terms, token};

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
