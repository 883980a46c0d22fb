//! Guessing: wrong tokens are counted, before the store is asked, and then have to wait.
//!
//! A place is an IPv4 address or an IPv6 /64: whoever has one address of a /64 has them all. Wrong
//! tokens count for their place, for its neighbourhood (an IPv4 /24; a /64 is its own) and
//! overall. A place that has presented too many waits. Where a neighbourhood, or all together,
//! have, only those of its places wait that have presented a wrong one themselves and still owe
//! for it: nobody's failures keep out another place.
//!
//! A token that was good here within a day is let through from wherever it comes: nobody else has
//! it, so that guesses from the same place, such as behind one proxy, do not keep it out.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{
    Timestamp,
    rate::{Debt, Rate, TooEarly},
    secret::TokenSecret,
};

use crate::{client_address, rates::owe};

/// How many places, neighbourhoods and good tokens are remembered, each; then what owes nothing is
/// forgotten, or else all.
const MOST: usize = 65_536;
/// How long a token counts as good.
const GOOD: i64 = 24 * 60 * 60;

/// How many wrong tokens may be presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureLimits {
    /// From one place: so many at once.
    place: Rate,
    /// From its neighbourhood.
    neighbourhood: Rate,
    /// From anywhere.
    overall: Rate,
}

impl FailureLimits {
    /// So many at once from one place, and one a second after that; ten times as many from a
    /// neighbourhood, a hundred times overall. `None` if it is 0, which is no limit.
    #[must_use]
    pub fn new(at_once: u32) -> Option<Self> {
        let times = |factor: u32| {
            let burst = NonZeroU32::new(at_once.saturating_mul(factor).min(Rate::MOST))?;
            Some(Rate { per_second: NonZeroU32::new(factor)?, burst })
        };
        Some(Self { place: times(1)?, neighbourhood: times(10)?, overall: times(100)? })
    }
}

/// Wrong tokens, and good ones.
#[derive(Clone)]
pub(crate) struct Failures(Option<Arc<Counted>>);

struct Counted {
    limits: FailureLimits,
    /// Tells tokens apart without keeping them.
    hasher: RandomState,
    tally: Mutex<Tally>,
}

#[derive(Default)]
struct Tally {
    places: HashMap<IpAddr, Debt>,
    neighbourhoods: HashMap<IpAddr, Debt>,
    overall: Debt,
    /// When each was last found to be good.
    good: HashMap<u64, Timestamp>,
}

impl Failures {
    pub(crate) fn new(limits: Option<FailureLimits>) -> Self {
        Self(limits.map(|limits| {
            Arc::new(Counted { limits, hasher: RandomState::new(), tally: Mutex::default() })
        }))
    }

    /// Whether a token may be looked at now: one that was good a moment ago always may. `None` is
    /// one that is malformed; an address that is not known is a place, too.
    ///
    /// # Errors
    /// [`TooEarly`].
    pub(crate) fn admit(
        &self,
        address: Option<IpAddr>,
        secret: Option<&TokenSecret>,
        now: Timestamp,
    ) -> Result<(), TooEarly> {
        let Some(counted) = &self.0 else { return Ok(()) };
        let key = secret.map(|secret| counted.hasher.hash_one(secret.reveal()));
        let (place, neighbourhood) = place(address);
        let limits = counted.limits;
        let tally = counted.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let good = key.and_then(|key| tally.good.get(&key));
        if good.is_some_and(|at| now.seconds_since(*at) < GOOD) {
            return Ok(());
        }
        let Some(own) = tally.places.get(&place).filter(|debt| !debt.is_paid(now)) else {
            return Ok(());
        };
        let around = tally.neighbourhoods.get(&neighbourhood).copied().unwrap_or_default();
        limits.place.check(*own, now)?;
        limits.neighbourhood.check(around, now)?;
        limits.overall.check(tally.overall, now)
    }

    /// Counts a wrong one, which is good no longer; `None` is one that is malformed.
    pub(crate) fn failed(
        &self,
        address: Option<IpAddr>,
        secret: Option<&TokenSecret>,
        now: Timestamp,
    ) {
        let Some(counted) = &self.0 else { return };
        let key = secret.map(|secret| counted.hasher.hash_one(secret.reveal()));
        let (place, neighbourhood) = place(address);
        let limits = counted.limits;
        let mut tally = counted.tally.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = key {
            tally.good.remove(&key);
        }
        owe(&mut tally.places, MOST, place, limits.place, now);
        owe(&mut tally.neighbourhoods, MOST, neighbourhood, limits.neighbourhood, now);
        tally.overall = limits.overall.after(tally.overall, now);
    }

    /// Remembers a good one.
    pub(crate) fn succeeded(&self, secret: &TokenSecret, now: Timestamp) {
        let Some(counted) = &self.0 else { return };
        let key = counted.hasher.hash_one(secret.reveal());
        let good = &mut counted.tally.lock().unwrap_or_else(PoisonError::into_inner).good;
        if good.len() >= MOST && !good.contains_key(&key) {
            good.retain(|_, at| now.seconds_since(*at) < GOOD);
            if good.len() >= MOST {
                good.clear();
            }
        }
        good.insert(key, now);
    }
}

/// A place and its neighbourhood.
fn place(address: Option<IpAddr>) -> (IpAddr, IpAddr) {
    let place = client_address::place(address.unwrap_or(Ipv6Addr::UNSPECIFIED.into()));
    let around = match place {
        IpAddr::V4(address) => Ipv4Addr::from(u32::from(address) & u32::MAX << 8).into(),
        IpAddr::V6(_) => place,
    };
    (place, around)
}

#[cfg(test)]
mod tests {
    use domain::secret::TokenKind;
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    const START: i64 = 1_700_000_000_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(START + seconds * 1_000_000).unwrap()
    }

    fn from(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    fn three() -> Failures {
        Failures::new(FailureLimits::new(3))
    }

    fn token(seed: u64) -> TokenSecret {
        TokenSecret::mint(TokenKind::Service, &mut StdRng::seed_from_u64(seed))
    }

    /// Fails as often as it may; gives how often that was.
    fn exhaust(failures: &Failures, address: &str, now: Timestamp) -> usize {
        let mut times = 0;
        while failures.admit(from(address), None, now).is_ok() && times < 10_000 {
            failures.failed(from(address), None, now);
            times += 1;
        }
        times
    }

    #[test]
    fn a_place_fails_so_often_at_once_and_once_a_second_after_that() {
        let failures = three();
        assert_eq!(exhaust(&failures, "192.0.2.1", at(0)), 3);
        let early = failures.admit(from("192.0.2.1"), None, at(0)).unwrap_err();
        assert_eq!(early.wait.as_secs(), 1);
        assert_eq!(exhaust(&failures, "192.0.2.1", at(1)), 1);
        assert_eq!(exhaust(&failures, "192.0.2.1", at(100)), 3);
        assert_eq!(exhaust(&failures, "::ffff:192.0.2.1", at(100)), 0, "mapped is the same");
        assert_eq!(exhaust(&failures, "192.0.2.2", at(100)), 3, "another address");
    }

    #[test]
    fn all_addresses_of_a_64_are_one_place() {
        let failures = three();
        assert_eq!(exhaust(&failures, "2001:db8::1", at(0)), 3);
        assert_eq!(exhaust(&failures, "2001:db8::ffff:1", at(0)), 0);
        assert_eq!(exhaust(&failures, "2001:db8:0:1::1", at(0)), 3);
    }

    #[test]
    fn a_neighbourhood_and_all_together_hold_back_only_those_who_failed_themselves() {
        let failures = three();
        // Each of these has failed once and might fail twice more by its own count.
        for last in 0..=255 {
            failures.failed(from(&format!("192.0.2.{last}")), None, at(0));
        }
        assert!(failures.admit(from("192.0.2.7"), None, at(0)).is_err(), "of 30 from a /24");
        assert!(failures.admit(from("192.0.3.7"), None, at(0)).is_ok());
        for third in 0..=255 {
            for last in [1, 2] {
                failures.failed(from(&format!("10.0.{third}.{last}")), None, at(0));
            }
        }
        assert!(failures.admit(from("10.0.7.1"), None, at(0)).is_err(), "of 300 overall");
        assert!(failures.admit(from("192.0.2.200"), None, at(1)).is_ok(), "it owes no more");
        for elsewhere in ["10.0.7.3", "198.51.100.1", "2001:db8::1"] {
            assert!(failures.admit(from(elsewhere), None, at(0)).is_ok(), "{elsewhere}");
        }
    }

    #[test]
    fn a_token_that_was_good_within_a_day_is_let_through_and_no_other() {
        let failures = three();
        failures.succeeded(&token(1), at(0));
        exhaust(&failures, "192.0.2.1", at(0));
        let admit = |seed, now| failures.admit(from("192.0.2.1"), Some(&token(seed)), now);
        assert!(admit(1, at(0)).is_ok());
        assert!(admit(2, at(0)).is_err());
        exhaust(&failures, "192.0.2.1", at(GOOD));
        assert!(admit(1, at(GOOD - 1)).is_ok());
        assert!(admit(1, at(GOOD)).is_err());
        // Nor is one that ends meanwhile.
        failures.succeeded(&token(3), at(GOOD));
        assert!(admit(3, at(GOOD)).is_ok());
        failures.failed(from("198.51.100.1"), Some(&token(3)), at(GOOD));
        assert!(admit(3, at(GOOD)).is_err());
    }

    #[test]
    fn an_unknown_address_is_a_place_like_any_other() {
        let failures = three();
        for _ in 0..3 {
            assert!(failures.admit(None, None, at(0)).is_ok());
            failures.failed(None, None, at(0));
        }
        assert!(failures.admit(None, None, at(0)).is_err());
        assert!(failures.admit(from("192.0.2.1"), None, at(0)).is_ok());
    }

    #[test]
    fn no_more_are_remembered_than_fit_and_no_limit_counts_nothing() {
        let failures = three();
        for number in 0..2 * u32::try_from(MOST).unwrap() {
            failures.failed(Some(Ipv4Addr::from(number).into()), None, at(0));
            failures.succeeded(&token(number.into()), at(0));
        }
        let tally = failures.0.as_ref().unwrap().tally.lock().unwrap();
        for held in [tally.places.len(), tally.neighbourhoods.len(), tally.good.len()] {
            assert!(held <= MOST, "{held}");
        }
        drop(tally);
        let without = Failures::new(FailureLimits::new(0));
        assert_eq!(exhaust(&without, "192.0.2.1", at(0)), 10_000);
    }
}
