//! Many runs that do nothing, queued at once: none is lost, they keep their order, and the server grows
//! no larger over them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    program::{Folder, Server},
    scripted::{dbt_script, scripted_job},
};

/// Runs after which what a server needs once is there.
const FIRST: usize = 30;

/// How many there are: a few in the ordinary tests, or as many as are asked for.
fn many() -> usize {
    std::env::var("NARROWGATE_QUEUED_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(90)
}

/// The runs that are not over yet.
fn waiting(server: &Server, admin: &Value) -> usize {
    let path = "/api/v2/accounts/1/runs/?status__in=[1,2,3]&limit=1";
    let page = server.ask(Method::GET, admin, path, None);
    page["extra"]["pagination"]["total_count"]
        .as_u64()
        .and_then(|n| usize::try_from(n).ok())
        .unwrap()
}

#[test]
fn queued_runs_keep_their_order_none_is_lost_and_the_server_stays_as_large_as_it_was() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let server = Server::with_dbt(&folder, &dbt_script(&folder, "echo nothing"));
    // Two, since a job has one run at a time and the account two slots.
    folder.sql("UPDATE accounts SET run_slots = 2");
    let jobs = [0, 1].map(|_| scripted_job(&folder, &server, &admin, "dbt build"));
    let runs = many().max(2 * FIRST) / 2 * 2;
    for number in 0..runs {
        let path = format!("/api/v2/accounts/1/jobs/{}/run/", jobs[number % 2]);
        server.ask(Method::POST, &admin, &path, Some(&json!({ "cause": "many" })));
    }

    let (begun, mut before) = (Instant::now(), None);
    loop {
        let left = waiting(&server, &admin);
        if left + FIRST <= runs && before.is_none() {
            before = Some(server.status_kib("VmRSS"));
        }
        if left == 0 {
            break;
        }
        assert!(begun.elapsed().as_secs() < 60 + 2 * runs as u64, "{left} are left");
        crate::pause();
    }
    let (before, after) = (before.unwrap(), server.status_kib("VmRSS"));
    println!("{runs} runs in {:?}: {before} KiB, then {after} KiB", begun.elapsed());
    assert!(after < before + 16 * 1024, "{before} KiB, then {after} KiB");

    for job in &jobs {
        let (mut seen, mut last) = (0, String::new());
        for offset in (0..runs).step_by(100) {
            let query = format!("job_definition_id={job}&order_by=id&limit=100&offset={offset}");
            let path = format!("/api/v2/accounts/1/runs/?{query}");
            let page = server.ask(Method::GET, &admin, &path, None);
            for run in page["data"].as_array().unwrap() {
                let started = run["started_at"].as_str().unwrap().to_owned();
                assert!(run["is_success"] == true && started > last, "{run}");
                last = started;
                seen += 1;
            }
        }
        assert_eq!(seen, runs / 2);
    }
}
