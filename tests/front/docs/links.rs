//! A link leads somewhere, and the Chinese document does not fall behind.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{blocks, root, texts};

const CHINESE: &str = "README.zh-CN.md";

/// Stands before a block of code that no other document has.
const OWN: &str = "<!-- only here -->";

#[test]
fn every_link_of_a_document_leads_to_a_file_and_a_heading() {
    let mut followed = 0;
    for (file, text) in texts() {
        for link in links(&text).filter(|l| !l.contains("://")) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let here = root().join(&file);
            let place = if path.is_empty() {
                here
            } else {
                here.parent().unwrap().join(path)
            };
            assert!(place.exists(), "{file} links to {link}");
            if !heading.is_empty() {
                let known = headings(&place);
                assert!(known.contains(heading), "{file} links to {link}: {known:?}");
            }
            followed += 1;
        }
    }
    assert!(followed > 10, "{followed}");
}

#[test]
fn every_page_is_reached_from_the_readme() {
    let texts = texts();
    let mut reached = BTreeSet::from(["README.md".to_owned()]);
    let mut waiting = vec!["README.md".to_owned()];
    while let Some(file) = waiting.pop() {
        let (_, text) = texts.iter().find(|(name, _)| *name == file).unwrap();
        for link in links(text).filter(|l| !l.contains("://")) {
            let path = link.split('#').next().unwrap();
            let place = root().join(&file).parent().unwrap().join(path);
            let Ok(place) = fs::canonicalize(place) else {
                continue;
            };
            let name = place.strip_prefix(fs::canonicalize(root()).unwrap());
            let name = name.unwrap().display().to_string();
            if texts.iter().any(|(known, _)| *known == name) && reached.insert(name.clone()) {
                waiting.push(name);
            }
        }
    }
    for (file, _) in texts.iter().filter(|(f, _)| f.starts_with("docs/")) {
        assert!(
            reached.contains(file),
            "no link leads from README.md to {file}"
        );
    }
}

#[test]
fn the_chinese_readme_shows_the_code_that_the_others_show() {
    let mut known: BTreeSet<String> = BTreeSet::new();
    for (file, text) in texts() {
        if file != CHINESE {
            known.extend(blocks(&text).into_iter().map(|b| b.lines.join("\n")));
        }
    }
    let text = fs::read_to_string(root().join(CHINESE)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut shared = 0;
    for block in blocks(&text) {
        let above = lines[..block.line].iter().rfind(|l| !l.trim().is_empty());
        if above.is_some_and(|l| *l == OWN) {
            continue;
        }
        let code = block.lines.join("\n");
        assert!(
            known.contains(&code),
            "{CHINESE} has code that no other document has; follow the other, or write {OWN} above it:\n{code}"
        );
        shared += 1;
    }
    assert!(shared > 3, "{shared}");
}

/// The targets of `[…](target)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?;
        (!target.contains(char::is_whitespace)).then_some(target)
    })
}

/// The anchors of a page, as GitHub makes them.
fn headings(page: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(page).unwrap();
    let titles = text.lines().filter_map(|l| {
        let title = l.trim_start_matches('#');
        (title.len() < l.len()).then_some(title.trim())
    });
    titles
        .map(|title| {
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.collect::<String>().to_lowercase().replace(' ', "-")
        })
        .collect()
}
