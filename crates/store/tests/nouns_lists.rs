//! Lists of the nouns: filters and orders by the names of the wire.

mod common;
mod nouns;

use common::{house, name, noon};
use domain::{
    adapter::FieldSecrets,
    authz::{Category, Connections, Environments, Jobs, Permit, Read, Runs, kinds},
    connection::{ConnectionSpec, Platform},
    environment::EnvironmentSpec,
    job::{JobSpec, Triggers},
    list::{ListQuery, Order, Test},
    run::{Outcome, Trigger},
};
use nouns::{admin, because, filter};
use store::StoreError;

fn among<T: ToString>(values: &[T]) -> Test {
    Test::In(values.iter().map(ToString::to_string).collect())
}

fn is<T: ToString + ?Sized>(value: &T) -> Test {
    Test::Is(value.to_string())
}

fn order(field: &str, descending: bool) -> ListQuery {
    let order = Some(Order { field: field.to_owned(), descending });
    ListQuery { order, ..ListQuery::first_page() }
}

#[tokio::test]
async fn jobs_are_filtered_by_place_name_version_and_schedule() {
    let house = house().await;
    let ada = admin(&house);
    let (sales, hr) = (ada.project("sales").await, ada.project("hr").await);
    let staging = ada.environment(sales, Category::Staging).await;
    let other = ada.environment(hr, Category::Other).await;
    let make = async |project, environment, named: &str, schedule, version: Option<&str>| {
        let spec = JobSpec {
            triggers: Triggers { schedule, ..Triggers::default() },
            dbt_version: version.map(str::to_owned),
            ..JobSpec::named(project, environment, name(named))
        };
        house.store.create_job(&ada.permit().await, spec).await.unwrap().id
    };
    let a = make(sales, staging, "Nightly build", true, None).await;
    let b = make(sales, staging, "Hourly", false, Some("1.9.0-latest")).await;
    let c = make(hr, other, "nightly", false, Some("versionless")).await;
    let permit: Permit<Read, Jobs> = ada.permit().await;
    let ids = async |field: &str, test: Test| {
        let page = house.store.jobs(&permit, &filter(field, test)).await.unwrap();
        assert_eq!(page.total, page.rows.len() as u64);
        page.rows.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };

    assert_eq!(ids("environment_id", is(&staging)).await, [a, b]);
    assert_eq!(ids("project_id", is(&hr)).await, [c]);
    assert_eq!(ids("project_id", among(&[hr, sales])).await, [a, b, c]);
    assert_eq!(ids("name", Test::Contains("NIGHT".to_owned())).await, [a, c]);
    assert_eq!(ids("triggers_schedule", is(&true)).await, [a]);
    assert_eq!(ids("triggers_schedule", is("False")).await, [b, c]);
    assert_eq!(ids("dbt_version", among(&["1.9.0-latest", "versionless"])).await, [b, c]);
    assert_eq!(ids("id", among(&[c, a])).await, [a, c]);

    let page = house.store.jobs(&permit, &order("name", false)).await.unwrap();
    assert_eq!(page.rows.iter().map(|job| job.id).collect::<Vec<_>>(), [b, a, c]);
    let change =
        |spec| Ok::<_, StoreError>(JobSpec { name: name("zz"), dbt_version: None, ..spec });
    house.store.update_job(&ada.permit().await, b, change).await.unwrap();
    assert_eq!(ids("name", is("zz")).await, [b], "a change is found by what it set");
    assert_eq!(ids("dbt_version", is("1.9.0-latest")).await, []);
}

#[tokio::test]
async fn environments_are_filtered_by_project_category_version_and_links() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Production).await;
    let other = ada.environment(ada.project("hr").await, Category::Development).await;
    let permit: Permit<Read, Environments> = ada.permit().await;
    let ids = async |field: &str, test: Test| {
        let page = house.store.environments(&permit, &filter(field, test)).await.unwrap();
        page.rows.into_iter().map(|environment| environment.id).collect::<Vec<_>>()
    };
    assert_eq!(ids("project_id", is(&of.project)).await, [of.environment]);
    assert_eq!(ids("deployment_type", is("production")).await, [of.environment]);
    assert_eq!(ids("type", is("development")).await, [other]);
    assert_eq!(ids("dbt_version", among(&["latest"])).await, [of.environment, other]);
    assert_eq!(ids("connection_id", is(&of.connection)).await, [of.environment]);
    assert_eq!(ids("credentials_id", is(&of.credential)).await, [of.environment]);
    assert_eq!(ids("id", Test::Above(of.environment.to_string())).await, [other]);

    let change = |spec| {
        Ok::<_, StoreError>(EnvironmentSpec {
            category: Category::Other,
            dbt_version: "1.10".to_owned(),
            connection: None,
            credential: None,
            ..spec
        })
    };
    let write = ada.permit().await;
    house.store.update_environment(&write, of.environment, change).await.unwrap();
    assert_eq!(ids("deployment_type", is("production")).await, []);
    assert_eq!(ids("dbt_version", is("1.10")).await, [of.environment]);
    assert_eq!(ids("connection_id", is(&of.connection)).await, []);
}

#[tokio::test]
async fn connections_are_filtered_by_platform_and_say_how_often_they_are_used() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("duck", Category::Production).await;
    let platform = Platform::Postgres {
        hostname: "db.example.com".to_owned(),
        dbname: "shop".to_owned(),
        port: 5432,
        retries: None,
    };
    let spec = ConnectionSpec::named(name("Postgres"), platform);
    let unused = house
        .store
        .create_connection(&ada.permit().await, spec, FieldSecrets::default())
        .await
        .unwrap()
        .id;
    let second = EnvironmentSpec {
        connection: Some(of.connection),
        ..EnvironmentSpec::named(name("second"))
    };
    let permit = ada.permit().await;
    let second = house.store.create_environment(&permit, of.project, second).await.unwrap().id;

    let permit: Permit<Read, Connections> = ada.permit().await;
    let uses = async |query: &ListQuery| {
        let page = house.store.connections(&permit, query).await.unwrap();
        page.rows.into_iter().map(|row| (row.id, row.environments)).collect::<Vec<_>>()
    };
    assert_eq!(uses(&ListQuery::first_page()).await, [(of.connection, 2), (unused, 0)]);
    assert_eq!(uses(&filter("adapter_version", is("postgres_v0"))).await, [(unused, 0)]);
    let named = filter("name", Test::Contains("UCK".to_owned()));
    assert_eq!(uses(&named).await, [(of.connection, 2)]);
    house.store.delete_environment(&ada.permit().await, second).await.unwrap();
    assert_eq!(uses(&ListQuery::first_page()).await, [(of.connection, 1), (unused, 0)]);
    assert_eq!(house.store.connection(&permit, of.connection).await.unwrap().environments, 1);
}

#[tokio::test]
async fn runs_are_filtered_by_range_and_version_and_ordered_by_time() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("sales", Category::Production).await;
    let at = |minute: i64| noon().plus_seconds(minute * 60);
    let mut runs = Vec::new();
    for (minute, version) in [(10, None), (20, Some("1.9")), (30, None)] {
        house.clock.set(at(minute));
        let trigger = Trigger { dbt_version_override: version.map(str::to_owned), ..because() };
        let run = house.store.trigger_run(&ada.permit().await, of.job, trigger).await.unwrap().id;
        runs.push(run);
    }
    let [a, b, c] = runs.as_slice() else { panic!("{runs:?}") };
    let (a, b, c) = (*a, *b, *c);
    // The first ends last; the third is queued still.
    let store = &house.store;
    for (minute, outcome) in [(50, Outcome::Success), (40, Outcome::Error)] {
        let lease = ada.claim().await.unwrap();
        house.clock.set(at(minute));
        ada.finish(&lease, outcome).await;
    }

    let permit: Permit<Read, Runs> = ada.permit().await;
    let ids = async |query: ListQuery| {
        let page = store.runs(&permit, &query).await.unwrap();
        page.rows.into_iter().map(|run| run.id).collect::<Vec<_>>()
    };
    let finished = |from, to| filter("finished_at", Test::Between(at(from), at(to)));
    assert_eq!(ids(finished(5, 1_000)).await, [a, b], "one that has not finished is in no range");
    assert_eq!(ids(finished(40, 49)).await, [b]);
    assert_eq!(ids(finished(50, 50)).await, [a], "both ends are in it");
    assert_eq!(ids(filter("created_at", Test::Between(at(20), at(30)))).await, [b, c]);
    assert_eq!(ids(filter("status", among(&[1, 20]))).await, [b, c]);
    assert_eq!(ids(filter("dbt_version", is("1.9"))).await, [b]);
    assert_eq!(ids(filter("dbt_version", is("latest"))).await, [of.run, a, c]);
    assert_eq!(ids(filter("project_id", is(&of.project))).await, [of.run, a, b, c]);
    assert_eq!(ids(filter("environment_id", is(&999))).await, []);
    let by = |field, descending| ids(order(field, descending));
    assert_eq!(by("id", true).await, [c, b, a, of.run]);
    assert_eq!(by("created_at", true).await, [c, b, a, of.run]);
    let ordered = ListQuery { order: order("finished_at", false).order, ..finished(1, 1_000) };
    assert_eq!(ids(ordered.clone()).await, [b, a]);
    let page = ListQuery { limit: 1, offset: 1, ..ordered };
    assert_eq!(ids(page.clone()).await, [a]);
    assert_eq!(store.runs(&permit, &page).await.unwrap().total, 2, "before the page is cut");
    // How many there are is counted without them, whatever of this is asked for.
    for (field, value) in [
        ("project_id", of.project.to_string()),
        ("environment_id", of.environment.to_string()),
        ("job_definition_id", of.job.to_string()),
        ("job_id", "999".to_owned()),
        ("status", "1".to_owned()),
        ("status", "20".to_owned()),
        ("git_branch", "main".to_owned()),
    ] {
        for second in [is("1"), is("20"), among(&[1, 3, 10, 20])] {
            let mut query = filter(field, is(&value));
            query.filters.extend(filter("status", second).filters);
            let whole = store.runs(&permit, &query).await.unwrap().rows.len() as u64;
            let cut = store.runs(&permit, &ListQuery { limit: 1, ..query }).await.unwrap();
            assert_eq!(cut.total, whole, "{field} {value}");
        }
    }
    let unknown = store.runs(&permit, &order("shoe_size", false)).await;
    let refused = matches!(unknown, Err(StoreError::Invalid { field: "order_by", .. }));
    assert!(refused, "{unknown:?}");
}

#[tokio::test]
async fn repositories_and_projects_are_found_by_what_they_are_called() {
    let house = house().await;
    let ada = admin(&house);
    let of = ada.furnish("Sales", Category::Production).await;
    let hr = ada.furnish("hr", Category::Production).await;
    let remote = "https://git.example.com/shop.git";
    let store = &house.store;
    let page = store.repositories(&ada.permit().await, &filter("remote_url", is(&remote))).await;
    assert_eq!(page.unwrap().total, 2);
    let query = filter("project_id", is(&hr.project));
    let page = store.repositories(&ada.permit().await, &query).await.unwrap();
    assert_eq!(page.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [hr.repository]);
    let query = filter("project_id", is(&of.project));
    let page = store.warehouse_credentials(&ada.permit().await, &query).await.unwrap();
    assert_eq!(page.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [of.credential]);
    let permit: Permit<Read, kinds::Projects> = ada.permit().await;
    let query = filter("name", Test::Contains("sAL".to_owned()));
    let page = store.projects(&permit, &query).await.unwrap();
    assert_eq!(page.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [of.project]);
}
