//! + New token: a name, rows of the picker, and the secret that is shown once.

use askama::Template;
use axum::extract::State;
use domain::{
    Name, ServiceTokenId,
    authz::{Permit, Read, ServiceTokens, Write, catalogue},
    secret::TokenKind,
    service_token::ServiceToken,
};
use store::{NewServiceToken, StoreError};

use super::{
    door::Visitor,
    form::{Fields, Form},
    icons,
    page::{Page, Shell},
    picker::{Row, SetGroup, SetStory, categories, projects, sentence, set_groups, stories},
    sign_in::prove_again,
    token_view::{TokenView, curl, maker, project_names},
};
use crate::{
    app::{App, mint},
    error::ApiError,
    extract::At,
};

#[derive(Template)]
#[template(path = "new_token.html")]
struct New<'a> {
    shell: Shell<'a>,
    name: String,
    name_error: Option<String>,
    /// What is wrong with the whole.
    error: Option<String>,
    rows: Vec<Row>,
    groups: Vec<SetGroup>,
    projects: Vec<(String, String)>,
    categories: Vec<(&'static str, &'static str)>,
    /// Whether the maker's password is asked for, and what was wrong with it.
    asks_password: bool,
    password_error: Option<String>,
    stories: Vec<SetStory>,
}

impl New<'_> {
    /// The fields that need a change: where each is, and how it is called.
    fn wrong(&self) -> Vec<(String, String)> {
        let name = self.name_error.iter().map(|_| ("name".to_owned(), "Name".to_owned()));
        let rows = self.rows.iter().enumerate().flat_map(|(place, row)| {
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
        });
        let password = self.password_error.iter();
        let password = password.map(|_| ("password".to_owned(), "Your password".to_owned()));
        name.chain(rows).chain(password).collect()
    }
}

/// `GET /console/service-tokens/new`
pub(super) async fn show(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
) -> Result<Page, ApiError> {
    Page::of(&form(&app, &permit, &visitor, "", vec![Row::fresh(1)]).await?)
}

/// `POST /console/service-tokens/new`: a row more, a row less, or the token.
pub(super) async fn create(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    Form(typed): Form,
) -> Result<Page, ApiError> {
    let rows = Row::all(&typed);
    let mut new = form(&app, &permit, &visitor, typed.first("name"), rows).await?;
    if edit_rows(&typed, &mut new.rows) {
        return Page::of(&new);
    }
    let Some(wanted) = read(&permit, &mut new) else {
        return refused(&ApiError::field("name", "or a row cannot be"), &new);
    };
    if let Some(told) = fresh(&app, &permit, &visitor, &wanted, &typed).await? {
        new.asks_password = true;
        new.password_error = Some(told);
        return refused(&ApiError::field("password", "is asked for"), &new);
    }
    let secret = mint(TokenKind::Service);
    match app.store.create_service_token(&permit, wanted, &secret).await {
        Ok(token) => {
            let (made_by, now) = (permit.principal().credential(), app.store.clock().now());
            app.console.shown_once.keep(token.id, secret, made_by, now);
            Ok(Page::to(&format!("/console/service-tokens/{}/secret", token.id)))
        }
        Err(error) => {
            new.error = Some(told(&error).ok_or(error)?);
            refused(&ApiError::field("permissions", "cannot be"), &new)
        }
    }
}

/// How long after a sign-in a token may be made that administers the account (SECURITY line 23).
const FRESH_SECONDS: i64 = 15 * 60;

/// For a token that administers the account, a fresh sign-in or the password: `None` if all is
/// well, or what to tell.
async fn fresh(
    app: &App,
    permit: &Permit<Write, ServiceTokens>,
    visitor: &Visitor,
    wanted: &NewServiceToken,
    typed: &Fields,
) -> Result<Option<String>, ApiError> {
    let (_, administering) = catalogue().administering();
    let wide = wanted.grants.iter().any(|grant| administering.contains(&grant.permission_set()));
    let since = app.store.clock().now().seconds_since(visitor.session().since);
    if !wide || since < FRESH_SECONDS {
        return Ok(None);
    }
    if !typed.has("password") {
        let told = "is asked for: you signed in a while ago, and this token can change everything";
        return Ok(Some(told.to_owned()));
    }
    let proven = prove_again(app, &permit.also()?, visitor, typed.first("password")).await?;
    Ok(proven.err())
}

/// What a person can change about it; `None` where it is nothing of theirs.
fn told(error: &StoreError) -> Option<String> {
    match error {
        StoreError::Exceeds(_)
        | StoreError::NotOffered(_)
        | StoreError::Invalid { .. }
        | StoreError::Missing(_)
        | StoreError::Conflict(_) => Some(sentence(&error.to_string())),
        _ => None,
    }
}

fn refused(error: &ApiError, page: &New<'_>) -> Result<Page, ApiError> {
    Page::refused(error, page)
}

/// Adds or removes a row, if that was the button.
fn edit_rows(typed: &Fields, rows: &mut Vec<Row>) -> bool {
    if typed.has("add") {
        if rows.len() < ServiceToken::MAX_GRANTS {
            let next = rows.last().map_or(1, |row| row.number + 1);
            rows.push(Row::fresh(next));
        }
        return true;
    }
    if typed.has("remove") {
        let number: Option<usize> = typed.first("remove").parse().ok();
        rows.retain(|row| Some(row.number) != number);
        return true;
    }
    false
}

/// What is wanted, if it can be; otherwise the form says what cannot.
fn read(permit: &Permit<Write, ServiceTokens>, new: &mut New<'_>) -> Option<NewServiceToken> {
    let plan = permit.principal().terms().plan;
    let name = match Name::parse(new.name.trim()) {
        Ok(name) => Some(name),
        Err(error) => {
            new.name_error = Some(sentence(&format!("it {error}")));
            None
        }
    };
    if new.rows.is_empty() {
        new.error = Some("Add a row: a token without permissions can do nothing.".to_owned());
    }
    let grants: Option<Vec<_>> =
        new.rows.iter_mut().map(|row| row.grant(plan)).collect::<Vec<_>>().into_iter().collect();
    let (name, grants) = (name?, grants?);
    (!grants.is_empty()).then_some(NewServiceToken { name, grants, end: None })
}

async fn form<'a>(
    app: &App,
    permit: &Permit<Write, ServiceTokens>,
    visitor: &'a Visitor,
    name: &str,
    rows: Vec<Row>,
) -> Result<New<'a>, ApiError> {
    let plan = permit.principal().terms().plan;
    let names = project_names(app, &permit.also()?).await?;
    let path = format!("/api/v3/accounts/{}/service-tokens/", permit.account());
    let curl = curl(app, &path).replacen("curl ", "curl --json @token.json ", 1);
    Ok(New {
        shell: Shell { visitor, here: "service-tokens", curl },
        name: name.to_owned(),
        name_error: None,
        error: None,
        rows,
        groups: set_groups(plan),
        projects: projects(names),
        categories: categories(),
        asks_password: false,
        password_error: None,
        stories: stories(plan),
    })
}

#[derive(Template)]
#[template(path = "secret.html")]
struct SecretPage<'a> {
    shell: Shell<'a>,
    token: TokenView,
    /// `None` once it was shown.
    secret: Option<&'a str>,
    account: i64,
    public_url: &'a str,
}

/// `GET /console/service-tokens/{service_token_id}/secret`: the secret, the first time.
pub(super) async fn show_secret(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<ServiceTokenId>,
) -> Result<Page, ApiError> {
    let now = app.store.clock().now();
    let reading: Permit<Read, ServiceTokens> = permit.also()?;
    let token = app.store.service_token(&reading, id).await?;
    let names = project_names(&app, &reading).await?;
    let maker = maker(&app, &reading, id).await?;
    let secret = app.console.shown_once.take(id, permit.principal().credential(), now);
    let path = format!("/api/v3/accounts/{}/service-tokens/{id}/", permit.account());
    Page::of(&SecretPage {
        shell: Shell { visitor: &visitor, here: "service-tokens", curl: curl(&app, &path) },
        token: TokenView::new(&token, &names, maker.as_ref(), now),
        secret: secret.as_ref().map(domain::secret::TokenSecret::reveal),
        account: permit.account().get(),
        public_url: &app.public_url,
    })
}
