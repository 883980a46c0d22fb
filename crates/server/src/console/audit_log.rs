//! The audit log: narrowed, page by page; the state of its chain; its table as a file.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use domain::{
    Timestamp,
    audit::{AuditRecord, AuditSpan},
    authz::{AuditLogs, Permit, PrincipalId, Read, SystemTask},
    list::{Filter, ListQuery, Order, Test},
};
use serde_json::{Map, Value};
use store::{AuditError, Named, Names};

use super::{
    chains::Checked,
    door::Visitor,
    form::{Asked, Fields},
    icons,
    page::{Page, Shell, When},
    paging::{Choice, Pages, address},
    run_view::called,
    token_view::curl,
};
use crate::{answer::Download, app::App, audit_table, error::ApiError};

/// Records on a page.
const ROWS: usize = 50;
/// Where the page is.
const HERE: &str = "/console/audit-log";
/// How far back is looked: what the address says, words, seconds.
const SPANS: [(&str, &str, Option<i64>); 4] = [
    ("", "Last 7 days", Some(7 * 86_400)),
    ("1", "Last 24 hours", Some(86_400)),
    ("90", "Last 90 days", Some(90 * 86_400)),
    ("all", "Everything", None),
];
/// How much of a value is told, in characters.
const MOST_TOLD: usize = 200;

#[derive(Template)]
#[template(path = "audit_log.html")]
struct List<'a> {
    shell: Shell<'a>,
    wanted: &'a Wanted,
    spans: Vec<Choice>,
    chain: Option<Chain>,
    records: Vec<RecordView>,
    pages: Pages,
    download: String,
    reload: String,
}

/// What the latest check of the chain found.
struct Chain {
    at: When,
    /// How many records are whole.
    whole: Option<i64>,
    /// What is wrong.
    broken: String,
}

/// A record, in words.
struct RecordView {
    seq: i64,
    time: String,
    iso: String,
    who: String,
    actor: String,
    event: String,
    on: String,
    object: String,
    link: Option<String>,
    from: String,
    agent: String,
    changes: Vec<Change>,
}

/// A field that changed: what it was and what it is; empty where it was not there.
struct Change {
    field: String,
    before: String,
    after: String,
}

/// What of the log is wanted.
struct Wanted {
    who: String,
    event: String,
    on: String,
    span: &'static str,
    page: usize,
}

impl Wanted {
    fn read(asked: &Fields) -> Self {
        let text = |name| asked.first(name).trim().to_owned();
        let span = SPANS.iter().find(|(key, ..)| *key == asked.first("since"));
        Self {
            who: text("who"),
            event: text("event"),
            on: text("on"),
            span: span.map_or("", |(key, ..)| key),
            page: asked.first("page").parse().unwrap_or(1).clamp(1, 1_000_000),
        }
    }

    fn is_narrow(&self) -> bool {
        [&self.who, &self.event, &self.on].iter().any(|text| !text.is_empty())
    }

    fn since(&self, now: Timestamp) -> AuditSpan {
        let span = SPANS.iter().find(|(key, ..)| *key == self.span);
        let seconds = span.and_then(|(.., seconds)| *seconds);
        let from = seconds.map(|seconds| now.plus_seconds(-seconds));
        AuditSpan { from, ..AuditSpan::default() }
    }

    fn link(&self, page: usize) -> String {
        let page = if page > 1 { page.to_string() } else { String::new() };
        let asked = [
            ("who", &*self.who),
            ("event", &self.event),
            ("on", &self.on),
            ("since", self.span),
            ("page", &page),
        ];
        address(HERE, &asked)
    }

    /// The query, with whoever is meant by `who`.
    fn query(&self, actors: Option<Vec<String>>) -> ListQuery {
        let filter = |field: &str, test| Filter { field: field.to_owned(), test };
        let contains = |field, text: &str| {
            (!text.is_empty()).then(|| filter(field, Test::Contains(text.to_owned())))
        };
        let filters = [
            actors.map(|actors| filter("actor", Test::In(actors))),
            contains("event_type", &self.event),
            contains("object", &self.on),
        ];
        ListQuery {
            limit: u16::try_from(ROWS).unwrap_or(u16::MAX),
            offset: u32::try_from((self.page - 1) * ROWS).unwrap_or(u32::MAX),
            order: Some(Order { field: "id".to_owned(), descending: true }),
            state: None,
            filters: filters.into_iter().flatten().collect(),
        }
    }
}

/// `GET /console/audit-log`
pub(super) async fn list(
    permit: Permit<Read, AuditLogs>,
    State(app): State<App>,
    visitor: Visitor,
    Asked(asked): Asked,
) -> Result<Page, ApiError> {
    let wanted = Wanted::read(&asked);
    let now = app.store.clock().now();
    let actors = actors(&app, &permit, &wanted.who).await?;
    let span = wanted.since(now);
    let path = api_path(&permit, &wanted, actors.as_deref(), span);
    let found = app.store.audit_log(&permit, span, &wanted.query(actors)).await?;
    let names = app.store.names(&permit, &named_in(&found.rows)).await?;
    let total = usize::try_from(found.total).unwrap_or(usize::MAX);
    let download = address("/console/audit-log/download", &[("since", wanted.span)]);
    let spans = SPANS.map(|(key, label, _)| Choice::new(key, label, wanted.span));
    Page::of(&List {
        shell: Shell { visitor: &visitor, here: "audit-log", curl: curl(&app, &path) },
        spans: spans.into(),
        chain: app.console.chains.of(permit.account()).map(|checked| Chain::new(checked, now)),
        records: found.rows.iter().map(|record| RecordView::new(record, &names)).collect(),
        pages: Pages::new(wanted.page, ROWS, total, |page| wanted.link(page)),
        download,
        reload: wanted.link(1),
        wanted: &wanted,
    })
}

/// `POST /console/audit-log/check`: walks the whole chain.
pub(super) async fn check(
    permit: Permit<Read, AuditLogs>,
    State(app): State<App>,
) -> Result<Page, ApiError> {
    let found = match app.store.verify_audit(&permit).await {
        Ok(records) => Ok(records),
        Err(AuditError::Broken(broken)) => {
            tracing::error!(account = %permit.account(), %broken, "the audit chain is broken");
            Err(broken)
        }
        Err(AuditError::Store(error)) => return Err(error.into()),
    };
    let at = app.store.clock().now();
    app.console.chains.note(permit.account(), Checked { at, found });
    Ok(Page::to(HERE))
}

/// `GET /console/audit-log/download?since=`: the table as CSV.
pub(super) async fn download(
    permit: Permit<Read, AuditLogs>,
    State(app): State<App>,
    Asked(asked): Asked,
) -> Result<Download, ApiError> {
    let span = Wanted::read(&asked).since(app.store.clock().now());
    Ok(audit_table::download(app, permit, span))
}

/// Who is meant, as records name them: an id such as `user:3`, or whoever has the text in their name.
/// `None` is everybody.
async fn actors(
    app: &App,
    permit: &Permit<Read, AuditLogs>,
    who: &str,
) -> Result<Option<Vec<String>>, ApiError> {
    if who.is_empty() {
        return Ok(None);
    }
    if let Ok(principal) = who.parse::<PrincipalId>() {
        return Ok(Some(vec![principal.to_string()]));
    }
    let named = app.store.principals_named(permit, who).await?;
    let tasks = SystemTask::ALL.into_iter().filter(|task| task.key().contains(who));
    let all = named.into_iter().chain(tasks.map(PrincipalId::System));
    Ok(Some(all.map(|principal| principal.to_string()).collect()))
}

/// The same list in the API.
fn api_path(
    permit: &Permit<Read, AuditLogs>,
    wanted: &Wanted,
    actors: Option<&[String]>,
    span: AuditSpan,
) -> String {
    let from = span.from.map(|from| from.as_datetime().format("%Y-%m-%dT%H:%M:%SZ").to_string());
    let actors = actors.map(|actors| {
        let quoted: Vec<_> = actors.iter().map(|actor| format!("\"{actor}\"")).collect();
        format!("[{}]", quoted.join(","))
    });
    let asked = [
        ("actor__in", actors.as_deref().unwrap_or_default()),
        ("event_type__icontains", &wanted.event),
        ("object__icontains", &wanted.on),
        ("logged_at_start", from.as_deref().unwrap_or_default()),
        ("limit", "50"),
    ];
    address(&format!("/api/v3/accounts/{}/audit-logs/", permit.account()), &asked)
}

/// What records name, as far as it has names.
fn named_in(records: &[AuditRecord]) -> BTreeSet<Named> {
    let of = |record: &AuditRecord| {
        let actor = record.actor.parse().ok().and_then(|id: PrincipalId| Named::try_from(id).ok());
        actor.into_iter().chain(named(&record.object))
    };
    records.iter().flat_map(of).collect()
}

/// What an object's text names: `job:7`.
fn named(object: &str) -> Option<Named> {
    let (kind, id) = object.split_once(':')?;
    match kind {
        "project" => id.parse().ok().map(Named::Project),
        "environment" => id.parse().ok().map(Named::Environment),
        "job" => id.parse().ok().map(Named::Job),
        "user" => id.parse().ok().map(Named::User),
        "service_token" => id.parse().ok().map(Named::ServiceToken),
        _ => None,
    }
}

/// The page of an object, if there is one.
fn page_of(object: &str) -> Option<String> {
    let (kind, id) = object.split_once(':')?;
    let id: u64 = id.parse().ok()?;
    match kind {
        "service_token" => Some(format!("/console/service-tokens/{id}")),
        "run" => Some(format!("/console/runs/{id}")),
        "project" => Some(format!("/console/dashboard?project={id}")),
        "job" => Some(format!("/console/runs?job={id}")),
        _ => None,
    }
}

impl Chain {
    fn new(checked: Checked, now: Timestamp) -> Self {
        let (whole, broken) = match checked.found {
            Ok(records) => (Some(records), String::new()),
            Err(broken) => (None, broken.to_string()),
        };
        Self { at: When::new(checked.at, now), whole, broken }
    }
}

impl RecordView {
    fn new(record: &AuditRecord, names: &Names) -> Self {
        let calendar = record.at.as_datetime();
        let actor = record.actor.parse().ok().and_then(|id: PrincipalId| Named::try_from(id).ok());
        let link = page_of(&record.object).filter(|_| {
            // It is gone by what the record tells.
            !record.event.ends_with(".deleted") && !record.event.ends_with(".revoked")
        });
        Self {
            seq: record.seq,
            time: calendar.format("%Y-%m-%d %H:%M:%S").to_string(),
            iso: calendar.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            who: actor.map_or_else(|| record.actor.clone(), |actor| called(names, actor)),
            actor: record.actor.clone(),
            event: record.event.clone(),
            on: named(&record.object)
                .and_then(|named| names.get(&named).cloned())
                .unwrap_or_else(|| record.object.clone()),
            object: record.object.clone(),
            link,
            from: record.address.clone().unwrap_or_else(|| "this server".to_owned()),
            agent: record.agent.clone(),
            changes: changes(&record.change),
        }
    }
}

/// Which fields a record says have changed, in the order of their names.
fn changes(change: &Value) -> Vec<Change> {
    let none = Map::new();
    let part = |name| change.get(name).and_then(Value::as_object).unwrap_or(&none);
    let said = |value: Option<&Value>| value.filter(|value| !value.is_null()).cloned();
    let (before, after) = (part("before"), part("after"));
    let fields: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let differs = |field: &&&String| said(before.get(**field)) != said(after.get(**field));
    let change = |field: &String| Change {
        field: field.replace('_', " "),
        before: told(before.get(field)),
        after: told(after.get(field)),
    };
    fields.iter().filter(differs).map(|field| change(field)).collect()
}

/// A value, as people read it; empty where there is none.
fn told(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => return String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => without_nulls(other).to_string(),
    };
    let mut letters = text.chars();
    let start: String = letters.by_ref().take(MOST_TOLD).collect();
    if letters.next().is_some() { format!("{start}…") } else { start }
}

/// A value without what it says is not there.
fn without_nulls(value: &Value) -> Value {
    let Value::Object(fields) = value else { return value.clone() };
    let there = fields.iter().filter(|(_, value)| !value.is_null());
    Value::Object(there.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
}

#[cfg(test)]
mod tests {
    use domain::{AccountId, audit::BrokenChain};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_chain_that_was_tampered_with_is_told_by_the_record_that_was() {
        let at = Timestamp::parse("2026-11-23T12:00:00Z").unwrap();
        let broken = BrokenChain::Changed { account: AccountId::new(1).unwrap(), seq: 7 };
        let told = Chain::new(Checked { at, found: Err(broken) }, at);
        assert_eq!((told.whole, told.broken.contains('7')), (None, true), "{}", told.broken);
        assert_eq!(Chain::new(Checked { at, found: Ok(9) }, at).whole, Some(9));
    }

    #[test]
    fn only_what_differs_is_told_and_not_at_any_length() {
        let change = json!({
            "before": { "name": "a", "same": 1, "gone": true },
            "after": { "name": "b", "same": 1, "long": "x".repeat(300), "none": null },
        });
        let nested = json!({ "after": { "trigger": { "cause": "c", "branch": null } } });
        let one = changes(&nested).remove(0);
        assert_eq!(one.after, "{\"cause\":\"c\"}");
        let told = changes(&change);
        let told: Vec<_> = told
            .iter()
            .map(|one| (one.field.as_str(), one.before.as_str(), one.after.chars().count()))
            .collect();
        assert_eq!(told, [("gone", "true", 0), ("long", "", 201), ("name", "a", 1)]);
        assert!(changes(&json!({ "before": null, "after": null })).is_empty());
        assert!(changes(&json!("odd")).is_empty());
    }
}
