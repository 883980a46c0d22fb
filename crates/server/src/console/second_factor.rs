//! A person's second factor: an app is set up with a picture, and codes for when it is lost are
//! shown once.

use askama::Template;
use axum::extract::State;
use domain::{
    authz::{OwnTokens, Permit, Read, Write},
    second_factor::{RecoveryCode, TotpSecret},
};
use qrcodegen::{QrCode, QrCodeEcc};
use rand::{rand_core::UnwrapErr, rngs::SysRng};
use store::SecondFactor;

use super::{
    door::Visitor,
    form::Form,
    fresh::prove_fresh,
    icons,
    page::{Page, Shell, When},
    sign_in::prove_again,
    token_view::curl,
};
use crate::{app::App, error::ApiError};

const HERE: &str = "/console/you/second-factor";

#[derive(Template)]
#[template(path = "second_factor.html")]
struct SecondFactorPage<'a> {
    shell: Shell<'a>,
    stands: Stands,
    /// The codes, on the one page that shows them.
    codes: Vec<String>,
    /// What is wrong with the code.
    code_error: Option<String>,
    /// What to tell beside the password, where it is asked for.
    again: Option<String>,
    done: Option<&'static str>,
}

/// Where it is, as a page shows it.
enum Stands {
    Off,
    Begun { text: String, picture: Picture },
    On { since: When, codes_left: u64 },
}

/// A QR code: so many squares a side, and the dark ones as an SVG path.
struct Picture {
    side: i32,
    path: String,
}

impl Picture {
    /// The light border that readers want, in squares.
    const BORDER: i32 = 4;

    fn of(text: &str) -> Result<Self, ApiError> {
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).map_err(|_| ApiError::Internal)?;
        let side = code.size();
        let dark = (0..side)
            .flat_map(|y| (0..side).map(move |x| (x, y)))
            .filter(|(x, y)| code.get_module(*x, *y));
        let path = dark
            .map(|(x, y)| format!("M{} {}h1v1h-1z", x + Self::BORDER, y + Self::BORDER))
            .collect::<Vec<_>>()
            .concat();
        Ok(Self { side: side + 2 * Self::BORDER, path })
    }
}

/// `GET /console/you/second-factor`
pub(super) async fn show(
    permit: Permit<Read, OwnTokens>,
    State(app): State<App>,
    visitor: Visitor,
) -> Result<Page, ApiError> {
    Page::of(&page(&app, &permit, &visitor).await?)
}

/// `POST /console/you/second-factor/begin`
pub(super) async fn begin(
    permit: Permit<Write, OwnTokens>,
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form,
) -> Result<Page, ApiError> {
    let again = prove_fresh(&app, &permit.also()?, &visitor, &form).await?;
    if again.is_some() {
        return refused(&app, &permit, &visitor, again).await;
    }
    let secret = TotpSecret::mint(&mut UnwrapErr(SysRng));
    app.store.begin_second_factor(&permit, &secret).await?;
    Ok(Page::to(HERE))
}

/// `POST /console/you/second-factor/confirm`: it counts from now on.
pub(super) async fn confirm(
    permit: Permit<Write, OwnTokens>,
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form,
) -> Result<Page, ApiError> {
    let codes = mint_codes();
    let digits: String = form.first("code").chars().filter(|c| !c.is_whitespace()).collect();
    if app.store.confirm_second_factor(&permit, &digits, &codes).await? {
        return shown(&app, &permit, &visitor, &codes, "Second factor on").await;
    }
    let mut page = page(&app, &permit.also()?, &visitor).await?;
    let told = "This is not the code that the app shows now. Is its clock right?";
    page.code_error = Some(told.to_owned());
    Page::refused(&ApiError::field("code", "wrong"), &page)
}

/// `POST /console/you/second-factor/codes`: others in place of those before; the password is
/// asked for.
pub(super) async fn renew(
    permit: Permit<Write, OwnTokens>,
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form,
) -> Result<Page, ApiError> {
    let asked = prove_again(&app, &permit.also()?, &visitor, form.first("password")).await?;
    if let Err(told) = asked {
        return refused(&app, &permit, &visitor, Some(format!("It {told}."))).await;
    }
    let codes = mint_codes();
    app.store.renew_recovery_codes(&permit, &codes).await?;
    shown(&app, &permit, &visitor, &codes, "New recovery codes").await
}

/// `POST /console/you/second-factor/off`: the password is asked for.
pub(super) async fn off(
    permit: Permit<Write, OwnTokens>,
    State(app): State<App>,
    visitor: Visitor,
    Form(form): Form,
) -> Result<Page, ApiError> {
    let asked = prove_again(&app, &permit.also()?, &visitor, form.first("password")).await?;
    if let Err(told) = asked {
        return refused(&app, &permit, &visitor, Some(format!("It {told}."))).await;
    }
    app.store.remove_second_factor(&permit).await?;
    Ok(Page::to(HERE))
}

fn mint_codes() -> Vec<RecoveryCode> {
    let mut rng = UnwrapErr(SysRng);
    (0..RecoveryCode::COUNT).map(|_| RecoveryCode::mint(&mut rng)).collect()
}

/// The one page that shows the codes.
async fn shown(
    app: &App,
    permit: &Permit<Write, OwnTokens>,
    visitor: &Visitor,
    codes: &[RecoveryCode],
    done: &'static str,
) -> Result<Page, ApiError> {
    let mut page = page(app, &permit.also()?, visitor).await?;
    page.codes = codes.iter().map(RecoveryCode::reveal).collect();
    page.done = Some(done);
    Page::of(&page)
}

async fn refused(
    app: &App,
    permit: &Permit<Write, OwnTokens>,
    visitor: &Visitor,
    again: Option<String>,
) -> Result<Page, ApiError> {
    let mut page = page(app, &permit.also()?, visitor).await?;
    page.again = again;
    Page::refused(&ApiError::field("password", "is asked for"), &page)
}

async fn page<'a>(
    app: &App,
    permit: &Permit<Read, OwnTokens>,
    visitor: &'a Visitor,
) -> Result<SecondFactorPage<'a>, ApiError> {
    let stands = match app.store.second_factor(permit).await? {
        SecondFactor::Off => Stands::Off,
        SecondFactor::Begun(secret) => Stands::Begun {
            picture: Picture::of(&secret.url(&visitor.session().email))?,
            text: secret.text(),
        },
        SecondFactor::On { since, codes_left } => {
            Stands::On { since: When::new(since, app.store.clock().now()), codes_left }
        }
    };
    let shell = Shell { visitor, here: "you", curl: curl(app, "/api/v2/whoami/") };
    Ok(SecondFactorPage {
        shell,
        stands,
        codes: Vec::new(),
        code_error: None,
        again: None,
        done: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_its_corners_and_a_border() {
        let picture = Picture::of("otpauth://totp/x?secret=y").unwrap();
        assert!(picture.side >= 29, "{}", picture.side);
        assert!(picture.path.starts_with("M4 4h1v1h-1z"), "the first corner begins at the border");
        let last = format!("M4 {}h1v1h-1z", picture.side - 5);
        assert!(picture.path.contains(&last), "the corner below");
    }
}
