//! Projects with everything in them, for tests of the nouns.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "each test file uses its part of it, and a failure here is a failed test"
)]

use std::sync::atomic::{AtomicU64, Ordering};

use domain::{
    AccountId, ConnectionId, CredentialId, EnvironmentId, JobId, Plan, ProjectId, RepositoryId,
    RunId, StepId,
    adapter::FieldSecrets,
    authz::{
        AccessMarker, Category, Grant, KindMarker, Permit, PrincipalId, Projects, Read, Runs,
        SystemTask, Write, authorize,
    },
    connection::{ConnectionSpec, DuckDbPath, Platform},
    environment::EnvironmentSpec,
    job::JobSpec,
    lease::Lease,
    list::{Filter, ListQuery, Test},
    project::ProjectSpec,
    repository::{RemoteUrl, RepositorySpec, TokenChange},
    run::{Outcome, Run, Trigger},
    secret::TokenSecret,
    warehouse_credential::{CredentialSpec, Login, WarehouseSecret},
};
use store::Store;

use crate::common::{self, House, name};

/// Whoever acts: the holder of a secret, in an account.
pub(crate) struct Owner {
    pub store: Store,
    pub account: AccountId,
    pub secret: TokenSecret,
}

/// One of each noun of a project, connected to each other, and a run that has finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Furnished {
    pub project: ProjectId,
    pub connection: ConnectionId,
    pub repository: RepositoryId,
    pub credential: CredentialId,
    /// Of the category that was asked for.
    pub environment: EnvironmentId,
    pub job: JobId,
    pub run: RunId,
    pub step: StepId,
}

/// The admin of the house.
pub(crate) fn admin(house: &House) -> Owner {
    let (store, account, secret) = (house.store.clone(), house.account, house.secret.clone());
    Owner { store, account, secret }
}

/// The admin of another account in the same house.
pub(crate) async fn neighbour(house: &House) -> Owner {
    let email = "bob@example.com";
    let (made, secret) = common::account(&house.store, "Other", Plan::Enterprise, email, 77).await;
    Owner { store: house.store.clone(), account: made.account.id, secret }
}

/// Whoever holds a new service token with this grant.
pub(crate) async fn holder(house: &House, grant: Grant) -> Owner {
    static SEED: AtomicU64 = AtomicU64::new(1_000);
    let seed = SEED.fetch_add(1, Ordering::Relaxed);
    let (_, secret) = house.token("t", vec![grant], seed).await;
    Owner { store: house.store.clone(), account: house.account, secret }
}

/// A permission set on one project.
pub(crate) fn on(set: &str, project: ProjectId) -> Grant {
    Grant::new(set.parse().unwrap(), Projects::only([project]).unwrap()).unwrap()
}

/// The first page of what meets one condition.
pub(crate) fn filter(field: &str, test: Test) -> ListQuery {
    let filters = vec![Filter { field: field.to_owned(), test }];
    ListQuery { filters, ..ListQuery::first_page() }
}

pub(crate) fn connection_spec(named: &str) -> ConnectionSpec {
    let path = DuckDbPath::parse("shop.duckdb").unwrap();
    ConnectionSpec::named(name(named), Platform::DuckDb { path })
}

pub(crate) fn repository_spec(remote: &str) -> RepositorySpec {
    RepositorySpec {
        remote: RemoteUrl::parse(remote).unwrap(),
        clone_strategy: "deploy_key".to_owned(),
        remote_backend: "manual_config".to_owned(),
    }
}

pub(crate) fn credential_spec() -> CredentialSpec {
    CredentialSpec {
        login: Login::Postgres { username: "dbt".to_owned() },
        schema: "analytics".to_owned(),
        target_name: "default".to_owned(),
        threads: 4,
        adapter_id: None,
    }
}

impl Owner {
    pub(crate) async fn permit<A: AccessMarker, K: KindMarker>(&self) -> Permit<A, K> {
        let principal = self.store.authenticate(&self.secret).await.unwrap().unwrap();
        let origin = domain::authz::Origin::local();
        let caller = std::sync::Arc::new(domain::authz::Caller::new(principal, origin));
        authorize(&caller, self.account).unwrap()
    }

    /// The runner's permit for the account.
    pub(crate) async fn runner(&self) -> Permit<Write, Runs> {
        let principals = self.store.system_principals(SystemTask::Runner).await.unwrap();
        let ours = principals.into_iter().find(|p| p.account() == self.account).unwrap();
        let origin = domain::authz::Origin::local();
        let caller = std::sync::Arc::new(domain::authz::Caller::new(ours, origin));
        authorize(&caller, self.account).unwrap()
    }

    pub(crate) async fn project(&self, named: &str) -> ProjectId {
        let spec = ProjectSpec::named(name(named));
        self.store.create_project(&self.permit().await, spec).await.unwrap().id
    }

    pub(crate) async fn environment(
        &self,
        project: ProjectId,
        category: Category,
    ) -> EnvironmentId {
        let spec = EnvironmentSpec { category, ..EnvironmentSpec::named(name(category.key())) };
        self.store.create_environment(&self.permit().await, project, spec).await.unwrap().id
    }

    pub(crate) async fn job(&self, project: ProjectId, environment: EnvironmentId) -> JobId {
        let spec = JobSpec::named(project, environment, name("nightly"));
        self.store.create_job(&self.permit().await, spec).await.unwrap().id
    }

    pub(crate) async fn trigger(&self, job: JobId) -> Run {
        let trigger = because();
        self.store.trigger_run(&self.permit().await, job, trigger).await.unwrap()
    }

    pub(crate) async fn run(&self, id: RunId) -> Run {
        let permit: Permit<Read, Runs> = self.permit().await;
        self.store.run(&permit, id).await.unwrap()
    }

    /// A project with one of everything.
    pub(crate) async fn furnish(&self, named: &str, category: Category) -> Furnished {
        let store = &self.store;
        let spec = connection_spec(named);
        let connection = store
            .create_connection(&self.permit().await, spec, FieldSecrets::default())
            .await
            .unwrap()
            .id;
        let project = self.project(named).await;
        let spec = repository_spec("https://git.example.com/shop.git");
        let made =
            store.create_repository(&self.permit().await, project, spec, TokenChange::Keep).await;
        let repository = made.unwrap().id;
        let permit = self.permit().await;
        let secret = Some(WarehouseSecret::new("hunter2".to_owned()));
        let made =
            store.create_warehouse_credential(&permit, project, secret, credential_spec()).await;
        let credential = made.unwrap().id;
        let spec = EnvironmentSpec {
            category,
            connection: Some(connection),
            credential: Some(credential),
            ..EnvironmentSpec::named(name("deploy"))
        };
        let made = store.create_environment(&self.permit().await, project, spec).await;
        let environment = made.unwrap().id;
        let job = self.job(project, environment).await;
        store
            .update_project(&self.permit().await, project, |spec| {
                Ok::<_, store::StoreError>(ProjectSpec {
                    connection: Some(connection),
                    repository: Some(repository),
                    docs_job: Some(job),
                    ..spec
                })
            })
            .await
            .unwrap();
        let (run, step) = self.execute(job).await;
        Furnished { project, connection, repository, credential, environment, job, run, step }
    }

    /// A run of a job, under way; no other may be queued.
    pub(crate) async fn begin(&self, job: JobId) -> Lease {
        let run = self.trigger(job).await.id;
        let lease = self.claim().await.unwrap();
        assert_eq!(lease.run, run);
        lease
    }

    /// Claims the account's next run.
    pub(crate) async fn claim(&self) -> Option<Lease> {
        let claimed = self.store.claim_run(&self.runner().await, &common::worker()).await;
        claimed.unwrap().map(|claimed| claimed.lease)
    }

    pub(crate) async fn finish(&self, lease: &Lease, outcome: Outcome) {
        self.store.finish_run(&self.runner().await, lease, outcome, "").await.unwrap();
    }

    /// Runs a job to its end, with one step that says something and leaves an artifact.
    pub(crate) async fn execute(&self, job: JobId) -> (RunId, StepId) {
        let (store, runner) = (&self.store, self.runner().await);
        let lease = self.begin(job).await;
        let names = ["Invoke dbt with `dbt build`".to_owned()];
        let steps = store.plan_steps(&runner, &lease, &names).await.unwrap();
        let step = steps.first().unwrap().id;
        store.start_run(&runner, &lease).await.unwrap();
        store.begin_step(&runner, &lease, step).await.unwrap();
        store.append_log(&runner, &lease, step, "done\n").await.unwrap();
        store.append_debug_log(&runner, &lease, step, "done in 0.1s\n").await.unwrap();
        store.put_artifact(&runner, &lease, 1, "manifest.json", "{}".as_bytes()).await.unwrap();
        store.finish_step(&runner, &lease, step, Outcome::Success).await.unwrap();
        self.finish(&lease, Outcome::Success).await;
        (lease.run, step)
    }
}

/// A trigger; who it names does not count.
pub(crate) fn because() -> Trigger {
    Trigger::plain(PrincipalId::System(SystemTask::Runner), "a test".to_owned())
}
