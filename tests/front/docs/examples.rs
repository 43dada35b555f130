//! No example is only written down: each is applied by a test, and README.md says what it shows.

use std::fs;

use super::{read, root};

#[test]
fn every_example_is_applied_by_a_case_and_has_a_row_in_the_readme() {
    let cases: String = ["tests/e2e/cases", "tests/e2e/cases/full"]
        .iter()
        .flat_map(|directory| {
            files(directory)
                .into_iter()
                .map(move |name| (directory, name))
        })
        .filter(|(_, name)| name.ends_with(".sh"))
        .map(|(directory, name)| read(&format!("{directory}/{name}")))
        .collect();
    let readme = read("README.md");
    let examples = files("deploy/examples");
    assert!(examples.len() > 4, "{examples:?}");
    for name in examples {
        assert!(
            cases
                .lines()
                .any(|line| line.contains(&format!("example {name}"))),
            "no case of tests/e2e/cases applies deploy/examples/{name}, by `example {name}`"
        );
        assert!(
            readme.contains(&format!("\n| `{name}` | ")),
            "README.md has no row for deploy/examples/{name}"
        );
    }
}

/// The names in a directory, which need not be there.
fn files(directory: &str) -> Vec<String> {
    fs::read_dir(root().join(directory))
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}
