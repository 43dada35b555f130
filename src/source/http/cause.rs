//! What really went wrong, below an HTTP client's layers.

use std::error::Error as StdError;
use std::io;

use url::Url;

use super::{MOST_FIELDS, host_of, resolver};
use crate::artifact::ArtifactUrl;
use crate::source::Error;

/// Turns a client's error into ours. The client's own text is not used: it holds the URL as it is.
pub(super) fn classify(url: &ArtifactUrl, at: &Url, error: &reqwest::Error) -> Error {
    let (url, host) = (url.to_string(), host_of(at));
    if let Some(refused) = find::<resolver::Refused>(error) {
        return match refused {
            resolver::Refused::Unreachable { addr, .. } => Error::Forbidden {
                url,
                what: format!("{addr}, the address of {host},"),
            },
            resolver::Refused::Unknown { name, why } => Error::Resolve {
                url,
                host: name.clone(),
                why: why.clone(),
            },
        };
    }
    if let Some(tls) = find::<rustls::Error>(error) {
        return Error::Tls {
            url,
            host,
            why: in_words(tls),
        };
    }
    if let Some(what) = unreadable(error) {
        return Error::Nonsense {
            url,
            host,
            why: format!("sent {what}; ask it with curl -v, and mend the origin"),
        };
    }
    let why = text(error);
    if error.is_connect() {
        Error::Connect { url, host, why }
    } else if error.is_builder() {
        Error::Nonsense {
            url,
            host,
            why: format!("cannot be asked: {why}"),
        }
    } else {
        Error::Broken { url, host, why }
    }
}

/// What the parser of HTTP/1 does not take, however often it is asked for; nothing where the connection only broke.
fn unreadable(error: &reqwest::Error) -> Option<String> {
    let http = find::<hyper::Error>(error)?;
    if http.is_parse_too_large() {
        return Some(format!(
            "too many header fields, or too long ones (more than {MOST_FIELDS}, or 400 KiB)"
        ));
    }
    let what = if http.is_parse_status() {
        "a status line that is not valid"
    } else if http.is_parse() {
        // The library tells these apart by its text alone. Where that is another one some day, the last will do.
        match http.to_string().as_str() {
            "invalid HTTP version parsed" => {
                "no answer of HTTP/1 (is another protocol spoken on this port?)"
            }
            "invalid content-length parsed" => "a Content-Length that is not one number",
            "unexpected transfer-encoding parsed" => "a Transfer-Encoding in HTTP/1.0",
            _ => "a header field that is not valid",
        }
    } else {
        let kind = find::<io::Error>(http)?.kind();
        let invalid = matches!(
            kind,
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
        );
        return invalid.then(|| "chunks that are not valid".to_owned());
    };
    Some(what.to_owned())
}

/// With what to do: the certificate is one thing, a server that does not speak TLS another.
fn in_words(error: &rustls::Error) -> String {
    if let rustls::Error::InvalidCertificate(why) = error {
        return format!(
            "its certificate is not valid: {why}; if it is from a private CA, add that CA with --ca-file"
        );
    }
    format!("{error}; check that this port speaks https")
}

/// The innermost cause in words.
pub(super) fn text(error: &reqwest::Error) -> String {
    let mut last: &dyn StdError = error;
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

fn find<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
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
