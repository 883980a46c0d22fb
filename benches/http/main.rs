//! What a request costs the server: `cargo bench --workspace --bench http`; with ` -- flood`, what a
//! flood of wrong tokens costs good ones, alone.
//!
//! Starts the program on two data folders, with 1,000 and with 1,000,000 runs, and beside it a bare
//! axum server that answers with one indexed SELECT. Cost is CPU time of the server's process
//! (user and system) per request, over one keep-alive connection; the sides take turns, medians of
//! the rounds are shown with their spread.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that cannot start may as well stop; it prints one table"
)]

mod bare;
mod load;
mod process;
mod world;

use process::Process;
use world::World;

const ROUNDS: usize = 7;
const REQUESTS: usize = 2_000;
const PAGES: usize = 100;

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match arguments.get(1).map(String::as_str) {
        Some(bare::WORD) => runtime.block_on(bare::serve(arguments.get(2).unwrap())),
        Some("flood") => runtime.block_on(async { under_flood(&World::make(1_000).await).await }),
        _ => runtime.block_on(measure()),
    }
}

async fn measure() {
    let small = World::make(1_000).await;
    let large = World::make(1_000_000).await;
    one_object(&small).await;
    one_page(&small, &large).await;
    under_load(&large).await;
    under_flood(&small).await;
}

/// One object, against one indexed SELECT.
async fn one_object(world: &World) {
    let bare = Process::bare(&world.database());
    let server = Process::serve(world);
    let objects = ["/api/v3/accounts/1/projects/1/", "/api/v2/accounts/1/jobs/1/", world::RUN];
    let asked: Vec<_> = [(&bare, bare::JOB)]
        .into_iter()
        .chain(objects.map(|path| (&server, path)))
        .map(|(process, path)| load::Asked { process, path, token: &world.token })
        .collect();
    println!("\none object: CPU a request, {ROUNDS} rounds of {REQUESTS}");
    table(&load::costs(&asked, REQUESTS, ROUNDS).await, "GET of one object <= 2.5");
}

/// A page of 100 out of a million runs, against one out of a thousand.
async fn one_page(small: &World, large: &World) {
    let (few, many) = (Process::serve(small), Process::serve(large));
    for path in [world::PAGE, world::NEWEST, world::OF_JOB] {
        let asked = [(&few, small), (&many, large)].map(|(process, world)| load::Asked {
            process,
            path,
            token: &world.token,
        });
        println!("\na page of 100: CPU a request, {ROUNDS} rounds of {PAGES}");
        table(&load::costs(&asked, PAGES, ROUNDS).await, "out of 1,000,000 <= 1.5");
    }
}

fn table(costs: &[load::Cost], goal: &str) {
    let first = costs.first().unwrap().median();
    for cost in costs {
        println!(
            "  {:<72} {:>8.1} us  ({:.1} to {:.1})  ratio {:.2}",
            cost.name,
            cost.median(),
            cost.least(),
            cost.most(),
            cost.median() / first,
        );
    }
    println!("  goal: {goal}");
}

/// Reads over 32 connections while 10 clients write.
async fn under_load(world: &World) {
    const READERS: usize = 32;
    const WRITERS: usize = 10;
    let server = Process::serve(world);
    let times = load::reads_under_writes(&server, world, READERS, WRITERS).await;
    println!("\nreads over {READERS} connections, {WRITERS} writers beside them, 10 s");
    println!(
        "  {} reads, {} writes: median {:.2} ms, p99 {:.2} ms, ratio {:.2}  goal: <= 5",
        times.reads,
        times.writes,
        times.median,
        times.p99,
        times.p99 / times.median,
    );
}

/// Good tokens, asked for at a steady pace, while wrong ones come by the thousand, and while they
/// do not; in turns.
async fn under_flood(world: &World) {
    let server = Process::serve(world);
    println!(
        "\ngood tokens at 100 a second, without and with a flood of wrong ones, {ROUNDS} rounds"
    );
    let (mut quiet, mut flooded, mut wrong) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        quiet.push(load::paced(&server, world, 0).await.p99);
        let times = load::paced(&server, world, 2).await;
        flooded.push(times.p99);
        wrong += times.writes;
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (quiet, flooded) = (median(&mut quiet), median(&mut flooded));
    let ratio = flooded / quiet;
    println!(
        "  p99 {quiet:.2} ms without, {flooded:.2} ms under {wrong} wrong ones: ratio {ratio:.2} (<= 1.1)"
    );
}
