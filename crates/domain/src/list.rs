//! Lists: which rows of a collection, in which order.

use crate::Timestamp;

/// What a caller asks of a collection. The store knows each collection's fields: it ignores
/// filters on others, and refuses an order by others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// The most rows to give, 1 to [`ListQuery::MAX_LIMIT`].
    pub limit: u16,
    /// How many rows to pass over.
    pub offset: u32,
    /// The order; `None` is by id. Ties go by id.
    pub order: Option<Order>,
    /// Which rows by their state; `None` is what the collection has for a default.
    pub state: Option<StateFilter>,
    /// What every row has to meet.
    pub filters: Vec<Filter>,
}

impl ListQuery {
    /// The most rows of a page, and the default.
    pub const MAX_LIMIT: u16 = 100;

    /// The first page, by id.
    #[must_use]
    pub const fn first_page() -> Self {
        let (limit, offset) = (Self::MAX_LIMIT, 0);
        Self { limit, offset, order: None, state: None, filters: Vec::new() }
    }

    /// The same, and a field that has to be one of these.
    #[must_use]
    pub fn with_in<T: ToString>(
        mut self,
        field: &str,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let values = values.into_iter().map(|value| value.to_string()).collect();
        self.filters.push(Filter { field: field.to_owned(), test: Test::In(values) });
        self
    }
}

/// An order by a field; ties go by id, in the same direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The field's name on the wire.
    pub field: String,
    /// Largest first.
    pub descending: bool,
}

/// Which rows by their state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateFilter {
    /// 1
    Active,
    /// 2
    Deleted,
    /// Both.
    All,
}

/// A condition on a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The field's name on the wire (`pk` is `id`).
    pub field: String,
    /// What it has to meet.
    pub test: Test,
}

/// What a field has to meet. Values are text as it came; the store reads them by the field's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// `x=v`
    Is(String),
    /// `x__in=[a,b]`; an empty list meets nothing.
    In(Vec<String>),
    /// `x__range=[a,b]`: both ends included.
    Between(Timestamp, Timestamp),
    /// `x__icontains=v`: a substring, without regard to case.
    Contains(String),
    /// `x__gt=v`
    Above(String),
}

/// A page of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged<T> {
    /// The rows, at most as many as asked.
    pub rows: Vec<T>,
    /// How many rows meet the conditions.
    pub total: u64,
}

impl<T> Paged<T> {
    /// The same page of something else.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Paged<U> {
        Paged { rows: self.rows.into_iter().map(f).collect(), total: self.total }
    }
}
