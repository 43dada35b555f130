//! A link leads somewhere, and a page is found.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{root, texts};

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
