//! Deploy keys and managed repositories over the API (contract, sections 6 and 13).

use std::process::Command;

use serde_json::{Value, json};
use testkit::{TestAccount, TestApp, TestProject};

async fn acme() -> (TestApp, TestAccount, TestProject) {
    let app = TestApp::new().await;
    let acme = app.account("acme").await;
    let sales = acme.project("sales").await;
    (app, acme, sales)
}

#[tokio::test]
async fn a_repository_that_is_cloned_by_ssh_has_a_key_pair_of_its_own() {
    let (app, acme, sales) = acme().await;
    let path = sales.v3("/repositories/");
    let mut keys = Vec::new();
    for remote in ["git@git.example:acme/shop.git", "ssh://git@git.example/acme/shop.git"] {
        let made = acme.admin.post(&path, json!({ "remote_url": remote })).await;
        assert_eq!(made.status(), 201, "{}", made.text());
        let data = made.data();
        let key = data["deploy_key"]["public_key"].as_str().unwrap().to_owned();
        assert!(key.starts_with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"), "{key}");
        assert_eq!(data["deploy_key_id"], data["deploy_key"]["id"]);
        let one = sales.v3(&format!("/repositories/{}/", made.id()));
        assert_eq!(acme.admin.get(&one).await.data(), data);
        let echoed = acme.admin.post(&one, data.clone()).await;
        assert_eq!(echoed.data()["deploy_key"], data["deploy_key"], "{}", echoed.text());
        assert!(!echoed.text().contains("PRIVATE KEY"));
        keys.push(key);
    }
    assert_ne!(keys[0], keys[1]);
    let other = acme.admin.post(&path, json!({ "remote_url": "https://git.example/a/b" })).await;
    assert_eq!(other.data()["deploy_key"], Value::Null);
    let one = sales.v3(&format!("/repositories/{}/", other.id()));
    let moved = acme.admin.post(&one, json!({ "remote_url": "git@git.example:a/b" })).await;
    assert!(moved.data()["deploy_key"].is_object(), "{}", moved.text());
    for entry in std::fs::read_dir(app.folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(11).any(|window| window == b"PRIVATE KEY");
            assert!(!found, "{}", path.display());
        }
    }
}

#[tokio::test]
async fn repositories_are_found_by_the_name_at_the_end_of_their_address() {
    let (_app, acme, sales) = acme().await;
    let path = sales.v3("/repositories/");
    for (remote, name) in [
        ("https://git.example/acme/Shop.git", "Shop"),
        ("https://git.example:8443/acme/deep/stock/", "stock"),
        ("git@git.example:acme/pay.git", "pay"),
        ("git@git.example:alone.git", "alone"),
        ("ssh://git@git.example/acme/a_b.git.git", "a_b.git"),
    ] {
        let made = acme.admin.post(&path, json!({ "remote_url": remote })).await;
        assert_eq!(made.data()["name"], name, "{}", made.text());
        for query in [format!("name={name}"), format!("name__icontains={}", name.to_uppercase())] {
            for path in [&path, &acme.v2("/repositories/")] {
                let found = acme.admin.get(&format!("{path}?{query}")).await;
                assert_eq!(found.ids(), [made.id()], "{path}?{query}");
            }
        }
    }
    let none = acme.admin.get(&format!("{path}?name__icontains=acme")).await;
    assert_eq!(none.ids(), [0_i64; 0], "the owner is no part of the name");
    let by_name = acme.admin.get(&format!("{path}?order_by=-name")).await.data();
    assert_eq!((&by_name[0]["name"], &by_name[4]["name"]), (&json!("stock"), &json!("Shop")));
}

#[tokio::test]
async fn a_token_for_git_is_sealed_told_nowhere_and_stays_with_its_host() {
    let (app, acme, sales) = acme().await;
    let path = sales.v3("/repositories/");
    let token = "glpat-Kx7Lw2Qz9";
    let body = json!({ "remote_url": "https://git.example/acme/shop.git", "git_token": token });
    let made = acme.admin.post(&path, body.clone()).await;
    assert_eq!((made.status(), &made.data()["has_git_token"]), (201, &json!(true)));
    let one = sales.v3(&format!("/repositories/{}/", made.id()));
    let post = async |body: Value| acme.admin.post(&one, body).await;
    let echoed = post(made.data()).await;
    assert_eq!(echoed.data()["has_git_token"], true, "an echo keeps it: {}", echoed.text());
    for (remote, stays) in [
        ("https://ada@git.example/acme/stock.git", true),
        ("https://git.example:8443/acme/stock.git", false),
        ("https://evil.example/acme/shop.git", false),
        ("git@git.example:acme/shop.git", false),
    ] {
        assert_eq!(post(body.clone()).await.data()["has_git_token"], true);
        let moved = post(json!({ "remote_url": remote })).await;
        assert_eq!(moved.data()["has_git_token"], stays, "{remote}");
    }
    assert_eq!(post(body.clone()).await.data()["has_git_token"], true);
    assert_eq!(post(json!({ "git_token": null })).await.data()["has_git_token"], false);

    for (remote, given) in [
        ("https://git.example/a/b", json!("")),
        ("https://git.example/a/b", json!("a b")),
        ("https://git.example/a/b", json!("a\nb")),
        ("https://git.example/a/b", json!("x".repeat(1025))),
        ("https://git.example/a/b", json!(7)),
        ("http://git.example/a/b", json!(token)),
        ("http://localhost.example/a/b", json!(token)),
        ("ssh://git@git.example/a/b", json!(token)),
        ("/srv/shop.git", json!(token)),
    ] {
        let bad = json!({ "remote_url": remote, "git_token": given });
        for answer in [post(bad.clone()).await, acme.admin.post(&path, bad).await] {
            assert_eq!(answer.status(), 400, "{remote} {given}: {}", answer.text());
            assert!(!answer.reason("git_token").is_empty() && !answer.text().contains(token));
        }
    }
    let v2 = json!({
        "project_id": sales.id.get(), "remote_url": "https://git.example/a/b", "git_token": token,
    });
    let v2 = acme.admin.post(&acme.v2("/repositories/"), v2).await;
    assert_eq!((v2.status(), &v2.data()["has_git_token"]), (201, &json!(true)));
    for answer in [acme.admin.get(&path).await, acme.admin.get(&one).await, v2, made] {
        assert!(!answer.text().contains(token), "{}", answer.text());
    }
    let admin = acme.admin_caller().await;
    let permit = domain::authz::authorize(&admin, acme.id).unwrap();
    let audit = format!("{:?}", app.store.audit_records(&permit, 0, 100).await.unwrap());
    assert!(audit.contains("removed") && !audit.contains(token), "{audit}");
    let viewer = acme.service_token().grant("git_admin", &sales).create().await;
    assert_eq!(viewer.post(&one, json!({ "git_token": token })).await.status(), 200);
    let viewer = acme.service_token().grant("job_viewer", &sales).create().await;
    assert_eq!(viewer.post(&one, json!({ "git_token": token })).await.status(), 403);
}

fn git(folder: &std::path::Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]);
    let ended = command.args(arguments).current_dir(folder).status();
    assert!(ended.is_ok_and(|ended| ended.success()), "git {arguments:?}");
}

#[tokio::test]
async fn a_managed_repository_takes_a_push_and_gives_its_files() {
    let (app, acme, sales) = acme().await;
    let path = sales.v3("/managed-repositories/");
    let made = acme.admin.post(&path, json!({ "name": "shop" })).await;
    assert_eq!(made.status(), 201, "{}", made.text());
    let data = made.data();
    assert_eq!((&data["remote_backend"], &data["name"]), (&json!("managed"), &json!("shop")));
    let download = sales.v3(&format!("/managed-repositories/{}/download/", made.id()));
    assert_eq!(acme.admin.get(&download).await.status(), 409, "there is no commit yet");

    let work = app.folder().join("ada");
    std::fs::create_dir(&work).unwrap();
    std::fs::write(work.join("dbt_project.yml"), "name: shop").unwrap();
    git(&work, &["init", "-q", "-b", "main"]);
    git(&work, &["add", "-A"]);
    git(&work, &["commit", "-q", "-m", "first"]);
    git(&work, &["push", "-q", data["remote_url"].as_str().unwrap(), "main"]);
    let zip = acme.admin.get(&download).await;
    assert_eq!((zip.status(), zip.header("content-type")), (200, "application/zip"));
    assert!(zip.bytes().starts_with(b"PK"));
    assert!(zip.bytes().windows(15).any(|window| window == b"dbt_project.yml"));

    let one = sales.v3(&format!("/repositories/{}/", made.id()));
    assert_eq!(acme.admin.post(&one, data.clone()).await.status(), 200, "an echo is taken");
    let moved = acme.admin.post(&one, json!({ "remote_url": "/etc" })).await;
    assert_eq!((moved.status(), moved.reason("remote_url").is_empty()), (400, false));
    let twice = acme.admin.post(&path, json!({ "name": "shop" })).await;
    assert_eq!((twice.status(), twice.reason("name").is_empty()), (400, false));
    assert_eq!(acme.admin.delete(&one).await.status(), 200);
    assert_eq!(acme.admin.get(&download).await.status(), 404);
    assert_eq!(acme.admin.post(&path, json!({ "name": "shop" })).await.status(), 201);
}

#[tokio::test]
async fn bad_names_other_projects_and_narrow_tokens_are_refused() {
    let (app, acme, sales) = acme().await;
    let path = sales.v3("/managed-repositories/");
    for name in ["", "..", "../x", "a/b", "-x", ".git", "a.git", "a.lock", "a b", "a\0b"] {
        let answer = acme.admin.post(&path, json!({ "name": name })).await;
        assert_eq!((answer.status(), answer.reason("name").is_empty()), (400, false), "{name}");
    }
    assert_eq!(acme.admin.post(&path, json!({})).await.reason("name"), "is required");
    let said = json!({ "remote_url": "/etc", "remote_backend": "managed" });
    let said = acme.admin.post(&sales.v3("/repositories/"), said).await;
    assert_eq!((said.status(), said.reason("remote_backend").is_empty()), (400, false));
    let made = acme.admin.post(&path, json!({ "name": "shop" })).await.id();
    let plain = json!({ "remote_url": "https://git.example/a/b" });
    let plain = acme.admin.post(&sales.v3("/repositories/"), plain).await.id();
    let download = |id| sales.v3(&format!("/managed-repositories/{id}/download/"));
    assert_eq!(acme.admin.get(&download(plain)).await.status(), 404);
    let hr = acme.project("hr").await;
    let rival = app.account("rival").await;
    let viewer = acme.service_token().grant("job_viewer", &sales).create().await;
    let elsewhere = acme.service_token().grant("admin", &hr).create().await;
    assert_eq!(viewer.post(&path, json!({ "name": "b" })).await.status(), 403);
    assert_eq!(elsewhere.post(&path, json!({ "name": "b" })).await.status(), 404);
    assert_eq!(rival.admin.post(&path, json!({ "name": "b" })).await.status(), 404);
    assert_eq!(app.anonymous().post(&path, json!({ "name": "b" })).await.status(), 401);
    assert_eq!(elsewhere.get(&download(made)).await.status(), 404);
    assert_eq!(app.anonymous().get(&download(made)).await.status(), 401);
    let through = hr.v3(&format!("/managed-repositories/{made}/download/"));
    assert_eq!(acme.admin.get(&through).await.status(), 404);
}
