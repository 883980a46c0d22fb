//! Repositories (documents: `RepositoryV3Response`, and v2's `RepositoryV2Response`, which has
//! some of its keys).

use domain::repository::{RemoteUrl, RepositoryName, RepositorySpec, TokenChange};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::SecretText;
use crate::{Invalid, Patch, field};

/// A repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Repository {
    /// Its id.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// The project whose code it is.
    pub project_id: i64,
    /// Where git clones it from. The documents leave it out; Terraform reads it.
    pub remote_url: String,
    /// How git gets in.
    pub git_clone_strategy: String,
    /// Who hosts it, `manual_config` where that is not said.
    pub remote_backend: String,
    /// Owner and name, as far as the address tells: `acme/shop`.
    pub full_name: String,
    /// The name, as far as the address tells: `shop`.
    pub name: String,
    /// Where a browser finds it; null unless git goes there by HTTP, too.
    pub web_url: Option<String>,
    /// 1 active, 2 deleted.
    pub state: u8,
    /// The key that this server made for it; null unless git gets in by SSH with one.
    pub deploy_key: Option<DeployKey>,
    /// That key's id.
    pub deploy_key_id: Option<i64>,
    /// Whether git gets in with a token by HTTPS (`git_token` of the body). The documents have none.
    pub has_git_token: bool,
    /// Always null.
    pub repository_credentials_id: Option<i64>,
    /// Always null.
    pub github_installation_id: Option<i64>,
    /// Always null.
    pub github_webhook_id: Option<i64>,
    /// Always null.
    pub github_repo: Option<String>,
    /// Always null.
    pub git_provider_id: Option<i64>,
    /// Always null.
    pub git_provider: Option<Value>,
    /// Always null.
    pub gitlab: Option<Value>,
    /// Always null.
    pub private_link_endpoint_id: Option<String>,
    /// Always false.
    pub is_private_link_enabled: bool,
    /// When it was made.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
}

/// The public half of a key that this server made; give it to the git host, to read with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeployKey {
    /// Its id: the repository's.
    pub id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// A line as `authorized_keys` has it.
    pub public_key: String,
    /// 1
    pub state: u8,
}

impl From<&domain::repository::Repository> for Repository {
    fn from(repository: &domain::repository::Repository) -> Self {
        let spec = &repository.spec;
        let full_name = full_name(spec.remote.as_str());
        Self {
            id: repository.id.get(),
            account_id: repository.account.get(),
            project_id: repository.project.get(),
            remote_url: spec.remote.as_str().to_owned(),
            git_clone_strategy: spec.clone_strategy.clone(),
            remote_backend: spec.remote_backend.clone(),
            name: full_name.rsplit('/').next().unwrap_or_default().to_owned(),
            full_name,
            web_url: web_url(spec.remote.as_str()),
            state: 1,
            deploy_key: repository.deploy_key.clone().map(|public_key| DeployKey {
                id: repository.id.get(),
                account_id: repository.account.get(),
                public_key,
                state: 1,
            }),
            deploy_key_id: repository.deploy_key.as_ref().map(|_| repository.id.get()),
            has_git_token: repository.has_token,
            repository_credentials_id: None,
            github_installation_id: None,
            github_webhook_id: None,
            github_repo: None,
            git_provider_id: None,
            git_provider: None,
            gitlab: None,
            private_link_endpoint_id: None,
            is_private_link_enabled: false,
            created_at: repository.created_at.to_string(),
            updated_at: repository.updated_at.to_string(),
        }
    }
}

impl Repository {
    /// The same, deleted.
    #[must_use]
    pub fn deleted(self) -> Self {
        Self { state: 2, ..self }
    }
}

/// The last two parts of an address: `git@host:acme/shop.git` → `acme/shop`.
fn full_name(remote: &str) -> String {
    let path = match remote.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => remote.split_once(':').map_or(remote, |(_, path)| path),
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let mut parts: Vec<_> = path.rsplit('/').take(2).collect();
    parts.reverse();
    parts.join("/")
}

fn web_url(remote: &str) -> Option<String> {
    let (scheme, rest) = remote.split_once("://")?;
    let (authority, path) = rest.split_once('/')?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let path = path.strip_suffix(".git").unwrap_or(path);
    matches!(scheme, "http" | "https").then(|| format!("{scheme}://{host}/{path}"))
}

/// The body that makes or changes a repository. Keys that are absent keep their value; other
/// keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct RepositoryBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// The project: in v3, if given, the path's; in v2 required.
    #[schema(value_type = Option<i64>)]
    pub project_id: Patch<i64>,
    /// Something that `git clone` takes; required.
    #[schema(value_type = Option<String>)]
    pub remote_url: Patch<String>,
    /// One of the documents' words or Terraform's `git_clone`; `deploy_key` unless given.
    #[schema(value_type = Option<String>)]
    pub git_clone_strategy: Patch<String>,
    /// One of the documents' words; `manual_config` unless given.
    #[schema(value_type = Option<String>)]
    pub remote_backend: Patch<String>,
    /// 1; or 2, which deletes it.
    #[schema(value_type = Option<i64>)]
    pub state: Patch<i64>,
    /// The token that git gets in with by HTTPS: 1 to 1,024 visible ASCII characters, in no answer.
    /// Null removes it, and so does an address at another host. The documents have none.
    #[schema(value_type = Option<String>, write_only)]
    pub git_token: Patch<SecretText>,
    /// Not supported: null.
    #[schema(value_type = Option<i64>)]
    pub repository_credentials_id: Patch<Value>,
    /// Not supported: null.
    #[schema(value_type = Option<i64>)]
    pub github_installation_id: Patch<Value>,
    /// Not supported: null.
    #[schema(value_type = Option<i64>)]
    pub github_webhook_id: Patch<Value>,
    /// Not supported: null.
    #[schema(value_type = Option<i64>)]
    pub git_provider_id: Patch<Value>,
    /// Not supported: null.
    #[schema(value_type = Option<String>)]
    pub private_link_endpoint_id: Patch<Value>,
}

impl RepositoryBody {
    const STRATEGIES: [&str; 6] = [
        "azure_active_directory_app",
        "deploy_key",
        "deploy_token",
        "git_clone",
        "git_token",
        "github_app",
    ];
    const BACKENDS: [&str; 4] = ["ado", "github", "gitlab", "manual_config"];

    /// Whether the body deletes the repository.
    #[must_use]
    pub const fn deletes(&self) -> bool {
        field::deletes(&self.state)
    }

    /// What becomes of the token, taken out of the body.
    ///
    /// # Errors
    /// [`Invalid`] if the token has letters that none has.
    pub fn token(&mut self) -> Result<TokenChange, Invalid> {
        match std::mem::take(&mut self.git_token) {
            Patch::Absent => Ok(TokenChange::Keep),
            Patch::Null => Ok(TokenChange::Remove),
            Patch::Value(text) => {
                let token = text.into_hidden();
                let plain = token.reveal().bytes().all(|byte| byte.is_ascii_graphic());
                if plain && (1..=1024).contains(&token.reveal().len()) {
                    return Ok(TokenChange::Set(token));
                }
                let reason = "must have 1 to 1024 characters, all of them visible ASCII";
                Err(Invalid::field("git_token", reason))
            }
        }
    }

    /// The repository that it makes.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn create(self) -> Result<RepositorySpec, Invalid> {
        self.over(None)
    }

    /// What it makes of a repository that is there.
    ///
    /// # Errors
    /// [`Invalid`] names every wrong field.
    pub fn apply(self, old: RepositorySpec) -> Result<RepositorySpec, Invalid> {
        self.over(Some(old))
    }

    fn over(self, old: Option<RepositorySpec>) -> Result<RepositorySpec, Invalid> {
        let mut bad = Invalid::collector();
        field::state(&mut bad, &self.state);
        for (field, given) in [
            ("repository_credentials_id", &self.repository_credentials_id),
            ("github_installation_id", &self.github_installation_id),
            ("github_webhook_id", &self.github_webhook_id),
            ("git_provider_id", &self.git_provider_id),
            ("private_link_endpoint_id", &self.private_link_endpoint_id),
        ] {
            field::unsupported(&mut bad, field, given);
        }
        let remote =
            field::read(&mut bad, "remote_url", self.remote_url, |text| RemoteUrl::parse(&text));
        let strategy =
            field::read(&mut bad, "git_clone_strategy", self.git_clone_strategy, |text| {
                field::one_of(text, &Self::STRATEGIES)
            });
        // A managed one stays where it is; only its own operation makes one.
        let managed = old.as_ref().filter(|old| old.remote_backend == "managed");
        let backend = match managed {
            Some(_) => Patch::Absent,
            None => field::read(&mut bad, "remote_backend", self.remote_backend, |text| {
                field::one_of(text, &Self::BACKENDS)
            }),
        };
        let remote = remote.value();
        if managed.is_some_and(|old| remote.as_ref().is_some_and(|new| *new != old.remote)) {
            bad.note("remote_url", "cannot be changed: it is a managed repository");
        }
        if remote.is_none() && old.is_none() {
            bad.note("remote_url", "is required");
        }
        bad.finish()?;
        let old = old
            .or_else(|| remote.clone().map(Self::plain))
            .ok_or_else(|| Invalid::field("remote_url", "is required"))?;
        Ok(RepositorySpec {
            remote: remote.unwrap_or(old.remote),
            clone_strategy: strategy.or_keep(old.clone_strategy),
            remote_backend: backend.or_keep(old.remote_backend),
        })
    }

    fn plain(remote: RemoteUrl) -> RepositorySpec {
        let (clone_strategy, remote_backend) = ("deploy_key".into(), "manual_config".into());
        RepositorySpec { remote, clone_strategy, remote_backend }
    }
}

/// The body that makes a managed repository.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ManagedRepositoryBody {
    /// Letters, digits, `.`, `-` and `_`.
    #[schema(value_type = String)]
    pub name: Patch<String>,
}

impl ManagedRepositoryBody {
    /// The name.
    ///
    /// # Errors
    /// [`Invalid`] if it is none.
    pub fn read(self) -> Result<RepositoryName, Invalid> {
        let name = self.name.value().ok_or_else(|| Invalid::field("name", "is required"))?;
        RepositoryName::parse(&name).map_err(|wrong| Invalid::field("name", wrong))
    }
}
