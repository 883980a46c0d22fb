//! Wildcards in selectors, as Python's `fnmatch` has them: `*`, `?`, `[abc]`, `[a-z]`, `[!a]`.

/// Whether the text has wildcards.
pub(super) fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '[', ']'])
}

/// Whether a text fits a pattern, as a whole and with case.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    all_fits(&pattern, &text)
}

/// In time of at most their product: after a `*` it is only the last one that is tried again.
fn all_fits(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while let Some(letter) = text.get(t) {
        match pattern.get(p) {
            Some('*') => {
                again = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(_) => {
                if let Some(after) = one_fits(pattern, p, *letter) {
                    (p, t) = (after, t + 1);
                    continue;
                }
            }
            None => {}
        }
        let Some((after, from)) = again else { return false };
        again = Some((after, from + 1));
        (p, t) = (after, from + 1);
    }
    pattern.iter().skip(p).all(|rest| *rest == '*')
}

/// Where the pattern goes on after the letter has been taken, if it fits there.
fn one_fits(pattern: &[char], at: usize, letter: char) -> Option<usize> {
    match pattern.get(at)? {
        '?' => Some(at + 1),
        '[' => match set(pattern, at) {
            Some((set, after)) => contains(set, letter).then_some(after),
            None => (letter == '[').then_some(at + 1),
        },
        plain => (*plain == letter).then_some(at + 1),
    }
}

/// What stands between the brackets that open here, and what comes after them. A `]` right at the
/// start belongs to the set.
fn set(pattern: &[char], open: usize) -> Option<(&[char], usize)> {
    let inside = pattern.get(open + 1..)?;
    let first = usize::from(inside.first() == Some(&'!')) + 1;
    let close = inside.iter().skip(first).position(|letter| *letter == ']')? + first;
    Some((inside.get(..close)?, open + close + 2))
}

fn contains(set: &[char], letter: char) -> bool {
    let (wanted, mut set) = match set {
        ['!', rest @ ..] => (false, rest),
        set => (true, set),
    };
    let mut found = false;
    loop {
        match set {
            [from, '-', to, rest @ ..] => {
                found |= (*from..=*to).contains(&letter);
                set = rest;
            }
            [one, rest @ ..] => {
                found |= *one == letter;
                set = rest;
            }
            [] => return found == wanted,
        }
    }
}

/// Whether a path, or a folder that it lies in, fits a pattern of parts: `**` stands for any number
/// of folders, and no other wildcard goes past a `/`.
pub(super) fn path_fits(pattern: &str, path: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        text.split('/').filter(|part| !matches!(*part, "" | ".")).map(str::to_owned).collect()
    };
    let (pattern, path) = (parts(pattern), parts(path));
    // Of each part of the pattern, whether it can end at each part of the path.
    let mut ends = vec![false; path.len() + 1];
    if let Some(start) = ends.first_mut() {
        *start = true;
    }
    for part in &pattern {
        let mut next = vec![false; ends.len()];
        for (at, _) in ends.iter().enumerate().filter(|(_, end)| **end) {
            if part == "**" {
                next.iter_mut().skip(at).for_each(|end| *end = true);
            } else if path.get(at).is_some_and(|name| fits(part, name))
                && let Some(end) = next.get_mut(at + 1)
            {
                *end = true;
            }
        }
        ends = next;
    }
    !pattern.is_empty() && ends.iter().skip(1).any(|end| *end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_what_fnmatch_says() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("stg_*", "stg_orders", true),
            ("stg_*", "int_orders", false),
            ("*_orders", "stg_orders_orders", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[sf]tg", "stg", true),
            ("[!s]tg", "stg", false),
            ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[]]", "]", true),
            ("[x", "[x", true),
            ("é*", "école", true),
            ("*a*b", "xaxbxab", true),
            ("*a*b", "xaxbxa", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_path_fits_what_it_lies_in() {
        for (pattern, path, expected) in [
            ("models/staging", "models/staging/stg_orders.sql", true),
            ("models/staging/", "models/staging/stg_orders.sql", true),
            ("./models/staging", "models/staging/stg_orders.sql", true),
            ("staging", "models/staging/stg_orders.sql", false),
            ("models/*/stg_orders.sql", "models/staging/stg_orders.sql", true),
            ("models/**/x.sql", "models/a/b/x.sql", true),
            ("models/**/x.sql", "models/x.sql", true),
            ("models/*", "models/a/b/x.sql", true),
            ("models/stag", "models/staging/stg_orders.sql", false),
            ("", "models/x.sql", false),
        ] {
            assert_eq!(path_fits(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_of_stars_takes_no_longer_than_its_product() {
        assert!(!fits(&"*a".repeat(300), &"a".repeat(299)));
        assert!(fits(&"*a".repeat(300), &"a".repeat(20_000)));
    }
}
