//! May this request have that artifact?
//!
//! Owns the [`Permit`], without which nothing is acquired, which nobody else can make, and which holds all that it
//! permits. The rules are those of a policy file ([`document`]), where there is one, and those that no file can lift.

pub mod document;
mod request;
mod rules;

use std::net::IpAddr;
use std::sync::Arc;

use ::url::Url;

use self::document::{Grant, Proof, Refusal};
use self::rules::NoGrant;
use crate::artifact::{AddressRule, ArtifactUrl, Bytes, HashFunction, Promise, Reach};
use crate::fault::{Fault, Flag, Setting};
use crate::source;

pub use self::request::{Pod, PullPolicy, Request, Subject, is_credential};
pub use self::rules::Rules;

/// The rules, and the largest artifact that the driver takes. Clones share the rules.
#[derive(Clone, Debug)]
pub struct Policy {
    largest: u64,
    rules: Rules,
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
    /// A rule of the policy.
    #[error("refused by the policy: {0}")]
    Refused(Box<Refusal>),
    /// Nobody knows what the policy says.
    #[error(
        "refused, because the policy cannot be read: {0}; ask the administrator of the cluster"
    )]
    Unreadable(Arc<str>),
}

impl Denied {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Host(error) => error.fault(),
            Self::Refused(refusal) => refusal.fault(),
            // The file may be corrected while the pod waits.
            Self::Unreadable(_) => Fault::Unavailable,
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
    Rule,
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
            Whose::Rule => f.write_str("the policy's maxSize")?,
            Whose::Driver => write!(f, "{}", Flag("--max-size"))?,
        }
        write!(f, " of {}", Bytes(self.bytes))
    }
}

impl Policy {
    /// No rules: everything is allowed up to so many bytes.
    pub fn new(largest: u64) -> Self {
        Self::with_rules(largest, Rules::default())
    }

    /// These rules, and at most so many bytes whatever they say.
    pub fn with_rules(largest: u64, rules: Rules) -> Self {
        Self { largest, rules }
    }

    /// What decides about somebody's requests: a rule, or a preset. Nothing where there are no rules, or the rule refuses
    /// whatever is asked for: then [`check`](Self::check) says so.
    pub fn decided_by(&self, subject: &Subject) -> Option<String> {
        let grant = self.rules.judge(subject).ok().flatten();
        grant.map(|grant| grant.cited().to_string())
    }

    /// Judges a request: whether somebody may have it at all, which hosts may be asked, and the smallest of the limits of
    /// the volume, the rule and the driver.
    pub fn check(&self, subject: Subject, request: Request) -> Result<Permit, Denied> {
        let refused = |refusal| Denied::Refused(Box::new(refusal));
        let grant = self.rules.judge(&subject).map_err(|none| match none {
            NoGrant::Refused(refusal) => refused(refusal),
            NoGrant::Unreadable(why) => Denied::Unreadable(why),
        })?;
        let urls = || std::iter::once(&request.url).chain(&request.checksum_file);
        for url in urls() {
            let allowed = AddressRule::default().allows_url(url.as_url());
            allowed.map_err(|why| Denied::Host(source::Error::blocked(url, why)))?;
        }
        if let Some(grant) = &grant {
            urls().try_for_each(|url| grant.allows_url(url.as_url()).map_err(refused))?;
            grant.allows_proof(proof(&request)).map_err(refused)?;
        }
        let limits = [
            (request.max_size, Whose::Volume),
            (grant.as_ref().and_then(Grant::max_size), Whose::Rule),
        ];
        let limits = limits
            .into_iter()
            .filter_map(|(bytes, w)| Some((bytes?, w)));
        let driver = (self.largest, Whose::Driver);
        let (bytes, whose) = limits.fold(driver, |least, next| match next.0 <= least.0 {
            true => next,
            false => least,
        });
        let address_rule = match grant {
            Some(grant) => AddressRule::of(Arc::new(grant)),
            None => AddressRule::default(),
        };
        Ok(Permit {
            subject,
            request,
            address_rule,
            limit: Limit { bytes, whose },
        })
    }
}

/// What proves the content of what is asked for. A checksum beside the artifact in a Maven repository does where one is
/// chosen that is not weak: without a choice there may be none.
fn proof(request: &Request) -> Proof {
    let sidecar = request.maven.as_ref().and_then(|maven| maven.sidecar);
    let is_strong = sidecar.is_some_and(|function| function != HashFunction::Sha1);
    match request.promise.is_some() || request.checksum_file.is_some() || is_strong {
        true => Proof::Checksum,
        false => Proof::Nothing,
    }
}

/// For the source, which asks it for each redirect and each connection.
impl Reach for Grant {
    fn identity(&self) -> Vec<u8> {
        self.identity()
    }

    fn allows_url(&self, url: &Url) -> Result<(), String> {
        self.allows_url(url).map_err(|refusal| refusal.to_string())
    }

    fn allows_addr(&self, addr: IpAddr) -> Result<(), String> {
        self.allows_addr(addr)
            .map_err(|refusal| refusal.to_string())
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
            of_claim: false,
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
