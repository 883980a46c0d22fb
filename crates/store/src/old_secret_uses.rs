//! Who still sends a secret that was replaced: noted in memory, written down with the last uses.
//!
//! Whoever sends one after its end is in the audit log, once for each address and agent
//! (SECURITY.md, line 27).

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Mutex,
};

use domain::{
    AccountId, ServiceTokenId, Timestamp, TokenCredentialId,
    authz::{Origin, PrincipalId},
    token_credential::OldUse,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, DatabaseTransaction, EntityTrait as _,
    IntoActiveModel as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
};
use serde_json::json;

use crate::{
    Keyring, StoreError, audit,
    db::lock,
    entities::old_secret_use::{ActiveModel, Column, Entity, Model},
};

/// The most senders that are kept of a secret.
const MOST_SENDERS: u64 = 100;
/// The most that are noted in memory.
const MOST_NOTED: usize = 10_000;

/// Which secret of which token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct OldSecret {
    pub account: AccountId,
    pub token: ServiceTokenId,
    pub credential: TokenCredentialId,
}

/// What is not written down yet.
#[derive(Default)]
pub(crate) struct OldSecretUses(Mutex<Senders>);

/// Who sent which.
pub(crate) type Senders = HashMap<(OldSecret, Option<IpAddr>, String), Sent>;

/// When, and whether it was refused.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    first: Timestamp,
    last: Timestamp,
    refused: bool,
}

impl OldSecretUses {
    /// Somebody sent it.
    pub(crate) fn note(&self, secret: OldSecret, at: Timestamp, origin: &Origin, refused: bool) {
        let sent = Sent { first: at, last: at, refused };
        self.add((secret, origin.address, origin.agent.clone()), sent);
    }

    fn add(&self, sender: (OldSecret, Option<IpAddr>, String), sent: Sent) {
        let mut noted = lock(&self.0);
        if let Some(old) = noted.get_mut(&sender) {
            let (first, last) = (old.first.min(sent.first), old.last.max(sent.last));
            *old = Sent { first, last, refused: old.refused || sent.refused };
        } else if noted.len() < MOST_NOTED {
            noted.insert(sender, sent);
        }
    }

    /// What there is to write.
    pub(crate) fn take(&self) -> Senders {
        std::mem::take(&mut *lock(&self.0))
    }

    /// It could not be written: it is kept for the next time.
    pub(crate) fn put_back(&self, senders: Senders) {
        for (sender, sent) in senders {
            self.add(sender, sent);
        }
    }
}

/// Writes it down.
pub(crate) async fn write(
    db: &DatabaseTransaction,
    keyring: &Keyring,
    senders: &Senders,
) -> Result<(), StoreError> {
    for ((secret, address, agent), sent) in senders {
        let shown = address.map(|address| address.to_string()).unwrap_or_default();
        let of_secret = || Entity::find().filter(Column::CredentialId.eq(secret.credential.get()));
        let known = of_secret()
            .filter(Column::Address.eq(&shown))
            .filter(Column::Agent.eq(agent))
            .one(db)
            .await
            .map_err(StoreError::db)?;
        let refused_before = known.as_ref().is_some_and(|known| known.refused);
        match known {
            Some(known) => {
                let last_used = known.last_used.max(sent.last.micros());
                let refused = known.refused || sent.refused;
                let mut row = known.into_active_model();
                (row.last_used, row.refused) = (Set(last_used), Set(refused));
                Entity::update(row).exec(db).await.map_err(StoreError::db)?;
            }
            None if of_secret().count(db).await.map_err(StoreError::db)? < MOST_SENDERS => {
                let row = ActiveModel {
                    service_token_id: Set(secret.token.get()),
                    credential_id: Set(secret.credential.get()),
                    address: Set(shown),
                    agent: Set(agent.clone()),
                    first_used: Set(sent.first.micros()),
                    last_used: Set(sent.last.micros()),
                    refused: Set(sent.refused),
                    ..Default::default()
                };
                Entity::insert(row).exec(db).await.map_err(StoreError::db)?;
            }
            None => continue,
        }
        if sent.refused && !refused_before {
            let origin =
                Origin { address: *address, agent: agent.clone(), request_id: String::new() };
            record(db, keyring, *secret, sent.last, &origin).await?;
        }
    }
    Ok(())
}

/// Somebody sent it after its end.
async fn record(
    db: &DatabaseTransaction,
    keyring: &Keyring,
    secret: OldSecret,
    at: Timestamp,
    origin: &Origin,
) -> Result<(), StoreError> {
    let entry = audit::Entry {
        account: secret.account,
        at,
        actor: &PrincipalId::ServiceToken(secret.token).to_string(),
        event: "service_token.old_secret_used",
        object: format!("service_token:{}", secret.token),
        project: None,
        change: json!({ "before": null, "after": { "credential": secret.credential.get() } }),
        origin,
    };
    audit::append(db, keyring, entry).await
}

/// What a row means.
pub(crate) fn told(row: Model) -> Result<OldUse, StoreError> {
    row.into_domain()
}

/// Who sent these secrets, by secret, the last first.
pub(crate) async fn of(
    db: &impl ConnectionTrait,
    credentials: impl IntoIterator<Item = i64>,
) -> Result<BTreeMap<i64, Vec<Model>>, StoreError> {
    let rows = Entity::find()
        .filter(Column::CredentialId.is_in(credentials))
        .order_by_desc(Column::LastUsed)
        .all(db)
        .await
        .map_err(StoreError::db)?;
    let mut of: BTreeMap<i64, Vec<Model>> = BTreeMap::new();
    for row in rows {
        of.entry(row.credential_id).or_default().push(row);
    }
    Ok(of)
}
