//! Requests in numbers, and what they cost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use domain::secret::{TokenKind, TokenSecret};
use rand::{SeedableRng as _, rngs::StdRng};
use reqwest::Client;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    process::{Process, client},
    world::{JOB, World},
};

const UNDER_LOAD: Duration = Duration::from_secs(10);
/// How long good tokens are asked for at a steady pace, and how far apart.
const PACED: Duration = Duration::from_secs(4);
const PACE: Duration = Duration::from_millis(10);
/// How far apart the wrong tokens of one connection are.
const FLOOD: Duration = Duration::from_millis(1);

/// One request, to be repeated.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) process: &'a Process,
    pub(crate) path: &'a str,
    pub(crate) token: &'a str,
}

impl Asked<'_> {
    async fn get(&self, client: &Client) {
        get(client, &format!("{}{}", self.process.url, self.path), self.token).await;
    }
}

async fn get(client: &Client, url: &str, token: &str) {
    let answer = client.get(url).bearer_auth(token).send().await.unwrap();
    assert!(answer.status().is_success(), "{url}: {}", answer.status());
    answer.bytes().await.unwrap();
}

/// CPU microseconds a request, one figure a round.
pub(crate) struct Cost {
    pub(crate) name: String,
    rounds: Vec<f64>,
}

impl Cost {
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.rounds.clone();
        sorted.sort_by(f64::total_cmp);
        *sorted.get(sorted.len() / 2).unwrap()
    }
    pub(crate) fn least(&self) -> f64 {
        self.rounds.iter().copied().fold(f64::INFINITY, f64::min)
    }
    pub(crate) fn most(&self) -> f64 {
        self.rounds.iter().copied().fold(0.0, f64::max)
    }
}

/// Asks each in turn, round after round; the first round is not counted.
pub(crate) async fn costs(asked: &[Asked<'_>], requests: usize, rounds: usize) -> Vec<Cost> {
    let name = |asked: &Asked<'_>| format!("{}: {}", asked.process.name, asked.path);
    let mut costs: Vec<_> =
        asked.iter().map(|asked| Cost { name: name(asked), rounds: Vec::new() }).collect();
    let client = client();
    for round in 0..=rounds {
        for (asked, cost) in asked.iter().zip(&mut costs) {
            let before = asked.process.cpu();
            for _ in 0..requests {
                asked.get(&client).await;
            }
            #[expect(clippy::cast_precision_loss, reason = "thousands")]
            let micros = (asked.process.cpu() - before) * 1e6 / requests as f64;
            if round > 0 {
                cost.rounds.push(micros);
            }
        }
    }
    costs
}

/// How long reads took while others wrote, or guessed, in milliseconds.
pub(crate) struct Times {
    pub(crate) reads: usize,
    /// How many writes, or guesses, there were.
    pub(crate) writes: usize,
    pub(crate) median: f64,
    pub(crate) p99: f64,
}

/// Each reader and each writer asks again as soon as it is answered, over a connection of its own.
pub(crate) async fn reads_under_writes(
    server: &Process,
    world: &World,
    connections: usize,
    writers: usize,
) -> Times {
    let (over, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let url = format!("{}{JOB}", server.url);
    let mut writing = JoinSet::new();
    for writer in 0..writers {
        let (over, written) = (Arc::clone(&over), Arc::clone(&written));
        let (client, url, token) = (client(), url.clone(), world.token.clone());
        writing.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let description =
                    format!("by writer {writer}, {}", written.load(Ordering::Relaxed));
                let change = json!({ "description": description });
                let answer = client.post(&url).bearer_auth(&token).json(&change).send().await;
                assert!(answer.unwrap().status().is_success());
                written.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let mut reading = JoinSet::new();
    for _ in 0..connections {
        let (over, client) = (Arc::clone(&over), client());
        let (url, token) = (url.clone(), world.token.clone());
        reading.spawn(async move {
            let mut times = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                get(&client, &url, &token).await;
                times.push(begun.elapsed().as_secs_f64() * 1e3);
            }
            times
        });
    }
    tokio::time::sleep(UNDER_LOAD).await;
    over.store(true, Ordering::Relaxed);
    let mut times: Vec<f64> = reading.join_all().await.concat();
    writing.join_all().await;
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| *times.get(times.len() * percent / 100).unwrap();
    Times {
        reads: times.len(),
        writes: written.load(Ordering::Relaxed),
        median: at(50),
        p99: at(99),
    }
}

/// A request with a good token every 10 ms, and on each of `floods` connections one with a wrong
/// token every millisecond, all from one address.
pub(crate) async fn paced(server: &Process, world: &World, floods: usize) -> Times {
    let (over, wrong) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let url = format!("{}{JOB}", server.url);
    let mut flooding = JoinSet::new();
    for flood in 0..floods {
        let (over, wrong) = (Arc::clone(&over), Arc::clone(&wrong));
        let (client, url) = (client(), url.clone());
        let mut rng = StdRng::seed_from_u64(flood as u64);
        flooding.spawn(async move {
            let mut turn = tokio::time::interval(FLOOD);
            while !over.load(Ordering::Relaxed) {
                turn.tick().await;
                let guess = TokenSecret::mint(TokenKind::Service, &mut rng);
                let answer = client.get(&url).bearer_auth(guess.reveal()).send().await.unwrap();
                assert!([401, 429].contains(&answer.status().as_u16()));
                answer.bytes().await.unwrap();
                wrong.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let (client, mut times) = (client(), Vec::new());
    let (begun, mut turn) = (Instant::now(), tokio::time::interval(PACE));
    while begun.elapsed() < PACED {
        turn.tick().await;
        let asked = Instant::now();
        get(&client, &url, &world.token).await;
        times.push(asked.elapsed().as_secs_f64() * 1e3);
    }
    over.store(true, Ordering::Relaxed);
    flooding.join_all().await;
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| *times.get(times.len() * percent / 100).unwrap();
    Times { reads: times.len(), writes: wrong.load(Ordering::Relaxed), median: at(50), p99: at(99) }
}
