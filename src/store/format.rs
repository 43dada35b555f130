//! The format of the records in the store, and what another version of this program makes of them.
//!
//! A record says its version. That is raised only where an older program would misread a new record: a field that is
//! added has a default, and an older program passes over what it does not know. So a program reads the records of older
//! versions, and those of newer ones unless they say that it must not.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of a record's format. The first ones did not say theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(u32);

impl Version {
    /// What this program writes, and the newest that it reads.
    pub const CURRENT: Self = Self(1);
}

impl Default for Version {
    fn default() -> Self {
        Self(1)
    }
}

/// What a record's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed<T> {
    /// A record.
    Known(T),
    /// One that a newer program wrote, and this one would misread.
    Newer,
    /// None that anybody can read.
    Lost,
}

impl<T: DeserializeOwned> Parsed<T> {
    /// Reads a record from JSON.
    pub fn of(bytes: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Head {
            #[serde(default)]
            version: Version,
        }
        match serde_json::from_slice::<Head>(bytes) {
            Ok(head) if head.version > Version::CURRENT => Self::Newer,
            Ok(_) => serde_json::from_slice(bytes).map_or(Self::Lost, Self::Known),
            Err(_) => Self::Lost,
        }
    }
}

impl<T> Parsed<T> {
    /// The record, if this program may read it.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(record) => Some(record),
            Self::Newer | Self::Lost => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    struct Record {
        name: String,
        #[serde(default)]
        added: u32,
    }

    #[test]
    fn older_and_newer_records_are_read_unless_they_say_that_they_must_not() {
        let of = |text: &str| Parsed::<Record>::of(text.as_bytes());
        let known = |added| {
            let name = "a".to_owned();
            Parsed::Known(Record { name, added })
        };
        assert_eq!(of(r#"{"name":"a"}"#), known(0));
        assert_eq!(of(r#"{"name":"a","version":1,"added":2}"#), known(2));
        assert_eq!(of(r#"{"name":"a","version":1,"more":{"b":[]}}"#), known(0));
        assert_eq!(of(r#"{"name":"a","version":2}"#), Parsed::Newer);
        assert_eq!(of(r#"{"version":2,"shape":"another"}"#), Parsed::Newer);
        for lost in ["", "{", "{}", "[]", r#"{"name":"a","version":-1}"#] {
            assert_eq!(of(lost), Parsed::Lost, "{lost}");
        }
    }
}
