//! The icons: shapes alone, in the colour of the text beside them.

macro_rules! icons {
    ($($(#[$doc:meta])* $name:ident = $shape:literal;)*) => {$(
        $(#[$doc])*
        pub(crate) const $name: &str = concat!(
            "<svg class=\"icon\" viewBox=\"0 0 16 16\" aria-hidden=\"true\">", $shape, "</svg>"
        );
    )*};
}

icons! {
    /// A key: service tokens.
    KEY = "<circle cx=\"5.25\" cy=\"10.75\" r=\"2.75\"/><path d=\"m7.25 8.75 5.5-5.5M10.5 5.5l2 2\"/>";
    /// A person.
    PERSON = "<circle cx=\"8\" cy=\"5.25\" r=\"2.5\"/><path d=\"M2.75 13.5c.6-2.6 2.6-4 5.25-4s4.65 1.4 5.25 4\"/>";
    /// Three lines: the menu of a narrow screen.
    MENU = "<path d=\"M2.5 4.25h11M2.5 8h11M2.5 11.75h11\"/>";
    /// A bin: delete.
    BIN = "<path d=\"M2.75 4.25h10.5M6.25 4V2.5h3.5V4M4.25 4.25l.5 9.25h6.5l.5-9.25M6.75 7v4M9.25 7v4\"/>";
    /// Two arrows in a circle: rotate.
    ROTATE = "<path d=\"M13.25 6.5A5.5 5.5 0 0 0 3.2 5.2M2.75 9.5a5.5 5.5 0 0 0 10.05 1.3\"/><path d=\"M2.75 2.5v3h3M13.25 13.5v-3h-3\"/>";
    /// A pen: edit.
    PEN = "<path d=\"m10.75 2.75 2.5 2.5-8 8H2.75v-2.5z\"/>";
    /// Two bars: disable.
    PAUSE = "<path d=\"M5.25 3v10M10.75 3v10\"/>";
    /// A triangle to the right: runs; enable.
    PLAY = "<path d=\"M4.75 2.75 12.5 8l-7.75 5.25z\"/>";
    /// A triangle: a warning.
    WARN = "<path d=\"M8 2.25 14.5 13.5h-13z\"/><path d=\"M8 6.5v3.25M8 11.6v.1\"/>";
    /// A cross in a circle: an error.
    BAD = "<circle cx=\"8\" cy=\"8\" r=\"6.25\"/><path d=\"m5.75 5.75 4.5 4.5m0-4.5-4.5 4.5\"/>";
    /// A tick in a circle: done.
    GOOD = "<circle cx=\"8\" cy=\"8\" r=\"6.25\"/><path d=\"m5.25 8.25 2 2 3.5-4\"/>";
    /// A letter in a circle: more about it.
    INFO = "<circle cx=\"8\" cy=\"8\" r=\"6.25\"/><path d=\"M8 7.25v3.75M8 4.9V5\"/>";
    /// A cross: remove.
    CROSS = "<path d=\"m4 4 8 8m0-8-8 8\"/>";
    /// Two sheets: copy.
    COPY = "<path d=\"M5.75 5.75h7.5v7.5h-7.5z\"/><path d=\"M10.25 5.5V2.75h-7.5v7.5H5.5\"/>";
    /// A grid: permission sets.
    GRID = "<path d=\"M2.25 2.25h11.5v11.5H2.25zM2.25 6h11.5M2.25 10h11.5M6 2.25v11.5M10 2.25v11.5\"/>";
    /// An open circle that turns: under way.
    RUNNING = "<path d=\"M8 1.75A6.25 6.25 0 1 1 1.75 8\"/>";
    /// A dashed circle: waiting.
    WAITING = "<circle cx=\"8\" cy=\"8\" r=\"6.25\" stroke-dasharray=\"1.6 2.2\"/>";
    /// A line in a circle: nothing came of it.
    NOTHING = "<circle cx=\"8\" cy=\"8\" r=\"6.25\"/><path d=\"M5 8h6\"/>";
    /// A square: stop.
    STOP = "<path d=\"M3.75 3.75h8.5v8.5h-8.5z\"/>";
    /// A folder: files.
    FOLDER = "<path d=\"M1.75 3.25h4.5l1.5 2h6.5v8H1.75z\"/>";
    /// An arrow down to a line: as a file.
    DOWN = "<path d=\"M8 2v8M4.75 7 8 10.25 11.25 7M2.5 13.5h11\"/>";
    /// A question mark in a circle: may this token …?
    QUESTION = "<circle cx=\"8\" cy=\"8\" r=\"6.25\"/><path d=\"M6.25 6.4C6.4 5.3 7.1 4.75 8.1 4.75c1.05 0 1.75.65 1.75 1.55 0 1.35-1.85 1.4-1.85 2.7M8 11.2v.1\"/>";
    /// A sheet with lines: the audit log.
    SHEET = "<path d=\"M3.25 1.75h9.5v12.5h-9.5zM5.75 5h4.5M5.75 8h4.5M5.75 11h2.5\"/>";
    /// Four panes: the dashboard.
    PANES = "<path d=\"M2.25 2.25h4.5v6h-4.5zM9.25 2.25h4.5v3.5h-4.5zM9.25 8.25h4.5v5.5h-4.5zM2.25 10.75h4.5v3h-4.5z\"/>";
    /// An open book: documentation.
    BOOK = "<path d=\"M8 3.75C6.5 2.6 4.5 2.25 1.75 2.25v10.5c2.75 0 4.75.35 6.25 1.5 1.5-1.15 3.5-1.5 6.25-1.5V2.25C11.5 2.25 9.5 2.6 8 3.75Zm0 0v10.5\"/>";
    /// A glass: search.
    SEARCH = "<circle cx=\"7\" cy=\"7\" r=\"4.5\"/><path d=\"m10.5 10.5 3.25 3.25\"/>";
}

/// The sign of the house.
pub(crate) const BRAND: &str = concat!(
    "<svg viewBox=\"0 0 20 20\" aria-hidden=\"true\" fill=\"currentColor\">",
    "<path d=\"M2 3h5.5v14H2zM12.5 3H18v14h-5.5z\"/><path d=\"M9 7h2v10H9z\" opacity=\".45\"/></svg>"
);
