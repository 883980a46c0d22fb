//! Every collection behaves the same (contract, section 4): one walk over all routes that answer
//! with a page. A collection that comes new is walked without a word here, but for the ids that its
//! path names.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::House;
use domain::run::Outcome;
use serde_json::{Value, json};

/// A house with some of everything, and the ids that paths name.
struct World {
    house: House,
    ids: BTreeMap<&'static str, String>,
}

impl World {
    async fn new() -> Self {
        let house = House::new().await;
        let mut world = Self { house, ids: BTreeMap::new() };
        world.ids.insert("account_id", world.house.acme.id.to_string());
        world.ids.insert("project_id", world.house.sales.id.to_string());
        world.ids.insert("user_id", world.house.acme.admin_id.to_string());
        for name in ["ann", "bob", "cyd"] {
            world.house.wait(60);
            world.projects_and_jobs(name).await;
            world.connections(name).await;
            world.tokens(name).await;
        }
        for name in ["ann", "bob", "cyd"] {
            world.house.wait(60);
            world.webhooks(name).await;
        }
        world
    }

    async fn made(&self, path: &str, body: Value) -> Value {
        let answer = self.house.acme.admin.post(path, body).await;
        assert!([200, 201].contains(&answer.status()), "{path}: {}", answer.text());
        answer.data()
    }

    async fn projects_and_jobs(&mut self, name: &str) {
        let house = &self.house;
        house.acme.project(name).await;
        let path = house.sales.v3("/repositories/");
        let url = format!("https://git.example/acme/{name}.git");
        self.made(&path, json!({ "remote_url": url })).await;
        let environment = json!({
            "name": name, "type": "development", "dbt_version": "latest",
            "project_id": house.sales.id.get(),
        });
        let environment = self.made(&house.sales.v3("/environments/"), environment).await;
        let mut body = house.body(name);
        body["environment_id"] = environment["id"].clone();
        let job = house.job_of(body).await;
        house.run(job).await;
        let (run, _) = house.begin(&["Clone git repository"]).await;
        house.finish(run, Outcome::Error).await;
        let body = json!({ "user_id": house.acme.admin_id.get(), "on_failure": [job] });
        self.made(&house.acme.v2("/notifications/"), body).await;
        self.ids.insert("job_id", job.to_string());
        self.ids.insert("run_id", run.to_string());
    }

    async fn connections(&mut self, name: &str) {
        let house = &self.house;
        let config = json!({ "path": format!("{name}.duckdb") });
        let body = json!({ "name": name, "adapter_version": "duckdb_v0", "config": config });
        self.made(&house.acme.v3("/connections/"), body).await;
        let body = json!({
            "type": "postgres", "username": name, "password": "pw", "default_schema": "s",
            "target_name": "default", "threads": 4,
        });
        self.made(&house.sales.v3("/credentials/"), body).await;
        let body = json!({ "name": name, "type": "adapter", "adapter_version": "duckdb_v0",
            "details": { "path": "shop.duckdb" } });
        self.made(&house.sales.v3("/connections/"), body).await;
        // One a project.
        let project = house.acme.project(&format!("{name}-own")).await;
        let body = json!({ "type": "postgres", "username": name, "default_schema": "s" });
        let own = self.made(&project.v3("/credentials/"), body).await;
        let body = json!({ "project_id": project.id.get(), "credentials_id": own["id"] });
        let path = format!("/api/v3/users/{}/credentials/", house.acme.admin_id);
        self.made(&path, body).await;
    }

    async fn tokens(&mut self, name: &str) {
        let house = &self.house;
        let token = house.acme.service_token().named(name);
        let token = token.grant("job_viewer", &house.sales).grant_everywhere("webhooks_only");
        let (token, _) = token.grant("job_runner", &house.sales).create_with_id().await;
        let body = json!({
            "project_id": house.sales.id.get(), "name": name, "adapter_version": "postgres_v0",
            "values": { "username": name },
        });
        let path = house.acme.v3("/semantic-layer-credentials/");
        let credential = self.made(&path, body).await["id"].clone();
        let body = json!({
            "project_id": house.sales.id.get(), "service_token_id": token,
            "semantic_layer_credentials_id": credential,
        });
        let path = house.acme.v3("/semantic-layer-credential-to-service-token-mapping/");
        self.made(&path, body).await;
        self.ids.insert("service_token_id", token.to_string());
    }

    async fn webhooks(&mut self, name: &str) {
        let path = self.house.acme.v3("/webhooks/subscriptions");
        let body = json!({
            "name": name, "client_url": "http://127.0.0.1:1/", "event_types": ["job.run.errored"],
        });
        let made = self.made(&path, body).await;
        let id = made["id"].as_str().unwrap().to_owned();
        for _ in 0..2 {
            let path = self.house.acme.v3(&format!("/webhooks/subscription/{id}/test"));
            let tested = self.house.acme.admin.get(&path).await.data();
            self.ids.insert("event_id", tested["event_id"].as_str().unwrap().to_owned());
        }
        self.ids.insert("subscription_id", id);
    }

    /// The paths of all collections, with ids.
    fn collections(&self) -> Vec<String> {
        let doc = server::openapi();
        let paths = doc["paths"].as_object().unwrap();
        let is_page = |operations: &Value| {
            let content = &operations["get"]["responses"]["200"]["content"];
            let schema = &content["application/json"]["schema"];
            schema["properties"]["data"]["type"] == "array"
                && !schema["properties"]["extra"].is_null()
        };
        // Licences are one row that sums up: there is nothing to order or filter.
        let sums_up = |path: &str| path.ends_with("/licenses/");
        let pages = paths.iter().filter(|(path, operations)| is_page(operations) && !sums_up(path));
        pages.filter_map(|(path, _)| self.concrete(path)).collect()
    }

    /// A path with ids; none where the world has no such thing, which is told.
    fn concrete(&self, path: &str) -> Option<String> {
        let parts = path.split('/').map(|part| {
            match part.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => self.ids.get(name).cloned(),
                None => Some(part.to_owned()),
            }
        });
        let whole: Option<Vec<_>> = parts.collect();
        whole.map(|parts| parts.join("/"))
    }

    async fn get(&self, path: &str, query: &str) -> (u16, Value) {
        let answer = self.house.acme.admin.get(&format!("{path}?{query}")).await;
        (answer.status(), answer.json())
    }

    async fn page(&self, path: &str, query: &str) -> Value {
        let (status, page) = self.get(path, query).await;
        assert_eq!(status, 200, "{path}?{query}: {page}");
        page
    }

    /// The rows of a page, told apart by their ids.
    async fn rows(&self, path: &str, query: &str) -> Vec<Value> {
        let page = self.page(path, query).await;
        let rows = page["data"].as_array().unwrap();
        let (count, total) = counts(&page);
        assert_eq!(count, rows.len(), "{path}?{query}");
        assert!(total >= count, "{path}?{query}");
        rows.iter().map(|row| row["id"].clone()).collect()
    }

    async fn refused(&self, path: &str, query: &str, field: &str) -> String {
        let (status, answer) = self.get(path, query).await;
        assert_eq!(status, 400, "{path}?{query}: {answer}");
        let reason = answer["data"]["reasons"][field].as_str().unwrap_or_default().to_owned();
        assert_ne!(reason, "", "{path}?{query}: {answer}");
        reason
    }
}

fn counts(page: &Value) -> (usize, usize) {
    let of = |key: &str| {
        let number = page["extra"]["pagination"][key].as_u64();
        usize::try_from(number.unwrap_or_else(|| panic!("`{key}` in {}", page["extra"]))).unwrap()
    };
    (of("count"), of("total_count"))
}

fn reversed(mut rows: Vec<Value>) -> Vec<Value> {
    rows.reverse();
    rows
}

#[tokio::test]
async fn every_collection_is_cut_into_pages_alike() {
    let world = World::new().await;
    let collections = world.collections();
    println!("{} collections", collections.len());
    assert!(collections.len() >= 20, "{collections:#?}");
    for path in &collections {
        let whole = world.page(path, "").await;
        let rows = world.rows(path, "").await;
        let filters = &whole["extra"]["filters"];
        assert_eq!((&filters["limit"], &filters["offset"]), (&json!(100), &json!(0)), "{path}");
        // The audit log alone begins with what is new.
        let order = if path.ends_with("/audit-logs/") { "-id" } else { "id" };
        assert_eq!(whole["extra"]["order_by"], order, "{path}");
        assert_eq!(counts(&whole), (rows.len(), rows.len()), "{path}");
        let distinct: BTreeSet<_> = rows.iter().map(ToString::to_string).collect();
        assert_eq!(distinct.len(), rows.len(), "{path}");

        let mut walked = Vec::new();
        for offset in 0..rows.len() {
            let page = world.page(path, &format!("limit=1&offset={offset}")).await;
            assert_eq!(page["extra"]["filters"]["limit"], 1, "{path}");
            assert_eq!(page["extra"]["filters"]["offset"], offset, "{path}");
            assert_eq!(counts(&page), (1, rows.len()), "{path}");
            walked.push(page["data"][0]["id"].clone());
        }
        assert_eq!(walked, rows, "{path}: a walk by ones sees every row once");
        for offset in [rows.len(), rows.len() + 1, 4_000_000_000] {
            let page = world.page(path, &format!("offset={offset}")).await;
            assert_eq!((&page["data"], counts(&page)), (&json!([]), (0, rows.len())), "{path}");
        }
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=-1", "limit"),
            ("limit=x", "limit"),
            ("offset=-1", "offset"),
            ("offset=x", "offset"),
            ("state=9", "state"),
            ("created_at__range=[\"then\",\"now\"]", "created_at__range"),
            ("created_at__range=[\"2026-01-01T00:00:00Z\"]", "created_at__range"),
        ] {
            world.refused(path, query, field).await;
        }
        // Empty parameters count as absent, unknown ones say nothing.
        let empty = "limit=&offset=&order_by=&state=&include_related=&name__icontains=";
        assert_eq!(world.page(path, empty).await["data"], whole["data"], "{path}");
        assert_eq!(world.rows(path, "account_id_of_nobody=5&x__in=[1]").await, rows, "{path}");
    }
}

#[tokio::test]
async fn every_collection_is_ordered_alike() {
    let world = World::new().await;
    for path in &world.collections() {
        let rows = world.rows(path, "order_by=id").await;
        let backwards = world.page(path, "order_by=-id").await;
        assert_eq!(backwards["extra"]["order_by"], "-id", "{path}");
        assert_eq!(world.rows(path, "order_by=-id").await, reversed(rows.clone()), "{path}");
        for unknown in ["nonsense", "-nonsense", "id;", "id,name"] {
            let query = format!("order_by={unknown}");
            let reason = world.refused(path, &query, "order_by").await;
            // Each field that is named can be ordered by; ties go by id, so that both directions
            // are each other backwards.
            for field in reason.split('`').skip(1).step_by(2) {
                let up = world.rows(path, &format!("order_by={field}")).await;
                let down = world.rows(path, &format!("order_by=-{field}")).await;
                assert_eq!(up, reversed(down), "{path}: {field}");
                assert_eq!(up.len(), rows.len(), "{path}: {field}");
            }
        }
    }
}

#[tokio::test]
async fn every_collection_is_filtered_alike() {
    let world = World::new().await;
    for path in &world.collections() {
        let whole = world.page(path, "").await;
        let (rows, data) = (world.rows(path, "").await, whole["data"].as_array().unwrap());
        assert!(world.rows(path, "state=all").await.len() >= rows.len(), "{path}");
        for state in ["state=1", "state=active"] {
            assert!(world.rows(path, state).await.len() <= rows.len(), "{path}?{state}");
        }
        world.rows(path, "state=2").await;
        let (Some(first), Some(last)) = (data.first(), data.last()) else { continue };
        if let (Some(a), Some(b)) = (first["id"].as_i64(), last["id"].as_i64()) {
            let two: Vec<_> = BTreeSet::from([a, b]).into_iter().map(|id| json!(id)).collect();
            for list in [format!("[{a},{b}]"), format!("{a},{b}"), format!("[\"{a}\", \"{b}\"]")] {
                assert_eq!(world.rows(path, &format!("pk__in={list}")).await, two, "{path}");
            }
            assert_eq!(world.rows(path, &format!("pk__in={a}&pk__in={b}")).await, two, "{path}");
            assert_eq!(world.rows(path, &format!("pk={a}")).await, [json!(a)], "{path}");
            assert_eq!(world.rows(path, "pk__in=[999999]").await, [Value::Null; 0], "{path}");
        }
        if let Some(at) = first["created_at"].as_str() {
            let at = at.replace('+', "%2B");
            let range = format!("created_at__range=[\"{at}\",\"{at}\"]");
            let ranged = world.rows(path, &range).await;
            assert!(ranged.contains(&first["id"]), "{path}?{range}");
            let none = "created_at__range=[\"1999-01-01T00:00:00Z\",\"1999-01-02 00:00:00\"]";
            assert_eq!(world.rows(path, none).await, [Value::Null; 0], "{path}");
        }
        // A name that is made of something else is no field.
        let reason = world.refused(path, "order_by=nonsense", "order_by").await;
        if let (Some(name), true) = (first["name"].as_str(), reason.contains("`name`")) {
            let upper = name.to_uppercase().replace(' ', "%20");
            let found = world.rows(path, &format!("name__icontains={upper}")).await;
            assert!(found.contains(&first["id"]), "{path}: {name}");
            assert_eq!(
                world.rows(path, "name__icontains=zzz_zzz").await,
                [Value::Null; 0],
                "{path}"
            );
        }
    }
}

const RELATED: &str = "account,connection,connections,credentials,custom_environment_variables,\
    debug_logs,environment,environments,group_permissions,groups,job,jobs,most_recent_completed_run,\
    most_recent_run,permission_grants,project,repository,run_retries,run_steps,\
    service_token_permissions,trigger,user,audit";

#[tokio::test]
async fn every_collection_takes_five_spellings_and_few_statements() {
    let world = World::new().await;
    let names: Vec<&str> = RELATED.split(',').collect();
    let quoted = |quote: char| {
        let names = names.iter().map(|name| format!("{quote}{name}{quote}"));
        format!("include_related=[{}]", names.collect::<Vec<_>>().join(", "))
    };
    let repeated = names.iter().map(|name| format!("include_related={name}"));
    let spellings = [
        format!("include_related={RELATED}"),
        repeated.collect::<Vec<_>>().join("&"),
        quoted('"'),
        quoted('\''),
        format!("include_related=[{RELATED}]"),
    ];
    for path in &world.collections() {
        let bare = world.page(path, "").await;
        let whole = world.page(path, &spellings[0]).await;
        for spelling in &spellings {
            assert_eq!(
                world.page(path, spelling).await["data"],
                whole["data"],
                "{path}?{spelling}"
            );
        }
        // The same keys, whatever is asked for.
        for (bare, whole) in
            bare["data"].as_array().unwrap().iter().zip(whole["data"].as_array().unwrap())
        {
            let keys = |row: &Value| row.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(bare), keys(whole), "{path}");
        }
        let statements = world.house.statements_of(&format!("{path}?{}", spellings[0])).await;
        println!("{statements} statements: {path}");
        assert!(statements <= 12, "{path}: {statements}");
    }
}
