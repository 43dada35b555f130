//! Through a SOCKS 5 proxy (RFC 1928, RFC 1929).

use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;
use tokio_socks::{Error, TargetAddr};

use super::super::error::Failure;
use super::super::proxy::Proxy;
use super::super::refusal::Refusal;
use super::who::{Who, broken};

/// Asks the proxy for a connection to `target`, which is `origin`'s. On success the stream is one to it.
pub(super) async fn open(
    tcp: TcpStream,
    proxy: &Proxy,
    origin: Who<'_>,
    target: TargetAddr<'_>,
) -> Result<TcpStream, Failure> {
    let opened = match proxy.login() {
        None => Socks5Stream::connect_with_socket(tcp, target).await,
        Some((user, password)) => {
            Socks5Stream::connect_with_password_and_socket(tcp, target, user, password).await
        }
    };
    let refused = |e| match refusal(&e) {
        Ok(why) => Failure::ProxyRefused {
            proxy: proxy.to_string(),
            host: origin.to_string(),
            why,
        },
        Err(why) => broken(proxy, why),
    };
    opened.map(Socks5Stream::into_inner).map_err(refused)
}

/// How the proxy says no; an error where it did not answer in SOCKS.
fn refusal(error: &Error) -> Result<Refusal, String> {
    Ok(match error {
        Error::Io(e) => return Err(format!("closed the connection ({e})")),
        Error::NoAcceptableAuthMethods
        | Error::PasswordAuthFailure(_)
        | Error::AuthorizationRequired
        | Error::InvalidAuthValues(_) => Refusal::Login,
        Error::ConnectionNotAllowedByRuleset => Refusal::Rule,
        Error::AddressTypeNotSupported => Refusal::Address,
        Error::GeneralSocksServerFailure | Error::UnknownError => {
            Refusal::Unreachable("it reports a general failure")
        }
        Error::NetworkUnreachable => Refusal::Unreachable("network unreachable"),
        Error::HostUnreachable => Refusal::Unreachable("host unreachable"),
        Error::ConnectionRefused => Refusal::Unreachable("connection refused"),
        Error::TtlExpired => Refusal::Unreachable("TTL expired"),
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
            return Err("does not answer like a SOCKS 5 proxy".to_owned());
        }
    })
}
