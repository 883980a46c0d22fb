//! The permission picker: rows of a form, read into grants, and shown again as they were typed.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Plan,
    authz::{
        Action, Categories, Category, Grant, Level, PermissionSet, Projects, Rights, SetRow,
        catalogue,
    },
    service_token::ServiceToken,
};

use super::{
    form::Fields,
    token_view::{ProjectNames, is_write},
};

/// One row of the picker, as it was typed.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    /// Its number in the form; what a person counts is its place.
    pub(super) number: usize,
    set: String,
    all_projects: bool,
    projects: BTreeSet<String>,
    categories: BTreeSet<String>,
    /// Why its set cannot be.
    pub(super) set_error: Option<String>,
    /// Why its projects cannot be.
    pub(super) projects_error: Option<String>,
}

/// A group of options, by where a set can be held.
pub(super) struct SetGroup {
    pub(super) label: &'static str,
    pub(super) options: Vec<SetOption>,
}

/// A permission set to choose.
pub(super) struct SetOption {
    pub(super) key: &'static str,
    pub(super) label: String,
    pub(super) about: &'static str,
    /// What the stylesheet goes by: what may be chosen beside it.
    pub(super) class: &'static str,
    pub(super) offered: bool,
}

/// What a set allows, in words.
pub(super) struct SetStory {
    pub(super) key: &'static str,
    pub(super) label: &'static str,
    pub(super) about: &'static str,
    pub(super) writes: String,
    pub(super) raises: String,
    pub(super) reads: String,
}

impl Row {
    /// A row that nothing was chosen in yet.
    pub(super) fn fresh(number: usize) -> Self {
        Self { number, all_projects: false, ..Self::default() }
    }

    /// The rows that say what a token holds: one for each set, with its projects.
    pub(super) fn of(token: &ServiceToken) -> Vec<Self> {
        let mut rows: Vec<Self> = Vec::new();
        for grant in token.granted() {
            let set = grant.permission_set().key().to_owned();
            let categories: BTreeSet<String> = Category::ALL
                .into_iter()
                .filter(|category| grant.raised().has(*category))
                .map(|category| category.key().to_owned())
                .collect();
            let (all_projects, projects) = match grant.projects() {
                Projects::All => (true, BTreeSet::new()),
                Projects::Only(ids) => (false, ids.iter().map(ToString::to_string).collect()),
            };
            let same = rows.iter_mut().find(|row| {
                (&row.set, &row.categories, row.all_projects) == (&set, &categories, all_projects)
            });
            match same {
                Some(row) => row.projects.extend(projects),
                None => rows.push(Self {
                    number: rows.len() + 1,
                    set,
                    all_projects,
                    projects,
                    categories,
                    ..Self::default()
                }),
            }
        }
        rows
    }

    /// The rows of a form, in the order of their numbers.
    pub(super) fn all(form: &Fields) -> Vec<Self> {
        let numbers: BTreeSet<usize> = form
            .names()
            .filter_map(|name| name.strip_prefix("set.")?.parse().ok())
            .take(ServiceToken::MAX_GRANTS + 1)
            .collect();
        numbers.into_iter().map(|number| Self::read(form, number)).collect()
    }

    fn read(form: &Fields, number: usize) -> Self {
        let all = |name: &str| form.all(&format!("{name}.{number}")).map(str::to_owned).collect();
        Self {
            number,
            set: form.first(&format!("set.{number}")).to_owned(),
            all_projects: form.first(&format!("scope.{number}")) == "all",
            projects: all("project"),
            categories: all("write"),
            set_error: None,
            projects_error: None,
        }
    }

    /// Whether this is the set that was chosen.
    pub(super) fn has_set(&self, key: &str) -> bool {
        self.set == key
    }

    /// Whether every project was chosen.
    pub(super) fn has_all_projects(&self) -> bool {
        self.all_projects
    }

    /// Whether a project was chosen.
    pub(super) fn has_project(&self, id: &str) -> bool {
        self.projects.contains(id)
    }

    /// Whether a category was chosen.
    pub(super) fn has_category(&self, key: &str) -> bool {
        self.categories.contains(key)
    }

    /// What the chosen set is for.
    pub(super) fn about(&self) -> &'static str {
        let set: Option<PermissionSet> = self.set.parse().ok();
        set.map(|set| set.row().about.as_str()).unwrap_or_default()
    }

    /// The grant that it stands for; where there is none, it notes why.
    pub(super) fn grant(&mut self, plan: Option<Plan>) -> Option<Grant> {
        if self.set.is_empty() {
            self.set_error = Some("Choose a permission set.".to_owned());
            return None;
        }
        let Ok(set) = self.set.parse::<PermissionSet>() else {
            self.set_error = Some("There is no such permission set.".to_owned());
            return None;
        };
        let row = set.row();
        let whole = row.level == Level::Account && !row.also_project_level;
        let projects = if self.all_projects || whole {
            Projects::All
        } else if let Ok(projects) =
            Projects::only(self.projects.iter().filter_map(|id| id.parse().ok()))
        {
            projects
        } else {
            self.projects_error = Some("Choose one project or more, or all projects.".to_owned());
            return None;
        };
        let grant = match Grant::new(set, projects) {
            Ok(grant) => grant.raising(self.raised(row)),
            Err(error) => {
                self.projects_error = Some(sentence(&error.to_string()));
                return None;
            }
        };
        if let Err(error) = grant.offered_by(plan) {
            self.set_error = Some(sentence(&error.to_string()));
            return None;
        }
        Some(grant)
    }

    fn raised(&self, row: &SetRow) -> Categories {
        if row.raised.is_empty() {
            return Categories::NONE;
        }
        let words: Vec<&str> = self.categories.iter().map(String::as_str).collect();
        Categories::parse(&words).unwrap_or(Categories::NONE)
    }
}

/// A message of ours below, as a sentence on a page.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

/// Every set, by where it can be held; those that the plan does not offer last, with the plans
/// that do.
fn set_groups(plan: Option<Plan>) -> Vec<SetGroup> {
    let mut groups: BTreeMap<u8, Vec<SetOption>> = BTreeMap::new();
    let (_, administering) = catalogue().administering();
    for row in catalogue().sets() {
        let offered = plan.is_some_and(|plan| row.plans.contains(&plan));
        let place = match (offered, row.level) {
            (true, Level::Account) => 0,
            (true, Level::Project) => 1,
            (false, _) => 2,
        };
        groups.entry(place).or_default().push(option(row, offered, &administering));
    }
    let label = |place| match place {
        0 => "Account level",
        1 => "Project level",
        _ => "Not offered here",
    };
    groups.into_iter().map(|(place, options)| SetGroup { label: label(place), options }).collect()
}

fn option(row: &'static SetRow, offered: bool, administering: &[PermissionSet]) -> SetOption {
    let label = if offered {
        row.label.clone()
    } else {
        format!("{} ({})", row.label, offered_on(&row.plans))
    };
    let class = if administering.contains(&row.set) {
        "account wide"
    } else if row.level == Level::Account && !row.also_project_level {
        "account"
    } else if row.raised.is_empty() {
        "plain"
    } else {
        "raisable"
    };
    SetOption { key: &row.key, label, about: &row.about, class, offered }
}

fn offered_on(plans: &[Plan]) -> String {
    let names: Vec<_> = plans.iter().map(|plan| sentence(plan.key())).collect();
    let names: Vec<_> = names.iter().map(|name| name.trim_end_matches('.')).collect();
    match names.as_slice() {
        [] => "not for service tokens".to_owned(),
        [name] => format!("{name} plan"),
        names => format!("{} plans", names.join(" and ")),
    }
}

/// What each set that the plan offers allows.
fn stories(plan: Option<Plan>) -> Vec<SetStory> {
    let offered = |row: &&SetRow| plan.is_some_and(|plan| row.plans.contains(&plan));
    catalogue().sets().filter(offered).map(story).collect()
}

fn story(row: &'static SetRow) -> SetStory {
    let writes = labels(row.rights, is_write);
    let written =
        |action: Action| row.rights.allow(Action::new(domain::authz::Access::Write, action.on));
    let reads = labels(row.rights, |action| !is_write(action) && !written(action));
    let raises = labels(row.raised, is_write);
    SetStory { key: &row.key, label: &row.label, about: &row.about, writes, raises, reads }
}

fn labels(rights: Rights, which: impl Fn(Action) -> bool) -> String {
    let labels = rights.actions().filter(|action| which(*action));
    let labels: Vec<&str> =
        labels.map(|action| catalogue().resource(action.on).label.as_str()).collect();
    labels.join(", ")
}

/// The categories of environments: key, how they are called.
fn categories() -> Vec<(&'static str, &'static str)> {
    let called = |category: Category| match category {
        Category::Development => "Development",
        Category::Staging => "Staging",
        Category::Production => "Production",
        Category::Other => "Other",
    };
    Category::ALL.into_iter().map(|category| (category.key(), called(category))).collect()
}

/// Projects to choose, id and name: those that the visitor may see, and those that a row names.
fn projects(names: &ProjectNames, rows: &[Row]) -> Vec<(String, String)> {
    let mut projects: Vec<_> =
        names.iter().map(|(id, name)| (id.to_string(), name.clone())).collect();
    projects.sort_by_cached_key(|(_, name)| name.to_lowercase());
    let seen = |id: &str| id.parse().is_ok_and(|id| names.contains_key(&id));
    let chosen: BTreeSet<&String> = rows.iter().flat_map(|row| &row.projects).collect();
    let unseen = chosen.into_iter().filter(|id| !seen(id) && id.parse::<i64>().is_ok());
    projects.extend(unseen.map(|id| (id.clone(), format!("project {id}"))));
    projects
}

/// The picker of a form: its rows, and what there is to choose from.
pub(super) struct Picker {
    pub(super) rows: Vec<Row>,
    pub(super) groups: Vec<SetGroup>,
    pub(super) projects: Vec<(String, String)>,
    pub(super) categories: Vec<(&'static str, &'static str)>,
    pub(super) stories: Vec<SetStory>,
}

impl Picker {
    /// A picker with these rows.
    pub(super) fn new(rows: Vec<Row>, plan: Option<Plan>, names: &ProjectNames) -> Self {
        Self {
            groups: set_groups(plan),
            projects: projects(names, &rows),
            categories: categories(),
            stories: stories(plan),
            rows,
        }
    }

    /// Adds or removes a row, if that was the button.
    pub(super) fn edit(&mut self, typed: &Fields) -> bool {
        if typed.has("add") {
            if self.rows.len() < ServiceToken::MAX_GRANTS {
                let next = self.rows.last().map_or(1, |row| row.number + 1);
                self.rows.push(Row::fresh(next));
            }
            return true;
        }
        if typed.has("remove") {
            let number: Option<usize> = typed.first("remove").parse().ok();
            self.rows.retain(|row| Some(row.number) != number);
            return true;
        }
        false
    }

    /// What the rows grant, if each can be; otherwise the rows say what cannot.
    pub(super) fn grants(&mut self, plan: Option<Plan>) -> Option<Vec<Grant>> {
        let grants: Vec<_> = self.rows.iter_mut().map(|row| row.grant(plan)).collect();
        grants.into_iter().collect()
    }

    /// What those rows grant that can be: for what is told while a person still chooses.
    pub(super) fn grants_so_far(&self, plan: Option<Plan>) -> Vec<Grant> {
        self.rows.iter().filter_map(|row| row.clone().grant(plan)).collect()
    }

    /// The fields that need a change: where each is, and how it is called.
    pub(super) fn wrong(&self) -> impl Iterator<Item = (String, String)> {
        self.rows.iter().enumerate().flat_map(|(place, row)| {
            let (at, number) = (place + 1, row.number);
            let set = row
                .set_error
                .iter()
                .map(move |_| (format!("set-{number}"), format!("Permission set of row {at}")));
            let projects = row
                .projects_error
                .iter()
                .map(move |_| (format!("projects-{number}"), format!("Projects of row {at}")));
            set.chain(projects)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_that_the_plan_lacks_is_last_and_says_which_plan_has_it() {
        let groups = set_groups(Some(Plan::Team));
        let labels: Vec<_> = groups.iter().map(|group| group.label).collect();
        assert_eq!(labels, ["Account level", "Project level", "Not offered here"]);
        let lacking = &groups[2].options;
        assert!(lacking.iter().all(|option| !option.offered));
        assert!(lacking.iter().any(|option| option.label == "Git Admin (Enterprise plan)"));
        assert!(set_groups(None).iter().all(|group| group.label == "Not offered here"));
    }

    #[test]
    fn every_set_that_is_offered_says_what_it_allows() {
        for story in stories(Some(Plan::Enterprise)) {
            assert!(!(story.writes.is_empty() && story.reads.is_empty()), "{}", story.key);
        }
    }
}
