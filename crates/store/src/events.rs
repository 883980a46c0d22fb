//! The event log: one of the files without permits.

use domain::event::Event;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use crate::{
    Store, StoreError,
    entities::event::{Column, Entity},
};

/// The most events of one answer.
const PAGE: u64 = 1_000;

impl Store {
    /// Events after `seq`, oldest first, at most 1,000.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn events_after(&self, seq: i64) -> Result<Vec<(i64, Event)>, StoreError> {
        let rows = Entity::find()
            .filter(Column::Seq.gt(seq))
            .order_by_asc(Column::Seq)
            .limit(PAGE)
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        rows.into_iter()
            .map(|row| {
                Ok((row.seq, serde_json::from_str(&row.payload).map_err(StoreError::corrupt)?))
            })
            .collect()
    }

    /// Waits until an event is appended by this process after the call, not only after the first
    /// `await`: call it, read the log, then wait. The table is the truth, this is only haste.
    pub fn event_appended(&self) -> impl Future<Output = ()> + Send + use<'_> {
        self.appended().notified()
    }

    /// Waits until this process puts something into the outbox, as [`Store::event_appended`] does
    /// for events.
    pub fn outbox_filled(&self) -> impl Future<Output = ()> + Send + use<'_> {
        self.posted().notified()
    }

    /// Waits until this process adds to the log of a step or ends a step, as
    /// [`Store::event_appended`] does for events.
    pub fn log_appended(&self) -> impl Future<Output = ()> + Send + use<'_> {
        self.logged().notified()
    }
}
