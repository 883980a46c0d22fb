//! One run, from its claim to its end.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use domain::{
    LeaseId, RunId,
    adapter::FieldSecrets,
    job::TakesState,
    kept::Hidden,
    lease::Lease,
    run::{Outcome, RunStep},
    warehouse_credential::WarehouseSecret,
};
use store::{ClaimedRun, DataDir, Store, StoreError};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    artifacts::{self, Target},
    checkout::{Checkout, checkout},
    dbt,
    dbt_log::DbtLog,
    folder::{self, RunFolder},
    interrupt::{self, Halt, Interrupt, Interrupts},
    lease::Hold,
    leftovers,
    lines::Secrets,
    log::StepLog,
    plan::{self, PlannedStep, Work},
    process,
    profile::{self, Profile},
    sandbox::{self, Warehouse},
    surroundings::{self, Marks},
    tunnel::{self, Destination, Tunnel},
    versions,
    worker::{Permits, Workshop},
};

/// How often the end of a run is told to a store that is away, a second apart.
const TRIES: u32 = 30;

/// How often a run looks whether the DuckDB file is free, if no event tells it sooner.
const LOOK: Duration = Duration::from_millis(300);
/// The least time between two looks, however many events there are.
const BREATH: Duration = Duration::from_millis(30);

/// Executes a run, clears up after it and writes down how it ended, whatever happens. The lease is
/// renewed until all is written.
pub(crate) async fn supervise(workshop: Arc<Workshop>, permits: Permits, claimed: ClaimedRun) {
    let (store, lease) = (workshop.store.clone(), claimed.lease.clone());
    let hold = Hold::keep(store.clone(), permits.write.clone(), lease.clone());
    let (run, lost) = (lease.run, hold.lost.clone());
    tracing::info!(%run, lease = %lease.id, "a run begins");
    let ended = match RunFolder::make(&workshop.data_dir.work(), run, lease.id) {
        Ok(folder) => {
            let folder = Arc::new(folder);
            let execution = Execution::new(&workshop, &permits, claimed, Arc::clone(&folder));
            // A task of its own, so that a panic ends the run and not the runner.
            let ended = tokio::spawn(execution.perform(lost)).await;
            clear_up(&workshop.data_dir, folder, lease.id).await;
            ended
                .unwrap_or_else(|_| Err(Halt::failed("the runner broke off: see the server's log")))
        }
        Err(error) => Err(Halt::Failed(format!("the run's folder cannot be made: {error}"))),
    };
    if matches!(ended, Err(Halt::Interrupted(Interrupt::ServerStopped)))
        && store.return_run(&permits.write, &lease).await.is_ok()
    {
        return tracing::info!(%run, "a run that had not begun is given back");
    }
    let (outcome, message) = told(ended);
    tracing::info!(%run, ?outcome, message, "a run ends");
    finish(&store, &permits, &lease, outcome, &message).await;
}

/// How a run ended, and what it says of that.
fn told(ended: Result<(), Halt>) -> (Outcome, String) {
    match ended {
        Ok(()) => (Outcome::Success, String::new()),
        Err(Halt::Failed(message)) => (Outcome::Error, message),
        Err(Halt::Interrupted(interrupt)) => (interrupt.outcome(), interrupt.to_string()),
        Err(Halt::Store(error)) => {
            tracing::error!(%error, "a run cannot be written down");
            let why = if is_full(&error) {
                "there is no space left on the disk of its data folder"
            } else {
                "see its log"
            };
            (Outcome::Error, format!("the server could not write down what the run did: {why}"))
        }
    }
}

/// Whether the disk is full, as SQLite or the system says.
fn is_full(error: &StoreError) -> bool {
    let StoreError::Unavailable(reason) = error else { return false };
    ["database or disk is full", dbt::NO_SPACE].iter().any(|full| reason.contains(full))
}

/// Kills what has slipped out of its process group, then removes the run's folder.
async fn clear_up(data_dir: &DataDir, folder: Arc<RunFolder>, lease: LeaseId) {
    let data_dir = data_dir.clone();
    let cleared = tokio::task::spawn_blocking(move || {
        leftovers::kill(data_dir.path(), lease);
        drop(folder);
    });
    let _ = cleared.await;
}

async fn finish(store: &Store, permits: &Permits, lease: &Lease, outcome: Outcome, message: &str) {
    let run = lease.run;
    for _ in 0..TRIES {
        match store.finish_run(&permits.write, lease, outcome, message).await {
            Err(StoreError::Unavailable(reason)) => {
                tracing::warn!(%run, reason, "the end of a run cannot be written now");
                sleep(Duration::from_secs(1)).await;
            }
            // It was ended elsewhere.
            Err(error) => return tracing::warn!(%run, %error, "the end of a run is not written"),
            Ok(_) => return,
        }
    }
}

/// A run under way, and what its steps leave for those after them.
struct Execution {
    workshop: Arc<Workshop>,
    permits: Permits,
    claimed: ClaimedRun,
    folder: Arc<RunFolder>,
    checkout: Option<Checkout>,
    profile: Option<Profile>,
    /// The way to the data platform, as long as this lives.
    tunnel: Option<Tunnel>,
    /// The dbt that the run asks for.
    dbt: PathBuf,
}

impl Execution {
    fn new(
        workshop: &Arc<Workshop>,
        permits: &Permits,
        claimed: ClaimedRun,
        folder: Arc<RunFolder>,
    ) -> Self {
        let (workshop, permits) = (Arc::clone(workshop), permits.clone());
        let dbt = workshop.config.dbt.clone();
        Self {
            workshop,
            permits,
            claimed,
            folder,
            checkout: None,
            profile: None,
            tunnel: None,
            dbt,
        }
    }

    /// Does all steps, unless the hold on the run is lost.
    async fn perform(mut self, lost: CancellationToken) -> Result<(), Halt> {
        let (job, run) = (&self.claimed.job.spec, &self.claimed.run);
        let seconds = plan::time_limit(job, &run.trigger);
        let version = self.dbt_version();
        let steps = plan::plan(job, &run.trigger, self.claimed.connection.as_ref(), version);
        let (_watch, mut interrupts) =
            interrupt::watch(&self.workshop, &self.permits, run.id, lost, seconds);
        if self.workshop.stop.is_cancelled() {
            return Err(Interrupt::ServerStopped.into());
        }
        self.steps(&steps, &mut interrupts).await
    }

    async fn steps(
        &mut self,
        steps: &[PlannedStep],
        interrupts: &mut Interrupts,
    ) -> Result<(), Halt> {
        let names: Vec<_> = steps.iter().map(|step| step.name.clone()).collect();
        let (store, permit, lease) = (self.store(), &self.permits.write, &self.claimed.lease);
        let rows = store.plan_steps(permit, lease, &names).await?;
        interrupts.check()?;
        store.start_run(permit, lease).await?;
        for (step, row) in steps.iter().zip(&rows) {
            interrupts.check()?;
            self.step(step, row, interrupts).await?;
        }
        Ok(())
    }

    /// Does one step, and writes down how it ended.
    async fn step(
        &mut self,
        step: &PlannedStep,
        row: &RunStep,
        interrupts: &mut Interrupts,
    ) -> Result<(), Halt> {
        let (store, permit) = (self.store().clone(), self.permits.write.clone());
        let lease = self.claimed.lease.clone();
        store.begin_step(&permit, &lease, row.id).await?;
        let secrets = secrets(&self.claimed);
        let mut log = StepLog::new(store.clone(), permit.clone(), lease.clone(), row.id, secrets);
        let done = self.work(&step.work, row.index, &mut log, interrupts).await;
        let outcome = match &done {
            Ok(()) => Outcome::Success,
            Err(Halt::Failed(reason)) => {
                log.say(reason);
                Outcome::Error
            }
            Err(Halt::Interrupted(interrupt)) => {
                log.say(interrupt);
                interrupt.outcome()
            }
            Err(Halt::Store(_)) => return done,
        };
        log.end().await?;
        store.finish_step(&permit, &lease, row.id, outcome).await?;
        match done {
            Err(Halt::Failed(_)) if step.may_fail() => Ok(()),
            Err(Halt::Failed(reason)) => {
                Err(Halt::Failed(format!("step {}, {}, failed: {reason}", row.index, step.name)))
            }
            done => done,
        }
    }

    async fn work(
        &mut self,
        work: &Work,
        index: u32,
        log: &mut StepLog,
        interrupts: &mut Interrupts,
    ) -> Result<(), Halt> {
        match work {
            Work::Clone => self.clone_repository(log, interrupts).await,
            Work::Profile => self.create_profile(log, interrupts).await,
            Work::Retry { run, step } => self.retry((*run, *step), index, log, interrupts).await,
            Work::Dbt { arguments, takes, .. } => {
                let arguments = self.with_state(arguments, *takes);
                self.invoke(&arguments, index, log, interrupts).await
            }
        }
    }

    async fn clone_repository(
        &mut self,
        log: &mut StepLog,
        interrupts: &mut Interrupts,
    ) -> Result<(), Halt> {
        let (git, folder) = (&self.workshop.config.git, &self.folder);
        let marks = self.marks();
        let made = checkout(git, marks, folder, &self.claimed, log, interrupts).await;
        if !made.as_ref().is_ok_and(|made| made.warm) {
            self.workshop.evict_clones();
        }
        let made = made?;
        log.say(format_args!("checked out {}", made.sha));
        let (permit, lease) = (&self.permits.write, &self.claimed.lease);
        let from = (made.branch.as_deref(), made.warm);
        self.store().note_checkout(permit, lease, &made.sha, from).await?;
        self.checkout = Some(made);
        Ok(())
    }

    /// Opens the SSH tunnel of the run's connection, if it has one.
    async fn open_tunnel(
        &mut self,
        log: &mut StepLog,
        interrupts: &mut Interrupts,
    ) -> Result<(), Halt> {
        let destination = profile::behind_tunnel(&self.claimed).map_err(Halt::Failed)?;
        let Some((destination, spec)) = destination.zip(self.claimed.tunnel.as_ref()) else {
            return Ok(());
        };
        let key = self.claimed.tunnel_key.as_ref();
        let key = key.ok_or_else(|| Halt::failed("the SSH tunnel has no key: make it anew"))?;
        let (folder, marks) = (&self.folder, self.marks());
        let opened = tunnel::open((spec, key), &destination, folder, marks, interrupts).await?;
        let (host, Destination { host: to, port }) = (&spec.hostname, &destination);
        log.say(format_args!("opened an SSH tunnel over `{host}` to {to}:{port}"));
        self.tunnel = Some(opened);
        Ok(())
    }

    async fn create_profile(
        &mut self,
        log: &mut StepLog,
        interrupts: &mut Interrupts,
    ) -> Result<(), Halt> {
        let warehouses = self.workshop.data_dir.warehouses();
        self.open_tunnel(log, interrupts).await?;
        let tunnel = self.tunnel.as_ref().map(|tunnel| tunnel.port);
        let made = profile::profile(&self.claimed, &warehouses, tunnel).map_err(Halt::Failed)?;
        if let Some(file) = &made.database {
            let place = match self.workshop.user {
                Some(user) => user.make_folder(&warehouses, file).await,
                None => folder::private(file.parent().unwrap_or(file))
                    .map_err(|error| format!("its folder cannot be made: {error}")),
            };
            place.map_err(|reason| {
                Halt::Failed(format!("the DuckDB file cannot be used: {reason}"))
            })?;
            self.keep_apart(&made).await.map_err(Halt::Failed)?;
            self.take_turn(file, log, interrupts).await?;
        }
        let file = self.folder.profiles().join("profiles.yml");
        tokio::fs::write(file, &made.text).await.map_err(Halt::failed)?;
        let target = &self.claimed.run.trigger.target_name_override;
        let target = target.as_ref().unwrap_or(&self.claimed.job.spec.target_name);
        log.say(format_args!("wrote the profile `{}` with target `{target}`", profile::NAME));
        self.dbt = self.pick_dbt(log)?;
        self.profile = Some(made);
        self.fetch_state(log).await?;
        self.hand_over().await
    }

    /// Makes the folders between which the sandbox tells accounts and projects apart. In one that a run
    /// could write into, a link would lead the sandbox to somewhere else.
    async fn keep_apart(&self, profile: &Profile) -> Result<(), String> {
        let Some(warehouse) = self.warehouse(profile).filter(|_| self.workshop.sandbox.is_some())
        else {
            return Ok(());
        };
        for place in warehouse.places() {
            match self.workshop.user {
                Some(user) => {
                    user.make_folder(&self.workshop.data_dir.warehouses(), &place.join("x"))
                        .await?;
                }
                None => folder::private(place).map_err(|error| error.to_string())?,
            }
            if !place.canonicalize().is_ok_and(|real| real == place) {
                return Err(format!(
                    "the DuckDB file cannot be used: `{}` is a link",
                    place.display()
                ));
            }
        }
        Ok(())
    }

    fn dbt_version(&self) -> &str {
        let ClaimedRun { run, job, environment, .. } = &self.claimed;
        run.trigger.dbt_version(&job.spec, &environment.spec)
    }

    /// Finds the dbt of the version that the run asks for.
    fn pick_dbt(&self, log: &mut StepLog) -> Result<PathBuf, Halt> {
        let (asked, config) = (self.dbt_version(), &self.workshop.config);
        let table = versions::table(&config.dbt_versions, &self.workshop.data_dir);
        let picked = versions::pick(asked, &table, &config.dbt).map_err(Halt::Failed)?;
        log.say(format_args!("dbt {asked} is asked for: `{}` runs", picked.display()));
        Ok(picked.to_owned())
    }

    /// Gives the run's folder to the user who executes dbt: all that the server writes there is
    /// written by now.
    async fn hand_over(&self) -> Result<(), Halt> {
        let Some(user) = self.workshop.user else { return Ok(()) };
        let folder = Arc::clone(&self.folder);
        let given = tokio::task::spawn_blocking(move || folder.give_to(user)).await;
        given.map_err(Halt::failed)?.map_err(Halt::failed)
    }

    /// Fetches what the run that this one defers to has left, if it defers to one.
    async fn fetch_state(&self, log: &mut StepLog) -> Result<(), Halt> {
        let echoed = &self.claimed.job.spec.echoed;
        match self.claimed.run.deferring {
            Some(run) => {
                let state = self.folder.state();
                artifacts::put_state(self.store(), &self.permits.read, run, &state).await?;
                log.say(format_args!("defers to run {run}"));
            }
            None if echoed.deferring_job.is_some() || echoed.deferring_environment.is_some() => {
                log.say("defers to nothing: no run of what it is to defer to has gone well yet");
            }
            None => {}
        }
        Ok(())
    }

    /// A command's arguments, with those by which dbt finds the state of the run that is deferred to.
    fn with_state(&self, arguments: &[String], takes: TakesState) -> Vec<String> {
        let mut arguments = arguments.to_vec();
        if self.claimed.run.deferring.is_none() || takes == TakesState::No {
            return arguments;
        }
        if takes == TakesState::Defers {
            arguments.push("--defer".to_owned());
        }
        let state = self.folder.state().to_string_lossy().into_owned();
        arguments.extend(["--state".to_owned(), state]);
        arguments
    }

    /// Waits until no other run uses the DuckDB file, in this process or another; from then on it is
    /// this run's, to its end.
    async fn take_turn(
        &self,
        file: &Path,
        log: &mut StepLog,
        interrupts: &mut Interrupts,
    ) -> Result<(), Halt> {
        let (permit, lease) = (&self.permits.write, &self.claimed.lease);
        let file = file.to_string_lossy();
        let mut waits = false;
        loop {
            let appended = self.store().event_appended();
            if self.store().take_duckdb(permit, lease, &file).await? {
                return Ok(());
            }
            if !std::mem::replace(&mut waits, true) {
                log.say("another run uses this DuckDB file: waiting for its end");
                log.flush().await?;
            }
            tokio::select! {
                _ = timeout(LOOK, appended) => sleep(BREATH).await,
                interrupt = interrupts.raised() => return Err(interrupt.into()),
            }
        }
    }

    /// Puts what a step of an earlier run left where dbt looks for it, and has it go on from there.
    async fn retry(
        &mut self,
        (run, step): (RunId, u32),
        index: u32,
        log: &mut StepLog,
        interrupts: &mut Interrupts,
    ) -> Result<(), Halt> {
        let Some(checkout) = &self.checkout else {
            return Err(Halt::failed("the run was not set up"));
        };
        let target = checkout.project.join("target");
        let permit = &self.permits.read;
        match self.workshop.user {
            None => artifacts::put_back(self.store(), permit, (run, step), &target).await?,
            Some(user) => {
                // `target` is in the user's hands, and may lead anywhere.
                let ours = self.folder.retried();
                artifacts::put_back(self.store(), permit, (run, step), &ours).await?;
                user.lend(&ours).map_err(Halt::failed)?;
                user.copy(&ours, &target).await.map_err(Halt::Failed)?;
            }
        }
        log.say(format_args!("going on from what step {step} of run {run} left"));
        self.invoke(&["retry".to_owned()], index, log, interrupts).await
    }

    /// Runs dbt, and keeps what it wrote, also if it failed or was interrupted.
    async fn invoke(
        &mut self,
        arguments: &[String],
        index: u32,
        log: &mut StepLog,
        interrupts: &mut Interrupts,
    ) -> Result<(), Halt> {
        let (Some(checkout), Some(profile)) = (&self.checkout, &self.profile) else {
            return Err(Halt::failed("the run was not set up"));
        };
        let target = checkout.project.join("target");
        let before = Target::look(target.clone()).await;
        let (dbt, folder, marks) = (&self.dbt, &self.folder, self.marks());
        let (warehouse, variables) = (self.warehouse(profile), &self.claimed.variables);
        let mut command = surroundings::dbt(dbt, marks, folder, warehouse.as_ref(), variables);
        let own_log = folder.dbt_log(index);
        dbt::invocation(&mut command, arguments, &checkout.project, profile, &own_log);
        log.follow(DbtLog::new(&own_log, self.workshop.user, secrets(&self.claimed)));
        command.envs(surroundings::identity(&self.claimed.run));
        let mut ended = process::run(command, log, interrupts).await;
        if let Some(tunnel) = &mut self.tunnel
            && tunnel.has_ended()
        {
            log.say(format_args!("the SSH tunnel has ended: {}", tunnel.words()));
        }
        if let Ok(end) = &mut ended
            && self.workshop.sandbox.is_some()
        {
            end.status = sandbox::ended(end.status);
        }
        let place = (self.store(), &self.permits, &self.claimed.lease);
        Target::look(target).await.keep(&before, self.workshop.user, place, index, log).await?;
        dbt::verdict(&ended?, &self.workshop.bounds).map_err(Halt::Failed)
    }

    /// The DuckDB files that the run gets at.
    fn warehouse(&self, profile: &Profile) -> Option<Warehouse> {
        let connection = self.claimed.connection.as_ref()?;
        let (file, all) = (profile.database.as_ref()?, self.workshop.data_dir.warehouses());
        Some(Warehouse::of(&all, file, connection.project.is_some()))
    }

    fn store(&self) -> &Store {
        &self.workshop.store
    }

    fn marks(&self) -> Marks<'_> {
        let Lease { id: lease, run, .. } = self.claimed.lease;
        let (data_dir, bounds) = (self.workshop.data_dir.path(), &self.workshop.bounds);
        let (user, sandbox) = (self.workshop.user, self.workshop.sandbox.as_ref());
        Marks { run, lease, data_dir, bounds, user, sandbox }
    }
}

/// What no log may show.
fn secrets(claimed: &ClaimedRun) -> Secrets {
    let sealed = claimed.secret.as_ref().map_or("", WarehouseSecret::reveal);
    let login = FieldSecrets::from_text(sealed);
    let variables = claimed.variables.iter().filter(|(name, _)| name.is_secret());
    let variables = variables.map(|(_, value)| value);
    let all = login.0.values().chain(claimed.connection_secrets.0.values());
    let all = all
        .chain(&claimed.deploy_key)
        .chain(&claimed.git_token)
        .chain(&claimed.tunnel_key)
        .chain(variables);
    // A password that looks like several secrets is one, too.
    Secrets::of(all.map(Hidden::reveal).chain([sealed]))
}

impl PlannedStep {
    const fn may_fail(&self) -> bool {
        matches!(self.work, Work::Dbt { may_fail: true, .. })
    }
}
