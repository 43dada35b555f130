//! A tree's values by their keys, each with the words for what is wrong with it.

use super::error::{Error, Position};
use super::yaml::{Key, Node, Value};
use crate::artifact::{parse_size, shown};

/// The longest text that is shown in a message, in characters: an event holds 1,024 bytes.
const LONGEST_TEXT: usize = 200;

/// The entries of a mapping whose keys are all known.
pub(super) struct Fields {
    at: Position,
    path: String,
    entries: Vec<(Key, Node)>,
}

/// A value with the path of its key.
pub(super) struct Item {
    node: Node,
    path: String,
}

impl Fields {
    /// Takes a file's root apart.
    pub(super) fn of_root(root: Node, known: &[&str]) -> Result<Self, Error> {
        let path = String::new();
        Item { node: root, path }.fields(known)
    }

    /// The value of a key, where it is there.
    pub(super) fn take(&mut self, key: &str) -> Option<Item> {
        let index = self.entries.iter().position(|(k, _)| k.name == key)?;
        let (_, node) = self.entries.swap_remove(index);
        let path = join(&self.path, key);
        Some(Item { node, path })
    }

    /// The same, of a key that must be there.
    pub(super) fn need(&mut self, key: &str) -> Result<Item, Error> {
        let missing = Error::new(self.at, &*self.path, format!("has no {key}; add one"));
        self.take(key).ok_or(missing)
    }

    /// Where the mapping begins.
    pub(super) fn at(&self) -> Position {
        self.at
    }

    /// The path of a key in it, for messages.
    pub(super) fn key(&self, key: &str) -> String {
        join(&self.path, key)
    }
}

impl Item {
    /// Where the value begins.
    pub(super) fn at(&self) -> Position {
        self.node.at
    }

    /// An error at a key of the mapping, if it has that.
    pub(super) fn error_at(&self, name: &str, what: &str) -> Option<Error> {
        let Value::Map(entries) = &self.node.value else {
            return None;
        };
        let (key, _) = entries.iter().find(|(key, _)| key.name == name)?;
        Some(Error::new(key.at, join(&self.path, name), what))
    }

    pub(super) fn error(&self, what: impl Into<String>) -> Error {
        Error::new(self.node.at, &*self.path, what)
    }

    /// A mapping that has no keys but these.
    pub(super) fn fields(self, known: &[&str]) -> Result<Fields, Error> {
        let (at, path) = (self.node.at, self.path.clone());
        let entries = self.entries()?;
        if let Some((key, _)) = entries.iter().find(|(k, _)| !known.contains(&&*k.name)) {
            let what = format!(
                "unknown key{}; the keys are {}",
                nearest(&key.name, known),
                known.join(", ")
            );
            return Err(Error::new(key.at, join(&path, &quoted(&key.name)), what));
        }
        Ok(Fields { at, path, entries })
    }

    /// A mapping of words to words, with any keys.
    pub(super) fn words(self) -> Result<Vec<(String, String)>, Error> {
        let path = self.path.clone();
        let entries = self.entries()?.into_iter();
        let words = entries.map(|(key, node)| {
            let path = join(&path, &quoted(&key.name));
            // An empty value is one, for a label.
            Ok((key.name, Item { node, path }.raw_text()?))
        });
        words.collect()
    }

    fn entries(self) -> Result<Vec<(Key, Node)>, Error> {
        match self.node.value {
            Value::Map(entries) => Ok(entries),
            Value::Null | Value::Typed(_) | Value::Text(_) | Value::List(_) => {
                Err(self.must_be("a mapping of keys to values"))
            }
        }
    }

    /// A list, each item read by `read`.
    pub(super) fn list<T>(self, read: impl Fn(Item) -> Result<T, Error>) -> Result<Vec<T>, Error> {
        let Value::List(nodes) = self.node.value else {
            return Err(self.must_be("a list"));
        };
        let items = nodes.into_iter().enumerate();
        let read = items.map(|(index, node)| {
            let path = format!("{}[{index}]", self.path);
            read(Item { node, path })
        });
        read.collect()
    }

    /// The same, where an empty list could be read in two ways: as nothing, and as no condition.
    pub(super) fn list_of_some<T>(
        self,
        instead: &str,
        read: impl Fn(Item) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let empty = self.error(format!("is empty; {instead}"));
        let list = self.list(read)?;
        if list.is_empty() {
            return Err(empty);
        }
        Ok(list)
    }

    /// Text that is not empty, fits in a message and has no line break.
    pub(super) fn text(self) -> Result<String, Error> {
        let text = self.raw_text()?;
        let what = if text.trim().is_empty() {
            "is empty".to_owned()
        } else if text.chars().count() > LONGEST_TEXT {
            format!("has more than {LONGEST_TEXT} characters; shorten it")
        } else if text.contains(char::is_control) {
            "contains a line break or another control character; remove it".to_owned()
        } else {
            return Ok(text);
        };
        Err(self.error(what))
    }

    fn raw_text(&self) -> Result<String, Error> {
        match &self.node.value {
            Value::Text(text) => Ok(text.clone()),
            Value::Typed(text) => Err(self.error(format!(
                "is a number or a boolean in YAML; quote it: {}",
                shown(text)
            ))),
            Value::Null | Value::List(_) | Value::Map(_) => Err(self.must_be("text")),
        }
    }

    /// Text of which `parse` makes a value.
    pub(super) fn parse<T, E: std::fmt::Display>(
        self,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<T, Error> {
        let text = self.raw_text()?;
        parse(&text).map_err(|e| self.error(e.to_string()))
    }

    /// One of some words.
    pub(super) fn one_of<T: Copy>(self, words: &[(&str, T)]) -> Result<T, Error> {
        let text = self.raw_text()?;
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let meant = nearest(&text, &names);
            self.error(format!(
                "{} is unknown{meant}; use {}",
                shown(&text),
                names.join(", ")
            ))
        })
    }

    /// `true` or `false`.
    pub(super) fn boolean(self) -> Result<bool, Error> {
        let Value::Typed(word) = &self.node.value else {
            return Err(self.must_be("true or false, without quotes"));
        };
        match word.to_lowercase().parse() {
            Ok(is_true) => Ok(is_true),
            Err(_) => Err(self.must_be("true or false")),
        }
    }

    /// A number of bytes above 0.
    pub(super) fn size(self) -> Result<u64, Error> {
        match &self.node.value {
            Value::Text(text) | Value::Typed(text) => {
                parse_size(text).map_err(|e| self.error(e.to_string()))
            }
            Value::Null | Value::List(_) | Value::Map(_) => {
                Err(self.must_be("a size, such as 500M or 2Gi"))
            }
        }
    }

    fn must_be(&self, what: &str) -> Error {
        let is = match self.node.value {
            Value::Null => "has no value",
            Value::Typed(_) => "is a number or a boolean",
            Value::Text(_) => "is text",
            Value::List(_) => "is a list",
            Value::Map(_) => "is a mapping",
        };
        self.error(format!("{is}; it must be {what}"))
    }
}

fn join(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    }
}

/// A key of the author's own as it may be shown: quoted only where it is no plain word.
fn quoted(key: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    match !key.is_empty() && key.len() <= 80 && key.chars().all(is_plain) {
        true => key.to_owned(),
        false => shown(key),
    }
}

fn nearest(word: &str, known: &[&str]) -> String {
    if word.len() > LONGEST_TEXT {
        return String::new(); // the comparison takes time that grows with the square
    }
    let word = word.to_lowercase();
    let likeness = |known: &str| strsim::jaro_winkler(&known.to_lowercase(), &word);
    known
        .iter()
        .map(|known| (likeness(known), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(String::new, |(_, known)| {
            format!(" (did you mean {known}?)")
        })
}
