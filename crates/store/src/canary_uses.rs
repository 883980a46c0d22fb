//! Uses of canaries: noted in memory, and told with the last uses, every 10 s.
//!
//! A canary is a service token that grants nothing; whoever presents its secret is answered like
//! anybody with an unknown one. Of each address a use is told once an hour, with how many there
//! were; beyond [`MOST_PLACES`] addresses the others count as one.

use std::{collections::HashMap, net::IpAddr, sync::Mutex};

use domain::{
    AccountId, ServiceTokenId, Timestamp,
    authz::{Origin, Permit, ServiceTokens, Write},
    token_report::TokenNews,
};
use serde_json::json;

use crate::{Store, StoreError, db::lock, service_tokens, token_news};

/// The most addresses that are told apart for one canary.
const MOST_PLACES: usize = 20;
/// The most that are remembered of all canaries.
const MOST_NOTED: usize = 10_000;
/// How long after a use was told the next of that address is, in seconds.
const PAUSE: i64 = 60 * 60;

/// Which canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Canary {
    pub account: AccountId,
    pub token: ServiceTokenId,
}

/// Who used which; of no address are those who are not told apart.
type Place = (Canary, Option<IpAddr>);

/// What is not told yet, and when the last was.
#[derive(Default)]
pub(crate) struct CanaryUses(Mutex<HashMap<Place, Uses>>);

/// Uses from one address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Uses {
    /// How many were not told.
    count: u64,
    /// The last `User-Agent`.
    agent: String,
    told_at: Option<Timestamp>,
}

/// What is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CanaryUse {
    pub canary: Canary,
    pub uses: u64,
    pub address: Option<IpAddr>,
    pub agent: String,
}

impl CanaryUses {
    /// Somebody presented it.
    pub(crate) fn note(&self, canary: Canary, origin: &Origin) {
        let mut noted = lock(&self.0);
        let mut place = (canary, origin.address);
        if !noted.contains_key(&place) {
            let places = noted.keys().filter(|(of, _)| *of == canary).count();
            if places >= MOST_PLACES || noted.len() >= MOST_NOTED {
                place.1 = None;
            }
        }
        let uses = noted.entry(place).or_default();
        uses.count = uses.count.saturating_add(1);
        if uses.agent != origin.agent {
            uses.agent.clone_from(&origin.agent);
        }
    }

    /// What is to be told now. Those that have nothing to tell for an hour are forgotten.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<CanaryUse> {
        let mut noted = lock(&self.0);
        let rests = |uses: &Uses| uses.told_at.is_some_and(|at| now.seconds_since(at) < PAUSE);
        noted.retain(|_, uses| uses.count > 0 || rests(uses));
        let due = noted.iter().filter(|(_, uses)| uses.count > 0 && !rests(uses));
        due.map(|((canary, address), uses)| CanaryUse {
            canary: *canary,
            uses: uses.count,
            address: *address,
            agent: uses.agent.clone(),
        })
        .collect()
    }

    /// It is told; what came meanwhile is not.
    pub(crate) fn told(&self, told: &CanaryUse, now: Timestamp) {
        if let Some(uses) = lock(&self.0).get_mut(&(told.canary, told.address)) {
            uses.count = uses.count.saturating_sub(told.uses);
            uses.told_at = Some(now);
        }
    }
}

/// Tells that a canary was used. One that was revoked meanwhile has nobody to be told of it.
pub(crate) async fn tell(
    store: &Store,
    permit: &Permit<Write, ServiceTokens>,
    used: &CanaryUse,
) -> Result<(), StoreError> {
    let mut tx = store.begin(permit).await?;
    let token = match service_tokens::find(tx.db(), tx.account(), used.canary.token).await {
        Err(StoreError::NotFound) => return Ok(()),
        found => found?,
    };
    let CanaryUse { uses, address, .. } = *used;
    let object = format!("service_token:{}", token.id);
    let said = json!({ "uses": uses });
    tx.record("service_token.canary_used", object, None, None, Some(said)).await?;
    let news = TokenNews::CanaryUsed { uses, address, agent: used.agent.clone() };
    token_news::tell(&mut tx, &token, news).await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(id: i64) -> Canary {
        Canary { account: AccountId::new(1).unwrap(), token: ServiceTokenId::new(id).unwrap() }
    }

    fn from(address: &str) -> Origin {
        Origin { address: Some(address.parse().unwrap()), ..Origin::local() }
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::parse("2026-11-24T12:00:00Z").unwrap().plus_seconds(60 * minutes)
    }

    /// What is told then, as lines.
    fn tell(noted: &CanaryUses, minutes: i64) -> Vec<String> {
        let now = at(minutes);
        let due = noted.due(now);
        for one in &due {
            noted.told(one, now);
        }
        let line = |one: &CanaryUse| {
            let address = one.address.map(|address| address.to_string()).unwrap_or_default();
            format!("{} {address} {}", one.canary.token, one.uses)
        };
        let mut lines: Vec<_> = due.iter().map(line).collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_use_is_told_at_once_and_those_of_its_hour_together_after_it() {
        let noted = CanaryUses::default();
        noted.note(canary(1), &from("192.0.2.1"));
        assert_eq!(tell(&noted, 0), ["1 192.0.2.1 1"]);
        for _ in 0..3 {
            noted.note(canary(1), &from("192.0.2.1"));
        }
        noted.note(canary(1), &from("192.0.2.2"));
        noted.note(canary(2), &from("192.0.2.1"));
        assert_eq!(tell(&noted, 1), ["1 192.0.2.2 1", "2 192.0.2.1 1"]);
        assert_eq!(tell(&noted, 59), [""; 0]);
        assert_eq!(tell(&noted, 60), ["1 192.0.2.1 3"]);
        assert_eq!(tell(&noted, 119), [""; 0]);
        assert_eq!(tell(&noted, 300), [""; 0]);
        assert_eq!(lock(&noted.0).len(), 0, "what rests for an hour is forgotten");
    }

    #[test]
    fn what_could_not_be_told_is_told_the_next_time() {
        let noted = CanaryUses::default();
        noted.note(canary(1), &from("192.0.2.1"));
        assert_eq!(noted.due(at(0)), noted.due(at(1)));
        noted.note(canary(1), &from("192.0.2.1"));
        assert_eq!(tell(&noted, 2), ["1 192.0.2.1 2"]);
    }

    #[test]
    fn however_many_addresses_use_a_canary_what_is_told_is_bounded() {
        let noted = CanaryUses::default();
        for last in 0..200 {
            noted.note(canary(1), &from(&format!("192.0.2.{last}")));
        }
        let told = tell(&noted, 0);
        assert_eq!(told.len(), MOST_PLACES + 1);
        assert!(told.contains(&format!("1  {}", 200 - MOST_PLACES)), "{told:?}");
    }
}
