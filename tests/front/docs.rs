//! The documents name what exists: targets of the Makefile, files of this tree, what can be typed and what is said.

mod commands;
mod examples;
mod links;
mod messages;
mod reference;
mod remedies;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The directories of the tree whose files a document may name.
const DIRECTORIES: [&str; 8] = [
    "src/", "tests/", "benches/", "deploy/", "proto/", "docs/", ".ci/", ".github/",
];

#[test]
fn every_target_of_the_makefile_has_a_line_in_its_help() {
    let text = read("Makefile");
    for line in text.lines().filter(|line| target(line).is_some()) {
        let name = target(line).unwrap();
        let doc = line.split_once("## ").map(|(_, doc)| doc.trim());
        assert!(
            doc.is_some_and(|d| !d.is_empty()),
            "`{name}` has no `## …` line"
        );
        assert!(
            text.contains(&format!(".PHONY: {name}\n")),
            "`{name}` is not .PHONY: a file of that name would switch it off"
        );
    }
}

#[test]
fn every_make_target_that_is_named_anywhere_exists() {
    let makefile = read("Makefile");
    let targets: BTreeSet<&str> = makefile.lines().filter_map(target).collect();
    let mut named = BTreeSet::new();
    for (file, code) in documents().into_iter().chain(scripts()) {
        for name in code.iter().flat_map(|line| made(line)) {
            assert!(
                targets.contains(&*name),
                "{file} names `make {name}`, which is no target of the Makefile"
            );
            named.insert(name);
        }
    }
    for expected in ["check", "test"] {
        assert!(named.contains(expected), "no document names {expected}");
    }
}

#[test]
fn every_file_that_a_document_names_exists() {
    let mut named = 0;
    for (file, code) in documents() {
        for word in code.iter().flat_map(|line| line.split_whitespace()) {
            let word = word.trim_matches([',', ';', '.', '"', '(', ')']);
            let ours = DIRECTORIES.iter().any(|d| word.starts_with(d));
            if ours && !word.contains(['*', '<', '…', '{']) {
                let path = word.split(':').next().unwrap();
                assert!(root().join(path).exists(), "{file} names {path}");
                named += 1;
            }
        }
    }
    assert!(named > 0, "no document names a file");
}

#[test]
fn code_is_found_in_spans_and_in_blocks() {
    let text = "Run `make check`, and make sure.\n\n```sh\nmake unit test\n```\n\n    make clean\n";
    let names: Vec<String> = code(text).iter().flat_map(|line| made(line)).collect();
    assert_eq!(names, ["check", "unit", "test", "clean"]);
}

/// The name of the target that a line of a Makefile begins.
fn target(line: &str) -> Option<&str> {
    let (name, rest) = line.split_once(':')?;
    let word = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (word && !rest.starts_with('=')).then_some(name)
}

/// The targets that a command line makes.
fn made(line: &str) -> Vec<String> {
    let mut words = line.split_whitespace();
    if !words.any(|word| word == "make") {
        return Vec::new();
    }
    words
        .skip_while(|word| word.starts_with('-') || word.contains('='))
        .take_while(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'))
        .map(str::to_owned)
        .collect()
}

/// The documents, each with its lines and spans of code.
fn documents() -> Vec<(String, Vec<String>)> {
    let texts = texts().into_iter();
    texts.map(|(name, text)| (name, code(&text))).collect()
}

/// The documents at the top of the tree and below docs/.
fn texts() -> Vec<(String, String)> {
    let mut waiting = vec![String::new(), "docs/".to_owned()];
    let mut found = Vec::new();
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(root().join(&dir)).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{dir}{}", entry.file_name().into_string().unwrap());
            if name.ends_with(".md") {
                found.push((name.clone(), read(&name)));
            } else if !dir.is_empty() && entry.file_type().unwrap().is_dir() {
                waiting.push(format!("{name}/"));
            }
        }
    }
    found.sort();
    found
}

/// The scripts that run targets, each with its lines but for comments.
fn scripts() -> Vec<(String, Vec<String>)> {
    [
        ".ci/run",
        ".github/workflows/ci.yml",
        ".github/workflows/release.yml",
    ]
    .map(|name| {
        let text = read(name);
        let lines = text.lines().filter(|l| !l.trim_start().starts_with('#'));
        (name.to_owned(), lines.map(str::to_owned).collect())
    })
    .into()
}

/// The code in a text of Markdown: fenced and indented blocks by line, and spans.
fn code(text: &str) -> Vec<String> {
    let mut code = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            code.push(line.to_owned());
        } else {
            code.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    code
}

/// A fenced block of code.
struct Block {
    language: String,
    lines: Vec<String>,
    /// Where its fence is, counted from 0.
    line: usize,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        match line.trim_start().strip_prefix("```") {
            Some(language) if !open => {
                open = true;
                found.push(Block {
                    language: language.trim().to_owned(),
                    lines: Vec::new(),
                    line: number,
                });
            }
            Some(_) => open = false,
            None if open => found.last_mut().unwrap().lines.push(line.to_owned()),
            None => {}
        }
    }
    found
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
