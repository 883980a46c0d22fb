//! Texts of bodies that are kept and handed on.

use domain::job::DbtCommand;

use crate::invalid::Collector;

/// One line: 1 to `most` characters, none of them a control character.
pub(super) fn line(most: usize) -> impl Fn(String) -> Result<String, String> {
    move |text| {
        let fits =
            !text.is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control);
        fits.then_some(text).ok_or_else(|| format!("must be one line of 1 to {most} characters"))
    }
}

/// The most commands of one job or run.
const MAX_COMMANDS: usize = 100;

/// dbt commands, at least one; notes each that is none: `execute_steps[1]`.
pub(super) fn commands(
    bad: &mut Collector,
    field: &str,
    lines: &[String],
) -> Option<Vec<DbtCommand>> {
    if lines.is_empty() || lines.len() > MAX_COMMANDS {
        return bad.take(field, Err(format!("must have 1 to {MAX_COMMANDS} dbt commands")));
    }
    let read = |(index, line): (usize, &String)| {
        bad.take(&format!("{field}[{index}]"), DbtCommand::parse(line))
    };
    // All of them are read before it is asked whether all of them are well.
    let read: Vec<_> = lines.iter().enumerate().map(read).collect();
    read.into_iter().collect()
}
