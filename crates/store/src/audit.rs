//! The audit chain.

use aws_lc_rs::hmac;
use domain::{
    AccountId, ProjectId, Timestamp,
    audit::{AuditRecord, BrokenChain, ChainHash, ChainWalk},
    authz::{AuditLogs, Origin, Permit, Read},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DatabaseTransaction,
    EntityTrait as _, FromQueryResult as _, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _, TransactionTrait as _,
};
use serde_json::Value;

use crate::{
    Keyring, Store, StoreError,
    entities::{
        audit_head,
        audit_record::{Column, Entity, Model},
        time,
    },
};

/// Why a chain does not verify.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A record is wrong.
    #[error(transparent)]
    Broken(#[from] BrokenChain),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a record says, before it has its place.
pub(crate) struct Entry<'a> {
    pub account: AccountId,
    pub at: Timestamp,
    pub actor: &'a str,
    pub event: &'a str,
    pub object: String,
    pub project: Option<ProjectId>,
    pub change: Value,
    pub origin: &'a Origin,
}

impl Store {
    /// Records of the permit's account after `seq`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn audit_records(
        &self,
        permit: &Permit<Read, AuditLogs>,
        after: i64,
        limit: u16,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let rows = Entity::find()
            .filter(Column::AccountId.eq(permit.account().get()))
            .filter(Column::Seq.gt(after))
            .order_by_asc(Column::Seq)
            .limit(u64::from(limit))
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        rows.into_iter().map(|row| Ok(row.into_record()?.0)).collect()
    }

    /// Walks the account's whole chain; gives the number of records.
    ///
    /// # Errors
    /// [`AuditError::Broken`] with the first bad record.
    pub async fn verify_audit(&self, permit: &Permit<Read, AuditLogs>) -> Result<i64, AuditError> {
        let account = permit.account();
        // One transaction, so that records appended meanwhile are not seen without their head.
        let db = self.reader().begin().await.map_err(StoreError::db)?;
        let mut walk = ChainWalk::new(account);
        let mut last = 0;
        loop {
            let rows = page(&db, account, last).await?;
            for row in &rows {
                last += 1;
                let (record, hash) = row.as_ref().map_err(|seq| changed(account, *seq, last))?;
                walk.step(record, *hash)?;
            }
            if rows.len() < usize::from(PAGE) {
                break;
            }
        }
        let Some(head) = find_head(&db, account).await? else {
            // Every account's chain begins with the account.
            return Err(BrokenChain::WrongEnd { account, expected: 1, found: last }.into());
        };
        let head = head.checked(self.keyring());
        let (seq, hash) = head.ok_or(BrokenChain::Changed { account, seq: last.max(1) })?;
        Ok(walk.end(seq, hash)?)
    }
}

const PAGE: u16 = 1_000;

/// The next records of a walk; one that is not even a record comes as its place.
type Walked = Result<(AuditRecord, ChainHash), Option<i64>>;

async fn page(
    db: &impl ConnectionTrait,
    account: AccountId,
    after: i64,
) -> Result<Vec<Walked>, StoreError> {
    let rows = Entity::find()
        .filter(Column::AccountId.eq(account.get()))
        .order_by_asc(Column::Seq)
        .limit(u64::from(PAGE))
        .offset(u64::try_from(after).map_err(StoreError::corrupt)?)
        .into_query();
    let rows = db.query_all(&rows).await.map_err(StoreError::db)?;
    let read = |row| -> Walked {
        let model = Model::from_query_result(&row, "").map_err(|_| row.try_get("", "seq").ok())?;
        let seq = model.seq;
        model.into_record().map_err(|_| Some(seq))
    };
    Ok(rows.into_iter().map(read).collect())
}

/// A row that does not read as a record: if it stands in its place, it was changed.
fn changed(account: AccountId, seq: Option<i64>, expected: i64) -> BrokenChain {
    match seq {
        Some(found) if found != expected => BrokenChain::Gap { account, expected, found },
        _ => BrokenChain::Changed { account, seq: expected },
    }
}

/// Appends to the account's chain, behind its head.
///
/// # Errors
/// [`StoreError::Corrupt`] if the head is missing or is not ours: a chain that was tampered with
/// is not built upon. [`StoreError::Unavailable`].
pub(crate) async fn append(
    db: &DatabaseTransaction,
    keyring: &Keyring,
    entry: Entry<'_>,
) -> Result<(), StoreError> {
    let head = find_head(db, entry.account).await?.and_then(|head| head.checked(keyring));
    let (seq, before) = head.ok_or_else(|| {
        StoreError::Corrupt(format!("the audit chain of account {} has no head", entry.account))
    })?;
    let record = entry.record(seq + 1);
    let hash = record.hash(before);
    Model::from_record(&record, hash)?
        .into_active_model()
        .insert(db)
        .await
        .map_err(StoreError::db)?;
    let head = audit_head::Model::signed(keyring, record.account, record.seq, hash);
    head.into_active_model().reset_all().update(db).await.map_err(StoreError::db)?;
    Ok(())
}

/// Begins an account's chain.
pub(crate) async fn begin_chain(
    db: &DatabaseTransaction,
    keyring: &Keyring,
    account: AccountId,
) -> Result<(), StoreError> {
    let head = audit_head::Model::signed(keyring, account, 0, ChainHash::START);
    head.into_active_model().insert(db).await.map_err(StoreError::db)?;
    Ok(())
}

/// The place of the account's last record.
pub(crate) async fn last_seq(
    db: &impl ConnectionTrait,
    account: AccountId,
) -> Result<i64, StoreError> {
    Ok(find_head(db, account).await?.map_or(0, |head| head.seq))
}

async fn find_head(
    db: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Option<audit_head::Model>, StoreError> {
    audit_head::Entity::find_by_id(account.get()).one(db).await.map_err(StoreError::db)
}

impl Entry<'_> {
    fn record(self, seq: i64) -> AuditRecord {
        AuditRecord {
            account: self.account,
            seq,
            at: self.at,
            actor: self.actor.to_owned(),
            event: self.event.to_owned(),
            object: self.object,
            project: self.project.map(ProjectId::get),
            change: self.change,
            address: self.origin.address.map(|address| address.to_string()),
            agent: self.origin.agent.clone(),
            request_id: self.origin.request_id.clone(),
        }
    }
}

impl Model {
    fn from_record(record: &AuditRecord, hash: ChainHash) -> Result<Self, StoreError> {
        Ok(Self {
            account_id: record.account.get(),
            seq: record.seq,
            at: record.at.micros(),
            actor: record.actor.clone(),
            event: record.event.clone(),
            object: record.object.clone(),
            project_id: record.project,
            change: serde_json::to_string(&record.change).map_err(StoreError::corrupt)?,
            address: record.address.clone(),
            agent: record.agent.clone(),
            request_id: record.request_id.clone(),
            hash: hash.0.to_vec(),
        })
    }

    /// The record, and the hash that stands beside it.
    pub(crate) fn into_record(self) -> Result<(AuditRecord, ChainHash), StoreError> {
        let change: Value = serde_json::from_str(&self.change).map_err(StoreError::corrupt)?;
        // White space or a key said twice would be lost in reading: what is stored has to be the
        // canonical text.
        if serde_json::to_string(&change).map_err(StoreError::corrupt)? != self.change {
            return Err(StoreError::Corrupt("an audit record is not canonical".to_owned()));
        }
        let hash = ChainHash(self.hash.try_into().map_err(|_| StoreError::corrupt("a hash"))?);
        let record = AuditRecord {
            account: AccountId::new(self.account_id).map_err(StoreError::corrupt)?,
            seq: self.seq,
            at: time(self.at)?,
            actor: self.actor,
            event: self.event,
            object: self.object,
            project: self.project_id,
            change,
            address: self.address,
            agent: self.agent,
            request_id: self.request_id,
        };
        Ok((record, hash))
    }
}

impl audit_head::Model {
    fn signed(keyring: &Keyring, account: AccountId, seq: i64, hash: ChainHash) -> Self {
        let keys = keyring.newest();
        let mac = hmac::sign(keys.audit(), &signed_bytes(account.get(), seq, &hash.0));
        Self {
            account_id: account.get(),
            seq,
            hash: hash.0.to_vec(),
            key_id: keys.id().into(),
            mac: mac.as_ref().to_vec(),
        }
    }

    /// Where the chain ends, if the head was signed by us.
    fn checked(&self, keyring: &Keyring) -> Option<(i64, ChainHash)> {
        let bytes = signed_bytes(self.account_id, self.seq, &self.hash);
        hmac::verify(keyring.key(self.key_id)?.audit(), &bytes, &self.mac).ok()?;
        Some((self.seq, ChainHash(self.hash.as_slice().try_into().ok()?)))
    }
}

fn signed_bytes(account: i64, seq: i64, hash: &[u8]) -> Vec<u8> {
    [&account.to_be_bytes()[..], &seq.to_be_bytes(), hash].concat()
}
