//! No file needs another one that needs it: whoever reads one of them goes on in one direction.
//!
//! What a module's file shares with those below it does not count: `super` and `mod` are how a module is made of files.
//! A name that such a file only passes on counts as a path to where it is from. Tests do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::borders::{Inside, repository, rust_files};
use crate::tokens::{Written, written};

/// A module, by its path from the crate's root.
type Module = Vec<String>;

#[test]
fn no_circle_between_files() {
    for root in ["src", "benches/figures"] {
        let needs = Tree::of(&repository().join(root)).needs();
        assert!(needs.len() > 10, "nothing was read in {root}");
        if let Some(circle) = circle(&needs) {
            let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
            panic!("{root}: {} need each other", names.join(" → "));
        }
    }
}

#[test]
fn a_circle_is_found_and_nothing_else() {
    let module = |name: &str| vec![name.to_owned()];
    let needs = |edges: &[(&str, &str)]| {
        let mut all = BTreeMap::<Module, BTreeSet<Module>>::new();
        for (from, to) in edges {
            all.entry(module(from)).or_default().insert(module(to));
        }
        all
    };
    assert_eq!(circle(&needs(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    let found = circle(&needs(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "b")]));
    assert_eq!(found, Some(["b", "c", "d", "b"].map(module).to_vec()));
}

/// The files of a crate, each with the paths that are written in it.
struct Tree(BTreeMap<Module, Vec<Written>>);

impl Tree {
    fn of(root: &Path) -> Self {
        let files = rust_files(root).into_iter().filter_map(|file| {
            let inside = Inside::of(file.strip_prefix(root).unwrap());
            let is_test = inside.module.last().is_some_and(|name| name == "tests");
            let mut paths = written(&fs::read_to_string(&file).unwrap()).unwrap();
            paths.retain(|path| !path.inline.iter().any(|name| name == "tests"));
            (!is_test).then_some((inside.module, paths))
        });
        Self(files.collect())
    }

    /// Which modules each one needs, beside those above and below it.
    fn needs(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let needs = self.0.iter().map(|(module, paths)| {
            let needed = paths.iter().filter_map(|path| self.leads_to(module, path));
            let is_family = |other: &Module| other.starts_with(module) || module.starts_with(other);
            (
                module.clone(),
                needed.filter(|other| !is_family(other)).collect(),
            )
        });
        needs.collect()
    }

    /// The file that a path leads to, through whoever passes the name on.
    fn leads_to(&self, from: &Module, path: &Written) -> Option<Module> {
        let resolved = Inside::at(from.clone()).resolve(path)?;
        let longest = (0..=resolved.len())
            .rev()
            .find(|length| self.0.contains_key(&resolved[..*length]))?;
        let (module, rest) = (resolved[..longest].to_vec(), &resolved[longest..]);
        let passed_on = rest.first().and_then(|name| {
            let passes = |other: &&Written| {
                other.segments.len() > 1 && other.segments.last() == Some(name) && *from != module
            };
            self.0[&module].iter().find(passes)
        });
        match passed_on {
            Some(path) => self.leads_to(&module, path).or(Some(module)),
            None => Some(module),
        }
    }
}

/// The first circle, from a module back to itself.
fn circle(needs: &BTreeMap<Module, BTreeSet<Module>>) -> Option<Vec<Module>> {
    fn walk<'a>(
        at: &'a Module,
        needs: &'a BTreeMap<Module, BTreeSet<Module>>,
        way: &mut Vec<&'a Module>,
        done: &mut BTreeSet<&'a Module>,
    ) -> Option<Vec<Module>> {
        if let Some(begin) = way.iter().position(|before| *before == at) {
            let around = way[begin..].iter().copied().chain([at]);
            return Some(around.cloned().collect());
        }
        if done.contains(at) {
            return None;
        }
        way.push(at);
        let found = needs
            .get(at)
            .into_iter()
            .flatten()
            .find_map(|next| walk(next, needs, way, done));
        way.pop();
        done.insert(at);
        found
    }
    let mut done = BTreeSet::new();
    needs
        .keys()
        .find_map(|module| walk(module, needs, &mut Vec::new(), &mut done))
}
