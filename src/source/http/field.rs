//! Header fields, which are bytes (RFC 9110 §5.5) and not always text.

use std::borrow::Cow;

use percent_encoding::{CONTROLS, percent_encode};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

/// The value of a field, each byte as the character of its number (ISO-8859-1), without the white space around it.
/// Nothing is lost, and ASCII is itself. Nothing where several lines contradict each other.
pub(super) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let mut lines = headers.get_all(name).iter().map(characters);
    let first = lines.next()?;
    lines.all(|other| other == first).then_some(first)
}

/// The members of a list, over all lines of it.
pub(super) fn list(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let lines: Vec<_> = headers.get_all(name).iter().map(characters).collect();
    let members = lines.iter().flat_map(|line| line.split(','));
    members
        .map(|member| trimmed(member).to_owned())
        .filter(|member| !member.is_empty())
        .collect()
}

fn characters(value: &HeaderValue) -> String {
    let text: String = value.as_bytes().iter().map(|b| char::from(*b)).collect();
    trimmed(&text).to_owned()
}

/// What Unicode calls white space are bytes of a tag.
fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// What [`text`] read, byte for byte as it came; nothing where it is no value of a field.
pub(super) fn value(text: &str) -> Option<HeaderValue> {
    let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    HeaderValue::from_bytes(&bytes.ok()?).ok()
}

/// Where a `Location` leads. UTF-8 is read as such, as browsers and curl do; other bytes go on as they are, percent-encoded.
pub(super) fn join(at: &Url, location: &HeaderValue) -> Option<Url> {
    let text = match str::from_utf8(location.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => percent_encode(location.as_bytes(), CONTROLS).into(),
    };
    at.join(&text).ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::ETAG;

    use super::*;

    fn of(lines: &[&[u8]]) -> HeaderMap {
        let value = |line: &&[u8]| HeaderValue::from_bytes(line).unwrap();
        lines.iter().map(|line| (ETAG, value(line))).collect()
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0x21..=0xff).filter(|b| *b != 0x7f).collect();
        let read = text(&of(&[&all]), &ETAG).unwrap();
        assert_eq!(value(&read).unwrap().as_bytes(), all);
        assert_eq!(text(&of(&[b" \ta\xa0\t"]), &ETAG).unwrap(), "a\u{a0}");
        for no_value in ["\u{100}", "a\nb", "\0"] {
            assert_eq!(value(no_value), None);
        }
    }

    #[test]
    fn lines_that_contradict_each_other_say_nothing() {
        assert_eq!(text(&of(&[]), &ETAG), None);
        assert_eq!(text(&of(&[b"a", b"a "]), &ETAG).as_deref(), Some("a"));
        assert_eq!(text(&of(&[b"a", b"b"]), &ETAG), None);
        assert_eq!(list(&of(&[b"a, b,", b"", b"c"]), &ETAG), ["a", "b", "c"]);
    }

    #[test]
    fn a_location_leads_where_its_bytes_say() {
        let at = Url::parse("http://h/v2/x?q").unwrap();
        for (bytes, url) in [
            (&b"y"[..], "http://h/v2/y"),
            ("/ö".as_bytes(), "http://h/%C3%B6"),
            (b"/\xf6?\xf6", "http://h/%F6?%F6"),
            (b"/%F6 \xf6", "http://h/%F6%20%F6"),
            (
                "http://bücher.example/".as_bytes(),
                "http://xn--bcher-kva.example/",
            ),
        ] {
            let location = HeaderValue::from_bytes(bytes).unwrap();
            assert_eq!(join(&at, &location).unwrap().as_str(), url);
        }
        assert_eq!(
            join(
                &at,
                &HeaderValue::from_bytes(b"http://b\xfccher.example/").unwrap()
            ),
            None
        );
    }
}
