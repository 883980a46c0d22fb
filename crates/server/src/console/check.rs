//! May this token …? A question, and the answer of the decision that requests go through.
//!
//! A question stands in the address, and survives a reload. A secret never does: the form is a
//! `POST`, which finds the token that a pasted secret is of and leads to the question about it.

use askama::Template;
use axum::extract::State;
use domain::{
    ServiceTokenId, Timestamp,
    authz::{Access, Action, Categories, Grant, Level, Permit, Read, ServiceTokens, catalogue},
    secret::TokenSecret,
    service_token::ServiceToken,
};
use store::{Choice as Thing, Named, StoreError};
use wire::{
    Invalid,
    v3::{Check, CheckAnswer, CheckRequest, Checks},
};

use super::{
    door::Visitor,
    form::{Asked, Fields, Form},
    icons,
    marks::Mark,
    page::{Page, Shell, When},
    paging::{Choice, address},
    picker::sentence,
    token_view::curl,
};
use crate::{app::App, checks, error::ApiError};

/// Where the page is.
const HERE: &str = "/console/check";

#[derive(Template)]
#[template(path = "check.html")]
struct Ask<'a> {
    shell: Shell<'a>,
    question: &'a Question,
    tokens: Vec<Choice>,
    actions: Vec<Group>,
    places: Vec<Group>,
    answer: Option<Answer>,
    errors: Vec<(&'static str, String)>,
}

/// Options under one label.
struct Group {
    label: String,
    options: Vec<Choice>,
}

/// What is asked, as it was typed; without a secret.
#[derive(Default)]
struct Question {
    token: String,
    action: String,
    place: String,
    from: String,
    at: String,
    /// Whether the secret that it came by opens its token no longer.
    ended: bool,
}

/// The answer, in words.
struct Answer {
    allowed: bool,
    token: String,
    token_id: ServiceTokenId,
    /// `write runs in shop`
    what: String,
    why: String,
    evidence: Vec<Evidence>,
    sets: Vec<(String, String, &'static str)>,
}

/// One thing that was looked at.
struct Evidence {
    mark: Mark,
    words: String,
}

impl Question {
    fn read(asked: &Fields) -> Self {
        let text = |name| asked.first(name).trim().to_owned();
        Self {
            token: text("token"),
            action: text("action"),
            place: text("where"),
            from: text("from"),
            at: text("at"),
            ended: asked.has("ended"),
        }
    }

    /// The address of the page with it.
    fn link(&self) -> String {
        let asked = [
            ("token", &*self.token),
            ("action", &self.action),
            ("where", &self.place),
            ("from", &self.from),
            ("at", &self.at),
            ("ended", if self.ended { "1" } else { "" }),
        ];
        address(HERE, &asked)
    }

    /// The same, as the API is asked.
    fn request(&self) -> CheckRequest {
        let (resource, action) = self.action.split_once(':').unwrap_or_default();
        let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let (kind, id) = self.place.split_once(':').unwrap_or_default();
        let place = |wanted: &str| id.parse().ok().filter(|_| kind == wanted);
        CheckRequest {
            service_token_id: self.token.parse().ok(),
            resource: said(resource),
            action: said(action),
            project_id: place("project"),
            environment_id: place("environment"),
            job_id: place("job"),
            address: said(&self.from),
            at: said(&self.at)
                .map(|at| if is_without_zone(&at) { format!("{at}:00Z") } else { at }),
            ..CheckRequest::default()
        }
    }
}

/// A time as a browser's field has it: `2026-11-23T09:42`.
fn is_without_zone(text: &str) -> bool {
    text.len() == 16 && text.is_ascii()
}

/// `GET /console/check`: the form, and the answer where something is asked.
pub(super) async fn show(
    permit: Permit<Read, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    Asked(asked): Asked,
) -> Result<Page, ApiError> {
    let question = Question::read(&asked);
    let things = app.store.choices(&permit, None, true).await?;
    let mut page = Ask::new(&app, &permit, &visitor, &question, &things);
    if !asked.has("action") {
        return Page::of(&page);
    }
    match answer(&app, &permit, &question, &things).await {
        Ok(answer) => {
            page.answer = Some(answer);
            Page::of(&page)
        }
        Err(ApiError::Invalid(wrong)) => {
            page.errors = wrong.reasons.iter().map(|(field, why)| told(field, why)).collect();
            Page::refused(&ApiError::Invalid(wrong), &page)
        }
        Err(error) => Err(error),
    }
}

/// `POST /console/check`: leads to the question, about the token that a pasted secret is of.
pub(super) async fn ask(
    permit: Permit<Read, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form,
) -> Result<Page, ApiError> {
    let mut question = Question { ended: false, ..Question::read(&form) };
    let pasted = form.first("secret").trim();
    if pasted.is_empty() {
        return Ok(Page::to(&question.link()));
    }
    let found = match TokenSecret::parse(pasted) {
        Ok(secret) => app.store.token_of_secret(&permit, &secret).await?,
        Err(_) => None,
    };
    let Some((token, is_open)) = found else {
        let things = app.store.choices(&permit, None, true).await?;
        let mut page = Ask::new(&app, &permit, &visitor, &question, &things);
        let why = "is that of no service token of this account";
        page.errors.push(("secret", sentence(&format!("the secret {why}"))));
        return Page::refused(&ApiError::field("secret", why), &page);
    };
    question.token = token.to_string();
    question.ended = !is_open;
    Ok(Page::to(&question.link()))
}

impl<'a> Ask<'a> {
    fn new(
        app: &App,
        permit: &Permit<Read, ServiceTokens>,
        visitor: &'a Visitor,
        question: &'a Question,
        things: &[Thing],
    ) -> Self {
        let path = format!("/api/v3/accounts/{}/check/", permit.account());
        let body = serde_json::to_string(&said(&question.request())).unwrap_or_default();
        let asked = format!("curl --json '{body}' ");
        Self {
            shell: Shell {
                visitor,
                here: "check",
                curl: curl(app, &path).replacen("curl ", &asked, 1),
            },
            tokens: tokens(things, &question.token),
            actions: actions(&question.action),
            places: places(things, &question.place),
            question,
            answer: None,
            errors: Vec::new(),
        }
    }

    fn error_of(&self, field: &str) -> Option<&str> {
        let found = self.errors.iter().find(|(wrong, _)| *wrong == field);
        found.map(|(_, message)| message.as_str())
    }
}

/// What a request says, without what it leaves open.
fn said(request: &CheckRequest) -> serde_json::Value {
    let mut body = serde_json::to_value(request).unwrap_or_default();
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    body
}

/// A field of the API, and what is wrong with it, as the form has it.
fn told(field: &str, why: &str) -> (&'static str, String) {
    let (field, label) = match field {
        "service_token_id" => ("token", "The token"),
        "resource" | "action" => ("action", "The action"),
        "address" => ("from", "The address"),
        "at" => ("at", "The time"),
        _ => ("where", "The place"),
    };
    (field, format!("{label} {why}."))
}

fn tokens(things: &[Thing], chosen: &str) -> Vec<Choice> {
    let token = |thing: &Thing| match thing.named {
        Named::ServiceToken(id) => Some(Choice::new(id, &thing.name, chosen)),
        Named::Project(_) | Named::Environment(_) | Named::Job(_) | Named::User(_) => None,
    };
    things.iter().filter_map(token).collect()
}

/// Every action that some grant gives, by resource.
fn actions(chosen: &str) -> Vec<Group> {
    let levels = [(Level::Project, "In projects"), (Level::Account, "In the account")];
    let group = |(level, label): (Level, &str)| {
        let rows = catalogue().resources().iter().filter(|row| row.level == level);
        let options = rows.flat_map(|row| {
            let held = [(Access::Read, "read"), (Access::Write, "write")].into_iter();
            let held = held.filter(|(access, _)| is_held(Action::new(*access, row.kind)));
            held.map(|(access, word)| {
                let value = format!("{}:{}", row.kind.key(), access.key());
                Choice::new(value, format!("{}: {word}", row.label), chosen)
            })
        });
        Group { label: label.to_owned(), options: options.collect() }
    };
    levels.into_iter().map(group).collect()
}

fn is_held(action: Action) -> bool {
    catalogue().sets().any(|row| row.rights.allow(action) || row.raised.allow(action))
}

/// Projects, each with what is in it.
fn places(things: &[Thing], chosen: &str) -> Vec<Group> {
    let projects = things.iter().filter(|thing| matches!(thing.named, Named::Project(_)));
    let group = |project: &Thing| {
        let inside = things.iter().filter(|thing| thing.project == project.project);
        let options = inside.filter_map(|thing| match thing.named {
            Named::Project(id) => {
                let label = format!("project {}", thing.name);
                Some((0, Choice::new(format!("project:{id}"), label, chosen)))
            }
            Named::Environment(id) => {
                let label = format!("environment {}", thing.name);
                Some((1, Choice::new(format!("environment:{id}"), label, chosen)))
            }
            Named::Job(id) => {
                let label = format!("job {}", thing.name);
                Some((2, Choice::new(format!("job:{id}"), label, chosen)))
            }
            Named::User(_) | Named::ServiceToken(_) => None,
        });
        let mut options: Vec<_> = options.collect();
        options.sort_by_key(|(order, _)| *order);
        let options = options.into_iter().map(|(_, option)| option).collect();
        Group { label: project.name.clone(), options }
    };
    projects.map(group).collect()
}

async fn answer(
    app: &App,
    permit: &Permit<Read, ServiceTokens>,
    question: &Question,
    things: &[Thing],
) -> Result<Answer, ApiError> {
    let missing = || Invalid::field("service_token_id", "has to be chosen, or its secret pasted");
    let request = question.request();
    let placed = [request.project_id, request.environment_id, request.job_id];
    if !question.place.is_empty() && placed.iter().all(Option::is_none) {
        return Err(Invalid::field("project_id", "names no project, environment or job").into());
    }
    let checks = Checks::try_from(request)?;
    checks.token.ok_or_else(missing)?;
    let asked = checks.questions.first().copied().ok_or(ApiError::Internal)?;
    let (answers, token) = match checks::answers(app, &permit.also()?, &checks).await {
        Err(ApiError::Store(StoreError::NotFound)) => {
            return Err(Invalid::field("service_token_id", "is not here any more").into());
        }
        found => found?,
    };
    let (Some(answer), Some(token)) = (answers.into_iter().next(), token) else {
        return Err(ApiError::Internal);
    };
    let now = app.store.clock().now();
    let place = things.iter().find(|thing| question.place == value_of(thing.named));
    Ok(Answer {
        allowed: answer.allowed,
        what: what(asked.action, place, &question.place, things),
        why: why(&answer, things),
        evidence: evidence(&token, &asked, place, &answer, now),
        sets: sets(&answer),
        token: token.name.as_str().to_owned(),
        token_id: token.id,
    })
}

/// What stands in the form for a place.
fn value_of(named: Named) -> String {
    match named {
        Named::Project(id) => format!("project:{id}"),
        Named::Environment(id) => format!("environment:{id}"),
        Named::Job(id) => format!("job:{id}"),
        Named::User(_) | Named::ServiceToken(_) => String::new(),
    }
}

/// `write runs in shop`
fn what(action: Action, place: Option<&Thing>, asked: &str, things: &[Thing]) -> String {
    let resource = catalogue().resource(action.on).label.to_lowercase();
    let done = format!("{} {resource}", action.access.key());
    let Some(place) = place else {
        // One that the visitor does not see, or of very many.
        return if asked.is_empty() {
            done
        } else {
            format!("{done} in {}", asked.replace(':', " "))
        };
    };
    let project = things
        .iter()
        .find(|thing| matches!(thing.named, Named::Project(_)) && thing.project == place.project);
    let project = project.map_or("", |project| project.name.as_str());
    let name = &place.name;
    match place.named {
        Named::Environment(_) => format!("{done} in environment {name} of {project}"),
        Named::Job(_) => format!("{done} of job {name} of {project}"),
        Named::Project(_) | Named::User(_) | Named::ServiceToken(_) => {
            format!("{done} in {project}")
        }
    }
}

/// The reason, and what a request would be answered.
fn why(answer: &CheckAnswer, things: &[Thing]) -> String {
    let Some((reason, status)) = answer.reason.as_deref().zip(answer.status) else {
        return allowed_on(&answer.projects, things);
    };
    let unseen = if status == 404 { ": to this token, such a thing is not there" } else { "" };
    format!("{} The API answers {status}{unseen}.", sentence(reason))
}

fn allowed_on(projects: &wire::v3::CheckProjects, things: &[Thing]) -> String {
    match projects {
        wire::v3::CheckProjects::All(_) => "Granted on all projects.".to_owned(),
        wire::v3::CheckProjects::Only(ids) => {
            let name = |id: &i64| {
                let mut projects = things.iter().filter_map(|thing| match thing.named {
                    Named::Project(project) => Some((project, &thing.name)),
                    _ => None,
                });
                let found = projects.find(|(project, _)| project.get() == *id);
                found.map_or_else(|| format!("project {id}"), |(_, name)| name.clone())
            };
            format!("Granted on {}.", ids.iter().map(name).collect::<Vec<_>>().join(", "))
        }
    }
}

/// What was looked at, in the order of the decision.
fn evidence(
    token: &ServiceToken,
    asked: &Check,
    place: Option<&Thing>,
    answer: &CheckAnswer,
    now: Timestamp,
) -> Vec<Evidence> {
    let at = asked.at.unwrap_or(now);
    let usable = token.is_usable(at);
    let life = match token.expires_at() {
        Some(end) => format!("ends {}", When::new(end, now).exact),
        None => "never ends".to_owned(),
    };
    let state = if usable { Mark::good("Active") } else { Mark::bad("Not active") };
    let mut seen = vec![Evidence { mark: state, words: life }];
    for (number, row) in (1..).zip(&token.grants) {
        let label = format!("Row {number}, {}", row.grant.permission_set().label());
        let (holds, words) = holds(&row.grant, asked.action, place);
        let mark = if holds { Mark::good(&label) } else { Mark::bad(&label) };
        seen.push(Evidence { mark, words });
    }
    if let Some(restriction) = &answer.restriction {
        let words = format!("the token is held to `{restriction}`");
        seen.push(Evidence { mark: Mark::bad("Restrictions"), words });
    }
    seen
}

/// What one row says of it: whether it gives it there, and in words.
fn holds(grant: &Grant, action: Action, place: Option<&Thing>) -> (bool, String) {
    let scope = grant.scope_of(action);
    let nowhere = scope.everywhere().is_empty() && scope.named_projects().next().is_none();
    if nowhere {
        return (false, "does not hold it".to_owned());
    }
    let Some(project) = place.and_then(|place| place.project) else {
        return (true, "holds it".to_owned());
    };
    if catalogue().resource(action.on).level == Level::Account {
        return (true, "holds it, in the whole account".to_owned());
    }
    let categories = scope.categories_in(project);
    match categories {
        none if none.is_empty() => (false, "holds it on other projects".to_owned()),
        all if all == Categories::ALL => (true, "holds it there".to_owned()),
        some => (true, format!("holds it there in {} environments", some.words().join(", "))),
    }
}

/// The smallest sets that would hold it: key, label, what each is for.
fn sets(answer: &CheckAnswer) -> Vec<(String, String, &'static str)> {
    let about = |key: &str| {
        let row = catalogue().sets().find(|row| row.key == key);
        row.map_or("", |row| row.about.as_str())
    };
    let set = |set: &wire::v3::NamedSet| (set.key.clone(), set.label.clone(), about(&set.key));
    answer.permission_sets.iter().map(set).collect()
}
