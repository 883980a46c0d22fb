//! May this token do that here? The question that a gateway, or a person, asks.

use axum::extract::State;
use domain::authz::{Identity, Permit, Read};
use wire::v3::{CheckAnswers, CheckRequest, Checked, Checks};

use crate::{answer::Object, app::App, checks, error::ApiError, extract::Body};

/// `POST /api/v3/accounts/{account_id}/check/`
///
/// Asks about the token that calls; about another one if `service_token_id` names it, for which
/// the caller has to read service tokens, as to ask about another address.
pub(crate) async fn check(
    permit: Permit<Read, Identity>,
    State(app): State<App>,
    Body(asked): Body<CheckRequest>,
) -> Result<Object<Checked>, ApiError> {
    let asked = Checks::try_from(asked)?;
    let (mut answers, _) = checks::answers(&app, &permit, &asked).await?;
    Ok(Object(match answers.pop() {
        Some(only) if asked.alone => Checked::One(only),
        last => {
            answers.extend(last);
            Checked::Many(CheckAnswers { answers })
        }
    }))
}
