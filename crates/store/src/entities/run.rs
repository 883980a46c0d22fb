//! The table `runs`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "runs")]
#[expect(clippy::struct_excessive_bools, reason = "the columns of the table")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub account_id: i64,
    pub project_id: i64,
    pub environment_id: i64,
    pub job_id: i64,
    pub status: i64,
    pub dbt_version: String,
    pub for_pull_request: bool,
    pub cancel_requested: bool,
    pub trigger: String,
    pub message: String,
    pub git_sha: Option<String>,
    pub git_branch: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
    pub dequeued_at: Option<i64>,
    pub started_at: Option<i64>,
    pub finished_at: Option<i64>,
    pub has_docs: bool,
    pub has_sources: bool,
    /// The run that it defers to, from when it is claimed.
    pub deferring_run_id: Option<i64>,
    pub retrying_run_id: Option<i64>,
    /// The step that it can be retried from, once it has failed.
    pub retry_step: Option<i64>,
    /// Why it cannot, once it has failed.
    pub no_retry: Option<String>,
    pub cancelled_by: Option<String>,
    /// Who has executed it last.
    pub worker: Option<String>,
    /// When they were last heard of.
    pub heartbeat_at: Option<i64>,
    /// Whether a mail told of its end.
    pub notifications_sent: bool,
    pub used_clone: Option<bool>,
    pub counts: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
