//! Accounts, projects and tokens of a test.

use std::sync::Arc;

use domain::{
    AccountId, Name, ProjectId, UserId,
    authz::{
        Caller, Credential, Grant, License, Origin, Permit, Principal, ProjectCreate, Projects,
        Write, authorize,
    },
    project::{Project, ProjectSpec},
    secret::{TokenKind, TokenSecret},
    user::Email,
};
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use serde_json::{Value, json};
use store::{Bootstrapped, Store};

use crate::{TestApp, TestClient};

/// An account of a test, with its admin.
pub struct TestAccount {
    /// Its id.
    pub id: AccountId,
    /// Its first admin.
    pub admin_id: UserId,
    /// The admin's client: a personal token.
    pub admin: TestClient,
    store: Store,
    url: String,
}

impl TestAccount {
    pub(crate) fn new(app: &TestApp, made: &Bootstrapped, admin: TestClient) -> Self {
        let (store, url) = (app.store.clone(), app.url().to_owned());
        Self { id: made.account.id, admin_id: made.admin.id, admin, store, url }
    }

    /// `/api/v3/accounts/{id}` and what follows.
    #[must_use]
    pub fn v3(&self, rest: &str) -> String {
        format!("/api/v3/accounts/{}{rest}", self.id)
    }

    /// `/api/v2/accounts/{id}` and what follows.
    #[must_use]
    pub fn v2(&self, rest: &str) -> String {
        format!("/api/v2/accounts/{}{rest}", self.id)
    }

    /// A project of it.
    pub async fn project(&self, name: &str) -> TestProject {
        let permit: Permit<Write, ProjectCreate> =
            authorize(&self.admin_caller().await, self.id).expect("an admin makes projects");
        let spec = ProjectSpec::named(Name::parse(name).expect("a name"));
        let made: Project =
            self.store.create_project(&permit, spec).await.expect("a project can be made");
        TestProject { id: made.id, account: self.id }
    }

    /// The admin as the store knows them.
    pub async fn admin_caller(&self) -> Arc<Caller> {
        let secret = TokenSecret::parse(self.admin.secret()).expect("a secret");
        let principal = self.store.authenticate(&secret).await.expect("the store answers");
        let principal = principal.expect("the admin's token works");
        Arc::new(Caller::new(principal, Origin::local()))
    }

    /// A service token, to be made through the API by the admin.
    #[must_use]
    pub fn service_token(&self) -> ServiceTokenBuilder<'_> {
        ServiceTokenBuilder { account: self, name: "a token".to_owned(), grants: Vec::new() }
    }

    /// A user of the account with a licence and, through a group, permission sets on all
    /// projects; with a client that presents a personal token of theirs.
    pub async fn user(&self, email: &str, license: License, sets: &[&str]) -> (UserId, TestClient) {
        let grant = |set: &&str| {
            Grant::new(set.parse().expect("a permission set"), Projects::All).expect("a grant")
        };
        let grants = sets.iter().map(grant).collect();
        let email = Email::parse(email).expect("an address");
        let secret = TokenSecret::mint(TokenKind::Personal, &mut UnwrapErr(SysRng));
        let added = self.store.add_user(self.id, email, license, grants).await;
        let user = added.expect("a user can be added");
        let terms = *self.admin_caller().await.principal().terms();
        let themselves = Principal::user(user, Credential::Process, terms, license, Vec::new());
        let caller = Arc::new(Caller::new(Arc::new(themselves), Origin::local()));
        let permit = authorize(&caller, self.id).expect("a user has tokens of their own");
        let name = Name::parse("a personal token").expect("a name");
        let made = self.store.create_personal_token(&permit, user, name, &secret).await;
        made.expect("a personal token can be made");
        (user, TestClient::new(&self.url, Some(secret.reveal().to_owned())))
    }
}

/// A project of a test.
#[derive(Debug, Clone, Copy)]
pub struct TestProject {
    /// Its id.
    pub id: ProjectId,
    account: AccountId,
}

impl TestProject {
    /// `/api/v3/accounts/{account}/projects/{id}/`
    #[must_use]
    pub fn url(&self) -> String {
        self.v3("/")
    }

    /// `/api/v3/accounts/{account}/projects/{id}` and what follows.
    #[must_use]
    pub fn v3(&self, rest: &str) -> String {
        format!("/api/v3/accounts/{}/projects/{}{rest}", self.account, self.id)
    }
}

/// A service token to be made.
pub struct ServiceTokenBuilder<'a> {
    account: &'a TestAccount,
    name: String,
    grants: Vec<Value>,
}

impl ServiceTokenBuilder<'_> {
    /// Its name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// A permission set on one project.
    #[must_use]
    pub fn grant(self, set: &str, project: &TestProject) -> Self {
        self.row(json!({ "permission_set": set, "project_id": project.id.get() }))
    }

    /// A permission set on all projects.
    #[must_use]
    pub fn grant_everywhere(self, set: &str) -> Self {
        self.row(json!({ "permission_set": set, "all_projects": true }))
    }

    /// A permission set on one project, raised in these categories of environments.
    #[must_use]
    pub fn grant_raised(self, set: &str, project: &TestProject, categories: &[&str]) -> Self {
        self.row(json!({
            "permission_set": set,
            "project_id": project.id.get(),
            "writable_environment_categories": categories,
        }))
    }

    fn row(mut self, row: Value) -> Self {
        self.grants.push(row);
        self
    }

    /// Makes it, and gives a client that presents it.
    pub async fn create(self) -> TestClient {
        self.create_with_id().await.1
    }

    /// Makes it, and gives its id and a client that presents it.
    pub async fn create_with_id(self) -> (i64, TestClient) {
        let body = json!({ "name": self.name, "permission_grants": self.grants });
        let path = self.account.v3("/service-tokens/");
        let made = self.account.admin.post(&path, body).await;
        assert_eq!(made.status(), 201, "a token can be made: {}", made.text());
        let data = made.data();
        let secret = data.get("token_string").and_then(Value::as_str).expect("a secret");
        (made.id(), TestClient::new(&self.account.url, Some(secret.to_owned())))
    }
}
