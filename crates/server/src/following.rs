//! The log of a step that is followed: as server-sent events, to its end.

use std::{convert::Infallible, time::Duration};

use axum::response::sse::{Event, KeepAlive, Sse};
use domain::{
    StepId,
    authz::{Permit, Read, Runs},
    run::{Progress, StepState},
};
use futures_util::stream;
use serde_json::json;
use store::{LogMark, LogPiece};
use tokio::time::{sleep, timeout};

use crate::{answer::Events, app::App, error::ApiError, extract::Standing, streams::Seat};

/// How often it is looked for more, and for what the caller may: a runner, or whoever changes a
/// token, may be another process.
const LOOK: Duration = Duration::from_secs(1);
/// The least time between two looks, however often there is more.
const BREATH: Duration = Duration::from_millis(100);
/// How often a stream without news says that it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Where a stream begins, and what the ids of its events are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Beginning {
    /// Behind this many bytes of the log; an id is how many have come.
    Bytes(u64),
    /// Behind a place of the log; an id is a place.
    Mark(LogMark),
}

/// The log of a step from there on.
///
/// An event `log` has the next piece, `{"text": "…"}`, and an id that the stream can be opened with
/// to go on behind it.
/// `progress` tells how many nodes dbt is through with, `{"nodes_done": 3, "nodes_total": 38}`, when
/// that changes.
/// `end` tells how the step ended, `{"status": 10, "status_humanized": "Success"}`. `refused` has the
/// envelope's `status` of what would be answered now: the caller may no longer read the step, or the
/// store is away. A stream that ends without either was cut: the server stops.
///
/// # Errors
/// [`ApiError::NotFound`], [`ApiError::TooManyStreams`], [`ApiError::NoSeat`].
pub(crate) async fn events(
    app: App,
    permit: &Permit<Read, Runs>,
    standing: Standing,
    step: StepId,
    beginning: Beginning,
) -> Result<Events, ApiError> {
    let seat = app.streams.seat((permit.account(), permit.author()), app.limits)?;
    let (mark, skip) = match beginning {
        Beginning::Bytes(position) => (LogMark::default(), position),
        Beginning::Mark(mark) => (mark, 0),
    };
    let mut following = Following {
        app,
        standing,
        step,
        mark,
        beginning,
        position: 0,
        skip,
        progress: None,
        first: None,
        over: false,
        _seat: seat,
    };
    // Whether there is such a step is said by the status, not in the stream.
    if let Found::Event(event) = following.read(permit).await? {
        following.first = Some(event);
    }
    let events = stream::unfold(following, |mut following| async {
        let event = following.next().await?;
        Some((Ok::<_, Infallible>(event), following))
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Events::new(Sse::new(events).keep_alive(keep_alive)))
}

/// A log that is followed.
struct Following {
    app: App,
    standing: Standing,
    step: StepId,
    /// How far it is read.
    mark: LogMark,
    /// Where it began.
    beginning: Beginning,
    /// How many bytes of it are read.
    position: u64,
    /// How many of the bytes to come the reader has already.
    skip: u64,
    /// What was told last of how far the step is.
    progress: Option<Progress>,
    /// What was found before the stream began.
    first: Option<Event>,
    /// Whether the last event is sent.
    over: bool,
    _seat: Seat,
}

/// What a look has found.
enum Found {
    /// Something to send.
    Event(Event),
    /// Nothing that is to be sent, and more behind it.
    Passed,
    /// Nothing yet.
    Nothing,
}

impl Following {
    async fn next(&mut self) -> Option<Event> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let (store, stopping) = (self.app.store.clone(), self.app.streams.stopping.clone());
        while !self.over && !stopping.is_cancelled() {
            let appended = store.log_appended();
            match self.look().await {
                Ok(Found::Event(event)) => return Some(event),
                Ok(Found::Passed) => continue,
                Ok(Found::Nothing) => {}
                Err(error) => {
                    self.over = true;
                    return Some(told("refused", &error.into_status()));
                }
            }
            tokio::select! {
                () = stopping.cancelled() => {}
                _ = timeout(LOOK, appended) => sleep(BREATH).await,
            }
        }
        None
    }

    /// Asks what the caller may now, and reads on.
    async fn look(&mut self) -> Result<Found, ApiError> {
        let permit = self.standing.permit(&self.app).await?;
        self.read(&permit).await
    }

    async fn read(&mut self, permit: &Permit<Read, Runs>) -> Result<Found, ApiError> {
        let piece = self.app.store.step_log_after(permit, self.step, self.mark).await?;
        let LogPiece { step, text, mark, up_to_date } = piece;
        self.mark = mark;
        self.position += text.len() as u64;
        let known = usize::try_from(self.skip).unwrap_or(usize::MAX).min(text.len());
        self.skip -= known as u64;
        let news = text.get(text.ceil_char_boundary(known)..).unwrap_or_default();
        if !news.is_empty() {
            let id = match self.beginning {
                Beginning::Bytes(_) => self.position.to_string(),
                Beginning::Mark(_) => self.mark.to_string(),
            };
            return Ok(Found::Event(told("log", &json!({ "text": news })).id(id)));
        }
        if step.progress.is_some() && step.progress != self.progress {
            self.progress = step.progress;
            let (done, total) = step.progress.map_or((0, 0), |at| (at.done, at.total));
            let at = json!({ "nodes_done": done, "nodes_total": total });
            return Ok(Found::Event(told("progress", &at)));
        }
        let ended = matches!(step.state, StepState::Finished { .. } | StepState::Skipped);
        Ok(match (up_to_date, ended) {
            (false, _) => Found::Passed,
            (true, false) => Found::Nothing,
            (true, true) => {
                self.over = true;
                let (status, word) = step.state.status();
                let end = json!({ "status": status, "status_humanized": word });
                Found::Event(told("end", &end))
            }
        })
    }
}

/// An event with its data as JSON, in which no line ends.
fn told(name: &str, data: &impl serde::Serialize) -> Event {
    let text = serde_json::to_string(data).unwrap_or_default();
    Event::default().event(name).data(text)
}
