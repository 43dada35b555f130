//! Each remedy of docs/troubleshooting.md names the test that follows it, or says that it is not tested.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{read, root};

const PAGE: &str = "docs/troubleshooting.md";

/// The sections whose tables are remedies.
const TABLES: [&str; 3] = [
    "Messages from Kubernetes",
    "Rejected values",
    "What the server answers",
];

const NOBODY: &str = "Not tested.";

#[test]
fn each_remedy_says_who_has_tried_it() {
    let page = read(PAGE);
    let remedies = remedies(&page);
    assert!(remedies.len() > 90, "{}", remedies.len());
    let known = names();
    let mut wrong = Vec::new();
    for remedy in &remedies {
        let named = tried(remedy);
        let nobody = remedy.contains(NOBODY);
        if named.is_empty() != nobody {
            wrong.push(format!(
                "says neither \"Tested by `name`.\" nor \"{NOBODY}\", or both: {remedy}"
            ));
        }
        let unknown = named.into_iter().filter(|name| !known.contains(*name));
        wrong.extend(unknown.map(|name| format!("no test or case is called {name}: {remedy}")));
    }
    assert!(wrong.is_empty(), "{PAGE}:\n{}", wrong.join("\n"));
}

#[test]
fn what_has_tried_the_advice_for_an_installation_exists() {
    let page = read("docs/install.md");
    let known = names();
    let mut named = 0;
    for paragraph in page.split("\n\n").filter(|p| p.starts_with("Tested by ")) {
        for name in tried(paragraph) {
            assert!(known.contains(name), "no test or case is called {name}");
            named += 1;
        }
    }
    assert!(named > 10, "{named}");
}

/// Rows of tables, and what is said below one message or several.
fn remedies(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for section in page.split("\n## ").flat_map(|s| s.split("\n### ")) {
        let (heading, text) = section.split_once('\n').unwrap_or((section, ""));
        if TABLES.contains(&heading) {
            let rows = text.lines().filter(|line| line.starts_with("| "));
            // Behind the head of the table.
            found.extend(rows.skip(1).map(str::to_owned));
        }
        let mut below = String::new();
        for line in text.lines() {
            if line.starts_with("  ") && !below.is_empty() {
                below += line;
                below.push('\n');
            } else if line.starts_with("- `") {
                said(&mut found, &below);
                line.clone_into(&mut below);
                below.push('\n');
            } else if line.is_empty() && !below.is_empty() {
                below.push('\n');
            } else {
                said(&mut found, &std::mem::take(&mut below));
            }
        }
        said(&mut found, &below);
    }
    found
}

/// A message alone says nothing; the next one has the words for both, and a table may have them.
fn said(found: &mut Vec<String>, below: &str) {
    let words = below
        .split_once("\n\n")
        .map_or("", |(_, words)| words.trim());
    if !words.is_empty() && !words.ends_with(':') {
        found.push(words.to_owned());
    }
}

/// The names behind `Tested by`.
fn tried(remedy: &str) -> Vec<&str> {
    let Some((_, rest)) = remedy.split_once("Tested by ") else {
        return Vec::new();
    };
    let list = rest.split_once("`.").map_or(rest, |(list, _)| list);
    list.split('`').filter(|w| w.contains('_')).collect()
}

/// Every test of `tests/front/` and every case of `tests/e2e/cases/`.
fn names() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(&root().join("tests/front"), "fn ", &mut found);
    collect(&root().join("tests/e2e/cases"), "case_", &mut found);
    assert!(found.len() > 300, "{}", found.len());
    found
}

fn collect(dir: &Path, begins: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, begins, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let lines = text.lines().filter_map(|line| {
            let line = line.trim_start();
            line.strip_prefix("async ")
                .unwrap_or(line)
                .strip_prefix(begins)
        });
        found.extend(lines.filter_map(|line| Some(line.split_once('(')?.0.to_owned())));
    }
}
