//! A run's log as it comes, by the server's event streams, to the run's end.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde::{Deserialize, de::DeserializeOwned};
use wire::{
    Reasons, Status,
    client::{Client, ClientError, Refusal},
};

use super::{
    progress::Bar,
    run::{Run, Step},
};
use crate::{error::CliError, output};

/// How often a run is looked at that has not begun, and how soon after a connection was lost.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a server may be away.
const PATIENCE: Duration = Duration::from_mins(2);
/// The status of a run whose steps are under way.
const RUNNING: u8 = 3;

/// Shows a run's log to the run's end. A connection that is lost is made again, and the log goes on
/// where it was.
pub(super) async fn follow(client: &Client, path: &str) -> Result<Run, CliError> {
    let mut shown = Shown { ended: BTreeSet::new(), position: None, whole: false, bar: Bar::new() };
    let mut heard: Option<Instant> = None;
    loop {
        match shown.go_on(client, path).await {
            Ok(Some(run)) => return Ok(run),
            Ok(None) => heard = Some(Instant::now()),
            Err(error) if may_pass(&error) && heard.is_some_and(|at| at.elapsed() < PATIENCE) => {}
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Whether a server that was there may be there again: it restarts, or has too much to do.
fn may_pass(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } | ClientError::Foreign(_) => true,
        ClientError::Refused(refusal) => matches!(refusal.status.code, 429 | 502..=504),
    }
}

/// What has been shown of a run.
struct Shown {
    /// The steps that have ended, with all that they said.
    ended: BTreeSet<i64>,
    /// How many bytes of the log of the step after them.
    position: Option<u64>,
    /// Whether all steps have ended.
    whole: bool,
    bar: Bar,
}

impl Shown {
    /// Shows what there is and what comes, as long as the server tells it; gives the run at its end.
    async fn go_on(&mut self, client: &Client, path: &str) -> Result<Option<Run>, ClientError> {
        let run: Run = client.get(path).await?;
        self.bar.expect(run.estimated_remaining_seconds);
        // Not before then are its steps known.
        if !self.whole && (run.status == RUNNING || run.is_complete) {
            let steps: Run = client.get(&format!("{path}?include_related=run_steps")).await?;
            for step in steps.steps.iter().flatten() {
                if self.ended.contains(&step.id) {
                    continue;
                }
                let followed = self.follow_step(client, run.account_id, step).await;
                self.bar.end();
                if !followed? {
                    return Ok(None);
                }
                self.ended.insert(step.id);
                self.position = None;
            }
            self.whole = true;
        }
        Ok((self.whole && run.is_complete).then_some(run))
    }

    /// Shows a step's log as it comes; tells whether that was to its end.
    async fn follow_step(
        &mut self,
        client: &Client,
        account: i64,
        step: &Step,
    ) -> Result<bool, ClientError> {
        let path = format!("/api/v2/accounts/{account}/steps/{}/logs/?follow=1", step.id);
        let mut events = client.follow(&path, self.position).await?;
        // One that breaks is opened again.
        while let Ok(Some(event)) = events.next().await {
            match event.name.as_str() {
                "log" => {
                    let Said { text } = parsed(&event.data, client)?;
                    if self.position.is_none() {
                        output::line(step.headline());
                    }
                    self.position = event.id.or(self.position);
                    self.bar.above(&text);
                }
                "progress" => self.bar.set(parsed(&event.data, client)?),
                "end" => return Ok(true),
                "refused" => {
                    let status: Status = parsed(&event.data, client)?;
                    let refusal = Refusal { status, data: Reasons::default() };
                    return Err(ClientError::Refused(Box::new(refusal)));
                }
                // Of a newer server.
                _ => {}
            }
        }
        Ok(false)
    }
}

/// What an event `log` says.
#[derive(Deserialize)]
struct Said {
    text: String,
}

fn parsed<T: DeserializeOwned>(data: &str, client: &Client) -> Result<T, ClientError> {
    serde_json::from_str(data).map_err(|_| ClientError::Foreign(client.url().to_owned()))
}
