//! What a Maven repository says of the versions of an artifact.

use roxmltree::{Document, Node, ParsingOptions};

use super::coordinates::Coordinates;
use super::version::Version;
use crate::artifact::{Error, shown};

/// The longest metadata that is read, in bytes: ten thousands of versions.
pub const LONGEST: usize = 1 << 20;

/// The most nodes of a document, which bounds its memory; as many as the longest metadata has in real repositories.
const MOST_NODES: u32 = 1 << 17;

/// The most equals signs in a document, and so attributes. Real metadata has a handful; what the parser does with many is
/// not found out.
const MOST_EQUALS_SIGNS: usize = 500;

/// What `maven-metadata.xml` says, as far as versions depend on it. Everything else in it is ignored.
///
/// Its texts are as the repository sent them; what is taken from it is checked, and a [`Version`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    latest: Option<String>,
    release: Option<String>,
    /// The last of `<versions>`, for messages alone.
    listed: Option<String>,
    /// Time and number of the newest build, of `<snapshot>`.
    build: Option<String>,
    /// The files of the newest build, of `<snapshotVersions>`.
    files: Vec<SnapshotFile>,
}

/// A file of a snapshot's newest build.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SnapshotFile {
    extension: Option<String>,
    classifier: Option<String>,
    version: Option<String>,
    /// When it was deployed, in digits that sort as time.
    updated: Option<String>,
}

impl Metadata {
    /// Reads the content of a `maven-metadata.xml`.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        Self::parse(bytes).map_err(|why| {
            Error::new(format!(
                "{why}; check that the URL of the repository is right, and that no login page or proxy answers for it"
            ))
        })
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > LONGEST {
            return Err(format!(
                "has {} bytes, and at most {LONGEST} are read",
                bytes.len()
            ));
        }
        let text = str::from_utf8(bytes).map_err(|_| "is not UTF-8")?;
        let text = text.trim_start_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
        if text.is_empty() {
            return Err("is empty".to_owned());
        }
        let begins_with = |word: &str| {
            let head = text.get(..word.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(word))
        };
        if begins_with("<html") || begins_with("<!doctype html") {
            return Err("is an HTML page, not Maven metadata".to_owned());
        }
        if text.matches('=').nth(MOST_EQUALS_SIGNS).is_some() {
            return Err(format!(
                "has more than {MOST_EQUALS_SIGNS} attributes or equals signs"
            ));
        }
        // A DTD is refused by default, and with it every entity.
        let options = ParsingOptions {
            nodes_limit: MOST_NODES,
            ..ParsingOptions::default()
        };
        let document = Document::parse_with_options(text, options).map_err(|e| {
            if e == roxmltree::Error::DtdDetected {
                "has a DTD, as pages have it and Maven metadata has not".to_owned()
            } else {
                format!("is not XML that can be read: {}", shown(&e.to_string()))
            }
        })?;
        let root = document.root_element();
        if !root.has_tag_name("metadata") {
            return Err(format!(
                "is not Maven metadata, because its root element is {}",
                shown(root.tag_name().name())
            ));
        }
        let Some(versioning) = child(root, "versioning")? else {
            return Ok(Self::default());
        };
        let files = child(versioning, "snapshotVersions")?
            .into_iter()
            .flat_map(|list| all(list, "snapshotVersion"))
            .map(SnapshotFile::of)
            .collect::<Result<_, _>>()?;
        let listed = child(versioning, "versions")?
            .and_then(|list| all(list, "version").last())
            .map_or(Ok(None), text_of)?;
        Ok(Self {
            latest: text_in(versioning, "latest")?,
            release: text_in(versioning, "release")?,
            listed,
            build: child(versioning, "snapshot")?.map_or(Ok(None), build)?,
            files,
        })
    }

    /// The version that LATEST means: `<latest>`, else `<release>`. It may be a snapshot.
    pub fn latest(&self) -> Result<Version, Error> {
        self.named("LATEST", self.latest.as_ref().or(self.release.as_ref()))
    }

    /// The version that RELEASE means: `<release>`.
    pub fn release(&self) -> Result<Version, Error> {
        self.named("RELEASE", self.release.as_ref())
    }

    /// The newest build of a snapshot that has this file; the snapshot itself where no build is named.
    ///
    /// Where files are listed, only the file's own entry counts: the newest build may be one without it.
    pub fn snapshot(&self, snapshot: &Version, file: &Coordinates) -> Result<Version, Error> {
        if self.files.is_empty() {
            return match &self.build {
                Some(build) => snapshot.of_build(build).map_err(unusable),
                None => Ok(snapshot.clone()),
            };
        }
        let mut newest: Option<(&SnapshotFile, &String)> = None;
        for entry in self.files.iter().filter(|entry| entry.is_of(file)) {
            // Of two that are equally new Maven takes the first.
            if let Some(version) = &entry.version
                && newest.is_none_or(|(other, _)| other.updated < entry.updated)
            {
                newest = Some((entry, version));
            }
        }
        newest.map_or(Ok(snapshot.clone()), |(_, version)| {
            version.parse().map_err(unusable)
        })
    }

    /// A version that the metadata itself must name: the highest one of a list is not what Maven takes.
    fn named(&self, word: &str, version: Option<&String>) -> Result<Version, Error> {
        if let Some(version) = version {
            return version.parse().map_err(unusable);
        }
        let has = [
            ("latest", &self.latest),
            ("the last one listed", &self.listed),
        ]
        .into_iter()
        .filter_map(|(what, version)| Some(format!("{what}: {}", shown(version.as_ref()?))))
        .collect::<Vec<_>>()
        .join(", ");
        let has = if has.is_empty() { "no version" } else { &has };
        Err(Error::new(format!(
            "does not say which version is {word} (it has {has}); use a version instead of {word}"
        )))
    }
}

impl SnapshotFile {
    fn of(node: Node<'_, '_>) -> Result<Self, String> {
        Ok(Self {
            extension: text_in(node, "extension")?,
            classifier: text_in(node, "classifier")?,
            version: text_in(node, "value")?,
            updated: text_in(node, "updated")?,
        })
    }

    fn is_of(&self, file: &Coordinates) -> bool {
        self.extension.as_deref() == Some(file.extension())
            && self.classifier.as_deref() == file.classifier()
    }
}

fn unusable(e: Error) -> Error {
    Error::new(format!("names a version that cannot be used: {e}"))
}

/// Time and number of `<snapshot>`; Maven takes the one only with the other.
fn build(snapshot: Node<'_, '_>) -> Result<Option<String>, String> {
    let number = text_in(snapshot, "buildNumber")?
        .and_then(|text| text.parse().ok())
        .filter(|number: &u32| *number > 0);
    Ok(text_in(snapshot, "timestamp")?
        .zip(number)
        .map(|(time, number)| format!("{time}-{number}")))
}

/// The children of that name, in whatever namespace: there are several, and none means something else.
fn all<'a, 'i>(node: Node<'a, 'i>, name: &str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |c| c.has_tag_name(name))
}

/// The child of that name. Two of them are refused, as by Maven: nobody knows which one is meant.
fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Result<Option<Node<'a, 'i>>, String> {
    let mut children = all(node, name);
    let first = children.next();
    match children.next() {
        Some(_) => Err(format!("has more than one <{name}> in one place")),
        None => Ok(first),
    }
}

fn text_in(node: Node<'_, '_>, name: &str) -> Result<Option<String>, String> {
    child(node, name)?.map_or(Ok(None), text_of)
}

/// The text of an element without the white space around it, where there is any. Comments do not count.
fn text_of(node: Node<'_, '_>) -> Result<Option<String>, String> {
    if node.children().any(|child| child.is_element()) {
        let name = node.tag_name().name();
        return Err(format!("has an element in <{name}>, which is text"));
    }
    let texts = node.children().filter(Node::is_text);
    let text: String = texts.filter_map(|child| child.text()).collect();
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

#[cfg(test)]
mod tests;
