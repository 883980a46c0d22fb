//! The table `token_use_actions`: a short number for each action, so that a use is a short row.

use domain::authz::{Access, Action};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "token_use_actions")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    /// `write:jobs`
    pub name: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The action; `None` of one that this build does not know.
    pub(crate) fn action(&self) -> Option<Action> {
        let (access, kind) = self.name.split_once(':')?;
        let access = Access::ALL.into_iter().find(|it| it.key() == access)?;
        Some(Action::new(access, kind.parse().ok()?))
    }
}

/// What an action is called here.
pub(crate) fn name(action: Action) -> String {
    format!("{}:{}", action.access.key(), action.on.key())
}
