//! Random permission rows, and who may carry them.

use std::sync::LazyLock;

use domain::{
    Plan, UserId,
    authz::{Categories, Category, Credential, Grant, License, Principal},
};
use proptest::{
    collection::{btree_set, vec},
    option,
    prelude::*,
    sample::{select, subsequence},
};

use super::{
    table::{Row, Table},
    world::{NAMED, grant, project, terms, token},
};

pub(crate) static TABLE: LazyLock<Table> = LazyLock::new(Table::read);

/// A row that can be: an account-level set names no project.
pub(crate) fn row() -> impl Strategy<Value = Row> {
    let projects = option::of(btree_set(select(&NAMED[..]), 1..=3));
    let raised = subsequence(Category::ALL.to_vec(), 0..=4);
    (0..TABLE.sets.len(), projects, raised).prop_map(|(set, projects, raised)| {
        let projects = projects.filter(|_| TABLE.sets[set].names_projects);
        Row { set, projects, raised }
    })
}

pub(crate) fn rows() -> impl Strategy<Value = Vec<Row>> {
    vec(row(), 0..8)
}

pub(crate) fn grants(rows: &[Row]) -> Vec<Grant> {
    rows.iter().map(|row| grant(&TABLE, row)).collect()
}

/// A plan, or none.
pub(crate) fn plan() -> impl Strategy<Value = Option<Plan>> {
    // Enterprise more often: it offers the most.
    prop_oneof![Just(Some(Plan::Enterprise)), option::of(select(&Plan::ALL[..]))]
}

/// Who carries the rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Carrier {
    Token(Option<Plan>),
    User(License),
}

/// A carrier whose grants are those that it is given.
pub(crate) fn carrier() -> impl Strategy<Value = Carrier> {
    let inheriting = select(&[License::Developer, License::Analyst][..]);
    prop_oneof![plan().prop_map(Carrier::Token), inheriting.prop_map(Carrier::User)]
}

impl Carrier {
    pub(crate) fn with(self, rows: &[Row]) -> Principal {
        self.with_grants(grants(rows))
    }

    pub(crate) fn with_grants(self, grants: Vec<Grant>) -> Principal {
        match self {
            Self::Token(plan) => token(terms(plan), grants),
            Self::User(license) => user(license, grants),
        }
    }
}

/// A user whom groups give these grants.
pub(crate) fn user(license: License, grants: Vec<Grant>) -> Principal {
    let id = UserId::new(5).unwrap();
    Principal::user(id, Credential::Process, terms(Some(Plan::Enterprise)), license, grants)
}

/// Somewhere to allow something: each place of the world with its own categories.
pub(crate) fn scope() -> impl Strategy<Value = domain::authz::Scope> {
    use domain::authz::Scope;
    let some = subsequence(Category::ALL.to_vec(), 0..=4);
    let categories =
        some.prop_map(|words| words.into_iter().fold(Categories::NONE, Categories::with));
    let piece = (option::of(btree_set(select(&NAMED[..]), 0..=3)), categories).prop_map(
        |(projects, categories)| match projects {
            Some(ids) => Scope::projects(ids.into_iter().map(project), categories),
            None => Scope::all_projects(categories),
        },
    );
    vec(piece, 0..4).prop_map(|pieces| pieces.into_iter().fold(Scope::nowhere(), Scope::union))
}
