//! One service token: what it may do, what it is held to, what opens it, and who still sends what
//! used to.

use askama::Template;
use axum::extract::State;
use domain::{
    ServiceTokenId, Timestamp,
    authz::{Permit, Read, Restrictions, ServiceTokens, Write},
    service_token::ServiceToken,
    token_credential::{OldUse, TokenCredential, TokenUse},
};
use store::{StoreError, TokenChange};

use super::{
    door::Visitor,
    form::{Asked, Fields, Form},
    fresh::prove_fresh,
    held_to::{HeldTo, Named},
    icons,
    page::{Page, Shell, When},
    picker::sentence,
    rights::{Story, token_with},
    token_view::{ProjectNames, TokenView, curl, maker, project_names},
};
use crate::{app::App, error::ApiError, extract::At};

#[derive(Template)]
#[template(path = "service_token.html")]
struct Detail<'a> {
    shell: Shell<'a>,
    token: TokenView,
    updated: When,
    story: Story,
    held_to: HeldTo,
    secrets: Vec<SecretView>,
    late: Vec<Sender>,
    may_write: bool,
    done: Option<&'static str>,
}

/// What is known of a secret: not the secret.
struct SecretView {
    label: &'static str,
    made: When,
    last_use: Option<UseView>,
    ends: Option<When>,
    over: bool,
    /// How many minutes after the new one's first use it ends, if that is earlier.
    after_first_use: Option<i64>,
}

/// When a secret was used last, from where, and by what.
struct UseView {
    at: When,
    address: String,
    agent: String,
}

/// Somebody who sent a secret after it was replaced.
struct Sender {
    address: String,
    agent: String,
    last: When,
    refused: bool,
}

impl Detail<'_> {
    /// Where this page is.
    fn at(&self) -> String {
        format!("/console/service-tokens/{}", self.token.id)
    }

    /// The old secret's end while both work.
    fn old(&self) -> Option<&SecretView> {
        self.secrets.iter().rev().nth(1).filter(|_| self.token.rotating)
    }

    /// The secret that clients should send.
    fn newest(&self) -> Option<&SecretView> {
        self.secrets.last()
    }
}

/// `GET /console/service-tokens/{service_token_id}`
pub(super) async fn show(
    permit: Permit<Read, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<ServiceTokenId>,
    Asked(asked): Asked,
) -> Result<Page, ApiError> {
    let now = app.store.clock().now();
    let (token, restrictions) = app.store.token_restrictions(&permit, id).await?;
    let names = project_names(&app, &permit).await?;
    let places = Named::in_restrictions(&app, &permit, &restrictions, &names).await?;
    let late = app.store.senders_of_old_secret(&permit, &token).await?;
    let maker = maker(&app, &permit, id).await?;
    let path = format!("/api/v3/accounts/{}/service-tokens/{id}/", permit.account());
    Page::of(&Detail {
        shell: Shell { visitor: &visitor, here: "service-tokens", curl: curl(&app, &path) },
        updated: When::new(token.updated_at, now),
        story: story(&permit, &token, &restrictions, &names, &places, now),
        held_to: HeldTo::new(&restrictions, &places),
        secrets: secrets(&token, now),
        late: late.into_iter().map(|sent| sender(sent, now)).collect(),
        token: TokenView::new(&token, &names, maker.as_ref(), now),
        may_write: permit.also::<Write, ServiceTokens>().is_ok(),
        done: done(&asked),
    })
}

/// What was just done, as the address says.
fn done(asked: &Fields) -> Option<&'static str> {
    const DONE: [(&str, &str); 7] = [
        ("saved", "Secret saved"),
        ("granted", "Grants changed"),
        ("changed", "Token changed"),
        ("held", "Restrictions changed"),
        ("disabled", "Token disabled"),
        ("enabled", "Token enabled"),
        ("cancelled", "Rotation cancelled"),
    ];
    DONE.into_iter().find(|(key, _)| asked.has(key)).map(|(_, told)| told)
}

fn story(
    permit: &Permit<Read, ServiceTokens>,
    token: &ServiceToken,
    restrictions: &Restrictions,
    names: &ProjectNames,
    places: &Named,
    now: Timestamp,
) -> Story {
    let terms = *permit.principal().terms();
    let principal = token_with(terms, token.granted(), restrictions.clone());
    Story::of(&principal, None, names, places, now)
}

/// The newest secret and the one before, which is all that a person has to think about.
fn secrets(token: &ServiceToken, now: Timestamp) -> Vec<SecretView> {
    let newest = token.newest().map(|newest| newest.id);
    let shown = token.replaced().into_iter().chain(token.newest());
    let several = token.replaced().is_some();
    let view = |one: &TokenCredential| SecretView {
        label: match (several, Some(one.id) == newest) {
            (false, _) => "Secret",
            (true, true) => "New secret",
            (true, false) => "Old secret",
        },
        made: When::new(one.life.created_at, now),
        last_use: one.last_use.as_ref().map(|last| used(last, now)),
        ends: one.life.ends_at().map(|end| When::new(end, now)),
        over: one.life.is_over(now),
        after_first_use: one.retires_after.map(|seconds| seconds / 60),
    };
    shown.map(view).collect()
}

fn used(last: &TokenUse, now: Timestamp) -> UseView {
    let address = last.address.map_or_else(|| "this machine".to_owned(), |at| at.to_string());
    UseView { at: When::new(last.at, now), address, agent: last.agent.clone() }
}

fn sender(sent: OldUse, now: Timestamp) -> Sender {
    let address = sent.address.map_or_else(|| "this machine".to_owned(), |at| at.to_string());
    Sender {
        address,
        agent: sent.agent,
        last: When::new(sent.last_used, now),
        refused: sent.refused,
    }
}

#[derive(Template)]
#[template(path = "switch_token.html")]
struct Switch<'a> {
    shell: Shell<'a>,
    token: TokenView,
    last_use: Option<UseView>,
    error: Option<String>,
    /// What to tell beside the password, where it is asked for.
    again: Option<String>,
}

/// `GET /console/service-tokens/{service_token_id}/switch`: the question before a token is
/// disabled, or enabled again.
pub(super) async fn ask_to_switch(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<ServiceTokenId>,
) -> Result<Page, ApiError> {
    Page::of(&question(&app, &permit, &visitor, id).await?)
}

/// `POST /console/service-tokens/{service_token_id}/switch`: disabled, it authorises no request
/// after this answer.
pub(super) async fn switch(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<ServiceTokenId>,
    Form(form): Form,
) -> Result<Page, ApiError> {
    // What is wanted is said by the form, so that a second tab turns nothing round.
    let disable = match form.first("to") {
        "disabled" => true,
        "enabled" => false,
        _ => return Err(ApiError::field("to", "must be `disabled` or `enabled`")),
    };
    let again =
        if disable { None } else { prove_fresh(&app, &permit.also()?, &visitor, &form).await? };
    if again.is_some() {
        let mut page = question(&app, &permit, &visitor, id).await?;
        page.again = again;
        return Page::refused(&ApiError::field("password", "is asked for"), &page);
    }
    let change = TokenChange { disabled: Some(disable), ..TokenChange::default() };
    match app.store.update_service_token(&permit, id, change).await {
        Ok(_) => {
            let did = if disable { "disabled" } else { "enabled" };
            Ok(Page::to(&format!("/console/service-tokens/{id}?{did}=1")))
        }
        Err(error) => {
            let (message, error) = told(error)?;
            let mut page = question(&app, &permit, &visitor, id).await?;
            page.error = Some(message);
            Page::refused(&error, &page)
        }
    }
}

async fn question<'a>(
    app: &App,
    permit: &Permit<Write, ServiceTokens>,
    visitor: &'a Visitor,
    id: ServiceTokenId,
) -> Result<Switch<'a>, ApiError> {
    let now = app.store.clock().now();
    let token = app.store.service_token(&permit.also()?, id).await?;
    let path = format!("/api/v3/accounts/{}/service-tokens/{id}/", permit.account());
    let disabled = !token.is_disabled();
    let with = format!("curl --json '{{\"disabled\": {disabled}}}' ");
    let last = token.credentials.iter().filter_map(|one| one.last_use.as_ref());
    Ok(Switch {
        shell: Shell {
            visitor,
            here: "service-tokens",
            curl: curl(app, &path).replacen("curl ", &with, 1),
        },
        last_use: last.max_by_key(|last| last.at).map(|last| used(last, now)),
        token: TokenView::new(&token, &ProjectNames::new(), None, now),
        error: None,
        again: None,
    })
}

/// What a person is told who can change something about it, and the error that gives the status;
/// any other error goes on.
pub(super) fn told(error: StoreError) -> Result<(String, ApiError), ApiError> {
    use StoreError::{Conflict, Exceeds, Invalid, Missing, NotOffered};
    match error {
        Exceeds(_) | NotOffered(_) | Invalid { .. } | Missing(_) | Conflict(_) => {
            Ok((sentence(&error.to_string()), error.into()))
        }
        _ => Err(error.into()),
    }
}
