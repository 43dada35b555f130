//! Whose end of a connection failed, and how that is said.

use std::fmt;
use std::net::IpAddr;

use super::super::error::Failure;
use super::super::proxy::Proxy;
use super::super::resolver::Refused;
use crate::artifact::Blocked;

/// Whose end of a connection it is.
#[derive(Clone, Copy)]
pub(super) enum Who<'a> {
    /// The origin, by its host.
    Origin(&'a str),
    Proxy(&'a Proxy),
}

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(host) => f.write_str(host),
            Self::Proxy(proxy) => write!(f, "the proxy {proxy}"),
        }
    }
}

impl Who<'_> {
    /// Nobody is there.
    pub(super) fn unreachable(self, why: impl Into<String>) -> Failure {
        let why = why.into();
        match self {
            Self::Origin(host) => Failure::Connect {
                host: host.to_owned(),
                why,
            },
            Self::Proxy(proxy) => Failure::ProxyConnect {
                proxy: proxy.to_string(),
                why,
            },
        }
    }

    /// The name gives no address.
    pub(super) fn unresolved(self, refused: &Refused) -> Failure {
        match refused {
            Refused::Unreachable { addr, why } => self.blocked(*addr, why.clone()),
            Refused::Unknown { why } => Failure::Resolve {
                host: self.to_string(),
                why: why.clone(),
            },
        }
    }

    /// The address may not be asked.
    pub(super) fn blocked(self, addr: IpAddr, why: Blocked) -> Failure {
        Failure::blocked(format!("{addr}, the address of {self},"), why)
    }

    /// Who is there does not prove to be the right one.
    pub(super) fn untrusted(self, why: impl Into<String>) -> Failure {
        Failure::Tls {
            host: self.to_string(),
            why: why.into(),
        }
    }
}

/// A proxy is there and says nothing that makes sense.
pub(super) fn broken(proxy: &Proxy, why: impl Into<String>) -> Failure {
    Failure::ProxyBroken {
        proxy: proxy.to_string(),
        why: why.into(),
    }
}
