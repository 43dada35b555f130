//! Which bytes an artifact is.

use std::fmt;
use std::str::FromStr;

use super::{Error, shown};

/// A hash function that a checksum may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256 (FIPS 180-4); the store is keyed by it.
    Sha256,
    /// SHA-512 (FIPS 180-4); computed only where a checksum asks for it.
    Sha512,
}

impl Algorithm {
    /// The name in front of the colon, as in OCI digests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// A checksum: `sha256:<64 hex digits>` or `sha512:<128 hex digits>`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl Digest {
    /// The digest of a finished SHA-256 computation.
    pub fn sha256(bytes: [u8; 32]) -> Self {
        Self {
            algorithm: Algorithm::Sha256,
            bytes: bytes.to_vec(),
        }
    }

    /// The digest of a finished SHA-512 computation.
    pub fn sha512(bytes: [u8; 64]) -> Self {
        Self {
            algorithm: Algorithm::Sha512,
            bytes: bytes.to_vec(),
        }
    }

    /// The hash function.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The lowercase hexadecimal digits without the algorithm's name.
    pub fn hex(&self) -> String {
        hex::encode(&self.bytes)
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| {
            Error::new(format!(
                "{}: {why}; allowed is sha256:<64 hex digits> or sha512:<128 hex digits>",
                shown(text)
            ))
        };
        let (name, digits) = text
            .split_once(':')
            .ok_or_else(|| wrong("no algorithm in front of a colon"))?;
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            _ => return Err(wrong("not a known algorithm")),
        };
        let bytes = hex::decode(digits).map_err(|_| wrong("not hexadecimal digits"))?;
        if bytes.len() != algorithm.bytes() {
            return Err(wrong(&format!("{} digits", digits.len())));
        }
        Ok(Self { algorithm, bytes })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_digits_of_either_case_are_one_digest() {
        let lower: Digest = format!("sha256:{}", "ab".repeat(32)).parse().unwrap();
        let upper: Digest = format!("sha256:{}", "AB".repeat(32)).parse().unwrap();
        assert_eq!(lower, upper);
        assert_eq!(upper.to_string(), format!("sha256:{}", "ab".repeat(32)));
    }

    #[test]
    fn a_bad_checksum_says_what_is_allowed() {
        let long = "a".repeat(1 << 20);
        for bad in [
            "",
            "abc",
            "sha256:",
            "sha256:zz",
            "md5:00",
            "SHA256:00",
            "sha512:ab",
            long.as_str(),
        ] {
            let text = bad.parse::<Digest>().unwrap_err().to_string();
            assert!(text.contains("sha256:<64 hex digits>"), "{text}");
            assert!(text.len() < 300, "{}", text.len());
        }
        let wrong_length = format!("sha512:{}", "ab".repeat(32));
        assert!(
            wrong_length
                .parse::<Digest>()
                .unwrap_err()
                .to_string()
                .contains("64 digits")
        );
    }
}
