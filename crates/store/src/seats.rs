//! Seats: how the licences of an account are taken.

use std::collections::BTreeMap;

use domain::{
    account::Account,
    authz::{License, Licenses, Permit, Read},
    seats::Allocation,
};
use sea_orm::{ColumnTrait as _, ConnectionTrait, QuerySelect as _};

use crate::{
    Store, StoreError, accounts,
    entities::{invite, membership},
    invites, memberships,
    tx::Tx,
};

impl Store {
    /// How the seats of each licence are taken.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn allocations(
        &self,
        permit: &Permit<Read, Licenses>,
    ) -> Result<BTreeMap<License, Allocation>, StoreError> {
        let account = accounts::find(self.reader(), permit.account()).await?;
        taken(self.reader(), &account, self.clock().now().micros()).await
    }
}

/// That there are seats left for so many more with this licence, promised ones counted as taken.
pub(crate) async fn check_room(tx: &Tx, license: License, more: usize) -> Result<(), StoreError> {
    let allocation = allocation(tx, license).await?;
    let more = u64::try_from(more).unwrap_or(u64::MAX);
    if allocation.available().is_none_or(|left| more <= left) {
        Ok(())
    } else {
        Err(none_left(license, &allocation))
    }
}

/// That there is a seat for one to whom it was promised.
pub(crate) async fn check_promised(tx: &Tx, license: License) -> Result<(), StoreError> {
    let allocation = allocation(tx, license).await?;
    if allocation.total.is_none_or(|total| allocation.in_use < u64::from(total)) {
        Ok(())
    } else {
        Err(none_left(license, &allocation))
    }
}

async fn allocation(tx: &Tx, license: License) -> Result<Allocation, StoreError> {
    let account = accounts::find(tx.db(), tx.account()).await?;
    let all = taken(tx.db(), &account, tx.now().micros()).await?;
    let none = Allocation { total: account.seats_of(license), in_use: 0, invited: 0 };
    Ok(all.get(&license).copied().unwrap_or(none))
}

fn none_left(license: License, allocation: &Allocation) -> StoreError {
    let (total, license) = (allocation.total.unwrap_or_default(), license.key());
    let taken = allocation.assigned();
    StoreError::Conflict(format!(
        "no `{license}` seat is left: the plan has {total}, and {taken} are taken or promised"
    ))
}

async fn taken(
    db: &impl ConnectionTrait,
    account: &Account,
    now: i64,
) -> Result<BTreeMap<License, Allocation>, StoreError> {
    let in_use: Vec<(String, i64)> = memberships::of(account.id)
        .select_only()
        .column(membership::Column::License)
        .column_as(membership::Column::UserId.count(), "taken")
        .group_by(membership::Column::License)
        .into_tuple()
        .all(db)
        .await
        .map_err(StoreError::db)?;
    let invited: Vec<(String, i64)> = invites::open(account.id, now)
        .select_only()
        .column(invite::Column::License)
        .column_as(invite::Column::Id.count(), "promised")
        .group_by(invite::Column::License)
        .into_tuple()
        .all(db)
        .await
        .map_err(StoreError::db)?;
    let of = |counts: &[(String, i64)], license: License| {
        let found = counts.iter().find(|(key, _)| key == license.key());
        found.map_or(Ok(0), |(_, count)| u64::try_from(*count)).map_err(StoreError::corrupt)
    };
    let one = |license: License| {
        let allocation = Allocation {
            total: account.seats_of(license),
            in_use: of(&in_use, license)?,
            invited: of(&invited, license)?,
        };
        Ok((license, allocation))
    };
    License::ALL.into_iter().map(one).collect()
}
