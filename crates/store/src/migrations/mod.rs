//! The tables, step by step. Migrations go forward only, and each is safe while the previous
//! version still runs.
//!
//! Identifiers count up and are never given out again (`AUTOINCREMENT`); times are whole
//! microseconds since 1970.

mod m0001_core;
mod m0002_nouns;
mod m0003_kept;
mod m0004_people;
mod m0005_projects;
mod m0006_runs;
mod m0007_guard;
mod m0008_schedules;
mod m0009_project_connections;
mod m0010_leases;
mod m0011_completions;
mod m0020_outbox;
mod m0021_run_warnings;
mod m0022_generated;
mod m0023_artifacts;
mod m0030_run_counts;
mod m0040_progress;
mod m0041_debug_logs;
mod m0042_run_workers;
mod m0050_git_hooks;
mod m0060_git_tokens;
mod m0070_token_credentials;
mod m0071_token_policies;
mod m0072_token_rotations;
mod m0080_token_restrictions;
mod m0090_sessions;
mod m0100_known_of_runs;
mod m0110_token_uses;
mod m0120_token_mails;
mod m0121_token_reminders;
mod m0122_canaries;
mod m0130_responsible;
mod m0131_token_proposals;
mod m0150_discovery;
mod m0160_second_factors;

use sea_orm_migration::{
    MigrationTrait, MigratorTrait, async_trait,
    sea_orm::DatabaseTransaction,
    sea_query::{
        Alias, ColumnDef, ForeignKey, ForeignKeyCreateStatement, Index, IndexCreateStatement,
    },
};

use crate::StoreError;

/// All migrations, oldest first.
pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_core::Migration),
            Box::new(m0002_nouns::Migration),
            Box::new(m0003_kept::Migration),
            Box::new(m0004_people::Migration),
            Box::new(m0005_projects::Migration),
            Box::new(m0006_runs::Migration),
            Box::new(m0007_guard::Migration),
            Box::new(m0008_schedules::Migration),
            Box::new(m0009_project_connections::Migration),
            Box::new(m0010_leases::Migration),
            Box::new(m0011_completions::Migration),
            Box::new(m0020_outbox::Migration),
            Box::new(m0021_run_warnings::Migration),
            Box::new(m0022_generated::Migration),
            Box::new(m0023_artifacts::Migration),
            Box::new(m0030_run_counts::Migration),
            Box::new(m0070_token_credentials::Migration),
            Box::new(m0080_token_restrictions::Migration),
            Box::new(m0060_git_tokens::Migration),
            Box::new(m0040_progress::Migration),
            Box::new(m0041_debug_logs::Migration),
            Box::new(m0050_git_hooks::Migration),
            Box::new(m0042_run_workers::Migration),
            Box::new(m0090_sessions::Migration),
            Box::new(m0100_known_of_runs::Migration),
            Box::new(m0071_token_policies::Migration),
            Box::new(m0072_token_rotations::Migration),
            Box::new(m0110_token_uses::Migration),
            Box::new(m0120_token_mails::Migration),
            Box::new(m0121_token_reminders::Migration),
            Box::new(m0122_canaries::Migration),
            Box::new(m0130_responsible::Migration),
            Box::new(m0131_token_proposals::Migration),
            Box::new(m0160_second_factors::Migration),
            Box::new(m0150_discovery::Migration),
        ]
    }
}

/// Brings the database up to date, all or nothing.
///
/// # Errors
/// [`StoreError::Newer`] if a newer build has been here.
pub(crate) async fn migrate(db: &DatabaseTransaction) -> Result<(), StoreError> {
    let known: Vec<String> =
        Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    let found = Migrator::get_migration_models(db).await.map_err(StoreError::db)?;
    if let Some(newest) = found.last().filter(|row| !known.contains(&row.version)) {
        let (found, known) = (newest.version.clone(), known.last().cloned().unwrap_or_default());
        return Err(StoreError::Newer { found, known });
    }
    if found.len() < known.len() {
        Migrator::up(db, None).await.map_err(StoreError::db)?;
    }
    Ok(())
}

/// `id`: counts up; a deleted one is never given out again.
fn id(name: &str) -> ColumnDef {
    ColumnDef::new(Alias::new(name)).big_integer().not_null().auto_increment().primary_key().take()
}

/// A whole number (an id, a time, a count).
fn int(name: &str) -> ColumnDef {
    ColumnDef::new(Alias::new(name)).big_integer().not_null().take()
}

/// A whole number that may be missing.
fn maybe_int(name: &str) -> ColumnDef {
    ColumnDef::new(Alias::new(name)).big_integer().null().take()
}

/// A text.
fn text(name: &str) -> ColumnDef {
    ColumnDef::new(Alias::new(name)).text().not_null().take()
}

/// A text that may be missing.
fn maybe_text(name: &str) -> ColumnDef {
    ColumnDef::new(Alias::new(name)).text().null().take()
}

/// Bytes.
fn blob(name: &str) -> ColumnDef {
    ColumnDef::new(Alias::new(name)).blob().not_null().take()
}

/// Bytes that may be missing.
fn maybe_blob(name: &str) -> ColumnDef {
    ColumnDef::new(Alias::new(name)).blob().null().take()
}

/// Yes or no.
fn flag(name: &str) -> ColumnDef {
    ColumnDef::new(Alias::new(name)).boolean().not_null().take()
}

/// An index, named after its table and columns.
fn index(table: &str, columns: &[&str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(format!("{table}_{}", columns.join("_"))).table(Alias::new(table));
    for column in columns {
        index.col(Alias::new(*column));
    }
    index
}

/// A column that names the id of a row of another table.
fn references(column: &str, table: &str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from_col(Alias::new(column))
        .to_tbl(Alias::new(table))
        .to_col(Alias::new("id"))
        .take()
}
