//! The table `kept_references`: what kept nouns name.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "kept_references")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub kept_id: i64,
    /// What is named, in words: `environment`.
    pub word: String,
    /// Its id.
    pub named_id: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::kept::Entity",
        from = "Column::KeptId",
        to = "super::kept::Column::Id"
    )]
    Kept,
}

impl Related<super::kept::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Kept.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
