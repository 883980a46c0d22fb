//! What service tokens are held to, beside their grants: a documented addition of Narrowgate.

use std::collections::BTreeSet;

use domain::{
    EnvironmentId, InvalidId, JobId, authz::Restrictions, ip_restriction::Cidr, networks::Networks,
    rate::Rate,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Invalid, invalid::Collector};

/// What a token is held to. Each part only takes away; null takes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TokenRestrictions {
    /// From which networks it may be used, as the fewest that name the addresses.
    pub addresses: Option<Vec<String>>,
    /// The ids of the environments that it reaches, with the jobs and runs in them; nothing that
    /// is in no environment.
    pub environments: Option<Vec<i64>>,
    /// The ids of the jobs that it reaches, with their runs; nothing that belongs to no job.
    pub jobs: Option<Vec<i64>>,
    /// Whether it may only read.
    pub read_only: bool,
    /// How often it may be used.
    pub rate: Option<TokenRate>,
}

/// How often a token may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenRate {
    /// Requests a second, in the long run.
    pub per_second: u32,
    /// Requests at once, after a pause.
    pub burst: u32,
}

impl From<&Restrictions> for TokenRestrictions {
    fn from(restrictions: &Restrictions) -> Self {
        let rate = restrictions
            .rate
            .map(|rate| TokenRate { per_second: rate.per_second.get(), burst: rate.burst.get() });
        Self {
            addresses: restrictions.addresses.clone().map(Into::into),
            environments: restrictions.environments.as_ref().map(ids),
            jobs: restrictions.jobs.as_ref().map(ids),
            read_only: restrictions.read_only,
            rate,
        }
    }
}

fn ids<I: Copy + Into<i64>>(ids: &BTreeSet<I>) -> Vec<i64> {
    ids.iter().map(|id| (*id).into()).collect()
}

/// The body that replaces what a token is held to, as a whole: what is absent or null is taken
/// back. Other keys are refused.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenRestrictionsBody {
    /// Networks such as `10.0.0.0/8`, or addresses: 1 to 100.
    pub addresses: Option<Vec<String>>,
    /// Ids of environments: 1 to 500.
    pub environments: Option<Vec<i64>>,
    /// Ids of jobs: 1 to 500.
    pub jobs: Option<Vec<i64>>,
    /// Whether it may only read.
    pub read_only: Option<bool>,
    /// How often it may be used.
    pub rate: Option<TokenRateBody>,
    /// Whether a list of addresses counts that does not admit the caller's own.
    pub force: Option<bool>,
}

/// How often a token may be used.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenRateBody {
    /// Requests a second, in the long run: 1 to 1,000,000; required.
    pub per_second: Option<i64>,
    /// Requests at once, after a pause: 1 to 1,000,000; as many as in a second unless given.
    pub burst: Option<i64>,
}

impl TokenRestrictionsBody {
    /// Whether a list that does not admit the caller's own address counts.
    #[must_use]
    pub fn forced(&self) -> bool {
        self.force.unwrap_or(false)
    }

    /// The restrictions, read field by field; `prefix` is what stands before a field's name. One
    /// network that cannot be read refuses all.
    ///
    /// # Errors
    /// [`Invalid`] names each wrong field: `addresses[1]`.
    pub fn restrictions(&self, prefix: &str) -> Result<Restrictions, Invalid> {
        let mut bad = Invalid::collector();
        let mut reader = Reader { bad: &mut bad, prefix };
        let cidr = |text: &String| Cidr::parse(text.as_str());
        let most = Restrictions::MAX_ADDRESSES;
        let addresses = reader.list("addresses", self.addresses.as_deref(), most, cidr);
        let most = Restrictions::MAX_OBJECTS;
        let id = |id: &i64| EnvironmentId::new(*id);
        let environments = reader.list("environments", self.environments.as_deref(), most, id);
        let id = |id: &i64| -> Result<JobId, InvalidId> { JobId::new(*id) };
        let jobs = reader.list("jobs", self.jobs.as_deref(), most, id);
        let rate = self.rate.and_then(|rate| reader.rate(rate));
        bad.finish()?;
        Ok(Restrictions {
            addresses: addresses.map(Networks::new),
            environments: environments.map(BTreeSet::from_iter),
            jobs: jobs.map(BTreeSet::from_iter),
            read_only: self.read_only.unwrap_or(false),
            rate,
        })
    }
}

/// Reads fields, and notes what is wrong with them.
struct Reader<'a> {
    bad: &'a mut Collector,
    prefix: &'a str,
}

impl Reader<'_> {
    /// A list that names something, if it is there: an empty one is a mistake, never any or all.
    fn list<T, U, E: ToString>(
        &mut self,
        field: &str,
        given: Option<&[T]>,
        most: usize,
        read: impl Fn(&T) -> Result<U, E>,
    ) -> Option<Vec<U>> {
        let (given, field) = (given?, format!("{}{field}", self.prefix));
        if given.is_empty() {
            self.bad.note(&field, "name at least one, or leave it out");
        }
        if given.len() > most {
            self.bad.note(&field, format!("has at most {most} entries"));
            return None;
        }
        let one = |(place, text)| self.bad.take(&format!("{field}[{place}]"), read(text));
        Some(given.iter().enumerate().filter_map(one).collect())
    }

    fn rate(&mut self, given: TokenRateBody) -> Option<Rate> {
        let name = |field: &str| format!("{}rate.{field}", self.prefix);
        let names = (name("per_second"), name("burst"));
        let number = |value: i64| {
            let number = u32::try_from(value).ok().filter(|number| *number <= Rate::MOST);
            let number = number.and_then(|number| number.try_into().ok());
            number.ok_or_else(|| format!("must be a whole number from 1 to {}", Rate::MOST))
        };
        let required = given.per_second.ok_or_else(|| "is required".to_owned());
        let per_second = self.bad.take(&names.0, required.and_then(number));
        let burst = match given.burst {
            Some(burst) => self.bad.take(&names.1, number(burst)),
            None => per_second,
        };
        Some(Rate { per_second: per_second?, burst: burst? })
    }
}
