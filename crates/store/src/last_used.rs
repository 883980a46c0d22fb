//! When tokens were used, noted in memory; [`Store::flush_last_used`](crate::Store) writes it down.
//!
//! No request waits for it. A crash loses what was noted in the ten seconds before.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
};

use domain::{
    PersonalTokenId, ServiceTokenId, Timestamp, TokenCredentialId, authz::Origin,
    token_credential::TokenUse,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DatabaseTransaction, EntityTrait as _,
    QueryFilter as _, sea_query::Expr,
};
use serde_json::json;

use crate::{
    Keyring, StoreError,
    canary_uses::CanaryUses,
    db::lock,
    dialect,
    entities::service_token_credential::{Column, Entity},
    old_secret_uses::{self, OldSecretUses, Senders},
    token_uses::{self, NotedUses, Uses},
};

/// What is not written down yet.
#[derive(Default)]
pub(crate) struct LastUsed {
    service: Mutex<HashMap<TokenCredentialId, Used>>,
    personal: Mutex<HashMap<PersonalTokenId, Timestamp>>,
    /// Credentials that were refused because their end had come: they stay refused.
    over: Mutex<HashSet<TokenCredentialId>>,
    /// Who sent secrets that were replaced.
    pub old_secrets: OldSecretUses,
    /// What service tokens were used for, and by whom.
    pub uses: NotedUses,
    /// Who presented canaries.
    pub canaries: CanaryUses,
}

/// Uses of a credential of a service token.
struct Used {
    token: ServiceTokenId,
    first: Timestamp,
    last: TokenUse,
}

/// Some of it, on its way into the database.
pub(crate) struct Noted {
    service: HashMap<TokenCredentialId, Used>,
    personal: HashMap<PersonalTokenId, Timestamp>,
    over: HashSet<TokenCredentialId>,
    old_secrets: Senders,
    uses: Uses,
}

impl LastUsed {
    /// A credential of a service token was used; an earlier use never takes the place of a later.
    pub(crate) fn service(
        &self,
        token: ServiceTokenId,
        credential: TokenCredentialId,
        at: Timestamp,
        origin: &Origin,
    ) {
        let mut noted = lock(&self.service);
        let Some(used) = noted.get_mut(&credential) else {
            let last = TokenUse { at, address: origin.address, agent: origin.agent.clone() };
            noted.insert(credential, Used { token, first: at, last });
            return;
        };
        used.first = used.first.min(at);
        if used.last.at <= at {
            used.last.at = at;
            used.last.address = origin.address;
            if used.last.agent != origin.agent {
                used.last.agent.clone_from(&origin.agent);
            }
        }
    }

    /// A personal token was used.
    pub(crate) fn personal(&self, id: PersonalTokenId, at: Timestamp) {
        let mut noted = lock(&self.personal);
        noted.entry(id).and_modify(|noted| *noted = at.max(*noted)).or_insert(at);
    }

    /// A credential was refused because its end had come.
    pub(crate) fn over(&self, credential: TokenCredentialId) {
        lock(&self.over).insert(credential);
    }

    /// Whether it was, and that is not written down yet.
    pub(crate) fn is_over(&self, credential: TokenCredentialId) -> bool {
        lock(&self.over).contains(&credential)
    }

    /// What there is to write; `None` if there is nothing.
    pub(crate) fn take(&self) -> Option<Noted> {
        let noted = Noted {
            service: std::mem::take(&mut *lock(&self.service)),
            personal: std::mem::take(&mut *lock(&self.personal)),
            over: lock(&self.over).clone(),
            old_secrets: self.old_secrets.take(),
            uses: self.uses.take(),
        };
        let nothing = noted.service.is_empty()
            && noted.personal.is_empty()
            && noted.over.is_empty()
            && noted.old_secrets.is_empty()
            && noted.uses.is_empty();
        (!nothing).then_some(noted)
    }

    /// It could not be written: it is kept for the next time.
    pub(crate) fn put_back(&self, noted: Noted) {
        for (credential, used) in noted.service {
            let TokenUse { at, address, agent } = used.last;
            let origin = Origin { address, agent, request_id: String::new() };
            self.service(used.token, credential, used.first, &origin);
            self.service(used.token, credential, at, &origin);
        }
        for (id, at) in noted.personal {
            self.personal(id, at);
        }
        self.old_secrets.put_back(noted.old_secrets);
        self.uses.put_back(noted.uses);
    }

    /// It is written: from now on the rows say what is over.
    pub(crate) fn written(&self, noted: &Noted) {
        lock(&self.over).retain(|credential| !noted.over.contains(credential));
    }
}

/// Writes it down, in one statement for each table; never moves a time back.
pub(crate) async fn write(
    db: &DatabaseTransaction,
    keyring: &Keyring,
    noted: &Noted,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut statements = Vec::new();
    if !noted.service.is_empty() {
        let used = noted.service.iter().map(|(id, Used { first, last, .. })| {
            let (first, last_at, address) = (first.micros(), last.at.micros(), last.address);
            json!([id.get(), first, last_at, address, last.agent])
        });
        statements.push(dialect::touch_credentials(&used.collect::<Vec<_>>()));
        let tokens = noted.service.values().map(|used| (used.token.get(), used.last.at.micros()));
        let tokens = latest(tokens);
        let ids: Vec<_> = tokens.iter().map(|(id, _)| *id).collect();
        statements.push(dialect::retire_after_first_use(&ids));
        statements.push(dialect::touch("service_tokens", &tokens));
    }
    if !noted.personal.is_empty() {
        let used = noted.personal.iter().map(|(id, at)| (id.get(), at.micros()));
        statements.push(dialect::touch("personal_tokens", &latest(used)));
    }
    for statement in statements {
        db.execute_raw(statement).await.map_err(StoreError::db)?;
    }
    if !noted.over.is_empty() {
        Entity::update_many()
            .col_expr(Column::EndedAt, Expr::value(now.micros()))
            .filter(Column::Id.is_in(noted.over.iter().map(|id| id.get())))
            .filter(Column::EndedAt.is_null())
            .exec(db)
            .await
            .map_err(StoreError::db)?;
    }
    old_secret_uses::write(db, keyring, &noted.old_secrets).await?;
    token_uses::write(db, &noted.uses).await
}

/// The latest time of each: a token that is rotated is used by two credentials.
fn latest(used: impl Iterator<Item = (i64, i64)>) -> Vec<(i64, i64)> {
    let mut latest: HashMap<i64, i64> = HashMap::new();
    for (id, at) in used {
        latest.entry(id).and_modify(|noted| *noted = at.max(*noted)).or_insert(at);
    }
    latest.into_iter().collect()
}
