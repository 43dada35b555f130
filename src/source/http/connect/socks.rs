//! Through a SOCKS 5 proxy (RFC 1928, RFC 1929).

use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;
use tokio_socks::{Error, TargetAddr};

use super::super::proxy::Proxy;
use crate::source::http::Refusal;

/// Why there is no connection through the proxy.
#[derive(Debug)]
pub(super) enum Failed {
    /// It said no.
    Refused(Refusal),
    /// It did not answer in SOCKS.
    Broken(String),
}

/// Asks the proxy for a connection to `target`. On success the stream is one to it.
pub(super) async fn open(
    tcp: TcpStream,
    proxy: &Proxy,
    target: TargetAddr<'_>,
) -> Result<TcpStream, Failed> {
    let opened = match proxy.login() {
        None => Socks5Stream::connect_with_socket(tcp, target).await,
        Some((user, password)) => {
            Socks5Stream::connect_with_password_and_socket(tcp, target, user, password).await
        }
    };
    opened.map(Socks5Stream::into_inner).map_err(|e| failed(&e))
}

fn failed(error: &Error) -> Failed {
    match error {
        Error::Io(e) => Failed::Broken(format!("closed the connection ({e})")),
        Error::NoAcceptableAuthMethods
        | Error::PasswordAuthFailure(_)
        | Error::AuthorizationRequired
        | Error::InvalidAuthValues(_) => Failed::Refused(Refusal::Login),
        Error::ConnectionNotAllowedByRuleset => Failed::Refused(Refusal::Rule),
        Error::AddressTypeNotSupported => Failed::Refused(Refusal::Address),
        Error::GeneralSocksServerFailure | Error::UnknownError => {
            Failed::Refused(Refusal::Unreachable("it reports a general failure"))
        }
        Error::NetworkUnreachable => Failed::Refused(Refusal::Unreachable("network unreachable")),
        Error::HostUnreachable => Failed::Refused(Refusal::Unreachable("host unreachable")),
        Error::ConnectionRefused => Failed::Refused(Refusal::Unreachable("connection refused")),
        Error::TtlExpired => Failed::Refused(Refusal::Unreachable("TTL expired")),
        Error::ParseError(_)
        | Error::InvalidTargetAddress(_)
        | Error::ProxyServerUnreachable
        | Error::InvalidResponseVersion
        | Error::UnknownAuthMethod
        | Error::CommandNotSupported
        | Error::InvalidReservedByte
        | Error::UnknownAddressType
        | Error::IdentdAuthFailure
        | Error::InvalidUserIdAuthFailure => {
            Failed::Broken("does not answer like a SOCKS 5 proxy".to_owned())
        }
    }
}
