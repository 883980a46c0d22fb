//! A user of their own for the programs of runs, where the server is root.

use std::{
    fs::{self, Permissions},
    io,
    os::{
        fd::AsRawFd as _,
        unix::fs::{MetadataExt as _, PermissionsExt as _, lchown},
    },
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use rustix::{fs::OFlags, process::geteuid};
use store::DataDir;
use tokio::{fs::OpenOptions, process::Command};

use crate::folder;

/// Who executes dbt. All runs are executed by the same user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunUser {
    uid: u32,
    gid: u32,
}

impl RunUser {
    /// Finds the user by name or number, and opens to it the way to the folders of runs and to
    /// nothing else of the data folder.
    ///
    /// # Errors
    /// A sentence: there is no such user, or it is root; the server is not root; the user does not
    /// get where it has to, or does where it may not.
    pub(crate) async fn prepare(name: &str, data_dir: &DataDir) -> Result<Self, String> {
        if !geteuid().is_root() {
            return Err("only a server that root starts can give runs another user".to_owned());
        }
        let user = Self::find(name).await?;
        let (work, warehouses) = (data_dir.work(), data_dir.warehouses());
        for place in [data_dir.path(), work.as_path(), warehouses.as_path()] {
            let opened = folder::private(place).and_then(|()| user.let_through(place));
            opened.map_err(|error| format!("`{}` cannot be opened: {error}", place.display()))?;
        }
        user.check_ways(data_dir).await?;
        Ok(user)
    }

    async fn find(name: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<u32>().ok();
        let (uid, gid) = match name.split_once(':').unwrap_or((name, name)) {
            (uid, gid) if number(uid).is_some() => (number(uid), number(gid)),
            _ => (id("-u", name).await, id("-g", name).await),
        };
        match uid.zip(gid) {
            Some((0, _) | (_, 0)) => Err("root's runs could read everything".to_owned()),
            Some((uid, gid)) => Ok(Self { uid, gid }),
            None => Err("there is no such user: give a name, a number, or `uid:gid`".to_owned()),
        }
    }

    /// Has the user itself look, since what it may depends on every folder above.
    async fn check_ways(self, data_dir: &DataDir) -> Result<(), String> {
        const LOOK: &str = "cd -- \"$1\" || exit 3; shift; \
                            for file; do [ -r \"$file\" ] && printf '%s\\n' \"$file\"; done; exit 0";
        let unknown = |error: io::Error| format!("what it may read cannot be told: {error}");
        let work = data_dir.work();
        let open = [work.clone(), data_dir.warehouses(), data_dir.dbt()];
        let all = fs::read_dir(data_dir.path()).map_err(unknown)?.flatten();
        let closed = all.map(|entry| entry.path()).filter(|path| !open.contains(path));
        let mut look = self.command("sh");
        look.args(["-c", LOOK, "sh"]).arg(&work).args(closed);
        let found = look.output().await.map_err(unknown)?;
        let readable = String::from_utf8_lossy(&found.stdout);
        if !found.status.success() {
            return Err(format!(
                "it cannot reach `{}`: each folder above has to let it through (chmod o+x)",
                work.display()
            ));
        }
        match readable.lines().next() {
            Some(file) => Err(format!("it can read `{file}`: take that away (chmod go-rwx)")),
            None => Ok(()),
        }
    }

    /// Those of some files that the user gets to see.
    ///
    /// # Errors
    /// A sentence, if it cannot be asked.
    pub(crate) async fn sees(self, files: Vec<PathBuf>) -> Result<Vec<PathBuf>, String> {
        const LOOK: &str =
            "for file; do [ -e \"$file\" ] && printf '%s\\0' \"$file\"; done; exit 0";
        let mut look = self.command("sh");
        let found = look.args(["-c", LOOK, "sh"]).args(&files).output().await;
        let found = found.map_err(|error| format!("what it may see cannot be told: {error}"))?;
        let found: Vec<_> = found.stdout.split(|byte| *byte == 0).collect();
        let sees = |file: &PathBuf| found.contains(&file.as_os_str().as_encoded_bytes());
        Ok(files.into_iter().filter(sees).collect())
    }

    /// Whether a file is the user's.
    fn owns(self, meta: &fs::Metadata) -> bool {
        meta.uid() == self.uid
    }

    /// Makes a command one of the user, in no other group than its own.
    pub(crate) fn puts_on(self, command: &mut Command) {
        // Without further groups: the standard library drops root's.
        command.uid(self.uid).gid(self.gid);
    }

    /// Gives a folder and all in it to the user. Links are given, not followed.
    ///
    /// Nobody else may get into it meanwhile: what is in it must not change under the server's hands.
    pub(crate) fn own(self, path: &Path) -> io::Result<()> {
        walk(path, &|path: &Path, _: &fs::Metadata| lchown(path, Some(self.uid), Some(self.gid)))
    }

    /// Lets the user read a folder and all in it, likewise.
    pub(crate) fn lend(self, path: &Path) -> io::Result<()> {
        walk(path, &|path: &Path, meta: &fs::Metadata| {
            lchown(path, None, Some(self.gid))?;
            let mode = if meta.is_dir() { 0o750 } else { 0o640 };
            fs::set_permissions(path, Permissions::from_mode(mode))
        })
    }

    /// Lets the user through a folder, without showing what is in it.
    pub(crate) fn let_through(self, folder: &Path) -> io::Result<()> {
        lchown(folder, None, Some(self.gid))?;
        fs::set_permissions(folder, Permissions::from_mode(0o710))
    }

    /// Makes the folder of a DuckDB file. The account's is made by the server and given to the user,
    /// those in it by the user: a link there leads it nowhere where the user may not go.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) async fn make_folder(self, warehouses: &Path, file: &Path) -> Result<(), String> {
        let place = file.parent().unwrap_or(file);
        let inside = place.strip_prefix(warehouses).ok();
        if let Some(account) = inside.and_then(|inside| inside.components().next()) {
            let account = warehouses.join(account);
            folder::private(&account)
                .and_then(|()| lchown(&account, Some(self.uid), Some(self.gid)))
                .map_err(|error| error.to_string())?;
        }
        let mut make = self.command("mkdir");
        said(make.args(["-p", "-m", "700", "--"]).arg(place).output().await)?;
        match fs::symlink_metadata(file) {
            Ok(meta) if !self.owns(&meta) => {
                let (uid, gid, all) = (self.uid, self.gid, warehouses.display());
                Err(format!("it belongs to another user: `chown -R {uid}:{gid} {all}/*`"))
            }
            _ => Ok(()),
        }
    }

    /// Copies the files of a folder into another, as the user.
    ///
    /// # Errors
    /// What the programs say.
    pub(crate) async fn copy(self, from: &Path, to: &Path) -> Result<(), String> {
        const COPY: &str = "mkdir -p -- \"$2\" && cp -f -- \"$1\"/* \"$2\"/";
        let mut copy = self.command("sh");
        said(copy.args(["-c", COPY, "sh"]).arg(from).arg(to).output().await)
    }

    /// A command of the user, with nothing of the server's environment but the way to programs.
    fn command(self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.stdin(Stdio::null()).kill_on_drop(true).current_dir("/");
        self.puts_on(&mut command);
        command
    }
}

/// Opens a file that dbt has written, to read it; where runs have a user of their own, only one that
/// is that user's: a link that it has made meanwhile leads the server to nothing that the user could
/// not have read itself. Where dbt is in a sandbox as the server's user, the file has to be the one that
/// stands there: a link that leads nowhere inside would lead out of the run's folder here. A pipe is not
/// waited for.
pub(crate) async fn open(path: &Path, user: Option<RunUser>) -> io::Result<tokio::fs::File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).await?;
    let meta = file.metadata().await?;
    if !meta.is_file() || user.is_some_and(|user| !user.owns(&meta)) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    // Of the open file, so that nothing can be put in its place in between; `/proc` is Linux's alone.
    let real = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
    if user.is_none() && real.is_ok_and(|real| real != path) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(file)
}

/// Does something with a folder and all in it, the folder last.
fn walk(path: &Path, give: &impl Fn(&Path, &fs::Metadata) -> io::Result<()>) -> io::Result<()> {
    let meta = fs::symlink_metadata(path)?;
    if meta.is_dir() {
        for entry in fs::read_dir(path)? {
            walk(&entry?.path(), give)?;
        }
    }
    give(path, &meta)
}

/// What `id` says of a user.
async fn id(what: &str, user: &str) -> Option<u32> {
    let output = Command::new("id").args([what, "--", user]).output().await.ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn said(output: io::Result<Output>) -> Result<(), String> {
    let output = output.map_err(|error| error.to_string())?;
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(said()) }
}
