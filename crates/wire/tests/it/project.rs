use domain::{
    AccountId, ConnectionId, ProjectId, RepositoryId,
    project::{Project as DomainProject, ProjectSpec, Subdirectory},
};
use insta::assert_snapshot;
use serde_json::{Value, json};
use wire::v3::{Project, ProjectBody};

use super::{at, body, echo, fields, name, pretty, reasons};

fn spec() -> ProjectSpec {
    ProjectSpec {
        description: "all of\nsales".to_owned(),
        subdirectory: Some(Subdirectory::parse("dbt/shop").unwrap()),
        connection: Some(ConnectionId::new(5).unwrap()),
        repository: Some(RepositoryId::new(6).unwrap()),
        kind: 1,
        ..ProjectSpec::named(name("sales"))
    }
}

fn project() -> DomainProject {
    DomainProject {
        id: ProjectId::new(2).unwrap(),
        account: AccountId::new(1).unwrap(),
        spec: spec(),
        created_at: at("2026-11-23T12:00:00Z"),
        updated_at: at("2026-11-23T12:00:01.5Z"),
    }
}

fn create(json: &Value) -> Result<ProjectSpec, wire::Invalid> {
    body::<ProjectBody>(json).create()
}

fn apply(json: &Value) -> Result<ProjectSpec, wire::Invalid> {
    body::<ProjectBody>(json).apply(spec())
}

#[test]
fn an_answer_has_every_key() {
    assert_snapshot!(pretty(&Project::from(&project())), @r#"
    {
      "id": 2,
      "account_id": 1,
      "name": "sales",
      "description": "all of\nsales",
      "type": 1,
      "dbt_project_subdirectory": "dbt/shop",
      "connection_id": 5,
      "repository_id": 6,
      "docs_job_id": null,
      "freshness_job_id": null,
      "semantic_layer_config_id": null,
      "state": 1,
      "connection": null,
      "repository": null,
      "environments": null,
      "group_permissions": null,
      "docs_job": null,
      "freshness_job": null,
      "fusion_readiness": null,
      "default_version": null,
      "created_at": "2026-11-23T12:00:00.000000+00:00",
      "updated_at": "2026-11-23T12:00:01.500000+00:00"
    }
    "#);
}

#[test]
fn a_whole_object_that_is_echoed_changes_nothing() {
    assert_eq!(apply(&echo(&Project::from(&project()))).unwrap(), spec());
    assert_eq!(apply(&json!({})).unwrap(), spec());
}

#[test]
fn what_terraform_sends_makes_a_project() {
    let made = create(&json!({
        "id": null, "name": "sales", "description": "", "connection_id": null,
        "repository_id": null, "state": 1, "account_id": 1, "type": 0,
        "dbt_project_subdirectory": null,
    }));
    assert_eq!(made.unwrap(), ProjectSpec::named(name("sales")));
}

#[test]
fn null_and_what_means_nothing_clear_what_may_be_null() {
    let cleared = apply(&json!({
        "description": null, "dbt_project_subdirectory": "", "connection_id": null,
        "repository_id": 0, "name": null, "type": null,
    }));
    let left = ProjectSpec { kind: 1, ..ProjectSpec::named(name("sales")) };
    assert_eq!(cleared.unwrap(), left);
}

#[test]
fn every_wrong_field_is_named_at_once() {
    let refused = reasons(create(&json!({
        "type": 2, "description": "a\u{0}b", "dbt_project_subdirectory": "../up",
        "connection_id": -1, "repository_id": -1, "docs_job_id": -1, "freshness_job_id": -1,
        "semantic_layer_config_id": 3, "state": 2,
    })));
    assert_snapshot!(pretty(&refused), @r#"
    {
      "connection_id": "must be a whole number from 1 to 9223372036854775807",
      "dbt_project_subdirectory": "must be a folder inside the repository: relative, without `..`, at most 255 characters",
      "description": "must not contain control characters",
      "docs_job_id": "must be a whole number from 1 to 9223372036854775807",
      "freshness_job_id": "must be a whole number from 1 to 9223372036854775807",
      "name": "is required",
      "repository_id": "must be a whole number from 1 to 9223372036854775807",
      "state": "must be 1 (active), or 2 (deleted) for what is there",
      "type": "must be 0 (default) or 1 (hybrid)"
    }
    "#);
}

#[test]
fn names_are_refused_where_they_cannot_be() {
    for bad in [" ", "a\nb", &"x".repeat(256)] {
        assert_eq!(fields(apply(&json!({ "name": bad }))), ["name"], "{bad:?}");
    }
}

#[test]
fn a_wrong_type_is_named() {
    let refused = wire::from_json::<ProjectBody>(br#"{"name": "a", "connection_id": "five"}"#);
    assert_eq!(fields(refused), ["connection_id"]);
}

#[test]
fn state_2_deletes() {
    assert!(body::<ProjectBody>(&json!({ "state": 2 })).deletes());
    assert!(!body::<ProjectBody>(&json!({ "state": 1 })).deletes());
    assert_eq!(fields(apply(&json!({ "state": 3 }))), ["state"]);
}
