//! Where new secrets go: files that only their owner reads, never a terminal unless it is said.
//!
//! A sink is checked before there is a secret that could be lost, and filled after.

use std::{
    fs,
    io::{IsTerminal as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    args::{ManySecretsArgs, SinkArgs},
    error::CliError,
    output,
};

/// Where new secrets go.
pub(super) struct Sink {
    place: Place,
    overwrite: bool,
}

enum Place {
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
    pub(super) fn sink(&self) -> Result<Sink, CliError> {
        let place = match (&self.to_file, &self.to_env) {
            (Some(file), _) => Place::File(file.clone()),
            (None, Some(file)) => Place::Environment(file.clone()),
            (None, None) if self.show || !std::io::stdout().is_terminal() => Place::Output,
            (None, None) => {
                let ways = "--to-file FILE, --to-env FILE, or --show";
                return Err(CliError::Usage(format!("a terminal would show the secret: {ways}")));
            }
        };
        Ok(Sink { place, overwrite: self.overwrite })
    }
}

impl ManySecretsArgs {
    /// Where the secrets of many tokens go.
    ///
    /// # Errors
    /// [`CliError::Usage`] if it is not said.
    pub(super) fn sink(&self) -> Result<Sink, CliError> {
        let place = match (&self.to_dir, &self.to_env) {
            (Some(folder), _) => Place::Folder(folder.clone()),
            (None, Some(file)) => Place::Environment(file.clone()),
            (None, None) => {
                let ways = "--to-dir DIR or --to-env FILE";
                return Err(CliError::Usage(format!("say where the secrets go: {ways}")));
            }
        };
        Ok(Sink { place, overwrite: self.overwrite })
    }
}

impl Sink {
    /// Whether it can be filled, asked before there is a secret that could be lost. `ids` are those
    /// of the tokens, as far as they are known.
    ///
    /// # Errors
    /// What is in the way, such as a file that is there already.
    pub(super) fn check(&self, ids: &[i64]) -> Result<(), CliError> {
        match &self.place {
            Place::File(file) => {
                self.check_free(file)?;
                probe(file)
            }
            Place::Environment(file) => {
                read(file)?;
                probe(file)
            }
            Place::Folder(folder) => {
                fs::create_dir_all(folder).map_err(|error| wrong(folder, &error))?;
                let files = ids.iter().map(|id| folder.join(id.to_string()));
                for file in files {
                    self.check_free(&file)?;
                }
                probe(&folder.join("secret"))
            }
            Place::Output => Ok(()),
        }
    }

    /// Whether it is standard output, on which nothing else is said than.
    pub(super) fn is_output(&self) -> bool {
        matches!(self.place, Place::Output)
    }

    /// Puts a token's secret there; says where it is.
    ///
    /// # Errors
    /// What is in the way.
    pub(super) fn put(&self, id: i64, secret: &str) -> Result<String, CliError> {
        self.put_as(&id.to_string(), &format!("NARROWGATE_TOKEN_{id}"), secret)
    }

    /// The same, by the name of its file and that of its variable.
    pub(super) fn put_as(
        &self,
        file_name: &str,
        variable: &str,
        secret: &str,
    ) -> Result<String, CliError> {
        match &self.place {
            Place::File(file) => {
                self.check_free(file)?;
                replace(file, &format!("{secret}\n"))
            }
            Place::Folder(folder) => {
                let file = folder.join(file_name);
                self.check_free(&file)?;
                replace(&file, &format!("{secret}\n"))
            }
            Place::Environment(file) => {
                let before = read(file)?;
                let start = format!("{variable}=");
                let others = before.lines().filter(|line| !line.starts_with(&start));
                let line = format!("{start}{secret}");
                let lines: Vec<_> = others.chain([line.as_str()]).collect();
                replace(file, &(lines.join("\n") + "\n"))
            }
            Place::Output => {
                output::line(secret);
                Ok("above".to_owned())
            }
        }
    }

    /// Puts the secret of an answer (`token_string`) where it belongs. Gives the answer to be shown as
    /// JSON: on standard output with the secret, else with the place of it (`secret_in`).
    ///
    /// # Errors
    /// What is in the way, and what `recover` says of how to get another secret.
    pub(super) fn keep(
        &self,
        mut answer: Value,
        recover: impl FnOnce(i64) -> String,
    ) -> Result<Value, CliError> {
        if self.is_output() {
            return Ok(answer);
        }
        let id = answer.get("id").and_then(Value::as_i64).unwrap_or_default();
        let Some(fields) = answer.as_object_mut() else { return Ok(answer) };
        let secret = fields.remove("token_string");
        let secret = secret.as_ref().and_then(Value::as_str).unwrap_or_default();
        let place = self.put(id, secret).map_err(|error| {
            CliError::Other(format!(
                "{error}; the new secret of token {id} is lost: {}",
                recover(id)
            ))
        })?;
        fields.insert("secret_in".to_owned(), place.into());
        Ok(answer)
    }

    fn check_free(&self, file: &Path) -> Result<(), CliError> {
        // Also a link that leads nowhere: what is there is somebody's.
        if self.overwrite || fs::symlink_metadata(file).is_err() {
            return Ok(());
        }
        let file = file.display();
        Err(CliError::Other(format!("{file} is there already: name another, or say --overwrite")))
    }
}

/// The secret of an answer, for standard output.
pub(super) fn secret_of(answer: &Value) -> &str {
    answer.get("token_string").and_then(Value::as_str).unwrap_or_default()
}

/// Where an answer's secret is by now.
pub(super) fn place_of(answer: &Value) -> &str {
    answer.get("secret_in").and_then(Value::as_str).unwrap_or_default()
}

/// What a file of variables holds; nothing if it is not there.
fn read(file: &Path) -> Result<String, CliError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(wrong(file, &error)),
    }
}

/// Whether there is room for a secret beside the file, and may be written.
fn probe(file: &Path) -> Result<(), CliError> {
    let probe = folder_of(file).join(format!(".narrowgate-{}", std::process::id()));
    write(&probe, &" ".repeat(64))
        .and_then(|()| fs::remove_file(&probe))
        .map_err(|error| wrong(file, &error))
}

/// Writes the whole file anew, readable by its owner alone; the old one stays if that fails.
fn replace(file: &Path, text: &str) -> Result<String, CliError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let fresh = folder_of(file).join(format!(".{name}.narrowgate-{}", std::process::id()));
    let written = write(&fresh, text).and_then(|()| fs::rename(&fresh, file));
    written.map_err(|error| {
        // A part of it is no use, and may hold a part of the secret.
        let _ = fs::remove_file(&fresh);
        wrong(file, &error)
    })?;
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
