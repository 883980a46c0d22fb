//! A page: a template that is filled, or the way to another page.

use std::convert::Infallible;

use askama::Template;
use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
    response::{AppendHeaders, Html, IntoResponse, Redirect, Response},
};
use domain::{Timestamp, authz::ResourceKind};

use super::{assets::assets, door::Visitor, theme::Theme};
use crate::{
    endpoint::{Answer, Described},
    error::ApiError,
};

/// What a handler of the console answers with when all is well.
pub(crate) struct Page(Response);

impl Page {
    /// A filled template.
    pub(crate) fn of(template: &impl Template) -> Result<Self, ApiError> {
        let text = template.render().map_err(|_| ApiError::Internal)?;
        Ok(Self(Html(text).into_response()))
    }

    /// The same, for a form that cannot be done as it is: the error gives the status.
    pub(crate) fn refused(error: &ApiError, template: &impl Template) -> Result<Self, ApiError> {
        let Self(mut page) = Self::of(template)?;
        *page.status_mut() = error.status();
        if let ApiError::TooManyAttempts(seconds) = error {
            page.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
        }
        Ok(Self(page))
    }

    /// The way to another page of the console, by `GET`.
    pub(crate) fn to(path: &str) -> Self {
        Self(Redirect::to(path).into_response())
    }

    /// The same page with a header more.
    pub(crate) fn with(self, name: header::HeaderName, value: HeaderValue) -> Self {
        Self((AppendHeaders([(name, value)]), self.0).into_response())
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Answer for Page {
    fn describe(_: &mut Described) {}
}

/// What stands around every page of somebody who is in.
pub(crate) struct Shell<'a> {
    /// Who looks at it.
    pub(crate) visitor: &'a Visitor,
    /// The entry of the navigation that is here.
    pub(crate) here: &'static str,
    /// The same in the API, as a command.
    pub(crate) curl: String,
}

impl Shell<'_> {
    /// The theme that was chosen.
    pub(crate) fn theme(&self) -> Option<&'static str> {
        self.visitor.theme().map(Theme::key)
    }

    /// Whether the navigation shows runs.
    pub(crate) fn shows_runs(&self) -> bool {
        self.visitor.reads(ResourceKind::Runs)
    }

    /// Whether it shows the audit log.
    pub(crate) fn shows_audit_log(&self) -> bool {
        self.visitor.reads(ResourceKind::AuditLogs)
    }

    /// Whether it shows service tokens.
    pub(crate) fn shows_tokens(&self) -> bool {
        self.visitor.reads(ResourceKind::ServiceTokens)
    }

    /// Where the stylesheet is.
    #[expect(clippy::unused_self, reason = "templates ask it of the shell")]
    pub(crate) fn style(&self) -> String {
        assets().style.path()
    }

    /// Where the script is.
    #[expect(clippy::unused_self, reason = "templates ask it of the shell")]
    pub(crate) fn script(&self) -> String {
        assets().script.path()
    }

    /// Where the icon is.
    #[expect(clippy::unused_self, reason = "templates ask it of the shell")]
    pub(crate) fn icon(&self) -> String {
        assets().icon.path()
    }
}

/// What stands around every page of somebody who is not in yet.
pub(crate) struct Gate {
    theme: Option<Theme>,
}

impl<S: Sync> FromRequestParts<S> for Gate {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::dressed_as(parts))
    }
}

impl Gate {
    /// The gate as the browser's theme has it.
    pub(crate) fn dressed_as(parts: &Parts) -> Self {
        Self { theme: Theme::chosen(&parts.headers) }
    }

    /// The theme that was chosen.
    pub(crate) fn theme(&self) -> Option<&'static str> {
        self.theme.map(Theme::key)
    }

    /// Where the stylesheet is.
    #[expect(clippy::unused_self, reason = "templates ask it of the gate")]
    pub(crate) fn style(&self) -> String {
        assets().style.path()
    }

    /// Where the script is.
    #[expect(clippy::unused_self, reason = "templates ask it of the gate")]
    pub(crate) fn script(&self) -> String {
        assets().script.path()
    }

    /// Where the icon is.
    #[expect(clippy::unused_self, reason = "templates ask it of the gate")]
    pub(crate) fn icon(&self) -> String {
        assets().icon.path()
    }
}

/// A time, for a person: relative within 30 days, then a day; the exact one beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct When {
    /// `2 min ago`, `in 3 days`, `Mar 14, 2023`
    pub(crate) text: String,
    /// `2023-03-14T08:12:07Z`
    pub(crate) iso: String,
    /// `2023-03-14 08:12:07 UTC`
    pub(crate) exact: String,
}

impl When {
    /// A time as it looks at `now`.
    pub(crate) fn new(time: Timestamp, now: Timestamp) -> Self {
        let calendar = time.as_datetime();
        let seconds = now.seconds_since(time);
        let text = match relative(seconds.abs()) {
            _ if (0..60).contains(&seconds) => "just now".to_owned(),
            Some(text) if seconds > 0 => format!("{text} ago"),
            Some(text) => format!("in {text}"),
            None => calendar.format("%b %-d, %Y").to_string(),
        };
        let iso = calendar.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let exact = calendar.format("%Y-%m-%d %H:%M:%S UTC").to_string();
        Self { text, iso, exact }
    }
}

/// How long something took, for a person: `43 s`, `1 min 18 s`, `2 h 5 min`, `26 days`.
pub(crate) fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match (seconds / 60, seconds / 3_600, seconds / 86_400) {
        (0, ..) => format!("{seconds} s"),
        (minutes, 0, _) if seconds % 60 == 0 => format!("{minutes} min"),
        (minutes, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (minutes, hours, 0) if minutes % 60 == 0 => format!("{hours} h"),
        (minutes, hours, 0) => format!("{hours} h {} min", minutes % 60),
        (_, _, 1) => "1 day".to_owned(),
        (_, _, days) => format!("{days} days"),
    }
}

fn relative(seconds: i64) -> Option<String> {
    match (seconds / 60, seconds / 3_600, seconds / 86_400) {
        (minutes, 0, _) => Some(format!("{} min", minutes.max(1))),
        (_, hours, 0) => Some(format!("{hours} h")),
        (_, _, 1) => Some("1 day".to_owned()),
        (_, _, days) => (days < 30).then(|| format!("{days} days")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_by_its_two_largest_parts() {
        for (seconds, told) in [
            (-3, "0 s"),
            (43, "43 s"),
            (60, "1 min"),
            (78, "1 min 18 s"),
            (3_600, "1 h"),
            (7_500, "2 h 5 min"),
            (90_000, "1 day"),
            (26 * 86_400 + 5, "26 days"),
        ] {
            assert_eq!(span(seconds), told);
        }
    }

    #[test]
    fn a_time_is_told_relative_within_thirty_days_and_exact_beside_it() {
        let now = Timestamp::parse("2026-11-23T12:00:00Z").unwrap();
        let told = |ago: i64| When::new(now.plus_seconds(-ago), now).text;
        assert_eq!(told(30), "just now");
        assert_eq!(told(150), "2 min ago");
        assert_eq!(told(7_300), "2 h ago");
        assert_eq!(told(90_000), "1 day ago");
        assert_eq!(told(29 * 86_400), "29 days ago");
        assert_eq!(told(31 * 86_400), "Oct 23, 2026");
        assert_eq!(told(-14 * 86_400), "in 14 days");
        let made = When::new(Timestamp::parse("2023-03-14T08:12:07Z").unwrap(), now);
        assert_eq!(made.iso, "2023-03-14T08:12:07Z");
        assert_eq!(made.exact, "2023-03-14 08:12:07 UTC");
    }
}
