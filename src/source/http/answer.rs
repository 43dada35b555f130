//! What an answer means for the question that was asked.

use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, TryStreamExt};
use reqwest::Response;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, HeaderMap,
    LAST_MODIFIED, RETRY_AFTER, TRANSFER_ENCODING,
};
use url::Url;

use super::field::text;
use super::{cause, host_of};
use crate::artifact::{ArtifactUrl, Facts, Validator};
use crate::source::{Answer, Error, Object, Start};

/// A time that names one state of an object only: at least this much older than the answer (RFC 9110 §8.8.2.2).
const SETTLED: Duration = Duration::from_secs(60);

pub(super) enum Reading {
    Answer(Answer),
    /// The range cannot be had, or what came is another one: bytes are never appended to where they do not belong.
    AskForTheWhole,
}

pub(super) fn interpret(
    url: &ArtifactUrl,
    at: &Url,
    start: &Start,
    response: Response,
) -> Result<Reading, Error> {
    let status = response.status().as_u16();
    match (status, start) {
        (200, _) => {
            let facts = facts(response.headers(), plain_length(response.headers()));
            Ok(Reading::Answer(Answer::Object(object(
                url, at, facts, 0, response,
            ))))
        }
        (206, Start::At { offset, tag }) => {
            let headers = response.headers();
            let Some((first, total)) = content_range(headers).filter(|_| !is_multipart(headers))
            else {
                return Ok(Reading::AskForTheWhole);
            };
            let mut facts = facts(headers, Some(total));
            let other_tag =
                tag.is_some() && facts.validator.etag.is_some() && facts.validator.etag != *tag;
            if first != *offset || other_tag {
                return Ok(Reading::AskForTheWhole);
            }
            // A partial answer need not repeat the tag that it was asked for under (RFC 9110 §15.3.7).
            facts.validator.etag = facts.validator.etag.or_else(|| tag.clone());
            Ok(Reading::Answer(Answer::Object(object(
                url, at, facts, first, response,
            ))))
        }
        (416, Start::At { .. }) => Ok(Reading::AskForTheWhole),
        (304, Start::IfChanged(_)) => Ok(Reading::Answer(Answer::Unchanged)),
        (206, _) => Err(nonsense(
            url,
            at,
            "sent a part (206) although the whole was asked for",
        )),
        (304, _) => Err(nonsense(
            url,
            at,
            "answered 304 (not modified) to an unconditional request",
        )),
        (201..=299, _) => Err(nonsense(
            url,
            at,
            &format!("answered {status}, which carries no object"),
        )),
        (code, _) => Err(Error::Status {
            url: url.to_string(),
            host: host_of(at),
            status: code,
            after: retry_after(response.headers()),
        }),
    }
}

pub(super) fn nonsense(url: &ArtifactUrl, at: &Url, why: &str) -> Error {
    Error::Nonsense {
        url: url.to_string(),
        host: host_of(at),
        why: why.to_owned(),
    }
}

fn object(url: &ArtifactUrl, at: &Url, facts: Facts, offset: u64, response: Response) -> Object {
    let (url, at) = (url.clone(), at.clone());
    let body = response
        .bytes_stream()
        .map_err(move |e| cause::classify(&url, &at, &e))
        .boxed();
    Object {
        facts,
        offset,
        body,
    }
}

fn facts(headers: &HeaderMap, length: Option<u64>) -> Facts {
    let last_modified = text(headers, &LAST_MODIFIED).filter(|time| settled(time, headers));
    let coding = text(headers, &CONTENT_ENCODING)
        .filter(|c| !c.is_empty() && !c.eq_ignore_ascii_case("identity"));
    Facts {
        length,
        validator: Validator {
            etag: text(headers, &ETAG).filter(|t| t.len() <= 1024),
            last_modified,
        },
        framed: headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING),
        coding,
    }
}

/// The length that the whole has, unless the framing makes the header void (RFC 9112 §6.3).
fn plain_length(headers: &HeaderMap) -> Option<u64> {
    (!headers.contains_key(TRANSFER_ENCODING))
        .then(|| text(headers, &CONTENT_LENGTH))
        .flatten()?
        .parse()
        .ok()
}

/// First position and total length of `Content-Range: bytes FIRST-LAST/TOTAL`, if it runs to the object's end and
/// the body that was announced has just that length.
fn content_range(headers: &HeaderMap) -> Option<(u64, u64)> {
    let value = text(headers, &CONTENT_RANGE)?;
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, total): (u64, u64, u64) =
        (first.parse().ok()?, last.parse().ok()?, total.parse().ok()?);
    let runs_to_the_end = last.checked_add(1)? == total && first < total;
    let body = plain_length(headers);
    (runs_to_the_end && body.is_none_or(|b| b == total - first)).then_some((first, total))
}

fn is_multipart(headers: &HeaderMap) -> bool {
    text(headers, &CONTENT_TYPE).is_some_and(|t| t.to_ascii_lowercase().starts_with("multipart/"))
}

fn settled(time: &str, headers: &HeaderMap) -> bool {
    let parsed = |t: &str| httpdate::parse_http_date(t).ok();
    match (
        parsed(time),
        text(headers, &DATE).as_deref().and_then(parsed),
    ) {
        (Some(changed), Some(answered)) => answered
            .duration_since(changed)
            .is_ok_and(|age| age >= SETTLED),
        _ => false,
    }
}

/// `Retry-After` in either form (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, &RETRY_AFTER)?;
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let when = httpdate::parse_http_date(&value).ok()?;
    let now = text(headers, &DATE)
        .and_then(|d| httpdate::parse_http_date(&d).ok())
        .unwrap_or(SystemTime::UNIX_EPOCH);
    // Without a date of the origin's own a clock would have to be believed: then the usual pause will do.
    when.duration_since(now)
        .ok()
        .filter(|_| now != SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(k, v)| {
                (
                    HeaderName::from_static(k),
                    HeaderValue::from_str(v).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn only_a_range_to_the_end_with_a_fitting_length_is_a_range() {
        let range = |r: &str, l: &str| {
            content_range(&headers(&[("content-range", r), ("content-length", l)]))
        };
        assert_eq!(range("bytes 5-9/10", "5"), Some((5, 10)));
        for (r, l) in [
            ("bytes 5-9/10", "6"),
            ("bytes 5-8/10", "4"),
            ("bytes 5-9/*", "5"),
            ("bytes */10", "5"),
            ("items 5-9/10", "5"),
            ("bytes 10-9/10", "0"),
            ("bytes 0-18446744073709551615/0", "5"),
            ("bytes -9/10", "5"),
            ("", "5"),
        ] {
            assert_eq!(range(r, l), None, "{r} {l}");
        }
    }

    #[test]
    fn a_young_modification_time_names_nothing() {
        let with = |date: &str| {
            let h = headers(&[
                ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
                ("date", date),
            ]);
            facts(&h, None).validator.last_modified
        };
        assert!(with("Sun, 06 Nov 1994 08:50:37 GMT").is_some());
        assert!(with("Sun, 06 Nov 1994 08:50:36 GMT").is_none());
        assert!(with("Sun, 06 Nov 1994 08:48:37 GMT").is_none());
        assert!(with("nonsense").is_none());
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let of = |v: &str, date: &str| retry_after(&headers(&[("retry-after", v), ("date", date)]));
        assert_eq!(of("7", "x"), Some(Duration::from_secs(7)));
        let (at, now) = (
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:30 GMT",
        );
        assert_eq!(of(at, now), Some(Duration::from_secs(7)));
        assert_eq!(of(at, "x"), None);
        assert_eq!(of("-1", now), None);
        assert_eq!(of("soon", now), None);
    }

    #[test]
    fn a_length_beside_a_transfer_coding_is_void() {
        assert_eq!(
            plain_length(&headers(&[
                ("content-length", "5"),
                ("transfer-encoding", "chunked")
            ])),
            None
        );
        assert_eq!(plain_length(&headers(&[("content-length", "5")])), Some(5));
    }
}
