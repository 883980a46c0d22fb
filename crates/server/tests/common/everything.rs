//! One of everything, with names that hold a mark: what the walks over all routes go by.

use domain::{
    authz::{Permit, Runs, SystemTask, Write, authorize},
    run::Outcome,
};
use reqwest::Method;
use serde_json::{Value, json};
use server::ServedRoute;
use testkit::{TestAccount, TestApp, TestProject};

/// One of everything in one project of an account.
pub(crate) struct Everything<'a> {
    pub(crate) account: &'a TestAccount,
    pub(crate) project: TestProject,
    /// By the names that paths have for them.
    ids: Vec<(&'static str, i64)>,
}

/// Makes it, with names that hold `mark`.
pub(crate) async fn everything<'a>(
    app: &TestApp,
    account: &'a TestAccount,
    mark: &str,
) -> Everything<'a> {
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
    let hook = project.v3(&format!("/repositories/{repository}/webhook/"));
    assert_eq!(account.admin.post(&hook, json!({})).await.status(), 201);
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
    let of_project = json!({
        "name": format!("{mark}-own-connection"), "type": "adapter",
        "adapter_version": "duckdb_v0", "details": { "path": format!("{mark}.duckdb") },
    });
    let of_project = post(project.v3("/connections/"), of_project).await;
    let adapter = json!({ "adapter_version": "postgres_v0", "metadata_json": { "note": mark } });
    let adapter = post(project.v3("/adapters/"), adapter).await;
    let own = json!({ "project_id": project.id.get(), "credentials_id": credential });
    let own = post(format!("/api/v3/users/{}/credentials/", account.admin_id), own).await;
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
    let cause = json!({ "cause": format!("{mark}-cause") });
    let run = post(account.v2(&format!("/jobs/{job}/run/")), cause).await;
    let step = executed(app, account, run, mark).await;
    let shown = json!({ "docs_job_id": job, "freshness_job_id": job });
    post(project.v3("/"), shown).await;
    let (token, _) = account
        .service_token()
        .named(&format!("{mark}-token"))
        .grant("job_admin", &project)
        .create_with_id()
        .await;
    let proposal = proposed(account, token).await;
    let keys = account.v3(&format!("/users/{}/account-apikeys/", account.admin_id));
    let personal = post(keys, json!({ "name": format!("{mark}-key") })).await;
    let oauth = json!({ "type": format!("{mark}-provider"), "client_secret": "secret" });
    let oauth = post(account.v3("/oauth-configurations/"), oauth).await;
    let rule = json!({
        "name": format!("{mark}-rule"), "type": 2, "cidrs": [{ "cidr": "203.0.113.9" }],
    });
    let rule = post(account.v3("/ip-restrictions/"), rule).await;
    let ids = vec![
        ("account_id", account.id.get()),
        ("project_id", project.id.get()),
        ("repository_id", repository),
        ("connection_id", connection),
        ("project_connection_id", of_project),
        ("adapter_id", adapter),
        ("user_credential_id", own),
        ("credential_id", credential),
        ("environment_id", environment),
        ("job_id", job),
        ("run_id", run),
        ("step_id", step),
        ("service_token_id", token),
        ("service_token_proposal_id", proposal),
        ("personal_token_id", personal),
        ("oauth_configuration_id", oauth),
        ("ip_restriction_id", rule),
        ("validate_id", rule),
        ("ip_restrictions_set_id", account.id.get()),
        ("user_id", account.admin_id.get()),
    ];
    Everything { account, project, ids }
}

/// Proposes to let the token do more, as an account does that asks for it at that moment alone.
async fn proposed(account: &TestAccount, token: i64) -> i64 {
    let ask_for = async |two: bool| {
        let policy = account.v3("/service-token-policy/");
        let set = account.admin.post(&policy, json!({ "widening_is_proposed": two })).await;
        assert_eq!(set.status(), 200, "{}", set.text());
    };
    ask_for(true).await;
    let more = json!([{ "permission_set": "job_admin", "all_projects": true }]);
    let permissions = account.v3(&format!("/service-tokens/{token}/permissions/"));
    let proposed = account.admin.post(&permissions, more).await;
    assert_eq!(proposed.status(), 202, "{}", proposed.text());
    ask_for(false).await;
    proposed.id()
}

/// Does the run as the runner would: one step, its log, its artifact. Gives the step's id.
async fn executed(app: &TestApp, account: &TestAccount, run: i64, mark: &str) -> i64 {
    let runner = app.system(SystemTask::Runner, account.id).await;
    let permit: Permit<Write, Runs> = authorize(&runner, account.id).unwrap();
    let store = &app.store;
    let claimed = store.claim_run(&permit, &super::worker()).await.unwrap();
    let lease = claimed.expect("a run is queued").lease;
    assert_eq!(lease.run.get(), run);
    let steps = store.plan_steps(&permit, &lease, &[format!("{mark}-step")]).await.unwrap();
    let step = steps.first().expect("one step").id;
    store.start_run(&permit, &lease).await.unwrap();
    store.begin_step(&permit, &lease, step).await.unwrap();
    store.append_log(&permit, &lease, step, &format!("{mark}-log")).await.unwrap();
    store.append_debug_log(&permit, &lease, step, &format!("{mark}-debug")).await.unwrap();
    let artifact = format!("{{\"mark\":\"{mark}\"}}");
    let page = format!("<html>{mark}</html>");
    let sources = r#"{"metadata":{},"results":[]}"#.to_owned();
    for (path, text) in [
        ("manifest.json", artifact),
        ("catalog.json", "{}".to_owned()),
        ("static_index.html", page),
        ("sources.json", sources),
    ] {
        store.put_artifact(&permit, &lease, 1, path, text.as_bytes()).await.unwrap();
    }
    store.finish_step(&permit, &lease, step, Outcome::Success).await.unwrap();
    store.finish_run(&permit, &lease, Outcome::Success, "").await.unwrap();
    step.get()
}

impl Everything<'_> {
    /// The id of what paths call by this name; of a noun that is not made here, one that nothing
    /// has.
    pub(crate) fn id(&self, name: &str) -> i64 {
        self.find(name).unwrap_or(999_999_999)
    }

    fn find(&self, name: &str) -> Option<i64> {
        self.ids.iter().find(|(key, _)| *key == name).map(|(_, id)| *id)
    }

    /// The route's path with these ids, and with those of `other` where a name is `foreign`.
    pub(crate) fn path(&self, path: &str, other: &Self, foreign: &[&str]) -> String {
        let part = |part: &str| match name(part) {
            None => part.to_owned(),
            Some("remainder") => "manifest.json".to_owned(),
            Some(name) if foreign.contains(&name) => other.id(name).to_string(),
            Some(name) => self.id(name).to_string(),
        };
        path.split('/').map(part).collect::<Vec<_>>().join("/")
    }

    /// The route's path with these ids.
    pub(crate) fn own(&self, path: &str) -> String {
        self.path(path, self, &[])
    }

    /// Whether all that the path names is made here.
    pub(crate) fn has_all(&self, path: &str) -> bool {
        names(path).iter().all(|name| *name == "remainder" || self.find(name).is_some())
    }

    /// What every `GET` says of it whose path names one of `nouns`: path → answer.
    pub(crate) async fn told(&self, app: &TestApp, nouns: &[&str]) -> Vec<(String, Value)> {
        // Otherwise a time that is written down in between would look like a change.
        app.store.flush_last_used().await.unwrap();
        let mut told = Vec::new();
        for route in server::served_routes().into_iter().filter(reads) {
            if !names(route.path).iter().any(|name| nouns.contains(name)) {
                continue;
            }
            let path = self.own(route.path);
            let answer = self.account.admin.get(&path).await;
            told.push((path, serde_json::from_slice(answer.bytes()).unwrap_or_default()));
        }
        told
    }

    /// Asserts that nothing in `told` names, by a key such as `job_id`, what is `other`'s.
    pub(crate) fn nothing_names(&self, told: &[(String, Value)], other: &Self) {
        for (path, value) in told {
            walk(value, &mut |key, id| {
                let key = key.replace("credentials_id", "credential_id");
                let key = key.replace("job_definition_id", "job_id");
                let noun = self.ids.iter().find(|(name, _)| key.ends_with(name));
                let foreign = noun.map(|(name, _)| (other.id(name), self.id(name)));
                if let Some((theirs, ours)) = foreign {
                    assert!(id == ours || id != theirs, "{path} names `{key}` {id} of the other");
                }
            });
        }
    }
}

/// Whether a route only reads. `GET …/cancel` cancels.
pub(crate) fn reads(route: &ServedRoute) -> bool {
    route.method == Method::GET && !route.path.ends_with("/cancel")
}

/// The names of a path's parameters.
pub(crate) fn names(path: &str) -> Vec<&str> {
    path.split('/').filter_map(name).collect()
}

fn name(part: &str) -> Option<&str> {
    Some(part.strip_prefix('{')?.strip_suffix('}')?.trim_start_matches('*'))
}

fn walk(value: &Value, see: &mut impl FnMut(&str, i64)) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if let Some(id) = value.as_i64().filter(|_| key.ends_with("_id")) {
                    see(key, id);
                }
                walk(value, see);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| walk(value, see)),
        _ => {}
    }
}
