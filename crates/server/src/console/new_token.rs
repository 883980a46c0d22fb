//! The page behind "+ New token": a name, rows of the picker, an end, what it is held to, and the
//! secret that is shown once.

use askama::Template;
use axum::extract::State;
use domain::{
    Name, ServiceTokenId,
    authz::{Permit, Read, Restrictions, ServiceTokens, Write},
    secret::TokenKind,
    token_policy::End,
};
use store::{NewServiceToken, StoreError};

use super::{
    door::Visitor,
    form::{Fields, Form},
    fresh::{administer, prove_fresh},
    held_to::{Choices, Named, Typed},
    icons,
    page::{Page, Shell, When},
    picker::{Picker, Row, sentence},
    rights::{Story, token_with},
    token::told,
    token_edit::{asked_of, end_of},
    token_view::{ProjectNames, TokenView, curl, maker, project_names},
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
    date: String,
    date_error: Option<String>,
    /// What the account's policy asks of its end.
    policy: String,
    picker: Picker,
    typed: Typed,
    choices: Vec<Choices>,
    /// Where the visitor is, if they would be shut out: they have to say that it is meant.
    shut_out: Option<String>,
    /// What the token will be able to do, as far as it is chosen.
    story: Story,
    /// What is wrong with the whole.
    error: Option<String>,
    again: Option<String>,
}

impl New<'_> {
    /// The fields that need a change: where each is, and how it is called.
    fn wrong(&self) -> Vec<(String, String)> {
        let one = |error: &Option<String>, field: &str, label: &str| {
            error.as_ref().map(|_| (field.to_owned(), label.to_owned()))
        };
        let name = one(&self.name_error, "name", "Name").into_iter();
        let date = one(&self.date_error, "date", "Expires");
        let password = one(&self.again, "password", "Your password");
        let more = self.picker.wrong().chain(self.typed.wrong());
        name.chain(date).chain(more).chain(password).collect()
    }
}

/// `GET /console/service-tokens/new`
pub(super) async fn show(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
) -> Result<Page, ApiError> {
    Page::of(&form(&app, &permit, &visitor, &Fields::default(), vec![Row::fresh(1)]).await?)
}

/// `POST /console/service-tokens/new`: a row more, a row less, what it will be able to do, or the
/// token.
pub(super) async fn create(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    Form(typed): Form,
) -> Result<Page, ApiError> {
    let mut new = form(&app, &permit, &visitor, &typed, Row::all(&typed)).await?;
    if new.picker.edit(&typed) || typed.has("preview") {
        return Page::of(&new);
    }
    let Some((wanted, restrictions)) = read(&permit, &mut new) else {
        return refused("name", &new);
    };
    if administer(&wanted.grants) {
        new.again = prove_fresh(&app, &permit.also()?, &visitor, &typed).await?;
        if new.again.is_some() {
            return refused("password", &new);
        }
    }
    let (forced, address) = (typed.has("force"), permit.origin().address);
    let shuts_out = address.filter(|address| !restrictions.admit(Some(*address)));
    if let (Some(address), false) = (shuts_out, forced) {
        new.shut_out = Some(address.to_string());
        return refused("addresses", &new);
    }
    let secret = mint(TokenKind::Service);
    let held_to = (restrictions, forced);
    match app.store.create_restricted_token(&permit, wanted, held_to, &secret).await {
        Ok(token) => {
            let (made_by, now) = (permit.principal().credential(), app.store.clock().now());
            app.console.shown_once.keep(token.id, secret, made_by, now);
            Ok(Page::to(&format!("/console/service-tokens/{}/secret", token.id)))
        }
        Err(StoreError::Invalid { field: "expires_at", message }) => {
            new.date_error = Some(sentence(&format!("it {message}")));
            refused("date", &new)
        }
        Err(error) => {
            let (message, error) = told(error)?;
            new.error = Some(message);
            Page::refused(&error, &new)
        }
    }
}

fn refused(field: &str, page: &New<'_>) -> Result<Page, ApiError> {
    Page::refused(&ApiError::field(field, "cannot be"), page)
}

/// What is wanted, if it can be; otherwise the form says what cannot.
fn read(
    permit: &Permit<Write, ServiceTokens>,
    new: &mut New<'_>,
) -> Option<(NewServiceToken, Restrictions)> {
    let plan = permit.principal().terms().plan;
    let name = match Name::parse(new.name.trim()) {
        Ok(name) => Some(name),
        Err(error) => {
            new.name_error = Some(sentence(&format!("it {error}")));
            None
        }
    };
    let end = match (new.date.trim().is_empty(), end_of(&new.date)) {
        (true, _) => None,
        (false, Some(end)) => Some(End::At(end)),
        (false, None) => {
            new.date_error = Some("Choose a day.".to_owned());
            None
        }
    };
    if new.picker.rows.is_empty() {
        new.error = Some("Add a row: a token without permissions can do nothing.".to_owned());
    }
    let grants = new.picker.grants(plan);
    let restrictions = new.typed.restrictions();
    if new.date_error.is_some() {
        return None;
    }
    let (name, grants) = (name?, grants.filter(|grants| !grants.is_empty())?);
    Some((NewServiceToken { name, grants, end }, restrictions?))
}

async fn form<'a>(
    app: &App,
    permit: &Permit<Write, ServiceTokens>,
    visitor: &'a Visitor,
    fields: &Fields,
    rows: Vec<Row>,
) -> Result<New<'a>, ApiError> {
    let reading: Permit<Read, ServiceTokens> = permit.also()?;
    let plan = permit.principal().terms().plan;
    let names = project_names(app, &reading).await?;
    let places = Named::to_choose(app, &reading, &Restrictions::default(), &names).await?;
    let policy = app.store.token_policy(&reading).await?;
    let picker = Picker::new(rows, plan, &names);
    let typed = Typed::read(fields);
    let path = format!("/api/v3/accounts/{}/service-tokens/", permit.account());
    let curl = curl(app, &path).replacen("curl ", "curl --json @token.json ", 1);
    Ok(New {
        shell: Shell { visitor, here: "service-tokens", curl },
        name: fields.first("name").to_owned(),
        name_error: None,
        date: fields.first("date").to_owned(),
        date_error: None,
        policy: asked_of(&policy, &picker.grants_so_far(plan)),
        story: story(app, permit, (&picker, &typed), &names, &places, fields.first("date")),
        choices: typed.choices(&places),
        picker,
        typed,
        shut_out: None,
        error: None,
        again: None,
    })
}

/// What the token will be able to do, by those fields that can be already.
fn story(
    app: &App,
    permit: &Permit<Write, ServiceTokens>,
    (picker, typed): (&Picker, &Typed),
    names: &ProjectNames,
    places: &Named,
    date: &str,
) -> Story {
    let terms = *permit.principal().terms();
    let held_to = typed.clone().restrictions().unwrap_or_default();
    let token = token_with(terms, picker.grants_so_far(terms.plan), held_to);
    Story::of(&token, end_of(date), names, places, app.store.clock().now())
}

#[derive(Template)]
#[template(path = "secret.html")]
struct SecretPage<'a> {
    shell: Shell<'a>,
    token: TokenView,
    /// `None` once it was shown.
    secret: Option<&'a str>,
    /// When the old secret ends that still works beside it.
    old_ends: Option<When>,
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
        old_ends: token
            .retiring(now)
            .and_then(|old| old.life.ends_at())
            .map(|end| When::new(end, now)),
        token: TokenView::new(&token, &names, maker.as_ref(), now),
        secret: secret.as_ref().map(domain::secret::TokenSecret::reveal),
        account: permit.account().get(),
        public_url: &app.public_url,
    })
}
