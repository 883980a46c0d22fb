//! The table `token_narrowings`: the grants that a token had before it was narrowed.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "token_narrowings")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub service_token_id: i64,
    /// The rows, as JSON: set, project, categories.
    pub former: String,
    /// The token's revision once it was narrowed: by any other, it has changed since.
    pub revision: i64,
    pub narrowed_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
