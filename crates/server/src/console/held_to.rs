//! What a token is held to, beside its grants: the part of a form that says it, read into
//! restrictions and shown again as it was typed.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    EnvironmentId, JobId,
    authz::{Environments, Jobs, Permit, Read, Restrictions, ServiceTokens},
    ip_restriction::Cidr,
    list::ListQuery,
    networks::Networks,
    rate::Rate,
};

use super::{form::Fields, picker::sentence, rights::listed, token_view::ProjectNames};
use crate::{app::App, error::ApiError};

/// How many environments, and how many jobs, are there to choose from.
const MOST_CHOICES: usize = Restrictions::MAX_OBJECTS;

/// What can be held to a list.
const LISTS: [&str; 3] = ["addresses", "environments", "jobs"];

/// What environments and jobs are called, as far as the visitor may see them.
#[derive(Default)]
pub(super) struct Named {
    environments: BTreeMap<EnvironmentId, String>,
    jobs: BTreeMap<JobId, String>,
}

impl Named {
    /// Those that restrictions name.
    pub(super) async fn in_restrictions(
        app: &App,
        permit: &Permit<Read, ServiceTokens>,
        restrictions: &Restrictions,
        projects: &ProjectNames,
    ) -> Result<Self, ApiError> {
        let mut named = Self::default();
        if let Some(ids) = &restrictions.environments {
            let query = |these: &[EnvironmentId]| {
                ListQuery::first_page().with_in("id", these.iter().copied())
            };
            let ids: Vec<_> = ids.iter().copied().collect();
            for these in ids.chunks(usize::from(ListQuery::MAX_LIMIT)) {
                named.add_environments(app, permit, &query(these), projects).await?;
            }
        }
        if let Some(ids) = &restrictions.jobs {
            let query =
                |these: &[JobId]| ListQuery::first_page().with_in("id", these.iter().copied());
            let ids: Vec<_> = ids.iter().copied().collect();
            for these in ids.chunks(usize::from(ListQuery::MAX_LIMIT)) {
                named.add_jobs(app, permit, &query(these), projects).await?;
            }
        }
        Ok(named)
    }

    /// Those that can be chosen: the first of each, and those that restrictions name.
    pub(super) async fn to_choose(
        app: &App,
        permit: &Permit<Read, ServiceTokens>,
        restrictions: &Restrictions,
        projects: &ProjectNames,
    ) -> Result<Self, ApiError> {
        let mut named = Self::in_restrictions(app, permit, restrictions, projects).await?;
        let mut query = ListQuery::first_page();
        while named.add_environments(app, permit, &query, projects).await?
            && named.environments.len() < MOST_CHOICES
        {
            query.offset += u32::from(query.limit);
        }
        let mut query = ListQuery::first_page();
        while named.add_jobs(app, permit, &query, projects).await?
            && named.jobs.len() < MOST_CHOICES
        {
            query.offset += u32::from(query.limit);
        }
        Ok(named)
    }

    /// Adds a page; gives whether there may be more.
    async fn add_environments(
        &mut self,
        app: &App,
        permit: &Permit<Read, ServiceTokens>,
        query: &ListQuery,
        projects: &ProjectNames,
    ) -> Result<bool, ApiError> {
        let Ok(permit) = permit.also::<Read, Environments>() else { return Ok(false) };
        let page = app.store.environments(&permit, query).await?;
        let full = page.rows.len() == usize::from(query.limit);
        let called = page
            .rows
            .into_iter()
            .map(|row| (row.id, placed(row.spec.name.as_str(), projects.get(&row.project))));
        self.environments.extend(called);
        Ok(full)
    }

    async fn add_jobs(
        &mut self,
        app: &App,
        permit: &Permit<Read, ServiceTokens>,
        query: &ListQuery,
        projects: &ProjectNames,
    ) -> Result<bool, ApiError> {
        let Ok(permit) = permit.also::<Read, Jobs>() else { return Ok(false) };
        let page = app.store.jobs(&permit, query).await?;
        let full = page.rows.len() == usize::from(query.limit);
        let called = page
            .rows
            .into_iter()
            .map(|row| (row.id, placed(row.spec.name.as_str(), projects.get(&row.spec.project))));
        self.jobs.extend(called);
        Ok(full)
    }

    fn environment(&self, id: EnvironmentId) -> String {
        self.environments.get(&id).cloned().unwrap_or_else(|| format!("environment {id}"))
    }

    fn job(&self, id: JobId) -> String {
        self.jobs.get(&id).cloned().unwrap_or_else(|| format!("job {id}"))
    }

    /// What restrictions leave, a sentence each.
    pub(super) fn limits(&self, restrictions: &Restrictions) -> Vec<String> {
        let told = HeldTo::new(restrictions, self);
        let only = |what: &str, names: &Option<Vec<String>>| {
            let names: Vec<&str> = names.as_ref()?.iter().map(String::as_str).collect();
            Some(format!("Only {what} {}.", listed(&names)))
        };
        let reading =
            restrictions.read_only.then(|| "Only to read: every change is refused.".to_owned());
        let rate = told.rate.as_ref().map(|rate| format!("At most {rate}."));
        [
            only("from", &told.addresses),
            only("in the environments", &told.environments),
            only("with the jobs", &told.jobs),
            reading,
            rate,
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn placed(name: &str, project: Option<&String>) -> String {
    project.map_or_else(|| name.to_owned(), |project| format!("{project} / {name}"))
}

/// Restrictions, as a page shows them; `None` takes nothing away.
pub(super) struct HeldTo {
    pub(super) addresses: Option<Vec<String>>,
    pub(super) environments: Option<Vec<String>>,
    pub(super) jobs: Option<Vec<String>>,
    pub(super) read_only: bool,
    /// `20 requests a second, 40 at once`
    pub(super) rate: Option<String>,
}

impl HeldTo {
    /// Restrictions in words.
    pub(super) fn new(restrictions: &Restrictions, named: &Named) -> Self {
        let Restrictions { addresses, environments, jobs, read_only, rate } = restrictions;
        Self {
            addresses: addresses.clone().map(Into::into),
            environments: environments
                .as_ref()
                .map(|ids| ids.iter().map(|id| named.environment(*id)).collect()),
            jobs: jobs.as_ref().map(|ids| ids.iter().map(|id| named.job(*id)).collect()),
            read_only: *read_only,
            rate: rate.map(|rate| {
                format!("{} requests a second, {} at once", rate.per_second, rate.burst)
            }),
        }
    }

    /// Whether nothing is taken away.
    pub(super) fn is_nothing(&self) -> bool {
        let lists = [&self.addresses, &self.environments, &self.jobs];
        lists.iter().all(|list| list.is_none()) && !self.read_only && self.rate.is_none()
    }
}

/// The part of a form, as it was typed.
#[derive(Default, Clone)]
pub(super) struct Typed {
    /// The lists of which only what is chosen is meant.
    only: BTreeSet<&'static str>,
    /// One network a line.
    pub(super) addresses: String,
    environments: BTreeSet<String>,
    jobs: BTreeSet<String>,
    /// Whether every change is refused.
    pub(super) read_only: bool,
    per_second: String,
    burst: String,
    /// The fields that cannot be, and why.
    wrong: Vec<(&'static str, String)>,
}

/// A list to choose from: what is chosen of it may be any.
pub(super) struct Choices {
    /// `environments` or `jobs`
    pub(super) field: &'static str,
    /// `Environments` or `Jobs`
    pub(super) label: &'static str,
    /// Whether only the chosen ones are meant.
    pub(super) only: bool,
    /// Id, name, whether it is chosen.
    pub(super) options: Vec<(String, String, bool)>,
    /// Whether there are more than can be shown.
    pub(super) cut: bool,
}

impl Typed {
    /// What a form says.
    pub(super) fn read(form: &Fields) -> Self {
        let all = |name: &str| form.all(name).map(str::to_owned).collect();
        let only = |list: &&'static str| form.first(&format!("{list}.which")) == "only";
        Self {
            only: LISTS.into_iter().filter(only).collect(),
            addresses: form.first("addresses").to_owned(),
            environments: all("environments"),
            jobs: all("jobs"),
            read_only: form.has("read_only"),
            per_second: form.first("per_second").trim().to_owned(),
            burst: form.first("burst").trim().to_owned(),
            wrong: Vec::new(),
        }
    }

    /// What would be typed for these restrictions.
    pub(super) fn of(restrictions: &Restrictions) -> Self {
        let Restrictions { addresses, environments, jobs, read_only, rate } = restrictions;
        let networks: Vec<String> = addresses.clone().map(Into::into).unwrap_or_default();
        let text = |number: std::num::NonZeroU32| number.to_string();
        let there = [addresses.is_some(), environments.is_some(), jobs.is_some()];
        Self {
            only: LISTS
                .into_iter()
                .zip(there)
                .filter_map(|(list, is)| is.then_some(list))
                .collect(),
            addresses: networks.join("\n"),
            environments: environments.iter().flatten().map(ToString::to_string).collect(),
            jobs: jobs.iter().flatten().map(ToString::to_string).collect(),
            read_only: *read_only,
            per_second: rate.map(|rate| text(rate.per_second)).unwrap_or_default(),
            burst: rate.map(|rate| text(rate.burst)).unwrap_or_default(),
            wrong: Vec::new(),
        }
    }

    /// Why a field cannot be.
    pub(super) fn error_of(&self, field: &str) -> Option<&str> {
        let error = self.wrong.iter().find(|(wrong, _)| *wrong == field);
        error.map(|(_, message)| message.as_str())
    }

    /// Notes that a field cannot be.
    pub(super) fn refuse(&mut self, field: &'static str, message: impl Into<String>) {
        self.wrong.push((field, message.into()));
    }

    /// The fields that need a change: where each is, and how it is called.
    pub(super) fn wrong(&self) -> impl Iterator<Item = (String, String)> {
        self.wrong.iter().map(|(field, _)| ((*field).to_owned(), label(field).to_owned()))
    }

    /// Whether only what is chosen of a list is meant.
    pub(super) fn has_only(&self, list: &str) -> bool {
        self.only.contains(list)
    }

    /// The fields of the rate: name, how it is called, what was typed.
    pub(super) fn numbers(&self) -> Vec<(&'static str, &'static str, &str)> {
        let number = |field, value| (field, label(field), value);
        vec![number("per_second", &*self.per_second), number("burst", &*self.burst)]
    }

    /// Whether anything is taken away, or would be.
    pub(super) fn is_something(&self) -> bool {
        let rate = !self.per_second.is_empty() || !self.burst.is_empty();
        !self.only.is_empty() || self.read_only || rate || !self.wrong.is_empty()
    }

    /// The restrictions, if they can be; otherwise it is noted what cannot.
    pub(super) fn restrictions(&mut self) -> Option<Restrictions> {
        let addresses = self.networks();
        let environments = self.ids("environments");
        let jobs = self.ids("jobs");
        let rate = self.rate();
        self.wrong.is_empty().then_some(Restrictions {
            addresses,
            environments,
            jobs,
            read_only: self.read_only,
            rate,
        })
    }

    fn networks(&mut self) -> Option<Networks> {
        if !self.has_only("addresses") {
            return None;
        }
        let lines: Vec<&str> = self.addresses.split_whitespace().collect();
        let told = if lines.is_empty() {
            Err("Name one network or more, or choose any address.".to_owned())
        } else if lines.len() > Restrictions::MAX_ADDRESSES {
            Err(format!("Name at most {} networks.", Restrictions::MAX_ADDRESSES))
        } else {
            let cidr = |line: &&str| {
                Cidr::parse(*line).map_err(|error| sentence(&format!("each line {error}")))
            };
            lines.iter().map(cidr).collect::<Result<Vec<_>, _>>()
        };
        match told {
            Ok(cidrs) => Some(Networks::new(cidrs)),
            Err(message) => {
                self.refuse("addresses", message);
                None
            }
        }
    }

    fn ids<I: std::str::FromStr + Ord>(&mut self, field: &'static str) -> Option<BTreeSet<I>> {
        if !self.has_only(field) {
            return None;
        }
        let typed = if field == "jobs" { &self.jobs } else { &self.environments };
        let ids: Option<BTreeSet<I>> = typed.iter().map(|id| id.parse().ok()).collect();
        match ids {
            Some(ids) if !ids.is_empty() && ids.len() <= Restrictions::MAX_OBJECTS => Some(ids),
            Some(_) | None => {
                let most = Restrictions::MAX_OBJECTS;
                self.refuse(field, format!("Choose 1 to {most} of them, or choose any."));
                None
            }
        }
    }

    fn rate(&mut self) -> Option<Rate> {
        if self.per_second.is_empty() && self.burst.is_empty() {
            return None;
        }
        let number = |text: &str| {
            let number = text.parse().ok().filter(|number| *number <= Rate::MOST);
            number.and_then(|number: u32| number.try_into().ok())
        };
        let per_second = number(&self.per_second);
        let burst = if self.burst.is_empty() { per_second } else { number(&self.burst) };
        let told = || format!("Type a whole number from 1 to {}.", Rate::MOST);
        if per_second.is_none() {
            self.refuse("per_second", told());
        } else if burst.is_none() {
            self.refuse("burst", told());
        }
        Some(Rate { per_second: per_second?, burst: burst? })
    }

    /// Environments and jobs to choose from.
    pub(super) fn choices(&self, named: &Named) -> Vec<Choices> {
        let environments = named.environments.iter().map(|(id, name)| (id.to_string(), name));
        let jobs = named.jobs.iter().map(|(id, name)| (id.to_string(), name));
        let environments = options(environments, &self.environments, "environment");
        let jobs = options(jobs, &self.jobs, "job");
        let choices = |field, options: Vec<(String, String, bool)>| Choices {
            field,
            label: label(field),
            only: self.has_only(field),
            cut: options.len() >= MOST_CHOICES,
            options,
        };
        vec![choices("environments", environments), choices("jobs", jobs)]
    }
}

fn options<'a>(
    known: impl Iterator<Item = (String, &'a String)>,
    chosen: &BTreeSet<String>,
    kind: &str,
) -> Vec<(String, String, bool)> {
    let mut left = chosen.clone();
    let mut options: Vec<_> = known
        .map(|(id, name)| {
            let chosen = left.remove(&id);
            (id, name.clone(), chosen)
        })
        .collect();
    options.sort_by_cached_key(|(_, name, _)| name.to_lowercase());
    // One that was deleted, or that the visitor does not see, stays until it is taken off.
    let unknown = left.into_iter().filter(|id| id.parse::<i64>().is_ok());
    options.extend(unknown.map(|id| (id.clone(), format!("{kind} {id}"), true)));
    options
}

fn label(field: &str) -> &'static str {
    match field {
        "addresses" => "Addresses",
        "environments" => "Environments",
        "jobs" => "Jobs",
        "per_second" => "Requests a second",
        _ => "Requests at once",
    }
}
