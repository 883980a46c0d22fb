//! What the rows of all nouns have in common: a spec as JSON, a state, and how they are looked up.

use domain::{AccountId, authz::Extent};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter as _, Select,
    sea_query::{Expr, SimpleExpr},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{StoreError, list::in_scope};

/// A row that is there.
pub(crate) const ACTIVE: i64 = 1;
/// A row that is kept for what points to it.
pub(crate) const DELETED: i64 = 2;

/// A spec as it is stored.
pub(crate) fn to_text(spec: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(spec).map_err(StoreError::corrupt)
}

/// A stored spec.
pub(crate) fn from_text<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(StoreError::corrupt)
}

/// What an audit record says of a spec.
pub(crate) fn said(spec: &impl Serialize) -> Value {
    serde_json::to_value(spec).unwrap_or_default()
}

/// The rows of an account; `column` is its `account_id`.
pub(crate) fn of_account<E: EntityTrait>(column: E::Column, account: AccountId) -> Select<E> {
    E::find().filter(column.eq(account.get()))
}

/// Rows that lie in a project, and what else they lie in. By default, in nothing else: whoever is
/// held to some environments or jobs reaches none of them.
pub(crate) trait Placed: EntityTrait {
    /// The condition that a row is one of these environments, or in one of them.
    fn in_environments(_ids: Vec<i64>) -> SimpleExpr {
        Expr::value(false)
    }

    /// The condition that a row is one of these jobs, or belongs to one of them.
    fn of_jobs(_ids: Vec<i64>) -> SimpleExpr {
        Expr::value(false)
    }
}

/// The rows of an account where a permit holds.
pub(crate) fn within<E: Placed>(
    account: (E::Column, AccountId),
    project: E::Column,
    extent: &Extent<'_>,
) -> Select<E> {
    of_account::<E>(account.0, account.1)
        .filter(in_scope(project, extent.scope()))
        .filter(left::<E>(extent))
}

/// What is left of rows where environments and jobs are named.
fn left<E: Placed>(extent: &Extent<'_>) -> Condition {
    let (environments, jobs) = (&extent.restrictions().environments, &extent.restrictions().jobs);
    let environments = environments
        .as_ref()
        .map(|ids| E::in_environments(ids.iter().map(|id| id.get()).collect()));
    let jobs = jobs.as_ref().map(|ids| E::of_jobs(ids.iter().map(|id| id.get()).collect()));
    Condition::all().add_option(environments).add_option(jobs)
}

/// The one row that is meant, or [`StoreError::NotFound`].
pub(crate) async fn only<E: EntityTrait>(
    rows: Select<E>,
    db: &impl ConnectionTrait,
) -> Result<E::Model, StoreError> {
    rows.one(db).await.map_err(StoreError::db)?.ok_or(StoreError::NotFound)
}

/// What a field names, if it is there and fits.
pub(crate) fn named<T>(
    found: Result<T, StoreError>,
    fits: impl FnOnce(&T) -> bool,
    (field, what): (&'static str, &str),
) -> Result<T, StoreError> {
    match found {
        Ok(object) if fits(&object) => Ok(object),
        Ok(_) | Err(StoreError::NotFound) => Err(names_nothing(field, what)),
        Err(error) => Err(error),
    }
}

/// A field that names something which is not there, or not within reach: the same words for both.
fn names_nothing(field: &'static str, what: &str) -> StoreError {
    StoreError::Invalid { field, message: format!("does not name a {what} within reach") }
}
