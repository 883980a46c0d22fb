//! The working copy: the files of one commit, and the project's folder in them.

use std::path::{Path, PathBuf};

use domain::environment::BranchName;
use store::{ClaimedRun, DataDir};

use crate::{
    clones::Clones,
    folder::{self, RunFolder},
    git::{Git, local_folder},
    interrupt::{Halt, Interrupts},
    log::StepLog,
    surroundings::Marks,
};

/// What was checked out.
#[derive(Debug)]
pub(crate) struct Checkout {
    /// The folder that holds `dbt_project.yml`.
    pub(crate) project: PathBuf,
    /// The commit.
    pub(crate) sha: String,
    /// The branch: the one that was asked for, or else the repository's own; `None` if only a
    /// commit was asked for.
    pub(crate) branch: Option<String>,
    /// Whether nothing had to be fetched.
    pub(crate) warm: bool,
}

/// A commit to be checked out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Commit {
    /// Its whole id.
    Id(String),
    /// The beginning of its id.
    Begins(String),
}

/// Lays the files of the commit that the trigger or the environment asks for into the run's folder.
///
/// They come out of the clone that is kept of the repository, which git fetches the commit into if it
/// is not there yet. The working copy is files alone: no history, no hooks, no settings of git.
///
/// # Errors
/// [`Halt::Failed`] with a sentence that says what is wrong with the repository;
/// [`Halt::Interrupted`], [`Halt::Store`].
pub(crate) async fn checkout(
    program: &Path,
    marks: Marks<'_>,
    folder: &RunFolder,
    claimed: &ClaimedRun,
    log: &mut StepLog,
    interrupts: &mut Interrupts,
) -> Result<Checkout, Halt> {
    let project = claimed.project.spec.name.as_str();
    let repository = claimed.repository.as_ref();
    let url = repository
        .map(|repository| &repository.spec.remote)
        .ok_or_else(|| Halt::Failed(format!("the project `{project}` has no repository")))?;
    let remote = url.as_str();
    local_folder(remote).map_or(Ok(()), must_be_repository).map_err(Halt::Failed)?;
    folder::private(&folder.working_copy()).map_err(Halt::failed)?;
    let git = Git::of(program, marks, folder, claimed, url)?;
    let (branch, sha) = asked_for(claimed);
    let (commit, branch) = match (sha, branch) {
        (Some(sha), branch) => {
            let commit = named(&git, remote, sha, log, interrupts).await?;
            (commit, branch.map(|branch| branch.as_str().to_owned()))
        }
        (None, branch) => newest(&git, remote, branch, log, interrupts).await?,
    };
    let place = DataDir::new(marks.data_dir).clones_of(claimed.project.id);
    let now = claimed.run.updated_at;
    let clones = Clones { git: &git, place, remote, maker: marks.lease, now };
    let (sha, warm) = clones.lay_out(&commit, folder, log, interrupts).await?;
    let subdirectory = claimed.project.spec.subdirectory.as_ref().map_or("", |path| path.as_str());
    let project = project_folder(&folder.working_copy(), subdirectory).map_err(Halt::Failed)?;
    Ok(Checkout { project, sha, branch, warm })
}

/// The branch and the commit; a branch that the environment asks for counts only if the trigger
/// asks for none.
fn asked_for(claimed: &ClaimedRun) -> (Option<&BranchName>, Option<&BranchName>) {
    let trigger = &claimed.run.trigger;
    let branch = trigger.git_branch.as_ref().or_else(|| claimed.environment.spec.branch());
    (branch, trigger.git_sha.as_ref())
}

/// The commit that is called so: by its id, the beginning of one, or a branch or tag.
async fn named(
    git: &Git<'_>,
    remote: &str,
    name: &BranchName,
    log: &mut StepLog,
    interrupts: &mut Interrupts,
) -> Result<Commit, Halt> {
    let id = name.as_str().to_ascii_lowercase();
    let hex = id.chars().all(|c| c.is_ascii_hexdigit());
    if hex && matches!(id.len(), 40 | 64) {
        return Ok(Commit::Id(id));
    }
    let refs = refs(git, remote, Some(name), log, interrupts).await?;
    match refs.find(Some(name)) {
        Some(id) => Ok(Commit::Id(id)),
        None if hex && id.len() >= 4 => Ok(Commit::Begins(id)),
        None => Err(no_such_commit(remote, name.as_str())),
    }
}

/// The newest commit of the branch (or tag), or of the repository's own branch, and its name.
async fn newest(
    git: &Git<'_>,
    remote: &str,
    branch: Option<&BranchName>,
    log: &mut StepLog,
    interrupts: &mut Interrupts,
) -> Result<(Commit, Option<String>), Halt> {
    let refs = refs(git, remote, branch, log, interrupts).await?;
    let id = refs.find(branch).ok_or_else(|| match branch {
        Some(branch) => {
            let branch = branch.as_str();
            Halt::Failed(format!("the repository `{remote}` has no branch or tag `{branch}`"))
        }
        None => Halt::Failed("the repository has no commit".to_owned()),
    })?;
    let branch = branch.map(|branch| branch.as_str().to_owned()).or_else(|| refs.default_branch());
    Ok((Commit::Id(id), branch))
}

pub(crate) fn no_such_commit(remote: &str, sha: &str) -> Halt {
    Halt::Failed(format!("git could not check out `{sha}`: `{remote}` has no such commit"))
}

/// What `git ls-remote --symref` says.
#[derive(Debug)]
struct Refs(String);

/// Asks the git host for a branch or tag, or for the branch that it calls its own.
async fn refs(
    git: &Git<'_>,
    remote: &str,
    name: Option<&BranchName>,
    log: &mut StepLog,
    interrupts: &mut Interrupts,
) -> Result<Refs, Halt> {
    let mut command = git.command(&["ls-remote", "--symref", "--", "origin"]);
    command.args(places(name.map_or("HEAD", BranchName::as_str)));
    match git.ask(command, log, interrupts).await? {
        Ok(said) => Ok(Refs(said)),
        Err(said) => Err(git.shut_out(&said).unwrap_or_else(|| {
            Halt::Failed(format!("git could not ask `{remote}`, its log says why"))
        })),
    }
}

/// Where a name may stand, as git looks for it: branch, tag (what it points to first), or a ref, in
/// whole or without `refs/`, such as `pull/7/head`.
fn places(name: &str) -> Vec<String> {
    if name == "HEAD" || name.starts_with("refs/") {
        return vec![name.to_owned()];
    }
    let (head, tag) = (format!("refs/heads/{name}"), format!("refs/tags/{name}"));
    vec![head, format!("{tag}^{{}}"), tag, format!("refs/{name}")]
}

impl Refs {
    fn find(&self, name: Option<&BranchName>) -> Option<String> {
        let places = places(name.map_or("HEAD", BranchName::as_str));
        let found = places.iter().find_map(|place| self.lines().find(|(_, at)| at == place));
        found.map(|(id, _)| id.to_owned())
    }

    fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.0.lines().filter_map(|line| line.split_once('\t'));
        lines.filter(|(id, _)| {
            matches!(id.len(), 40 | 64) && id.chars().all(|c| c.is_ascii_hexdigit())
        })
    }

    /// `ref: refs/heads/main<TAB>HEAD`.
    fn default_branch(&self) -> Option<String> {
        let symbolic = self.0.lines().find_map(|line| line.strip_prefix("ref: refs/heads/"))?;
        symbolic.strip_suffix("\tHEAD").map(str::to_owned)
    }
}

fn must_be_repository(folder: &Path) -> Result<(), String> {
    let path = folder.display();
    if !folder.exists() {
        Err(format!("the repository `{path}` is not there"))
    } else if folder.join(".git").exists() || folder.join("HEAD").is_file() || folder.is_file() {
        Ok(())
    } else {
        Err(format!(
            "the folder `{path}` is not a git repository: make it one with `git init`, and commit"
        ))
    }
}

/// The folder of the dbt project: inside the working copy, links followed.
fn project_folder(working_copy: &Path, subdirectory: &str) -> Result<PathBuf, String> {
    let place = if subdirectory.is_empty() { "its root" } else { subdirectory };
    let missing = || format!("the repository has no `dbt_project.yml` in {place}");
    let root = working_copy.canonicalize().map_err(|_| missing())?;
    let project = root.join(subdirectory).canonicalize().map_err(|_| missing())?;
    if !project.starts_with(&root) {
        return Err(format!("the folder `{subdirectory}` leads out of the repository"));
    }
    if project.join("dbt_project.yml").is_file() { Ok(project) } else { Err(missing()) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_folder_that_is_no_repository_is_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let reason = must_be_repository(folder.path()).unwrap_err();
        assert!(
            reason.contains("is not a git repository: make it one with `git init`"),
            "{reason}"
        );
        let reason = must_be_repository(Path::new("/nowhere/shop")).unwrap_err();
        assert_eq!(reason, "the repository `/nowhere/shop` is not there");
    }

    #[test]
    fn a_project_may_be_in_a_folder_of_the_repository_but_not_outside() {
        let copy = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        for folder in [copy.path().join("dbt/shop"), outside.path().to_owned()] {
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("dbt_project.yml"), "name: shop").unwrap();
        }
        std::os::unix::fs::symlink(outside.path(), copy.path().join("link")).unwrap();
        let folder = |subdirectory| project_folder(copy.path(), subdirectory);
        assert!(folder("dbt/shop").unwrap().ends_with("dbt/shop"));
        assert_eq!(folder("").unwrap_err(), "the repository has no `dbt_project.yml` in its root");
        assert_eq!(folder("dbt").unwrap_err(), "the repository has no `dbt_project.yml` in dbt");
        assert_eq!(folder("link").unwrap_err(), "the folder `link` leads out of the repository");
    }

    #[test]
    fn a_branch_comes_before_a_tag_and_a_tag_is_what_it_points_to() {
        let id = |digit: char| digit.to_string().repeat(40);
        let name = |text: &str| BranchName::parse(text).unwrap();
        let [a, b, c, d] = ['a', 'b', 'c', 'd'].map(id);
        let refs = Refs(format!(
            "ref: refs/heads/main\tHEAD\n{a}\tHEAD\n{a}\trefs/heads/main\n\
             {b}\trefs/tags/v1\n{c}\trefs/tags/v1^{{}}\n{d}\trefs/pull/7/head\n\
             {b}\trefs/remotes/x/main\nwarning\trefs/heads/odd\n"
        ));
        assert_eq!(refs.default_branch().as_deref(), Some("main"));
        let find = |text: &str| refs.find(Some(&name(text)));
        assert_eq!((refs.find(None), find("main")), (Some(a.clone()), Some(a)));
        assert_eq!((find("v1"), find("refs/pull/7/head")), (Some(c), Some(d.clone())));
        assert_eq!((find("pull/7/head"), find("odd"), find("x/main")), (Some(d), None, None));
    }
}
