//! The table `projects`.

use sea_orm::{entity::prelude::*, sea_query::ExprTrait as _};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "projects")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub account_id: i64,
    pub name: String,
    pub connection_id: Option<i64>,
    pub repository_id: Option<i64>,
    pub spec: String,
    pub state: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::kept::Entity",
        from = "Column::Id",
        to = "super::kept::Column::ProjectId",
        on_condition = r#"super::kept::Column::Word
            .eq("semantic_layer_configuration")
            .and(super::kept::Column::State.eq(1))"#
    )]
    SemanticLayerConfiguration,
}

impl Related<super::kept::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::SemanticLayerConfiguration.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
