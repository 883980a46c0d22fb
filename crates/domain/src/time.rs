//! Points in time.

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// A point in time: UTC, cut to microseconds, so that every database gives back what it was given.
///
/// From year 0 to 9999, so that times sort as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(DateTime<Utc>);

/// The text is not a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a time such as `2026-11-23T17:03:00+00:00`")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// 0000-01-01T00:00:00Z
    const FIRST_MICROS: i64 = -62_167_219_200_000_000;
    /// 9999-12-31T23:59:59.999999Z
    const LAST_MICROS: i64 = 253_402_300_799_999_999;

    /// Reads ISO 8601 with an offset, or `YYYY-MM-DD HH:MM:SS[.ffffff][+00:00]`, or a bare date;
    /// without an offset it is UTC.
    ///
    /// # Errors
    /// [`InvalidTimestamp`] if it is none of these, or outside of years 0 to 9999.
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        let text = text.trim();
        DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%:z"))
            .map(|time| time.with_timezone(&Utc))
            .or_else(|_| {
                NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f")
                    .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f"))
                    .or_else(|_| {
                        NaiveDateTime::parse_from_str(
                            &format!("{text} 00:00:00"),
                            "%Y-%m-%d %H:%M:%S",
                        )
                    })
                    .map(|time| time.and_utc())
            })
            .map_err(|_| InvalidTimestamp)
            .and_then(|time| Self::from_micros(time.timestamp_micros()).ok_or(InvalidTimestamp))
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// The inverse of [`Timestamp::micros`]; `None` outside of years 0 to 9999.
    #[must_use]
    pub fn from_micros(micros: i64) -> Option<Self> {
        let inside = (Self::FIRST_MICROS..=Self::LAST_MICROS).contains(&micros);
        inside.then(|| Self::at_nearest(micros))
    }

    /// The nearest to it that there is.
    fn at_nearest(micros: i64) -> Self {
        let micros = micros.clamp(Self::FIRST_MICROS, Self::LAST_MICROS);
        Self(DateTime::from_timestamp_micros(micros).expect("years 0 to 9999 are on the calendar"))
    }

    /// This time and `seconds` more; saturates at the ends of years 0 and 9999.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self::at_nearest(self.micros().saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// Whole seconds from `earlier` to this time; negative if it lies before.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> i64 {
        (self.0 - earlier.0).num_seconds()
    }

    /// The calendar's view of it.
    #[must_use]
    pub const fn as_datetime(self) -> DateTime<Utc> {
        self.0
    }
}

impl From<DateTime<Utc>> for Timestamp {
    /// A leap second is the second after it: databases count none.
    fn from(time: DateTime<Utc>) -> Self {
        Self::at_nearest(time.timestamp_micros())
    }
}

impl std::fmt::Display for Timestamp {
    /// `2026-11-23T17:03:00.123456+00:00`: always six digits, so that times sort as text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, false))
    }
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTimestamp;
    fn try_from(text: String) -> Result<Self, InvalidTimestamp> {
        Self::parse(&text)
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}
