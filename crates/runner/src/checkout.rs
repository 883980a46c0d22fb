//! The working copy: `git clone`, one commit of it, and the project's folder in it.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use domain::{environment::BranchName, kept::Hidden};
use store::ClaimedRun;
use tokio::process::Command;

use crate::{
    folder::RunFolder,
    interrupt::{Halt, Interrupts},
    log::StepLog,
    process,
    surroundings::{self, Marks},
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
}

/// git, for one run.
struct Git<'a> {
    program: &'a Path,
    marks: Marks<'a>,
    folder: &'a RunFolder,
    config: PathBuf,
    /// How git calls ssh, where it gets in with a deploy key.
    ssh: Option<String>,
}

/// A deploy key on disk, for the server's user alone (0600), while git needs it.
struct KeyFile(PathBuf);

impl KeyFile {
    fn write(folder: &RunFolder, key: &Hidden) -> std::io::Result<Self> {
        let file = folder.root().join("deploy_key");
        let mut options = fs::OpenOptions::new();
        let mut opened = options.write(true).create_new(true).mode(0o600).open(&file)?;
        let written = Self(file);
        opened.write_all(key.reveal().as_bytes())?;
        Ok(written)
    }

    /// `GIT_SSH_COMMAND`: with this key and no other. A host that is new is believed once, and
    /// noted in the data folder's `known_hosts`.
    fn ssh(&self, data_dir: &Path) -> String {
        let known = data_dir.join("known_hosts");
        format!(
            "ssh -i {} -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes \
             -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={}",
            in_shell(&self.0),
            in_shell(&known)
        )
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(%error, "a deploy key stays until its run ends");
        }
    }
}

/// A path as a word of a shell, which git runs `GIT_SSH_COMMAND` with.
fn in_shell(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "'\\''"))
}

/// Clones the project's repository into the run's folder and checks out what the trigger or the
/// environment asks for.
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
    let remote = repository
        .map(|repository| repository.spec.remote.as_str())
        .ok_or_else(|| Halt::Failed(format!("the project `{project}` has no repository")))?;
    let local = local_folder(remote);
    local.map_or(Ok(()), must_be_repository).map_err(Halt::Failed)?;
    let config = write_config(folder, local)
        .map_err(|error| Halt::Failed(format!("the run's folder cannot be written: {error}")))?;
    let key =
        match &claimed.deploy_key {
            Some(key) => Some(KeyFile::write(folder, key).map_err(|error| {
                Halt::Failed(format!("the deploy key cannot be written: {error}"))
            })?),
            None => None,
        };
    let ssh = key.as_ref().map(|key| key.ssh(marks.data_dir));
    let git = Git { program, marks, folder, config, ssh };
    let (branch, sha) = asked_for(claimed);
    git.clone(remote, branch, sha, log, interrupts).await?;
    drop(key);
    let subdirectory = claimed.project.spec.subdirectory.as_ref().map_or("", |path| path.as_str());
    Ok(Checkout {
        sha: git.answer(&["rev-parse", "--verify", "HEAD"]).await.ok_or_else(no_commit)?,
        project: project_folder(&folder.working_copy(), subdirectory).map_err(Halt::Failed)?,
        branch: match branch {
            Some(branch) => Some(branch.as_str().to_owned()),
            None => git.answer(&["symbolic-ref", "--short", "-q", "HEAD"]).await,
        },
    })
}

/// The branch and the commit; a branch that the environment asks for counts only if the trigger
/// asks for none.
fn asked_for(claimed: &ClaimedRun) -> (Option<&BranchName>, Option<&BranchName>) {
    let trigger = &claimed.run.trigger;
    let branch = trigger.git_branch.as_ref().or_else(|| claimed.environment.spec.branch());
    (branch, trigger.git_sha.as_ref())
}

impl Git<'_> {
    async fn clone(
        &self,
        remote: &str,
        branch: Option<&BranchName>,
        sha: Option<&BranchName>,
        log: &mut StepLog,
        interrupts: &mut Interrupts,
    ) -> Result<(), Halt> {
        let mut clone = self.command(&["clone", "--no-local"]);
        if sha.is_none() {
            // Only the newest commit is needed.
            clone.args(["--depth", "1", "--no-tags"]);
        }
        if let Some(branch) = branch {
            clone.args(["--branch", branch.as_str()]);
        }
        clone.args(["--", remote, RunFolder::WORKING_COPY]);
        let wanted = branch.map_or_else(String::new, |name| format!(" at `{}`", name.as_str()));
        succeeded(process::run(clone, log, interrupts).await?.status, || {
            format!("git could not clone `{remote}`{wanted}, its log says why")
        })?;
        let Some(sha) = sha else { return Ok(()) };
        let mut switch = self.command(&["-c", "advice.detachedHead=false", "checkout", "--detach"]);
        switch.args([sha.as_str(), "--"]).current_dir(self.folder.working_copy());
        succeeded(process::run(switch, log, interrupts).await?.status, || {
            format!("git could not check out `{}`: `{remote}` has no such commit", sha.as_str())
        })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = surroundings::git(self.program, self.marks, self.folder);
        command.env("GIT_CONFIG_GLOBAL", &self.config).args(arguments);
        if let Some(ssh) = &self.ssh {
            command.env("GIT_SSH_COMMAND", ssh);
        }
        command
    }

    /// What git says of the working copy, in one line; `None` if it fails.
    async fn answer(&self, arguments: &[&str]) -> Option<String> {
        let mut command = self.command(arguments);
        command.current_dir(self.folder.working_copy());
        command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.ok().filter(|output| output.status.success())?;
        let text = String::from_utf8(output.stdout).ok()?;
        Some(text.trim().to_owned())
    }
}

fn succeeded(status: ExitStatus, reason: impl FnOnce() -> String) -> Result<(), Halt> {
    if status.success() { Ok(()) } else { Err(Halt::Failed(reason())) }
}

fn no_commit() -> Halt {
    Halt::Failed("the repository has no commit".to_owned())
}

/// The folder that an address of this machine names.
fn local_folder(remote: &str) -> Option<&Path> {
    let path = remote.strip_prefix("file://").unwrap_or(remote);
    path.starts_with('/').then(|| Path::new(path))
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

/// git's own settings for this run, over those of the server's user.
///
/// They are in a file since git hands settings of its command line to no process that serves a
/// local repository, and that process is the one which asks for `safe.directory`.
fn write_config(folder: &RunFolder, local: Option<&Path>) -> std::io::Result<PathBuf> {
    let mut text = String::new();
    for own in user_configs() {
        let _ = write!(text, "[include]\n\tpath = {}\n", quoted(&own));
    }
    text.push_str("[protocol \"ext\"]\n\tallow = never\n");
    for path in local.into_iter().flat_map(owned_elsewhere) {
        let _ = write!(text, "[safe]\n\tdirectory = {}\n", quoted(&path));
    }
    let file = folder.root().join("gitconfig");
    fs::write(&file, text)?;
    Ok(file)
}

fn user_configs() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let xdg = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let xdg = xdg.or_else(|| Some(home.as_ref()?.join(".config")));
    let files = [xdg.map(|xdg| xdg.join("git/config")), home.map(|home| home.join(".gitconfig"))];
    files.into_iter().flatten().filter(|file| file.is_file()).collect()
}

/// The names under which git asks whether a local repository may belong to someone else. That it
/// may was decided when the repository was given to the project.
fn owned_elsewhere(path: &Path) -> Vec<PathBuf> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    vec![path.to_owned(), path.join(".git"), real.join(".git"), real]
}

fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
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
    fn only_addresses_of_this_machine_are_folders() {
        assert_eq!(local_folder("/srv/shop"), Some(Path::new("/srv/shop")));
        assert_eq!(local_folder("file:///srv/shop.git"), Some(Path::new("/srv/shop.git")));
        assert_eq!(local_folder("https://example.com/shop.git"), None);
        assert_eq!(local_folder("git@example.com:shop.git"), None);
    }
}
