//! What is wrong with a policy file, and where.

use std::fmt;

use crate::fault::Fault;

/// A place in the file, both counted from 1; the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a policy file is rejected: the place, the key as a path (`rules[0].allow.urls[1]`), and what to change.
///
/// It does not name the file: only its reader knows how that is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    at: Option<Position>,
    key: String,
    what: String,
}

impl Error {
    /// An error of the file as a whole.
    pub(super) fn of_file(what: impl Into<String>) -> Self {
        Self {
            at: None,
            key: String::new(),
            what: what.into(),
        }
    }

    /// An error at a place. The key is empty where there is none.
    pub(super) fn new(at: Position, key: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            at: Some(at),
            key: key.into(),
            what: what.into(),
        }
    }

    /// Where it is; nothing for an error of the file as a whole.
    pub fn at(&self) -> Option<Position> {
        self.at
    }

    /// The file is its author's to correct.
    pub fn fault(&self) -> Fault {
        Fault::Invalid
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at {
            write!(f, "{at}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for Error {}
