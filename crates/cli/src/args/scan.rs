//! `scan`.

use std::path::PathBuf;

use clap::Args;

/// `scan`
#[derive(Debug, Args)]
#[command(after_help = "\
Looks through every file, hidden, ignored and binary ones too; symbolic links are not followed. A token
is told by its place and its first nine characters, never as a whole.
  narrowgate scan .                  a folder
  narrowgate scan --git              all that the repository here has ever kept
  kubectl logs pod | narrowgate scan -
Exit code 0: none was found; 1: one was, or an error; 2: not all could be read, and none was found in
the rest.")]
pub(crate) struct ScanArgs {
    /// Files and folders; `-` is standard input
    #[arg(value_name = "PATH", required_unless_present = "git")]
    pub(crate) paths: Vec<PathBuf>,
    /// Take each PATH (or the folder here) as a git repository, and look through its whole history
    /// instead: what is in no branch any more, too
    #[arg(long)]
    pub(crate) git: bool,
    /// Leave out what git ignores in these folders
    #[arg(long, conflicts_with = "git")]
    pub(crate) skip_ignored: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
