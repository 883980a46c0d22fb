//! `docs/api.md` says what is tested: each line of its snippets stands in the script that it names.

use std::{fs, path::Path};

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
