//! Where an artifact is.

use std::fmt;
use std::str::FromStr;

use ::url::{ParseError, Url};
use percent_encoding::percent_decode_str;

use super::place::FileName;
use super::{Error, shown};

/// The longest URL that is taken, in bytes: longer than any signed URL of the clouds, short enough for a record.
const LONGEST: usize = 8 << 10;

/// The URL of an artifact: `http` or `https`, with a host, without a user or password, without a fragment.
///
/// `Display` and `Debug` print it redacted, see [`Redacted`]; the whole of it is only to be had from
/// [`ArtifactUrl::as_url`], for a request and for a key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ArtifactUrl(Url);

impl ArtifactUrl {
    /// The whole URL, with what may be secret in it.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// The canonical form that names the artifact in keys: scheme and host in lower case, no default port.
    pub fn canonical(&self) -> &str {
        self.0.as_str()
    }

    /// The canonical form without the query, where there is one.
    pub fn without_query(&self) -> Option<&str> {
        Some(self.canonical().split_once('?')?.0)
    }

    /// The name that the last segment of the path gives, percent-decoded.
    pub fn file_name(&self) -> Result<FileName, Error> {
        let last = self
            .0
            .path_segments()
            .and_then(|mut s| s.next_back())
            .unwrap_or_default();
        let name = percent_decode_str(last)
            .decode_utf8()
            .map_err(|_| Error::new(format!("the file name in {self} is not UTF-8")))?;
        if name.is_empty() {
            return Err(Error::new(format!(
                "the path of {self} ends without a file name"
            )));
        }
        name.parse()
            .map_err(|e: Error| Error::new(format!("the file name in {self}: {e}")))
    }
}

impl FromStr for ArtifactUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::new("empty; use an http or https URL"));
        }
        if text.len() > LONGEST {
            return Err(Error::new(format!(
                "{} bytes long; at most {LONGEST} are allowed",
                text.len()
            )));
        }
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(Error::new(
                "contains white space or control characters; percent-encode them",
            ));
        }
        // The text itself is shown only where it cannot hold a secret: a URL that does not parse is shown up
        // to its first separator.
        let head = text.split(['/', '?', '@', '#']).next().unwrap_or_default();
        let schemeless = || {
            Error::new(format!(
                "{} is not a URL, because it has no scheme; put https:// in front of it",
                shown(head)
            ))
        };
        let url = Url::parse(text).map_err(|e| {
            if e == ParseError::RelativeUrlWithoutBase {
                return schemeless();
            }
            Error::new(format!(
                "{} is not a URL ({e}); use an http or https URL",
                shown(head)
            ))
        })?;
        // `host:8080/path` reads as a scheme and a path.
        let port = head.split_once(':').map_or("", |(_, port)| port);
        if url.cannot_be_a_base() && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) {
            return Err(schemeless());
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::new(format!(
                "the scheme {} is not supported; use http or https",
                shown(url.scheme())
            )));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::new(format!(
                "{} contains a user or password, visible to everyone who sees the URL; provide credentials separately",
                Redacted(&url)
            )));
        }
        if url.fragment().is_some() {
            return Err(Error::new(format!(
                "{} has a fragment (#…), which is never sent to a server; remove it, or write # as %23",
                Redacted(&url)
            )));
        }
        if !url.has_host() {
            return Err(Error::new("has no host; use an http or https URL"));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for ArtifactUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Redacted(&self.0), f)
    }
}

impl fmt::Debug for ArtifactUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Redacted(&self.0), f)
    }
}

/// A URL as it may be shown: without user and password, and with the query (where signatures and tokens are)
/// and the fragment cut to an ellipsis; a long path loses its middle, because an event holds 1,024 bytes.
pub struct Redacted<'a>(pub &'a Url);

impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST_PATH: usize = 160;
        let url = self.0;
        write!(
            f,
            "{}://{}",
            url.scheme(),
            url.host_str().unwrap_or_default()
        )?;
        if let Some(port) = url.port() {
            write!(f, ":{port}")?;
        }
        // A parsed path is ASCII (everything else is percent-encoded), so any index is a boundary.
        let path = url.path();
        if path.len() > LONGEST_PATH {
            write!(
                f,
                "{}…{}",
                &path[..LONGEST_PATH / 2],
                &path[path.len() - LONGEST_PATH / 2..]
            )?;
        } else {
            f.write_str(path)?;
        }
        if url.query().is_some() {
            f.write_str("?…")?;
        }
        if url.fragment().is_some() {
            f.write_str("#…")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ArtifactUrl, Error> {
        text.parse()
    }

    #[test]
    fn one_artifact_has_one_canonical_name() {
        let a = parse("HTTPS://Example.COM:443/v2/sample.war").unwrap();
        assert_eq!(a.canonical(), "https://example.com/v2/sample.war");
        assert_eq!(a.file_name().unwrap().as_str(), "sample.war");
    }

    #[test]
    fn what_may_be_secret_is_not_shown() {
        let url = parse("https://example.com/a.war?token=canary").unwrap();
        assert_eq!(url.to_string(), "https://example.com/a.war?…");
        assert_eq!(format!("{url:?}"), "https://example.com/a.war?…");
        for bad in [
            "https://me:canary@example.com/a",
            "https://canary@example.com/",
            "nonsense?canary",
            "https://[canary/",
        ] {
            let text = parse(bad).unwrap_err().to_string();
            assert!(
                !text.contains("canary") || bad.ends_with("[canary/"),
                "{text}"
            );
        }
    }

    #[test]
    fn refused_urls_say_what_is_allowed() {
        let long = format!("https://example.com/{}", "a".repeat(1 << 20));
        for (bad, says) in [
            ("", "empty"),
            ("file:///etc/passwd", "\"file\" is not supported"),
            ("ftp://example.com/a", "\"ftp\" is not supported"),
            ("s3://bucket/key", "use http or https"),
            ("//example.com/a", "is not a URL"),
            ("example.com/x.war", "put https:// in front of it"),
            (
                "example.com:8080/x.war",
                "\"example.com:8080\" is not a URL, because it has no scheme",
            ),
            ("localhost:80", "put https://"),
            ("a.war", "put https://"),
            ("https://", "is not a URL"),
            ("https://example.com/a b", "white space"),
            ("https://example.com/a\0b", "control characters"),
            ("https://example.com/a#b", "fragment"),
            (long.as_str(), "at most 8192 are allowed"),
        ] {
            let text = parse(bad).unwrap_err().to_string();
            assert!(text.contains(says), "{bad}: {text}");
            assert!(text.len() < 400);
        }
    }

    #[test]
    fn a_file_name_is_decoded_and_checked() {
        let name = |u: &str| parse(u).unwrap().file_name();
        assert_eq!(
            name("https://example.com/a%20b.war").unwrap().as_str(),
            "a b.war"
        );
        assert_eq!(
            name("https://example.com/x/v%C3%A9.war?sig=1")
                .unwrap()
                .as_str(),
            "vé.war"
        );
        for bad in [
            "https://example.com",
            "https://example.com/x/",
            "https://example.com/%2e%2e%2fetc",
            "https://example.com/a%00b",
            "https://example.com/%FF",
            "https://example.com/a%2Fb",
        ] {
            assert!(
                name(bad).unwrap_err().to_string().contains("file name"),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_long_path_is_shown_in_short() {
        let url = parse(&format!("https://example.com/{}/x.war", "d/".repeat(2000))).unwrap();
        assert!(url.to_string().len() < 220);
        assert!(url.to_string().ends_with("x.war"));
    }
}
