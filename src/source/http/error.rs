//! What can go wrong with an origin.

use std::fmt;
use std::time::Duration;

use url::Url;

use super::refusal::{self, Refusal, passing};
use crate::artifact::ArtifactUrl;
use crate::fault::Credentials;
use crate::source::Kind;

/// An origin that could not be asked, or whose answer cannot be used. URLs are redacted before they come here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A setting of ours that no request can be made with.
    #[error("{0}")]
    Setup(String),
    /// A rule of ours forbids the address.
    #[error(
        "{url}: refused: {what} is a link-local or metadata address, which is always blocked; use another host"
    )]
    Forbidden {
        /// What was to be asked.
        url: String,
        /// The host or address that the rule is about.
        what: String,
    },
    /// A redirect that is not followed.
    #[error("{url}: the redirect {why}; use the final URL, or fix the server")]
    Redirect {
        /// Who redirected.
        url: String,
        /// Why it is not followed.
        why: String,
    },
    /// A status other than success.
    #[error("{url}: {host} answered {status}{}", advice(*.status))]
    Status {
        /// What was asked.
        url: String,
        /// Who answered; after redirects not the URL's host.
        host: String,
        /// The status code (RFC 9110 §15).
        status: u16,
        /// What `Retry-After` asks for.
        after: Option<Duration>,
    },
    /// The name has no address.
    #[error("{url}: cannot resolve {host}: {why}; check the name and the node's DNS")]
    Resolve {
        /// What was asked.
        url: String,
        /// The name.
        host: String,
        /// What the resolver says.
        why: String,
    },
    /// No connection.
    #[error(
        "{url}: cannot connect to {host}: {why}; check that the server is up and reachable from this node"
    )]
    Connect {
        /// What was asked.
        url: String,
        /// Who was to be connected.
        host: String,
        /// What the system says.
        why: String,
    },
    /// The other side did not prove that it is who it should be.
    #[error("{url}: TLS with {host} failed: {why}")]
    Tls {
        /// What was asked.
        url: String,
        /// Whose certificate or handshake it was.
        host: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The proxy answered in the origin's place.
    #[error("{url}: the proxy {proxy} answered {status} to {asked}{}", refusal::advice(*.status, .offers))]
    ProxyStatus {
        /// What was asked.
        url: String,
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
    #[error("{url}: the proxy {proxy} cannot connect to {host}: {why}")]
    ProxyRefused {
        /// What was asked.
        url: String,
        /// Who refused.
        proxy: String,
        /// Whom it was to connect to.
        host: String,
        /// What it says.
        why: Refusal,
    },
    /// No connection to the proxy.
    #[error(
        "{url}: cannot connect to the proxy {proxy}: {why}; check that the proxy is up and reachable from this node"
    )]
    ProxyConnect {
        /// What was asked.
        url: String,
        /// Who was to be connected.
        proxy: String,
        /// What the system says.
        why: String,
    },
    /// What the proxy says is no answer.
    #[error(
        "{url}: the proxy {proxy} {why}; check that such a proxy runs at this address, and see its log"
    )]
    ProxyBroken {
        /// What was asked.
        url: String,
        /// Who it was.
        proxy: String,
        /// What it did.
        why: String,
    },
    /// The connection broke, or what came over it is not HTTP.
    #[error("{url}: the response from {host} was cut off: {why}")]
    Broken {
        /// What was asked.
        url: String,
        /// Who answered.
        host: String,
        /// What is wrong.
        why: String,
    },
    /// An answer that no client can use.
    #[error("{url}: {host} {why}")]
    Nonsense {
        /// What was asked.
        url: String,
        /// Who answered.
        host: String,
        /// What is wrong with the answer.
        why: String,
    },
}

impl Error {
    /// A URL whose host is never asked, as far as the URL alone tells.
    pub(in crate::source) fn forbidden(url: &ArtifactUrl) -> Self {
        Self::Forbidden {
            url: url.to_string(),
            what: host_of(url.as_url()),
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

    /// What is wrong, as every protocol says it.
    pub(in crate::source) fn kind(&self) -> Kind {
        match self {
            Self::Setup(_) => Kind::Invalid,
            Self::Forbidden { .. } | Self::Redirect { .. } => Kind::Blocked,
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
        Error::Status {
            url: "https://e/x".into(),
            host: "e".into(),
            status,
            after: None,
        }
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
