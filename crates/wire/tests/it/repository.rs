use domain::{
    AccountId, ProjectId, RepositoryId,
    repository::{RemoteUrl, Repository as DomainRepository, RepositorySpec},
};
use insta::assert_snapshot;
use serde_json::{Value, json};
use wire::v3::{Repository, RepositoryBody};

use super::{at, body, echo, fields, pretty, reasons};

fn spec(remote: &str) -> RepositorySpec {
    RepositorySpec {
        remote: RemoteUrl::parse(remote).unwrap(),
        clone_strategy: "deploy_key".to_owned(),
        remote_backend: "manual_config".to_owned(),
    }
}

fn repository(remote: &str) -> DomainRepository {
    DomainRepository {
        id: RepositoryId::new(6).unwrap(),
        account: AccountId::new(1).unwrap(),
        project: ProjectId::new(2).unwrap(),
        spec: spec(remote),
        deploy_key: None,
        has_token: false,
        created_at: at("2026-11-23T12:00:00Z"),
        updated_at: at("2026-11-23T12:00:00Z"),
    }
}

fn create(json: &Value) -> Result<RepositorySpec, wire::Invalid> {
    body::<RepositoryBody>(json).create()
}

#[test]
fn an_answer_has_every_key() {
    let answer = Repository::from(&repository("https://git.example/acme/shop.git"));
    assert_snapshot!(pretty(&answer), @r#"
    {
      "id": 6,
      "account_id": 1,
      "project_id": 2,
      "remote_url": "https://git.example/acme/shop.git",
      "git_clone_strategy": "deploy_key",
      "remote_backend": "manual_config",
      "full_name": "acme/shop",
      "name": "shop",
      "web_url": "https://git.example/acme/shop",
      "state": 1,
      "deploy_key": null,
      "deploy_key_id": null,
      "has_git_token": false,
      "repository_credentials_id": null,
      "github_installation_id": null,
      "github_webhook_id": null,
      "github_repo": null,
      "git_provider_id": null,
      "git_provider": null,
      "gitlab": null,
      "private_link_endpoint_id": null,
      "is_private_link_enabled": false,
      "created_at": "2026-11-23T12:00:00.000000+00:00",
      "updated_at": "2026-11-23T12:00:00.000000+00:00"
    }
    "#);
}

#[test]
fn a_name_and_a_web_address_are_read_from_the_remote() {
    let seen = |remote| {
        let answer = Repository::from(&repository(remote));
        (answer.full_name, answer.name, answer.web_url)
    };
    let told = |full: &str, name: &str, web: Option<&str>| {
        (full.to_owned(), name.to_owned(), web.map(str::to_owned))
    };
    let web = Some("https://git.example/acme/shop");
    assert_eq!(seen("https://ada@git.example/acme/shop.git"), told("acme/shop", "shop", web));
    assert_eq!(seen("git@git.example:acme/shop.git"), told("acme/shop", "shop", None));
    assert_eq!(seen("ssh://git@git.example/acme/shop"), told("acme/shop", "shop", None));
    assert_eq!(seen("file:///srv/git/shop"), told("git/shop", "shop", None));
    assert_eq!(seen("/srv/shop/"), told("srv/shop", "shop", None));
}

#[test]
fn a_whole_object_that_is_echoed_changes_nothing() {
    let remote = "/srv/shop";
    let echo = echo(&Repository::from(&repository(remote)));
    assert_eq!(body::<RepositoryBody>(&echo).apply(spec(remote)).unwrap(), spec(remote));
}

#[test]
fn strategies_of_the_documents_and_of_terraform_are_taken() {
    for strategy in [
        "azure_active_directory_app",
        "deploy_key",
        "deploy_token",
        "git_clone",
        "git_token",
        "github_app",
    ] {
        let made = create(&json!({ "remote_url": "/a/b", "git_clone_strategy": strategy }));
        assert_eq!(made.unwrap().clone_strategy, strategy);
    }
    assert_eq!(create(&json!({ "remote_url": "/a/b" })).unwrap(), spec("/a/b"));
}

#[test]
fn every_wrong_field_is_named_at_once() {
    let refused = reasons(create(&json!({
        "git_clone_strategy": "carrier_pigeon", "remote_backend": "attic", "state": 9,
        "github_installation_id": 7, "private_link_endpoint_id": "ple",
    })));
    assert_snapshot!(pretty(&refused), @r#"
    {
      "git_clone_strategy": "must be `azure_active_directory_app`, `deploy_key`, `deploy_token`, `git_clone`, `git_token` or `github_app`",
      "github_installation_id": "is not supported by this server: leave it out, or null",
      "private_link_endpoint_id": "is not supported by this server: leave it out, or null",
      "remote_backend": "must be `ado`, `github`, `gitlab` or `manual_config`",
      "remote_url": "is required",
      "state": "must be 1 (active), or 2 (deleted) for what is there"
    }
    "#);
}

#[test]
fn remotes_that_git_would_run_or_that_hold_a_password_are_refused() {
    for bad in ["ext::sh -c id", "--upload-pack=id", "../shop", "https://ada:pw@git.example/x", ""]
    {
        let refused = create(&json!({ "remote_url": bad }));
        assert_eq!(fields(refused), ["remote_url"], "{bad}");
    }
}
