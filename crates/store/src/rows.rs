//! What the rows of all nouns have in common: a spec as JSON, a state, and how they are looked up.

use domain::{
    AccountId, ProjectId,
    authz::{AccessMarker, Extent, KindMarker, Permit},
    list::{Filter, ListQuery, Paged, Test},
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, ModelTrait, QueryFilter as _, Select,
    UpdateMany, Value,
    sea_query::{Expr, SimpleExpr},
};
use serde::{Serialize, de::DeserializeOwned};

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
pub(crate) fn said(spec: &impl Serialize) -> serde_json::Value {
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
        note_page(permit, query, &page.rows, E::PROJECT);
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
        E::object(found(permit, rows, E::PROJECT, self.reader()).await?)
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

/// The one row that a permit was shown for, noted as used where it lies; `project` is the column of
/// its project.
pub(crate) async fn found<A: AccessMarker, K: KindMarker, E: EntityTrait>(
    permit: &Permit<A, K>,
    rows: Select<E>,
    project: E::Column,
    db: &impl ConnectionTrait,
) -> Result<E::Model, StoreError> {
    let row = only(rows, db).await?;
    note_rows(permit, std::slice::from_ref(&row), project);
    Ok(row)
}

/// Notes that a permit was used where these rows lie.
pub(crate) fn note_rows<A: AccessMarker, K: KindMarker, M: ModelTrait>(
    permit: &Permit<A, K>,
    rows: &[M],
    project: <M::Entity as EntityTrait>::Column,
) {
    let mut last = None;
    for row in rows {
        let Value::BigInt(id) = row.get(project) else { continue };
        // Neighbours are often of one project.
        if id != last
            && let Some(Ok(project)) = id.map(ProjectId::new)
        {
            permit.note_project(project);
        }
        last = id;
    }
}

/// Notes where a list was used: one that names what it wants, where its rows lie; any other, for
/// all that it reaches.
pub(crate) fn note_page<A: AccessMarker, K: KindMarker, M: ModelTrait>(
    permit: &Permit<A, K>,
    query: &ListQuery,
    rows: &[M],
    project: <M::Entity as EntityTrait>::Column,
) {
    let names = |filter: &Filter| {
        let by_id = filter.field == "id" || filter.field == "pk" || filter.field.ends_with("_id");
        by_id && matches!(filter.test, Test::Is(_) | Test::In(_))
    };
    if !query.filters.iter().any(names) {
        return permit.note_everywhere();
    }
    permit.note_nothing();
    note_rows(permit, rows, project);
    if rows.is_empty() {
        for filter in query.filters.iter().filter(|filter| filter.field == "project_id") {
            note_named(permit, &filter.test);
        }
    }
}

/// Notes that a permit was used in the projects that a filter names, as far as it reaches them.
fn note_named<A: AccessMarker, K: KindMarker>(permit: &Permit<A, K>, test: &Test) {
    let ids = match test {
        Test::Is(id) => std::slice::from_ref(id),
        Test::In(ids) => ids,
        _ => return,
    };
    let scope = permit.scope();
    for project in ids.iter().filter_map(|id| id.trim().parse().ok()) {
        if !scope.categories_in(project).is_empty() {
            permit.note_project(project);
        }
    }
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
