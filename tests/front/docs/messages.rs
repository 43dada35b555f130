//! docs/troubleshooting.md has each message of the driver, under the code that it comes with.
//!
//! The messages are those of the error enums in `src/`, with `…` for what is filled in; the codes come from the same
//! tables that the driver answers by. Left out on purpose: messages that are nothing but another one's text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::TokenTree;
use syn::{Attribute, Expr, ImplItem, Item, Pat, Stmt};

use super::{read, root};

const PAGE: &str = "docs/troubleshooting.md";

/// The headings of what no call of kubelet's is answered with, by who says it; the first that fits counts.
const ELSEWHERE: [(&str, &str); 5] = [
    ("src/flexvolume", "In pods with `flexVolume`"),
    ("src/cluster", "In the driver's log"),
    ("src/admin", OF_COMMANDS),
    ("src/app", OF_COMMANDS),
    ("src/cli", OF_COMMANDS),
];

/// Whatever the driver says at its start is said on the command line too.
const OF_COMMANDS: &str = "On the command line";

/// A message as the source has it.
struct Message {
    shape: String,
    /// In which file.
    place: String,
    /// Who has to act, where that is one and the same whenever it is said.
    fault: Option<String>,
}

#[test]
fn each_message_of_the_driver_is_explained_under_its_code() {
    let codes = codes();
    let page = read(PAGE);
    let explained = explained(&page);
    let mut missing = Vec::new();
    let messages = messages();
    assert!(messages.len() > 60, "{}", messages.len());
    for Message {
        shape,
        place,
        fault,
    } in &messages
    {
        let own = ELSEWHERE.iter().find(|(dir, _)| place.starts_with(dir));
        let code = fault.as_ref().map(|f| format!("`{}`", codes[f]));
        let right = own.map(|(_, heading)| *heading).or(code.as_deref());
        let found = explained.iter().any(|(heading, explained)| {
            let is_right = heading == OF_COMMANDS || right.is_none_or(|r| heading == r);
            explained == shape && is_right
        });
        if !found {
            missing.push(format!("{}: - `{shape}`", right.unwrap_or("any")));
        }
    }
    assert!(
        missing.is_empty(),
        "{PAGE} lacks, under these headings:\n{}",
        missing.join("\n")
    );
    let all: BTreeSet<&str> = messages.iter().map(|m| &*m.shape).collect();
    for (_, shape) in explained {
        assert!(
            all.contains(&*shape),
            "{PAGE} explains what is never said: {shape}"
        );
    }
}

/// The messages on the page, each with its heading: list items that begin with code.
fn explained(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for section in page.split("\n## ").skip(1) {
        let heading = section.lines().next().unwrap();
        for item in section.split("\n- `").skip(1) {
            let (shape, _) = item.split_once('`').unwrap();
            // Long ones are wrapped.
            let words: Vec<&str> = shape.split_whitespace().collect();
            found.push((heading.to_owned(), behind_the_url(&words.join(" "))));
        }
    }
    found
}

/// A message without the URL that it begins with, which an enum may leave to another one.
fn behind_the_url(shape: &str) -> String {
    shape.strip_prefix("…: ").unwrap_or(shape).to_owned()
}

/// The gRPC code of each fault.
fn codes() -> BTreeMap<String, String> {
    let file = syn::parse_file(&read("src/csi/status.rs")).unwrap();
    let code = file.items.iter().find_map(|item| {
        let Item::Fn(f) = item else { return None };
        (f.sig.ident == "code").then_some(&*f.block)
    });
    let codes = arms(&code.unwrap().stmts);
    assert_eq!(codes.len(), war_vol::fault::Fault::ALL.len());
    codes
}

fn messages() -> Vec<Message> {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut found = Vec::new();
    for path in files {
        let place = path.strip_prefix(root()).unwrap().display().to_string();
        let file = syn::parse_file(&read(&place)).unwrap();
        for item in &file.items {
            if let Item::Enum(item) = item {
                let faults = faults(&file, &item.ident.to_string());
                // Whose errors have no fault are parts of another's.
                let all = item.variants.iter();
                found.extend(all.filter_map(|variant| {
                    let shape = variant.attrs.iter().find_map(shape)?;
                    Some(Message {
                        shape,
                        place: place.clone(),
                        fault: faults.get(&variant.ident.to_string()).cloned(),
                    })
                }));
            }
        }
    }
    found
}

fn sources(dir: &Path, found: &mut Vec<std::path::PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The text of `#[error("…")]` with `…` for what is filled in; nothing where that is all.
fn shape(attribute: &Attribute) -> Option<String> {
    if !attribute.path().is_ident("error") {
        return None;
    }
    let tokens = attribute.meta.require_list().unwrap().tokens.clone();
    let Some(TokenTree::Literal(text)) = tokens.into_iter().next() else {
        return None; // transparent
    };
    let text: syn::LitStr = syn::parse_str(&text.to_string()).unwrap();
    let mut shape = String::new();
    let mut depth = 0;
    for c in text
        .value()
        .replace("{{", "\u{1}")
        .replace("}}", "\u{2}")
        .chars()
    {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if !shape.ends_with('…') {
                    shape.push('…');
                }
            }
            c if depth == 0 => shape.push(c),
            _ => {}
        }
    }
    let shape = shape.replace('\u{1}', "{").replace('\u{2}', "}");
    let said = shape.contains(char::is_alphabetic);
    said.then(|| behind_the_url(&shape))
}

/// The variants of an enum by what `fault()` says of them, or the table of what their `kind()` leads to, as far as that is
/// one word.
fn faults(file: &syn::File, name: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for item in &file.items {
        let Item::Impl(block) = item else { continue };
        let syn::Type::Path(of) = &*block.self_ty else {
            continue;
        };
        if block.trait_.is_some() || !of.path.is_ident(name) {
            continue;
        }
        for item in &block.items {
            let ImplItem::Fn(f) = item else { continue };
            if f.sig.ident == "fault" || f.sig.ident == "consequences" {
                found.extend(arms(&f.block.stmts));
            } else if f.sig.ident == "kind" {
                let table = syn::parse_file(&read("src/source/kind.rs")).unwrap();
                let table = faults(&table, "Kind");
                let kinds = arms(&f.block.stmts).into_iter();
                found.extend(kinds.map(|(variant, kind)| (variant, table[&kind].clone())));
            }
        }
    }
    found
}

/// What each variant in the only `match` of a function leads to, by their last names.
fn arms(body: &[Stmt]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let [Stmt::Expr(Expr::Match(table), None)] = body else {
        return found;
    };
    for arm in &table.arms {
        let mut end = &*arm.body;
        if let Expr::Block(block) = end
            && let [Stmt::Expr(only, None)] = &*block.block.stmts
        {
            end = only;
        } else if let Expr::Tuple(several) = end {
            end = &several.elems[0];
        }
        let Expr::Path(end) = end else { continue };
        let end = end.path.segments.last().unwrap().ident.to_string();
        let mut variants = Vec::new();
        named(&arm.pat, &mut variants);
        found.extend(variants.into_iter().map(|v| (v, end.clone())));
    }
    found
}

fn named(pattern: &Pat, found: &mut Vec<String>) {
    let path = if let Pat::Or(or) = pattern {
        return or.cases.iter().for_each(|case| named(case, found));
    } else if let Pat::Path(one) = pattern {
        &one.path
    } else if let Pat::Struct(one) = pattern {
        &one.path
    } else if let Pat::TupleStruct(one) = pattern {
        &one.path
    } else {
        panic!("a pattern that is no variant")
    };
    found.push(path.segments.last().unwrap().ident.to_string());
}
