//! Lengths of time, as runs and steps tell them.

/// `HH:MM:SS`, as clients read it; a length below zero (a clock that was set
/// back) is zero.
pub(super) fn clock(seconds: i64) -> String {
    let seconds = seconds.max(0);
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The two largest units that are not zero: `1 minute, 2 seconds`.
pub(super) fn humanized(seconds: i64) -> String {
    const UNITS: [(i64, &str); 5] =
        [(604_800, "week"), (86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let mut rest = seconds.max(0);
    let mut parts = Vec::new();
    for (length, unit) in UNITS {
        let count = rest / length;
        rest %= length;
        if count > 0 {
            parts.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
        }
    }
    if parts.is_empty() {
        return "0 seconds".to_owned();
    }
    parts.truncate(2);
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_told_in_hours_minutes_and_seconds() {
        assert_eq!(clock(0), "00:00:00");
        assert_eq!(clock(62), "00:01:02");
        assert_eq!(clock(100 * 3600 + 59), "100:00:59");
        assert_eq!(clock(-5), "00:00:00");
    }

    #[test]
    fn a_person_reads_the_two_largest_units() {
        assert_eq!(humanized(0), "0 seconds");
        assert_eq!(humanized(1), "1 second");
        assert_eq!(humanized(62), "1 minute, 2 seconds");
        assert_eq!(humanized(3600 + 5), "1 hour, 5 seconds");
        assert_eq!(humanized(2 * 604_800 + 86_400 + 60), "2 weeks, 1 day");
    }
}
