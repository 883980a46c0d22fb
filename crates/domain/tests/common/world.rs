//! A small world to ask about: one account with four projects that grants name, and one more that
//! none names, as a project of tomorrow would be.

use std::sync::Arc;

use domain::{
    AccountId, Plan, ProjectId, ServiceTokenId,
    authz::{AccountTerms, Caller, Categories, Category, Grant, Origin, Principal, Projects},
};

use super::table::{Row, Table};

pub const NAMED: [i64; 4] = [1, 2, 3, 4];
pub const TOMORROW: i64 = 99;

pub fn account() -> AccountId {
    AccountId::new(1).unwrap()
}

pub fn project(id: i64) -> ProjectId {
    ProjectId::new(id).unwrap()
}

pub fn places() -> impl Iterator<Item = (ProjectId, Category)> {
    let projects = NAMED.into_iter().chain([TOMORROW]).map(project);
    projects.flat_map(|project| Category::ALL.map(|category| (project, category)))
}

pub fn terms(plan: Option<Plan>) -> AccountTerms {
    AccountTerms { id: account(), plan, tokens_may_mint: true }
}

pub fn token(terms: AccountTerms, grants: Vec<Grant>) -> Principal {
    Principal::service_token(ServiceTokenId::new(3).unwrap(), 1, terms, grants)
}

pub fn caller(principal: Principal) -> Arc<Caller> {
    Arc::new(Caller::new(Arc::new(principal), Origin::local()))
}

pub fn categories(words: &[Category]) -> Categories {
    words.iter().fold(Categories::NONE, |set, category| set.with(*category))
}

pub fn on(projects: Option<impl IntoIterator<Item = i64>>) -> Projects {
    match projects {
        Some(ids) => Projects::only(ids.into_iter().map(project)).unwrap(),
        None => Projects::All,
    }
}

/// The grant that a row means.
pub fn grant(table: &Table, row: &Row) -> Grant {
    let set = table.sets[row.set].key.parse().unwrap();
    Grant::new(set, on(row.projects.clone())).unwrap().raising(categories(&row.raised))
}
