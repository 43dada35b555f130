//! What really went wrong, below an HTTP client's layers.

use std::error::Error as StdError;
use std::io;

use url::Url;

use super::error::{Failure, host_of};
use super::{MOST_BYTES, MOST_FIELDS, tls};

/// Turns a client's error into ours. The client's own text is not used: it holds the URL as it is.
pub(super) fn classify(at: &Url, error: &(dyn StdError + 'static)) -> Failure {
    if let Some(failure) = find::<Failure>(error) {
        return failure.clone();
    }
    let host = host_of(at);
    // Behind the handshake, as what fails in it comes as a `Failure`. What breaks there may not break the next time.
    if let Some(error) = find::<rustls::Error>(error) {
        let why = tls::words_behind(error);
        return match tls::is_refusal(error) {
            true => Failure::Tls { host, why },
            false => Failure::Broken { host, why },
        };
    }
    if let Some(what) = unreadable(error) {
        let why = format!("sent {what}; check with curl -v, and fix the server");
        return Failure::Nonsense { host, why };
    }
    let why = text(error);
    Failure::Broken { host, why }
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
    use crate::artifact::ArtifactUrl;
    use crate::source::Retry;
    use crate::source::http::Error;

    /// What the client makes of an error on a connection with TLS.
    fn of(error: Tls) -> Error {
        let url: ArtifactUrl = "https://origin.test/a.war".parse().unwrap();
        let error = io::Error::new(io::ErrorKind::InvalidData, error);
        classify(url.as_url(), &io::Error::other(error)).of(url.as_url())
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
            let broken = matches!(
                &said,
                Error::Request {
                    failure: Failure::Broken { .. },
                    ..
                }
            );
            assert!(broken, "{error:?}: {said:?}");
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
            let refused = matches!(
                &said,
                Error::Request {
                    failure: Failure::Tls { .. },
                    ..
                }
            );
            assert!(refused, "{error:?}: {said:?}");
            assert_eq!(said.kind().retry(), Retry::Never, "{error:?}");
            assert!(said.to_string().contains(words), "{error:?}: {said}");
        }
    }
}
