//! What is said to somebody whose volume a rule refuses.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use url::Url;

use super::asker::Unknown;
use super::preset::Preset;
use crate::artifact::{Redacted, shown};
use crate::fault::{Fault, Setting};

/// What decided, and whom to ask about it.
///
/// `Display` gives the subject of a sentence: `rule "team-a", line 12 of the policy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cited {
    pub(super) by: By,
    pub(super) contact: Option<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum By {
    Rule {
        name: Arc<str>,
        line: usize,
    },
    /// No rule matched.
    Preset(Preset),
}

/// Why something is not allowed: what was asked, what decided, whom to ask. A message for `kubectl describe pod`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub(super) cited: Cited,
    pub(super) why: Why,
}

/// What was asked, and what is wrong with it. URLs are redacted already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The rule refuses the asker, with these words.
    Denied {
        asker: String,
        reason: Arc<str>,
    },
    /// Whether the rule is for the asker is not known.
    Unknown {
        asker: String,
        what: Unknown,
    },
    /// No rule is for the asker, and without one nothing is allowed.
    NoRule {
        asker: String,
    },
    PlainHttp {
        url: String,
    },
    /// The rule lists other URLs.
    NotListed {
        url: String,
    },
    /// The rule lists no URLs, and without them nothing is allowed.
    NoUrls {
        url: String,
    },
    Ambiguous {
        url: String,
    },
    /// An address that nothing can allow.
    Always {
        place: String,
    },
    DeniedNetwork {
        addr: IpAddr,
        net: IpNet,
    },
    PresetAddress {
        addr: IpAddr,
        what: &'static str,
    },
    NoChecksum,
    NoSignature,
    Credentials {
        name: String,
    },
}

impl Refusal {
    /// What decided.
    pub fn cited(&self) -> &Cited {
        &self.cited
    }

    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self.why {
            Why::Denied { .. }
            | Why::Unknown { .. }
            | Why::NoRule { .. }
            | Why::PlainHttp { .. }
            | Why::NotListed { .. }
            | Why::NoUrls { .. }
            | Why::Ambiguous { .. }
            | Why::Always { .. }
            | Why::DeniedNetwork { .. }
            | Why::PresetAddress { .. }
            | Why::NoChecksum
            | Why::NoSignature
            | Why::Credentials { .. } => Fault::Denied,
        }
    }
}

/// A URL as it may be shown.
pub(super) fn redacted(url: &Url) -> String {
    Redacted(url).to_string()
}

impl fmt::Display for Cited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            By::Rule { name, line } => write!(f, "rule {}, line {line} of the policy", shown(name)),
            By::Preset(preset) => write!(f, "the policy's preset {}", preset.name()),
        }
    }
}

impl Cited {
    /// The name of the rule, and its line, where one matched.
    pub fn rule(&self) -> Option<(&str, usize)> {
        match &self.by {
            By::Rule { name, line } => Some((name, *line)),
            By::Preset(_) => None,
        }
    }

    /// Whom to ask, as the object of a sentence.
    fn contact(&self) -> &str {
        self.contact
            .as_deref()
            .unwrap_or("the administrator of the cluster")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (by, ask) = (&self.cited, self.cited.contact());
        match &self.why {
            Why::Denied { asker, reason } => {
                write!(f, "denied for {asker} by {by}: {reason}; ask {ask}")
            }
            Why::Unknown { asker, what } => write!(
                f,
                "not allowed for {asker}, because {by} depends on {what}; {}, or ask {ask}",
                what.remedy()
            ),
            Why::NoRule { asker } => write!(
                f,
                "not allowed for {asker}, because no rule matches, and {by} allows only what rules list; ask {ask}"
            ),
            Why::PlainHttp { url } => write!(
                f,
                "{url}: plain HTTP is not allowed by {by}; use https, or ask {ask}"
            ),
            Why::NotListed { url } => write!(
                f,
                "{url}: not among the URLs that {by} allows; use one of those, or ask {ask}"
            ),
            Why::NoUrls { url } => write!(
                f,
                "{url}: not allowed, because {by} lists no URLs, and the preset listed allows only those; ask {ask}"
            ),
            Why::Ambiguous { url } => write!(
                f,
                "{url}: not allowed by {by}, because servers can read the encoded dots, slashes or control characters of its path in different ways; write it without them, or ask {ask}"
            ),
            Why::Always { place } => write!(
                f,
                "{place} is a link-local address or cloud metadata, which no policy can allow; use another server"
            ),
            Why::DeniedNetwork { addr, net } => write!(
                f,
                "{addr} is blocked by {by}, which denies {net}; use another server, or ask {ask}"
            ),
            Why::PresetAddress { addr, what } => write!(
                f,
                "{addr} is {what}, and blocked because {by} does not allow it; use another server, or ask {ask}"
            ),
            Why::NoChecksum => write!(
                f,
                "{by} requires a checksum; set {}, or ask {ask}",
                Setting::Checksum
            ),
            Why::NoSignature => write!(f, "{by} requires a signature; add one, or ask {ask}"),
            Why::Credentials { name } => write!(
                f,
                "{by} does not allow the driver's own {}; ask {ask}",
                shown(name)
            ),
        }
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StorageClass => "the StorageClass, which the driver does not know",
            Self::Namespace => "the namespace, which kubelet did not send",
            Self::NamespaceLabels => "the labels of the namespace, which the driver cannot read",
            Self::ServiceAccount => "the service account, which kubelet did not send",
        })
    }
}

impl Unknown {
    fn remedy(self) -> &'static str {
        match self {
            Self::StorageClass => "name a StorageClass in the claim",
            Self::Namespace | Self::ServiceAccount => "set podInfoOnMount in the CSIDriver object",
            Self::NamespaceLabels => "let the driver get namespaces",
        }
    }
}
