//! How far a run is: a bar where standard error is a terminal, lines there elsewhere. Standard output
//! is for the log alone.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Deserialize;

use crate::output;

/// How many nodes dbt is through with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct At {
    nodes_done: u64,
    nodes_total: u64,
}

/// The bar below the log.
pub(super) struct Bar {
    /// Shown from the first number on.
    bar: Option<ProgressBar>,
    /// When the run ends if it takes as long as is usual.
    ends: Option<Instant>,
}

impl At {
    /// Of what a run or a step tells; none where nothing is counted.
    pub(super) fn of(done: Option<u64>, total: Option<u64>) -> Option<Self> {
        let (nodes_done, nodes_total) = (done?, total?);
        (nodes_total > 0).then_some(Self { nodes_done, nodes_total })
    }

    /// `12 of 38 nodes, about 40 seconds left`
    pub(super) fn told(self, left: Option<u64>) -> String {
        format!("{} of {} nodes{}", self.nodes_done, self.nodes_total, time(left))
    }
}

impl Bar {
    pub(super) const fn new() -> Self {
        Self { bar: None, ends: None }
    }

    /// How many seconds the run will still take, if that is known.
    pub(super) fn expect(&mut self, seconds: Option<u64>) {
        self.ends = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    }

    /// The run is there now.
    pub(super) fn set(&mut self, at: At) {
        let left = self.left();
        let bar = self.bar.get_or_insert_with(drawn);
        if bar.is_hidden() {
            output::aside(at.told(left));
        }
        bar.set_length(at.nodes_total);
        bar.set_message(time(left));
        bar.set_position(at.nodes_done);
        bar.tick();
    }

    /// Writes text above the bar.
    pub(super) fn above(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| output::text(text)),
            None => output::text(text),
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn left(&self) -> Option<u64> {
        Some(self.ends?.saturating_duration_since(Instant::now()).as_secs())
    }
}

fn drawn() -> ProgressBar {
    let style = ProgressStyle::with_template("[{bar:30}] {pos} of {len} nodes{msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("#--");
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style)
}

/// `, about 40 seconds left`; nothing if that is not known, or over.
fn time(left: Option<u64>) -> String {
    match left {
        None | Some(0) => String::new(),
        Some(1) => ", about a second left".to_owned(),
        Some(seconds @ 2..120) => format!(", about {seconds} seconds left"),
        Some(seconds) => format!(", about {} minutes left", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_a_run_is_is_told_with_the_time_that_is_left() {
        let at = |done, total| At::of(Some(done), Some(total)).unwrap();
        assert_eq!(at(19, 38).told(Some(40)), "19 of 38 nodes, about 40 seconds left");
        assert_eq!(at(37, 38).told(Some(1)), "37 of 38 nodes, about a second left");
        assert_eq!(at(1, 2).told(Some(121)), "1 of 2 nodes, about 3 minutes left");
        assert_eq!(at(0, 38).told(None), "0 of 38 nodes");
        assert_eq!(at(38, 38).told(Some(0)), "38 of 38 nodes");
        assert_eq!(At::of(Some(0), Some(0)), None);
        assert_eq!(At::of(None, Some(3)), None);
    }
}
