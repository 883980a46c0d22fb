//! Why a command did not do what it was asked: one clear line.

use std::process::ExitCode;

/// What is printed behind `narrowgate: `; the exit code is 1, or 2 for what could not be
/// meant.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The store says no.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// The keyring cannot be used.
    #[error(transparent)]
    Keyring(#[from] store::KeyringError),
    /// The server cannot run.
    #[error(transparent)]
    Server(#[from] server::ServerError),
    /// The runner cannot run.
    #[error(transparent)]
    Runner(#[from] runner::RunnerError),
    /// The server that was asked says no, or nothing.
    #[error(transparent)]
    Client(#[from] wire::client::ClientError),
    /// The arguments, or the configuration, are wrong: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Anything else, in a sentence.
    #[error("{0}")]
    Other(String),
}

impl CliError {
    /// How the program ends.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }

    /// Anything with a text.
    #[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
    pub(crate) fn other(error: impl ToString) -> Self {
        Self::Other(error.to_string())
    }
}
