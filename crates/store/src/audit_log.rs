//! The audit chain, read: as a list, by a span of time, and to its end.

use domain::{
    Timestamp,
    audit::{AuditRecord, AuditSpan, ChainHash},
    authz::{AuditLogs, Permit, Read},
    list::{ListQuery, Paged, StateFilter},
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Select,
};

use crate::{
    Store, StoreError,
    entities::audit_record::{Column, Entity, Model},
    list::{Collection, Field, Kind, State},
};

static COLLECTION: Collection<Column> = Collection {
    id: Column::Seq,
    fields: &[
        Field { name: "created_at", column: Column::At, kind: Kind::Time },
        Field { name: "event_type", column: Column::Event, kind: Kind::Text },
        Field { name: "actor", column: Column::Actor, kind: Kind::Text },
        Field { name: "object", column: Column::Object, kind: Kind::Text },
        Field { name: "project_id", column: Column::ProjectId, kind: Kind::Int },
        Field { name: "address", column: Column::Address, kind: Kind::Text },
        Field { name: "request_id", column: Column::RequestId, kind: Kind::Text },
    ],
    // A record is never deleted.
    state: State { active: || Column::Seq.gt(0), default: StateFilter::All },
};

/// The most records of one turn.
const TURN: u64 = 1_000;

impl Store {
    /// Records of the permit's account in a span of time.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub async fn audit_log(
        &self,
        permit: &Permit<Read, AuditLogs>,
        span: AuditSpan,
        query: &ListQuery,
    ) -> Result<Paged<AuditRecord>, StoreError> {
        let page = self.page(in_span(permit, span), &COLLECTION, query).await?;
        let rows = page.rows.into_iter().map(|row| Ok(row.into_record()?.0));
        Ok(Paged { rows: rows.collect::<Result<_, StoreError>>()?, total: page.total })
    }

    /// The next records of a span behind `after`, oldest first, each with its hash: at most 1,000,
    /// and none where there are no more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn audit_turn(
        &self,
        permit: &Permit<Read, AuditLogs>,
        span: AuditSpan,
        after: i64,
    ) -> Result<Vec<(AuditRecord, ChainHash)>, StoreError> {
        let rows = in_span(permit, span).filter(Column::Seq.gt(after));
        let rows = rows.order_by_asc(Column::Seq).limit(TURN).all(self.reader()).await;
        rows.map_err(StoreError::db)?.into_iter().map(Model::into_record).collect()
    }
}

fn in_span(permit: &Permit<Read, AuditLogs>, span: AuditSpan) -> Select<Entity> {
    let mut rows = Entity::find().filter(Column::AccountId.eq(permit.account().get()));
    if let Some(from) = span.from.map(Timestamp::micros) {
        rows = rows.filter(Column::At.gte(from));
    }
    if let Some(to) = span.to.map(Timestamp::micros) {
        rows = rows.filter(Column::At.lte(to));
    }
    if let Some(through) = span.through {
        rows = rows.filter(Column::Seq.lte(through));
    }
    rows
}
