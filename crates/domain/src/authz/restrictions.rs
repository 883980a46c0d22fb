//! Restrictions: what a token's owner takes away from its grants. Nothing here ever gives.

use std::{collections::BTreeSet, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::{Access, Action, Rights, catalogue::catalogue, principal::MINT};
use crate::{EnvironmentId, JobId, networks::Networks, rate::Rate};

/// What a service token is held to, beside its grants; by default, nothing.
///
/// What it may do is the union of its grants, met with this. A list that names nothing admits
/// nothing: that is what is left of two lists that have nothing in common.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Restrictions {
    /// From where it may be used; `None` is anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Networks>,
    /// The environments that it reaches, and what is in them; `None` is any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environments: Option<BTreeSet<EnvironmentId>>,
    /// The jobs that it reaches, and their runs; `None` is any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<BTreeSet<JobId>>,
    /// Whether every write is taken away.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
    /// How often it may be used; `None` is as often as it likes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

/// One of the restrictions that a token can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Restriction {
    /// [`Restrictions::addresses`]
    Addresses,
    /// [`Restrictions::environments`]
    Environments,
    /// [`Restrictions::jobs`]
    Jobs,
    /// [`Restrictions::read_only`]
    ReadOnly,
    /// [`Restrictions::rate`]
    Rate,
}

impl Restriction {
    /// The wire's spelling.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Addresses => "addresses",
            Self::Environments => "environments",
            Self::Jobs => "jobs",
            Self::ReadOnly => "read_only",
            Self::Rate => "rate",
        }
    }
}

impl Restrictions {
    /// The most networks that a token can be held to.
    pub const MAX_ADDRESSES: usize = 100;
    /// The most environments, and the most jobs.
    pub const MAX_OBJECTS: usize = 500;

    /// Whether nothing is taken away.
    #[must_use]
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }

    /// Both. Associative, commutative, idempotent; no restriction is its unit.
    #[must_use]
    pub fn meet(self, other: Self) -> Self {
        Self {
            addresses: either(self.addresses, other.addresses, |a, b| a.meet(&b)),
            environments: either(self.environments, other.environments, |a, b| &a & &b),
            jobs: either(self.jobs, other.jobs, |a, b| &a & &b),
            read_only: self.read_only || other.read_only,
            rate: either(self.rate, other.rate, Rate::meet),
        }
    }

    /// Whether everything that these leave, the others leave too.
    #[must_use]
    pub fn within(&self, outer: &Self) -> bool {
        self.looser_than(outer).is_none()
    }

    /// The first restriction in which these leave more than the others; of none, they are within.
    #[must_use]
    pub fn looser_than(&self, outer: &Self) -> Option<Restriction> {
        let both = self.clone().meet(outer.clone());
        [
            (Restriction::Addresses, both.addresses != self.addresses),
            (Restriction::Environments, both.environments != self.environments),
            (Restriction::Jobs, both.jobs != self.jobs),
            (Restriction::ReadOnly, both.read_only != self.read_only),
            (Restriction::Rate, both.rate != self.rate),
        ]
        .into_iter()
        .find_map(|(restriction, looser)| looser.then_some(restriction))
    }

    /// The first restriction that takes the action away, wherever it would be done.
    ///
    /// - Read-only takes every write.
    /// - A list of environments takes every kind of resource that does not live in one, a list of
    ///   jobs every kind that does not belong to one. What is held by what a token is, such as to
    ///   ask who it is, stays.
    /// - A rate takes the making of tokens, which together could be used more often.
    #[must_use]
    pub fn take(&self, action: Action) -> Option<Restriction> {
        let row = catalogue().resource(action.on);
        let elsewhere = |in_place: bool| !in_place && row.is_granted();
        if self.read_only && action.access == Access::Write {
            Some(Restriction::ReadOnly)
        } else if self.environments.is_some() && elsewhere(row.has_environment()) {
            Some(Restriction::Environments)
        } else if self.jobs.is_some() && elsewhere(row.has_job()) {
            Some(Restriction::Jobs)
        } else if self.rate.is_some() && action == MINT {
            Some(Restriction::Rate)
        } else {
            None
        }
    }

    /// The actions that they leave somewhere.
    pub(super) fn left(&self) -> Rights {
        let one = |action: &Action| self.take(*action).is_none();
        // A write that stays brings the read along, which stays then, too.
        Action::all().filter(one).collect()
    }

    /// Whether a caller at this address may come in. One whose address is not known may not,
    /// where there is a list.
    #[must_use]
    pub fn admit(&self, address: Option<IpAddr>) -> bool {
        let Some(networks) = &self.addresses else { return true };
        address.is_some_and(|address| networks.contain(address))
    }

    /// Whether they leave the place: an object without an environment is in none of them, one
    /// without a job belongs to none.
    #[must_use]
    pub fn leave(&self, environment: Option<EnvironmentId>, job: Option<JobId>) -> bool {
        self.hide(environment, job).is_none()
    }

    /// The restriction that takes the place away; of a kind that has no job, `jobs` says nothing,
    /// since it is taken away as a whole.
    #[must_use]
    pub fn hide(
        &self,
        environment: Option<EnvironmentId>,
        job: Option<JobId>,
    ) -> Option<Restriction> {
        let among = |list: &BTreeSet<_>| environment.is_some_and(|id| list.contains(&id));
        if self.environments.as_ref().is_some_and(|list| !among(list)) {
            return Some(Restriction::Environments);
        }
        let among = |list: &BTreeSet<_>| job.is_some_and(|id| list.contains(&id));
        self.jobs.as_ref().is_some_and(|list| !among(list)).then_some(Restriction::Jobs)
    }
}

fn either<T>(one: Option<T>, other: Option<T>, both: impl FnOnce(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(both(one, other)),
        (one, other) => one.or(other),
    }
}
