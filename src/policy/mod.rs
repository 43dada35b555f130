//! May this request have that artifact?
//!
//! Owns the [`Permit`], without which nothing is acquired and which nobody else can make. For now every request is
//! allowed within fixed limits; rules about namespaces, hosts and checksums find their place in [`Policy::check`].

use crate::artifact::{ArtifactUrl, Bytes, Reach};
use crate::fault::{Flag, Setting};

/// The rules.
#[derive(Clone, Debug)]
pub struct Policy {
    largest: u64,
}

/// A permission to acquire one artifact, and what it is bound to.
#[derive(Clone, Debug)]
pub struct Permit {
    reach: Reach,
    limit: Limit,
}

/// The most bytes that an artifact may have, and whose limit that is: a message must name the one to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    bytes: u64,
    whose: Whose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Volume,
    Driver,
}

impl Limit {
    /// The limit in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.whose {
            Whose::Volume => write!(f, "the volume's {}", Setting::MaxSize)?,
            Whose::Driver => write!(f, "{}", Flag("--max-size"))?,
        }
        write!(f, " of {}", Bytes(self.bytes))
    }
}

impl Policy {
    /// Rules that allow everything up to so many bytes.
    pub fn new(largest: u64) -> Self {
        Self { largest }
    }

    /// Judges a request: where it may reach, and the smaller of the volume's limit and the driver's.
    pub fn check(&self, _url: &ArtifactUrl, max_size: Option<u64>) -> Permit {
        let limit = match max_size {
            Some(bytes) if bytes <= self.largest => Limit {
                bytes,
                whose: Whose::Volume,
            },
            Some(_) | None => Limit {
                bytes: self.largest,
                whose: Whose::Driver,
            },
        };
        Permit {
            reach: Reach,
            limit,
        }
    }
}

impl Permit {
    /// Which addresses may be asked.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// How large the artifact may be.
    pub fn limit(&self) -> Limit {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_limit_counts_and_is_named() {
        let url = "https://example.com/a.war".parse().unwrap();
        let limit = |max_size| Policy::new(100).check(&url, max_size).limit();
        assert_eq!(limit(Some(10)).bytes(), 10);
        assert!(limit(Some(10)).to_string().contains("maxSize"));
        assert_eq!(limit(Some(1000)).bytes(), 100);
        assert!(limit(None).to_string().contains("--max-size"));
    }
}
