//! The sandbox that dbt runs in, where bubblewrap is there: namespaces of its own for files and
//! processes.
//!
//! In it everything can be read that the user of runs may read, and nothing be written, but for the run's
//! working copy, home and temporary folder, and the folder of its DuckDB file. The data folder has nothing
//! else in it, and where secrets are that the server knows of there is nothing. dbt sees no process but
//! its own, and all end with the one that leads them. The network is the machine's.

use std::{
    ffi::OsString,
    fmt,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    str::FromStr,
};

use tokio::process::Command;

use crate::{folder::RunFolder, program::find_program, run_user::RunUser};

/// Whether dbt runs in a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxMode {
    /// In bubblewrap where that works on this machine; else in none, which a line at start-up says.
    Auto,
    /// In bubblewrap, or not at all.
    Bubblewrap,
    /// In none.
    Off,
}

/// The text is none of the modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be auto, bubblewrap or off")]
pub struct InvalidSandboxMode;

impl FromStr for SandboxMode {
    type Err = InvalidSandboxMode;
    fn from_str(text: &str) -> Result<Self, InvalidSandboxMode> {
        match text {
            "auto" => Ok(Self::Auto),
            "bubblewrap" => Ok(Self::Bubblewrap),
            "off" => Ok(Self::Off),
            _ => Err(InvalidSandboxMode),
        }
    }
}

impl fmt::Display for SandboxMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Bubblewrap => "bubblewrap",
            Self::Off => "off",
        })
    }
}

/// Where the server's user keeps logins that dbt has no business with, in its home.
const LOGINS: [&str; 11] = [
    ".ssh",
    ".gnupg",
    ".netrc",
    ".pgpass",
    ".git-credentials",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
    ".config/git",
    ".config/gcloud",
];
/// What of `/run` is there all the same: how names are looked up, and a PostgreSQL of this machine.
const OF_RUN: [&str; 4] =
    ["/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager", "/run/postgresql"];

/// bubblewrap, as it works on this machine.
#[derive(Debug)]
pub(crate) struct Sandbox {
    bwrap: PathBuf,
    env: PathBuf,
    data_dir: PathBuf,
    /// Files and folders that are not there inside.
    hidden: Vec<PathBuf>,
}

impl Sandbox {
    /// Finds bubblewrap and tries it, as the user who executes dbt.
    ///
    /// # Errors
    /// Why there is none, in a sentence's second half.
    pub(crate) async fn prepare(
        data_dir: &Path,
        hidden: &[PathBuf],
        user: Option<RunUser>,
    ) -> Result<Self, String> {
        let there = |name: &str| {
            find_program(Path::new(name)).ok_or_else(|| format!("`{name}` is not in PATH"))
        };
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let logins = home.into_iter().flat_map(|home| LOGINS.map(|login| home.join(login)));
        let hidden =
            hidden.iter().cloned().chain(logins).filter_map(|path| path.canonicalize().ok());
        let hidden: Vec<_> = hidden.filter(|path| !path.starts_with(data_dir)).collect();
        let hidden = match user {
            Some(user) => user.sees(hidden).await?,
            None => hidden,
        };
        let data_dir = data_dir.to_owned();
        let sandbox = Self { bwrap: there("bwrap")?, env: there("env")?, data_dir, hidden };
        sandbox.try_out(user).await?;
        Ok(sandbox)
    }

    /// Whether the kernel lets this user have what the sandbox is made of.
    async fn try_out(&self, user: Option<RunUser>) -> Result<(), String> {
        let mut command = Command::new(&self.env);
        command.args(self.leading()).args(["--ro-bind", "/", "/"]).args(NAMESPACES);
        command.arg("--").args(self.within()).arg("true");
        command.current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
        if let Some(user) = user {
            user.puts_on(&mut command);
        }
        let tried = command.output().await.map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&tried.stderr);
        let said = said.lines().last().unwrap_or("it fails").to_owned();
        if tried.status.success() { Ok(()) } else { Err(said) }
    }

    /// What stands before a program of a run that is to run in the sandbox.
    pub(crate) fn words(
        &self,
        folder: &RunFolder,
        warehouse: Option<&Warehouse>,
        program: &Path,
    ) -> Vec<OsString> {
        let mut view = View::default();
        view.bind("--ro-bind", Path::new("/"), Path::new("/"));
        view.bind("--bind", &folder.temporary(), Path::new("/tmp"));
        if program.starts_with("/tmp") {
            view.show("--ro-bind", installation(program));
        }
        for place in ["/run", "/var/tmp"].map(Path::new).into_iter().filter(|place| place.is_dir())
        {
            view.empty(place);
        }
        for place in OF_RUN {
            view.show("--ro-bind-try", Path::new(place));
        }
        view.empty(&self.data_dir);
        view.show("--ro-bind-try", &self.data_dir.join("dbt"));
        for place in [folder.working_copy(), folder.home(), folder.temporary(), folder.logs()] {
            view.show("--bind", &place);
        }
        for place in [folder.profiles(), folder.state()] {
            view.show("--ro-bind-try", &place);
        }
        if let Some(Warehouse { place, others }) = warehouse {
            view.show("--bind", place);
            if let Some(others) = others {
                view.empty(others);
            }
        }
        for place in &self.hidden {
            if place.is_dir() {
                view.empty(place);
            } else {
                view.bind("--ro-bind", Path::new("/dev/null"), place);
            }
        }
        let mut words = vec![self.env.clone().into()];
        words.extend(self.leading());
        words.extend(view.0);
        words.extend(NAMESPACES.map(OsString::from));
        words.push("--".into());
        words.extend(self.within());
        words
    }

    /// SIGTERM is for dbt: bubblewrap, which is in its group, waits for its end.
    fn leading(&self) -> [OsString; 2] {
        ["--ignore-signal=TERM".into(), self.bwrap.clone().into()]
    }

    fn within(&self) -> [OsString; 2] {
        [self.env.clone().into(), "--default-signal=TERM".into()]
    }
}

/// Without rights over the machine, also for root, who could change the kernel's settings even so.
const NAMESPACES: [&str; 16] = [
    "--dev",
    "/dev",
    "--proc",
    "/proc",
    "--ro-bind",
    "/proc/sys",
    "/proc/sys",
    "--ro-bind-try",
    "/proc/sysrq-trigger",
    "/proc/sysrq-trigger",
    "--cap-drop",
    "ALL",
    "--unshare-pid",
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-cgroup-try",
];

/// What is to be seen in the sandbox, in bubblewrap's words: what comes later covers what is before.
#[derive(Debug, Default)]
struct View(Vec<OsString>);

impl View {
    fn bind(&mut self, how: &str, from: &Path, to: &Path) {
        self.0.extend([how.into(), from.into(), to.into()]);
    }

    fn show(&mut self, how: &str, place: &Path) {
        self.bind(how, place, place);
    }

    fn empty(&mut self, place: &Path) {
        self.0.extend(["--tmpfs".into(), place.into()]);
    }
}

/// The DuckDB files that dbt gets at: those of the account's connections, or of the project's own.
#[derive(Debug)]
pub(crate) struct Warehouse {
    place: PathBuf,
    /// Where in it the files of projects are, which an account's connection does not reach.
    others: Option<PathBuf>,
}

impl Warehouse {
    /// Where a file is that a connection leads to, of the account or of one project.
    pub(crate) fn of(warehouses: &Path, file: &Path, of_project: bool) -> Self {
        let inside = file.strip_prefix(warehouses).unwrap_or(file);
        let account: PathBuf = warehouses.join(inside.components().take(1).collect::<PathBuf>());
        let others = account.join("projects");
        if of_project {
            let place = warehouses.join(inside.components().take(3).collect::<PathBuf>());
            return Self { place, others: None };
        }
        let others = (!file.starts_with(&others)).then_some(others);
        Self { place: account, others }
    }

    /// Folders that have to be there, so that none of a run's making takes their place.
    pub(crate) fn places(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.place.as_path()).chain(self.others.as_deref())
    }
}

/// The folder that a program and what it needs is in: of `/opt/venv/bin/dbt` that is `/opt/venv`.
fn installation(program: &Path) -> &Path {
    let folder = program.parent().unwrap_or(program);
    match folder.parent() {
        Some(above) if folder.ends_with("bin") => above,
        _ => folder,
    }
}

/// How the program in the sandbox ended: bubblewrap tells a signal as a shell does, as 128 and its
/// number.
pub(crate) fn ended(status: ExitStatus) -> ExitStatus {
    match status.code() {
        Some(code @ 129..=192) => ExitStatus::from_raw(code - 128),
        _ => status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_told_apart_from_a_code_of_dbt() {
        let told = |code: i32| {
            let status = ended(ExitStatus::from_raw(code << 8));
            (status.code(), status.signal())
        };
        assert_eq!([told(0), told(2)], [(Some(0), None), (Some(2), None)]);
        assert_eq!([told(137), told(153)], [(None, Some(9)), (None, Some(25))]);
    }

    #[test]
    fn a_connection_of_the_account_does_not_reach_the_files_of_projects() {
        let all = Path::new("/data/warehouses");
        let of = |file: &str, of_project| {
            let warehouse = Warehouse::of(all, &all.join(file), of_project);
            warehouse.places().map(|place| place.display().to_string()).collect::<Vec<_>>()
        };
        let account = "/data/warehouses/1";
        let projects = "/data/warehouses/1/projects";
        assert_eq!(of("1/shop.duckdb", false), [account, projects]);
        assert_eq!(of("1/marts/shop.duckdb", false), [account, projects]);
        assert_eq!(of("1/projects/7/shop.duckdb", true), [format!("{projects}/7")]);
        assert_eq!(of("1/projects/7/shop.duckdb", false), [account]);
    }

    #[test]
    fn a_program_comes_with_its_virtual_environment() {
        for (program, place) in [("/opt/venv/bin/dbt", "/opt/venv"), ("/opt/dbt", "/opt")] {
            assert_eq!(installation(Path::new(program)), Path::new(place));
        }
    }

    #[test]
    fn a_mode_reads_as_it_is_written() {
        for mode in [SandboxMode::Auto, SandboxMode::Bubblewrap, SandboxMode::Off] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert_eq!("on".parse::<SandboxMode>(), Err(InvalidSandboxMode));
    }
}
