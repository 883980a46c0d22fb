//! Secrets on their way from the form that made them to the page that shows them: in memory, for a
//! minute, for one session, once. So neither a reload nor the way back shows one again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use domain::{ServiceTokenId, Timestamp, authz::Credential, secret::TokenSecret};

/// How long one waits to be fetched.
const WAITS_SECONDS: i64 = 60;

/// Secrets that are about to be shown.
#[derive(Default)]
pub(crate) struct ShownOnce(Mutex<HashMap<ServiceTokenId, Waiting>>);

struct Waiting {
    secret: TokenSecret,
    made_by: Credential,
    at: Timestamp,
}

impl ShownOnce {
    /// Keeps a token's secret for the session that made it.
    pub(crate) fn keep(
        &self,
        token: ServiceTokenId,
        secret: TokenSecret,
        made_by: Credential,
        now: Timestamp,
    ) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, other| now.seconds_since(other.at) < WAITS_SECONDS);
        waiting.insert(token, Waiting { secret, made_by, at: now });
    }

    /// Gives it to that session, and to nobody any more.
    pub(crate) fn take(
        &self,
        token: ServiceTokenId,
        asks: Credential,
        now: Timestamp,
    ) -> Option<TokenSecret> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = waiting.get(&token)?;
        let (in_time, own) =
            (now.seconds_since(found.at) < WAITS_SECONDS, same(found.made_by, asks));
        if !in_time {
            waiting.remove(&token);
            return None;
        }
        if own { waiting.remove(&token).map(|found| found.secret) } else { None }
    }
}

/// Whether both are one session: its rights may have changed in between.
fn same(one: Credential, other: Credential) -> bool {
    match (one, other) {
        (Credential::Session { id, .. }, Credential::Session { id: other, .. }) => id == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use domain::{SessionId, secret::TokenKind};
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    fn session(id: i64) -> Credential {
        Credential::Session { id: SessionId::new(id).unwrap(), revision: 1 }
    }

    #[test]
    fn a_secret_is_given_once_in_time_and_to_its_own_session() {
        let secret = TokenSecret::mint(TokenKind::Service, &mut StdRng::seed_from_u64(1));
        let (token, shelf) = (ServiceTokenId::new(7).unwrap(), ShownOnce::default());
        let now = Timestamp::parse("2026-11-24T12:00:00Z").unwrap();
        shelf.keep(token, secret.clone(), session(1), now);
        assert!(shelf.take(token, session(2), now).is_none());
        assert!(shelf.take(token, Credential::Process, now).is_none());
        assert_eq!(shelf.take(token, session(1), now), Some(secret.clone()));
        assert!(shelf.take(token, session(1), now).is_none());

        shelf.keep(token, secret, session(1), now);
        assert!(shelf.take(token, session(1), now.plus_seconds(WAITS_SECONDS)).is_none());
        assert!(shelf.take(token, session(1), now).is_none());
    }
}
