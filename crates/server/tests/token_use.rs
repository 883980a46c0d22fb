//! What a service token is used for is counted, and it can be narrowed to that. SECURITY lines 7, 18,
//! 22, 41 and 43.
#![expect(clippy::unwrap_used, reason = "what fails here is a failed test")]

mod common;

use common::everything::{everything, names, reads};
use domain::authz::{Access, Level, License, catalogue};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{TestAccount, TestAnswer, TestApp, TestClient};

const DAY: i64 = 86_400;

struct House {
    app: TestApp,
    acme: TestAccount,
    id: i64,
    token: TestClient,
    /// Reads what is told; an admin's own token would end in between.
    reader: TestClient,
}

async fn house(set: &str) -> House {
    house_after(set, 0).await
}

/// One that is made when the clock stands so many seconds later, or earlier.
async fn house_after(set: &str, seconds: i64) -> House {
    let app = TestApp::new().await;
    app.clock.set(app.clock.now().plus_seconds(seconds));
    let acme = app.account("acme").await;
    let (id, token) = acme.service_token().grant_everywhere(set).create_with_id().await;
    let reader = acme.service_token().grant_everywhere("account_viewer").create().await;
    House { app, acme, id, token, reader }
}

impl House {
    fn path(&self, rest: &str) -> String {
        self.acme.v3(&format!("/service-tokens/{}/{rest}", self.id))
    }

    async fn told(&self, rest: &str) -> Value {
        let answer = self.reader.get(&self.path(rest)).await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        answer.data()
    }

    fn wait(&self, seconds: i64) {
        self.app.clock.set(self.app.clock.now().plus_seconds(seconds));
    }

    async fn job(&self, project: &testkit::TestProject) -> i64 {
        let environment = json!({ "name": "production", "type": "deployment",
            "deployment_type": "production" });
        let environment =
            self.acme.admin.post(&project.v3("/environments/"), environment).await.id();
        let job = json!({ "name": "nightly", "project_id": project.id.get(),
            "environment_id": environment, "execute_steps": ["dbt build"] });
        self.acme.admin.post(&self.acme.v2("/jobs/"), job).await.id()
    }

    async fn apply(&self, proposal: &Value) -> TestAnswer {
        let body = json!({ "proposal_id": proposal["proposal_id"] });
        self.acme.admin.post(&self.path("least-privilege/"), body).await
    }
}

/// The actions of an answer, as `write runs in project 1, production: 2 on 1`.
fn actions(told: &Value) -> Vec<String> {
    let said = |it: &Value| {
        let place = match (&it["project_id"], &it["environment_category"]) {
            (Value::Null, _) => it["reach"].as_str().unwrap().to_owned(),
            (project, Value::Null) => format!("project {project}"),
            (project, category) => format!("project {project}, {}", category.as_str().unwrap()),
        };
        let (action, resource) = (it["action"].as_str().unwrap(), it["resource"].as_str().unwrap());
        format!("{action} {resource} in {place}: {} on {}", it["allowed"], it["days"])
    };
    told["actions"].as_array().unwrap().iter().map(said).collect()
}

#[tokio::test]
async fn what_a_token_does_is_counted_by_day_action_and_place_and_what_is_refused_apart() {
    let house = house("job_admin").await;
    let sales = house.acme.project("sales").await;
    let job = house.job(&sales).await;
    let (one, run) = (format!("/jobs/{job}/"), format!("/jobs/{job}/run/"));

    house.token.get(&house.acme.v2(&one)).await;
    let ran = house.token.post(&house.acme.v2(&run), json!({ "cause": "night" })).await;
    assert_eq!(ran.status(), 200, "{}", ran.text());
    house.wait(DAY);
    house.token.get(&house.acme.v2(&one)).await;
    house.token.get(&house.acme.v2(&format!("/jobs/?project_id={}", sales.id))).await;
    house.token.get(&house.acme.v2("/environments/")).await;
    house.token.get(&house.acme.v2("/environments/999/")).await;
    let refused = house.token.get(&house.acme.v3("/service-tokens/")).await;
    assert_eq!(refused.status(), 403);
    // A question with a wrong secret is nobody's use.
    house.app.presenting("ngst_nothing").get(&house.acme.v2(&one)).await;

    let told = house.told("use/").await;
    let project = sales.id;
    assert_eq!(
        actions(&told),
        [
            // What is related to a list is read where the list is.
            "read connections in account: 1 on 1".to_owned(),
            "read data_platform_configs in everywhere: 1 on 1".to_owned(),
            "read environment_credentials in everywhere: 1 on 1".to_owned(),
            "read environments in somewhere: 1 on 1".to_owned(),
            "read environments in everywhere: 1 on 1".to_owned(),
            "read jobs in everywhere: 1 on 1".to_owned(),
            format!("read jobs in project {project}: 3 on 2"),
            "read projects in everywhere: 1 on 1".to_owned(),
            format!("read runs in project {project}: 3 on 2"),
            format!("write runs in project {project}, production: 1 on 1"),
        ]
    );
    assert_eq!(
        told["refusals"],
        json!([{ "action": "read", "resource": "service_tokens", "refused": 1,
            "last_day": "2026-11-24" }])
    );
    assert_eq!((&told["allowed"], &told["refused"]), (&json!(14), &json!(1)));
    assert_eq!((&told["days"], &told["since"]), (&json!(90), &json!("2026-08-27")));

    let today = house.told("use/?days=1").await;
    assert!(actions(&today).contains(&format!("read jobs in project {project}: 2 on 1")));
    for wrong in ["0", "401", "-1", "many"] {
        let answer = house.acme.admin.get(&house.path(&format!("use/?days={wrong}"))).await;
        assert_eq!(answer.status(), 400, "{wrong}");
        assert_eq!(answer.reason("days"), "must be a number of days from 1 to 400");
    }
}

#[tokio::test]
async fn who_used_a_token_is_told_with_a_bounded_agent_and_no_secret() {
    let house = house("job_admin").await;
    let secret = house.token.secret().to_owned();
    let jobs = house.acme.v2("/jobs/");
    let send = async |agent: &str| {
        let request = house.token.request(Method::GET, &jobs).header("User-Agent", agent);
        assert_eq!(TestAnswer::of(request).await.status(), 200);
        house.wait(60);
    };
    send("airflow\t2.9").await;
    send(&"x".repeat(1_000)).await;
    send(&format!("curl token={secret}")).await;
    send("airflow\t2.9").await;

    let told = house.told("use/").await;
    let senders = told["senders"].as_array().unwrap();
    let agents: Vec<_> = senders.iter().map(|it| it["agent"].as_str().unwrap()).collect();
    assert_eq!(agents, ["airflow2.9", "(a token)", &"x".repeat(255)]);
    assert_eq!((&senders[0]["requests"], &senders[0]["address"]), (&json!(2), &json!("127.0.0.1")));
    assert_eq!(senders[0]["first_used"], "2026-11-23T12:00:00.000000+00:00");
    assert_eq!(senders[0]["last_used"], "2026-11-23T12:03:00.000000+00:00");
    assert!(!told.to_string().contains(&secret));

    house.wait(90 * DAY);
    assert_eq!(house.told("use/").await["senders"], json!([]), "who came before is not told");
    assert_eq!(house.told("use/?days=92").await["senders"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn tokens_that_nobody_used_for_so_many_days_can_be_listed() {
    let house = house("job_admin").await;
    let (unused, _) = house.acme.service_token().create_with_id().await;
    let listed = async |query: &str| {
        house.reader.get(&house.acme.v3(&format!("/service-tokens/?{query}"))).await
    };
    assert_eq!(listed("unused_for_days=1").await.ids(), [0; 0], "they are not that old");
    house.wait(30 * DAY + 1);
    assert_eq!(listed("unused_for_days=30").await.ids(), [house.id, unused]);

    house.token.get(&house.acme.v2("/jobs/")).await;
    assert_eq!(listed("unused_for_days=30").await.ids(), [unused], "at once");
    house.wait(30 * DAY + 1);
    let both = listed("unused_for_days=30&limit=1").await;
    assert_eq!(both.ids(), [house.id]);
    assert_eq!(both.json()["extra"]["pagination"]["total_count"], 2);

    for wrong in ["unused_for_days=0", "unused_for_days=401", "unused_for_days__in=3"] {
        let answer = listed(wrong).await;
        assert_eq!(answer.status(), 400, "{wrong}: {}", answer.text());
        assert!(!answer.reason("unused_for_days").is_empty(), "{}", answer.text());
    }
}

/// So that a proposal is not kept wide by what could have been told: whoever reads an object of a
/// project has used its project, and no more.
#[tokio::test]
async fn whatever_reads_an_object_of_a_project_is_counted_there() {
    let house = house("account_admin").await;
    let all = everything(&house.app, &house.acme, "mark").await;
    let of_project = |route: &server::ServedRoute| {
        let named = names(route.path);
        let object = named.iter().any(|name| *name != "account_id" && *name != "remainder");
        let level = catalogue().resource(route.action.on).level;
        object && level == Level::Project && route.action.access == Access::Read
    };
    let (mut walked, mut elsewhere) = (0, Vec::new());
    for route in server::served_routes().into_iter().filter(reads).filter(of_project) {
        if !all.has_all(route.path) {
            continue;
        }
        let (id, token) =
            house.acme.service_token().grant_everywhere("account_admin").create_with_id().await;
        let answer = token.get(&all.own(route.path)).await;
        if answer.status() != 200 {
            continue;
        }
        walked += 1;
        let told =
            house.acme.admin.get(&house.acme.v3(&format!("/service-tokens/{id}/use/"))).await;
        for used in told.data()["actions"].as_array().unwrap() {
            let there = used["project_id"] == all.project.id.get() || used["reach"] == "account";
            if !there {
                elsewhere.push(format!("{}: {used}", route.path));
            }
        }
    }
    assert!(walked > 15, "{walked} were walked");
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
}

#[tokio::test]
async fn a_token_is_narrowed_to_what_it_does_and_given_back_what_it_had() {
    let house = house("job_admin").await;
    let (sales, hr) = (house.acme.project("sales").await, house.acme.project("hr").await);
    let (job, other) = (house.job(&sales).await, house.job(&hr).await);
    let run = house.acme.v2(&format!("/jobs/{job}/run/"));
    let other = house.acme.v2(&format!("/jobs/{other}/"));
    house.token.post(&run, json!({ "cause": "night" })).await;

    let proposal = house.told("least-privilege/").await;
    assert_eq!(
        proposal["proposed_grants"],
        json!([{ "permission_set": "job_runner", "project_id": sales.id.get(),
            "writable_environment_categories": [] }])
    );
    assert_eq!((&proposal["failing"], &proposal["is_smallest"]), (&json!([]), &json!(true)));
    assert_eq!((&proposal["replayed"], &proposal["is_narrow"]), (&json!(1), &json!(false)));
    let lost = proposal["rights_lost"].as_array().unwrap();
    let right = |action: &str, resource: &str| {
        lost.iter().find(|it| it["action"] == action && it["resource"] == resource)
    };
    assert_eq!(
        *right("write", "runs").unwrap(),
        json!({ "action": "write", "resource": "runs",
            "before": { "all_projects": ["all"], "projects": [] },
            "after": { "all_projects": [], "projects": [
                { "project_id": sales.id.get(), "environment_categories": ["all"] }] } })
    );
    assert!(right("write", "environments").is_some() && right("read", "identity").is_none());

    assert_eq!(house.token.get(&other).await.status(), 200, "as long as it is wide");
    let late = house.apply(&proposal).await;
    assert_eq!(late.status(), 409, "it has used more since: {}", late.text());
    house.wait(2 * DAY);
    let days = "least-privilege/?days=1";
    house.token.post(&run, json!({ "cause": "night" })).await;
    let proposal = house.told(days).await;
    let body = json!({ "proposal_id": proposal["proposal_id"], "days": 1 });
    let applied = house.acme.admin.post(&house.path("least-privilege/"), body.clone()).await;
    assert_eq!(applied.status(), 200, "{}", applied.text());
    assert_eq!(applied.data()["permission_grants"], proposal["proposed_grants"]);

    assert_eq!(house.token.post(&run, json!({ "cause": "night" })).await.status(), 200);
    assert_eq!(house.token.get(&other).await.status(), 404);
    let narrow = house.told(days).await;
    assert_eq!(narrow["is_narrow"], true);
    assert_eq!(narrow["undoable_since"], "2026-11-25T12:00:00.000000+00:00");
    let again = house.acme.admin.post(&house.path("least-privilege/"), body).await;
    assert_eq!(again.status(), 409, "the token is another: {}", again.text());

    let undo = house.path("least-privilege/undo/");
    let undone = house.acme.admin.post(&undo, json!({})).await;
    assert_eq!(undone.status(), 200, "{}", undone.text());
    assert_eq!(undone.data()["permission_grants"], proposal["current_grants"]);
    assert_eq!(house.token.get(&other).await.status(), 200);
    let twice = house.acme.admin.post(&undo, json!({})).await;
    assert_eq!(twice.status(), 409, "{}", twice.text());
}

#[tokio::test]
async fn nothing_is_given_back_once_something_else_has_changed() {
    let house = house("job_admin").await;
    let undo = house.path("least-privilege/undo/");
    let applied = house.apply(&house.told("least-privilege/").await).await;
    assert_eq!(applied.data()["permission_grants"], json!([]), "{}", applied.text());
    let rows = json!([{ "permission_set": "metadata_only", "all_projects": true }]);
    let changed = house.acme.admin.post(&house.path("permissions/"), rows).await;
    assert_eq!(changed.status(), 200, "{}", changed.text());

    let late = house.acme.admin.post(&undo, json!({})).await;
    assert_eq!(late.status(), 409, "{}", late.text());
    assert!(late.text().contains("has changed since"), "{}", late.text());
    let proposal = house.told("least-privilege/").await;
    assert_eq!(proposal["undoable_since"], Value::Null);
}

/// SECURITY, line 18: what is given back, and what a narrower grant leaves, is within what the
/// caller holds, whoever narrowed it.
#[tokio::test]
async fn nobody_gives_a_token_more_than_they_hold_by_narrowing_or_undoing() {
    let house = house("account_admin").await;
    let sales = house.acme.project("sales").await;
    house.job(&sales).await;
    house.token.get(&house.acme.v2("/jobs/")).await;
    // Writes tokens, and holds no job.
    let license = License::Developer;
    let (_, viewer) = house.acme.user("eve@acme.example", license, &["account_viewer"]).await;
    let proposal = house.told("least-privilege/").await;
    let body = json!({ "proposal_id": proposal["proposal_id"] });
    let denied = viewer.post(&house.path("least-privilege/"), body.clone()).await;
    assert_eq!(denied.status(), 403, "{}", denied.text());

    // Writes tokens, and may grant nothing of what there was.
    let minter = house.acme.service_token().grant_everywhere("account_admin");
    let (minter_id, minter) = minter.create_with_id().await;
    let held = house.acme.v3(&format!("/service-tokens/{minter_id}/restrictions/"));
    let restricted = house.acme.admin.post(&house.path("least-privilege/"), body).await;
    assert_eq!(restricted.status(), 200, "{}", restricted.text());
    let undo = house.path("least-privilege/undo/");
    let rate = json!({ "addresses": ["127.0.0.0/8", "::1/128"] });
    assert_eq!(house.acme.admin.post(&held, rate).await.status(), 200);
    let looser = minter.post(&undo, json!({})).await;
    assert_eq!(looser.status(), 403, "who is restricted frees nobody: {}", looser.text());
    let undone = house.acme.admin.post(&undo, json!({})).await;
    assert_eq!(undone.status(), 200, "{}", undone.text());

    let policy = house.acme.v3("/service-token-policy/");
    let proposal = house.told("least-privilege/").await;
    assert_eq!(house.apply(&proposal).await.status(), 200);
    let refused = json!({ "not_granted": ["account_admin"] });
    assert_eq!(house.acme.admin.post(&policy, refused).await.status(), 200);
    let undone = house.acme.admin.post(&undo, json!({})).await;
    assert_eq!(undone.status(), 400, "the policy has changed: {}", undone.text());
}

#[tokio::test]
async fn what_was_counted_is_forgotten_after_the_days_that_it_is_kept() {
    // The next server's clock stands where this one's stood at first.
    let house = house_after("job_admin", -100 * DAY).await;
    house.token.get(&house.acme.v2("/jobs/999/")).await;
    house.wait(50 * DAY);
    house.token.get(&house.acme.v2("/environments/999/")).await;
    house.wait(50 * DAY);
    let both = house.told("use/?days=400").await;
    assert_eq!(actions(&both).len(), 2);

    let House { app, acme, id, reader, .. } = house;
    let days = domain::token_use::Days::USUAL;
    let app = app.restart_with(|config| config.keep_token_uses = days).await;
    let admin = app.presenting(reader.secret());
    let path = acme.v3(&format!("/service-tokens/{id}/use/?days=400"));
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let told = admin.get(&path).await.data();
        if actions(&told) == ["read environments in somewhere: 1 on 1"] {
            break;
        }
        assert!(tokio::time::Instant::now() < end, "it stays: {told}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
