//! The table `token_uses`: how often something was decided about a token, by day, action and place.

use domain::{
    ProjectId,
    authz::{Category, UsedAt},
    token_use::Day,
};
use sea_orm::entity::prelude::*;

use crate::StoreError;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "token_uses")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub service_token_id: i64,
    /// Since 1970, by UTC.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub action_id: i64,
    /// 0 is none.
    #[sea_orm(primary_key, auto_increment = false)]
    pub project_id: i64,
    /// In a project, the category of environment: 0 is none. Without a project, 0 is somewhere and
    /// 1 is wherever the token reaches.
    #[sea_orm(primary_key, auto_increment = false)]
    pub place: i64,
    pub allowed: i64,
    pub refused: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Where it was.
    pub(crate) fn used_at(&self) -> Result<UsedAt, StoreError> {
        let unknown = || StoreError::Corrupt(format!("`{}` is no place of a use", self.place));
        if self.project_id == 0 {
            return match self.place {
                0 => Ok(UsedAt::Somewhere),
                1 => Ok(UsedAt::Wherever),
                _ => Err(unknown()),
            };
        }
        let category = match self.place {
            0 => None,
            1 => Some(Category::Development),
            2 => Some(Category::Staging),
            3 => Some(Category::Production),
            4 => Some(Category::Other),
            _ => return Err(unknown()),
        };
        let project = ProjectId::new(self.project_id).map_err(StoreError::corrupt)?;
        Ok(UsedAt::Project(project, category))
    }

    /// When it was.
    pub(crate) fn on(&self) -> Result<Day, StoreError> {
        let unknown = || StoreError::Corrupt(format!("`{}` is no day", self.day));
        Day::from_number(self.day).ok_or_else(unknown)
    }
}

/// The columns `project_id` and `place` of a use.
pub(crate) const fn columns(at: UsedAt) -> (i64, i64) {
    match at {
        UsedAt::Somewhere => (0, 0),
        UsedAt::Wherever => (0, 1),
        UsedAt::Project(project, None) => (project.get(), 0),
        UsedAt::Project(project, Some(category)) => {
            let place = match category {
                Category::Development => 1,
                Category::Staging => 2,
                Category::Production => 3,
                Category::Other => 4,
            };
            (project.get(), place)
        }
    }
}
