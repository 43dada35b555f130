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

    /// The one that a line of `sha256sum --tag`, `openssl dgst` or BSD's programs names.
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "SHA256" | "SHA-256" | "SHA2-256" => Some(Self::Sha256),
            "SHA512" | "SHA-512" | "SHA2-512" => Some(Self::Sha512),
            _ => None,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// A checksum; its canonical form is `sha256:<64 hex digits>` or `sha512:<128 hex digits>`.
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

/// As people have it before them: `sha256:<hex>` with the algorithm in any case, the digits alone, whose number tells the
/// algorithm, and a line as sha256sum and its kin print it, in either of their forms. The name in such a line is not
/// looked at.
impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why: &str| {
            Error::new(format!(
                "{}: {why}; use sha256:<64 hex digits> or sha512:<128 hex digits>, the digits alone, or a line of \
                 sha256sum output",
                shown(text)
            ))
        };
        let (name, digits) = parts(text.trim());
        let bytes = hex::decode(digits);
        let algorithm = match name.map(str::to_ascii_lowercase).as_deref() {
            Some("sha256") => Algorithm::Sha256,
            Some("sha512") => Algorithm::Sha512,
            Some(_) => return Err(wrong("unknown algorithm")),
            None => match (digits.len(), &bytes) {
                (64, _) => Algorithm::Sha256,
                (128, _) => Algorithm::Sha512,
                (32, Ok(_)) => {
                    return Err(wrong("it has the length of an MD5, which can be forged"));
                }
                (40, Ok(_)) => {
                    return Err(wrong("it has the length of a SHA-1, which can be forged"));
                }
                (n, Ok(_)) if n > 0 => return Err(wrong(&format!("{n} digits"))),
                (_, _) => return Err(wrong("no algorithm before a colon")),
            },
        };
        let bytes = bytes.map_err(|_| wrong("not hexadecimal digits"))?;
        if bytes.len() != algorithm.bytes() {
            return Err(wrong(&format!("{} digits", digits.len())));
        }
        Ok(Self { algorithm, bytes })
    }
}

/// The name of the algorithm, where there is one, and the digits.
fn parts(text: &str) -> (Option<&str>, &str) {
    // `SHA256 (name) = digits`, as BSD and `sha256sum --tag` have it.
    if let Some((name, rest)) = text.split_once(" (")
        && let Some((_, digits)) = rest.rsplit_once(") = ")
    {
        return (Some(name), digits);
    }
    // `digits  name`, or ` *name` for binary; a backslash in front says that the name is escaped.
    if let Some((digits, name)) = text.split_once(' ')
        && name.starts_with([' ', '*'])
        && !digits.contains(':')
    {
        return (None, digits.strip_prefix('\\').unwrap_or(digits));
    }
    match text.split_once(':') {
        Some((name, digits)) => (Some(name), digits),
        None => (None, text),
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
    fn a_checksum_is_taken_as_people_have_it_before_them() {
        let (short, long) = ("ab".repeat(32), "cd".repeat(64));
        let upper = short.to_uppercase();
        for (text, canonical) in [
            (short.clone(), format!("sha256:{short}")),
            (upper.clone(), format!("sha256:{short}")),
            (long.clone(), format!("sha512:{long}")),
            (format!("SHA256:{upper}"), format!("sha256:{short}")),
            (format!("Sha512:{long}"), format!("sha512:{long}")),
            (format!("{short}  sample.war"), format!("sha256:{short}")),
            (format!("{short} *sample.war\n"), format!("sha256:{short}")),
            (format!("{short}  a: b  c"), format!("sha256:{short}")),
            (format!("\\{short}  a\\nb"), format!("sha256:{short}")),
            (format!("{long}  -"), format!("sha512:{long}")),
            (
                format!("SHA256 (a (1) = b) = {short}"),
                format!("sha256:{short}"),
            ),
            (format!("SHA512 (a) = {long}"), format!("sha512:{long}")),
        ] {
            let digest: Digest = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(digest.to_string(), canonical);
        }
        for (bad, says) in [
            ("ab".repeat(16), "MD5"),
            ("ab".repeat(20), "SHA-1"),
            ("ab".repeat(48), "96 digits"),
            ("xy".repeat(32), "not hexadecimal"),
            (
                format!("MD5 (a) = {}", "ab".repeat(16)),
                "unknown algorithm",
            ),
            (format!("{short} sample.war"), "use sha256:"),
            (format!("sha256:{short}  sample.war"), "not hexadecimal"),
            (format!("sha256:{long}"), "128 digits"),
        ] {
            let text = bad.parse::<Digest>().unwrap_err().to_string();
            assert!(text.contains(says), "{bad}: {text}");
        }
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
