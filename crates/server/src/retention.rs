//! Artifacts that are older than they are kept are removed, old leases and uses of tokens, beside the
//! requests.

use std::{sync::Arc, time::Duration};

use domain::{
    Timestamp,
    authz::{Caller, Origin, Permit, Principal, Runs, SystemTask, Write, authorize},
    token_use::Days,
};
use store::{Store, StoreError};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How often it is looked for what is too old.
const ROUND: Duration = Duration::from_mins(10);
/// How often leases are looked at, and how many days one that has ended is kept: it is the log of who
/// executed what.
const LEASES: (Duration, i64) = (Duration::from_hours(1), 30);
/// How often uses of tokens are looked at.
const USES: Duration = Duration::from_hours(1);
/// How often executions of dbt's nodes are looked at, and how many days one is kept: three months, as
/// dbt's Discovery API has it.
const EXECUTIONS: (Duration, i64) = (Duration::from_hours(1), 92);
/// A day, in seconds.
const DAY: i64 = 24 * 60 * 60;

/// Removes what is older than so many days, for as long as the server runs.
pub(crate) async fn keep(store: Store, days: u32) {
    let mut round = interval(ROUND);
    round.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        round.tick().await;
        say("old artifacts", prune(&store, days).await);
    }
}

/// Forgets leases that ended long ago, for as long as the server runs.
pub(crate) async fn forget_leases(store: Store) {
    let (every, days) = LEASES;
    loop {
        sleep(every).await;
        say("old leases", forget_leases_before(&store, days).await);
    }
}

/// Forgets how nodes went long ago, for as long as the server runs.
pub(crate) async fn forget_executions(store: Store) {
    let (every, days) = EXECUTIONS;
    loop {
        sleep(every).await;
        say("old executions of nodes", forget_executions_before(&store, days).await);
    }
}

/// Forgets what service tokens were used for longer ago than it is kept, for as long as the server
/// runs.
pub(crate) async fn forget_token_uses(store: Store, days: Days) {
    let mut round = interval(USES);
    round.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        round.tick().await;
        say("old uses of tokens", forget_token_uses_before(&store, days).await);
    }
}

async fn prune(store: &Store, days: u32) -> Result<(), StoreError> {
    let before = days_ago(store, days.into());
    for permit in keepers(store).await? {
        loop {
            let runs = store.prune_artifacts(&permit, before).await?;
            if runs == 0 {
                break;
            }
            let account = permit.account();
            tracing::info!(%account, runs, days, "artifacts were removed by retention");
        }
    }
    Ok(())
}

async fn forget_leases_before(store: &Store, days: i64) -> Result<(), StoreError> {
    let before = days_ago(store, days);
    for permit in keepers(store).await? {
        store.forget_leases(&permit, before).await?;
    }
    Ok(())
}

async fn forget_executions_before(store: &Store, days: i64) -> Result<(), StoreError> {
    let before = days_ago(store, days);
    for permit in keepers(store).await? {
        while store.prune_node_executions(&permit, before).await? > 0 {}
    }
    Ok(())
}

async fn forget_token_uses_before(store: &Store, days: Days) -> Result<(), StoreError> {
    let before = days.since(store.clock().now());
    for permit in keepers(store).await? {
        store.forget_token_uses(&permit, before).await?;
    }
    Ok(())
}

/// What removes in each account: the permit of its keeper.
async fn keepers(store: &Store) -> Result<Vec<Permit<Write, Runs>>, StoreError> {
    let keepers = store.system_principals(SystemTask::Keeper).await?.into_iter();
    let permit = |keeper: Arc<Principal>| {
        let account = keeper.account();
        authorize(&Arc::new(Caller::new(keeper, Origin::local())), account)
    };
    Ok(keepers.map(permit).collect::<Result<_, _>>()?)
}

fn days_ago(store: &Store, days: i64) -> Timestamp {
    store.clock().now().plus_seconds(-DAY * days)
}

/// Says what could not be removed.
fn say(what: &str, removed: Result<(), StoreError>) {
    if let Err(error) = removed {
        tracing::warn!(%error, "{what} stay until the next look");
    }
}
