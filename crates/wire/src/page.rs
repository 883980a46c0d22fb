//! How a list is asked for: limit, offset, order, state, filters, related objects.

use domain::{
    Timestamp,
    list::{Filter, ListQuery, Order, StateFilter, Test},
};
use serde_json::{Map, Value};

use crate::{Include, Invalid};

/// The parameters of a list (contract, section 4), or of one object (where only
/// `include_related` counts).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListParams {
    /// Which rows, in which order.
    pub query: ListQuery,
    /// Which related objects.
    pub include: Include,
    /// Parameters as they came, for `extra.filters`.
    given: Vec<(String, String)>,
}

/// Parameters that are not filters.
const CONTROL: [&str; 5] = ["limit", "offset", "order_by", "state", "include_related"];

impl ListParams {
    /// Reads a query string (without its `?`). Empty values count as absent.
    ///
    /// # Errors
    /// [`Invalid`] names each parameter that does not fit.
    pub fn parse(query: &str) -> Result<Self, Invalid> {
        let given: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .map(|(key, value)| (key.into_owned(), value.trim().to_owned()))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let mut bad = Invalid::collector();
        let mut asked = ListQuery::first_page();
        let mut include = Include::default();
        for (key, value) in &given {
            match key.as_str() {
                "limit" => asked.limit = bad.take(key, limit(value)).unwrap_or(asked.limit),
                "offset" => asked.offset = bad.take(key, offset(value)).unwrap_or(asked.offset),
                "order_by" => asked.order = Some(order(value)),
                "state" => asked.state = bad.take(key, state(value)),
                "include_related" => include.add(value),
                _ => {
                    if let Some(filter) = bad.take(key, filter(key, value)) {
                        push(&mut asked.filters, filter);
                    }
                }
            }
        }
        bad.finish()?;
        Ok(Self { query: asked, include, given })
    }

    /// What `extra.filters` says.
    pub(crate) fn echo(&self) -> Map<String, Value> {
        let mut echo: Map<_, _> = self
            .given
            .iter()
            .filter(|(key, _)| !CONTROL.contains(&key.as_str()) || key == "state")
            .map(|(key, value)| (key.clone(), scalar(value)))
            .collect();
        echo.insert("limit".to_owned(), self.query.limit.into());
        echo.insert("offset".to_owned(), self.query.offset.into());
        echo
    }

    /// What `extra.order_by` says.
    pub(crate) fn order_by(&self) -> String {
        match &self.query.order {
            None => "id".to_owned(),
            Some(Order { field, descending: false }) => field.clone(),
            Some(Order { field, descending: true }) => format!("-{field}"),
        }
    }
}

fn scalar(value: &str) -> Value {
    value.parse::<i64>().map_or_else(|_| Value::from(value), Value::from)
}

fn limit(value: &str) -> Result<u16, &'static str> {
    let fits = |limit: &u16| (1..=ListQuery::MAX_LIMIT).contains(limit);
    value.parse().ok().filter(fits).ok_or("must be a whole number from 1 to 100")
}

fn offset(value: &str) -> Result<u32, &'static str> {
    value.parse().map_err(|_| "must be a whole number from 0 to 4294967295")
}

fn order(value: &str) -> Order {
    match value.strip_prefix('-') {
        Some(field) => Order { field: field.to_owned(), descending: true },
        None => Order { field: value.to_owned(), descending: false },
    }
}

fn state(value: &str) -> Result<StateFilter, &'static str> {
    match value {
        "1" | "active" => Ok(StateFilter::Active),
        "2" | "deleted" => Ok(StateFilter::Deleted),
        "all" => Ok(StateFilter::All),
        _ => Err("must be 1, 2, active, deleted or all"),
    }
}

fn filter(key: &str, value: &str) -> Result<Filter, String> {
    let (field, test) = match key.rsplit_once("__") {
        Some((field, "in")) => (field, Test::In(list(value))),
        Some((field, "range")) => (field, range(value)?),
        Some((field, "icontains")) => (field, Test::Contains(value.to_owned())),
        Some((field, "gt")) => (field, Test::Above(value.to_owned())),
        _ => (key, Test::Is(value.to_owned())),
    };
    let field = if field == "pk" { "id" } else { field };
    Ok(Filter { field: field.to_owned(), test })
}

/// `[1,2]`, `["a","b"]` or `1,2`.
fn list(value: &str) -> Vec<String> {
    value
        .trim_start_matches('[')
        .trim_end_matches(']')
        .split(',')
        .map(|item| item.trim().trim_matches(['"', '\'']).to_owned())
        .filter(|item| !item.is_empty())
        .collect()
}

fn range(value: &str) -> Result<Test, String> {
    const FORM: &str = "must be two times such as \
        [\"2026-01-01T00:00:00+00:00\",\"2026-02-01T00:00:00+00:00\"]";
    // A plus sign that was not encoded arrives as a space.
    let time = |text: &str| {
        Timestamp::parse(text)
            .or_else(|bad| match text.rsplit_once(' ') {
                Some((head, offset)) if offset.contains(':') && head.contains('T') => {
                    Timestamp::parse(&format!("{head}+{offset}"))
                }
                _ => Err(bad),
            })
            .map_err(|_| FORM.to_owned())
    };
    match list(value).as_slice() {
        [from, to] => Ok(Test::Between(time(from)?, time(to)?)),
        _ => Err(FORM.to_owned()),
    }
}

/// A repeated `x__in` key adds to the first.
fn push(filters: &mut Vec<Filter>, filter: Filter) {
    let same = filters.iter_mut().find(|earlier| earlier.field == filter.field);
    match (same, &filter.test) {
        (Some(Filter { test: Test::In(values), .. }), Test::In(more)) => {
            values.extend(more.iter().cloned());
        }
        _ => filters.push(filter),
    }
}
