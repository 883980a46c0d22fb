use domain::{
    AccountId, ConnectionId, CredentialId, EnvironmentId, ProjectId,
    authz::Category,
    environment::{BranchName, Environment as DomainEnvironment, EnvironmentSpec},
};
use insta::assert_snapshot;
use serde_json::{Value, json};
use wire::{
    ListParams, v2,
    v3::{Environment, EnvironmentBody, environment_query},
};

use super::{at, body, echo, fields, name, pretty, reasons};

fn spec() -> EnvironmentSpec {
    EnvironmentSpec {
        category: Category::Production,
        dbt_version: "1.11.2".to_owned(),
        connection: Some(ConnectionId::new(5).unwrap()),
        credential: Some(CredentialId::new(7).unwrap()),
        use_custom_branch: true,
        custom_branch: Some(BranchName::parse("release/1").unwrap()),
        supports_docs: true,
        enable_model_query_history: true,
        ..EnvironmentSpec::named(name("Prod"))
    }
}

fn environment(spec: EnvironmentSpec) -> DomainEnvironment {
    DomainEnvironment {
        id: EnvironmentId::new(4).unwrap(),
        account: AccountId::new(1).unwrap(),
        project: ProjectId::new(2).unwrap(),
        spec,
        created_at: at("2026-11-23T12:00:00Z"),
        updated_at: at("2026-11-23T12:00:00Z"),
    }
}

fn create(json: &Value) -> Result<EnvironmentSpec, wire::Invalid> {
    body::<EnvironmentBody>(json).create()
}

fn apply(json: &Value) -> Result<EnvironmentSpec, wire::Invalid> {
    body::<EnvironmentBody>(json).apply(spec())
}

#[test]
fn an_answer_of_v3_has_every_key() {
    assert_snapshot!(pretty(&Environment::from(&environment(spec()))), @r#"
    {
      "id": 4,
      "account_id": 1,
      "project_id": 2,
      "name": "Prod",
      "type": "deployment",
      "deployment_type": "production",
      "dbt_version": "1.11.2",
      "raw_dbt_version": "1.11.2",
      "connection_id": 5,
      "credentials_id": 7,
      "extended_attributes_id": null,
      "primary_profile_id": null,
      "use_custom_branch": true,
      "custom_branch": "release/1",
      "supports_docs": true,
      "is_deferrable": true,
      "enable_model_query_history": true,
      "enable_dbt_state": false,
      "state": 1,
      "project": null,
      "connection": null,
      "credentials": null,
      "repository": null,
      "jobs": null,
      "custom_environment_variables": null,
      "fusion_readiness": null,
      "created_at": "2026-11-23T12:00:00.000000+00:00",
      "updated_at": "2026-11-23T12:00:00.000000+00:00"
    }
    "#);
}

#[test]
fn an_answer_of_v2_has_every_key() {
    assert_snapshot!(pretty(&v2::Environment::from(&environment(spec()))), @r#"
    {
      "id": 4,
      "account_id": 1,
      "project_id": 2,
      "name": "Prod",
      "type": "deployment",
      "deployment_type": "production",
      "dbt_version": "1.11.2",
      "raw_dbt_version": "1.11.2",
      "connection_id": 5,
      "credentials_id": 7,
      "repository_id": null,
      "dbt_project_subdirectory": null,
      "extended_attributes_id": null,
      "use_custom_branch": true,
      "custom_branch": "release/1",
      "supports_docs": true,
      "created_by_id": null,
      "state": 1,
      "project": null,
      "repository": null,
      "connection": null,
      "credentials": null,
      "jobs": null,
      "custom_environment_variables": null,
      "created_at": "2026-11-23T12:00:00.000000+00:00",
      "updated_at": "2026-11-23T12:00:00.000000+00:00"
    }
    "#);
}

#[test]
fn a_whole_object_that_is_echoed_changes_nothing() {
    let environment = environment(spec());
    assert_eq!(apply(&echo(&Environment::from(&environment))).unwrap(), spec());
    assert_eq!(apply(&echo(&v2::Environment::from(&environment))).unwrap(), spec());
    assert_eq!(apply(&json!({})).unwrap(), spec());
}

#[test]
fn type_and_deployment_type_tell_the_category_in_both_directions() {
    for (category, word, deployment_type) in [
        (Category::Development, "development", Value::Null),
        (Category::Staging, "deployment", json!("staging")),
        (Category::Production, "deployment", json!("production")),
        (Category::Other, "deployment", Value::Null),
    ] {
        let words = json!({ "name": "a", "type": word, "deployment_type": deployment_type });
        assert_eq!(create(&words).unwrap().category, category);
        assert_eq!(apply(&words).unwrap().category, category);
        let answer = Environment::from(&environment(EnvironmentSpec { category, ..spec() }));
        assert_eq!(answer.r#type, word);
        assert_eq!(json!(answer.deployment_type), deployment_type);
        assert_eq!(answer.is_deferrable, word == "deployment");
    }
}

#[test]
fn what_is_left_out_of_the_category_is_kept() {
    let category = |json: Value| apply(&json).unwrap().category;
    assert_eq!(category(json!({ "type": "deployment" })), Category::Production);
    assert_eq!(category(json!({ "deployment_type": "staging" })), Category::Staging);
    assert_eq!(category(json!({ "deployment_type": null })), Category::Other);
    assert_eq!(category(json!({ "type": "development" })), Category::Development);
    assert_eq!(create(&json!({ "name": "a" })).unwrap().category, Category::Other);
}

#[test]
fn a_development_environment_has_no_deployment_type() {
    let refused = create(&json!({
        "name": "a", "type": "development", "deployment_type": "production",
    }));
    assert_eq!(reasons(refused)["deployment_type"], "must be null in a development environment");
}

#[test]
fn what_terraform_sends_makes_an_environment() {
    let made = create(&json!({
        "account_id": 1, "project_id": 2, "credentials_id": null, "name": "Prod",
        "dbt_version": "latest", "type": "deployment", "use_custom_branch": false,
        "custom_branch": "", "supports_docs": false, "created_at": null, "updated_at": null,
        "project": {}, "jobs": null, "credentials": null, "connection_id": 0,
        "custom_environment_variables": null, "extended_attributes_id": null, "state": 1,
    }));
    assert_eq!(made.unwrap(), EnvironmentSpec::named(name("Prod")));
}

#[test]
fn every_wrong_field_is_named_at_once() {
    let refused = create(&json!({
        "type": "holiday", "deployment_type": "beta", "dbt_version": "1.11 && id",
        "connection_id": -1, "credentials_id": -2, "custom_branch": "--upload-pack=id",
        "extended_attributes_id": -8, "primary_profile_id": -9, "enable_dbt_state": true, "state": 2,
    }));
    assert_snapshot!(pretty(&reasons(refused)), @r#"
    {
      "connection_id": "must be a whole number from 1 to 9223372036854775807",
      "credentials_id": "must be a whole number from 1 to 9223372036854775807",
      "custom_branch": "must be the name of a branch or a commit",
      "dbt_version": "must be 1 to 64 letters, digits, and `.`, `-`, `_` or `+`",
      "deployment_type": "must be `production`, `staging` or null",
      "enable_dbt_state": "is not supported by this server: leave it out, or null",
      "extended_attributes_id": "must be a whole number from 1 to 9223372036854775807",
      "name": "is required",
      "primary_profile_id": "must be a whole number from 1 to 9223372036854775807",
      "state": "must be 1 (active), or 2 (deleted) for what is there",
      "type": "must be `development` or `deployment`"
    }
    "#);
}

#[test]
fn versions_that_clients_send_are_taken() {
    for version in ["latest", "versionless", "1.7.0-latest", "1.8.0-pre", "latest-fusion"] {
        let made = create(&json!({ "name": "a", "dbt_version": version }));
        assert_eq!(made.unwrap().dbt_version, version);
    }
    assert_eq!(fields(create(&json!({ "name": "a", "dbt_version": "" }))), ["dbt_version"]);
}

#[test]
fn a_list_by_the_type_deployment_asks_for_every_category_but_development() {
    let query = |text| environment_query(ListParams::parse(text).unwrap().query).filters;
    let deployment = query("type__in=[staging,production,other]");
    assert_eq!(query("type=deployment"), deployment);
    let same = ListParams::parse("type=development&name=deployment").unwrap().query.filters;
    assert_eq!(query("type=development&name=deployment"), same);
}
