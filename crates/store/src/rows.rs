//! What the rows of all nouns have in common: a spec as JSON, a state, and how they are looked up.

use domain::{
    AccountId,
    authz::{AccessMarker, Extent, KindMarker, Permit},
    list::{ListQuery, Paged},
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter as _, Select, UpdateMany,
    sea_query::{Expr, SimpleExpr},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Store, StoreError,
    list::{Collection, in_scope},
    tx::Tx,
};

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
    /// The account of a row.
    const ACCOUNT: Self::Column;
    /// The project of a row.
    const PROJECT: Self::Column;

    /// The condition that a row is one of these environments, or in one of them.
    fn in_environments(_ids: Vec<i64>) -> SimpleExpr {
        Expr::value(false)
    }

    /// The condition that a row is one of these jobs, or belongs to one of them.
    fn of_jobs(_ids: Vec<i64>) -> SimpleExpr {
        Expr::value(false)
    }

    /// The rows of a permit's account where it holds.
    fn within<A: AccessMarker, K: KindMarker>(permit: &Permit<A, K>) -> Select<Self> {
        let extent = permit.scope();
        of_account::<Self>(Self::ACCOUNT, permit.account())
            .filter(in_scope(Self::PROJECT, extent.scope()))
            .filter(left::<Self>(&extent))
    }
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

/// Rows that a project has, each one object of the domain, kept when it is deleted.
pub(crate) trait Noun: Placed {
    /// What a row is.
    type Object;
    /// The id of a row.
    const ID: Self::Column;
    /// Whether a row is [`ACTIVE`].
    const STATE: Self::Column;
    /// When a row last changed.
    const UPDATED_AT: Self::Column;

    /// Reads a row as what it is.
    fn object(row: Self::Model) -> Result<Self::Object, StoreError>;
}

impl Store {
    /// A page of those that a permit reaches.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (order or filter), [`StoreError::Unavailable`].
    pub(crate) async fn listed<E, A: AccessMarker, K: KindMarker>(
        &self,
        permit: &Permit<A, K>,
        collection: &Collection<'_, E::Column>,
        query: &ListQuery,
    ) -> Result<Paged<E::Object>, StoreError>
    where
        E: Noun<Model: Sync>,
    {
        let page = self.page(E::within(permit), collection, query).await?;
        let rows = page.rows.into_iter().map(E::object).collect::<Result<_, _>>()?;
        Ok(Paged { rows, total: page.total })
    }

    /// One that a permit reaches and that is not deleted.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unavailable`].
    pub(crate) async fn reached<E: Noun, A: AccessMarker, K: KindMarker>(
        &self,
        permit: &Permit<A, K>,
        id: i64,
    ) -> Result<E::Object, StoreError> {
        let rows = E::within(permit).filter(E::ID.eq(id)).filter(E::STATE.eq(ACTIVE));
        E::object(only(rows, self.reader()).await?)
    }
}

/// One of an account that is not deleted.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub(crate) async fn find<E: Noun>(
    db: &impl ConnectionTrait,
    account: AccountId,
    id: i64,
) -> Result<E::Object, StoreError> {
    let rows = of_account::<E>(E::ACCOUNT, account);
    E::object(only(rows.filter(E::ID.eq(id)).filter(E::STATE.eq(ACTIVE)), db).await?)
}

/// The statement that deletes one.
pub(crate) fn deletion<E: Noun>(tx: &Tx, id: i64) -> UpdateMany<E> {
    E::update_many()
        .col_expr(E::STATE, Expr::value(DELETED))
        .col_expr(E::UPDATED_AT, Expr::value(tx.now().micros()))
        .filter(E::ID.eq(id))
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
