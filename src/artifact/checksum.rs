//! What says what an artifact must hash to.

use std::fmt;
use std::str::FromStr;

use super::{ArtifactUrl, Digest, Error, HashFunction, shown};

/// What a checksum in a file begins with.
const FILE: &str = "file:";

/// What the choice of a file beside the artifact begins with.
const SIDECAR: &str = "sidecar:";

/// A checksum, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// Written out.
    Digest(Digest),
    /// In a file at a server.
    File(ChecksumFile),
    /// In the file of this hash function that a Maven repository has beside the artifact.
    Sidecar(HashFunction),
}

/// A file at a server that lists checksums, as it is written: a URL, or one that is relative to that of the artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChecksumFile(String);

impl Checksum {
    /// Whether a text, or the beginning of one, names a file that has the checksum, so that it may be another one later.
    pub fn is_in_file(text: &str) -> bool {
        text.starts_with(FILE) || text.starts_with(SIDECAR)
    }
}

impl FromStr for Checksum {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some(file) = text.strip_prefix(FILE) {
            return Ok(Self::File(ChecksumFile(file.to_owned())));
        }
        match text.strip_prefix(SIDECAR) {
            Some(function) => function.parse().map(Self::Sidecar),
            None => text.parse().map(Self::Digest),
        }
    }
}

impl ChecksumFile {
    /// Where it is.
    ///
    /// Errors: no URL comes of it.
    pub fn beside(&self, artifact: &ArtifactUrl) -> Result<ArtifactUrl, Error> {
        let text = self.0.as_str();
        let wrong = |why: &dyn fmt::Display| {
            Error::new(format!(
                "{FILE}{}: {why}; use {FILE} and a URL, or a path relative to the artifact, such as {FILE}SHA256SUMS",
                shown(text)
            ))
        };
        if text.is_empty() {
            return Err(wrong(&"no file is named"));
        }
        if text.contains("://") {
            // Its own words have the host, and no query.
            return text.parse();
        }
        // What a URL passes over in silence is no name.
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(wrong(&"white space or control characters"));
        }
        let url = artifact.as_url().join(text).map_err(|e| wrong(&e))?;
        url.as_str().parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_a_url_or_beside_the_artifact() {
        let artifact = "https://example.com/v2/sample.war?sig=1".parse().unwrap();
        let beside = |text: &str| match text.parse().unwrap() {
            Checksum::File(file) => file.beside(&artifact).map(|u| u.canonical().to_owned()),
            Checksum::Digest(_) | Checksum::Sidecar(_) => panic!("{text} is a file"),
        };
        for (text, expected) in [
            ("file:SHA256SUMS", "https://example.com/v2/SHA256SUMS"),
            (
                "file:./sample.war.sha256",
                "https://example.com/v2/sample.war.sha256",
            ),
            ("file:../SHA256SUMS", "https://example.com/SHA256SUMS"),
            ("file:/all.txt?v=2", "https://example.com/all.txt?v=2"),
            (
                "file:http://sums.example.com/a",
                "http://sums.example.com/a",
            ),
        ] {
            assert_eq!(beside(text).as_deref(), Ok(expected), "{text}");
        }
        for (text, says) in [
            ("file:", "no file is named"),
            ("file:a b", "white space"),
            ("file:ftp://example.com/a", "not supported"),
            ("file:https://me:pass@example.com/a", "user or password"),
            ("file:mailto:a", "not supported"),
        ] {
            let why = beside(text).unwrap_err().to_string();
            assert!(why.contains(says), "{text}: {why}");
        }
        assert!("sha256:00".parse::<Checksum>().is_err());
    }
}
