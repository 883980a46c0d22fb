//! The queue under pressure, and the states that runs and steps can and cannot be in.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod common;
mod nouns;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use common::{House, house, worker};
use domain::{
    JobId, RunId, StepId,
    authz::{Categories, Category, Denied, Permit, Runs, Write},
    event::Event,
    job::JobSpec,
    lease::Lease,
    run::{Outcome, RunState, RunStatus, StepState, Trigger},
};
use nouns::{Owner, admin, because, holder, on};
use sea_orm::ConnectionTrait as _;
use store::{AccountChange, StoreError};

async fn slots(house: &House, run_slots: u32) {
    let change = AccountChange { run_slots: Some(run_slots), ..AccountChange::default() };
    house.store.update_account(&house.permit().await, change).await.unwrap();
}

async fn finish(owner: &Owner, lease: &Lease) {
    owner.finish(lease, Outcome::Success).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_at_the_same_time_never_share_a_run_nor_take_more_than_the_slots() {
    let house = house().await;
    let ada = admin(&house);
    slots(&house, 3).await;
    let project = ada.project("sales").await;
    let environment = ada.environment(project, Category::Other).await;
    let mut queued = Vec::new();
    for _ in 0..6 {
        let job = ada.job(project, environment).await;
        queued.push(ada.trigger(job).await.id);
    }
    let mut done = Vec::new();
    while done.len() < queued.len() {
        let mut workers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (store, runner) = (house.store.clone(), ada.runner().await);
            let claim = async move { store.claim_run(&runner, &worker()).await.unwrap() };
            workers.spawn(claim);
        }
        let mut claimed = Vec::new();
        while let Some(run) = workers.join_next().await {
            claimed.extend(run.unwrap().map(|claimed| claimed.lease));
        }
        claimed.sort_unstable_by_key(|lease| lease.run);
        // The oldest three, each once.
        let runs: Vec<_> = claimed.iter().map(|lease| lease.run).collect();
        assert_eq!(runs, queued.iter().skip(done.len()).take(3).copied().collect::<Vec<_>>());
        for lease in &claimed {
            finish(&ada, lease).await;
        }
        done.extend(runs);
    }
    assert_eq!(done, queued);
}

#[tokio::test]
async fn a_run_that_waits_for_its_job_lets_those_behind_it_pass_and_comes_first_then() {
    let house = house().await;
    let ada = admin(&house);
    slots(&house, 2).await;
    let project = ada.project("sales").await;
    let environment = ada.environment(project, Category::Other).await;
    let (a, b) = (ada.job(project, environment).await, ada.job(project, environment).await);
    let (first, second) = (ada.trigger(a).await.id, ada.trigger(a).await.id);
    let third = ada.trigger(b).await.id;
    let pull_request = Trigger { azure_pull_request: Some(7), ..because() };
    let fourth = house.store.trigger_run(&ada.permit().await, a, pull_request).await.unwrap().id;

    let of_first = ada.claim().await.unwrap();
    assert_eq!(of_first.run, first);
    let of_third = ada.claim().await.unwrap();
    assert_eq!(of_third.run, third, "the second waits for the first");
    assert_eq!(ada.claim().await, None, "both slots are taken");
    finish(&ada, &of_third).await;
    let of_fourth = ada.claim().await.unwrap();
    assert_eq!(of_fourth.run, fourth, "one for a pull request waits for none");
    finish(&ada, &of_first).await;
    finish(&ada, &of_fourth).await;
    assert_eq!(ada.claim().await.unwrap().run, second);
}

#[tokio::test]
async fn a_project_with_a_long_queue_does_not_keep_another_waiting() {
    let house = house().await;
    let ada = admin(&house);
    slots(&house, 3).await;
    let (mut busy, mut quiet) = (Vec::new(), Vec::new());
    for (runs, project, count) in [(&mut busy, "busy", 5), (&mut quiet, "quiet", 2)] {
        let project = ada.project(project).await;
        let environment = ada.environment(project, Category::Other).await;
        for _ in 0..count {
            let job = ada.job(project, environment).await;
            runs.push(ada.trigger(job).await.id);
        }
    }

    let mut claimed = Vec::new();
    while let Some(lease) = ada.claim().await {
        claimed.push(lease);
    }
    let runs: Vec<_> = claimed.iter().map(|lease| lease.run).collect();
    // Both have none: the oldest. Then each project in turn.
    assert_eq!(runs, [busy[0], quiet[0], busy[1]]);
    finish(&ada, &claimed[0]).await;
    assert_eq!(ada.claim().await.unwrap().run, busy[2], "one each: the oldest");
    finish(&ada, &claimed[1]).await;
    assert_eq!(ada.claim().await.unwrap().run, quiet[1], "two and none");
}

/// A thousand runs of twenty jobs in four projects, on two slots, by workers at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_queued_runs_lose_none_and_keep_their_order_in_each_job() {
    let house = house().await;
    let ada = admin(&house);
    slots(&house, 2).await;
    let mut queued: BTreeMap<JobId, Vec<RunId>> = BTreeMap::new();
    let mut jobs = Vec::new();
    for project in 0..4 {
        let project = ada.project(&format!("p{project}")).await;
        let environment = ada.environment(project, Category::Other).await;
        for _ in 0..5 {
            jobs.push(ada.job(project, environment).await);
        }
    }
    let permit = ada.permit().await;
    for job in jobs.iter().cycle().take(1_000) {
        let run = house.store.trigger_run(&permit, *job, because()).await.unwrap().id;
        queued.entry(*job).or_default().push(run);
    }
    let (done, under_way) = (Mutex::new(Vec::new()), Mutex::new(BTreeSet::new()));
    let (runner, store) = (ada.runner().await, &house.store);
    let work = async || {
        while done.lock().unwrap().len() < 1_000 {
            let Some(claimed) = store.claim_run(&runner, &worker()).await.unwrap() else {
                tokio::task::yield_now().await;
                continue;
            };
            {
                let mut under_way = under_way.lock().unwrap();
                assert!(under_way.insert(claimed.job.id), "a job ran twice at once");
                assert!(under_way.len() <= 2, "more than the slots");
            }
            store.start_run(&runner, &claimed.lease).await.unwrap();
            under_way.lock().unwrap().remove(&claimed.job.id);
            done.lock().unwrap().push((claimed.job.id, claimed.run.id));
            store.finish_run(&runner, &claimed.lease, Outcome::Success, "").await.unwrap();
        }
    };
    tokio::join!(work(), work(), work());

    let mut ran: BTreeMap<JobId, Vec<RunId>> = BTreeMap::new();
    for (job, run) in done.into_inner().unwrap() {
        ran.entry(job).or_default().push(run);
    }
    assert_eq!(ran, queued);
}

#[tokio::test]
async fn slots_are_each_accounts_own() {
    let house = house().await;
    let (ada, bob) = (admin(&house), nouns::neighbour(&house).await);
    let mut runs = Vec::new();
    for owner in [&ada, &bob] {
        let project = owner.project("sales").await;
        let environment = owner.environment(project, Category::Other).await;
        let job = owner.job(project, environment).await;
        runs.push(owner.trigger(job).await.id);
    }
    let claimed = [ada.claim().await.unwrap().run, bob.claim().await.unwrap().run];
    assert_eq!(claimed.as_slice(), runs);
}

#[tokio::test]
async fn a_claimed_run_comes_with_all_it_needs() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let run = ada.trigger(of.job).await;
    let claimed = house.store.claim_run(&ada.runner().await, &worker()).await.unwrap().unwrap();
    assert_eq!((claimed.run.id, claimed.run.trigger), (run.id, run.trigger));
    assert_eq!((claimed.job.id, claimed.project.id), (of.job, of.project));
    assert_eq!(claimed.environment.id, of.environment);
    assert_eq!(claimed.repository.unwrap().id, of.repository);
    assert_eq!(claimed.connection.unwrap().id, of.connection);
    assert_eq!(claimed.credential.unwrap().id, of.credential);
    assert_eq!(claimed.secret.unwrap().reveal(), "hunter2");
}

#[tokio::test]
async fn a_run_that_cannot_be_made_ready_ends_as_an_error_and_blocks_none_behind_it() {
    let house = house().await;
    let ada = admin(&house);
    let broken = ada.furnish("broken", Category::Staging).await;
    let whole = ada.furnish("whole", Category::Staging).await;
    let (first, second) = (ada.trigger(broken.job).await.id, ada.trigger(whole.job).await.id);
    // A sealed secret that was moved to another row does not open.
    let mix = "UPDATE warehouse_credentials SET secret = (SELECT secret FROM
               warehouse_credentials WHERE id = 2) WHERE id = 1";
    house.raw().await.execute_unprepared(mix).await.unwrap();

    assert_eq!(ada.claim().await.unwrap().run, second);
    let ended = ada.run(first).await;
    assert_eq!(ended.state.status(), RunStatus::ERROR);
    assert_eq!(ended.message, "what the run needs cannot be read: see the server's log");
    house.records().await;
}

#[tokio::test]
async fn deleting_a_job_cancels_what_waits_and_lets_what_runs_go_on() {
    let house = house().await;
    let ada = admin(&house);
    slots(&house, 5).await;
    let of = ada.furnish("sales", Category::Staging).await;
    let other = ada.job(of.project, of.environment).await;
    let (running, queued) = (ada.trigger(of.job).await.id, ada.trigger(of.job).await.id);
    let lease = ada.claim().await.unwrap();
    assert_eq!(lease.run, running);
    let kept = ada.trigger(other).await.id;

    house.store.delete_job(&ada.permit().await, of.job).await.unwrap();

    let cancelled = ada.run(queued).await;
    assert_eq!(cancelled.state.status(), RunStatus::CANCELLED);
    assert_eq!(cancelled.message, "the job was deleted");
    assert_eq!(ada.run(running).await.state.status(), RunStatus::STARTING);
    // It can be cancelled still, and its environment waits for it.
    let asked = house.store.cancel_run(&ada.permit().await, running).await.unwrap();
    assert!(asked.cancel_requested);
    house.store.delete_job(&ada.permit().await, other).await.unwrap();
    assert_eq!(ada.run(kept).await.state.status(), RunStatus::CANCELLED);
    let early = house.store.delete_environment(&ada.permit().await, of.environment).await;
    assert!(matches!(early, Err(StoreError::Conflict(_))), "{early:?}");
    finish(&ada, &lease).await;
    house.store.delete_environment(&ada.permit().await, of.environment).await.unwrap();
}

#[tokio::test]
async fn a_queued_run_keeps_the_environment_that_it_was_started_for() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let queued = ada.trigger(of.job).await.id;
    let next = ada.environment(of.project, Category::Production).await;
    let moved = |spec| Ok::<_, StoreError>(JobSpec { environment: next, ..spec });
    house.store.update_job(&ada.permit().await, of.job, moved).await.unwrap();

    let early = house.store.delete_environment(&ada.permit().await, of.environment).await;
    assert!(matches!(early, Err(StoreError::Conflict(_))), "{early:?}");
    let claimed = house.store.claim_run(&ada.runner().await, &worker()).await.unwrap().unwrap();
    assert_eq!((claimed.run.id, claimed.environment.id), (queued, of.environment));
}

#[tokio::test]
async fn cancelling_is_recorded_and_announced_by_where_the_run_is() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let (queued, started) = (ada.trigger(of.job).await.id, ada.trigger(of.job).await.id);
    let (records, events) = (house.records().await, house.store.events_after(0).await.unwrap());
    let seq = events.last().unwrap().0;

    house.store.cancel_run(&ada.permit().await, queued).await.unwrap();
    let lease = ada.claim().await.unwrap();
    assert_eq!(lease.run, started);
    let runner = ada.runner().await;
    house.store.start_run(&runner, &lease).await.unwrap();
    let asked = house.store.cancel_run(&ada.permit().await, started).await.unwrap();
    assert!(asked.cancel_requested && asked.state.status() == RunStatus::RUNNING);
    house.store.finish_run(&runner, &lease, Outcome::Cancelled, "on demand").await.unwrap();
    let late = house.store.cancel_run(&ada.permit().await, started).await.unwrap_err();
    assert_eq!(late.to_string(), "the run has already finished");

    let said = house.store.audit_records(&house.permit().await, records, 100).await.unwrap();
    let said: Vec<_> = said.iter().map(|record| (record.event.as_str(), &*record.object)).collect();
    let (of_queued, of_started) = (format!("run:{queued}"), format!("run:{started}"));
    assert_eq!(
        said,
        [
            ("run.cancel_requested", &*of_queued),
            ("run.finished", &*of_queued),
            ("run.cancel_requested", &*of_started),
            ("run.finished", &*of_started),
        ]
    );
    let events = house.store.events_after(seq).await.unwrap();
    assert_eq!(
        events.into_iter().map(|(_, event)| event).collect::<Vec<_>>(),
        [
            Event::RunFinished { id: queued },
            Event::RunCancelRequested { id: started },
            Event::RunFinished { id: started },
        ]
    );
}

#[tokio::test]
async fn cancelling_needs_the_category_of_the_runs_environment() {
    let house = house().await;
    let ada = admin(&house);
    let project = ada.project("sales").await;
    let raised = Categories::NONE.with(Category::Staging);
    let token = holder(&house, on("analyst", project).raising(raised)).await;
    let mut answers = BTreeMap::new();
    for category in [Category::Staging, Category::Production] {
        let environment = ada.environment(project, category).await;
        let job = ada.job(project, environment).await;
        let run = ada.trigger(job).await.id;
        let permit: Permit<Write, Runs> = token.permit().await;
        answers.insert(category, house.store.cancel_run(&permit, run).await);
    }
    assert!(answers[&Category::Staging].is_ok());
    let refused = &answers[&Category::Production];
    let told = matches!(
        refused,
        Err(StoreError::Denied(Denied::NoGrantHere { category: Some(Category::Production), .. }))
    );
    assert!(told, "{refused:?}");
}

/// A run under way, with two steps planned.
async fn with_steps(house: &House) -> (Owner, Lease, [StepId; 2]) {
    let ada = admin(house);
    let of = ada.furnish("sales", Category::Staging).await;
    let lease = ada.begin(of.job).await;
    let names = ["one", "two"].map(str::to_owned);
    let steps = house.store.plan_steps(&ada.runner().await, &lease, &names).await.unwrap();
    let [one, two] = steps.as_slice() else { panic!("{steps:?}") };
    let (one, two) = (one.id, two.id);
    (ada, lease, [one, two])
}

#[tokio::test]
async fn a_step_goes_from_queued_to_running_to_its_end_and_no_other_way() {
    let house = house().await;
    let (ada, lease, [one, two]) = with_steps(&house).await;
    let (store, runner) = (&house.store, ada.runner().await);
    macro_rules! conflict {
        ($($call:expr),* $(,)?) => {$({
            let answer = $call.await;
            assert!(matches!(answer, Err(StoreError::Conflict(_))), "{answer:?}");
        })*};
    }
    conflict!(store.finish_step(&runner, &lease, one, Outcome::Success));
    store.begin_step(&runner, &lease, one).await.unwrap();
    conflict!(store.begin_step(&runner, &lease, one));
    store.finish_step(&runner, &lease, one, Outcome::Success).await.unwrap();
    conflict!(
        store.finish_step(&runner, &lease, one, Outcome::Error),
        store.begin_step(&runner, &lease, one)
    );
    store.start_run(&runner, &lease).await.unwrap();
    conflict!(store.start_run(&runner, &lease), store.plan_steps(&runner, &lease, &[]));
    let nobodys = store.begin_step(&runner, &lease, StepId::new(999).unwrap()).await;
    assert!(matches!(nobodys, Err(StoreError::NotFound)), "{nobodys:?}");
    store.finish_run(&runner, &lease, Outcome::Error, "").await.unwrap();
    let late = [
        store.begin_step(&runner, &lease, two).await,
        store.note_checkout(&runner, &lease, "abc", (None, false)).await,
        store.finish_run(&runner, &lease, Outcome::Success, "").await.map(|_| ()),
    ];
    assert!(late.iter().all(|late| matches!(late, Err(StoreError::LeaseLost))), "{late:?}");
    let steps = store.run_steps(&ada.permit().await, &[lease.run]).await.unwrap();
    let states: Vec<_> = steps.iter().map(|step| step.state).collect();
    let at = common::noon();
    let first = StepState::Finished { outcome: Outcome::Success, started_at: at, finished_at: at };
    assert_eq!(states, [first, StepState::Skipped]);
}

#[tokio::test]
async fn a_runs_times_are_there_exactly_when_its_states_are() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let after = |seconds| common::noon().plus_seconds(seconds);
    let run = ada.trigger(of.job).await;
    assert_eq!(run.state, RunState::Queued);
    let runner = ada.runner().await;
    house.clock.set(after(1));
    let lease = ada.claim().await.unwrap();
    assert_eq!(ada.run(run.id).await.state, RunState::Starting { dequeued_at: after(1) });
    house.clock.set(after(2));
    house.store.start_run(&runner, &lease).await.unwrap();
    let running = RunState::Running { dequeued_at: after(1), started_at: after(2) };
    assert_eq!(ada.run(run.id).await.state, running);
    house.store.note_checkout(&runner, &lease, "5f3c", (Some("main"), true)).await.unwrap();
    house.clock.set(after(3));
    house.store.finish_run(&runner, &lease, Outcome::Success, "fine").await.unwrap();
    let ended = ada.run(run.id).await;
    assert_eq!(
        ended.state,
        RunState::Finished {
            outcome: Outcome::Success,
            dequeued_at: Some(after(1)),
            started_at: Some(after(2)),
            finished_at: after(3),
        }
    );
    assert_eq!(
        (ended.git_sha.as_deref(), ended.git_branch.as_deref(), ended.used_clone),
        (Some("5f3c"), Some("main"), Some(true))
    );
    assert_eq!((ended.message.as_str(), ended.updated_at), ("fine", after(3)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_steps_text_is_in_the_order_in_which_it_came() {
    let house = house().await;
    let (ada, lease, [one, two]) = with_steps(&house).await;
    let runner = ada.runner().await;
    let mut expected = String::new();
    for line in 0..200 {
        let text = format!("line {line} \u{1b}[31mré\u{1b}[0m\n");
        house.store.append_log(&runner, &lease, one, &text).await.unwrap();
        house.store.append_log(&runner, &lease, two, "x").await.unwrap();
        expected.push_str(&text);
    }
    let logs = house.store.step_logs(&ada.permit().await, &[one, two]).await.unwrap();
    assert_eq!(logs.get(&one), Some(&expected));
    assert_eq!(logs.get(&two), Some(&"x".repeat(200)));
    assert_eq!(house.store.run_steps(&ada.permit().await, &[lease.run]).await.unwrap().len(), 2);
}
