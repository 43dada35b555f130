//! Every lock of the source is in one list, with what may be done under it: the table in ARCHITECTURE.md.
//!
//! `clippy.toml` bans the locks of the standard library, so each is one of `crate::lock`'s kinds; debug builds, and so
//! all tests, end a thread that waits for a disk under a short one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};

const KINDS: [&str; 3] = ["Short", "Turn", "Watched"];

#[test]
fn every_lock_is_in_the_table_of_the_architecture() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    read(&repository.join("src"), "", &mut found);
    assert!(found.len() >= 10, "{found:?}");
    let text = fs::read_to_string(repository.join("ARCHITECTURE.md")).unwrap();
    let (_, section) = text.split_once("\n## Locks\n").expect("a section on locks");
    let section = section.split("\n## ").next().unwrap();
    let listed: BTreeSet<String> = section
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            let name = cells.next()?.trim_matches('`').to_owned();
            let kind = cells.next()?.to_owned();
            let why = cells.next()?;
            assert!(why.len() > 20, "{name}: what may be done under it?");
            Some(format!("{name}: {kind}"))
        })
        .collect();
    assert_eq!(
        found, listed,
        "the table of locks in ARCHITECTURE.md (right) is not what the source has (left)"
    );
}

fn read(directory: &Path, module: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let inside = match (module, name.as_str()) {
            (_, "mod" | "lib") => module.to_owned(),
            ("", _) => name.clone(),
            _ => format!("{module}::{name}"),
        };
        if path.is_dir() {
            read(&path, &inside, found);
        } else if path.extension().is_some_and(|end| end == "rs") && inside != "lock" {
            let file = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
            Locks {
                module: &inside,
                found,
            }
            .visit_file(&file);
        }
    }
}

struct Locks<'a> {
    module: &'a str,
    found: &'a mut BTreeSet<String>,
}

impl<'ast> Visit<'ast> for Locks<'_> {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        for (index, field) in item.fields.iter().enumerate() {
            let mut kinds = Kinds(Vec::new());
            kinds.visit_type(&field.ty);
            // Whoever is lent a lock does not have it.
            let lent = matches!(field.ty, syn::Type::Reference(_));
            for kind in kinds.0.into_iter().filter(|_| !lent) {
                let name = field
                    .ident
                    .as_ref()
                    .map_or_else(|| index.to_string(), ToString::to_string);
                self.found
                    .insert(format!("{}::{}::{name}: {kind}", self.module, item.ident));
            }
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }
}

/// The kinds of lock that a type is made of.
struct Kinds(Vec<String>);

impl<'ast> Visit<'ast> for Kinds {
    fn visit_path_segment(&mut self, segment: &'ast syn::PathSegment) {
        let name = segment.ident.to_string();
        if KINDS.contains(&name.as_str()) {
            self.0.push(name);
        }
        visit::visit_path_segment(self, segment);
    }
}
