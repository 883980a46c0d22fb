//! Runs: the list.

use askama::Template;
use axum::extract::State;
use domain::{
    ProjectId,
    authz::{Permit, Read, Runs},
    list::{Filter, ListQuery, Order, Test},
    run::RunStatus,
};
use store::Named;

use super::{
    door::Visitor,
    form::{Asked, Fields},
    icons,
    page::{Page, Shell},
    paging::{Choice, Pages, address},
    run_view::{RunView, named_in},
    token_view::curl,
};
use crate::{app::App, error::ApiError};

/// Runs on a page.
const ROWS: usize = 25;
/// Where the list is.
const HERE: &str = "/console/runs";

/// The fields that the list is narrowed by: what the address calls them, and what the store does.
const FILTERS: [(&str, &str); 4] = [
    ("project", "project_id"),
    ("environment", "environment_id"),
    ("job", "job_definition_id"),
    ("status", "status"),
];

/// What of runs stands for several states in the filter.
const UNDER_WAY: &str = "1,2,3";

#[derive(Template)]
#[template(path = "runs.html")]
struct List<'a> {
    shell: Shell<'a>,
    runs: Vec<RunView>,
    narrow: bool,
    projects: Vec<Choice>,
    environments: Vec<Choice>,
    jobs: Vec<Choice>,
    statuses: Vec<Choice>,
    pages: Pages,
}

/// What of the list is wanted.
struct Wanted {
    /// By [`FILTERS`]; empty where all are.
    values: [String; 4],
    page: usize,
}

impl Wanted {
    fn read(asked: &Fields) -> Self {
        let numbers = |text: &str| text.split(',').all(|part| part.parse::<u32>().is_ok());
        let value = |(key, _)| Some(asked.first(key).to_owned()).filter(|text| numbers(text));
        let values = FILTERS.map(|filter| value(filter).unwrap_or_default());
        Self { values, page: asked.first("page").parse().unwrap_or(1).clamp(1, 1_000_000) }
    }

    fn value(&self, key: &str) -> &str {
        let mut pairs = FILTERS.iter().zip(&self.values);
        pairs.find(|((name, _), _)| *name == key).map_or("", |(_, value)| value)
    }

    fn project(&self) -> Option<ProjectId> {
        self.value("project").parse().ok()
    }

    /// Sees to it that a place which is asked for can be chosen: one that is in another project than the
    /// chosen one is forgotten, and one that is not listed (it was deleted, or there are too many) is
    /// offered by its id.
    fn keep_to(&mut self, key: &str, choices: &mut Vec<Choice>) {
        let is_elsewhere = self.project().is_some();
        let mut pairs = FILTERS.iter().zip(&mut self.values);
        let Some((_, value)) = pairs.find(|((name, _), _)| *name == key) else { return };
        if value.is_empty() || choices.iter().any(|choice| choice.chosen) {
            return;
        }
        if is_elsewhere {
            value.clear();
        } else {
            choices.push(Choice::new(&*value, format!("{key} {value}"), value));
        }
    }

    fn is_narrow(&self) -> bool {
        self.values.iter().any(|value| !value.is_empty())
    }

    fn query(&self) -> ListQuery {
        let test = |value: &str| Test::In(value.split(',').map(str::to_owned).collect());
        let filters = FILTERS.iter().zip(&self.values).filter(|(_, value)| !value.is_empty());
        let filters = filters
            .map(|((_, field), value)| Filter { field: (*field).to_owned(), test: test(value) });
        ListQuery {
            limit: u16::try_from(ROWS).unwrap_or(u16::MAX),
            offset: u32::try_from((self.page - 1) * ROWS).unwrap_or(u32::MAX),
            order: Some(Order { field: "id".to_owned(), descending: true }),
            state: None,
            filters: filters.collect(),
        }
    }

    /// The address of the list with this page.
    fn link(&self, page: usize) -> String {
        let page = if page > 1 { page.to_string() } else { String::new() };
        let pairs = FILTERS.iter().zip(&self.values).map(|((key, _), value)| (*key, &**value));
        let pairs: Vec<_> = pairs.chain([("page", &*page)]).collect();
        address(HERE, &pairs)
    }

    /// The same list in the API.
    fn path(&self, permit: &Permit<Read, Runs>) -> String {
        let pairs = FILTERS.iter().zip(&self.values).filter(|(_, value)| !value.is_empty());
        let pairs: Vec<_> = pairs
            .map(|((_, field), value)| {
                if value.contains(',') {
                    (format!("{field}__in"), format!("[{value}]"))
                } else {
                    ((*field).to_owned(), value.clone())
                }
            })
            .collect();
        let mut asked = vec![("order_by", "-id"), ("limit", "25")];
        asked.extend(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        address(&format!("/api/v2/accounts/{}/runs/", permit.account()), &asked)
    }
}

/// `GET /console/runs`
pub(super) async fn list(
    permit: Permit<Read, Runs>,
    State(app): State<App>,
    visitor: Visitor,
    Asked(asked): Asked,
) -> Result<Page, ApiError> {
    let mut wanted = Wanted::read(&asked);
    let [projects, mut environments, mut jobs] = choices(&app, &permit, &wanted).await?;
    wanted.keep_to("environment", &mut environments);
    wanted.keep_to("job", &mut jobs);
    let found = app.store.runs(&permit, &wanted.query()).await?;
    let names = app.store.names(&permit, &named_in(&found.rows)).await?;
    let ids: Vec<_> = found.rows.iter().map(|run| run.id).collect();
    let warnings = app.store.run_warnings(&permit, &ids).await?;
    let now = app.store.clock().now();
    let view =
        |run| RunView::new(run, &names, warnings.get(&run.id).copied().unwrap_or_default(), now);
    let total = usize::try_from(found.total).unwrap_or(usize::MAX);
    let curl = curl(&app, &wanted.path(&permit));
    Page::of(&List {
        shell: Shell { visitor: &visitor, here: "runs", curl },
        runs: found.rows.iter().map(view).collect(),
        narrow: wanted.is_narrow(),
        projects,
        environments,
        jobs,
        statuses: statuses(wanted.value("status")),
        pages: Pages::new(wanted.page, ROWS, total, |page| wanted.link(page)),
    })
}

/// Projects, and the environments and jobs of the chosen one.
async fn choices(
    app: &App,
    permit: &Permit<Read, Runs>,
    wanted: &Wanted,
) -> Result<[Vec<Choice>; 3], ApiError> {
    let [mut projects, mut environments, mut jobs] = [Vec::new(), Vec::new(), Vec::new()];
    let found = app.store.choices(permit, wanted.project(), false).await?;
    let of_project = |choice: &store::Choice| {
        let project = choice.project.map(Named::Project);
        let project = found.iter().find(|other| Some(other.named) == project);
        match (project, wanted.project()) {
            (Some(project), None) => format!("{} / {}", project.name, choice.name),
            _ => choice.name.clone(),
        }
    };
    for choice in &found {
        match choice.named {
            Named::Project(id) => {
                projects.push(Choice::new(id, &choice.name, wanted.value("project")));
            }
            Named::Environment(id) => {
                let label = of_project(choice);
                environments.push(Choice::new(id, label, wanted.value("environment")));
            }
            Named::Job(id) => {
                jobs.push(Choice::new(id, of_project(choice), wanted.value("job")));
            }
            Named::User(_) | Named::ServiceToken(_) => {}
        }
    }
    Ok([projects, environments, jobs])
}

fn statuses(chosen: &str) -> Vec<Choice> {
    let each = RunStatus::ALL.map(|status| Choice::new(status.code(), status.humanized(), chosen));
    let under_way = Choice::new(UNDER_WAY, "Not ended", chosen);
    std::iter::once(under_way).chain(each).collect()
}
