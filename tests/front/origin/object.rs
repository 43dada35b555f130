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
    /// When it was put there, as a file system would say. A minute from now, so that no test is so slow that it is old.
    pub(crate) made: SystemTime,
    /// How many versions were there before.
    pub(crate) version: u32,
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
    /// As nginx makes it: a tag that looks strong, of the time in seconds and the size. Other bytes of the same size
    /// within that second keep it, and the date.
    Second,
    /// As Apache makes it: weak at first, because the bytes may change within the second, and the same text strong
    /// after they did.
    Ripening,
    /// Two servers in turn, each with a strong tag of its own for the same bytes.
    Mirrored,
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
            made: SystemTime::now() + Duration::from_mins(1),
            version: 0,
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

    /// The object as an origin with such validators shows it at its so-manieth answer.
    pub(super) fn seen_with(self, validator: Validator, answer: usize) -> Self {
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
            Validator::Second => {
                let seconds = self.made.duration_since(UNIX_EPOCH).unwrap().as_secs();
                Self {
                    etag: Some(format!("\"{seconds:x}-{:x}\"", self.bytes.len())),
                    last_modified: Some(self.made),
                    ..self
                }
            }
            Validator::Ripening => Self {
                etag: self.etag.map(|tag| match self.version {
                    0 => format!("W/{tag}"),
                    _later => tag,
                }),
                last_modified: Some(self.made),
                ..self
            },
            Validator::Mirrored => Self {
                etag: Some(format!("\"{}-{}\"", answer % 2, self.version)),
                ..self
            },
        }
    }

    /// Other bytes with the same time.
    pub(super) fn replaced(&self, bytes: Vec<u8>) -> Self {
        Self {
            bytes: bytes.into(),
            ..self.clone()
        }
    }

    /// The next version: as many bytes, every one of them another; the tag follows only if it is a strong one.
    pub(super) fn changed(&self, validator: Validator) -> Self {
        let bytes: Vec<u8> = self.bytes.iter().map(|b| b.wrapping_add(1)).collect();
        let next = Self::new(bytes);
        Self {
            etag: match validator {
                Validator::Strong | Validator::Mirrored => next.etag,
                Validator::Weak | Validator::None | Validator::Second | Validator::Ripening => {
                    self.etag.clone()
                }
            },
            last_modified: Some(SystemTime::now()),
            guard: self.guard.clone(),
            made: self.made,
            version: self.version + 1,
            bytes: next.bytes,
        }
    }
}
