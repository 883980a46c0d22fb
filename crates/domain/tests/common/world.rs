//! A small world to ask about: one account with four projects that grants name, and one more that
//! none names, as a project of tomorrow would be.

use domain::{
    AccountId, EnvironmentId, JobId, Plan, ProjectId, ServiceTokenId,
    authz::{AccountTerms, Categories, Category, Grant, Place, Principal, Projects},
};

use super::table::{Row, Table};

pub(crate) const NAMED: [i64; 4] = [1, 2, 3, 4];
pub(crate) const TOMORROW: i64 = 99;

pub(crate) fn account() -> AccountId {
    AccountId::new(1).unwrap()
}

pub(crate) fn project(id: i64) -> ProjectId {
    ProjectId::new(id).unwrap()
}

/// The one environment of a category in a project: 71 to 74 in project 7.
pub(crate) fn environment_id(project: i64, category: Category) -> EnvironmentId {
    EnvironmentId::new(project * 10 + category as i64 + 1).unwrap()
}

/// The one job in that environment: 711 in environment 71.
pub(crate) fn job_id(project: i64, category: Category) -> JobId {
    JobId::new(environment_id(project, category).get() * 10 + 1).unwrap()
}

pub(crate) fn environment(project: ProjectId, category: Category) -> Place {
    Place::environment(project, environment_id(project.get(), category), category)
}

pub(crate) fn terms(plan: Option<Plan>) -> AccountTerms {
    AccountTerms { id: account(), plan, tokens_may_mint: true }
}

pub(crate) fn token(terms: AccountTerms, grants: Vec<Grant>) -> Principal {
    Principal::service_token(ServiceTokenId::new(3).unwrap(), 1, terms, grants)
}

pub(crate) fn categories(words: &[Category]) -> Categories {
    words.iter().fold(Categories::NONE, |set, category| set.with(*category))
}

pub(crate) fn on(projects: Option<impl IntoIterator<Item = i64>>) -> Projects {
    match projects {
        Some(ids) => Projects::only(ids.into_iter().map(project)).unwrap(),
        None => Projects::All,
    }
}

/// The grant that a row means.
pub(crate) fn grant(table: &Table, row: &Row) -> Grant {
    let set = table.sets[row.set].key.parse().unwrap();
    Grant::new(set, on(row.projects.clone())).unwrap().raising(categories(&row.raised))
}
