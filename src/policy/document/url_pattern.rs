//! Beginnings of URLs.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::artifact::shown;

/// The longest pattern in bytes: the longest URL that is taken.
const LONGEST: usize = 8 << 10;

/// How often a path may be percent-encoded; beyond that nobody can say what it means.
const MOST_ENCODINGS: usize = 4;

/// The scheme, host, port and first segments of a path that a URL must have: `https://*.example.com/releases/`.
///
/// `*.` stands for one or more labels in front of the domain. A path counts by whole segments: `/a` fits `/a` and `/a/b`,
/// never `/ab`. A URL's query is not looked at. `Display` prints the canonical text, the same for all texts that mean the
/// same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UrlPattern {
    scheme: String,
    /// Whether the host is a subdomain of `host`.
    below: bool,
    /// In lower case, without the dot of a fully qualified name.
    host: String,
    port: u16,
    /// Percent-decoded, and none empty.
    segments: Vec<String>,
}

/// How a URL relates to a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// It is another one.
    No,
    /// It begins as the pattern does, but its path can be read in more than one way, and so may lead elsewhere.
    Ambiguous,
    /// It fits.
    Yes,
}

impl UrlPattern {
    /// Whether it is one of plain HTTP.
    pub(super) fn is_plain_http(&self) -> bool {
        self.scheme == "http"
    }

    /// Whether a URL begins so.
    ///
    /// The URL is taken as it is sent: parsed, so that `.` and `..` are resolved already, encoded or not. What a server
    /// might still resolve by itself behind the prefix makes it [`Fit::Ambiguous`].
    pub(super) fn fit(&self, url: &Url) -> Fit {
        if url.scheme() != self.scheme
            || url.port_or_known_default() != Some(self.port)
            || !self.has_host(url)
        {
            return Fit::No;
        }
        if self.segments.is_empty() {
            return Fit::Yes;
        }
        let Some(mut segments) = url.path_segments() else {
            return Fit::No;
        };
        for wanted in &self.segments {
            let decoded = segments.next().and_then(decoded);
            if decoded.as_ref() != Some(wanted) {
                return Fit::No;
            }
        }
        match segments.all(|segment| decoded(segment).is_some()) {
            true => Fit::Yes,
            false => Fit::Ambiguous,
        }
    }

    fn has_host(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let host = host.strip_suffix('.').unwrap_or(host);
        match self.below {
            false => host == self.host,
            true => {
                let labels = host.strip_suffix(&*self.host);
                let labels = labels.and_then(|labels| labels.strip_suffix('.'));
                // An address that is written as a number has no subdomains.
                matches!(url.host(), Some(Host::Domain(_))) && labels.is_some_and(|l| !l.is_empty())
            }
        }
    }
}

impl FromStr for UrlPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{}: {why}", shown(text));
        if text.len() > LONGEST {
            return Err(wrong(&format!(
                "has more than {LONGEST} bytes, as no URL has"
            )));
        }
        if text.starts_with("maven:") {
            return Err(wrong(
                "Maven coordinates are not URLs; use the URL of the repository, such as https://repo.example.com/releases/",
            ));
        }
        let form = "use https://host/path/, or https://*.example.com/ for all subdomains";
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(wrong(&format!("has no scheme; {form}")));
        };
        if !["http", "https"].contains(&&*scheme.to_ascii_lowercase()) {
            return Err(wrong("the scheme is not supported; use https or http"));
        }
        // The parser would skip slashes until it finds a host.
        if rest.trim_start_matches("*.").starts_with('/') || rest.is_empty() {
            return Err(wrong(&format!("has no host; {form}")));
        }
        let below = rest.starts_with("*.");
        let rest = rest.strip_prefix("*.").unwrap_or(rest);
        if rest.contains('*') {
            return Err(wrong(&format!(
                "a * can only replace the first labels of the host; {form}"
            )));
        }
        if rest.contains(['?', '#', '@', '\\']) {
            return Err(wrong("?, #, @ and \\ are not supported in it"));
        }
        if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(wrong("contains white space or control characters"));
        }
        let url = Url::parse(&format!("{scheme}://{rest}"))
            .map_err(|e| wrong(&format!("is not a URL ({e}); {form}")))?;
        let host = url.host_str().unwrap_or_default();
        if below && !matches!(url.host(), Some(Host::Domain(_))) {
            return Err(wrong("an address has no subdomains; remove *."));
        }
        let path = rest.split_once('/').map_or("", |(_, path)| path);
        Ok(Self {
            scheme: url.scheme().to_owned(),
            below,
            host: host.strip_suffix('.').unwrap_or(host).to_owned(),
            port: url.port_or_known_default().unwrap_or_default(),
            segments: segments(path).ok_or_else(|| {
                wrong("the path has empty segments, or ones that servers read in different ways (. and .., %2F before them, \\)")
            })?,
        })
    }
}

/// The segments of a pattern's path as it is written, if they are unambiguous.
fn segments(path: &str) -> Option<Vec<String>> {
    if path.is_empty() {
        return Some(Vec::new());
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    let segments = path.split('/').map(|segment| {
        let decoded = decoded(segment)?;
        (!decoded.is_empty()).then_some(decoded)
    });
    segments.collect()
}

/// A segment without its percent-encoding; nothing if a server could read it as a way up or as something else: `..` however
/// often it is encoded, also between encoded slashes or with path parameters (`..;a=b`), backslashes, control characters,
/// broken encodings.
fn decoded(segment: &str) -> Option<String> {
    let first = decode(segment)?;
    let mut current = first.clone();
    for _ in 0..MOST_ENCODINGS {
        if current.contains(|c: char| c == '\\' || c.is_control()) {
            return None;
        }
        let is_dots = |piece: &str| {
            let name = piece.split(';').next().unwrap_or_default();
            name == "." || name == ".."
        };
        if current.split('/').any(is_dots) {
            return None;
        }
        // Leniently, as servers do: what is no encoding any more is text, because a name may have a %.
        let next = percent_decode_str(&current).decode_utf8_lossy();
        if next == current {
            return Some(first);
        }
        current = next.into_owned();
    }
    None
}

/// A segment decoded once; nothing if that is not text, or an encoding is broken.
fn decode(segment: &str) -> Option<String> {
    let digits = |text: &str| {
        let two = text.as_bytes().get(..2);
        two.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
    };
    if !segment.split('%').skip(1).all(digits) {
        return None;
    }
    let text = percent_decode_str(segment).decode_utf8().ok()?;
    Some(text.into_owned())
}

impl fmt::Display for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let below = if self.below { "*." } else { "" };
        write!(f, "{}://{below}{}:{}", self.scheme, self.host, self.port)?;
        for segment in &self.segments {
            // Unambiguous, because a slash inside of a segment stays encoded.
            write!(f, "/{}", segment.replace('%', "%25").replace('/', "%2F"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
