//! Where in a long list, and what it can be narrowed by.

/// An option of a filter.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) chosen: bool,
}

impl Choice {
    /// An option; `chosen` is the value that is.
    #[expect(clippy::needless_pass_by_value, reason = "callers pass what they have at hand")]
    pub(super) fn new(value: impl ToString, label: impl Into<String>, chosen: &str) -> Self {
        let value = value.to_string();
        Self { chosen: value == chosen, label: label.into(), value }
    }
}

/// Where in a long list.
pub(super) struct Pages {
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) found: usize,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

impl Pages {
    /// Of a list of so many, of which a page has `rows`; `link` gives a page's address. A page behind
    /// the last is the last.
    pub(super) fn new(
        page: usize,
        rows: usize,
        found: usize,
        link: impl Fn(usize) -> String,
    ) -> Self {
        let last_page = found.div_ceil(rows).max(1);
        let page = page.min(last_page);
        Self {
            first: ((page - 1) * rows + 1).min(found),
            last: (page * rows).min(found),
            found,
            before: (page > 1).then(|| link(page - 1)),
            after: (page < last_page).then(|| link(page + 1)),
        }
    }
}

/// An address with what is not empty of these behind its `?`.
pub(super) fn address(path: &str, asked: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (key, value) in asked.iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(key, value);
    }
    match query.finish() {
        none if none.is_empty() => path.to_owned(),
        some => format!("{path}?{some}"),
    }
}
