//! No example is only written down: each is applied by a test, and docs/volumes.md says what it shows.

use std::fs;

use super::{read, root};

const EXAMPLES: &str = "deploy/examples";

#[test]
fn every_example_is_applied_by_a_case_and_has_a_row_in_the_documents() {
    let cases: Vec<String> = files("tests/e2e/cases")
        .iter()
        .map(|name| read(&format!("tests/e2e/cases/{name}")))
        .collect();
    let lines = || {
        let lines = cases.iter().flat_map(|text| text.lines());
        lines.filter(|line| !line.trim_start().starts_with('#'))
    };
    let rows = read("docs/volumes.md");
    let examples = files(EXAMPLES);
    assert!(examples.len() > 4, "{examples:?}");
    for name in examples {
        let forms = [format!("example {name}"), format!("{EXAMPLES}/{name}")];
        assert!(
            lines().any(|line| forms.iter().any(|form| line.contains(form))),
            "no case of tests/e2e/cases applies {EXAMPLES}/{name}, such as by `example {name}`"
        );
        assert!(
            rows.contains(&format!("\n| `{name}` | ")),
            "docs/volumes.md has no row for {EXAMPLES}/{name}"
        );
    }
}

/// The files below a directory, by their paths in it.
fn files(directory: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(directory)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            let inner = files(&format!("{directory}/{name}"));
            found.extend(inner.iter().map(|file| format!("{name}/{file}")));
        } else {
            found.push(name);
        }
    }
    found
}
