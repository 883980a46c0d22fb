//! A run's steps (document: `RunStepResponse`).

use domain::{
    AccountId, Timestamp,
    run::{Outcome, RunStep as Step, StepState},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::duration::{clock, humanized};

/// One step of a run.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[expect(missing_docs, reason = "field by field the document's RunStepResponse")]
pub struct RunStep {
    pub id: i64,
    pub run_id: i64,
    pub account_id: i64,
    /// Counted from 1; 1 to 3 set the run up.
    pub index: u32,
    /// 1 queued, 3 running, 10 success, 20 error, 30 cancelled, 40 skipped.
    pub status: u8,
    pub status_humanized: String,
    /// A colour in hex.
    pub status_color: String,
    /// Such as ``Invoke dbt with `dbt build` ``.
    pub name: String,
    /// What dbt wrote to its console; never empty for a step that succeeded.
    pub logs: String,
    /// dbt's own log, with what it says for debugging; of a step that has none, what `logs` has. Null
    /// unless asked for by `include_related`.
    pub debug_logs: Option<String>,
    /// Its last 1000 lines; null where `debug_logs` is there.
    pub truncated_debug_logs: Option<String>,
    pub log_path: Option<String>,
    pub debug_log_path: Option<String>,
    /// `HH:MM:SS`
    pub duration: String,
    pub duration_humanized: String,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub created_at: String,
    pub updated_at: String,
    /// The dbt command, for a step that runs one.
    pub run_step_command: Option<RunStepCommand>,
    /// Always null in this build.
    pub run_step_invocation: Option<RunStepInvocation>,
    /// How many nodes dbt is through with; null where it runs none. An addition.
    pub nodes_done: Option<u32>,
    /// How many there are. An addition.
    pub nodes_total: Option<u32>,
}

/// The dbt command of a step.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunStepCommand {
    /// The step.
    pub run_step_id: i64,
    /// Such as `dbt build`.
    pub dbt_command: String,
}

/// The invocation of a step.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunStepInvocation {
    /// The step.
    pub run_step_id: i64,
    /// Its run.
    pub run_id: i64,
}

/// dbt's own log of a step, if it has one.
#[derive(Debug, Clone, Copy)]
pub enum DebugLog<'a> {
    /// All that is kept of it, for `debug_logs`.
    Whole(Option<&'a str>),
    /// Its end, for `truncated_debug_logs`.
    End(Option<&'a str>),
}

/// How many lines `truncated_debug_logs` has at most.
const TRUNCATED_LINES: usize = 1000;

impl RunStep {
    /// A step with its console text and its debug log.
    #[must_use]
    pub fn new(
        step: &Step,
        account: AccountId,
        text: &str,
        debug: DebugLog<'_>,
        now: Timestamp,
    ) -> Self {
        let (whole, end) = match debug {
            DebugLog::Whole(log) => (Some(log.unwrap_or(text).to_owned()), None),
            DebugLog::End(log) => (None, Some(last_lines(log.unwrap_or(text)).to_owned())),
        };
        Self {
            logs: told(step, text),
            debug_logs: whole,
            truncated_debug_logs: end,
            ..Self::without_logs(step, account, now)
        }
    }

    /// A step whose logs are not told.
    #[must_use]
    pub fn without_logs(step: &Step, account: AccountId, now: Timestamp) -> Self {
        let (status, word) = step.state.status();
        let (started, finished) = times(step.state);
        let seconds = started.map_or(0, |started| finished.unwrap_or(now).seconds_since(started));
        Self {
            id: step.id.get(),
            run_id: step.run.get(),
            account_id: account.get(),
            index: step.index,
            status,
            status_humanized: word.to_owned(),
            status_color: color(step.state).to_owned(),
            name: step.name.clone(),
            logs: String::new(),
            debug_logs: None,
            truncated_debug_logs: None,
            log_path: None,
            debug_log_path: None,
            duration: clock(seconds),
            duration_humanized: humanized(seconds),
            started_at: started.map(|time| time.to_string()),
            finished_at: finished.map(|time| time.to_string()),
            created_at: step.created_at.to_string(),
            updated_at: finished.or(started).unwrap_or(step.created_at).to_string(),
            run_step_command: step.command().map(|command| RunStepCommand {
                run_step_id: step.id.get(),
                dbt_command: command.to_owned(),
            }),
            run_step_invocation: None,
            nodes_done: step.progress.map(|progress| progress.done),
            nodes_total: step.progress.map(|progress| progress.total),
        }
    }
}

fn times(state: StepState) -> (Option<Timestamp>, Option<Timestamp>) {
    match state {
        StepState::Queued | StepState::Skipped => (None, None),
        StepState::Running { started_at } => (Some(started_at), None),
        StepState::Finished { started_at, finished_at, .. } => {
            (Some(started_at), Some(finished_at))
        }
    }
}

const fn color(state: StepState) -> &'static str {
    match state {
        StepState::Queued | StepState::Skipped => "#8A94A6",
        StepState::Running { .. } => "#0070F3",
        StepState::Finished { outcome, .. } => match outcome {
            Outcome::Success => "#00A64B",
            Outcome::Error => "#D0021B",
            Outcome::Cancelled => "#F5A623",
        },
    }
}

/// dagster asks again and again for the log of a step that succeeded and has none.
fn told(step: &Step, text: &str) -> String {
    let succeeded = matches!(step.state, StepState::Finished { outcome: Outcome::Success, .. });
    if succeeded && text.trim().is_empty() {
        format!("{}: done, without output\n", step.name)
    } else {
        text.to_owned()
    }
}

fn last_lines(text: &str) -> &str {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let start = body.rmatch_indices('\n').nth(TRUNCATED_LINES - 1).map_or(0, |(at, _)| at + 1);
    text.get(start..).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use domain::{RunId, StepId, run::Progress};

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn step(state: StepState) -> Step {
        Step {
            id: StepId::new(9).unwrap(),
            run: RunId::new(5).unwrap(),
            index: 4,
            name: "Invoke dbt with `dbt build -s a`".to_owned(),
            state,
            progress: Some(Progress { done: 3, total: 4 }),
            created_at: at("2026-11-23T12:00:00Z"),
        }
    }

    fn success() -> StepState {
        StepState::Finished {
            outcome: Outcome::Success,
            started_at: at("2026-11-23T12:00:10Z"),
            finished_at: at("2026-11-23T12:01:12Z"),
        }
    }

    fn wire(state: StepState, text: &str, debug: DebugLog<'_>) -> RunStep {
        let account = AccountId::new(1).unwrap();
        RunStep::new(&step(state), account, text, debug, at("2026-11-23T13:00:00Z"))
    }

    #[test]
    fn a_step_has_every_key_of_the_document() {
        let step = wire(success(), "Completed successfully\n", DebugLog::End(None));
        insta::assert_snapshot!(serde_json::to_string_pretty(&step).unwrap());
    }

    #[test]
    fn a_step_that_succeeded_has_a_log() {
        assert!(!wire(success(), "", DebugLog::End(None)).logs.is_empty());
        assert_eq!(wire(StepState::Queued, "", DebugLog::End(None)).logs, "");
    }

    #[test]
    fn debug_logs_come_whole_where_they_are_asked_for() {
        let text: String = (0..1500).flat_map(|line| [line.to_string(), "\n".to_owned()]).collect();
        let console = "Done.\n";
        let short = wire(success(), console, DebugLog::End(Some(&text)));
        assert_eq!(short.debug_logs, None);
        let last = short.truncated_debug_logs.unwrap();
        assert_eq!(last.lines().count(), 1000);
        assert!(last.starts_with("500\n") && last.ends_with("1499\n"));
        assert_eq!(short.logs, console);
        let whole = wire(success(), console, DebugLog::Whole(Some(&text)));
        assert_eq!((whole.debug_logs.as_ref(), whole.truncated_debug_logs), (Some(&text), None));
        let none = wire(success(), console, DebugLog::Whole(None));
        assert_eq!(none.debug_logs.as_deref(), Some(console));
    }

    #[test]
    fn a_step_under_way_counts_until_now() {
        let running = StepState::Running { started_at: at("2026-11-23T12:00:00Z") };
        assert_eq!(wire(running, "", DebugLog::End(None)).duration, "01:00:00");
        assert_eq!(wire(StepState::Skipped, "", DebugLog::End(None)).duration, "00:00:00");
    }
}
