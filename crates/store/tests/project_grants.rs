//! Grants that are held to projects: which may be named, and what is left when one is deleted.

mod common;

use common::{House, account, house, name, secret};
use domain::{
    Plan, ProjectId,
    authz::{Grant, Jobs, Permit, ProjectCreate, Projects, Read, Write, authorize},
    project::ProjectSpec,
    secret::TokenKind,
};
use store::{NewServiceToken, StoreError};

async fn project(house: &House, named: &str) -> ProjectId {
    let permit: Permit<Write, ProjectCreate> = house.permit().await;
    let made = house.store.create_project(&permit, ProjectSpec::named(name(named))).await;
    made.expect("a project is made").id
}

fn on(set: &str, projects: &[ProjectId]) -> Grant {
    let set = set.parse().expect("a permission set");
    let projects = Projects::only(projects.iter().copied()).expect("a project at least");
    Grant::new(set, projects).expect("a project-level set")
}

#[tokio::test]
async fn a_grant_on_two_projects_is_two_rows_and_holds_there_alone() {
    let house = house().await;
    let (sales, hr) = (project(&house, "sales").await, project(&house, "hr").await);
    let third = project(&house, "third").await;

    let (token, secret) = house.token("nightly", vec![on("job_admin", &[sales, hr])], 2).await;

    assert_eq!(token.grants.len(), 2);
    let permit: Permit<Read, Jobs> = house.permit_of(&secret).await;
    assert!(permit.within(sales).is_ok() && permit.within(hr).is_ok());
    assert!(permit.within(third).is_err());
}

#[tokio::test]
async fn a_project_of_another_account_cannot_be_named() {
    let house = house().await;
    let plan = Plan::Enterprise;
    let (other, secret_of_other) = account(&house.store, "Other", plan, "bob@example.com", 9).await;
    let caller = house.caller(&secret_of_other).await.unwrap();
    let permit: Permit<Write, ProjectCreate> = authorize(&caller, other.account.id).unwrap();
    let theirs = house.store.create_project(&permit, ProjectSpec::named(name("theirs"))).await;
    let (theirs, nobodys) = (theirs.unwrap().id, ProjectId::new(999).unwrap());

    for project in [theirs, nobodys] {
        let grants = vec![on("job_admin", &[project])];
        let new = NewServiceToken { name: name("nightly"), grants, end: None };
        let permit = house.permit().await;
        let secret = secret(TokenKind::Service, 3);
        let made = house.store.create_service_token(&permit, new, &secret).await;
        let said = made.unwrap_err().to_string();
        assert_eq!(said, format!("`project_id` `{project}` is no project of this account"));
    }
}

#[tokio::test]
async fn a_token_whose_only_project_is_deleted_holds_nothing() {
    let house = house().await;
    let sales = project(&house, "sales").await;
    let (token, secret) = house.token("nightly", vec![on("job_admin", &[sales])], 2).await;
    let permit: Permit<Read, Jobs> = house.permit_of(&secret).await;
    assert!(permit.within(sales).is_ok());

    house.store.delete_project(&house.permit().await, sales).await.unwrap();

    let caller = house.caller(&secret).await.unwrap();
    assert_eq!(caller.principal().grants(), []);
    assert!(authorize::<Read, Jobs>(&caller, house.account).is_err());
    assert_eq!(house.read(token.id).await.unwrap().grants, []);
    let again = project(&house, "sales").await;
    assert!(again > sales, "its id is not given out again");
    assert!(matches!(
        house.store.project(&house.permit().await, sales).await,
        Err(StoreError::NotFound)
    ));
}
