//! When a step's models were built: a bar each, laid out here, in a table that says the same.

use domain::{
    Timestamp,
    run_results::{InvalidResults, NodeResult, NodeStatus},
};

use super::marks::Mark;

/// The most bars of a page.
const MOST: usize = 200;
/// How wide a track is, in its own units.
const WIDTH: i64 = 1_000;
/// How long a quarter of the axis can be, in milliseconds.
const QUARTERS: [i64; 20] = [
    100, 250, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
    900_000, 1_800_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000,
];

/// What came of a step's nodes.
pub(super) struct Timeline {
    /// Models, seeds, snapshots, …, and the tests that found something, in the order in which they
    /// began; what was not begun last.
    pub(super) bars: Vec<Bar>,
    /// How many are left out because there are too many.
    pub(super) more: usize,
    /// What stands at the four quarters of the axis.
    pub(super) axis: [String; 4],
    /// How many nodes there were, and how many of them failed.
    pub(super) nodes: usize,
    pub(super) wrong: usize,
    /// How many tests there were, and how many found nothing.
    pub(super) tests: usize,
    pub(super) passed: usize,
}

/// One node.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) kind: String,
    /// Where the bar begins and how wide it is, of a track of 1,000; `None` of what was not begun.
    pub(super) place: Option<(i64, i64)>,
    /// How it is filled.
    pub(super) fill: &'static str,
    pub(super) took: String,
    pub(super) mark: Mark,
    /// What dbt said of it, where it did not go well.
    pub(super) message: String,
}

impl Timeline {
    /// Of dbt's `run_results.json`.
    ///
    /// # Errors
    /// [`InvalidResults`].
    pub(super) fn read(bytes: &[u8]) -> Result<Self, InvalidResults> {
        let nodes = NodeResult::parse_all(bytes)?;
        let tests = nodes.iter().filter(|node| is_test(node)).count();
        let mut shown: Vec<_> = nodes.iter().filter(|node| is_shown(node)).collect();
        let passed = tests - shown.iter().filter(|node| is_test(node)).count();
        shown.sort_by_key(|node| (node.times.is_none(), node.times, &node.unique_id));
        let begun = shown.iter().filter_map(|node| node.times);
        let start = begun.clone().map(|(from, _)| from).min();
        let end = begun.map(|(_, to)| to).max();
        let whole = start.zip(end).map_or(0, |(from, to)| millis_between(from, to));
        let quarter = quarter_of(whole);
        let bar = |node: &&NodeResult| Bar::new(node, start, quarter * 4);
        Ok(Self {
            bars: shown.iter().take(MOST).map(bar).collect(),
            more: shown.len().saturating_sub(MOST),
            axis: [0, 1, 2, 3].map(|nth| seconds(nth * quarter)),
            nodes: nodes.len(),
            wrong: nodes.iter().filter(|node| node.status.is_bad()).count(),
            tests,
            passed,
        })
    }
}

impl Bar {
    fn new(node: &NodeResult, start: Option<Timestamp>, axis: i64) -> Self {
        let place = start.zip(node.times).map(|(start, (from, to))| {
            let at = |time| millis_between(start, time) * WIDTH / axis.max(1);
            let from = at(from).min(WIDTH - 3);
            (from, (at(to) - from).max(3))
        });
        let good = matches!(node.status, NodeStatus::Success | NodeStatus::Pass | NodeStatus::NoOp);
        Self {
            name: node.name().to_owned(),
            kind: node.kind().replace('_', " "),
            place,
            fill: match node.status {
                status if status.is_bad() => "fill-bad",
                NodeStatus::Warn => "fill-warn",
                _ => "fill-good",
            },
            took: match node.times {
                Some(_) => seconds(i64::try_from(node.millis()).unwrap_or(i64::MAX)),
                None => "–".to_owned(),
            },
            mark: Mark::of_node(node.status, node.failures),
            message: if good { String::new() } else { node.message.clone().unwrap_or_default() },
        }
    }
}

fn is_test(node: &NodeResult) -> bool {
    matches!(node.kind(), "test" | "unit_test")
}

/// Whether it is built, or found something.
fn is_shown(node: &NodeResult) -> bool {
    match node.status {
        NodeStatus::Pass | NodeStatus::NoOp => false,
        _ => !is_test(node) || node.status != NodeStatus::Success,
    }
}

fn millis_between(from: Timestamp, to: Timestamp) -> i64 {
    (to.micros() - from.micros()) / 1_000
}

/// The shortest quarter of an axis that holds so many milliseconds.
fn quarter_of(whole: i64) -> i64 {
    let fits = |quarter: &i64| quarter * 4 >= whole;
    QUARTERS.into_iter().find(fits).unwrap_or(whole / 4 + 1)
}

/// `0 s`, `0.25 s`, `1.2 s`, `15 s`, `2 min`
fn seconds(millis: i64) -> String {
    match millis {
        0 => "0 s".to_owned(),
        _ if millis % 60_000 == 0 => super::page::span(millis / 1_000),
        1..1_000 if millis < 100 || millis % 100 != 0 => format!("0.{:02} s", millis / 10),
        1..60_000 if millis % 1_000 != 0 => {
            format!("{}.{} s", millis / 1_000, millis % 1_000 / 100)
        }
        _ => super::page::span(millis / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: &[u8] = include_bytes!("../../../domain/tests/run_results.json");

    #[test]
    fn bars_stand_in_the_order_of_their_beginning_within_the_axis() {
        let read = Timeline::read(REAL).unwrap();
        assert_eq!((read.tests, read.passed, read.more), (21, 17, 0));
        assert_eq!((read.nodes, read.wrong), (38, 1));
        assert_eq!(read.bars.len(), 14 + 4);
        assert_eq!(read.axis, ["0 s", "1 s", "2 s", "3 s"]);
        let places: Vec<_> = read.bars.iter().filter_map(|bar| bar.place).collect();
        assert!(places.is_sorted_by_key(|(from, _)| *from), "{places:?}");
        assert!(places.iter().all(|(from, width)| *from >= 0 && from + width <= WIDTH));
        let failed = read.bars.iter().find(|bar| bar.fill == "fill-bad").unwrap();
        assert_eq!(failed.mark.word, "Fail, 1 row");
        assert_eq!(failed.message, "Got 1 result, configured to fail if != 0");
    }

    #[test]
    fn a_time_is_told_with_one_digit_more_where_it_is_short() {
        for (millis, told) in [
            (0, "0 s"),
            (62, "0.06 s"),
            (250, "0.25 s"),
            (500, "0.5 s"),
            (1_240, "1.2 s"),
            (15_000, "15 s"),
            (60_000, "1 min"),
            (75_900, "1 min 15 s"),
        ] {
            assert_eq!(seconds(millis), told);
        }
    }

    #[test]
    fn the_axis_holds_whatever_there_is() {
        for whole in [0, 1, 399, 3_830, 60_000, 172_800_000, 10_i64.pow(12)] {
            assert!(quarter_of(whole) * 4 >= whole && quarter_of(whole) > 0, "{whole}");
        }
    }
}
