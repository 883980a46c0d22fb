//! From a token's text to a permit, what a request pays before its handler:
//! `cargo bench --workspace --bench authenticate`. Goal: 1.6 × the digest alone.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot start may as well stop"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    hint::black_box,
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering},
};

use common::{House, everywhere, house, secret};
use divan::Bencher;
use domain::{
    ProjectId,
    authz::{Caller, Jobs, Origin, Permit, Write, authorize},
    secret::{DigestKey, TokenKind, TokenSecret},
};
use tokio::runtime::Runtime;

const TOKENS: u64 = 1_000;

fn main() {
    divan::main();
}

/// A store with 1,000 tokens, whose secrets are gone through in turn.
struct Bench {
    runtime: Runtime,
    house: House,
    texts: Vec<String>,
    next: AtomicUsize,
}

impl Bench {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let house = runtime.block_on(async {
            let house = house().await;
            for seed in 0..TOKENS {
                house.token("t", vec![everywhere("job_admin")], 100 + seed).await;
            }
            house
        });
        let text = |seed| secret(TokenKind::Service, 100 + seed).reveal().to_owned();
        Self { runtime, house, texts: (0..TOKENS).map(text).collect(), next: AtomicUsize::new(0) }
    }

    fn text(&self) -> &str {
        // A step that shares no factor with 1,000 goes through all of them, out of order.
        &self.texts[self.next.fetch_add(337, Ordering::Relaxed) % self.texts.len()]
    }
}

/// The measure: the token's own digest.
#[divan::bench]
fn digest(bencher: Bencher) {
    let (secret, key) = (secret(TokenKind::Service, 1), DigestKey::new(1, &[7; 32]));
    bencher.bench_local(|| black_box(&secret).digest(black_box(&key)));
}

impl Bench {
    fn ask(&self) {
        self.runtime.block_on(async {
            let secret = TokenSecret::parse(self.text()).unwrap();
            let principal = self.house.store.authenticate(&secret).await.unwrap().unwrap();
            let caller = Arc::new(Caller::new(principal, Origin::local()));
            let permit: Permit<Write, Jobs> = authorize(&caller, self.house.account).unwrap();
            black_box(permit);
        });
    }
}

/// Tokens that all asked less than 2 s ago.
#[divan::bench(max_time = 1)]
fn parse_authenticate_and_authorise(bencher: Bencher) {
    let bench = Bench::new();
    (0..TOKENS).for_each(|_| bench.ask());
    bencher.bench_local(|| bench.ask());
}

/// Tokens that ask for the first time: the store is asked.
#[divan::bench(sample_count = 500, sample_size = 1)]
fn the_same_read_anew(bencher: Bencher) {
    let bench = Bench::new();
    bencher.bench_local(|| bench.ask());
}

/// A token that nobody has: the same look-up, with nothing found.
#[divan::bench]
fn refuse_an_unknown_token(bencher: Bencher) {
    let bench = Bench::new();
    let unknown = secret(TokenKind::Service, 1);
    bencher.bench_local(|| {
        bench
            .runtime
            .block_on(async { black_box(bench.house.store.authenticate(&unknown).await.unwrap()) })
    });
}

/// What counting adds to a request: noting what was decided and where, and adding it up. Goal: 1 µs.
#[divan::bench]
fn count_what_was_decided(bencher: Bencher) {
    let bench = Bench::new();
    let principal = bench.runtime.block_on(async {
        let secret = TokenSecret::parse(bench.text()).unwrap();
        bench.house.store.authenticate(&secret).await.unwrap().unwrap()
    });
    let (store, account) = (&bench.house.store, bench.house.account);
    let caller = || {
        let origin = Origin { agent: "Airflow/2.9 (nightly)".to_owned(), ..Origin::local() };
        let caller = Arc::new(Caller::new(Arc::clone(&principal), origin));
        let permit: Permit<Write, Jobs> = authorize(&caller, account).unwrap();
        (caller, permit)
    };
    let project = ProjectId::new(7).unwrap();
    bencher.with_inputs(caller).bench_local_refs(|(caller, permit)| {
        permit.note_project(project);
        store.note_decisions(black_box(caller), true);
    });
}
