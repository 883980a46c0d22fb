//! Tables as CSV (RFC 4180) that no spreadsheet takes for formulae.

/// A line of cells, each in quotes, with its end.
///
/// A cell that a spreadsheet would compute (it begins with `=`, `+`, `-` or `@`, white space
/// aside) gets an apostrophe before it; a control character is written as its escape, so that a
/// line of the table is a line of the file.
pub(crate) fn line<S: AsRef<str>>(cells: impl IntoIterator<Item = S>) -> String {
    let cells: Vec<_> = cells.into_iter().map(|cell| quoted(cell.as_ref())).collect();
    cells.join(",") + "\r\n"
}

fn quoted(cell: &str) -> String {
    let mut text = String::from("\"");
    if cell.trim_start().starts_with(['=', '+', '-', '@']) || cell.starts_with(['\t', '\r']) {
        text.push('\'');
    }
    for c in cell.chars() {
        match c {
            '"' => text.push_str("\"\""),
            c if c.is_control() => text.extend(c.escape_default()),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn formulae_and_line_ends_and_quotes_stay_text() {
        assert_eq!(line(["a", "b,c", "say \"x\""]), "\"a\",\"b,c\",\"say \"\"x\"\"\"\r\n");
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1"] {
            assert!(line([formula]).starts_with("\"'"), "{formula}");
        }
        assert_eq!(line(["a\r\nb\u{7}"]), "\"a\\r\\nb\\u{7}\"\r\n");
    }
}
