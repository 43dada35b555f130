//! A YAML file as a tree whose nodes know their places.
//!
//! Only what JSON can say, too: no aliases, no tags, no directives, one document. So a small file is a small tree, and
//! nothing in it means anything but what stands there.

use std::collections::BTreeMap;

use granit_parser::{ErrorKind, Event, Marker, Options, Parser, ScalarStyle, ScanError, Span};

use super::error::{Error, Position};
use crate::artifact::{Bytes, shown};

/// The largest file that is read, in bytes: as large as a ConfigMap can be.
pub(super) const LARGEST: usize = 1 << 20;

/// How many lists and mappings may be inside of each other; a policy has five.
const DEEPEST: usize = 16;

/// A value and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// No value: an empty one, `~` or `null`.
    Null,
    /// What YAML reads as a boolean or as a number, as it is written.
    Typed(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping; no two of one mapping are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) at: Position,
    pub(super) name: String,
}

/// Reads a file; nothing for one that says nothing.
///
/// Errors: too large, not UTF-8, not YAML, or YAML beyond what JSON can say.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Node>, Error> {
    if bytes.len() > LARGEST {
        return Err(Error::of_file(format!(
            "is larger than {}; split or shorten it",
            Bytes(LARGEST as u64)
        )));
    }
    let text = str::from_utf8(bytes).map_err(|e| {
        let line = 1 + bytes[..e.valid_up_to()]
            .iter()
            .filter(|b| **b == b'\n')
            .count();
        Error::of_file(format!("is not UTF-8 in line {line}; save it as UTF-8"))
    })?;
    // The parser would count it as a column.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.disallow_directives = true;
    // Beyond its own limit the reader says what is wrong; the parser's only bounds how far it looks ahead.
    options.flow_nesting_limit = 2 * DEEPEST;
    options.block_nesting_limit = 2 * DEEPEST;
    Reader {
        events: Parser::new_from_str_with_options(text, options),
        depth: 0,
    }
    .file()
}

struct Reader<I> {
    events: I,
    depth: usize,
}

impl<'a, I> Reader<I>
where
    I: Iterator<Item = Result<(Event<'a>, Span), ScanError>>,
{
    fn file(mut self) -> Result<Option<Node>, Error> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            if event == Event::StreamEnd {
                return Ok(root);
            }
            if matches!(event, Event::DocumentStart(..)) {
                if root.is_some() {
                    let what = "a second document begins here; put all rules into one";
                    return Err(Error::new(position(span.start), "", what));
                }
                let (event, span) = self.next()?;
                root = Some(self.node(event, span)?);
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Error> {
        match self.events.next() {
            Some(next) => next.map_err(|e| syntax(&e)),
            None => Err(Error::of_file("ends too early")),
        }
    }

    /// The node that an event begins.
    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, Error> {
        let at = position(span.start);
        let plain_only = |is_tagged: bool| match is_tagged {
            true => {
                let what =
                    "tags (!…) are not supported; remove it, and quote what is meant as text";
                Err(Error::new(at, "", what))
            }
            false => Ok(()),
        };
        if let Event::Scalar(text, style, _, tag) = event {
            plain_only(tag.is_some())?;
            let value = match style {
                ScalarStyle::Plain => plain(&text),
                ScalarStyle::SingleQuoted
                | ScalarStyle::DoubleQuoted
                | ScalarStyle::Literal
                | ScalarStyle::Folded => Value::Text(text.into_owned()),
            };
            return Ok(Node { at, value });
        }
        if self.depth == DEEPEST {
            let what = format!("more than {DEEPEST} lists and mappings are inside of each other");
            return Err(Error::new(at, "", what));
        }
        self.depth += 1;
        let value = if let Event::SequenceStart(_, _, tag) = event {
            plain_only(tag.is_some())?;
            self.list()?
        } else if let Event::MappingStart(_, _, tag) = event {
            plain_only(tag.is_some())?;
            self.map()?
        } else if matches!(event, Event::Alias(_)) {
            let what = "aliases (*…) are not supported; repeat the value";
            return Err(Error::new(at, "", what));
        } else {
            return Err(Error::new(at, "", "there is no value"));
        };
        self.depth -= 1;
        Ok(Node { at, value })
    }

    fn list(&mut self) -> Result<Value, Error> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Value::List(items));
            }
            items.push(self.node(event, span)?);
        }
    }

    fn map(&mut self) -> Result<Value, Error> {
        let mut entries = Vec::new();
        let mut seen = BTreeMap::<String, Position>::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Value::Map(entries));
            }
            let Node { at, value } = self.node(event, span)?;
            let (Value::Text(name) | Value::Typed(name)) = value else {
                return Err(Error::new(at, "", "a key must be a word"));
            };
            if let Some(first) = seen.insert(name.clone(), at) {
                let what = format!("the same key is in line {}; keep one", first.line);
                return Err(Error::new(at, shown(&name), what));
            }
            let (event, span) = self.next()?;
            entries.push((Key { at, name }, self.node(event, span)?));
        }
    }
}

fn position(mark: Marker) -> Position {
    Position {
        line: mark.line(),
        column: mark.col() + 1,
    }
}

/// The parser's error in our form. Its words are shown as they are: they are about YAML, which the author knows.
fn syntax(error: &ScanError) -> Error {
    let at = position(*error.marker());
    if *error.kind() == ErrorKind::RecursionLimitExceeded {
        let what = format!("more than {DEEPEST} lists and mappings are inside of each other");
        return Error::new(at, "", what);
    }
    Error::new(at, "", format!("is not YAML: {}", shown(&error.info())))
}

/// What a scalar without quotes is in YAML 1.2's core schema.
fn plain(text: &str) -> Value {
    let is_number = || {
        let digits = text.trim_start_matches(['+', '-', '.']);
        let radix = ["0x", "0o"].iter().any(|p| text.starts_with(p));
        digits.starts_with(|c: char| c.is_ascii_digit()) && (radix || text.parse::<f64>().is_ok())
    };
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Value::Typed(text.to_owned()),
        _ if is_number() => Value::Typed(text.to_owned()),
        _ => Value::Text(text.to_owned()),
    }
}
