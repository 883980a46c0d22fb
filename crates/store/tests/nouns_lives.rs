//! The life of each noun: made, changed, deleted, and what stands in the way.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod common;
mod nouns;

use common::{House, house, name, number};
use domain::{
    adapter::FieldSecrets,
    authz::{Category, Environments, Permit, Read, Write},
    environment::EnvironmentSpec,
    event::Event,
    list::{ListQuery, StateFilter},
    project::ProjectSpec,
    repository::TokenChange,
    run::RunStatus,
    warehouse_credential::{CredentialSpec, WarehouseSecret},
};
use nouns::{admin, connection_spec, credential_spec, holder, on, repository_spec};
use sea_orm::ConnectionTrait as _;
use store::StoreError;

/// The events of the audit chain from a record on, in order.
async fn records_from(house: &House, seq: i64) -> Vec<String> {
    let permit = house.permit().await;
    let records = house.store.audit_records(&permit, seq, 100).await.unwrap();
    records.into_iter().map(|record| format!("{} {}", record.event, record.object)).collect()
}

async fn events_from(house: &House, seq: i64) -> Vec<Event> {
    let events = house.store.events_after(seq).await.unwrap();
    events.into_iter().map(|(_, event)| event).collect()
}

async fn last_event(house: &House) -> i64 {
    house.store.events_after(0).await.unwrap().last().map_or(0, |(seq, _)| *seq)
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name_and_says_before_and_after() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let read: Permit<Read, Environments> = ada.permit().await;
    let before = house.store.environment(&read, of.environment).await.unwrap();
    let records = house.records().await;
    house.clock.set(common::noon().plus_seconds(60));

    let change = |spec| Ok::<_, StoreError>(EnvironmentSpec { name: name("new"), ..spec });
    let permit = ada.permit().await;
    let after = house.store.update_environment(&permit, of.environment, change).await.unwrap();

    assert_eq!(after.spec, EnvironmentSpec { name: name("new"), ..before.spec.clone() });
    assert_eq!(
        (after.created_at, after.updated_at.seconds_since(before.updated_at)),
        (before.created_at, 60)
    );
    assert_eq!(house.store.environment(&read, of.environment).await.unwrap(), after);
    let record = house.store.audit_records(&house.permit().await, records, 9).await.unwrap();
    let [record] = record.as_slice() else { panic!("{record:?}") };
    assert_eq!(record.event, "environment.updated");
    assert_eq!(record.change["before"]["name"], "deploy");
    assert_eq!(record.change["after"]["name"], "new");
}

#[tokio::test]
async fn a_change_that_is_refused_half_way_leaves_nothing() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let (records, events) = (house.records().await, last_event(&house).await);
    let refuse = |_| Err::<ProjectSpec, _>(StoreError::Conflict("no".to_owned()));
    let refused = house.store.update_project(&ada.permit().await, of.project, refuse).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");

    // And one that fails at its last statement.
    let trigger = "CREATE TRIGGER refuse BEFORE INSERT ON audit_records
                   BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    house.raw().await.execute_unprepared(trigger).await.unwrap();
    assert!(house.store.delete_job(&ada.permit().await, of.job).await.is_err());
    let spec = connection_spec("second");
    assert!(
        house
            .store
            .create_connection(&ada.permit().await, spec, FieldSecrets::default())
            .await
            .is_err()
    );
    house.raw().await.execute_unprepared("DROP TRIGGER refuse").await.unwrap();

    assert_eq!(house.records().await, records);
    assert_eq!(last_event(&house).await, events);
    assert!(house.store.job(&ada.permit().await, of.job).await.is_ok());
    let connections = house.store.connections(&ada.permit().await, &ListQuery::first_page()).await;
    assert_eq!(connections.unwrap().total, 1);
}

#[tokio::test]
async fn what_is_deleted_is_not_found_twice_and_its_id_is_not_given_out_again() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let store = &house.store;
    store.delete_job(&ada.permit().await, of.job).await.unwrap();
    store.delete_environment(&ada.permit().await, of.environment).await.unwrap();
    let bare =
        |spec| Ok::<_, StoreError>(ProjectSpec { connection: None, repository: None, ..spec });
    store.update_project(&ada.permit().await, of.project, bare).await.unwrap();
    store.delete_repository(&ada.permit().await, of.repository).await.unwrap();
    store.delete_warehouse_credential(&ada.permit().await, of.credential).await.unwrap();
    store.delete_connection(&ada.permit().await, of.connection).await.unwrap();

    macro_rules! gone {
        ($($call:expr),* $(,)?) => {$({
            let answer = $call.await;
            assert!(matches!(answer, Err(StoreError::NotFound)), "{answer:?}");
        })*};
    }
    gone!(
        store.job(&ada.permit().await, of.job),
        store.environment(&ada.permit().await, of.environment),
        store.repository(&ada.permit().await, of.repository),
        store.warehouse_credential(&ada.permit().await, of.credential),
        store.connection(&ada.permit().await, of.connection),
        store.delete_job(&ada.permit().await, of.job),
        store.delete_environment(&ada.permit().await, of.environment),
        store.delete_repository(&ada.permit().await, of.repository),
        store.delete_warehouse_credential(&ada.permit().await, of.credential),
        store.delete_connection(&ada.permit().await, of.connection),
        store.trigger_run(&ada.permit().await, of.job, nouns::because()),
        store.update_job(&ada.permit().await, of.job, Ok::<_, StoreError>),
    );

    let environment = ada.environment(of.project, Category::Staging).await;
    assert!(environment > of.environment);
    assert!(ada.job(of.project, environment).await > of.job);
    let spec = repository_spec("/srv/shop");
    let made =
        store.create_repository(&ada.permit().await, of.project, spec, TokenChange::Keep).await;
    assert!(made.unwrap().id > of.repository);
    let made = store
        .create_connection(&ada.permit().await, connection_spec("next"), FieldSecrets::default())
        .await;
    assert!(made.unwrap().id > of.connection);
    // Its runs are history, and stay.
    assert_eq!(ada.run(of.run).await.job, of.job);
}

#[tokio::test]
async fn deleted_rows_are_listed_where_they_are_asked_for() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let kept = ada.job(of.project, of.environment).await;
    house.store.delete_job(&ada.permit().await, of.job).await.unwrap();
    let listed = async |state| {
        let query = ListQuery { state, ..ListQuery::first_page() };
        let page = house.store.jobs(&ada.permit().await, &query).await.unwrap();
        page.rows.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(None).await, [kept]);
    assert_eq!(listed(Some(StateFilter::Deleted)).await, [of.job]);
    assert_eq!(listed(Some(StateFilter::All)).await, [of.job, kept]);
}

#[tokio::test]
async fn what_is_in_use_stays_and_says_by_what() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let store = &house.store;
    macro_rules! kept {
        ($($call:expr => $why:literal),* $(,)?) => {$({
            match $call.await {
                Err(StoreError::Conflict(why)) => assert!(why.contains($why), "{why}"),
                other => panic!("{other:?}"),
            }
        })*};
    }
    kept!(
        store.delete_environment(&ada.permit().await, of.environment) => "1 jobs",
        store.delete_connection(&ada.permit().await, of.connection) => "1 environments and 1 proj",
        store.delete_repository(&ada.permit().await, of.repository) => "its project's",
        store.delete_warehouse_credential(&ada.permit().await, of.credential) => "1 environments",
    );
    assert_eq!(store.connection(&ada.permit().await, of.connection).await.unwrap().environments, 1);
}

#[tokio::test]
async fn a_project_takes_along_all_that_is_its_own_and_nothing_else() {
    let house = house().await;
    let ada = admin(&house);
    let sales = ada.furnish("sales", Category::Staging).await;
    let hr = ada.furnish("hr", Category::Staging).await;
    let both = domain::authz::Grant::new(
        "job_admin".parse().unwrap(),
        domain::authz::Projects::only([sales.project, hr.project]).unwrap(),
    );
    let (token, _) = house.token("both", vec![both.unwrap()], 5).await;
    let (queued, other) = (ada.trigger(sales.job).await.id, ada.trigger(hr.job).await.id);
    let (records, events) = (house.records().await, last_event(&house).await);

    house.store.delete_project(&ada.permit().await, sales.project).await.unwrap();

    for (table, state) in [
        ("projects", [2, 1]),
        ("environments", [2, 1]),
        ("jobs", [2, 1]),
        ("repositories", [2, 1]),
        ("warehouse_credentials", [2, 1]),
        ("connections", [1, 1]),
    ] {
        let db = house.raw().await;
        for (id, state) in [1, 2].into_iter().zip(state) {
            let sql = format!("SELECT state FROM {table} WHERE id = {id}");
            assert_eq!(number(&db, &sql).await, state, "{table} {id}");
        }
    }
    let sealed = "SELECT count(*) FROM warehouse_credentials WHERE secret IS NOT NULL";
    assert_eq!(number(&house.raw().await, sealed).await, 1, "a secret outlives nothing");
    assert_eq!(ada.run(queued).await.message, "the project was deleted");
    assert_eq!(ada.run(queued).await.state.status(), RunStatus::CANCELLED);
    assert_eq!(ada.run(other).await.state.status(), RunStatus::QUEUED);
    let left = house.read(token.id).await.unwrap().grants;
    assert_eq!(
        left.into_iter().map(|row| row.grant).collect::<Vec<_>>(),
        [on("job_admin", hr.project)]
    );
    assert_eq!(
        records_from(&house, records).await,
        [
            format!("run.finished run:{queued}"),
            format!("service_token.project_deleted service_token:{}", token.id),
            format!("project.deleted project:{}", sales.project),
        ]
    );
    assert_eq!(
        events_from(&house, events).await,
        [
            Event::RunFinished { id: queued },
            Event::GrantsChanged { id: token.id },
            Event::ProjectDeleted { id: sales.project },
        ]
    );
}

#[tokio::test]
async fn a_project_has_one_environment_for_production_and_one_for_staging() {
    let house = house().await;
    let ada = admin(&house);
    let project = ada.project("sales").await;
    let permit: Permit<Write, Environments> = ada.permit().await;
    let make = async |category| {
        let spec = EnvironmentSpec { category, ..EnvironmentSpec::named(name("x")) };
        house.store.create_environment(&permit, project, spec).await
    };
    for category in Category::ALL {
        assert!(make(category).await.is_ok());
    }
    for category in [Category::Production, Category::Staging] {
        let second = make(category).await;
        let refused = matches!(second, Err(StoreError::Invalid { field: "deployment_type", .. }));
        assert!(refused, "{second:?}");
    }
    let other = make(Category::Other).await.unwrap();
    let into = |category| move |spec| Ok::<_, StoreError>(EnvironmentSpec { category, ..spec });
    let become_production = into(Category::Production);
    let moved = house.store.update_environment(&permit, other.id, become_production).await;
    assert!(
        matches!(moved, Err(StoreError::Invalid { field: "deployment_type", .. })),
        "{moved:?}"
    );
    // The one that is there may be saved again.
    let rows = house.store.environments(&ada.permit().await, &ListQuery::first_page()).await;
    let staging = rows.unwrap().rows.into_iter().find(|e| e.spec.category == Category::Staging);
    let same = house.store.update_environment(&permit, staging.unwrap().id, Ok::<_, StoreError>);
    assert!(same.await.is_ok());
    // Another project has its own.
    ada.environment(ada.project("hr").await, Category::Production).await;
}

#[tokio::test]
async fn a_credentials_secret_is_kept_sealed_and_only_the_runner_reads_it() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Staging).await;
    let (store, records) = (&house.store, house.records().await);
    let permit = ada.permit().await;
    let rename = |spec| Ok::<_, StoreError>(CredentialSpec { schema: "b".to_owned(), ..spec });
    store.update_warehouse_credential(&permit, of.credential, None, rename).await.unwrap();
    let claimed = async || {
        ada.trigger(of.job).await;
        let runner = ada.runner().await;
        let claimed = store.claim_run(&runner, &common::worker()).await.unwrap().unwrap();
        ada.finish(&claimed.lease, domain::run::Outcome::Success).await;
        claimed.secret.unwrap().reveal().to_owned()
    };
    assert_eq!(claimed().await, "hunter2", "what is left out stays");
    let secret = Some(WarehouseSecret::new("correct horse".to_owned()));
    let same = Ok::<_, StoreError>;
    let changed = store.update_warehouse_credential(&permit, of.credential, secret, same).await;
    assert!(!format!("{:?}", changed.unwrap()).contains("horse"));
    assert_eq!(claimed().await, "correct horse");

    let audit = store.audit_records(&house.permit().await, records, 100).await.unwrap();
    let said: Vec<_> = audit
        .iter()
        .filter(|record| record.event == "warehouse_credential.updated")
        .map(|record| record.change["after"].get("secret").cloned())
        .collect();
    assert_eq!(said, [None, Some("set".into())]);
    store.close().await.unwrap();
    let bytes = std::fs::read(store.data_dir().database()).unwrap();
    for secret in ["hunter2", "correct horse"] {
        let secret = secret.as_bytes();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
}

#[tokio::test]
async fn who_may_only_read_a_project_is_told_so_and_who_may_not_is_told_nothing() {
    use domain::authz::Denied;
    let house = house().await;
    let ada = admin(&house);
    let sales = ada.furnish("sales", Category::Staging).await;
    let hr = ada.furnish("hr", Category::Staging).await;
    let third = ada.furnish("third", Category::Staging).await;
    // Writes in one project, reads in another, nothing in the third.
    let (_, secret) = house
        .token("mixed", vec![on("admin", sales.project), on("job_viewer", hr.project)], 6)
        .await;
    let mut token = holder(&house, on("admin", sales.project)).await;
    token.secret = secret;
    let permit: Permit<Write, Environments> = token.permit().await;
    let delete = async |id| house.store.delete_environment(&permit, id).await;

    let readable = delete(hr.environment).await;
    let told = matches!(readable, Err(StoreError::Denied(Denied::NoGrantHere { .. })));
    assert!(told, "{readable:?}");
    let hidden = delete(third.environment).await;
    let untold = matches!(hidden, Err(StoreError::Denied(Denied::OutsideScope(_))));
    assert!(untold, "{hidden:?}");
    let spec = credential_spec();
    let made = house
        .store
        .create_warehouse_credential(&token.permit().await, third.project, None, spec)
        .await;
    let untold = matches!(made, Err(StoreError::Denied(Denied::OutsideScope(_))));
    assert!(untold, "{made:?}");
}
