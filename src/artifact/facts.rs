//! What an origin says about an object before its bytes prove it.

use serde::{Deserialize, Serialize};

/// What an origin says about an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Length of the whole object in bytes, where it is known beforehand.
    pub length: Option<u64>,
    /// What names this state of the object.
    pub validator: Validator,
    /// Whether the end of the body can be told from a broken connection.
    pub framed: bool,
    /// The content coding (RFC 9110 §8.4) that the origin applied although it was asked for none.
    pub coding: Option<String>,
}

/// What an origin gave to name one state of an object (RFC 9110 §8.8).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validator {
    /// The entity tag as it was sent, weak or strong; each of its bytes is the character of that number (ISO-8859-1),
    /// because a tag is bytes and not text (RFC 9110 §8.8.3).
    pub etag: Option<String>,
    /// The modification time as it was sent, kept only where the answer's own date is at least a minute later:
    /// a younger one may name two states of the object (RFC 9110 §8.8.2.2).
    pub last_modified: Option<String>,
}

impl Validator {
    /// The entity tag, if equal tags mean equal bytes.
    pub fn strong_tag(&self) -> Option<&str> {
        self.etag
            .as_deref()
            .filter(|tag| tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'))
    }

    /// Whether there is anything to ask a conditional question with.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}
