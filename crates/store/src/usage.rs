//! What an account used, out of its own records of runs; and who is billed for it.

use std::{
    collections::BTreeMap,
    io::{BufReader, Read},
};

use domain::{
    AccountId, AccountPlan, NodeCounts, ProjectId, RunId,
    authz::{self, Permit, Runs, Write, kinds::Billing as BillingKind},
    usage::{Billing, Month, Months, Seats, Usage},
    user::Email,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, FromQueryResult, QueryFilter as _,
    QuerySelect as _, QueryTrait as _, Select,
    sea_query::{Alias, Expr, ExprTrait as _, Func, OnConflict, Query, SimpleExpr},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Store, StoreError, artifacts, dialect,
    entities::{account, membership, project, run, run_usage},
    rows::{from_text, only, to_text},
    tx::Tx,
};

/// Runs of a project in a month.
#[derive(FromQueryResult)]
struct RunsRow {
    project_id: i64,
    month: String,
    runs: i64,
    micros: i64,
}

/// Models of a project in a month.
#[derive(FromQueryResult)]
struct ModelsRow {
    project_id: i64,
    month: String,
    models: i64,
}

impl Store {
    /// What the account's runs used, month by month and project by project.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn usage(
        &self,
        permit: &Permit<authz::Read, BillingKind>,
        months: &Months,
    ) -> Result<Vec<Usage>, StoreError> {
        let db = self.reader();
        let account = permit.account();
        let ran: Vec<RunsRow> = ended(account, months)
            .column_as(Expr::col((run::Entity, run::Column::Id)).count(), "runs")
            .column_as(seconds_run(), "micros")
            .into_model()
            .all(db)
            .await
            .map_err(StoreError::db)?;
        let built: Vec<ModelsRow> = ended(account, months)
            .join(sea_orm::JoinType::InnerJoin, run_usage::Relation::Run.def_rev())
            .column_as(
                Expr::col((run_usage::Entity, run_usage::Column::ModelsBuilt)).sum(),
                "models",
            )
            .into_model()
            .all(db)
            .await
            .map_err(StoreError::db)?;
        let names = project::Entity::find()
            .filter(project::Column::AccountId.eq(account.get()))
            .all(db)
            .await
            .map_err(StoreError::db)?;
        let names: BTreeMap<_, _> = names.into_iter().map(|row| (row.id, row.name)).collect();
        let built: BTreeMap<_, _> =
            built.into_iter().map(|row| ((row.month, row.project_id), row.models)).collect();
        let mut usage: Vec<_> = ran
            .into_iter()
            .map(|row| {
                let models = built.get(&(row.month.clone(), row.project_id)).copied();
                Ok(Usage {
                    month: Month::parse(&row.month).map_err(StoreError::corrupt)?,
                    project: ProjectId::new(row.project_id).map_err(StoreError::corrupt)?,
                    project_name: names.get(&row.project_id).cloned().unwrap_or_default(),
                    runs: count(row.runs)?,
                    seconds: count(row.micros)? / 1_000_000,
                    models_built: count(models.unwrap_or_default())?,
                })
            })
            .collect::<Result<_, StoreError>>()?;
        usage.sort_by(|a, b| (&a.month, a.project).cmp(&(&b.month, b.project)));
        Ok(usage)
    }

    /// How many warnings each of these runs gave that gave any, in one statement.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn run_warnings(
        &self,
        permit: &Permit<authz::Read, Runs>,
        runs: &[RunId],
    ) -> Result<BTreeMap<RunId, u64>, StoreError> {
        use run_usage::Column;

        let of = artifacts::reached(permit)
            .filter(run::Column::Id.is_in(runs.iter().map(|run| run.get())))
            .select_only()
            .column(run::Column::Id);
        let rows: Vec<(i64, i64)> = run_usage::Entity::find()
            .select_only()
            .column(Column::RunId)
            .expr(Expr::col(Column::Warnings).sum())
            .filter(Column::RunId.in_subquery(of.into_query()))
            .filter(Column::Warnings.gt(0))
            .group_by(Column::RunId)
            .into_tuple()
            .all(self.reader())
            .await
            .map_err(StoreError::db)?;
        let row =
            |(run, warnings)| Ok((RunId::new(run).map_err(StoreError::corrupt)?, count(warnings)?));
        rows.into_iter().map(row).collect()
    }

    /// Who is billed, and for what.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn billing(
        &self,
        permit: &Permit<authz::Read, BillingKind>,
    ) -> Result<Billing, StoreError> {
        billing_of(self.reader(), permit.account()).await
    }

    /// Says where bills go.
    ///
    /// # Errors
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn update_billing(
        &self,
        permit: &Permit<Write, BillingKind>,
        email: Option<Email>,
    ) -> Result<Billing, StoreError> {
        let mut tx = self.begin(permit).await?;
        let before = billing_of(tx.db(), tx.account()).await?;
        account::Entity::update_many()
            .col_expr(account::Column::BillingEmail, Expr::value(email.as_ref().map(Email::as_str)))
            .filter(account::Column::Id.eq(tx.account().get()))
            .exec(tx.db())
            .await
            .map_err(StoreError::db)?;
        let said = |email: &Option<Email>| Some(json!({ "billing_email": email }));
        let object = format!("account:{}", tx.account());
        let change = (said(&before.email), said(&email));
        tx.record("billing.updated", object, None, change.0, change.1).await?;
        tx.commit().await?;
        Ok(Billing { email, ..before })
    }
}

/// The runs of an account that ended in these months, by project and month.
fn ended(account: AccountId, months: &Months) -> Select<run::Entity> {
    let month = || dialect::month((run::Entity, run::Column::FinishedAt));
    let mut rows = run::Entity::find()
        .select_only()
        .column(run::Column::ProjectId)
        .column_as(month(), "month")
        .filter(run::Column::AccountId.eq(account.get()))
        .filter(run::Column::FinishedAt.is_not_null())
        .group_by(run::Column::ProjectId)
        .group_by(Expr::col(Alias::new("month")));
    if let Some(from) = &months.from {
        rows = rows.filter(month().gte(from.as_str()));
    }
    if let Some(to) = &months.to {
        rows = rows.filter(month().lte(to.as_str()));
    }
    rows
}

/// How long runs ran together; one that was cancelled before it started ran for no time.
fn seconds_run() -> SimpleExpr {
    let column = |column| Expr::col((run::Entity, column));
    let ran = column(run::Column::FinishedAt).sub(column(run::Column::StartedAt));
    Func::coalesce([Expr::expr(ran).sum(), Expr::value(0)]).into()
}

async fn billing_of(db: &impl ConnectionTrait, account: AccountId) -> Result<Billing, StoreError> {
    let row = only(account::Entity::find_by_id(account.get()), db).await?;
    let seats: Vec<(String, i64)> = membership::Entity::find()
        .select_only()
        .column(membership::Column::License)
        .column_as(membership::Column::UserId.count(), "users")
        .filter(membership::Column::AccountId.eq(account.get()))
        .group_by(membership::Column::License)
        .into_tuple()
        .all(db)
        .await
        .map_err(StoreError::db)?;
    let seats = seats
        .into_iter()
        .map(|(license, users)| Ok((license.parse().map_err(StoreError::corrupt)?, count(users)?)));
    let email = row.billing_email.map(|text| Email::parse(&text)).transpose();
    Ok(Billing {
        plan: AccountPlan::new(row.plan),
        email: email.map_err(StoreError::corrupt)?,
        seats: seats.collect::<Result<Seats, StoreError>>()?,
    })
}

fn count(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(StoreError::corrupt)
}

/// What a step of a run left tells of models and warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// Models that a command which builds (not `compile` or `docs generate`) built well.
    models_built: usize,
    /// Data tests that warned, and sources that are stale or could not be looked at: the run goes
    /// well all the same.
    warnings: usize,
    /// What became of models and tests, where a command ran them.
    counts: NodeCounts,
}

impl Tally {
    /// Whether an artifact of this path has results.
    pub(crate) fn is_in(path: &str) -> bool {
        matches!(path, "run_results.json" | "sources.json")
    }

    /// Counts an artifact's results while it is read; `None` if it has none. One that is not dbt's
    /// counts for nothing.
    pub(crate) fn of(path: &str, from: impl Read) -> Option<Self> {
        let warns: fn(&Outcome) -> bool = match path {
            "run_results.json" => |outcome| outcome.status == "warn",
            "sources.json" => |outcome| outcome.status != "pass",
            _ => return None,
        };
        let Ok(Results { args, results }) = serde_json::from_reader(BufReader::new(from)) else {
            return Some(Self::default());
        };
        let which = args.map(|args| args.which).unwrap_or_default();
        let builds = matches!(&*which, "build" | "run" | "retry");
        let mut counts = NodeCounts::default();
        if builds || which == "test" {
            for result in &results {
                counts.count(&result.unique_id, &result.status);
            }
        }
        let built = |outcome: &&Outcome| {
            builds && outcome.status == "success" && outcome.unique_id.starts_with("model.")
        };
        Some(Self {
            models_built: results.iter().filter(built).count(),
            warnings: results.iter().filter(|outcome| warns(outcome)).count(),
            counts,
        })
    }
}

/// Notes what a step told of models and warnings.
pub(crate) async fn note(
    tx: &Tx,
    run: &domain::run::Run,
    step: u32,
    tally: Tally,
) -> Result<(), StoreError> {
    let number = |count| i64::try_from(count).map_err(StoreError::corrupt);
    let row = run_usage::ActiveModel {
        run_id: Set(run.id.get()),
        step: Set(step.into()),
        account_id: Set(run.account.get()),
        project_id: Set(run.project.get()),
        models_built: Set(number(tally.models_built)?),
        warnings: Set(number(tally.warnings)?),
        counts: Set(Some(to_text(&tally.counts)?)),
    };
    let again = OnConflict::columns([run_usage::Column::RunId, run_usage::Column::Step])
        .update_columns([
            run_usage::Column::ModelsBuilt,
            run_usage::Column::Warnings,
            run_usage::Column::Counts,
        ])
        .to_owned();
    run_usage::Entity::insert(row)
        .on_conflict(again)
        .exec_without_returning(tx.db())
        .await
        .map_err(StoreError::db)?;
    sum_up(tx, run.id).await
}

/// Writes what became of models and tests in all steps of a run on the run.
async fn sum_up(tx: &Tx, run: RunId) -> Result<(), StoreError> {
    let steps = run_usage::Entity::find().filter(run_usage::Column::RunId.eq(run.get()));
    let mut counts = NodeCounts::default();
    for step in steps.all(tx.db()).await.map_err(StoreError::db)? {
        counts += step.counts.as_deref().map(from_text).transpose()?.unwrap_or_default();
    }
    run::Entity::update_many()
        .col_expr(run::Column::Counts, Expr::value(to_text(&counts)?))
        .filter(run::Column::Id.eq(run.get()))
        .exec(tx.db())
        .await
        .map_err(StoreError::db)?;
    Ok(())
}

/// The same of each row of a select of runs.
pub(crate) fn warnings_of_row() -> SimpleExpr {
    let of = (run_usage::Entity, run_usage::Column::RunId);
    let sum = Query::select()
        .expr(Expr::col((run_usage::Entity, run_usage::Column::Warnings)).sum())
        .from(run_usage::Entity)
        .and_where(Expr::col(of).equals((run::Entity, run::Column::Id)))
        .take();
    SimpleExpr::SubQuery(None, Box::new(sum.into()))
}

/// How many warnings a run's steps gave together.
pub(crate) async fn warnings(tx: &Tx, run: RunId) -> Result<u64, StoreError> {
    let sum: Option<Option<i64>> = run_usage::Entity::find()
        .select_only()
        .expr(Expr::col(run_usage::Column::Warnings).sum())
        .filter(run_usage::Column::RunId.eq(run.get()))
        .into_tuple()
        .one(tx.db())
        .await
        .map_err(StoreError::db)?;
    count(sum.flatten().unwrap_or_default())
}

/// What `run_results.json` and `sources.json` have in common.
#[derive(Deserialize)]
struct Results {
    args: Option<Args>,
    results: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Args {
    which: String,
}

#[derive(Deserialize)]
struct Outcome {
    status: String,
    unique_id: String,
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn tally(path: &str, bytes: &[u8]) -> (usize, usize) {
        let Tally { models_built, warnings, .. } = Tally::of(path, bytes).unwrap();
        (models_built, warnings)
    }

    #[test]
    fn models_count_where_a_command_built_them_well_and_warnings_everywhere() {
        let results = |which: &str| {
            serde_json::json!({ "args": { "which": which, "x": 1 }, "elapsed_time": 2.0, "results": [
                { "status": "success", "unique_id": "model.shop.orders" },
                { "status": "error", "unique_id": "model.shop.items" },
                { "status": "success", "unique_id": "model.shop.people", "timing": [] },
                { "status": "pass", "unique_id": "test.shop.unique" },
                { "status": "warn", "unique_id": "test.shop.positive" },
                { "status": "success", "unique_id": "seed.shop.raw" },
            ] })
            .to_string()
        };
        for (which, built) in
            [("build", 2), ("run", 2), ("retry", 2), ("compile", 0), ("generate", 0)]
        {
            let told = tally("run_results.json", results(which).as_bytes());
            assert_eq!(told, (built, 1), "{which}");
        }
        assert_eq!(tally("run_results.json", b"no JSON"), (0, 0));
        assert_eq!(tally("run_results.json", b"{}"), (0, 0));
        assert_eq!(Tally::of("manifest.json", &b"{}"[..]), None);
    }

    #[test]
    fn a_source_that_is_not_fresh_is_a_warning() {
        let sources = serde_json::json!({ "results": [
            { "status": "pass", "unique_id": "source.shop.raw.a" },
            { "status": "warn", "unique_id": "source.shop.raw.b" },
            { "status": "error", "unique_id": "source.shop.raw.c" },
            { "status": "runtime error", "unique_id": "source.shop.raw.d", "error": "gone" },
        ] });
        assert_eq!(tally("sources.json", sources.to_string().as_bytes()), (0, 3));
    }
}
