//! What can go wrong with an origin.

use std::fmt;
use std::time::Duration;

use url::Url;

use super::refusal::{self, Refusal, passing};
use crate::artifact::{ArtifactUrl, Blocked, Redacted};
use crate::fault::Credentials;
use crate::source::Kind;

/// A setting or a request that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A setting of ours that no request can be made with.
    #[error("{0}")]
    Setup(String),
    /// A request without an answer that can be used.
    #[error("{url}: {failure}")]
    Request {
        /// What was asked for, redacted.
        url: String,
        /// What went wrong.
        failure: Failure,
    },
}

/// An origin that could not be asked, or whose answer cannot be used; on its way through the client without the URL that
/// was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A rule of ours forbids the address.
    #[error(
        "refused: {0} is a link-local or metadata address, which is always blocked; use another host"
    )]
    Forbidden(String),
    /// The policy does not allow it.
    #[error("refused: {0}")]
    ByPolicy(String),
    /// A redirect that is not followed.
    #[error("the redirect {0}; use the final URL, or fix the server")]
    Redirect(String),
    /// A status other than success.
    #[error("{host} answered {status}{}", advice(*.status))]
    Status {
        /// Who answered; after redirects not the URL's host.
        host: String,
        /// The status code (RFC 9110 §15).
        status: u16,
        /// What `Retry-After` asks for.
        after: Option<Duration>,
    },
    /// The name has no address.
    #[error("cannot resolve {host}: {why}; check the name and the node's DNS")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver says.
        why: String,
    },
    /// No connection.
    #[error(
        "cannot connect to {host}: {why}; check that the server is up and reachable from this node"
    )]
    Connect {
        /// Who was to be connected.
        host: String,
        /// What the system says.
        why: String,
    },
    /// The other side did not prove that it is who it should be.
    #[error("TLS with {host} failed: {why}")]
    Tls {
        /// Whose certificate or handshake it was.
        host: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The proxy answered in the origin's place.
    #[error("the proxy {proxy} answered {status} to {asked}{}", refusal::advice(*.status, .offers))]
    ProxyStatus {
        /// Who answered: host, port, and the variable that names it.
        proxy: String,
        /// What the proxy was asked for.
        asked: String,
        /// The status code.
        status: u16,
        /// The ways to log in that the proxy offers (RFC 9110 §11.7.1).
        offers: Vec<String>,
    },
    /// The proxy does not connect to the origin.
    #[error("the proxy {proxy} cannot connect to {host}: {why}")]
    ProxyRefused {
        /// Who refused.
        proxy: String,
        /// Whom it was to connect to.
        host: String,
        /// What it says.
        why: Refusal,
    },
    /// No connection to the proxy.
    #[error(
        "cannot connect to the proxy {proxy}: {why}; check that the proxy is up and reachable from this node"
    )]
    ProxyConnect {
        /// Who was to be connected.
        proxy: String,
        /// What the system says.
        why: String,
    },
    /// What the proxy says is no answer.
    #[error(
        "the proxy {proxy} {why}; check that such a proxy runs at this address, and see its log"
    )]
    ProxyBroken {
        /// Who it was.
        proxy: String,
        /// What it did.
        why: String,
    },
    /// The connection broke, or what came over it is not HTTP.
    #[error("the response from {host} was cut off: {why}")]
    Broken {
        /// Who answered.
        host: String,
        /// What is wrong.
        why: String,
    },
    /// An answer that no client can use.
    #[error("{host} {why}")]
    Nonsense {
        /// Who answered.
        host: String,
        /// What is wrong with the answer.
        why: String,
    },
}

impl Error {
    /// A URL whose host is never asked, as far as the URL alone tells.
    pub(in crate::source) fn blocked(url: &ArtifactUrl, why: Blocked) -> Self {
        Failure::blocked(host_of(url.as_url()), why).of(url.as_url())
    }

    /// What is wrong, as every protocol says it.
    pub(in crate::source) fn kind(&self) -> Kind {
        match self {
            Self::Setup(_) => Kind::Invalid,
            Self::Request { failure, .. } => failure.kind(),
        }
    }
}

impl Failure {
    /// `what` is the subject of a sentence.
    pub(super) fn blocked(what: String, why: Blocked) -> Self {
        match why {
            Blocked::Always => Self::Forbidden(what),
            Blocked::ByPolicy(why) => Self::ByPolicy(why),
        }
    }

    /// As the answer to a request for this URL.
    pub(super) fn of(self, url: &Url) -> Error {
        Error::Request {
            url: Redacted(url).to_string(),
            failure: self,
        }
    }

    /// For what came through a proxy, which may be the one that went wrong.
    pub(super) fn through(mut self, proxy: &impl fmt::Display) -> Self {
        if let Self::Status { host, .. } | Self::Broken { host, .. } | Self::Nonsense { host, .. } =
            &mut self
        {
            *host = format!("{host}, through the proxy {proxy},");
        }
        self
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Forbidden(_) | Self::ByPolicy(_) | Self::Redirect(_) => Kind::Blocked,
            Self::Status { status, after, .. } => of_status(*status, *after),
            Self::ProxyStatus { status, .. } => refusal::kind(*status),
            Self::ProxyRefused { why, .. } => why.kind(),
            Self::Resolve { .. } | Self::Connect { .. } | Self::ProxyConnect { .. } => {
                Kind::Unreachable
            }
            Self::Broken { .. } | Self::ProxyBroken { .. } => Kind::Broken,
            Self::Tls { .. } => Kind::Untrusted,
            Self::Nonsense { .. } => Kind::Unusable,
        }
    }
}

/// Host and, where it is not the usual one, port: who is meant in a message.
pub(in crate::source) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn of_status(status: u16, after: Option<Duration>) -> Kind {
    match status {
        401 | 407 => Kind::Unauthenticated,
        404 | 410 => Kind::Missing,
        s if passing(s) => Kind::Busy(after),
        400..=499 => Kind::Forbidden,
        _ => Kind::Refused,
    }
}

fn advice(status: u16) -> impl fmt::Display {
    fmt::from_fn(move |f| match status {
        401 => write!(
            f,
            " (unauthorized); provide credentials {Credentials}, or correct them"
        ),
        403 => write!(
            f,
            " (forbidden); provide credentials {Credentials} that may read it, or correct their permissions"
        ),
        other => f.write_str(remedy(other)),
    })
}

fn remedy(status: u16) -> &'static str {
    match status {
        404 => " (not found); check the path of the URL",
        407 => {
            " (proxy authentication required), but no proxy is set; set the proxy in between with HTTPS_PROXY"
        }
        410 => " (gone); the artifact was removed, choose another version",
        429 => " (too many requests); retrying later",
        s if s >= 500 => "; the server has a problem, retrying later",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;
    use crate::source::Retry;

    fn status(status: u16) -> Error {
        let failure = Failure::Status {
            host: "e".into(),
            status,
            after: None,
        };
        failure.of(&"https://e/x".parse().unwrap())
    }

    #[test]
    fn statuses_map_to_the_fault_that_somebody_acts_on() {
        for (code, fault, retry) in [
            (401, Fault::Unauthenticated, Retry::Never),
            (403, Fault::Denied, Retry::Never),
            (404, Fault::NotFound, Retry::Never),
            (410, Fault::NotFound, Retry::Never),
            (400, Fault::Denied, Retry::Never),
            (408, Fault::Unavailable, Retry::Soon),
            (425, Fault::Unavailable, Retry::Soon),
            (429, Fault::Unavailable, Retry::Soon),
            (500, Fault::Unavailable, Retry::Soon),
            (503, Fault::Unavailable, Retry::Soon),
        ] {
            assert_eq!(
                (status(code).kind().fault(), status(code).kind().retry()),
                (fault, retry),
                "{code}"
            );
            let text = status(code).to_string();
            assert!(
                text.contains(&code.to_string()) && text.contains("https://e/x"),
                "{text}"
            );
        }
    }
}
