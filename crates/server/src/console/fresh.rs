//! Whether somebody signed in a moment ago, or says their password once more: asked before a token
//! is widened, or one is made that administers the account (SECURITY line 23).

use domain::authz::{Grant, OwnTokens, Permit, Read, catalogue};

use super::{door::Visitor, form::Fields, sign_in::prove_again};
use crate::{app::App, error::ApiError};

/// For how long a sign-in is fresh.
const FRESH_SECONDS: i64 = 15 * 60;

/// Whether the visitor's sign-in is fresh.
pub(super) fn is_fresh(app: &App, visitor: &Visitor) -> bool {
    app.store.clock().now().seconds_since(visitor.session().since) < FRESH_SECONDS
}

/// Whether one of these administers the account.
pub(super) fn administer<'a>(grants: impl IntoIterator<Item = &'a Grant>) -> bool {
    let (_, administering) = catalogue().administering();
    grants.into_iter().any(|grant| administering.contains(&grant.permission_set()))
}

/// A fresh sign-in, or the password in the form: `None` if all is well, or what to tell beside the
/// field.
pub(super) async fn prove_fresh(
    app: &App,
    permit: &Permit<Read, OwnTokens>,
    visitor: &Visitor,
    typed: &Fields,
) -> Result<Option<String>, ApiError> {
    if is_fresh(app, visitor) {
        return Ok(None);
    }
    if typed.first("password").is_empty() {
        let told = "It is asked for: you signed in a while ago, and this gives a token more.";
        return Ok(Some(told.to_owned()));
    }
    let proven = prove_again(app, permit, visitor, typed.first("password")).await?;
    Ok(proven.err().map(|told| format!("It {told}.")))
}
