//! When people are reminded that a service token ends.

use crate::Timestamp;

/// How many days before its end, the farthest first.
pub const DAYS: [u32; 3] = [30, 7, 1];
/// A day, in seconds.
const DAY: i64 = 24 * 60 * 60;

/// A reminder that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reminder {
    /// Of which end.
    pub expires_at: Timestamp,
    /// How many days before.
    pub days: u32,
}

/// How long before its end a token may be told of, in seconds.
#[must_use]
pub const fn farthest() -> i64 {
    DAY * DAYS[0] as i64
}

/// The reminder that is due: the nearest, however many were missed; `None` if there is none, or it
/// was sent.
///
/// A secret that was made when so little of its life was left needs no reminder of that.
#[must_use]
pub fn due(
    made_at: Timestamp,
    expires_at: Timestamp,
    now: Timestamp,
    sent: Option<Reminder>,
) -> Option<Reminder> {
    let begins = |days: u32| expires_at.plus_seconds(-DAY * i64::from(days));
    let has_come = |days: &u32| begins(*days) <= now && made_at < begins(*days);
    let days = DAYS.into_iter().rev().find(has_come).filter(|_| now < expires_at)?;
    let sent = sent.filter(|sent| sent.expires_at == expires_at);
    let due = sent.is_none_or(|sent| days < sent.days);
    due.then_some(Reminder { expires_at, days })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(day: i64) -> Timestamp {
        Timestamp::parse("2026-01-01").unwrap().plus_seconds(day * DAY)
    }

    /// What is sent of a token made on day 0 that ends on day 100, looked at on these days.
    fn sent_on(days: &[i64]) -> Vec<u32> {
        let mut sent = None;
        let mut told = Vec::new();
        for now in days {
            if let Some(due) = due(day(0), day(100), day(*now), sent) {
                told.push(due.days);
                sent = Some(due);
            }
        }
        told
    }

    #[test]
    fn each_is_sent_once_and_after_a_pause_the_nearest_alone() {
        assert_eq!(sent_on(&(0..200).collect::<Vec<_>>()), [30, 7, 1]);
        assert_eq!(sent_on(&[69, 70, 70, 71, 98, 99, 99]), [30, 7, 1]);
        assert_eq!(sent_on(&[69, 95, 96, 99]), [7, 1]);
        assert_eq!(sent_on(&[69, 99]), [1]);
        assert_eq!(sent_on(&[69, 100, 101]), Vec::<u32>::new(), "what is over needs none");
        // A clock that steps back sends nothing twice.
        assert_eq!(sent_on(&[70, 95, 70, 95]), [30, 7]);
    }

    #[test]
    fn an_end_that_is_moved_is_told_of_anew() {
        let sent = Some(Reminder { expires_at: day(100), days: 7 });
        assert_eq!(due(day(0), day(100), day(95), sent), None);
        let moved = due(day(0), day(101), day(95), sent).unwrap();
        assert_eq!(moved, Reminder { expires_at: day(101), days: 7 });
    }

    #[test]
    fn a_short_life_is_told_of_by_the_reminders_that_lie_in_it() {
        assert_eq!(due(day(0), day(20), day(0), None), None);
        assert_eq!(due(day(0), day(20), day(13), None).unwrap().days, 7);
        assert_eq!(due(day(0), day(1), day(0), None), None);
    }

    proptest! {
        #[test]
        fn however_it_is_looked_at_nothing_is_sent_twice(mut looks in prop::collection::vec(0i64..120, 1..50)) {
            looks.sort_unstable();
            let sent = sent_on(&looks);
            prop_assert!(sent.windows(2).all(|pair| pair[0] > pair[1]), "{:?}", sent);
        }
    }
}
