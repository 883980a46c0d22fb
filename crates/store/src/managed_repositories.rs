//! Managed repositories: bare git repositories in the data folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use domain::{
    ProjectId, RepositoryId,
    authz::{Permit, Read, Repositories, Write},
    repository::{RemoteUrl, Repository, RepositoryName, RepositorySpec, TokenChange},
};

use crate::{Store, StoreError};

/// The wire's word for them.
const BACKEND: &str = "managed";

impl Store {
    /// Makes an empty repository that this server keeps, with a branch `main` that has no commit.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (the project has one of this name already), and as creating any
    /// other.
    pub async fn create_managed_repository(
        &self,
        permit: &Permit<Write, Repositories>,
        project: ProjectId,
        name: &RepositoryName,
    ) -> Result<Repository, StoreError> {
        permit.within(project)?;
        let root = self.managed_repositories();
        let folder = root.join(permit.account().to_string()).join(project.to_string());
        let folder = folder.join(format!("{}.git", name.as_str()));
        let unusable = |error: io::Error| {
            StoreError::Unavailable(format!("a repository cannot be made: {error}"))
        };
        let remote = RemoteUrl::parse(&format!("file://{}", folder.display()));
        let remote = remote.map_err(|_| {
            StoreError::Unavailable("the data folder's path is none that git takes".to_owned())
        })?;
        match init(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let message = "is that of another managed repository of the project already";
                return Err(StoreError::Invalid { field: "name", message: message.to_owned() });
            }
            made => made.map_err(unusable)?,
        }
        let spec = RepositorySpec {
            remote,
            clone_strategy: "git_token".to_owned(),
            remote_backend: BACKEND.to_owned(),
        };
        let made = self.create_repository(permit, project, spec, TokenChange::Keep).await;
        if made.is_err() {
            let _ = fs::remove_dir_all(&folder);
        }
        made
    }

    /// The files of a managed repository's newest commit, as a ZIP archive.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] (no such repository, or not a managed one),
    /// [`StoreError::Conflict`] (it has no commit yet), [`StoreError::Unavailable`].
    pub async fn download_managed_repository(
        &self,
        permit: &Permit<Read, Repositories>,
        id: RepositoryId,
    ) -> Result<Vec<u8>, StoreError> {
        let repository = self.repository(permit, id).await?;
        let folder = self.managed_folder(&repository).ok_or(StoreError::NotFound)?;
        let archived = tokio::task::spawn_blocking(move || archive(&folder)).await;
        archived.map_err(|error| StoreError::Unavailable(error.to_string()))?
    }

    /// Where a managed repository is; `None` for any other.
    pub(crate) fn managed_folder(&self, repository: &Repository) -> Option<PathBuf> {
        let folder = Path::new(repository.spec.remote.as_str().strip_prefix("file://")?);
        let ours = repository.spec.remote_backend == BACKEND
            && folder.starts_with(self.managed_repositories())
            && !folder.components().any(|part| part.as_os_str() == "..");
        ours.then(|| folder.to_owned())
    }

    fn managed_repositories(&self) -> PathBuf {
        let folder = self.data_dir().path().join("repositories");
        std::path::absolute(&folder).unwrap_or(folder)
    }
}

/// What `git init --bare` makes, as far as git needs it.
fn init(folder: &Path) -> io::Result<()> {
    if let Some(above) = folder.parent() {
        crate::db::private_folder(above)?;
    }
    fs::create_dir(folder)?;
    for place in ["objects/info", "objects/pack", "refs/heads", "refs/tags"] {
        fs::create_dir_all(folder.join(place))?;
    }
    fs::write(folder.join("HEAD"), "ref: refs/heads/main\n")?;
    let config = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n";
    fs::write(folder.join("config"), config)
}

fn archive(folder: &Path) -> Result<Vec<u8>, StoreError> {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(folder).args(arguments).stdin(Stdio::null());
        let output = command.env("GIT_CONFIG_NOSYSTEM", "1").output();
        output.map_err(|error| StoreError::Unavailable(format!("git cannot be started: {error}")))
    };
    let head = git(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
    if !head.status.success() {
        let reason = "the repository has no commit yet: push one".to_owned();
        return Err(StoreError::Conflict(reason));
    }
    let made = git(&["archive", "--format=zip", "HEAD"])?;
    if made.status.success() {
        Ok(made.stdout)
    } else {
        let said = String::from_utf8_lossy(&made.stderr).into_owned();
        Err(StoreError::Unavailable(format!("git could not make an archive: {said}")))
    }
}

/// Removes what a deleted managed repository has on disk.
pub(crate) fn remove(store: &Store, repository: &Repository) {
    if let Some(folder) = store.managed_folder(repository)
        && let Err(error) = fs::remove_dir_all(&folder)
    {
        tracing::warn!(folder = %folder.display(), %error, "a managed repository stays behind");
    }
}
