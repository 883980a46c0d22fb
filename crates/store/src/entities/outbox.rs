//! The table `outbox`: what waits to be sent.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub account_id: i64,
    /// What it is sent for, in words: `webhook`, `notification` or `token`.
    pub word: String,
    /// The row of `kept` that it is sent for; a mail about a token is asked for by none.
    pub kept_id: Option<i64>,
    /// Of webhooks: what names the event, the same at every try.
    pub event_key: Option<String>,
    pub event_type: Option<String>,
    /// A `RunReport`, a `TokenReport` or what a mail has besides, as JSON.
    pub report: String,
    /// How many tries failed.
    pub tries: i64,
    /// When it is tried next; moved on by whoever claims it.
    pub due_at: i64,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
