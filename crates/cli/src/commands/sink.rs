//! Where new secrets go: files that only their owner reads, never a terminal unless it is said.

use std::{
    fs,
    io::{IsTerminal as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use crate::{args::SinkArgs, error::CliError, output};

/// Where new secrets go.
pub(super) enum Sink {
    /// A file for one secret.
    File(PathBuf),
    /// A folder with a file for each token, named after its id.
    Folder(PathBuf),
    /// Lines such as `NARROWGATE_TOKEN_7=…` in a file with other lines.
    Environment(PathBuf),
    /// Standard output.
    Output,
}

impl SinkArgs {
    /// Where the secret of one token goes.
    ///
    /// # Errors
    /// [`CliError::Usage`] if a terminal would show it, and nobody asked for that.
    pub(super) fn for_one(&self) -> Result<Sink, CliError> {
        match (&self.to_file, &self.to_env) {
            (Some(file), _) => Ok(Sink::File(file.clone())),
            (None, Some(file)) => Ok(Sink::Environment(file.clone())),
            (None, None) if self.show || !std::io::stdout().is_terminal() => Ok(Sink::Output),
            (None, None) => {
                let ways = "--to-file FILE, --to-env FILE, or --show";
                Err(CliError::Usage(format!("a terminal would show the secret: {ways}")))
            }
        }
    }

    /// Where the secrets of many tokens go.
    ///
    /// # Errors
    /// [`CliError::Usage`] if it is not said.
    pub(super) fn for_many(&self) -> Result<Sink, CliError> {
        match (&self.to_dir, &self.to_env) {
            (Some(folder), _) => Ok(Sink::Folder(folder.clone())),
            (None, Some(file)) => Ok(Sink::Environment(file.clone())),
            (None, None) => Err(CliError::Usage(
                "say where the secrets go: --to-dir DIR or --to-env FILE".into(),
            )),
        }
    }
}

impl Sink {
    /// Whether it can be written to, asked before there is a secret that could be lost.
    pub(super) fn check(&self) -> Result<(), CliError> {
        match self {
            Self::File(file) | Self::Environment(file) => {
                let folder = folder_of(file);
                let probe = folder.join(format!(".narrowgate-{}", std::process::id()));
                write(&probe, "")
                    .and_then(|()| fs::remove_file(&probe))
                    .map_err(|e| wrong(file, &e))
            }
            Self::Folder(folder) => fs::create_dir_all(folder).map_err(|e| wrong(folder, &e)),
            Self::Output => Ok(()),
        }
    }

    /// Puts a token's secret there; says where it is.
    pub(super) fn put(&self, id: i64, secret: &str) -> Result<String, CliError> {
        match self {
            Self::File(file) => replace(file, &format!("{secret}\n")),
            Self::Folder(folder) => replace(&folder.join(id.to_string()), &format!("{secret}\n")),
            Self::Environment(file) => {
                let before = match fs::read_to_string(file) {
                    Ok(text) => text,
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
                    Err(error) => return Err(wrong(file, &error)),
                };
                let name = format!("NARROWGATE_TOKEN_{id}=");
                let others = before.lines().filter(|line| !line.starts_with(&name));
                let line = format!("{name}{secret}");
                let lines: Vec<_> = others.chain([line.as_str()]).collect();
                replace(file, &(lines.join("\n") + "\n"))
            }
            Self::Output => {
                output::line(secret);
                Ok("above".to_owned())
            }
        }
    }
}

/// Writes the whole file anew, readable by its owner alone; the old one stays if that fails.
fn replace(file: &Path, text: &str) -> Result<String, CliError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let fresh = folder_of(file).join(format!(".{name}.narrowgate-{}", std::process::id()));
    let written = write(&fresh, text).and_then(|()| fs::rename(&fresh, file));
    written.map_err(|error| wrong(file, &error))?;
    Ok(file.display().to_string())
}

fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut opened = options.write(true).create_new(true).mode(0o600).open(file)?;
    opened.write_all(text.as_bytes())?;
    opened.sync_all()
}

fn folder_of(file: &Path) -> PathBuf {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

fn wrong(file: &Path, error: &std::io::Error) -> CliError {
    CliError::Other(format!("{}: {error}", file.display()))
}
