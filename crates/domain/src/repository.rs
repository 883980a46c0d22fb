//! Repositories: where a project's code is.

use serde::{Deserialize, Serialize};

use crate::{AccountId, ProjectId, RepositoryId, Timestamp, kept::Hidden};

/// A git repository of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its id.
    pub id: RepositoryId,
    /// The account that it belongs to.
    pub account: AccountId,
    /// The project whose code it is.
    pub project: ProjectId,
    /// What can be edited.
    pub spec: RepositorySpec,
    /// The public half of its deploy key, if it has one: a line for `authorized_keys`.
    pub deploy_key: Option<String>,
    /// Whether git gets in with a token by HTTPS.
    pub has_token: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What of a repository can be edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositorySpec {
    /// Where git clones it from.
    pub remote: RemoteUrl,
    /// `git_clone_strategy` as the wire has it, such as `deploy_key`.
    pub clone_strategy: String,
    /// `remote_backend` as the wire has it, such as `manual_config`.
    pub remote_backend: String,
}

impl RepositorySpec {
    /// Whether git gets in with a deploy key of this server's: by SSH, and by that strategy.
    #[must_use]
    pub fn wants_deploy_key(&self) -> bool {
        self.clone_strategy == "deploy_key" && self.remote.is_ssh()
    }
}

/// What becomes of the token that git gets in with by HTTPS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TokenChange {
    /// The one that is there stays, unless the repository moves to another host.
    #[default]
    Keep,
    /// There is none any more.
    Remove,
    /// This one takes its place.
    Set(Hidden),
}

/// The name of a managed repository: 1 to 100 letters, digits, `.`, `-` and `_`; a letter or digit
/// first, and no `.git` or `.lock` last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryName(String);

/// The text is no name of a managed repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must have 1 to 100 letters, digits, `.`, `-` and `_`, a letter or digit first, and no `.git` or `.lock` last"
)]
pub struct InvalidRepositoryName;

impl RepositoryName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`InvalidRepositoryName`]
    pub fn parse(text: &str) -> Result<Self, InvalidRepositoryName> {
        let fine = text.len() <= 100
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
            && !text.contains("..")
            && ![".git", ".lock", "."].iter().any(|end| text.ends_with(end));
        if fine { Ok(Self(text.to_owned())) } else { Err(InvalidRepositoryName) }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Something that `git clone` takes: an absolute path, or a `file://`, `https://`, `http://`,
/// `ssh://`, `git://` or `user@host:path` address. At most 2,048 characters.
///
/// Anything that git would run (`ext::…`, a leading `-`) is refused, and so is a password in the
/// address, which would be shown to readers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RemoteUrl(String);

/// The parts of `https://ada@git.example:8443/shop.git` that say who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host<'a> {
    /// `https`
    pub scheme: &'a str,
    /// `ada`, as it stands there (percent-encoded).
    pub user: Option<&'a str>,
    /// `git.example:8443`
    pub name: &'a str,
}

/// The text is no address of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRemoteUrl {
    /// Not of a form that is taken.
    #[error(
        "must be an absolute path or a file://, https://, http://, ssh://, git:// or user@host:path address"
    )]
    Form,
    /// A secret in the address.
    #[error("must not hold a password: it would be shown to everyone who reads the repository")]
    Password,
}

impl RemoteUrl {
    /// Checks an address.
    ///
    /// # Errors
    /// [`InvalidRemoteUrl`] if git should not be given it.
    pub fn parse(text: &str) -> Result<Self, InvalidRemoteUrl> {
        const SCHEMES: [&str; 5] = ["file://", "https://", "http://", "ssh://", "git://"];
        let plain = text.len() <= 2048 && !text.chars().any(|c| c.is_control() || c == ' ');
        let with_scheme = SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme));
        let scp_like = text.split_once(':').is_some_and(|(host, path)| {
            host.contains('@') && !host.contains('/') && !path.is_empty() && !path.starts_with(':')
        });
        let form = with_scheme.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('-'))
            || text.starts_with('/')
            || scp_like;
        if !plain || text.starts_with('-') || !form {
            return Err(InvalidRemoteUrl::Form);
        }
        let userinfo = with_scheme
            .and_then(|rest| rest.split('/').next())
            .and_then(|authority| authority.rsplit_once('@'));
        if userinfo.is_some_and(|(user, _)| user.contains(':')) {
            return Err(InvalidRemoteUrl::Password);
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether git goes there by SSH: `ssh://…`, or `user@host:path`.
    #[must_use]
    pub fn is_ssh(&self) -> bool {
        self.0.starts_with("ssh://") || !(self.0.contains("://") || self.0.starts_with('/'))
    }

    /// Whether a token may be given to who answers there: by HTTPS, or on this machine.
    #[must_use]
    pub fn takes_token(&self) -> bool {
        self.host().is_some_and(|Host { scheme, name, .. }| {
            let own = ["localhost", "127.0.0.1", "[::1]"].iter().any(|own| {
                name.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
            });
            !name.is_empty() && (scheme == "https" || (scheme == "http" && own))
        })
    }

    /// Whether both are answered by the same host, so that what the one is told the other may know.
    #[must_use]
    pub fn is_at_host_of(&self, other: &Self) -> bool {
        let (Some(ours), Some(theirs)) = (self.host(), other.host()) else { return false };
        ours.scheme == theirs.scheme && ours.name.eq_ignore_ascii_case(theirs.name)
    }

    /// Who answers there; `None` of an address without a scheme.
    #[must_use]
    pub fn host(&self) -> Option<Host<'_>> {
        let (scheme, rest) = self.0.split_once("://")?;
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let authority = rest.get(..end)?;
        Some(match authority.rsplit_once('@') {
            Some((user, name)) => Host { scheme, user: Some(user), name },
            None => Host { scheme, user: None, name: authority },
        })
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RemoteUrl {
    type Error = InvalidRemoteUrl;
    fn try_from(text: String) -> Result<Self, InvalidRemoteUrl> {
        Self::parse(&text)
    }
}

impl From<RemoteUrl> for String {
    fn from(url: RemoteUrl) -> Self {
        url.0
    }
}
