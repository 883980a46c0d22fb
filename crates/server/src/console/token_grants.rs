//! What a token is granted, edited: the rows, what would be gained and lost, and then the change.

use askama::Template;
use axum::extract::State;
use domain::{
    ServiceTokenId,
    authz::{Grant, Permit, Read, Restrictions, ServiceTokens, Write},
    service_token::ServiceToken,
};
use sha2::{Digest as _, Sha256};

use super::{
    door::Visitor,
    form::{Fields, Form},
    fresh::{is_fresh, prove_fresh},
    icons,
    page::{Page, Shell},
    picker::{Picker, Row},
    rights::{Shift, shifts, token_with},
    token::told,
    token_view::{ProjectNames, curl, project_names},
};
use crate::{app::App, error::ApiError, extract::At};

#[derive(Template)]
#[template(path = "token_grants.html")]
struct Edit<'a> {
    shell: Shell<'a>,
    id: ServiceTokenId,
    name: String,
    picker: Picker,
    /// What is wrong with the whole.
    error: Option<String>,
    /// What was reviewed: what it would change, and what that is known by.
    review: Option<Review>,
    /// What to tell beside the password, where it is asked for; empty at first.
    again: Option<String>,
}

/// A change before it is saved.
struct Review {
    shifts: Vec<Shift>,
    /// What names the change and what it was compared with: another is reviewed anew.
    digest: String,
}

impl Review {
    fn changes(&self) -> bool {
        self.shifts.iter().any(|shift| shift.class != "same")
    }

    fn gains(&self) -> bool {
        self.shifts.iter().any(|shift| shift.class == "gained")
    }

    fn count(&self, class: &str) -> usize {
        self.shifts.iter().filter(|shift| shift.class == class).count()
    }
}

impl Edit<'_> {
    fn wrong(&self) -> Vec<(String, String)> {
        let password = self.again.iter().filter(|told| !told.is_empty());
        let password = password.map(|_| ("password".to_owned(), "Your password".to_owned()));
        self.picker.wrong().chain(password).collect()
    }
}

/// `GET /console/service-tokens/{service_token_id}/grants`
pub(super) async fn show(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<ServiceTokenId>,
) -> Result<Page, ApiError> {
    let (token, _) = app.store.token_restrictions(&permit.also()?, id).await?;
    let names = project_names(&app, &permit.also()?).await?;
    Page::of(&form(&app, &permit, &visitor, &token, Row::of(&token), &names))
}

/// `POST /console/service-tokens/{service_token_id}/grants`: a row more, a row less, what it would
/// change, or the change.
pub(super) async fn edit(
    permit: Permit<Write, ServiceTokens>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<ServiceTokenId>,
    Form(typed): Form,
) -> Result<Page, ApiError> {
    let reading: Permit<Read, ServiceTokens> = permit.also()?;
    let (token, restrictions) = app.store.token_restrictions(&reading, id).await?;
    let names = project_names(&app, &reading).await?;
    let plan = permit.principal().terms().plan;
    let mut page = form(&app, &permit, &visitor, &token, Row::all(&typed), &names);
    if page.picker.edit(&typed) {
        return Page::of(&page);
    }
    let Some(grants) = page.picker.grants(plan) else {
        return Page::refused(&ApiError::field("permission_grants", "cannot be"), &page);
    };
    let review = review(&permit, &token, &restrictions, &grants, &names);
    let gains = review.gains();
    page.again = (gains && !is_fresh(&app, &visitor)).then(String::new);
    let reviewed = typed.has("save") && typed.first("reviewed") == review.digest;
    page.review = Some(review);
    if !reviewed {
        if typed.has("save") {
            let error = "Rows or token were changed since the change was reviewed. Look at it once more: nothing was saved.";
            page.error = Some(error.to_owned());
            return Page::refused(&ApiError::field("reviewed", "is another change"), &page);
        }
        return Page::of(&page);
    }
    save(&app, &permit, &visitor, (id, grants, gains), &typed, page).await
}

async fn save(
    app: &App,
    permit: &Permit<Write, ServiceTokens>,
    visitor: &Visitor,
    (id, grants, gains): (ServiceTokenId, Vec<Grant>, bool),
    typed: &Fields,
    mut page: Edit<'_>,
) -> Result<Page, ApiError> {
    let again = if gains { prove_fresh(app, &permit.also()?, visitor, typed).await? } else { None };
    if again.is_some() {
        page.again = again;
        return Page::refused(&ApiError::field("password", "is asked for"), &page);
    }
    match app.store.replace_grants(permit, id, grants).await {
        Ok(_) => Ok(Page::to(&format!("/console/service-tokens/{id}?granted=1"))),
        Err(error) => {
            let (message, error) = told(error)?;
            page.error = Some(message);
            Page::refused(&error, &page)
        }
    }
}

fn review(
    permit: &Permit<Write, ServiceTokens>,
    token: &ServiceToken,
    restrictions: &Restrictions,
    grants: &[Grant],
    names: &ProjectNames,
) -> Review {
    let terms = *permit.principal().terms();
    let held_to = |grants| token_with(terms, grants, restrictions.clone());
    let shifts = shifts(&held_to(token.granted()), &held_to(grants.to_vec()), names);
    let mut sorted = grants.to_vec();
    sorted.sort();
    let text = format!("{} {sorted:?} {:?} {restrictions:?}", token.id, token.granted());
    let digest = Sha256::digest(text);
    let digest = digest.iter().take(16).fold(0_u128, |all, byte| all << 8 | u128::from(*byte));
    Review { shifts, digest: format!("{digest:032x}") }
}

fn form<'a>(
    app: &App,
    permit: &Permit<Write, ServiceTokens>,
    visitor: &'a Visitor,
    token: &ServiceToken,
    rows: Vec<Row>,
    names: &ProjectNames,
) -> Edit<'a> {
    let path =
        format!("/api/v3/accounts/{}/service-tokens/{}/permissions/", permit.account(), token.id);
    let curl = curl(app, &path).replacen("curl ", "curl --json @grants.json ", 1);
    Edit {
        shell: Shell { visitor, here: "service-tokens", curl },
        id: token.id,
        name: token.name.as_str().to_owned(),
        picker: Picker::new(rows, permit.principal().terms().plan, names),
        error: None,
        review: None,
        again: None,
    }
}
