//! The only place that prints.

use std::io::Write as _;

use comfy_table::{ContentArrangement, Table, presets::UTF8_BORDERS_ONLY};
use serde::Serialize;

use crate::error::CliError;

/// A line on standard output, there at once also where that is a pipe.
pub(crate) fn line(text: impl std::fmt::Display) {
    print(format_args!("{text}\n"));
}

/// Text as it is, without a newline of ours.
pub(crate) fn text(text: &str) {
    print(format_args!("{text}"));
}

/// A line on standard error, beside what standard output is for.
pub(crate) fn aside(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A reader that went away (`… | head`) is no reason to end a server, nor a failure.
fn print(text: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_fmt(text).and_then(|()| out.flush());
}

/// A value as JSON, for scripts.
pub(crate) fn json(value: &impl Serialize) -> Result<(), CliError> {
    line(serde_json::to_string_pretty(value).map_err(CliError::other)?);
    Ok(())
}

/// A table, for people.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    let mut table = Table::new();
    table.load_style(UTF8_BORDERS_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_header(head);
    for row in rows {
        table.add_row(row);
    }
    line(table);
}

/// What went wrong, in one line on standard error.
pub(crate) fn complain(error: &CliError) {
    let text = error.to_string().replace('\n', " ");
    let _ = writeln!(std::io::stderr(), "narrowgate: {text}");
}
