//! What an origin says about an object before its bytes prove it.

use serde::{Deserialize, Serialize};

/// What an origin says about an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Length of the whole object in bytes, where it is known beforehand.
    pub length: Option<u64>,
    /// What names this state of the object.
    pub validator: Validator,
    /// Whether the end of the body can be told from a broken connection: it comes in chunks, or its bytes are counted
    /// down (RFC 9112 §6.3).
    pub framed: bool,
    /// A coding that the bytes have although none was asked for (RFC 9110 §8.4, RFC 9112 §7), behind the name of the
    /// header that says so.
    pub coding: Option<String>,
    /// `Last-Modified` as it was sent, however young it is. Missing in a record of an older version.
    pub modified: Option<String>,
    /// Whether that time is at least two seconds before the answer's own date, so that no later state of the object
    /// can have it (RFC 9110 §8.8.2.2). False in a record of an older version.
    pub settled: bool,
}

impl Facts {
    /// What names this state of the object and no other. Without it nothing but a checksum tells whether bytes that
    /// come later are of the same object.
    ///
    /// A strong tag alone is not enough: servers make it of the time in seconds and the size (nginx), so that other
    /// bytes of the same size within that second have the same one.
    pub fn revision(&self) -> Option<Revision> {
        let tag = self.validator.strong_tag().filter(|_| self.settled)?;
        Some(Revision {
            tag: tag.to_owned(),
            modified: self.modified.clone()?,
        })
    }
}

/// One state of an object, by all that its origin names it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The strong entity tag, as in [`Validator::etag`].
    pub tag: String,
    /// `Last-Modified`, as it was sent.
    pub modified: String,
}

/// What an origin gave to name one state of an object (RFC 9110 §8.8).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Validator {
    /// The entity tag as it was sent, weak or strong; each of its bytes is the character of that number (ISO-8859-1),
    /// because a tag is bytes and not text (RFC 9110 §8.8.3). Kept only where the object did not change within two
    /// seconds before the answer: such a tag may be the next state's too.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A partial download's note as version 0.1 wrote it.
    #[test]
    fn a_record_without_the_newer_facts_names_no_state() {
        let old = r#"{"length":9,"validator":{"etag":"\"t\"","last_modified":null},"framed":true,"coding":null}"#;
        let facts: Facts = serde_json::from_str(old).unwrap();
        assert_eq!(facts.validator.strong_tag(), Some("\"t\""));
        assert!(facts.length == Some(9) && facts.framed);
        assert_eq!(facts.revision(), None);
    }

    #[test]
    fn only_a_strong_tag_of_a_settled_object_names_its_state() {
        let of = |tag: &str, modified: Option<&str>, settled| {
            let facts = Facts {
                validator: Validator {
                    etag: Some(tag.into()),
                    last_modified: None,
                },
                modified: modified.map(str::to_owned),
                settled,
                ..Facts::default()
            };
            facts.revision().is_some()
        };
        assert!(of("\"t\"", Some("then"), true));
        assert!(!of("W/\"t\"", Some("then"), true));
        assert!(!of("\"t\"", Some("then"), false));
        assert!(!of("\"t\"", None, true));
        assert!(!of("", Some("then"), true));
    }
}
