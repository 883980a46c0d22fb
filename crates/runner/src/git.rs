//! The git program: how a run calls it, and how it gets in where the repository is.

use std::{
    fmt::Write as _,
    fs,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use domain::{
    kept::Hidden,
    repository::{Host, RemoteUrl},
};
use store::ClaimedRun;
use tokio::process::Command;

use crate::{
    folder::RunFolder,
    interrupt::{Halt, Interrupts},
    log::StepLog,
    process::{self, End},
    secret_file::SecretFile,
    surroundings::{self, Marks},
};

/// git, for one run. What it needs to get in is on disk as long as this lives.
#[derive(Debug)]
pub(crate) struct Git<'a> {
    program: &'a Path,
    marks: Marks<'a>,
    folder: &'a RunFolder,
    config: PathBuf,
    remote: &'a RemoteUrl,
    /// How git calls ssh, where it gets in with a deploy key, and that key.
    ssh: Option<(String, SecretFile)>,
    /// The token, where git gets in with one.
    token: Option<SecretFile>,
}

/// Who git says it is where the address does not: what hosts of git take with a token of theirs.
const USER: &str = "x-access-token";

impl<'a> Git<'a> {
    /// Writes down what git needs to know: its settings, and what it gets in with. The remote is
    /// `origin`.
    ///
    /// # Errors
    /// [`Halt::Failed`] if the run's folder cannot be written.
    pub(crate) fn of(
        program: &'a Path,
        marks: Marks<'a>,
        folder: &'a RunFolder,
        claimed: &ClaimedRun,
        remote: &'a RemoteUrl,
    ) -> Result<Self, Halt> {
        let unwritable = |error: std::io::Error| {
            Halt::Failed(format!("the run's folder cannot be written: {error}"))
        };
        let token = claimed.git_token.as_ref().filter(|_| remote.takes_token());
        let token = token.map(|token| {
            SecretFile::write(folder.root().join("git_token"), &stored_login(remote, token))
        });
        let token = token.transpose().map_err(unwritable)?;
        let login = token.as_ref().map(SecretFile::path);
        let config = write_config(folder, remote, login).map_err(unwritable)?;
        let key = claimed.deploy_key.as_ref();
        let key = key.map(|key| SecretFile::write(folder.root().join("deploy_key"), key));
        let key = key
            .transpose()
            .map_err(|error| Halt::Failed(format!("the deploy key cannot be written: {error}")))?;
        let ssh = key.map(|key| (ssh(key.path(), marks.data_dir), key));
        Ok(Self { program, marks, folder, config, remote, ssh, token })
    }

    /// A command in the run's folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = surroundings::git(self.program, self.marks, self.folder);
        command.env("GIT_CONFIG_GLOBAL", &self.config).args(arguments);
        if let Some((ssh, _)) = &self.ssh {
            command.env("GIT_SSH_COMMAND", ssh);
        }
        command
    }

    /// Runs a command, with what it says in the step's log.
    ///
    /// # Errors
    /// As [`process::run`]; [`Halt::Failed`] if a signal ended it.
    pub(crate) async fn run(
        &self,
        command: Command,
        log: &mut StepLog,
        interrupts: &mut Interrupts,
    ) -> Result<End, Halt> {
        let end = process::run(command, log, interrupts).await?;
        match end.status.signal() {
            None => Ok(end),
            Some(signal) => Err(Halt::Failed(format!("git was ended by signal {signal}"))),
        }
    }

    /// What a command answers, whose complaints alone go into the step's log; `None` if it fails.
    /// An interrupt kills it: what of its processes stays behind goes with the run.
    ///
    /// # Errors
    /// [`Halt::Interrupted`], [`Halt::Store`]; [`Halt::Failed`] if git cannot be started.
    pub(crate) async fn ask(
        &self,
        mut command: Command,
        log: &mut StepLog,
        interrupts: &mut Interrupts,
    ) -> Result<Result<String, String>, Halt> {
        interrupts.check()?;
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::select! {
            output = command.output() => output.map_err(|error| {
                let program = self.program.display();
                Halt::Failed(format!("the program `{program}` cannot be started: {error}"))
            })?,
            interrupt = interrupts.raised() => return Err(interrupt.into()),
        };
        log.push(&output.stderr).await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        })
    }
}

impl Git<'_> {
    /// Why the host did not let git in, by what git said last; `None` if it did.
    pub(crate) fn shut_out(&self, last_words: &str) -> Option<Halt> {
        let said = |words: &[&str]| words.iter().any(|word| last_words.contains(word));
        let remote = self.remote.as_str();
        let what = match (&self.token, &self.ssh) {
            (Some(_), _) if said(&["Authentication failed", "could not read", "error: 403"]) => {
                "with the repository's token: it is wrong, has run out, or may not read there; set \
                 another (`git_token`)"
            }
            (None, _)
                if said(&["Authentication failed", "could not read Username", "error: 403"]) =>
            {
                "without a login: give the repository a token (`git_token`)"
            }
            (_, Some(_)) if said(&["Permission denied (publickey"]) => {
                "with the repository's deploy key: add the public half to what may read there"
            }
            _ => return None,
        };
        Some(Halt::Failed(format!("`{remote}` does not let git in {what}")))
    }
}

/// What `git credential-store` keeps: a line with the login for the host of an address.
fn stored_login(remote: &RemoteUrl, token: &Hidden) -> Hidden {
    let Some(host) = remote.host() else { return Hidden::new(String::new()) };
    let (scheme, user, name) = (host.scheme, host.user.unwrap_or(USER), host.name);
    let mut encoded = String::new();
    for byte in token.reveal().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => encoded.push(char::from(byte)),
            _ => drop(write!(encoded, "%{byte:02x}")),
        }
    }
    Hidden::new(format!("{scheme}://{user}:{encoded}@{name}\n"))
}

/// `GIT_SSH_COMMAND`: with this key and no other. A host that is new is believed once, and noted in
/// the data folder's `known_hosts`.
fn ssh(key: &Path, data_dir: &Path) -> String {
    format!(
        "ssh -i {} -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes \
         -o ConnectTimeout=60 -o ServerAliveInterval=15 -o ServerAliveCountMax=4 \
         -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile={}",
        in_shell(key),
        in_shell(&data_dir.join("known_hosts"))
    )
}

/// A path as a word of a shell, which git runs `GIT_SSH_COMMAND` with.
fn in_shell(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "'\\''"))
}

/// The folder that an address of this machine names.
pub(crate) fn local_folder(remote: &str) -> Option<&Path> {
    let path = remote.strip_prefix("file://").unwrap_or(remote);
    path.starts_with('/').then(|| Path::new(path))
}

/// git's own settings for this run, over those of the server's user.
///
/// They are in a file since git hands settings of its command line to no process that serves a
/// local repository, and that process is the one which asks for `safe.directory`.
fn write_config(
    folder: &RunFolder,
    remote: &RemoteUrl,
    login: Option<&Path>,
) -> std::io::Result<PathBuf> {
    // A host that says nothing for a minute has gone away: others wait for the clone.
    let mut text = "[http]\n\tlowSpeedLimit = 1\n\tlowSpeedTime = 60\n".to_owned();
    for own in user_configs() {
        let _ = write!(text, "[include]\n\tpath = {}\n", quoted(&own.to_string_lossy()));
    }
    // A clone of the server's is written by runs alone, and no hook is called for it.
    text.push_str("[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n");
    text.push_str("[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n");
    // What is fetched at once stays one file.
    text.push_str("[fetch]\n\tunpackLimit = 1\n");
    text.push_str("[protocol \"ext\"]\n\tallow = never\n");
    for path in local_folder(remote.as_str()).into_iter().flat_map(owned_elsewhere) {
        let _ = write!(text, "[safe]\n\tdirectory = {}\n", quoted(&path.to_string_lossy()));
    }
    let _ = write!(text, "[remote \"origin\"]\n\turl = {}\n", quoted(remote.as_str()));
    if let Some((login, host)) = login.zip(remote.host()) {
        text.push_str(&credentials(login, remote.as_str(), host));
    }
    let file = folder.root().join("gitconfig");
    fs::write(&file, text)?;
    Ok(file)
}

/// Has git ask for the login of this host in a file of the run's, and nobody else: what other helpers
/// hear of, they keep. Where git is led to another host, that one is given nothing.
fn credentials(login: &Path, remote: &str, host: Host<'_>) -> String {
    let store = quoted(&format!("store --file={}", in_shell(login)));
    // The settings of the server's user may be about the whole address.
    [format!("{}://{}", host.scheme, host.name), remote.to_owned()]
        .map(|place| {
            let place = quoted(&place);
            format!("[credential {place}]\n\thelper =\n\thelper = {store}\n\tuseHttpPath = false\n")
        })
        .concat()
        + "[core]\n\taskPass =\n"
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

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_folders() {
        assert_eq!(local_folder("/srv/shop"), Some(Path::new("/srv/shop")));
        assert_eq!(local_folder("file:///srv/shop.git"), Some(Path::new("/srv/shop.git")));
        assert_eq!(local_folder("https://example.com/shop.git"), None);
        assert_eq!(local_folder("git@example.com:shop.git"), None);
    }
}
