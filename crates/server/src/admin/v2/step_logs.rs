//! The log of a step: whole, or as it comes. Not of dbt's documents.

use axum::extract::State;
use domain::{
    StepId,
    authz::{Permit, Read, Runs},
};
use store::DebugLog;

use crate::{
    answer::{Either, Events, Text},
    app::App,
    error::ApiError,
    extract::{At, Follow, Standing},
    following::{self, Beginning},
};

/// `GET /api/v2/accounts/{account_id}/steps/{step_id}/logs/?follow=`: the log so far as plain text;
/// with `follow=1` as server-sent events ([`following::events`]), to the end of the step. The id of
/// an event is how many bytes of the log have come with it; a stream that is opened with that id as
/// `Last-Event-ID` goes on behind it.
pub(crate) async fn show(
    permit: Permit<Read, Runs>,
    State(app): State<App>,
    At(id): At<StepId>,
    standing: Standing,
    follow: Follow,
) -> Result<Either<Text, Events>, ApiError> {
    let Follow::From(position) = follow else {
        let found = app.store.run_step(&permit, id, DebugLog::End).await?;
        return Ok(Either::One(Text(found.log)));
    };
    let events = following::events(app, &permit, standing, id, Beginning::Bytes(position)).await?;
    Ok(Either::Other(events))
}
