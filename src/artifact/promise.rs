//! What an artifact is promised to hash to.

use std::fmt;
use std::str::FromStr;

use super::{Algorithm, Digest, Error, shown};

/// A hash function that a file beside an artifact may be of. MD5 is none: whoever makes a second file with the same one
/// needs seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HashFunction {
    /// SHA-512 (FIPS 180-4).
    Sha512,
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-1; see [`Sha1`].
    Sha1,
}

impl HashFunction {
    /// All, the strongest one first.
    pub const ALL: [Self; 3] = [Self::Sha512, Self::Sha256, Self::Sha1];

    /// Its name, as in `sha256:<hex>`; also the extension of a file that has such a checksum.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha512 => "sha512",
            Self::Sha256 => "sha256",
            Self::Sha1 => "sha1",
        }
    }

    /// How many hexadecimal digits a checksum of it has.
    pub(super) fn digits(self) -> usize {
        match self {
            Self::Sha512 => 128,
            Self::Sha256 => 64,
            Self::Sha1 => 40,
        }
    }

    /// The one that a line of a checksum file names, in one of the ways that tools write it.
    pub(super) fn named(name: &str) -> Option<Self> {
        match Algorithm::named(name) {
            Some(algorithm) => Some(algorithm.into()),
            None if ["SHA1", "SHA-1"]
                .iter()
                .any(|sha1| name.eq_ignore_ascii_case(sha1)) =>
            {
                Some(Self::Sha1)
            }
            None => None,
        }
    }
}

impl From<Algorithm> for HashFunction {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256,
            Algorithm::Sha512 => Self::Sha512,
        }
    }
}

impl FromStr for HashFunction {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|f| f.name() == text);
        found.ok_or_else(|| Error::new(format!("{}: use sha512, sha256 or sha1", shown(text))))
    }
}

impl fmt::Display for HashFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha512 => "SHA-512",
            Self::Sha256 => "SHA-256",
            Self::Sha1 => "SHA-1 (weak: it can be forged)",
        })
    }
}

/// A SHA-1 (FIPS 180-4). It shows that a file arrived as it was sent, and not who made it. Only files beside an artifact
/// have one; as a checksum that somebody writes out it is refused, so it is no [`Digest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sha1([u8; 20]);

impl Sha1 {
    /// That of a finished computation.
    pub fn of(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Sha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha1:{}", hex::encode(self.0))
    }
}

impl serde::Serialize for Sha1 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> serde::Deserialize<'de> for Sha1 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = hex::decode(String::deserialize(deserializer)?);
        let bytes = bytes.map_err(serde::de::Error::custom)?.try_into();
        bytes
            .map(Self)
            .map_err(|_| serde::de::Error::custom("not 40 digits"))
    }
}

/// What an artifact is promised to hash to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Promise {
    /// What proves its bytes.
    Digest(Digest),
    /// What shows that they are not damaged.
    Sha1(Sha1),
}

impl Promise {
    /// What proves bytes; nothing where it is weak.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Digest(digest) => Some(digest),
            Self::Sha1(_) => None,
        }
    }

    /// The hash function.
    pub fn function(&self) -> HashFunction {
        match self {
            Self::Digest(digest) => digest.algorithm().into(),
            Self::Sha1(_) => HashFunction::Sha1,
        }
    }
}

impl From<Digest> for Promise {
    fn from(digest: Digest) -> Self {
        Self::Digest(digest)
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => digest.fmt(f),
            Self::Sha1(sha1) => sha1.fmt(f),
        }
    }
}

/// What bytes hash to, as far as that was computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    /// Always.
    pub sha256: Digest,
    /// Where it was asked for.
    pub sha512: Option<Digest>,
    /// Where it was asked for.
    pub sha1: Option<Sha1>,
}

impl Digests {
    /// By the hash function of a promise, if it was asked for.
    pub fn like(&self, promise: &Promise) -> Option<Promise> {
        match promise.function() {
            HashFunction::Sha256 => Some(self.sha256.clone().into()),
            HashFunction::Sha512 => self.sha512.clone().map(Promise::from),
            HashFunction::Sha1 => self.sha1.map(Promise::Sha1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sha1_is_written_and_read_and_is_never_a_digest() {
        let sha1 = Sha1::of([0xab; 20]);
        let json = serde_json::to_string(&sha1).unwrap();
        assert_eq!(json, format!("\"{}\"", "ab".repeat(20)));
        assert_eq!(serde_json::from_str::<Sha1>(&json).unwrap(), sha1);
        for bad in ["\"ab\"", "\"zz\"", "1"] {
            assert!(serde_json::from_str::<Sha1>(bad).is_err(), "{bad}");
        }
        assert!(sha1.to_string().parse::<Digest>().is_err());
        assert_eq!(Promise::Sha1(sha1).digest(), None);
    }

    #[test]
    fn what_was_not_computed_is_like_no_promise() {
        let digests = Digests {
            sha256: Digest::sha256([1; 32]),
            sha512: None,
            sha1: None,
        };
        let promise = |d: Digest| Promise::from(d);
        let same = promise(Digest::sha256([1; 32]));
        assert_eq!(digests.like(&promise(Digest::sha256([2; 32]))), Some(same));
        assert_eq!(digests.like(&promise(Digest::sha512([2; 64]))), None);
        assert_eq!(digests.like(&Promise::Sha1(Sha1::of([2; 20]))), None);
    }
}
