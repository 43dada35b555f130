//! The borders between the modules: who may name whom.
//!
//! Every file under `src/` is read as tokens, so that a path counts wherever it is written: in a `use` and its
//! groups, in an expression, in a visibility, in the body of a macro, in an attribute's string. `crate::`,
//! `super::` and `war_vol::` are resolved by the place of the file and of the inline modules around them. What
//! would hide an edge (an alias or a glob of the crate's root, `extern crate`, `#[path]`) is refused.
//!
//! Left out on purpose: what a module re-exports of a module that it may name. That is its own to answer for.
//!
//! `borders_bad/` is a tree that offends in every way there is; each offence in it is marked with `//~` and a
//! part of what is said about it, and a test holds that exactly those are found.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use crate::tokens::{Written, written};

/// Who may name whom, from the bottom up. A module that is not in this table is an offence, and so is whatever
/// else lives at the crate's root. `words` are the five that all may use.
#[rustfmt::skip]
const BORDERS: &[(&str, &str)] = &[
    // words
    ("fault",     ""),
    ("lock",      ""),
    ("artifact",  "fault"),
    ("metrics",   "artifact fault lock"),
    ("telemetry", "artifact fault"),
    ("config",    "words"),
    // effects: none of them knows another
    ("source",    "words"),
    ("store",     "words"),
    ("unpack",    "words"),
    ("mount",     "words"),
    ("cluster",   "words"),
    ("socket",    "words"),
    // domain
    ("policy",    "words source"),
    ("acquire",   "words policy source store unpack"),
    ("volume",    "words policy store unpack mount acquire"),
    // edge
    ("csi",       "words volume socket"),
    ("admin",     "words volume socket"),
    ("ops",       "words volume"),
    ("flexvolume", "words mount volume admin"),
    // wiring: main → cli → app, and only app sees everything below it
    ("app",       "words config source store unpack mount cluster socket policy acquire volume csi admin ops flexvolume"),
    ("cli",       "words config csi::client app flexvolume"),
    ("main",      "cli"),
    ("lib",       ""),
];

const WORDS: [&str; 5] = ["artifact", "fault", "lock", "metrics", "telemetry"];

/// What of other crates only some modules may name.
const RESERVED: [(&str, &[&str]); 5] = [
    ("tonic", &["csi", "admin"]),
    ("reqwest", &["source"]),
    ("hyper_util::client", &["source", "cluster"]),
    ("kube", &["cluster"]),
    ("rustix::mount", &["mount"]),
];

/// The longest file, in lines: what is longer has more than one thing to say.
const LONGEST: usize = 400;

#[test]
fn every_module_keeps_its_borders() {
    let offences = offences(&repository().join("src"));
    assert!(offences.is_empty(), "{}", list(&offences));
}

#[test]
fn every_offence_of_the_bad_tree_is_found_and_nothing_else() {
    let root = repository().join("tests/front/borders_bad");
    let found = offences(&root);
    let mut unmarked = Vec::new();
    let mut marked = marks(&root);
    assert!(marked.len() >= 20, "the bad tree has lost its marks");
    for offence in &found {
        let place = marked.iter().position(|mark| {
            (&mark.file, mark.line) == (&offence.file, offence.line)
                && offence.what.contains(&mark.what)
        });
        match place {
            Some(index) => drop(marked.remove(index)),
            None => unmarked.push(offence),
        }
    }
    assert!(
        unmarked.is_empty() && marked.is_empty(),
        "found but not marked:\n{}\nmarked but not found:\n{}",
        list(unmarked),
        list(&marked),
    );
}

#[test]
fn the_table_has_no_cycle_and_no_unknown_name() {
    for (index, (module, allowed)) in BORDERS.iter().enumerate() {
        for name in allowed.split_whitespace() {
            let top = name.split("::").next().unwrap();
            assert!(
                top == "words" || BORDERS[..index].iter().any(|(below, _)| *below == top),
                "{module} may name {name}, which is not further up in the table"
            );
        }
    }
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let long: Vec<String> = ["src", "tests", "benches"]
        .iter()
        .flat_map(|directory| rust_files(&repository().join(directory)))
        .filter_map(|file| {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            (lines > LONGEST).then(|| format!("{}: {lines} lines", file.display()))
        })
        .collect();
    assert!(
        long.is_empty(),
        "files of more than {LONGEST} lines, to be split by what they say:\n{}",
        list(&long)
    );
}

/// One place where a border is crossed, or a mark that expects one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Offence {
    file: PathBuf,
    line: usize,
    what: String,
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.strip_prefix(repository()).unwrap_or(&self.file);
        write!(f, "{}:{}: {}", file.display(), self.line, self.what)
    }
}

/// The offences of all Rust files under `root`, the directory of the crate's `lib.rs`.
fn offences(root: &Path) -> BTreeSet<Offence> {
    let files = rust_files(root);
    assert!(!files.is_empty(), "nothing to read in {}", root.display());
    let mut offences = BTreeSet::new();
    for file in files {
        let inside = Inside::of(file.strip_prefix(root).unwrap());
        let text = fs::read_to_string(&file).unwrap();
        let mut add = |line, what| {
            offences.insert(Offence {
                file: file.clone(),
                line,
                what,
            });
        };
        if inside.allowed().is_none() {
            add(
                1,
                format!("{} is not in the table of borders", inside.owner),
            );
            continue;
        }
        match written(&text) {
            Ok(paths) => {
                for path in paths {
                    if let Some(what) = inside.judge(&path) {
                        add(path.line, what);
                    }
                }
            }
            Err(why) => add(1, format!("not Rust: {why}")),
        }
    }
    offences
}

/// The place of one file in the crate.
pub(crate) struct Inside {
    /// The top-level module that the file belongs to, or `lib` or `main`.
    owner: String,
    /// The path of the file's module from the crate's root.
    pub(crate) module: Vec<String>,
}

impl Inside {
    pub(crate) fn of(file: &Path) -> Self {
        let mut module: Vec<String> = file
            .with_extension("")
            .iter()
            .map(|name| name.to_str().unwrap().to_owned())
            .collect();
        let owner = module[0].clone();
        let root = module.len() == 1 && ["lib", "main"].contains(&&*owner);
        if root || module.last().is_some_and(|name| name == "mod") {
            module.pop();
        }
        Self { owner, module }
    }

    /// The place of a module.
    pub(crate) fn at(module: Vec<String>) -> Self {
        let owner = module.first().cloned().unwrap_or_default();
        Self { owner, module }
    }

    fn allowed(&self) -> Option<Vec<&'static str>> {
        let (_, allowed) = BORDERS.iter().find(|(module, _)| *module == self.owner)?;
        let expand = |name| match name {
            "words" => WORDS.to_vec(),
            name => vec![name],
        };
        Some(allowed.split_whitespace().flat_map(expand).collect())
    }

    /// What is wrong with a path that is written here.
    fn judge(&self, path: &Written) -> Option<String> {
        let shown = path.segments.join("::");
        if ["extern crate", "#[path]"].contains(&&*shown) {
            return Some(format!("{shown} hides where a path leads"));
        }
        match self.resolve(path) {
            Some(resolved) => self.judge_edge(path, &shown, &resolved),
            None => self.judge_reserved(path, &shown),
        }
    }

    fn judge_edge(&self, path: &Written, shown: &str, resolved: &[String]) -> Option<String> {
        let Some(target) = resolved.first() else {
            return path.hides.then(|| {
                format!("{shown} is the crate's root; another name for it hides where a path leads")
            });
        };
        let two = resolved.get(..2).map(|names| names.join("::"));
        let allowed = self.allowed().unwrap_or_default();
        if *target == self.owner
            || allowed.contains(&&**target)
            || two.is_some_and(|two| allowed.contains(&&*two))
        {
            None
        } else if BORDERS.iter().any(|(module, _)| module == target) {
            Some(format!("{} may not name {target} ({shown})", self.owner))
        } else {
            Some(format!("{target} is not in the table of borders ({shown})"))
        }
    }

    fn judge_reserved(&self, path: &Written, shown: &str) -> Option<String> {
        let reserved = RESERVED.iter().find(|(name, _)| {
            let within = |outer: &str, inner: &str| {
                inner == outer || inner.starts_with(&format!("{outer}::"))
            };
            within(name, shown) || (path.hides && within(shown, name))
        });
        let (name, owners) = reserved?;
        (!owners.contains(&&*self.owner))
            .then(|| format!("only {} may name {name} ({shown})", owners.join(" and ")))
    }

    /// The path from the crate's root, of a path that leads into this crate.
    pub(crate) fn resolve(&self, path: &Written) -> Option<Vec<String>> {
        let here = self.module.iter().chain(&path.inline).cloned();
        let (head, rest) = path.segments.split_first()?;
        let mut resolved: Vec<String> = match head.as_str() {
            "crate" | "war_vol" => Vec::new(),
            "self" => here.collect(),
            "super" => {
                let mut parent: Vec<String> = here.collect();
                parent.pop();
                parent
            }
            // At the crate's root its modules are in scope under their bare names.
            name => {
                let known = BORDERS.iter().any(|(module, _)| *module == name);
                let bare = known && here.count() == 0 && (path.hides || !rest.is_empty());
                return bare.then(|| path.segments.clone());
            }
        };
        for segment in rest {
            match segment.as_str() {
                "super" => drop(resolved.pop()),
                name => resolved.push(name.to_owned()),
            }
        }
        Some(resolved)
    }
}

/// The marks `//~ part of what is said` in the files under `root`.
fn marks(root: &Path) -> Vec<Offence> {
    let mut marks = Vec::new();
    for file in rust_files(root) {
        for (index, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            for what in line.split("//~").skip(1) {
                marks.push(Offence {
                    file: file.clone(),
                    line: index + 1,
                    what: what.trim().to_owned(),
                });
            }
        }
    }
    marks
}

/// The Rust files under a directory, in a stable order.
pub(crate) fn rust_files(directory: &Path) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.append(&mut rust_files(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.insert(path);
        }
    }
    files
}

fn list(lines: impl IntoIterator<Item = impl fmt::Display>) -> String {
    lines
        .into_iter()
        .map(|line| format!("  {line}\n"))
        .collect()
}

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
