//! Exports of the audit chain: whole, in order, with each record's hash, as a file.
//!
//! A row says what is asked for; the file is written behind it, in turns, and counts once the row
//! has its end. What a stopped server left under way is begun anew at its next start.

use bytes::Bytes;
use domain::{
    Timestamp,
    audit::{AuditExport, AuditSpan, ExportHead, ExportId, ExportLine},
    authz::{AuditLogs, Permit, Read},
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use object_store::{ObjectStoreExt as _, buffered::BufWriter, path::Path};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Select, sea_query::Expr,
};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::{
    Store, StoreError, audit,
    entities::{
        audit_export::{ActiveModel, Column, Entity, Model},
        audit_record,
    },
    rows::only,
    uid::new_uid,
};

/// How many finished exports of an account are kept: the newest.
const KEPT: u64 = 5;

impl Store {
    /// The account's latest export.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn latest_audit_export(
        &self,
        permit: &Permit<Read, AuditLogs>,
    ) -> Result<Option<AuditExport>, StoreError> {
        let row = of(permit).order_by_desc(Column::Id).one(self.reader()).await;
        row.map_err(StoreError::db)?.map(Model::into_domain).transpose()
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub async fn audit_export(
        &self,
        permit: &Permit<Read, AuditLogs>,
        id: &ExportId,
    ) -> Result<AuditExport, StoreError> {
        only(of(permit).filter(Column::Uid.eq(id.as_str())), self.reader()).await?.into_domain()
    }

    /// Those that are not finished, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn unfinished_audit_exports(
        &self,
        permit: &Permit<Read, AuditLogs>,
    ) -> Result<Vec<AuditExport>, StoreError> {
        let rows = of(permit).filter(Column::FinishedAt.is_null()).order_by_asc(Column::Id);
        let rows = rows.all(self.reader()).await.map_err(StoreError::db)?;
        rows.into_iter().map(Model::into_domain).collect()
    }

    /// Asks for an export of every record so far, this request's own among them; `None` if one is
    /// under way, which it does not disturb.
    ///
    /// # Errors
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn request_audit_export(
        &self,
        permit: &Permit<Read, AuditLogs>,
    ) -> Result<Option<AuditExport>, StoreError> {
        let mut tx = self.begin(permit).await?;
        let under_way = of(permit).filter(Column::FinishedAt.is_null()).one(tx.db()).await;
        if under_way.map_err(StoreError::db)?.is_some() {
            return Ok(None);
        }
        let uid = new_uid(tx.now());
        let after = json!({ "kind": "whole chain" });
        tx.record("audit_export.requested", format!("audit_export:{uid}"), None, None, Some(after))
            .await?;
        let through = audit::last_seq(tx.db(), tx.account()).await?;
        let row = ActiveModel {
            uid: Set(uid),
            account_id: Set(tx.account().get()),
            through: Set(through),
            requested_by: Set(permit.author().to_string()),
            created_at: Set(tx.now().micros()),
            ..Default::default()
        };
        let row = Entity::insert(row).exec_with_returning(tx.db()).await.map_err(StoreError::db)?;
        tx.commit().await?;
        row.into_domain().map(Some)
    }

    /// Writes an export's file and marks it as finished. Older ones than the newest five go.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if a record is missing, [`StoreError::Unavailable`].
    pub async fn write_audit_export(
        &self,
        permit: &Permit<Read, AuditLogs>,
        export: &AuditExport,
    ) -> Result<(), StoreError> {
        self.write_file(permit, export).await?;
        let tx = self.begin(permit).await?;
        Entity::update_many()
            .col_expr(Column::FinishedAt, Expr::value(tx.now().micros()))
            .filter(Column::Uid.eq(export.id.as_str()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        let old = of(permit).filter(Column::FinishedAt.is_not_null()).order_by_desc(Column::Id);
        let old = old.offset(KEPT).limit(1_000).all(tx.db()).await.map_err(StoreError::db)?;
        let ids: Vec<_> = old.iter().map(|row| row.id).collect();
        Entity::delete_many()
            .filter(Column::Id.is_in(ids))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        tx.commit_unrecorded().await?;
        for row in old {
            let place = place(&row.into_domain()?);
            if let Err(error) = self.artifact_store().delete(&place).await {
                tracing::warn!(%error, %place, "an old export stays");
            }
        }
        Ok(())
    }

    /// The bytes of a finished export.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Conflict`] if it is not finished,
    /// [`StoreError::Unavailable`].
    pub async fn read_audit_export(
        &self,
        permit: &Permit<Read, AuditLogs>,
        id: &ExportId,
    ) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        let export = self.audit_export(permit, id).await?;
        if export.finished_at.is_none() {
            return Err(StoreError::Conflict("the export is still being written".to_owned()));
        }
        let found = self.artifact_store().get(&place(&export)).await.map_err(unavailable)?;
        Ok(found.into_stream().map_err(unavailable).boxed())
    }

    async fn write_file(
        &self,
        permit: &Permit<Read, AuditLogs>,
        export: &AuditExport,
    ) -> Result<(), StoreError> {
        let mut file = BufWriter::new(self.artifact_store_handle(), place(export));
        let head = ExportHead {
            account: export.account,
            records: export.through,
            last_hash: self.hash_of(export).await?,
            exported_at: self.clock().now(),
        };
        put(&mut file, &head).await?;
        let span = AuditSpan { through: Some(export.through), ..AuditSpan::default() };
        let mut last = 0;
        loop {
            let turn = self.audit_turn(permit, span, last).await?;
            if turn.is_empty() {
                break;
            }
            for (record, hash) in turn {
                if record.seq != last + 1 {
                    let reason = format!("audit record {} is missing", last + 1);
                    return Err(StoreError::Corrupt(reason));
                }
                last = record.seq;
                put(&mut file, &ExportLine { hash, record }).await?;
            }
        }
        file.shutdown().await.map_err(unavailable)
    }

    /// The hash of the last record of an export.
    async fn hash_of(&self, export: &AuditExport) -> Result<domain::audit::ChainHash, StoreError> {
        let key = (export.account.get(), export.through);
        let row = only(audit_record::Entity::find_by_id(key), self.reader()).await?;
        Ok(row.into_record()?.1)
    }
}

async fn put(file: &mut BufWriter, line: &impl serde::Serialize) -> Result<(), StoreError> {
    let mut text = serde_json::to_vec(line).map_err(StoreError::corrupt)?;
    text.push(b'\n');
    file.write_all(&text).await.map_err(unavailable)
}

fn of(permit: &Permit<Read, AuditLogs>) -> Select<Entity> {
    Entity::find().filter(Column::AccountId.eq(permit.account().get()))
}

fn place(export: &AuditExport) -> Path {
    let file = format!("{}.jsonl", export.id);
    ["audit-exports", &export.account.to_string(), &file].into_iter().collect()
}

fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("the export: {error}"))
}

impl Model {
    fn into_domain(self) -> Result<AuditExport, StoreError> {
        let time = |micros| {
            Timestamp::from_micros(micros).ok_or_else(|| StoreError::corrupt("an export's time"))
        };
        Ok(AuditExport {
            id: self.uid.parse().map_err(StoreError::corrupt)?,
            account: domain::AccountId::new(self.account_id).map_err(StoreError::corrupt)?,
            through: self.through,
            requested_by: self.requested_by.parse().map_err(StoreError::corrupt)?,
            created_at: time(self.created_at)?,
            finished_at: self.finished_at.map(time).transpose()?,
        })
    }
}
