//! Usage and billing: an addition of ours, which dbt's documents do not have.

use std::collections::BTreeMap;

use domain::{
    AccountId,
    list::Test,
    usage::{Billing as Bill, Month, Months, Seats, Usage as Row},
    user::Email,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Invalid, ListParams, Patch, field};

/// What an account's runs used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// The account.
    pub account_id: i64,
    /// A row a month (UTC, of the runs' ends) and project, by both.
    pub rows: Vec<UsageRow>,
    /// How many users have which licence, now.
    pub seats: BTreeMap<String, u64>,
}

/// What the runs of a project that ended in a month used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UsageRow {
    /// The month, in UTC: `2026-11`.
    pub month: String,
    /// The project, which may be deleted by now.
    pub project_id: i64,
    /// What it is called.
    pub project_name: String,
    /// How many runs ended.
    pub runs: u64,
    /// How long they ran together, in minutes.
    pub run_minutes: f64,
    /// How many models dbt built in them.
    pub models_built: u64,
}

impl From<Row> for UsageRow {
    fn from(row: Row) -> Self {
        // Tenths of a second are more than anybody pays for.
        #[expect(clippy::cast_precision_loss, reason = "a float counts 285 million years exactly")]
        let run_minutes = (row.seconds as f64 / 6.0).round() / 10.0;
        Self {
            month: row.month.as_str().to_owned(),
            project_id: row.project.get(),
            project_name: row.project_name,
            runs: row.runs,
            run_minutes,
            models_built: row.models_built,
        }
    }
}

impl Usage {
    /// Rows and seats together.
    #[must_use]
    pub fn new(account: AccountId, rows: Vec<Row>, seats: &Seats) -> Self {
        let rows = rows.into_iter().map(UsageRow::from).collect();
        Self { account_id: account.get(), rows, seats: told(seats) }
    }
}

fn told(seats: &Seats) -> BTreeMap<String, u64> {
    seats.iter().map(|(license, users)| (license.key().to_owned(), *users)).collect()
}

/// The months that `from` and `to` name, both included.
///
/// # Errors
/// [`Invalid`] names each that is no month.
pub fn usage_months(params: &ListParams) -> Result<Months, Invalid> {
    let mut bad = Invalid::collector();
    let mut month = |name| bad.take(name, Month::parse(parameter(params, name)?));
    let months = Months { from: month("from"), to: month("to") };
    bad.finish()?;
    Ok(months)
}

/// Whether `format` asks for CSV; JSON unless it does.
///
/// # Errors
/// [`Invalid`] names `format`.
pub fn wants_csv(params: &ListParams) -> Result<bool, Invalid> {
    match parameter(params, "format") {
        None | Some("json") => Ok(false),
        Some("csv") => Ok(true),
        Some(_) => Err(Invalid::field("format", "must be `json` or `csv`")),
    }
}

/// What a parameter of this name says.
pub(super) fn parameter<'a>(params: &'a ListParams, name: &str) -> Option<&'a str> {
    let given = params.query.filters.iter().find(|filter| filter.field == name)?;
    if let Test::Is(text) = &given.test { Some(text) } else { None }
}

/// Who is billed, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Billing {
    /// The account.
    pub account_id: i64,
    /// Its plan.
    pub plan: String,
    /// Where bills go.
    pub billing_email: Option<String>,
    /// How many users have which licence, now.
    pub seats: BTreeMap<String, u64>,
}

impl Billing {
    /// The billing of an account.
    #[must_use]
    pub fn new(account: AccountId, bill: Bill) -> Self {
        Self {
            account_id: account.get(),
            plan: bill.plan.as_str().to_owned(),
            billing_email: bill.email.map(Into::into),
            seats: told(&bill.seats),
        }
    }
}

/// The body that says where bills go. Other keys are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct BillingBody {
    /// The account, if given: the path's.
    #[schema(value_type = Option<i64>)]
    pub account_id: Patch<i64>,
    /// An e-mail address; null for none. Required.
    #[schema(value_type = Option<String>)]
    pub billing_email: Patch<String>,
}

impl BillingBody {
    /// Where bills go.
    ///
    /// # Errors
    /// [`Invalid`] names `billing_email`.
    pub fn email(self) -> Result<Option<Email>, Invalid> {
        if self.billing_email.is_absent() {
            return Err(Invalid::field("billing_email", "is required: an address, or null"));
        }
        let email = field::or_null(self.billing_email).try_map(|text| Email::parse(&text));
        email.map(Patch::value).map_err(|wrong| Invalid::field("billing_email", wrong))
    }
}
