//! What everything is measured against: axum and one indexed SELECT, nothing else.

use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement,
};

/// The argument that makes this program the bare server.
pub(crate) const WORD: &str = "bare";
/// Where it answers.
pub(crate) const JOB: &str = "/jobs/1";

/// Answers with a job's name and settings, as they stand in the row.
pub(crate) async fn serve(database: &str) {
    let mut options = ConnectOptions::new(format!("sqlite://{database}?mode=ro"));
    options.max_connections(4).sqlx_logging(false);
    let db = Database::connect(options).await.unwrap();
    let router = Router::new().route("/jobs/{id}", get(job)).with_state(db);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("listening on http://{}", listener.local_addr().unwrap());
    axum::serve(listener, router).await.unwrap();
}

async fn job(State(db): State<DatabaseConnection>, Path(id): Path<i64>) -> String {
    let select = "SELECT name, spec FROM jobs WHERE id = ?";
    let select = Statement::from_sql_and_values(DbBackend::Sqlite, select, [id.into()]);
    let row = db.query_one_raw(select).await.unwrap().unwrap();
    let (name, spec): (String, String) =
        row.try_get_many("", &["name".into(), "spec".into()]).unwrap();
    format!("{name}\n{spec}")
}
