//! What a git host's deliveries start and cancel.

use domain::{
    JobId, RunId,
    authz::{Permit, Runs, Write},
    environment::Environment,
    git_event::{GitEvent, Happened},
    git_hook::GitHook,
    job::Job,
    run::{Run, RunStatus, Trigger},
};
use sea_orm::{ColumnTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::queue::{cancel, enqueue};
use crate::{
    Store, StoreError, accounts,
    entities::{
        job,
        run::{Column, Entity, Model},
    },
    environments, git_hooks, projects,
    rows::{ACTIVE, of_account},
    tx::Tx,
};

/// How many of a job's newest runs are looked at for one of the same commit.
const LOOK_BACK: u64 = 50;

/// What a delivery came to.
#[derive(Debug, Clone, Default)]
pub struct GitDeliveryOutcome {
    /// The runs that it started.
    pub started: Vec<Run>,
    /// The jobs that take part in such deliveries and were not started, and why.
    pub not_started: Vec<(JobId, String)>,
    /// Runs of older commits of the same pull request, which were asked to stop.
    pub cancelled: Vec<RunId>,
    /// Why no job was looked at at all.
    pub note: Option<&'static str>,
}

impl GitDeliveryOutcome {
    fn nothing(note: &'static str) -> Self {
        Self { note: Some(note), ..Self::default() }
    }
}

impl Store {
    /// Starts what a delivery asks for, once: `names` are what tells it from others. Older runs of
    /// the same pull request are cancelled.
    ///
    /// # Errors
    /// [`StoreError::CredentialChanged`] (the hook is gone or has another secret by now),
    /// [`StoreError::Denied`], [`StoreError::Unavailable`].
    pub async fn take_git_delivery(
        &self,
        permit: &Permit<Write, Runs>,
        hook: &GitHook,
        event: &GitEvent,
        names: &[String],
    ) -> Result<GitDeliveryOutcome, StoreError> {
        if let Happened::Other(why) = event.what {
            return Ok(GitDeliveryOutcome::nothing(why));
        }
        let mut tx = self.begin(permit).await?;
        let id = git_hooks::standing(&tx, hook).await?;
        if let Some(why) = closed(&tx, hook).await? {
            return Ok(GitDeliveryOutcome::nothing(why));
        }
        if git_hooks::came_before(tx.db(), id, names).await? {
            return Ok(GitDeliveryOutcome::nothing("this delivery came before and was acted on"));
        }
        let mut outcome = GitDeliveryOutcome::default();
        let environments = environments::of_project(tx.db(), tx.account(), hook.project).await?;
        for job in jobs_of(&tx, hook).await? {
            if let Some(environment) = environments.get(&job.spec.environment) {
                let of = (&job, environment);
                consider(&mut tx, permit, hook, event, of, &mut outcome).await?;
            }
        }
        if outcome.started.is_empty() {
            return Ok(outcome);
        }
        git_hooks::note(&tx, id, names).await?;
        tx.commit().await?;
        Ok(outcome)
    }
}

/// Why nothing of the hook's project is started now, whatever happened.
async fn closed(tx: &Tx, hook: &GitHook) -> Result<Option<&'static str>, StoreError> {
    if accounts::find(tx.db(), tx.account()).await?.locked {
        return Ok(Some("the account is locked: it queues no runs"));
    }
    let project = match projects::find(tx.db(), tx.account(), hook.project).await {
        Ok(project) => project,
        Err(StoreError::NotFound) => return Ok(Some("the project is deleted")),
        Err(error) => return Err(error),
    };
    let its_own = project.spec.repository == Some(hook.repository);
    Ok((!its_own).then_some("the project is not built from this repository"))
}

async fn jobs_of(tx: &Tx, hook: &GitHook) -> Result<Vec<Job>, StoreError> {
    let rows = of_account::<job::Entity>(job::Column::AccountId, tx.account())
        .filter(job::Column::ProjectId.eq(hook.project.get()))
        .filter(job::Column::State.eq(ACTIVE))
        .order_by_asc(job::Column::Id)
        .all(tx.db())
        .await
        .map_err(StoreError::db)?;
    rows.into_iter().map(job::Model::into_domain).collect()
}

/// Starts a run of the job, if the event asks for one.
async fn consider(
    tx: &mut Tx,
    permit: &Permit<Write, Runs>,
    hook: &GitHook,
    event: &GitEvent,
    (job, environment): (&Job, &Environment),
    outcome: &mut GitDeliveryOutcome,
) -> Result<(), StoreError> {
    let plain =
        |cause| Trigger { hook: Some(hook.key.clone()), ..Trigger::plain(permit.author(), cause) };
    let asked = event.asks((job.id.get(), &job.spec), &environment.spec, plain);
    let trigger = match asked {
        None => return Ok(()),
        Some(Err(reason)) => {
            outcome.not_started.push((job.id, reason.to_string()));
            return Ok(());
        }
        Some(Ok(trigger)) => trigger,
    };
    if let Some(run) = built_already(tx, job, event, &trigger).await? {
        let reason = format!("run {run} is of this commit");
        outcome.not_started.push((job.id, reason));
        return Ok(());
    }
    outcome.cancelled.extend(cancel_older(tx, permit, job, &trigger).await?);
    permit.at(environment.place().of_job(job.id))?;
    outcome.started.push(enqueue(tx, job, environment, trigger).await?);
    Ok(())
}

/// The run that a host started of the same commit, where that is enough: one that is not finished,
/// of a pull request; the newest, of what was pushed; any, of what was merged, since the push that
/// a merge makes is told of, too, before or after it.
async fn built_already(
    tx: &Tx,
    job: &Job,
    event: &GitEvent,
    trigger: &Trigger,
) -> Result<Option<RunId>, StoreError> {
    let rows = of_account::<Entity>(Column::AccountId, tx.account())
        .filter(Column::JobId.eq(job.id.get()))
        .order_by_desc(Column::Id)
        .limit(LOOK_BACK)
        .all(tx.db())
        .await
        .map_err(StoreError::db)?;
    let runs = rows.into_iter().map(Model::into_domain).collect::<Result<Vec<_>, _>>()?;
    let mut alike =
        runs.iter().filter(|run| run.trigger.hook.is_some() && is_about(&run.trigger, trigger));
    let same = |run: &&Run| run.trigger.git_sha == trigger.git_sha;
    let found = match event.what {
        Happened::Proposed(_) => alike.find(|run| same(run) && is_wanted(run)),
        Happened::Pushed { .. } => alike.next().filter(same),
        Happened::Merged { .. } => alike.find(same),
        Happened::Other(_) => None,
    };
    Ok(found.map(|run| run.id))
}

/// Whether a run goes on, or will.
const fn is_wanted(run: &Run) -> bool {
    !run.state.is_finished() && !run.cancel_requested
}

/// Whether two triggers are about the same pull request, or both about none.
fn is_about(one: &Trigger, other: &Trigger) -> bool {
    one.github_pull_request == other.github_pull_request
        && one.gitlab_merge_request == other.gitlab_merge_request
}

/// Asks the job's runs of older commits of the same pull request to stop.
async fn cancel_older(
    tx: &mut Tx,
    permit: &Permit<Write, Runs>,
    job: &Job,
    trigger: &Trigger,
) -> Result<Vec<RunId>, StoreError> {
    if !trigger.is_for_pull_request() {
        return Ok(Vec::new());
    }
    let unfinished = [RunStatus::QUEUED, RunStatus::STARTING, RunStatus::RUNNING];
    let rows = of_account::<Entity>(Column::AccountId, tx.account())
        .filter(Column::JobId.eq(job.id.get()))
        .filter(Column::ForPullRequest.eq(true))
        .filter(Column::Status.is_in(unfinished.map(|status| i64::from(status.code()))))
        .order_by_asc(Column::Id)
        .all(tx.db())
        .await
        .map_err(StoreError::db)?;
    let mut cancelled = Vec::new();
    for run in rows.into_iter().map(Model::into_domain) {
        let run = run?;
        if is_about(&run.trigger, trigger) && !run.cancel_requested {
            let why = "cancelled before it began: its pull request has a newer commit";
            cancelled.push(cancel(tx, permit.author(), run, why).await?.id);
        }
    }
    Ok(cancelled)
}
