//! The outbox: what is claimed, by whom, and when it goes.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod common;

use common::{House, house, name, number};
use domain::{
    JobId,
    authz::{
        Environments, Jobs, Permit, PrincipalId, ProjectCreate, Read, Runs, SystemTask, Webhooks,
        Write,
    },
    environment::EnvironmentSpec,
    job::JobSpec,
    kept::{Hidden, Id, Kept},
    outbox::OutgoingWebhook,
    project::ProjectSpec,
    run::{Outcome, Trigger},
    webhook::{ClientUrl, Dispatch, EventType, ReceiptKey, Webhook, WebhookKey},
};
use rand::{SeedableRng as _, rngs::StdRng};
use store::{Clock, DataDir, Keyring, Store, Ticket};

async fn job(house: &House) -> JobId {
    let permit: Permit<Write, ProjectCreate> = house.permit().await;
    let spec = ProjectSpec::named(name("sales"));
    let project = house.store.create_project(&permit, spec).await.unwrap().id;
    let permit: Permit<Write, Environments> = house.permit().await;
    let spec = EnvironmentSpec::named(name("production"));
    let environment = house.store.create_environment(&permit, project, spec).await.unwrap().id;
    let permit: Permit<Write, Jobs> = house.permit().await;
    let spec = JobSpec::named(project, environment, name("nightly"));
    house.store.create_job(&permit, spec).await.unwrap().id
}

async fn webhook(house: &House, seed: u64) -> Kept<Webhook> {
    let spec = Webhook {
        key: WebhookKey::mint(&mut StdRng::seed_from_u64(seed)),
        name: name("ops"),
        description: String::new(),
        event_types: [EventType::Completed].into(),
        job_ids: [].into(),
        client_url: ClientUrl::parse("https://example.com").unwrap(),
        active: true,
        deactivate_reason: None,
    };
    let secret = Some(Hidden::new("a secret".to_owned()));
    let permit: Permit<Write, Webhooks> = house.permit().await;
    house.store.keep(&permit, None, spec, secret).await.unwrap()
}

/// A run that has ended.
async fn ran(house: &House, job: JobId) {
    queue(house, job).await;
    end(house).await;
}

async fn queue(house: &House, job: JobId) {
    let permit: Permit<Write, Runs> = house.permit().await;
    let trigger = Trigger::plain(PrincipalId::User(house.user), "a test".to_owned());
    house.store.trigger_run(&permit, job, trigger).await.unwrap();
}

/// Ends the oldest run of the queue.
async fn end(house: &House) {
    let runner: Permit<Write, Runs> = house.task(SystemTask::Runner).await;
    let lease = house.store.claim_run(&runner, &common::worker()).await.unwrap().unwrap().lease;
    house.store.finish_run(&runner, &lease, Outcome::Success, "").await.unwrap();
}

async fn messenger(house: &House) -> Permit<Write, Webhooks> {
    house.task(SystemTask::Messenger).await
}

async fn claim(house: &House, busy: &[Id<Webhook>]) -> Vec<(Ticket, OutgoingWebhook)> {
    house.store.claim_webhooks(&messenger(house).await, busy, 100).await.unwrap()
}

async fn waiting(house: &House) -> i64 {
    number(&house.raw().await, "SELECT COUNT(*) FROM outbox").await
}

/// Notes a try that ended so.
async fn tried(
    house: &House,
    (ticket, outgoing): &(Ticket, OutgoingWebhook),
    seed: u64,
    error: &str,
) {
    let sent = Dispatch {
        dispatched_at: house.clock.now(),
        http_status_code: Some(200),
        error_info: error.to_owned(),
        request_headers: String::new(),
        request_body: String::new(),
        response_body: String::new(),
    };
    let key = ReceiptKey::mint(&mut StdRng::seed_from_u64(seed));
    let (permit, event) = (messenger(house).await, outgoing.event("{}".to_owned()));
    house.store.note_webhook_try(&permit, ticket, &event, (&key, &sent)).await.unwrap();
}

fn wait(house: &House, seconds: i64) {
    house.clock.set(house.clock.now().plus_seconds(seconds));
}

#[tokio::test]
async fn of_two_servers_on_one_folder_one_has_the_event_and_the_other_after_a_minute() {
    let house = house().await;
    webhook(&house, 1).await;
    let job = job(&house).await;
    ran(&house, job).await;
    let dir = DataDir::new(house.store.data_dir().path());
    let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
    let other = Store::open(&dir, keyring, Clock::fixed(house.clock.now())).await.unwrap();
    let permit = messenger(&house).await;

    let (ours, theirs) = tokio::join!(
        house.store.claim_webhooks(&permit, &[], 100),
        other.claim_webhooks(&permit, &[], 100)
    );
    let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
    assert_eq!(ours.len() + theirs.len(), 1);
    assert!(claim(&house, &[]).await.is_empty(), "it is on its way");
    // Whoever had it has died.
    wait(&house, 59);
    assert!(claim(&house, &[]).await.is_empty());
    wait(&house, 1);
    let again = claim(&house, &[]).await;
    let first = ours.into_iter().chain(theirs).next().unwrap();
    assert_eq!(again.first().unwrap().1.key, first.1.key);
    // The late failure of the first does not disturb the second.
    tried(&house, &first, 1, "too late").await;
    wait(&house, 59);
    assert!(claim(&house, &[]).await.is_empty());
    tried(&house, again.first().unwrap(), 2, "").await;
    assert_eq!(waiting(&house).await, 0);
}

#[tokio::test]
async fn a_last_failure_that_comes_late_leaves_the_event_to_whoever_has_it() {
    let house = house().await;
    let kept = webhook(&house, 1).await;
    let job = job(&house).await;
    ran(&house, job).await;
    for (seed, pause) in [(1, 30), (2, 120), (3, 480), (4, 1920)] {
        tried(&house, claim(&house, &[]).await.first().unwrap(), seed, "no").await;
        wait(&house, pause);
    }
    let late = claim(&house, &[]).await;
    wait(&house, 60);
    let now = claim(&house, &[]).await;

    tried(&house, late.first().unwrap(), 5, "no").await;
    assert_eq!(waiting(&house).await, 1);
    tried(&house, now.first().unwrap(), 6, "").await;
    assert_eq!(waiting(&house).await, 0);
    let permit: Permit<Read, Webhooks> = house.permit().await;
    assert!(house.store.webhook(&permit, &kept.spec.key).await.unwrap().spec.active);
}

#[tokio::test]
async fn a_webhooks_events_are_claimed_one_by_one_in_order_and_none_while_it_is_busy() {
    let house = house().await;
    let (first, second) = (webhook(&house, 1).await, webhook(&house, 2).await);
    let job = job(&house).await;
    ran(&house, job).await;
    ran(&house, job).await;

    let claimed = claim(&house, &[second.id]).await;
    let of: Vec<_> = claimed.iter().map(|(_, outgoing)| outgoing.webhook.id).collect();
    assert_eq!(of, [first.id]);
    let (next, busy) =
        (claim(&house, &[first.id]).await, claim(&house, &[first.id, second.id]).await);
    assert_eq!((next.len(), busy.len()), (1, 0));
    let (older, newer) = (claimed.first().unwrap(), &claim(&house, &[second.id]).await);
    let run = |claim: &(Ticket, OutgoingWebhook)| claim.1.news.run().unwrap().0;
    assert!(run(older) < run(newer.first().unwrap()));
}

#[tokio::test]
async fn what_waits_for_a_webhook_goes_with_it_and_with_its_being_switched_off() {
    let house = house().await;
    let (first, second) = (webhook(&house, 1).await, webhook(&house, 2).await);
    let job = job(&house).await;
    ran(&house, job).await;
    assert_eq!(waiting(&house).await, 2);
    let claimed = claim(&house, &[second.id]).await;

    let permit: Permit<Write, Webhooks> = house.permit().await;
    house.store.delete_kept(&permit, first.id).await.unwrap();
    assert_eq!(waiting(&house).await, 1);
    // A try that was under way leaves nothing of a webhook that is gone.
    tried(&house, claimed.first().unwrap(), 1, "too late").await;
    let off = |spec| Ok::<_, store::StoreError>(Webhook { active: false, ..spec });
    house.store.update_kept(&permit, second.id, None, off).await.unwrap();
    assert!(claim(&house, &[]).await.is_empty());
    assert_eq!(waiting(&house).await, 0);
}

#[tokio::test]
async fn what_was_sent_is_told_of_for_thirty_days() {
    let house = house().await;
    webhook(&house, 1).await;
    let job = job(&house).await;
    queue(&house, job).await;
    queue(&house, job).await;
    end(&house).await;
    tried(&house, claim(&house, &[]).await.first().unwrap(), 1, "").await;
    let permit = messenger(&house).await;
    wait(&house, 30 * 24 * 60 * 60);
    end(&house).await;
    tried(&house, claim(&house, &[]).await.first().unwrap(), 2, "").await;
    assert_eq!(house.store.forget_webhook_events(&permit).await.unwrap(), 0);
    wait(&house, 1);
    assert_eq!(house.store.forget_webhook_events(&permit).await.unwrap(), 1);
    let left = number(&house.raw().await, "SELECT COUNT(*) FROM webhook_receipts").await;
    assert_eq!(left, 1);
}

#[tokio::test]
async fn the_messenger_is_called_where_something_is_due_and_nowhere_else() {
    let house = house().await;
    webhook(&house, 1).await;
    let job = job(&house).await;
    let called = async || house.store.messengers().await.unwrap().len();
    assert_eq!(called().await, 0);
    ran(&house, job).await;
    assert_eq!(called().await, 1);
    let claimed = claim(&house, &[]).await;
    assert_eq!(called().await, 0);
    tried(&house, claimed.first().unwrap(), 1, "no").await;
    assert_eq!(called().await, 0);
    wait(&house, 30);
    assert_eq!(called().await, 1);
}
