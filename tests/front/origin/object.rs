//! What an origin serves.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

/// The bytes behind a path, and what is told about them.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    /// The bytes.
    pub(crate) bytes: Arc<[u8]>,
    /// The entity tag as it is written, quotes and `W/` included.
    pub(crate) etag: Option<String>,
    /// When the bytes changed last.
    pub(crate) last_modified: Option<SystemTime>,
    /// The `Authorization` header that a request must have; without it the answer is 401.
    pub(crate) guard: Option<String>,
}

/// How well an origin tells one version of an object from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validator {
    /// A strong entity tag and a date: other bytes, another tag.
    Strong,
    /// A weak entity tag that outlives a change of the bytes, and a date that is always "just now" (a date is
    /// strong only when it is a minute old: RFC 9110, 8.8.2.2).
    Weak,
    /// Neither tag nor date.
    None,
}

impl Object {
    /// An object with a strong entity tag made from its bytes.
    pub(crate) fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self {
            etag: Some(format!(
                "\"{}\"",
                &hex::encode(Sha256::digest(&bytes))[..16]
            )),
            last_modified: Some(UNIX_EPOCH + Duration::from_hours(490_000)),
            guard: None,
            bytes,
        }
    }

    /// The same object for those only who send this `Authorization`.
    pub(crate) fn guarded(self, authorization: &str) -> Self {
        Self {
            guard: Some(authorization.to_owned()),
            ..self
        }
    }

    /// The object as an origin with such validators shows it.
    pub(super) fn seen_with(self, validator: Validator) -> Self {
        match validator {
            Validator::Strong => self,
            Validator::Weak => Self {
                etag: self
                    .etag
                    .map(|tag| format!("W/{}", tag.trim_start_matches("W/"))),
                last_modified: Some(SystemTime::now()),
                ..self
            },
            Validator::None => Self {
                etag: None,
                last_modified: None,
                ..self
            },
        }
    }

    /// The next version: as many bytes, every one of them another; the tag follows only if it is a strong one.
    pub(super) fn changed(&self, validator: Validator) -> Self {
        let bytes: Vec<u8> = self.bytes.iter().map(|b| b.wrapping_add(1)).collect();
        let next = Self::new(bytes);
        Self {
            etag: match validator {
                Validator::Strong => next.etag,
                Validator::Weak | Validator::None => self.etag.clone(),
            },
            last_modified: Some(SystemTime::now()),
            guard: self.guard.clone(),
            bytes: next.bytes,
        }
    }
}
