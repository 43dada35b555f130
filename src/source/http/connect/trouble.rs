//! Why there is no connection, and who is to be named.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::super::proxy::Proxy;
use super::super::resolver::Refused;
use crate::source::http::Refusal;

/// Whose end of a connection it is.
#[derive(Clone, Debug)]
pub(in super::super) enum Who {
    Origin,
    Proxy(Arc<Proxy>),
}

/// Why there is no connection.
#[derive(Clone, Debug)]
pub(in super::super) enum Trouble {
    /// The name gives no address.
    Name { who: Who, refused: Refused },
    /// The address is never asked.
    Forbidden { who: Who, addr: IpAddr },
    /// Nobody is there.
    Connect { who: Who, why: String },
    /// Who is there does not prove to be the right one.
    Tls { who: Who, why: String },
    /// A proxy said no, in HTTP.
    Answer {
        proxy: Arc<Proxy>,
        asked: String,
        status: u16,
        /// The ways to log in that it offers.
        offers: Vec<String>,
    },
    /// A proxy said no, in SOCKS.
    Socks { proxy: Arc<Proxy>, why: Refusal },
    /// A proxy is there and says nothing that makes sense.
    Broken { proxy: Arc<Proxy>, why: String },
}

impl Trouble {
    pub(super) fn connect(who: &Who, why: impl Into<String>) -> Self {
        Self::Connect {
            who: who.clone(),
            why: why.into(),
        }
    }

    pub(super) fn tls(who: &Who, why: impl Into<String>) -> Self {
        Self::Tls {
            who: who.clone(),
            why: why.into(),
        }
    }

    pub(super) fn broken(proxy: &Arc<Proxy>, why: impl Into<String>) -> Self {
        Self::Broken {
            proxy: Arc::clone(proxy),
            why: why.into(),
        }
    }
}

/// On its way through the client; whoever takes it out there says it in words.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no connection")
    }
}

impl std::error::Error for Trouble {}
