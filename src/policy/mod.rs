//! May this request have that artifact?
//!
//! Owns the [`Permit`], without which nothing is acquired, which nobody else can make, and which holds all that it
//! permits. For now the rules are those that no configuration can lift; rules about namespaces, hosts and checksums find
//! their place in [`Policy::check`].

pub mod document;
mod request;

use crate::artifact::{AddressRule, ArtifactUrl, Bytes, Promise};
use crate::fault::{Fault, Flag, Setting};
use crate::source;

pub use self::request::{Pod, PullPolicy, Request, Subject, is_credential};

/// The rules.
#[derive(Clone, Debug)]
pub struct Policy {
    largest: u64,
}

/// A permission to acquire one artifact: for whom, which, from where and how large.
#[derive(Clone, Debug)]
pub struct Permit {
    subject: Subject,
    request: Request,
    address_rule: AddressRule,
    limit: Limit,
}

/// A request that is not permitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The host is one that is never asked.
    #[error(transparent)]
    Host(source::Error),
}

impl Denied {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Host(error) => error.fault(),
        }
    }
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

    /// Judges a request: whether its host may be asked, and the smaller of the volume's limit and the driver's.
    pub fn check(&self, subject: Subject, request: Request) -> Result<Permit, Denied> {
        let address_rule = AddressRule::default();
        for url in std::iter::once(&request.url).chain(&request.checksum_file) {
            let allowed = address_rule.allows_url(url.as_url());
            allowed.map_err(|why| Denied::Host(source::Error::blocked(url, why)))?;
        }
        let (bytes, whose) = match request.max_size {
            Some(bytes) if bytes <= self.largest => (bytes, Whose::Volume),
            Some(_) | None => (self.largest, Whose::Driver),
        };
        Ok(Permit {
            subject,
            request,
            address_rule,
            limit: Limit { bytes, whose },
        })
    }
}

impl Permit {
    /// For whom.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// What is permitted.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The same, for the file that the repository says its coordinates mean now. Where that is one that stays as it is,
    /// the origin need not be asked for one that is cached: it has been asked which one it is.
    #[must_use]
    pub fn located(mut self, url: ArtifactUrl, stays: bool) -> Self {
        self.request.url = url;
        if stays && self.request.pull == PullPolicy::Always {
            self.request.pull = PullPolicy::IfNotPresent;
        }
        self
    }

    /// The same, for what a checksum file promises. The origin has been asked for that, and need not be asked for bytes
    /// that have this checksum.
    #[must_use]
    pub fn promised(mut self, promise: Promise, said_by: ArtifactUrl) -> Self {
        self.request.promise = Some(promise);
        self.request.said_by = Some(said_by);
        if self.request.pull == PullPolicy::Always {
            self.request.pull = PullPolicy::IfNotPresent;
        }
        self
    }

    /// Which addresses may be asked.
    pub fn address_rule(&self) -> &AddressRule {
        &self.address_rule
    }

    /// How large the artifact may be.
    pub fn limit(&self) -> Limit {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Credentials;

    fn nobody() -> Subject {
        Subject {
            volume: "v".to_owned(),
            pod: None,
        }
    }

    fn request(url: &str, max_size: Option<u64>) -> Request {
        Request {
            url: url.parse().unwrap(),
            maven: None,
            promise: None,
            checksum_file: None,
            said_by: None,
            pull: PullPolicy::Always,
            max_size,
            credentials: Credentials::default(),
        }
    }

    fn checked(url: &str, max_size: Option<u64>) -> Result<Permit, Denied> {
        Policy::new(100).check(nobody(), request(url, max_size))
    }

    #[test]
    fn the_smaller_limit_counts_and_is_named() {
        let limit = |max_size| {
            checked("https://example.com/a.war", max_size)
                .unwrap()
                .limit()
        };
        assert_eq!(limit(Some(10)).bytes(), 10);
        assert!(limit(Some(10)).to_string().contains("maxSize"));
        assert_eq!(limit(Some(1000)).bytes(), 100);
        assert!(limit(None).to_string().contains("--max-size"));
    }

    #[test]
    fn a_host_that_is_never_asked_is_denied_before_anything_is_begun() {
        let bad = "http://169.254.169.254/latest/meta-data";
        let mut request = request("https://example.com/a.war", None);
        request.checksum_file = Some(bad.parse().unwrap());
        assert!(Policy::new(100).check(nobody(), request).is_err());
        let denied = checked(bad, None).unwrap_err();
        assert_eq!(denied.fault(), Fault::Denied);
        assert!(
            denied
                .to_string()
                .contains("169.254.169.254 is a link-local"),
            "{denied}"
        );
    }
}
