//! What is fetched: parsed once, valid ever after.
//!
//! Owns the words that the rest of the crate speaks about an artifact: where it is ([`ArtifactUrl`]), which
//! bytes it is ([`Digest`]) and what says so ([`Promise`]), what its origin says of it ([`Facts`]), what it is called in a volume ([`FileName`], [`VolumePath`]), how large it may be
//! ([`parse_size`]) and which addresses may be asked for it ([`AddressRule`]). What it is called in a Maven repository, and
//! where that is, is in [`maven`].
//!
//! Invariant: no value of these types is ever invalid, none performs I/O, and none prints a secret.

mod address_rule;
mod checksum;
pub mod checksum_file;
mod digest;
mod facts;
pub mod maven;
mod place;
mod promise;
mod size;
mod url;

pub use self::address_rule::{AddressRule, Blocked, Reach};
pub use self::checksum::{Checksum, ChecksumFile};
pub use self::digest::{Algorithm, Digest};
pub use self::facts::{Facts, Revision, Validator};
pub use self::place::{FileName, VolumePath};
pub use self::promise::{Digests, HashFunction, Promise, Sha1};
pub use self::size::{Bytes, parse_size};
pub use self::url::{ArtifactUrl, Redacted};

use crate::fault::Fault;

/// A word that is not one of ours.
///
/// The text names the value (redacted) and what is allowed; whoever knows the attribute's name adds it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

impl Error {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A word that cannot be parsed is the asker's to correct.
    pub fn fault(&self) -> Fault {
        Fault::Invalid
    }
}

/// A value as it may be shown in a message: escaped, and cut where it is long.
pub(crate) fn shown(value: &str) -> String {
    const LONGEST: usize = 80;
    let mut text: String = value
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect();
    if value.chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    format!("\"{text}\"")
}
