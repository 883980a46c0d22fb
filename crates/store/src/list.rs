//! Lists: one piece of code reads any collection by a [`ListQuery`].
//!
//! A collection says what its fields are called on the wire, in which column each stands, and
//! which rows count as active; the rest is here.

use std::future::Ready;

use domain::{
    Timestamp,
    authz::Scope,
    list::{Filter, ListQuery, Paged, StateFilter, Test},
};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, Order, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, Select, Value,
    sea_query::{Expr, ExprTrait as _, SimpleExpr},
};

use crate::{Store, StoreError, dialect};

/// What can be asked of a collection.
pub(crate) struct Collection<'a, C> {
    /// The column that ties go by; `id` and `pk` on the wire.
    pub id: C,
    /// The other fields that can be filtered and ordered by.
    pub fields: &'a [Field<C>],
    /// Which rows are active.
    pub state: State,
}

/// A field of a collection.
pub(crate) struct Field<C> {
    /// Its name on the wire.
    pub name: &'static str,
    /// Where it stands.
    pub column: C,
    /// How its values read.
    pub kind: Kind,
}

/// How the values of a field read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A whole number.
    Int,
    /// A text.
    Text,
    /// A time; stored as microseconds.
    Time,
    /// `true` or `false`, `1` or `0`.
    Bool,
    /// `false` for every row, wherever its column points to.
    Never,
    /// Stands in the column's JSON under the field's name, and reads like this.
    InSpec(&'static Kind),
    /// A text that stands in no column of the collection's own table, such as a user's address, or
    /// in a part of one.
    Elsewhere(fn() -> SimpleExpr),
}

/// Which rows of a collection are active; the others are deleted.
pub(crate) struct State {
    /// The condition of an active row.
    pub active: fn() -> SimpleExpr,
    /// What is listed when nothing is said.
    pub default: StateFilter,
}

/// The most values that `x__in` takes.
const MAX_VALUES: usize = 1_000;

impl Store {
    /// A page of `rows` as the query asks, and how many there are: two statements, or one where the
    /// page itself tells.
    ///
    /// `rows` is confined to the permit's account and scope before it comes here.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] names the field that cannot be ordered by, or whose value cannot
    /// be read; [`StoreError::Unavailable`].
    pub(crate) async fn page<E>(
        &self,
        rows: Select<E>,
        collection: &Collection<'_, E::Column>,
        query: &ListQuery,
    ) -> Result<Paged<E::Model>, StoreError>
    where
        E: EntityTrait,
        E::Model: Sync,
    {
        let unknown = None::<Ready<Result<u64, StoreError>>>;
        self.page_of(rows, collection, query, unknown).await
    }

    /// The same, where how many there are need not be counted.
    pub(crate) async fn page_of<E>(
        &self,
        rows: Select<E>,
        collection: &Collection<'_, E::Column>,
        query: &ListQuery,
        known: Option<impl Future<Output = Result<u64, StoreError>> + Send>,
    ) -> Result<Paged<E::Model>, StoreError>
    where
        E: EntityTrait,
        E::Model: Sync,
    {
        let all = rows.filter(collection.condition(query)?);
        let rows = collection
            .ordered(all.clone(), query)?
            .limit(u64::from(query.limit))
            .offset(u64::from(query.offset))
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        let (read, passed) = (rows.len() as u64, u64::from(query.offset));
        let is_last = read < u64::from(query.limit) && (read > 0 || passed == 0);
        let total = match (is_last, known) {
            (true, _) => passed + read,
            (false, Some(known)) => known.await?,
            (false, None) => all.count(self.reader()).await.map_err(StoreError::db)?,
        };
        Ok(Paged { rows, total })
    }
}

impl<C: ColumnTrait> Collection<'_, C> {
    /// The condition of state and filters together; filters on unknown fields say nothing.
    pub(crate) fn condition(&self, query: &ListQuery) -> Result<Condition, StoreError> {
        let mut all = Condition::all();
        if let Some(state) = self.state.condition(query.state) {
            all = all.add(state);
        }
        for filter in &query.filters {
            if let Some(field) = self.field(&filter.field) {
                all = all.add(field.condition(filter)?);
            }
        }
        Ok(all)
    }

    fn ordered<E>(&self, rows: Select<E>, query: &ListQuery) -> Result<Select<E>, StoreError>
    where
        E: EntityTrait<Column = C>,
    {
        let Some(order) = &query.order else { return Ok(rows.order_by_asc(self.id)) };
        let field = self.field(&order.field).ok_or_else(|| self.unknown_order())?;
        let direction = if order.descending { Order::Desc } else { Order::Asc };
        Ok(rows.order_by(field.expr(), direction.clone()).order_by(self.id, direction))
    }

    pub(crate) fn field(&self, name: &str) -> Option<Field<C>> {
        match name {
            "id" | "pk" => Some(Field { name: "id", column: self.id, kind: Kind::Int }),
            _ => {
                self.fields.iter().find(|field| field.name == name).map(|field| Field { ..*field })
            }
        }
    }

    fn unknown_order(&self) -> StoreError {
        let names: Vec<_> = self.fields.iter().map(|field| format!(", `{}`", field.name)).collect();
        let message = format!("must be one of `id`{}", names.concat());
        StoreError::Invalid { field: "order_by", message }
    }
}

impl State {
    fn condition(&self, asked: Option<StateFilter>) -> Option<SimpleExpr> {
        match asked.unwrap_or(self.default) {
            StateFilter::Active => Some((self.active)()),
            StateFilter::Deleted => Some((self.active)().not()),
            StateFilter::All => None,
        }
    }
}

impl<C: ColumnTrait> Field<C> {
    /// What its values are compared by.
    fn expr(&self) -> SimpleExpr {
        match self.kind {
            Kind::InSpec(_) => dialect::in_json(self.column, self.name),
            Kind::Elsewhere(expr) => expr(),
            Kind::Never => Expr::value(false),
            Kind::Int | Kind::Text | Kind::Time | Kind::Bool => self.column.into_expr(),
        }
    }

    fn reads(&self) -> Kind {
        match self.kind {
            Kind::InSpec(kind) => *kind,
            Kind::Elsewhere(_) => Kind::Text,
            Kind::Int | Kind::Text | Kind::Time | Kind::Bool | Kind::Never => self.kind,
        }
    }

    fn condition(&self, filter: &Filter) -> Result<SimpleExpr, StoreError> {
        match &filter.test {
            Test::Is(value) => Ok(self.expr().eq(self.value(value)?)),
            Test::In(values) if values.len() > MAX_VALUES => {
                Err(self.invalid(format!("takes at most {MAX_VALUES} values")))
            }
            Test::In(values) => {
                let values: Vec<Value> =
                    values.iter().map(|value| self.value(value)).collect::<Result<_, _>>()?;
                Ok(self.expr().is_in(values))
            }
            Test::Between(from, to) if matches!(self.reads(), Kind::Time) => {
                Ok(self.expr().between(from.micros(), to.micros()))
            }
            Test::Between(..) => Err(self.invalid("is not a time, and has no range".to_owned())),
            Test::Contains(text) if matches!(self.reads(), Kind::Text) => {
                Ok(dialect::contains(self.expr(), text))
            }
            Test::Contains(_) => Err(self.invalid("is not a text, and contains none".to_owned())),
            Test::Above(_) if matches!(self.reads(), Kind::Bool | Kind::Never) => {
                Err(self.invalid("is yes or no, and has no order".to_owned()))
            }
            Test::Above(value) => Ok(self.expr().gt(self.value(value)?)),
        }
    }

    /// Reads a value by the field's kind.
    fn value(&self, text: &str) -> Result<Value, StoreError> {
        // Without the value, which may be a secret in the wrong place.
        let must_be = |what: &str| self.invalid(format!("must be {what}"));
        match self.reads() {
            Kind::Int | Kind::InSpec(_) => match text.trim().parse::<i64>() {
                Ok(number) => Ok(number.into()),
                Err(_) => Err(must_be("a whole number")),
            },
            Kind::Text | Kind::Elsewhere(_) => Ok(text.into()),
            Kind::Time => match Timestamp::parse(text) {
                Ok(time) => Ok(time.micros().into()),
                Err(_) => Err(must_be("a time such as `2026-11-23T17:03:00+00:00`")),
            },
            Kind::Bool | Kind::Never => match text {
                "true" | "True" | "1" => Ok(true.into()),
                "false" | "False" | "0" => Ok(false.into()),
                _ => Err(must_be("`true` or `false`")),
            },
        }
    }

    fn invalid(&self, message: String) -> StoreError {
        StoreError::Invalid { field: self.name, message }
    }
}

/// The condition that a row's project is in the scope; a scope that covers every project in some
/// category of environment covers every row.
pub(crate) fn in_scope(project: impl ColumnTrait, scope: &Scope) -> Condition {
    if scope.everywhere().is_empty() {
        let projects = scope.named_projects().map(|(project, _)| project.get());
        Condition::all().add(project.is_in(projects))
    } else {
        Condition::all()
    }
}
