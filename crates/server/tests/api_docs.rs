//! `docs/api.md` says what is tested: each line of its snippets stands in the script that it names.

use std::{collections::BTreeMap, fs, path::Path};

#[test]
fn each_snippet_stands_in_the_test_that_it_is_taken_from() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/api.md")).unwrap();
    let mut seen = 0;
    for part in page.split("<!-- ").skip(1) {
        let (file, rest) = part.split_once(" -->\n```python\n").unwrap();
        let (snippet, _) = rest.split_once("\n```").unwrap();
        let script = fs::read_to_string(root.join(file)).unwrap();
        for line in snippet.lines() {
            seen += 1;
            assert!(script.lines().any(|known| known == line), "{file} has no line `{line}`");
        }
    }
    assert_eq!(page.matches("```python").count(), page.matches("<!-- ").count());
    assert!(seen > 10, "the page has only {seen} lines of snippets");
}

#[test]
fn what_is_not_served_is_what_the_page_says_with_its_reasons_and_numbers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/api.md")).unwrap();
    let (_, rest) = page.split_once("## What is not served").unwrap();
    let (section, _) = rest.split_once("\n## ").unwrap();
    let rows = section.lines().skip_while(|line| !line.starts_with("| ---")).skip(1);
    let told: BTreeMap<String, usize> = rows
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            (cells[2].to_owned(), cells[1].parse().unwrap())
        })
        .collect();
    let list = fs::read_to_string(root.join("unimplemented-operations.txt")).unwrap();
    let mut missing = BTreeMap::<String, usize>::new();
    for line in list.lines() {
        let (_, reason) = line.split_once("): ").unwrap();
        *missing.entry(reason.to_owned()).or_default() += 1;
    }
    assert_eq!(told, missing);
}
