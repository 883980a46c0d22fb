//! How something is going: a mark and a word. Marks differ in shape as well as in colour.

use domain::{
    run::{Outcome, Run, RunState, StepState},
    run_results::NodeStatus,
};

use super::icons;

/// A state, as pages show it.
pub(super) struct Mark {
    /// The stylesheet's word: `good`, `warn`, `bad`, `running` or `waiting`.
    pub(super) class: &'static str,
    pub(super) icon: &'static str,
    pub(super) word: String,
}

impl Mark {
    /// All is well.
    pub(super) fn good(word: &str) -> Self {
        Self { class: "good", icon: icons::GOOD, word: word.to_owned() }
    }

    /// Somebody should look.
    pub(super) fn warn(word: String) -> Self {
        Self { class: "warn", icon: icons::WARN, word }
    }

    /// Somebody has to do something.
    pub(super) fn bad(word: &str) -> Self {
        Self { class: "bad", icon: icons::BAD, word: word.to_owned() }
    }

    /// Under way.
    fn running(word: &str) -> Self {
        Self { class: "running", icon: icons::RUNNING, word: word.to_owned() }
    }

    /// Not begun.
    fn waiting(word: &str) -> Self {
        Self { class: "waiting", icon: icons::WAITING, word: word.to_owned() }
    }

    /// Nothing came of it.
    fn nothing(word: &str) -> Self {
        Self { class: "waiting", icon: icons::NOTHING, word: word.to_owned() }
    }

    /// Of a run that gave so many warnings.
    pub(super) fn of_run(run: &Run, warnings: u64) -> Self {
        match run.state {
            _ if run.cancel_requested && !run.state.is_finished() => Self::running("Cancelling"),
            RunState::Queued => Self::waiting("Queued"),
            RunState::Starting { .. } => Self::running("Starting"),
            RunState::Running { .. } => Self::running("Running"),
            RunState::Finished { outcome, .. } => Self::of_outcome(outcome, warnings),
        }
    }

    fn of_outcome(outcome: Outcome, warnings: u64) -> Self {
        match (outcome, warnings) {
            (Outcome::Success, 0) => Self::good("Success"),
            (Outcome::Success, 1) => Self::warn("1 warning".to_owned()),
            (Outcome::Success, _) => Self::warn(format!("{warnings} warnings")),
            (Outcome::Error, _) => Self::bad("Error"),
            (Outcome::Cancelled, _) => Self::nothing("Cancelled"),
        }
    }

    /// Of a step.
    pub(super) fn of_step(state: StepState) -> Self {
        match state {
            StepState::Queued => Self::waiting("Waiting"),
            StepState::Running { .. } => Self::running("Running"),
            StepState::Finished { outcome, .. } => Self::of_outcome(outcome, 0),
            StepState::Skipped => Self::nothing("Skipped"),
        }
    }

    /// Of a model or a test.
    pub(super) fn of_node(status: NodeStatus, failures: Option<u64>) -> Self {
        match status {
            NodeStatus::Success => Self::good("Success"),
            NodeStatus::Pass => Self::good("Pass"),
            NodeStatus::NoOp => Self::nothing("Nothing to do"),
            NodeStatus::Skipped => Self::nothing("Skipped"),
            NodeStatus::Warn => Self::warn(with_rows("Warn", failures)),
            NodeStatus::PartialSuccess => Self::bad("Partly"),
            NodeStatus::Fail => Self::bad(&with_rows("Fail", failures)),
            NodeStatus::Error | NodeStatus::RuntimeError => Self::bad("Error"),
        }
    }
}

fn with_rows(word: &str, failures: Option<u64>) -> String {
    match failures {
        Some(1) => format!("{word}, 1 row"),
        Some(rows) => format!("{word}, {rows} rows"),
        None => word.to_owned(),
    }
}
