//! What an answer means for the question that was asked.

use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, TryStreamExt};
use reqwest::Response;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, HeaderMap, LAST_MODIFIED,
    RETRY_AFTER, TRANSFER_ENCODING,
};
use url::Url;

use super::cause;
use super::error::{Failure, host_of};
use super::field::{list, text};
use super::redirect::same_origin;
use crate::artifact::{ArtifactUrl, Facts, Revision, Validator};
use crate::source::{Answer, Object, Responder, Start};

/// A time that alone names one state of an object: at least so many seconds older than the answer (RFC 7232 §2.2.2).
const STRONG: i64 = 60;

/// Beside a tag the least age will do, "at least one second" between two clocks' ticks (RFC 9110 §8.8.2.2).
const SETTLED: i64 = 2;

/// What an answer means; nothing where the whole has to be asked for, because the range cannot be had, or what came is another
/// one: bytes are never appended to where they do not belong. `named` is what is done with an error of the body.
pub(super) fn interpret(
    (url, at): (&ArtifactUrl, &Url),
    start: &Start,
    response: Response,
    named: impl Fn(Failure) -> Failure + Send + 'static,
) -> Result<Option<Answer>, Failure> {
    let status = response.status().as_u16();
    let (headers, counted) = (response.headers(), response.content_length());
    let (facts, offset) = match (status, start) {
        (200, _) => (facts(headers, counted, counted), 0),
        (206, Start::At { offset, of }) => {
            let range = content_range(headers, counted).filter(|_| !is_multipart(headers));
            let Some((first, total)) = range else {
                return Ok(None);
            };
            let other = of
                .as_ref()
                .is_some_and(|revision| !is_of(headers, revision));
            if first != *offset || other {
                return Ok(None);
            }
            (facts(headers, Some(total), counted), first)
        }
        (416, Start::At { .. }) => return Ok(None),
        (304, Start::IfChanged(_)) => {
            return Ok(Some(Answer::Unchanged(by(url, at))));
        }
        (206, _) => {
            let why = "sent a partial response (206) to a request for the whole file";
            return Err(nonsense(at, why));
        }
        (304, _) => {
            let why = "answered 304 (not modified) to an unconditional request";
            return Err(nonsense(at, why));
        }
        (201..=299, _) => {
            let why = format!("answered {status}, which carries no file");
            return Err(nonsense(at, why));
        }
        (status, _) => {
            return Err(Failure::Status {
                host: host_of(at),
                status,
                after: retry_after(headers),
            });
        }
    };
    let by = by(url, at);
    let (url, at) = (url.clone(), at.clone());
    let body = response.bytes_stream();
    let body = body.map_err(move |e| named(cause::classify(&at, &e)).of(url.as_url()).into());
    Ok(Some(Answer::Object(Object {
        by,
        facts,
        offset,
        body: body.boxed(),
    })))
}

pub(super) fn nonsense(at: &Url, why: impl Into<String>) -> Failure {
    Failure::Nonsense {
        host: host_of(at),
        why: why.into(),
    }
}

fn by(url: &ArtifactUrl, at: &Url) -> Responder {
    match same_origin(url.as_url(), at) {
        true => Responder::Origin,
        false => Responder::Another,
    }
}

/// `counted` is what the parser counts down of this body; without it the body comes in chunks or ends by closing.
fn facts(headers: &HeaderMap, length: Option<u64>, counted: Option<u64>) -> Facts {
    let modified = text(headers, &LAST_MODIFIED);
    let age = age(headers);
    let is_young = age.is_some_and(|age| age < SETTLED);
    let at_least = |least| age.is_some_and(|age| age >= least);
    Facts {
        length,
        validator: Validator {
            etag: text(headers, &ETAG).filter(|t| t.len() <= 1024 && !is_young),
            last_modified: modified.clone().filter(|_| at_least(STRONG)),
        },
        framed: counted.is_some() || is_chunked(headers),
        coding: coding(headers),
        settled: at_least(SETTLED),
        modified,
    }
}

/// How many seconds an object is older than its answer, if both times are told; below zero where a clock is ahead.
fn age(headers: &HeaderMap) -> Option<i64> {
    let time = |name| {
        let time = httpdate::parse_http_date(&text(headers, name)?).ok()?;
        let seconds = time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        i64::try_from(seconds).ok()
    };
    Some(time(&DATE)? - time(&LAST_MODIFIED)?)
}

/// Whether a part is of this state, by its own words. The condition that it was asked under is not enough: there are
/// servers that answer 206 whatever `If-Range` says. The tag must be there (RFC 9110 §15.3.7), the time need not.
fn is_of(headers: &HeaderMap, revision: &Revision) -> bool {
    text(headers, &ETAG).as_ref() == Some(&revision.tag)
        && text(headers, &LAST_MODIFIED).is_none_or(|time| time == revision.modified)
}

/// Whether the parser takes the body apart in chunks: it does if they are the last coding (RFC 9112 §6.3), judged by
/// the last line as it judges it. Every other transfer coding ends where the connection does, whatever length is told.
fn is_chunked(headers: &HeaderMap) -> bool {
    let last = headers.get_all(TRANSFER_ENCODING).iter().next_back();
    last.and_then(|line| line.to_str().ok()?.rsplit(',').next())
        .is_some_and(|last| last.trim().eq_ignore_ascii_case("chunked"))
}

/// What was done to the bytes on their way, beside the chunks that the parser has taken off.
fn coding(headers: &HeaderMap) -> Option<String> {
    let named = |header: &str, codings: Vec<String>| {
        let changes = |coding: &String| !coding.eq_ignore_ascii_case("identity");
        let codings: Vec<_> = codings.into_iter().filter(changes).collect();
        (!codings.is_empty()).then(|| format!("{header} {}", codings.join(", ")))
    };
    let mut transfer = list(headers, &TRANSFER_ENCODING);
    if is_chunked(headers) {
        transfer.pop();
    } else {
        // Its end is not known either, which is said first.
        transfer.clear();
    }
    named("Content-Encoding", list(headers, &CONTENT_ENCODING))
        .or_else(|| named("Transfer-Encoding", transfer))
}

/// First position and total length of `Content-Range: bytes FIRST-LAST/TOTAL`, if it runs to the object's end and
/// the body that is counted has just that length.
fn content_range(headers: &HeaderMap, counted: Option<u64>) -> Option<(u64, u64)> {
    let value = text(headers, &CONTENT_RANGE)?;
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, total): (u64, u64, u64) =
        (first.parse().ok()?, last.parse().ok()?, total.parse().ok()?);
    let runs_to_the_end = last.checked_add(1)? == total && first < total;
    (runs_to_the_end && counted.is_none_or(|b| b == total - first)).then_some((first, total))
}

fn is_multipart(headers: &HeaderMap) -> bool {
    text(headers, &CONTENT_TYPE).is_some_and(|t| t.to_ascii_lowercase().starts_with("multipart/"))
}

/// `Retry-After` in either form (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, &RETRY_AFTER)?;
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let when = httpdate::parse_http_date(&value).ok()?;
    // Without a date of the origin's own a clock would have to be believed: then the usual pause will do.
    let now = httpdate::parse_http_date(&text(headers, &DATE)?).ok()?;
    when.duration_since(now).ok()
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
        let range =
            |r: &str, l: &str| content_range(&headers(&[("content-range", r)]), l.parse().ok());
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
    fn a_young_object_has_no_names() {
        let of = |date: &str| {
            let h = headers(&[
                ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
                ("etag", "\"t\""),
                ("date", date),
            ]);
            let facts = facts(&h, None, None);
            assert!(facts.modified.is_some());
            let Validator {
                etag,
                last_modified,
            } = facts.validator;
            (etag.is_some(), facts.settled, last_modified.is_some())
        };
        let second = |n: u32| of(&format!("Sun, 06 Nov 1994 08:49:{n} GMT"));
        assert_eq!(second(36), (false, false, false));
        assert_eq!(second(37), (false, false, false));
        assert_eq!(second(38), (false, false, false));
        assert_eq!(second(39), (true, true, false));
        assert_eq!(of("Sun, 06 Nov 1994 08:50:36 GMT"), (true, true, false));
        assert_eq!(of("Sun, 06 Nov 1994 08:50:37 GMT"), (true, true, true));
        // Without a date the tag may still be asked with, but nothing is joined under it.
        assert_eq!(of("nonsense"), (true, false, false));
    }

    #[test]
    fn a_part_is_of_a_state_by_its_own_words() {
        let revision = Revision {
            tag: "\"t\"".into(),
            modified: "then".into(),
        };
        for (pairs, same) in [
            (&[("etag", "\"t\""), ("last-modified", "then")][..], true),
            (&[("etag", "\"t\"")], true),
            (&[("etag", "W/\"t\"")], false),
            (&[("etag", "\"u\"")], false),
            (&[("etag", "\"t\""), ("last-modified", "now")], false),
            (&[("etag", "\"t\""), ("etag", "\"u\"")], false),
            (&[("last-modified", "then")], false),
            (&[], false),
        ] {
            let mut all = HeaderMap::new();
            for (name, value) in pairs {
                all.append(*name, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(is_of(&all, &revision), same, "{pairs:?}");
        }
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
    fn framed_is_what_the_parser_counts_or_takes_apart() {
        let of = |codings: &[&str]| {
            let mut all = HeaderMap::new();
            for line in codings {
                all.append(TRANSFER_ENCODING, HeaderValue::from_str(line).unwrap());
            }
            facts(&all, None, None)
        };
        for lines in [
            &["chunked"][..],
            &["identity, CHUNKED"],
            &["identity", "chunked "],
        ] {
            assert!(of(lines).framed && of(lines).coding.is_none(), "{lines:?}");
        }
        for lines in [
            &[][..],
            &[""],
            &["identity"],
            &["chunked, gzip"],
            &["chunked", "identity"],
        ] {
            assert!(!of(lines).framed && of(lines).coding.is_none(), "{lines:?}");
        }
        assert_eq!(
            of(&["gzip", "chunked"]).coding.as_deref(),
            Some("Transfer-Encoding gzip")
        );
        // What was counted is the end, whatever else is said.
        assert!(facts(&HeaderMap::new(), None, Some(5)).framed);
    }

    #[test]
    fn a_content_coding_is_seen_in_every_line() {
        let of = |codings: &[&'static str]| {
            let mut all = HeaderMap::new();
            for line in codings {
                all.append(CONTENT_ENCODING, HeaderValue::from_static(line));
            }
            coding(&all)
        };
        assert_eq!(of(&["", "identity", "Identity, "]), None);
        assert_eq!(
            of(&["identity", "br"]).as_deref(),
            Some("Content-Encoding br")
        );
    }
}
