//! What git hosts tell of a repository, and which jobs that starts.
//!
//! A job takes part by its triggers. `github_webhook` and `git_provider_webhook` are about pull
//! requests, at GitHub and at any other host (GitLab calls them merge requests); `on_merge` is
//! about what comes onto the branch that the job's environment builds: the environment's custom
//! branch, or else the repository's default branch. The same branch is the one that pull requests
//! have to lead into. `custom_branch_only` (deprecated) asks for no more than that.

use crate::{
    environment::{BranchName, EnvironmentSpec},
    job::JobSpec,
    run::Trigger,
};

/// A git host that sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitHost {
    /// GitHub.
    GitHub,
    /// GitLab.
    GitLab,
}

impl GitHost {
    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
        }
    }

    /// What it calls a pull request.
    #[must_use]
    pub const fn pull_request(self) -> &'static str {
        match self {
            Self::GitHub => "pull request",
            Self::GitLab => "merge request",
        }
    }
}

/// Something that a host told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitEvent {
    /// Which host.
    pub host: GitHost,
    /// The repository's default branch, if the host told it.
    pub default_branch: Option<BranchName>,
    /// What happened.
    pub what: Happened,
}

/// What happened in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// A branch has a new commit.
    Pushed {
        /// The branch.
        branch: BranchName,
        /// Its newest commit.
        commit: CommitId,
    },
    /// A pull request has a commit that is to be tried: it was opened, got a new commit, is no
    /// draft any more, or leads elsewhere now.
    Proposed(PullRequest),
    /// A pull request was merged.
    Merged {
        /// Which.
        request: PullRequest,
        /// The commit that the branch has by it.
        commit: CommitId,
    },
    /// Something that starts nothing; why.
    Other(&'static str),
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number in the repository.
    pub number: i64,
    /// Whether it is a draft.
    pub draft: bool,
    /// Whether its commits come from another repository.
    pub from_fork: bool,
    /// The branch that it comes from.
    pub source: BranchName,
    /// The branch that it leads into.
    pub target: BranchName,
    /// Its newest commit.
    pub commit: CommitId,
}

/// The id of a commit: 40 or 64 hexadecimal digits, not all zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitId(BranchName);

/// The text is no id of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the id of a commit")]
pub struct InvalidCommitId;

impl CommitId {
    /// The one way in.
    ///
    /// # Errors
    /// [`InvalidCommitId`]
    pub fn parse(text: &str) -> Result<Self, InvalidCommitId> {
        let digits = [40, 64].contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        // Zeros stand for no commit.
        if !digits || text.bytes().all(|byte| byte == b'0') {
            return Err(InvalidCommitId);
        }
        BranchName::parse(&text.to_ascii_lowercase()).map(Self).map_err(|_| InvalidCommitId)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Its first 8 digits.
    fn short(&self) -> &str {
        self.as_str().get(..8).unwrap_or_default()
    }
}

/// Why a job that takes part in what a host tells is not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotStarted {
    /// Its triggers name another host.
    #[error("its triggers are not about {} (`{}`)", .0.name(), if *.0 == GitHost::GitHub {
        "github_webhook"
    } else {
        "git_provider_webhook"
    })]
    OtherHost(GitHost),
    /// The pull request is a draft.
    #[error("the {} is a draft, and `triggers_on_draft_pr` is off", .0.pull_request())]
    Draft(GitHost),
    /// Whoever can open a pull request there would run code here.
    #[error("the {} comes from a fork, whose code is not run", .0.pull_request())]
    Fork(GitHost),
    /// Another branch is meant.
    #[error("its environment builds the branch `{}`", .0.as_str())]
    OtherBranch(BranchName),
    /// Its environment builds the default branch, and it is not known which that is.
    #[error("its environment builds the default branch, which the host did not tell")]
    UnknownBranch,
}

impl GitEvent {
    /// What the event asks of a job in this environment: a run by this trigger, or none for a
    /// reason; `None` if the job takes no part in such events.
    #[must_use]
    pub fn asks(
        &self,
        job: (i64, &JobSpec),
        environment: &EnvironmentSpec,
        plain: impl FnOnce(String) -> Trigger,
    ) -> Option<Result<Trigger, NotStarted>> {
        let (id, spec) = job;
        match &self.what {
            Happened::Proposed(request) => {
                let triggers = spec.triggers;
                let listens = match self.host {
                    GitHost::GitHub => triggers.github_webhook,
                    GitHost::GitLab => triggers.git_provider_webhook,
                };
                let to_another = triggers.github_webhook || triggers.git_provider_webhook;
                (listens || to_another).then(|| {
                    self.may_try(listens, spec, environment, request)?;
                    Ok(self.tries(id, request, plain))
                })
            }
            Happened::Pushed { branch, commit } => spec.triggers.on_merge.then(|| {
                self.is_built(environment, branch)?;
                let cause = format!("push to `{}` at {}", branch.as_str(), self.host.name());
                Ok(builds(plain, &cause, branch, commit))
            }),
            Happened::Merged { request, commit } => spec.triggers.on_merge.then(|| {
                let branch = &request.target;
                self.is_built(environment, branch)?;
                let (noun, host) = (self.host.pull_request(), self.host.name());
                let (number, into) = (request.number, branch.as_str());
                let cause = format!("{noun} {number} merged into `{into}` at {host}");
                Ok(builds(plain, &cause, branch, commit))
            }),
            Happened::Other(_) => None,
        }
    }

    fn may_try(
        &self,
        listens: bool,
        job: &JobSpec,
        environment: &EnvironmentSpec,
        request: &PullRequest,
    ) -> Result<(), NotStarted> {
        if !listens {
            return Err(NotStarted::OtherHost(self.host));
        }
        if request.from_fork {
            return Err(NotStarted::Fork(self.host));
        }
        self.is_built(environment, &request.target)?;
        if request.draft && !job.echoed.triggers_on_draft_pr {
            return Err(NotStarted::Draft(self.host));
        }
        Ok(())
    }

    /// Whether the environment builds this branch.
    fn is_built(
        &self,
        environment: &EnvironmentSpec,
        branch: &BranchName,
    ) -> Result<(), NotStarted> {
        let built = environment.branch().or(self.default_branch.as_ref());
        match built {
            Some(built) if built == branch => Ok(()),
            Some(built) => Err(NotStarted::OtherBranch(built.clone())),
            None => Err(NotStarted::UnknownBranch),
        }
    }

    /// The trigger of a run that tries a pull request, in a schema of its own.
    fn tries(
        &self,
        job: i64,
        request: &PullRequest,
        plain: impl FnOnce(String) -> Trigger,
    ) -> Trigger {
        let (noun, host, number) = (self.host.pull_request(), self.host.name(), request.number);
        let cause = format!("{noun} {number} at {host}, commit {}", request.commit.short());
        let of = |host| (self.host == host).then_some(number);
        Trigger {
            git_sha: Some(request.commit.0.clone()),
            git_branch: Some(request.source.clone()),
            schema_override: Some(format!("dbt_cloud_pr_{job}_{number}")),
            github_pull_request: of(GitHost::GitHub),
            gitlab_merge_request: of(GitHost::GitLab),
            ..plain(cause)
        }
    }
}

/// The trigger of a run that builds what came onto a branch.
fn builds(
    plain: impl FnOnce(String) -> Trigger,
    what: &str,
    branch: &BranchName,
    commit: &CommitId,
) -> Trigger {
    let commit_told = format!(", commit {}", commit.short());
    let most = MAX_CAUSE.saturating_sub(commit_told.len());
    let what: String = what.chars().take(most).collect();
    Trigger {
        git_sha: Some(commit.0.clone()),
        git_branch: Some(branch.clone()),
        ..plain(what + &commit_told)
    }
}

/// The most characters of a cause.
const MAX_CAUSE: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EnvironmentId, Name, ProjectId, authz::PrincipalId, authz::SystemTask};

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn branch(name: &str) -> BranchName {
        BranchName::parse(name).unwrap()
    }

    fn commit() -> CommitId {
        CommitId::parse(COMMIT).unwrap()
    }

    fn request() -> PullRequest {
        PullRequest {
            number: 7,
            draft: false,
            from_fork: false,
            source: branch("feature"),
            target: branch("main"),
            commit: commit(),
        }
    }

    fn event(host: GitHost, what: Happened) -> GitEvent {
        GitEvent { host, default_branch: Some(branch("main")), what }
    }

    fn job(listens: impl FnOnce(&mut JobSpec)) -> JobSpec {
        let (project, environment) = (ProjectId::new(1).unwrap(), EnvironmentId::new(1).unwrap());
        let mut spec = JobSpec::named(project, environment, Name::parse("ci").unwrap());
        listens(&mut spec);
        spec
    }

    fn environment(custom: Option<&str>) -> EnvironmentSpec {
        EnvironmentSpec {
            use_custom_branch: custom.is_some(),
            custom_branch: custom.map(branch),
            ..EnvironmentSpec::named(Name::parse("CI").unwrap())
        }
    }

    fn asks(
        event: &GitEvent,
        job: &JobSpec,
        environment: &EnvironmentSpec,
    ) -> Option<Result<Trigger, NotStarted>> {
        let by = PrincipalId::System(SystemTask::GitHost);
        event.asks((3, job), environment, |cause| Trigger::plain(by, cause))
    }

    fn told(event: &GitEvent, job: &JobSpec, environment: &EnvironmentSpec) -> String {
        match asks(event, job, environment) {
            None => "takes no part".to_owned(),
            Some(Ok(trigger)) => trigger.cause,
            Some(Err(reason)) => reason.to_string(),
        }
    }

    #[test]
    fn a_pull_request_starts_the_jobs_that_listen_to_its_host() {
        let github = job(|job| job.triggers.github_webhook = true);
        let gitlab = job(|job| job.triggers.git_provider_webhook = true);
        let merges = job(|job| job.triggers.on_merge = true);
        let here = environment(None);
        let at_github = event(GitHost::GitHub, Happened::Proposed(request()));
        let at_gitlab = event(GitHost::GitLab, Happened::Proposed(request()));
        for (event, job, said) in [
            (&at_github, &github, "pull request 7 at GitHub, commit 01234567"),
            (&at_gitlab, &gitlab, "merge request 7 at GitLab, commit 01234567"),
            (&at_github, &gitlab, "its triggers are not about GitHub (`github_webhook`)"),
            (&at_gitlab, &github, "its triggers are not about GitLab (`git_provider_webhook`)"),
            (&at_github, &merges, "takes no part"),
        ] {
            assert_eq!(told(event, job, &here), said);
        }
        let trigger = asks(&at_github, &github, &here).unwrap().unwrap();
        assert_eq!(trigger.git_sha, Some(branch(COMMIT)));
        assert_eq!(trigger.git_branch, Some(branch("feature")));
        assert_eq!(trigger.schema_override.as_deref(), Some("dbt_cloud_pr_3_7"));
        assert_eq!((trigger.github_pull_request, trigger.gitlab_merge_request), (Some(7), None));
        let trigger = asks(&at_gitlab, &gitlab, &here).unwrap().unwrap();
        assert_eq!((trigger.github_pull_request, trigger.gitlab_merge_request), (None, Some(7)));
    }

    #[test]
    fn a_draft_a_fork_and_another_branch_start_nothing() {
        let listens = job(|job| job.triggers.github_webhook = true);
        let drafts = job(|job| {
            job.triggers.github_webhook = true;
            job.echoed.triggers_on_draft_pr = true;
        });
        let at_github = |request| event(GitHost::GitHub, Happened::Proposed(request));
        let draft = at_github(PullRequest { draft: true, ..request() });
        let fork = at_github(PullRequest { from_fork: true, ..request() });
        let plain = at_github(request());
        let (default, custom) = (environment(None), environment(Some("release")));
        let is_draft = "the pull request is a draft, and `triggers_on_draft_pr` is off";
        let is_fork = "the pull request comes from a fork, whose code is not run";
        assert_eq!(told(&draft, &listens, &default), is_draft);
        assert!(asks(&draft, &drafts, &default).unwrap().is_ok());
        assert_eq!(told(&fork, &drafts, &default), is_fork);
        assert_eq!(told(&plain, &listens, &custom), "its environment builds the branch `release`");
        let unknown = GitEvent { default_branch: None, ..plain.clone() };
        assert_eq!(asks(&unknown, &listens, &default), Some(Err(NotStarted::UnknownBranch)));
        let into = at_github(PullRequest { target: branch("release"), ..request() });
        assert!(asks(&into, &listens, &custom).unwrap().is_ok());
        let not_used = EnvironmentSpec { use_custom_branch: false, ..custom };
        assert!(asks(&plain, &listens, &not_used).unwrap().is_ok());
    }

    #[test]
    fn what_comes_onto_the_branch_starts_merge_jobs_in_the_schema_that_they_have() {
        let on_merge = job(|job| job.triggers.on_merge = true);
        let listens = job(|job| job.triggers.git_provider_webhook = true);
        let here = environment(None);
        let pushed = |name| Happened::Pushed { branch: branch(name), commit: commit() };
        let push = event(GitHost::GitLab, pushed("main"));
        let trigger = asks(&push, &on_merge, &here).unwrap().unwrap();
        assert_eq!(trigger.cause, "push to `main` at GitLab, commit 01234567");
        assert_eq!(
            (trigger.git_sha, trigger.git_branch),
            (Some(branch(COMMIT)), Some(branch("main")))
        );
        assert!(trigger.schema_override.is_none() && trigger.gitlab_merge_request.is_none());
        let merged = Happened::Merged { request: request(), commit: commit() };
        let merged = event(GitHost::GitHub, merged);
        let said = "pull request 7 merged into `main` at GitHub, commit 01234567";
        assert_eq!(told(&merged, &on_merge, &here), said);
        let elsewhere = event(GitHost::GitLab, pushed("feature"));
        assert_eq!(told(&elsewhere, &on_merge, &here), "its environment builds the branch `main`");
        assert_eq!(told(&push, &listens, &here), "takes no part");
        let other = event(GitHost::GitHub, Happened::Other("a ping"));
        assert_eq!(told(&other, &on_merge, &here), "takes no part");
        let long = "x".repeat(255);
        let push = event(GitHost::GitHub, pushed(&long));
        let trigger = asks(&push, &on_merge, &environment(Some(&long))).unwrap().unwrap();
        assert_eq!(trigger.cause.chars().count(), 255);
    }

    #[test]
    fn a_commit_is_told_by_its_whole_id() {
        assert!(CommitId::parse(COMMIT).is_ok() && CommitId::parse(&"aB".repeat(32)).is_ok());
        for wrong in ["", "main", "01234567", &"0".repeat(40), &"g".repeat(40)] {
            assert_eq!(CommitId::parse(wrong), Err(InvalidCommitId), "{wrong}");
        }
    }
}
