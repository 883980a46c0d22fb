//! Nouns that are kept alike: what sets one apart is its spec, and everything else (rows, lists,
//! audit records, permits, how a deleted one reads) is the same for all of them.
//!
//! A noun with states, history or rights of its own (a job, a run, a token) is none of these.

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    AccountId, ConnectionId, CredentialId, EnvironmentId, GroupId, InvalidId, JobId, ProjectId,
    ServiceTokenId, Timestamp, UserId, authz::KindMarker,
};

/// What sets a noun apart.
///
/// Its serialised form is what is stored and what an audit record says: a secret is no part of
/// it, but goes beside it (see [`Hidden`]).
pub trait Noun:
    Clone + PartialEq + std::fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// What it is called in audit records: `notification`.
    const WORD: &str;
    /// What its id is called in paths: `notification_id`.
    const PARAMETER: &str;
    /// Whether it belongs to a project, or to the account.
    const LEVEL: Level;
    /// The fields of the serialised spec that lists filter and order by; `id`, `project_id`,
    /// `created_at` and `updated_at` go without saying.
    const FIELDS: &[(&str, FieldKind)];
    /// The kind of resource that permits for it are about.
    type Resource: KindMarker;

    /// What it names, field by field: each has to be there, in the same account, and in the same
    /// project where it belongs to one.
    fn references(&self) -> Vec<(&'static str, Reference)> {
        Vec::new()
    }

    /// What no two of an account (or of a project) may share: the field and its value.
    fn unique(&self) -> Option<(&'static str, String)> {
        None
    }

    /// Whether it is deleted along with something that it names.
    fn goes_with(&self, gone: Reference) -> bool {
        let _ = gone;
        false
    }

    /// What is left of it when something that it names is deleted; of `None`, which is what goes
    /// without saying, it stands in the way of that.
    fn without(self, gone: Reference) -> Option<Self> {
        let _ = gone;
        None
    }
}

/// Where a noun belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// To the account: rights on it hold however a grant is scoped.
    Account,
    /// To a project.
    Project,
}

/// How the values of a field read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// A whole number.
    Int,
    /// A text.
    Text,
    /// Yes or no.
    Bool,
}

/// Another object that a spec names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// A connection of the account.
    Connection(ConnectionId),
    /// A warehouse credential.
    Credential(CredentialId),
    /// An environment.
    Environment(EnvironmentId),
    /// A group of the account.
    Group(GroupId),
    /// A job.
    Job(JobId),
    /// A project.
    Project(ProjectId),
    /// A service token.
    ServiceToken(ServiceTokenId),
    /// A user of the account.
    User(UserId),
    /// Another kept noun: its word and id.
    Kept(&'static str, i64),
}

impl Reference {
    /// What it is, in words: `environment`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Connection(_) => "connection",
            Self::Credential(_) => "credential",
            Self::Environment(_) => "environment",
            Self::Group(_) => "group",
            Self::Job(_) => "job",
            Self::Project(_) => "project",
            Self::ServiceToken(_) => "service token",
            Self::User(_) => "user",
            Self::Kept(word, _) => word,
        }
    }
}

/// The id of a kept noun: a positive 64-bit integer.
pub struct Id<N>(i64, PhantomData<fn() -> N>);

impl<N> Id<N> {
    /// The one way in.
    ///
    /// # Errors
    /// [`InvalidId`] if `value` is zero or negative.
    pub const fn new(value: i64) -> Result<Self, InvalidId> {
        if value > 0 { Ok(Self(value, PhantomData)) } else { Err(InvalidId) }
    }

    /// The bare number, for the wire and the store.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl<N> Clone for Id<N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N> Copy for Id<N> {}

impl<N> PartialEq for Id<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<N> Eq for Id<N> {}

impl<N> Serialize for Id<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, N> serde::Deserialize<'de> for Id<N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer)
            .and_then(|id| Self::new(id).map_err(serde::de::Error::custom))
    }
}

impl<N> std::fmt::Debug for Id<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Id({})", self.0)
    }
}

impl<N> std::fmt::Display for Id<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<N> std::str::FromStr for Id<N> {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse().map_err(|_| InvalidId).and_then(Self::new)
    }
}

/// A noun that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept<N> {
    /// Its id; never given out again.
    pub id: Id<N>,
    /// The account that it belongs to.
    pub account: AccountId,
    /// The project that it belongs to, or is about.
    pub project: Option<ProjectId>,
    /// What can be edited.
    pub spec: N,
    /// Whether it was deleted; such a one is listed only where it is asked for.
    pub deleted: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A secret that is kept beside a spec, sealed. Its `Debug` shows nothing; its memory is wiped on
/// drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(zeroize::Zeroizing<String>);

impl Hidden {
    /// Takes a secret in.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(zeroize::Zeroizing::new(text))
    }

    /// The text: for the seal, and for whoever uses it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden")
    }
}
