//! What a permit does not reach is not found, whatever is asked.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod common;
mod nouns;

use common::house;
use domain::{
    authz::{
        Category, Connections, EnvironmentCredentials, Environments, Jobs, PermissionSet, Permit,
        Read, Repositories, Runs, Write, kinds,
    },
    lease::ExpiredLease,
    list::ListQuery,
    repository::TokenChange,
    run::{Outcome, Progress},
};
use nouns::{Furnished, Owner, admin, because, holder, neighbour, on};
use store::{DebugLog, StoreError};

/// How each read of one object of a project answers.
async fn reads(owner: &Owner, of: &Furnished) -> Vec<(&'static str, Result<(), StoreError>)> {
    let store = &owner.store;
    let projects: Permit<Read, kinds::Projects> = owner.permit().await;
    let repositories: Permit<Read, Repositories> = owner.permit().await;
    let credentials: Permit<Read, EnvironmentCredentials> = owner.permit().await;
    let environments: Permit<Read, Environments> = owner.permit().await;
    let jobs: Permit<Read, Jobs> = owner.permit().await;
    let runs: Permit<Read, Runs> = owner.permit().await;
    let manifest = "manifest.json";
    vec![
        ("project", store.project(&projects, of.project).await.map(drop)),
        ("repository", store.repository(&repositories, of.repository).await.map(drop)),
        ("credential", store.warehouse_credential(&credentials, of.credential).await.map(drop)),
        ("environment", store.environment(&environments, of.environment).await.map(drop)),
        ("job", store.job(&jobs, of.job).await.map(drop)),
        ("run", store.run(&runs, of.run).await.map(drop)),
        ("step", store.run_step(&runs, of.step, DebugLog::Whole).await.map(drop)),
        ("artifacts", store.artifacts(&runs, of.run).await.map(drop)),
        ("artifact", store.artifact(&runs, of.run, manifest, None).await.map(drop)),
        ("job's artifact", store.job_artifact(&runs, of.job, manifest).await.map(drop)),
    ]
}

/// The ids on each list, and the total that it tells.
async fn lists(owner: &Owner) -> Vec<(&'static str, Vec<i64>, u64)> {
    let (store, all) = (&owner.store, ListQuery::first_page());
    let projects = store.projects(&owner.permit().await, &all).await.unwrap();
    let repositories = store.repositories(&owner.permit().await, &all).await.unwrap();
    let credentials = store.warehouse_credentials(&owner.permit().await, &all).await.unwrap();
    let environments = store.environments(&owner.permit().await, &all).await.unwrap();
    let jobs = store.jobs(&owner.permit().await, &all).await.unwrap();
    let runs = store.runs(&owner.permit().await, &all).await.unwrap();
    let ids = |ids: &mut dyn Iterator<Item = i64>| ids.collect::<Vec<_>>();
    vec![
        ("projects", ids(&mut projects.rows.iter().map(|row| row.id.get())), projects.total),
        (
            "repositories",
            ids(&mut repositories.rows.iter().map(|row| row.id.get())),
            repositories.total,
        ),
        (
            "credentials",
            ids(&mut credentials.rows.iter().map(|row| row.id.get())),
            credentials.total,
        ),
        (
            "environments",
            ids(&mut environments.rows.iter().map(|row| row.id.get())),
            environments.total,
        ),
        ("jobs", ids(&mut jobs.rows.iter().map(|row| row.id.get())), jobs.total),
        ("runs", ids(&mut runs.rows.iter().map(|row| row.id.get())), runs.total),
    ]
}

#[tokio::test]
async fn a_token_of_one_project_sees_that_project_alone() {
    let house = house().await;
    let ada = admin(&house);
    let sales = ada.furnish("sales", Category::Staging).await;
    let hr = ada.furnish("hr", Category::Production).await;
    let token = holder(&house, on("admin", sales.project)).await;

    for (what, read) in reads(&token, &sales).await {
        assert!(read.is_ok(), "{what}: {read:?}");
    }
    for (what, read) in reads(&token, &hr).await {
        assert!(matches!(read, Err(StoreError::NotFound)), "{what}: {read:?}");
    }
    let ours = [sales.project.get(), sales.repository.get(), sales.credential.get()];
    let ours = [&ours[..], &[sales.environment.get(), sales.job.get(), sales.run.get()]].concat();
    for ((what, ids, total), id) in lists(&token).await.into_iter().zip(ours) {
        assert_eq!((ids, total), (vec![id], 1), "{what}");
    }
    for (what, ids, total) in lists(&ada).await {
        assert_eq!((ids.len(), total), (2, 2), "{what}");
    }

    let runs: Permit<Read, Runs> = token.permit().await;
    let steps = house.store.run_steps(&runs, &[sales.run, hr.run]).await.unwrap();
    assert_eq!(steps.iter().map(|step| step.id).collect::<Vec<_>>(), [sales.step]);
    let steps = [sales.step, hr.step];
    let logs = house.store.step_logs(&runs, &steps).await.unwrap();
    assert_eq!(logs.into_keys().collect::<Vec<_>>(), [sales.step]);
    for part in [DebugLog::Whole, DebugLog::End] {
        let logs = house.store.debug_logs(&runs, &steps, part).await.unwrap();
        assert_eq!(logs.into_keys().collect::<Vec<_>>(), [sales.step], "{part:?}");
    }
    let latest = house.store.latest_runs(&runs, &[sales.job, hr.job]).await.unwrap();
    assert_eq!(latest.into_keys().collect::<Vec<_>>(), [sales.job]);
}

#[tokio::test]
async fn another_accounts_objects_are_not_found_whoever_asks() {
    let house = house().await;
    let (ada, bob) = (admin(&house), neighbour(&house).await);
    let theirs = bob.furnish("theirs", Category::Staging).await;

    for (what, read) in reads(&ada, &theirs).await {
        assert!(matches!(read, Err(StoreError::NotFound)), "{what}: {read:?}");
    }
    for (what, ids, total) in lists(&ada).await {
        assert_eq!((ids, total), (vec![], 0), "{what}");
    }
    let connections: Permit<Read, Connections> = ada.permit().await;
    let read = house.store.connection(&connections, theirs.connection).await;
    assert!(matches!(read, Err(StoreError::NotFound)), "{read:?}");
    let listed = house.store.connections(&connections, &ListQuery::first_page()).await.unwrap();
    assert_eq!(listed.total, 0);
}

#[tokio::test]
async fn another_accounts_objects_cannot_be_changed_deleted_or_run() {
    let house = house().await;
    let (ada, bob) = (admin(&house), neighbour(&house).await);
    let theirs = bob.furnish("theirs", Category::Staging).await;
    let (queued, before) = (bob.trigger(theirs.job).await.id, house.records().await);
    let store = &house.store;
    macro_rules! refused {
        ($($call:expr),* $(,)?) => {$({
            let answer = $call.await;
            assert!(matches!(answer, Err(StoreError::NotFound)), "{answer:?}");
        })*};
    }
    refused!(
        store.update_project(&ada.permit().await, theirs.project, Ok::<_, StoreError>),
        store.update_repository(
            &ada.permit().await,
            theirs.repository,
            TokenChange::Keep,
            Ok::<_, StoreError>
        ),
        store.update_connection(
            &ada.permit().await,
            theirs.connection,
            domain::adapter::FieldSecrets::default(),
            Ok::<_, StoreError>,
        ),
        store.update_environment(&ada.permit().await, theirs.environment, Ok::<_, StoreError>),
        store.update_job(&ada.permit().await, theirs.job, Ok::<_, StoreError>),
        store.update_warehouse_credential(
            &ada.permit().await,
            theirs.credential,
            None,
            Ok::<_, StoreError>
        ),
        store.delete_project(&ada.permit().await, theirs.project),
        store.delete_repository(&ada.permit().await, theirs.repository),
        store.delete_connection(&ada.permit().await, theirs.connection),
        store.delete_environment(&ada.permit().await, theirs.environment),
        store.delete_job(&ada.permit().await, theirs.job),
        store.delete_warehouse_credential(&ada.permit().await, theirs.credential),
        store.trigger_run(&ada.permit().await, theirs.job, because()),
        store.cancel_run(&ada.permit().await, queued),
    );
    let (held, runner) = (bob.claim().await.unwrap(), ada.runner().await);
    refused!(
        store.renew_lease(&runner, &held),
        store.return_run(&runner, &held),
        store.take_duckdb(&runner, &held, "x.duckdb"),
        store.start_run(&runner, &held),
        store.finish_run(&runner, &held, Outcome::Success, ""),
        store.note_checkout(&runner, &held, "abc", (None, false)),
        store.plan_steps(&runner, &held, &[]),
        store.begin_step(&runner, &held, theirs.step),
        store.append_log(&runner, &held, theirs.step, "x"),
        store.append_debug_log(&runner, &held, theirs.step, "x"),
        store.note_progress(&runner, &held, theirs.step, Progress { done: 1, total: 2 }),
        store.finish_step(&runner, &held, theirs.step, Outcome::Success),
        store.put_artifact(&runner, &held, 1, "manifest.json", "x".as_bytes()),
    );
    let expired = ExpiredLease { id: held.id, run: held.run, renewed_at: common::noon() };
    assert_eq!(store.reap_run(&runner, &expired).await.unwrap(), None, "it is not ours to end");
    assert!(
        store.claim_run(&runner, &common::worker()).await.unwrap().is_none(),
        "it is not ours to run"
    );

    assert_eq!(house.records().await, before);
    let runs: Permit<Read, Runs> = bob.permit().await;
    let manifest = store.artifact(&runs, theirs.run, "manifest.json", None).await.unwrap();
    assert_eq!(manifest.bytes().await.unwrap(), "{}");
    assert_eq!(bob.run(queued).await.state.status(), domain::run::RunStatus::STARTING);
}

#[tokio::test]
async fn how_a_run_goes_is_written_by_the_runner_alone() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let held = ada.begin(of.job).await;
    ada.trigger(of.job).await;
    let expired = ExpiredLease { id: held.id, run: held.run, renewed_at: common::noon() };
    let (store, permit): (_, Permit<Write, Runs>) = (&house.store, ada.permit().await);
    macro_rules! refused {
        ($($call:expr),* $(,)?) => {$({
            let answer = $call.await;
            assert!(matches!(answer, Err(StoreError::Denied(_))), "{answer:?}");
        })*};
    }
    refused!(
        store.claim_run(&permit, &common::worker()),
        store.renew_lease(&permit, &held),
        store.return_run(&permit, &held),
        store.take_duckdb(&permit, &held, "x.duckdb"),
        store.start_run(&permit, &held),
        store.note_checkout(&permit, &held, "abc", (None, false)),
        store.plan_steps(&permit, &held, &[]),
        store.begin_step(&permit, &held, of.step),
        store.append_log(&permit, &held, of.step, "x"),
        store.append_debug_log(&permit, &held, of.step, "x"),
        store.note_progress(&permit, &held, of.step, Progress { done: 1, total: 2 }),
        store.finish_step(&permit, &held, of.step, Outcome::Success),
        store.finish_run(&permit, &held, Outcome::Success, ""),
        store.reap_run(&permit, &expired),
        store.put_artifact(&permit, &held, 1, "manifest.json", "x".as_bytes()),
    );
    assert_eq!(ada.run(held.run).await.state.status(), domain::run::RunStatus::STARTING);
}

#[tokio::test]
async fn reading_one_object_is_one_statement() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let store = &house.store;
    macro_rules! one_statement {
        ($($kind:ty: $read:ident($id:expr $(, $more:expr)*)),* $(,)?) => {$({
            let permit: Permit<Read, $kind> = ada.permit().await;
            let before = store.statements();
            store.$read(&permit, $id $(, $more)*).await.unwrap();
            assert_eq!(store.statements() - before, 1, stringify!($read));
        })*};
    }
    one_statement!(
        kinds::Projects: project(of.project),
        Repositories: repository(of.repository),
        Connections: connection(of.connection),
        EnvironmentCredentials: warehouse_credential(of.credential),
        Environments: environment(of.environment),
        Jobs: job(of.job),
        Runs: run(of.run),
        Runs: run_step(of.step, DebugLog::Whole),
        Runs: run_step(of.step, DebugLog::End),
        Runs: run_steps(&[of.run]),
        Runs: step_logs(&[of.step]),
        Runs: debug_logs(&[of.step], DebugLog::End),
        Runs: artifact(of.run, "manifest.json", None),
        Runs: job_artifact(of.job, "manifest.json"),
    );
}

#[test]
fn whoever_may_write_what_names_another_object_may_read_what_is_named() {
    use domain::authz::{
        Access::{Read, Write},
        Action, ResourceKind,
    };
    let names = [
        (ResourceKind::Projects, ResourceKind::Connections),
        (ResourceKind::Projects, ResourceKind::Repositories),
        (ResourceKind::Projects, ResourceKind::Jobs),
        (ResourceKind::Environments, ResourceKind::Connections),
        (ResourceKind::Environments, ResourceKind::EnvironmentCredentials),
        (ResourceKind::Jobs, ResourceKind::Environments),
    ];
    for set in PermissionSet::all() {
        for (writes, named) in names {
            let rights = set.row().rights;
            let implied =
                !rights.allow(Action::new(Write, writes)) || rights.allow(Action::new(Read, named));
            // The store therefore asks for no second permit when an id is named.
            assert!(implied, "{set} writes {writes:?} and does not read {named:?}");
        }
    }
}
