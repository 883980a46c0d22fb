//! What a token is held to beside its grants, edited; its secret stays.

use askama::Template;
use axum::extract::State;
use domain::{
    ServiceTokenId,
    authz::{Permit, Read, Restrictions, ServiceTokens, Write},
};
use store::StoreError;

use super::{
    door::Visitor,
    form::Form,
    fresh::prove_fresh,
    held_to::{Choices, Named, Typed},
    icons,
    page::{Page, Shell},
    picker::sentence,
    token::told,
    token_view::{curl, project_names},
};
use crate::{app::App, error::ApiError, extract::At};

#[derive(Template)]
#[template(path = "token_restrictions.html")]
struct Edit<'a> {
    shell: Shell<'a>,
    id: ServiceTokenId,
    name: String,
    typed: Typed,
    choices: Vec<Choices>,
    /// Where the visitor is, if they would be shut out: they have to say that it is meant.
    shut_out: Option<String>,
    error: Option<String>,
    again: Option<String>,
}

impl Edit<'_> {
    fn wrong(&self) -> Vec<(String, String)> {
        let password = self.again.iter();
        let password = password.map(|_| ("password".to_owned(), "Your password".to_owned()));
        self.typed.wrong().chain(password).collect()
    }
}

/// `GET /console/service-tokens/{service_token_id}/restrictions`
pub(super) async fn show(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<ServiceTokenId>,
) -> Result<Page, ApiError> {
    let (_, page) = form(&app, &permit, &visitor, id, Typed::of).await?;
    Page::of(&page)
}

/// `POST /console/service-tokens/{service_token_id}/restrictions`: all of them anew.
pub(super) async fn replace(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<ServiceTokenId>,
    Form(form_typed): Form,
) -> Result<Page, ApiError> {
    let typed = |_: &Restrictions| Typed::read(&form_typed);
    let (before, mut page) = form(&app, &permit, &visitor, id, typed).await?;
    let Some(wanted) = page.typed.restrictions() else {
        return Page::refused(&ApiError::field("restrictions", "cannot be"), &page);
    };
    // Leaving more than before widens the token (SECURITY line 23).
    if !wanted.within(&before) {
        page.again = prove_fresh(&app, &permit.also()?, &visitor, &form_typed).await?;
        if page.again.is_some() {
            return Page::refused(&ApiError::field("password", "is asked for"), &page);
        }
    }
    let (forced, address) = (form_typed.has("force"), permit.origin().address);
    let shuts_out = address.filter(|address| !wanted.admit(Some(*address)));
    if let (Some(address), false) = (shuts_out, forced) {
        page.shut_out = Some(address.to_string());
        return Page::refused(&ApiError::field("addresses", "would shut you out"), &page);
    }
    match app.store.replace_token_restrictions(&permit, id, wanted, forced).await {
        Ok(_) => Ok(Page::to(&format!("/console/service-tokens/{id}?held=1"))),
        Err(StoreError::Invalid { field, message }) => {
            let field = if field.ends_with("jobs") { "jobs" } else { "environments" };
            page.typed.refuse(field, sentence(&format!("it {message}")));
            Page::refused(&ApiError::field(field, "cannot be"), &page)
        }
        Err(error) => {
            let (message, error) = told(error)?;
            page.error = Some(message);
            Page::refused(&error, &page)
        }
    }
}

async fn form<'a>(
    app: &App,
    permit: &Permit<Write, ServiceTokens>,
    visitor: &'a Visitor,
    id: ServiceTokenId,
    typed: impl FnOnce(&Restrictions) -> Typed,
) -> Result<(Restrictions, Edit<'a>), ApiError> {
    let reading: Permit<Read, ServiceTokens> = permit.also()?;
    let (token, restrictions) = app.store.token_restrictions(&reading, id).await?;
    let names = project_names(app, &reading).await?;
    let places = Named::to_choose(app, &reading, &restrictions, &names).await?;
    let path = format!("/api/v3/accounts/{}/service-tokens/{id}/restrictions/", permit.account());
    let curl = curl(app, &path).replacen("curl ", "curl --json @restrictions.json ", 1);
    let typed = typed(&restrictions);
    let page = Edit {
        shell: Shell { visitor, here: "service-tokens", curl },
        id,
        name: token.name.as_str().to_owned(),
        choices: typed.choices(&places),
        typed,
        shut_out: None,
        error: None,
        again: None,
    };
    Ok((restrictions, page))
}
