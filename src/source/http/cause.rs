//! What really went wrong, below an HTTP client's layers.

use std::error::Error as StdError;
use std::io;

use url::Url;

use super::connect::{Trouble, Who};
use super::{MOST_BYTES, MOST_FIELDS, resolver, tls};
use crate::artifact::ArtifactUrl;
use crate::source::http::Error;
use crate::source::http::host_of;

/// Turns a client's error into ours. The client's own text is not used: it holds the URL as it is.
pub(super) fn classify(url: &ArtifactUrl, at: &Url, error: &(dyn StdError + 'static)) -> Error {
    if let Some(trouble) = find::<Trouble>(error) {
        return of_trouble(url.to_string(), host_of(at), trouble.clone());
    }
    let (url, host) = (url.to_string(), host_of(at));
    // Behind the handshake, as what fails in it comes as a `Trouble`. What breaks there may not break the next time.
    if let Some(error) = find::<rustls::Error>(error) {
        let why = tls::words_behind(error);
        return match tls::is_refusal(error) {
            true => Error::Tls { url, host, why },
            false => Error::Broken { url, host, why },
        };
    }
    if let Some(what) = unreadable(error) {
        return Error::Nonsense {
            url,
            host,
            why: format!("sent {what}; check with curl -v, and fix the server"),
        };
    }
    let why = text(error);
    Error::Broken { url, host, why }
}

/// What the parser of HTTP/1 does not take, however often it is asked for; nothing where the connection only broke.
fn unreadable(error: &(dyn StdError + 'static)) -> Option<String> {
    let http = find::<hyper::Error>(error)?;
    if http.is_parse_too_large() {
        return Some(format!(
            "too many or too long header fields (more than {MOST_FIELDS}, or {} KiB)",
            MOST_BYTES >> 10
        ));
    }
    let what = if http.is_parse_status() {
        "an invalid status line"
    } else if http.is_parse() {
        // The library tells these apart by its text alone. Where that is another one some day, the last will do.
        match http.to_string().as_str() {
            "invalid HTTP version parsed" => {
                "something other than HTTP/1 (is this port for another protocol?)"
            }
            "invalid content-length parsed" => "a Content-Length that is not a single number",
            "unexpected transfer-encoding parsed" => "a Transfer-Encoding in HTTP/1.0",
            _ => "an invalid header field",
        }
    } else {
        let kind = find::<io::Error>(http)?.kind();
        let invalid = matches!(
            kind,
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
        );
        return invalid.then(|| "invalid chunks".to_owned());
    };
    Some(what.to_owned())
}

fn of_trouble(url: String, origin: String, trouble: Trouble) -> Error {
    let name = |who: &Who| match who {
        Who::Origin => origin.clone(),
        Who::Proxy(proxy) => format!("the proxy {proxy}"),
    };
    match trouble {
        Trouble::Name { who, refused } => match refused {
            resolver::Refused::Unreachable { addr } => Error::Forbidden {
                url,
                what: format!("{addr}, the address of {},", name(&who)),
            },
            resolver::Refused::Unknown { why } => Error::Resolve {
                url,
                host: name(&who),
                why,
            },
        },
        Trouble::Forbidden { who, addr } => Error::Forbidden {
            url,
            what: format!("{addr}, the address of {},", name(&who)),
        },
        Trouble::Connect { who, why } => match who {
            Who::Origin => Error::Connect {
                url,
                host: origin,
                why,
            },
            Who::Proxy(proxy) => Error::ProxyConnect {
                url,
                proxy: proxy.to_string(),
                why,
            },
        },
        Trouble::Tls { who, why } => Error::Tls {
            url,
            host: name(&who),
            why,
        },
        Trouble::Answer {
            proxy,
            asked,
            status,
            offers,
        } => Error::ProxyStatus {
            url,
            proxy: proxy.to_string(),
            asked,
            status,
            offers,
        },
        Trouble::Socks { proxy, why } => Error::ProxyRefused {
            url,
            proxy: proxy.to_string(),
            host: origin,
            why,
        },
        Trouble::Broken { proxy, why } => Error::ProxyBroken {
            url,
            proxy: proxy.to_string(),
            why,
        },
    }
}

/// The innermost cause in words.
pub(super) fn text(error: &(dyn StdError + 'static)) -> String {
    let mut last = error;
    let mut depth = 0;
    while let Some(next) = below(last) {
        last = next;
        depth += 1;
    }
    if depth == 0 {
        return "the request failed".to_owned();
    }
    last.to_string()
}

/// The error of a kind, in whatever layer it is.
pub(super) fn find<'e, T: StdError + 'static>(
    error: &'e (dyn StdError + 'static),
) -> Option<&'e T> {
    let mut at = Some(error);
    while let Some(this) = at {
        if let Some(found) = this.downcast_ref::<T>() {
            return Some(found);
        }
        at = below(this);
    }
    None
}

/// The next layer. An `io::Error` names as its source what lies *below* the error that it wraps, and so would hide it.
fn below<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests {
    use rustls::{
        AlertDescription as Alert, CertificateError, ContentType, Error as Tls, InvalidMessage,
        PeerMisbehaved,
    };

    use super::*;
    use crate::source::Retry;

    /// What the client makes of an error on a connection with TLS.
    fn of(error: Tls) -> Error {
        let url: ArtifactUrl = "https://origin.test/a.war".parse().unwrap();
        let at = url.as_url().clone();
        let error = io::Error::new(io::ErrorKind::InvalidData, error);
        classify(&url, &at, &io::Error::other(error))
    }

    #[test]
    fn a_connection_that_breaks_behind_the_handshake_is_made_again() {
        for (error, words) in [
            (Tls::DecryptError, "cannot be decrypted"),
            (Tls::PeerSentOversizedRecord, "violates the TLS protocol"),
            (
                Tls::PeerMisbehaved(PeerMisbehaved::TooManyEmptyFragments),
                "violates the TLS protocol",
            ),
            (
                Tls::InappropriateMessage {
                    expect_types: vec![ContentType::ApplicationData],
                    got_type: ContentType::ChangeCipherSpec,
                },
                "violates the TLS protocol",
            ),
            (
                Tls::InvalidMessage(InvalidMessage::InvalidContentType),
                "what it sends is no longer TLS",
            ),
            (
                Tls::AlertReceived(Alert::InternalError),
                "reports an internal error",
            ),
            (Tls::AlertReceived(Alert::BadRecordMac), "with TLS alert 20"),
            (Tls::AlertReceived(Alert::DecodeError), "with TLS alert 50"),
            (Tls::AlertReceived(Alert::UserCanceled), "with TLS alert 90"),
            (Tls::AlertReceived(Alert::from(200)), "with TLS alert 200"),
        ] {
            let said = of(error.clone());
            assert!(matches!(said, Error::Broken { .. }), "{error:?}: {said:?}");
            assert_eq!(said.kind().retry(), Retry::Soon, "{error:?}");
            let said = said.to_string();
            assert!(said.contains(words), "{error:?}: {said}");
            assert!(!said.contains("handshake"), "{said}");
        }
    }

    #[test]
    fn who_is_refused_behind_the_handshake_does_not_ask_again() {
        const WANTS: &str = "it requires a client certificate";
        for (error, words) in [
            (Tls::AlertReceived(Alert::CertificateRequired), WANTS),
            (Tls::AlertReceived(Alert::BadCertificate), WANTS),
            (Tls::AlertReceived(Alert::UnsupportedCertificate), WANTS),
            (Tls::AlertReceived(Alert::CertificateRevoked), WANTS),
            (Tls::AlertReceived(Alert::CertificateExpired), WANTS),
            (Tls::AlertReceived(Alert::CertificateUnknown), WANTS),
            (Tls::AlertReceived(Alert::UnknownCA), WANTS),
            (Tls::AlertReceived(Alert::HandshakeFailure), WANTS),
            (
                Tls::AlertReceived(Alert::AccessDenied),
                "denies access to this node",
            ),
            (
                Tls::InvalidCertificate(CertificateError::Expired),
                "its certificate is not valid",
            ),
        ] {
            let said = of(error.clone());
            assert!(matches!(said, Error::Tls { .. }), "{error:?}: {said:?}");
            assert_eq!(said.kind().retry(), Retry::Never, "{error:?}");
            assert!(said.to_string().contains(words), "{error:?}: {said}");
        }
    }
}
