//! Where a decision holds: on which projects, and in environments of which category.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ProjectId;

/// What kind of environment a job or run lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// `type = development`
    Development,
    /// `deployment_type = staging`
    Staging,
    /// `deployment_type = production`
    Production,
    /// A deployment environment without a type; the form calls it General.
    Other,
}

/// The text names no category. It is not repeated: it may be a secret in the wrong field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an environment category: use all, development, staging, production or other")]
pub struct UnknownCategory;

impl Category {
    /// Every category.
    pub const ALL: [Self; 4] = [Self::Development, Self::Staging, Self::Production, Self::Other];

    /// The wire's spelling.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
            Self::Other => "other",
        }
    }
}

/// A set of [`Category`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Categories(u8);

impl Categories {
    /// No category.
    pub const NONE: Self = Self(0);
    /// Every category: environments of any kind.
    pub const ALL: Self = Self(0b1111);

    /// This set and one category more.
    #[must_use]
    pub const fn with(self, category: Category) -> Self {
        Self(self.0 | 1 << category as u8)
    }

    /// Whether the category is among them.
    #[must_use]
    pub const fn has(self, category: Category) -> bool {
        self.0 & 1 << category as u8 != 0
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in it.
    #[must_use]
    pub const fn contain(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Reads the wire's list; `all` means every category.
    ///
    /// # Errors
    /// [`UnknownCategory`] if a word is none.
    pub fn parse<T: AsRef<str>>(words: &[T]) -> Result<Self, UnknownCategory> {
        words.iter().map(AsRef::as_ref).try_fold(Self::NONE, |set, word| match word {
            "all" => Ok(Self::ALL),
            _ => Category::ALL
                .into_iter()
                .find(|category| category.key() == word)
                .map(|category| set.with(category))
                .ok_or(UnknownCategory),
        })
    }

    /// The wire's list; the whole set is `["all"]`.
    #[must_use]
    pub fn words(self) -> Vec<&'static str> {
        if self == Self::ALL {
            return vec!["all"];
        }
        Category::ALL.into_iter().filter(|c| self.has(*c)).map(Category::key).collect()
    }
}

/// Where an action is allowed: for each project, the categories of environments.
///
/// Something without an environment (a project's settings, an account's groups) is allowed where
/// every category is. [`Scope::union`] is a join: associative, commutative, idempotent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// The categories that hold in every project, present and future.
    everywhere: Categories,
    /// INVARIANT: each value is a proper superset of `everywhere`, so that equal scopes are equal
    /// values.
    projects: BTreeMap<ProjectId, Categories>,
}

impl Scope {
    /// The scope that covers nothing.
    #[must_use]
    pub fn nowhere() -> Self {
        Self::default()
    }

    /// All projects, in environments of these categories.
    #[must_use]
    pub const fn all_projects(categories: Categories) -> Self {
        Self { everywhere: categories, projects: BTreeMap::new() }
    }

    /// These projects, in environments of these categories.
    pub fn projects(projects: impl IntoIterator<Item = ProjectId>, categories: Categories) -> Self {
        let projects = if categories.is_empty() {
            BTreeMap::new()
        } else {
            projects.into_iter().map(|project| (project, categories)).collect()
        };
        Self { everywhere: Categories::NONE, projects }
    }

    /// What either covers.
    #[must_use]
    pub fn union(mut self, other: Self) -> Self {
        let everywhere = self.everywhere.union(other.everywhere);
        for (project, categories) in other.projects {
            let held = self.projects.entry(project).or_default();
            *held = held.union(categories);
        }
        self.projects.retain(|_, held| {
            *held = held.union(everywhere);
            *held != everywhere
        });
        Self { everywhere, projects: self.projects }
    }

    /// The categories that are covered in this project.
    #[must_use]
    pub fn categories_in(&self, project: ProjectId) -> Categories {
        self.projects.get(&project).copied().unwrap_or(self.everywhere)
    }

    /// The categories that are covered in every project.
    #[must_use]
    pub const fn everywhere(&self) -> Categories {
        self.everywhere
    }

    /// The projects that are covered beyond what is covered everywhere.
    pub fn named_projects(&self) -> impl Iterator<Item = (ProjectId, Categories)> {
        self.projects.iter().map(|(project, categories)| (*project, *categories))
    }

    /// Whether all of `other` is covered.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.everywhere.contain(other.everywhere)
            && other
                .projects
                .iter()
                .all(|(project, categories)| self.categories_in(*project).contain(*categories))
            && (other.everywhere.is_empty()
                || self.projects.values().all(|categories| categories.contain(other.everywhere)))
    }

    /// Whether nothing is covered.
    #[must_use]
    pub fn is_nowhere(&self) -> bool {
        self.everywhere.is_empty() && self.projects.is_empty()
    }
}
