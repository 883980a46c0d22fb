//! What is done to many service tokens at once: those that a filter means, shown before it is done.
//!
//! Who does it names the tokens that they were shown. If by then the filter means others, nothing is
//! done.

use std::collections::BTreeSet;

use domain::{
    ServiceTokenId,
    authz::{Permit, PrincipalId, Read, ServiceTokens, Write},
    secret::TokenSecret,
    service_token::ServiceToken,
    token_filter::TokenFilter,
    token_rotation::{ReplayKey, Rotation},
};

use crate::{
    Store, StoreError, makers,
    service_tokens::{self, revoke},
    token_policies,
    token_rotations::{RotatedToken, answered, check_rotates, rotate},
    tx::Tx,
};

/// A token that a filter means.
#[derive(Debug, Clone)]
pub struct PlannedToken {
    /// The token.
    pub token: ServiceToken,
    /// Why it is left as it is; `None` if it is not.
    pub skipped: Option<String>,
}

impl Store {
    /// The most tokens that are revoked in one call.
    pub const MAX_REVOKED: usize = 500;
    /// The most tokens that are rotated in one call.
    pub const MAX_ROTATED: usize = 100;

    /// Which tokens [`Store::revoke_many`] would revoke, oldest first. The token that asks is never
    /// among them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn plan_revocation(
        &self,
        permit: &Permit<Read, ServiceTokens>,
        filter: &TokenFilter,
    ) -> Result<Vec<PlannedToken>, StoreError> {
        self.flush_last_used().await?;
        let tokens = makers::every(self.reader(), permit.account()).await?;
        let now = self.clock().now();
        let meant = tokens.into_iter().filter(|token| {
            filter.means(token, now) && permit.author() != PrincipalId::ServiceToken(token.id)
        });
        Ok(meant.map(|token| PlannedToken { token, skipped: None }).collect())
    }

    /// Ends all tokens that a filter means, if they are the expected ones, all or none.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] (the filter means others), [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn revoke_many(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        filter: &TokenFilter,
        expected: &BTreeSet<ServiceTokenId>,
    ) -> Result<Vec<ServiceToken>, StoreError> {
        self.flush_last_used().await?;
        let mut tx = self.begin(permit).await?;
        let mut meant = meant(&tx, filter).await?;
        meant.retain(|token| permit.author() != PrincipalId::ServiceToken(token.id));
        check_expected(meant.iter().map(|token| token.id), expected)?;
        let mut revoked = Vec::with_capacity(meant.len());
        for token in meant {
            revoked.push(revoke(&mut tx, token, permit.author()).await?);
        }
        if !revoked.is_empty() {
            tx.commit().await?;
        }
        Ok(revoked)
    }

    /// Which tokens [`Store::rotate_many`] would give another secret, oldest first, and why it would
    /// leave others that the filter means.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn plan_rotation(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        filter: &TokenFilter,
    ) -> Result<Vec<PlannedToken>, StoreError> {
        self.flush_last_used().await?;
        let tokens = makers::every(self.reader(), permit.account()).await?;
        let policy = token_policies::of(self.reader(), permit.account()).await?;
        let now = self.clock().now();
        let meant = tokens.into_iter().filter(|token| filter.means(token, now));
        let planned = meant.map(|token| {
            let granted = || -> Result<(), StoreError> {
                // Of one that was imported this is the first secret.
                let first =
                    token.newest().is_none().then(|| policy.check_granted(&token.granted()));
                Ok(first.unwrap_or(Ok(()))?)
            };
            let refused = check_rotates(permit, &token, now).and_then(|()| granted()).err();
            PlannedToken { skipped: refused.map(|error| error.to_string()), token }
        });
        Ok(planned.collect())
    }

    /// Gives another secret to all tokens that a filter means and that can be rotated, if they are
    /// the expected ones, all or none; each as [`Store::rotate_service_token`] does. There are as
    /// many secrets as expected tokens. With a key that the same caller used for the same tokens in
    /// the last ten minutes it gives that answer again.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] (the filter means others), [`StoreError::Invalid`] (the overlap is
    /// longer than the account allows), [`StoreError::KeyReused`], [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn rotate_many(
        &self,
        permit: &Permit<Write, ServiceTokens>,
        filter: &TokenFilter,
        expected: &BTreeSet<ServiceTokenId>,
        how: Rotation,
        secrets: Vec<TokenSecret>,
        replay: Option<ReplayKey>,
    ) -> Result<Vec<RotatedToken>, StoreError> {
        self.flush_last_used().await?;
        let mut tx = self.begin(permit).await?;
        let asked = ReplayKey::asked_of_many(expected, &how);
        if let Some(told) = told_again(&tx, replay, &asked, expected).await? {
            return Ok(told);
        }
        let policy = token_policies::of(tx.db(), tx.account()).await?;
        let mut meant = meant(&tx, filter).await?;
        meant.retain(|token| {
            check_rotates(permit, token, tx.now()).is_ok()
                && (token.newest().is_some() || policy.check_granted(&token.granted()).is_ok())
        });
        check_expected(meant.iter().map(|token| token.id), expected)?;
        let mut rotated = Vec::with_capacity(meant.len());
        for (place, (before, secret)) in meant.iter().zip(secrets).enumerate() {
            let replay = replay.map(|key| (key.of_token(place, before.id), asked));
            rotated.push(rotate(&mut tx, before, how, secret, replay).await?);
        }
        if !rotated.is_empty() {
            tx.commit().await?;
        }
        Ok(rotated)
    }
}

/// The tokens that a filter means, oldest first.
async fn meant(tx: &Tx, filter: &TokenFilter) -> Result<Vec<ServiceToken>, StoreError> {
    let mut tokens = makers::every(tx.db(), tx.account()).await?;
    tokens.retain(|token| filter.means(token, tx.now()));
    Ok(tokens)
}

/// Whether the filter means those that were shown, and no others.
fn check_expected(
    meant: impl Iterator<Item = ServiceTokenId>,
    expected: &BTreeSet<ServiceTokenId>,
) -> Result<(), StoreError> {
    let meant: BTreeSet<_> = meant.collect();
    let (more, fewer) = (meant.difference(expected).count(), expected.difference(&meant).count());
    if more == 0 && fewer == 0 {
        return Ok(());
    }
    let message = format!(
        "the filter means other tokens than were expected ({more} more, {fewer} fewer): look again"
    );
    Err(StoreError::Conflict(message))
}

/// The answer that the same caller got to the same question a moment ago.
async fn told_again(
    tx: &Tx,
    replay: Option<ReplayKey>,
    asked: &[u8; 32],
    expected: &BTreeSet<ServiceTokenId>,
) -> Result<Option<Vec<RotatedToken>>, StoreError> {
    let Some(key) = replay else { return Ok(None) };
    let mut told = Vec::with_capacity(expected.len());
    for (place, id) in expected.iter().enumerate() {
        let Some(secret) = answered(tx, Some(key.of_token(place, *id)), asked).await? else {
            // One was revoked since: then its answer is gone, and the rest is not told as the whole.
            return Ok(None);
        };
        let token = service_tokens::find(tx.db(), tx.account(), *id).await?;
        told.push(RotatedToken { token, secret });
    }
    Ok((!told.is_empty()).then_some(told))
}
