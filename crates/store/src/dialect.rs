//! What truly differs between the databases. This build speaks SQLite.
//!
//! On PostgreSQL `write_mode` would say nothing, the append to `events` hold a transaction-level
//! advisory lock, `contains` be `ILIKE`, and `touch` unnest two arrays.

use std::path::Path;

use sea_orm::{
    ColumnTrait, ConnectOptions, DbBackend, SqliteTransactionMode, Statement, TransactionOptions,
    sea_query::{
        Expr, ExprTrait as _, Func, IntoColumnRef, LikeExpr, Query, SelectStatement, SimpleExpr,
    },
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};

/// How long a writer of another process is waited for.
const BUSY: std::time::Duration = std::time::Duration::from_secs(30);

/// The one connection that writes.
pub(crate) fn writer(database: &Path) -> ConnectOptions {
    options(database, 1, false)
}

/// The connections that read beside it; they refuse to write.
pub(crate) fn readers(database: &Path) -> ConnectOptions {
    let cores = std::thread::available_parallelism().map_or(4, std::num::NonZero::get);
    options(database, u32::try_from(cores.clamp(2, 16)).unwrap_or(4), true)
}

fn options(database: &Path, connections: u32, only_reads: bool) -> ConnectOptions {
    let database = database.to_owned();
    let mut options = ConnectOptions::new("sqlite:");
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(BUSY)
        .idle_timeout(None)
        .max_lifetime(None)
        // A connection to a file does not go stale; asking it would be a statement more.
        .test_before_acquire(false)
        // Values of statements are never to be in a log.
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .map_sqlx_sqlite_opts(move |sqlite| {
            sqlite
                .filename(&database)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(BUSY)
                .pragma("query_only", if only_reads { "on" } else { "off" })
        });
    options
}

/// How a transaction that writes begins: it takes the write lock at once, so that what it reads
/// stays true until it commits.
pub(crate) fn write_mode() -> TransactionOptions {
    let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
    TransactionOptions { sqlite_transaction_mode, ..TransactionOptions::default() }
}

/// Whether the column contains the text, without regard to the case of A to Z.
pub(crate) fn contains(value: SimpleExpr, text: &str) -> SimpleExpr {
    let escaped = text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
    value.like(LikeExpr::new(format!("%{escaped}%")).escape('\\'))
}

/// What stands under a name in a column of JSON.
pub(crate) fn in_json(column: impl ColumnTrait, name: &str) -> SimpleExpr {
    Func::cust("json_extract").arg(column.into_expr()).arg(format!("$.{name}")).into()
}

/// The name at the end of a git address (`shop` of `git@host:acme/shop.git`), as answers tell it.
pub(crate) fn last_name(column: impl ColumnTrait) -> SimpleExpr {
    // Without the slash and the `.git` at its end; then what stands behind the last `/` or `:`.
    const ADDRESS: &str = "rtrim(?, '/')";
    let bare = format!(
        "iif({ADDRESS} LIKE '%.git', substr({ADDRESS}, 1, length({ADDRESS}) - 4), {ADDRESS})"
    );
    let parts = format!("replace({bare}, ':', '/')");
    let sql = format!("substr({parts}, length(rtrim({parts}, replace({parts}, '/', ''))) + 1)");
    let places = sql.matches('?').count();
    Expr::cust_with_exprs(sql, std::iter::repeat_n(column.into_expr(), places))
}

/// The column `text` of these rows, one after the other in their order; null if there are none.
pub(crate) fn joined(rows: SelectStatement) -> SimpleExpr {
    let text = Func::cust("group_concat").arg(Expr::col("text")).arg("");
    let joined = Query::select().expr(text).from_subquery(rows, "rows").take();
    SimpleExpr::SubQuery(None, Box::new(joined.into()))
}

/// The month (`2026-11`, in UTC) of a time.
pub(crate) fn month(column: impl IntoColumnRef) -> SimpleExpr {
    let seconds = Expr::col(column).div(1_000_000);
    Func::cust("strftime").arg("%Y-%m").arg(seconds).arg("unixepoch").into()
}

/// Folds the log into the database file.
pub(crate) const CHECKPOINT: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// Has `run_counts` say how many runs each project has, now and from now on (until
/// [`COUNT_NO_RUNS`]).
pub(crate) const COUNT_RUNS: [&str; 3] = [
    "INSERT INTO run_counts (account_id, project_id, runs) \
     SELECT account_id, project_id, COUNT(*) FROM runs GROUP BY account_id, project_id",
    "CREATE TRIGGER run_counts_up AFTER INSERT ON runs BEGIN \
     INSERT INTO run_counts (account_id, project_id, runs) \
     VALUES (NEW.account_id, NEW.project_id, 1) \
     ON CONFLICT (account_id, project_id) DO UPDATE SET runs = runs + 1; END",
    "CREATE TRIGGER run_counts_down AFTER DELETE ON runs BEGIN \
     UPDATE run_counts SET runs = runs - 1 \
     WHERE account_id = OLD.account_id AND project_id = OLD.project_id; END",
];

/// Ends [`COUNT_RUNS`].
pub(crate) const COUNT_NO_RUNS: [&str; 2] =
    ["DROP TRIGGER run_counts_up", "DROP TRIGGER run_counts_down"];

/// Has `run_counts` say how many runs of each job there are in each state, now and from now on.
pub(crate) const COUNT_RUNS_BY_STATE: [&str; 4] = [
    "INSERT INTO run_counts (account_id, project_id, environment_id, job_id, status, runs) \
     SELECT account_id, project_id, environment_id, job_id, status, COUNT(*) FROM runs \
     GROUP BY account_id, project_id, environment_id, job_id, status",
    "CREATE TRIGGER run_counts_up AFTER INSERT ON runs BEGIN \
     INSERT INTO run_counts (account_id, project_id, environment_id, job_id, status, runs) \
     VALUES (NEW.account_id, NEW.project_id, NEW.environment_id, NEW.job_id, NEW.status, 1) \
     ON CONFLICT DO UPDATE SET runs = runs + 1; END",
    "CREATE TRIGGER run_counts_down AFTER DELETE ON runs BEGIN \
     UPDATE run_counts SET runs = runs - 1 \
     WHERE account_id = OLD.account_id AND project_id = OLD.project_id \
     AND environment_id = OLD.environment_id AND job_id = OLD.job_id AND status = OLD.status; END",
    "CREATE TRIGGER run_counts_over AFTER UPDATE OF status ON runs \
     WHEN NEW.status <> OLD.status BEGIN \
     UPDATE run_counts SET runs = runs - 1 \
     WHERE account_id = OLD.account_id AND project_id = OLD.project_id \
     AND environment_id = OLD.environment_id AND job_id = OLD.job_id AND status = OLD.status; \
     INSERT INTO run_counts (account_id, project_id, environment_id, job_id, status, runs) \
     VALUES (NEW.account_id, NEW.project_id, NEW.environment_id, NEW.job_id, NEW.status, 1) \
     ON CONFLICT DO UPDATE SET runs = runs + 1; END",
];

/// Has a run one open lease at most, and gives those that are under way without one a lease that has
/// run out.
pub(crate) const LEASES: [&str; 2] = [
    "CREATE UNIQUE INDEX run_leases_open ON run_leases (run_id) WHERE ended_at IS NULL",
    "INSERT INTO run_leases (account_id, run_id, worker, taken_at, renewed_at, leased_until) \
     SELECT account_id, id, '', updated_at, updated_at, updated_at FROM runs \
     WHERE status IN (2, 3)",
];

/// Takes over which job waits for which from their specs.
pub(crate) const AFTER_JOBS: &str = "UPDATE jobs \
     SET after_job_id = json_extract(spec, '$.echoed.completion_condition.job')";

/// Gives the digests of service tokens a table of their own.
pub(crate) const MOVE_DIGESTS: &str = "INSERT INTO service_token_credentials \
     (account_id, service_token_id, digest_key_id, digest, created_at, expires_at, last_used) \
     SELECT account_id, id, digest_key_id, digest, created_at, expires_at, last_used \
     FROM service_tokens WHERE digest IS NOT NULL";

/// Moves last-used times of a table forward, many rows at once.
pub(crate) fn touch(table: &'static str, used: &[(i64, i64)]) -> Statement {
    let sql = format!(
        "UPDATE {table} SET last_used = max(coalesce(last_used, 0), used.at) \
         FROM (SELECT value ->> 0 AS id, value ->> 1 AS at FROM json_each(?)) AS used \
         WHERE {table}.id = used.id"
    );
    let pairs = serde_json::json!(used).to_string();
    Statement::from_sql_and_values(DbBackend::Sqlite, sql, [pairs.into()])
}

/// Moves the last use of service tokens' credentials forward, many rows at once: `[id, first use,
/// last use, address, agent]`. The first use is written once.
pub(crate) fn touch_credentials(used: &[serde_json::Value]) -> Statement {
    const SQL: &str = "UPDATE service_token_credentials SET \
         first_used = coalesce(first_used, used.first), \
         last_address = iif(coalesce(last_used, 0) <= used.at, used.address, last_address), \
         last_agent = iif(coalesce(last_used, 0) <= used.at, used.agent, last_agent), \
         last_used = max(coalesce(last_used, 0), used.at) \
         FROM (SELECT value ->> 0 AS id, value ->> 1 AS first, value ->> 2 AS at, \
         value ->> 3 AS address, value ->> 4 AS agent FROM json_each(?)) AS used \
         WHERE service_token_credentials.id = used.id";
    let rows = serde_json::json!(used).to_string();
    Statement::from_sql_and_values(DbBackend::Sqlite, SQL, [rows.into()])
}

/// Adds counts of uses, many rows at once: `[[token, day, action, project, place], allowed, refused]`.
pub(crate) fn count_uses(rows: &[serde_json::Value]) -> Statement {
    const SQL: &str = "INSERT INTO token_uses \
         (service_token_id, day, action_id, project_id, place, allowed, refused) \
         SELECT value ->> '$[0][0]', value ->> '$[0][1]', value ->> '$[0][2]', \
         value ->> '$[0][3]', value ->> '$[0][4]', value ->> 1, value ->> 2 \
         FROM json_each(?) WHERE true \
         ON CONFLICT (service_token_id, day, action_id, project_id, place) DO UPDATE SET \
         allowed = allowed + excluded.allowed, refused = refused + excluded.refused";
    let rows = serde_json::json!(rows).to_string();
    Statement::from_sql_and_values(DbBackend::Sqlite, SQL, [rows.into()])
}

/// Notes who used tokens, many rows at once: `[token, address, agent, first, last, requests]`.
pub(crate) fn note_senders(rows: &[serde_json::Value]) -> Statement {
    const SQL: &str = "INSERT INTO token_senders \
         (service_token_id, address, agent, first_used, last_used, requests) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 \
         FROM json_each(?) WHERE true \
         ON CONFLICT (service_token_id, address, agent) DO UPDATE SET \
         last_used = max(last_used, excluded.last_used), \
         requests = requests + excluded.requests";
    let rows = serde_json::json!(rows).to_string();
    Statement::from_sql_and_values(DbBackend::Sqlite, SQL, [rows.into()])
}

/// Forgets all senders of these tokens but those that were seen last.
pub(crate) fn keep_senders(tokens: &[i64], most: usize) -> Statement {
    const SQL: &str = "DELETE FROM token_senders WHERE id IN (SELECT id FROM (SELECT id, \
         row_number() OVER (PARTITION BY service_token_id ORDER BY last_used DESC, id DESC) \
         AS place FROM token_senders \
         WHERE service_token_id IN (SELECT value FROM json_each(?))) WHERE place > ?)";
    let tokens = serde_json::json!(tokens).to_string();
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    Statement::from_sql_and_values(DbBackend::Sqlite, SQL, [tokens.into(), most.into()])
}

/// Has secrets of these service tokens end so long after their successor's first use.
pub(crate) fn retire_after_first_use(tokens: &[i64]) -> Statement {
    const SQL: &str = "UPDATE service_token_credentials AS old SET \
         retires_at = min(old.retires_at, new.first_used + old.retires_after * 1000000) \
         FROM service_token_credentials AS new \
         WHERE new.service_token_id = old.service_token_id AND new.id > old.id \
         AND new.first_used IS NOT NULL AND old.retires_after IS NOT NULL \
         AND old.service_token_id IN (SELECT value FROM json_each(?))";
    let ids = serde_json::json!(tokens).to_string();
    Statement::from_sql_and_values(DbBackend::Sqlite, SQL, [ids.into()])
}

/// Makes the executions of a step the newest of their nodes, where no newer step has executed them,
/// and keeps the newest that went well beside.
pub(crate) fn apply_executions(run: i64, step: i64) -> Statement {
    let newer = |column: &str| {
        format!(
            "{column} = CASE WHEN (excluded.run_id, excluded.step) >= (run_id, step) \
             THEN excluded.{column} ELSE {column} END"
        )
    };
    let good = |column: &str| format!("CASE WHEN status IN ('success', 'pass') THEN {column} END");
    let newer_good = |column: &str| {
        format!(
            "{column} = CASE WHEN excluded.success_run_id >= COALESCE(success_run_id, 0) \
             THEN excluded.{column} ELSE {column} END"
        )
    };
    let sql = format!(
        "INSERT INTO applied_nodes (environment_id, unique_id, execution_id, run_id, step, \
         success_run_id, success_job_id) \
         SELECT environment_id, unique_id, max(id), run_id, step, {}, {} \
         FROM node_executions WHERE run_id = ? AND step = ? GROUP BY environment_id, unique_id \
         ON CONFLICT (environment_id, unique_id) DO UPDATE SET {}, {}, {}, {}, {}",
        good("run_id"),
        good("job_id"),
        newer("execution_id"),
        newer("run_id"),
        newer("step"),
        newer_good("success_run_id"),
        newer_good("success_job_id"),
    );
    Statement::from_sql_and_values(DbBackend::Sqlite, sql, [run.into(), step.into()])
}
