//! Two accounts side by side: nothing of one shows in the other. SECURITY line 16.
//!
//! Both have one of everything. Every route is asked under one account with the ids of the other,
//! in paths and in bodies, and no answer may hold a word that only the other account has.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{TestAccount, TestAnswer, TestApp};

/// One of everything, with names that hold `mark`.
struct Everything {
    account: TestAccount,
    ids: Vec<(&'static str, i64)>,
}

async fn everything(app: &TestApp, mark: &str) -> Everything {
    let account = app.account(mark).await;
    let project = account.project(&format!("{mark}-project")).await;
    let post = async |path: String, body: Value| -> i64 {
        let answer = account.admin.post(&path, body).await;
        assert!(answer.status() < 300, "{path}: {}", answer.text());
        answer.id()
    };
    let repository = post(
        project.v3("/repositories/"),
        json!({ "remote_url": format!("https://git.example/{mark}.git") }),
    )
    .await;
    let connection = post(
        account.v3("/connections/"),
        json!({
            "name": format!("{mark}-connection"), "adapter_version": "duckdb_v0",
            "config": { "path": format!("{mark}.duckdb") },
        }),
    )
    .await;
    let credential = post(
        project.v3("/credentials/"),
        json!({
            "type": "postgres", "default_schema": format!("{mark}_schema"), "username": mark,
            "password": "secret", "target_name": "default", "threads": 4,
        }),
    )
    .await;
    let environment = post(
        project.v3("/environments/"),
        json!({
            "name": format!("{mark}-environment"), "type": "deployment",
            "connection_id": connection, "credentials_id": credential,
        }),
    )
    .await;
    let job = post(
        account.v2("/jobs/"),
        json!({
            "name": format!("{mark}-job"), "project_id": project.id.get(),
            "environment_id": environment, "execute_steps": ["dbt build"],
        }),
    )
    .await;
    let run =
        post(account.v2(&format!("/jobs/{job}/run/")), json!({ "cause": format!("{mark}-cause") }))
            .await;
    let (token, _) = account
        .service_token()
        .named(&format!("{mark}-token"))
        .grant("job_admin", &project)
        .create_with_id()
        .await;
    let keys = account.v3(&format!("/users/{}/account-apikeys/", account.admin_id));
    let personal = post(keys, json!({ "name": format!("{mark}-key") })).await;
    let ids = vec![
        ("account_id", account.id.get()),
        ("project_id", project.id.get()),
        ("repository_id", repository),
        ("connection_id", connection),
        ("credential_id", credential),
        ("environment_id", environment),
        ("job_id", job),
        ("run_id", run),
        ("step_id", 1),
        ("service_token_id", token),
        ("personal_token_id", personal),
        ("user_id", account.admin_id.get()),
    ];
    Everything { account, ids }
}

impl Everything {
    fn id(&self, name: &str) -> i64 {
        self.ids.iter().find(|(key, _)| *key == name).map_or(1, |(_, id)| *id)
    }
}

#[tokio::test]
async fn no_id_of_another_account_opens_anything() {
    let app = TestApp::new().await;
    let ours = everything(&app, "ours").await;
    let theirs = everything(&app, "theirs").await;
    let mut asked = 0;
    for route in server::served_routes() {
        let parameters: Vec<_> =
            route.path.split('/').filter(|part| part.starts_with('{')).collect();
        // Each parameter but the account in turn, and all of them at once, is the other's.
        let foreign: Vec<Vec<&str>> = parameters
            .iter()
            .filter(|parameter| **parameter != "{account_id}")
            .map(|parameter| vec![*parameter])
            .chain([parameters.iter().copied().filter(|p| *p != "{account_id}").collect()])
            .collect();
        for foreign in foreign {
            let path: Vec<_> = route
                .path
                .split('/')
                .map(|part| {
                    let name = part.trim_start_matches(['{', '*']).trim_end_matches('}');
                    match part {
                        "{*remainder}" => "manifest.json".to_owned(),
                        _ if foreign.contains(&part) => theirs.id(name).to_string(),
                        _ if part.starts_with('{') => ours.id(name).to_string(),
                        _ => part.to_owned(),
                    }
                })
                .collect();
            let path = path.join("/");
            let body = foreign_body(&theirs, &ours);
            let request = ours.account.admin.request(route.method.clone(), &path);
            let request = if route.method == Method::GET { request } else { request.json(&body) };
            let answer = TestAnswer::of(request).await;
            asked += 1;
            let (method, text) = (&route.method, answer.text());
            assert!(!text.contains("theirs"), "{method} {path}: {text}");
            assert!(answer.status() < 500 || answer.status() == 501, "{method} {path}: {text}");
            let foreign_ids = foreign.iter().any(|part| !part.starts_with("{*"));
            // A step's id of the other account may be nobody's: all that counts is that it is not shown.
            let changes = foreign_ids && route.method != Method::GET;
            assert!(!changes || answer.status() >= 300, "{method} {path}: {text}");
        }
    }
    assert!(asked > 60, "{asked}");
    // Nothing of the other account has changed.
    let jobs = theirs.account.admin.get(&theirs.account.v2("/jobs/")).await;
    assert_eq!(jobs.ids(), [theirs.id("job_id")]);
}

/// A body that names the other account's objects wherever a body can name one.
fn foreign_body(theirs: &Everything, ours: &Everything) -> Value {
    json!({
        "name": "ours-again", "cause": "ours", "state": 1, "type": "deployment",
        "project_id": theirs.id("project_id"), "environment_id": theirs.id("environment_id"),
        "connection_id": theirs.id("connection_id"), "repository_id": theirs.id("repository_id"),
        "credentials_id": theirs.id("credential_id"),
        "deferring_environment_id": theirs.id("environment_id"),
        "deferring_job_definition_id": theirs.id("job_id"),
        "docs_job_id": theirs.id("job_id"), "freshness_job_id": theirs.id("job_id"),
        "service_token_id": theirs.id("service_token_id"), "resource": "jobs", "action": "read",
        "remote_url": "https://git.example/ours.git", "account_id": ours.id("account_id"),
        "permission_grants": [
            { "permission_set": "job_admin", "project_id": theirs.id("project_id") },
        ],
    })
}

#[tokio::test]
async fn lists_show_one_account_only() {
    let app = TestApp::new().await;
    let ours = everything(&app, "ours").await;
    let theirs = everything(&app, "theirs").await;
    let related = "include_related=project,environment,environments,repository,connection,job,run_steps,\
                   trigger,most_recent_run,service_token_permissions,credentials,account";
    for route in server::served_routes() {
        if route.method != Method::GET || route.path.contains("remainder") {
            continue;
        }
        let path: Vec<_> = route
            .path
            .split('/')
            .map(|part| match part.strip_prefix('{') {
                Some(name) => ours.id(name.trim_end_matches('}')).to_string(),
                None => part.to_owned(),
            })
            .collect();
        for query in
            [related, "state=all&limit=100", &format!("project_id={}", theirs.id("project_id"))]
        {
            let answer = ours.account.admin.get(&format!("{}?{query}", path.join("/"))).await;
            assert!(!answer.text().contains("theirs"), "{}: {}", route.path, answer.text());
        }
    }
}
