//! An origin without behaviours.

use std::time::{Duration, UNIX_EPOCH};

use super::super::date::{http_date, parse_http_date};
use super::super::gzip::gzip;
use super::client::{Ended, get, with_method};
use super::*;

#[test]
fn a_get_and_a_head_say_the_same() {
    let origin = origin(Vec::new());
    let all = get(&origin, PATH, &[]);
    assert_eq!((all.status(), all.ended), (200, Ended::Fin));
    assert_eq!(all.body(), sample(1000));
    let head = with_method("HEAD", &origin, PATH);
    assert_eq!(head.status(), 200);
    assert!(head.body().is_empty());
    for name in ["content-length", "etag", "last-modified", "accept-ranges"] {
        assert!(all.header(name).is_some(), "{name}");
        assert_eq!(all.header(name), head.header(name));
    }
    assert!(all.header("date").and_then(parse_http_date).is_some());
    assert_eq!(origin.gets(PATH), 1);
    assert_eq!(origin.bytes_sent(PATH), 1000);
    assert_eq!(with_method("PUT", &origin, PATH).status(), 405);
    assert_eq!(get(&origin, "/elsewhere", &[]).status(), 404);
}

#[test]
fn ranges_are_served_as_asked() {
    let origin = origin(Vec::new());
    let all = sample(1000);
    for (range, status, said, bytes) in [
        ("bytes=0-", 206, "bytes 0-999/1000", &all[..]),
        ("bytes=990-", 206, "bytes 990-999/1000", &all[990..]),
        ("bytes=10-19", 206, "bytes 10-19/1000", &all[10..20]),
        ("bytes=990-5000", 206, "bytes 990-999/1000", &all[990..]),
        ("bytes=1000-", 416, "bytes */1000", b"no such bytes\n"),
        ("lines=1-2", 200, "", &all[..]),
        ("bytes=5-4", 200, "", &all[..]),
    ] {
        let reply = get(&origin, PATH, &[("Range", range)]);
        assert_eq!(reply.status(), status, "{range}");
        assert_eq!(reply.header("content-range").unwrap_or_default(), said);
        assert_eq!(reply.body(), bytes);
        assert_eq!(reply.length(), Some(bytes.len() as u64));
    }
}

#[test]
fn if_range_takes_strong_validators_only() {
    let origin = origin(Vec::new());
    let object = Object::new(sample(1000));
    let tag = object.etag.clone().unwrap();
    let date = http_date(object.last_modified.unwrap());
    let status = |validator: &str| {
        let headers = [("Range", "bytes=5-"), ("If-Range", validator)];
        get(&origin, PATH, &headers).status()
    };
    assert_eq!(status(&tag), 206);
    assert_eq!(status(&date), 206);
    assert_eq!(status("\"other\""), 200);
    assert_eq!(status(&format!("W/{tag}")), 200);
    let weak = format!("W/{tag}");
    let etag = Some(weak.clone());
    origin.put(PATH, Object { etag, ..object });
    assert_eq!(status(&weak), 200, "even the same weak tag");
}

#[test]
fn conditional_requests_are_answered_304() {
    let origin = origin(Vec::new());
    let tag = Object::new(sample(1000)).etag.unwrap();
    let date = http_date(Object::new([0]).last_modified.unwrap());
    let weak = format!("\"x\", W/{tag}");
    for (name, value, status) in [
        ("If-None-Match", tag.as_str(), 304),
        ("If-None-Match", &weak, 304),
        ("If-None-Match", "*", 304),
        ("If-None-Match", "\"x\"", 200),
        ("If-Modified-Since", &date, 304),
        ("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT", 200),
        ("If-Modified-Since", "yesterday", 200),
    ] {
        let reply = get(&origin, PATH, &[(name, value)]);
        assert_eq!(reply.status(), status, "{name}: {value}");
        assert_eq!(reply.header("etag"), Some(tag.as_str()));
        assert_eq!(reply.body().is_empty(), status == 304);
    }
}

#[test]
fn a_guarded_object_wants_its_authorization() {
    let origin = origin(Vec::new());
    origin.put(PATH, Object::new(sample(10)).guarded("Bearer canary"));
    assert_eq!(get(&origin, PATH, &[]).status(), 401);
    assert!(!origin.has_seen("canary"));
    let right = [("Authorization", "Bearer canary")];
    assert_eq!(get(&origin, PATH, &right).status(), 200);
    assert!(origin.has_seen("canary"));
}

#[test]
fn an_object_can_be_replaced_at_any_time() {
    let origin = origin(Vec::new());
    let before = get(&origin, PATH, &[]);
    origin.put(PATH, Object::new(sample(500)));
    let after = get(&origin, PATH, &[]);
    assert_eq!(after.body(), sample(500));
    assert_ne!(before.header("etag"), after.header("etag"));
    let contents = origin.contents(PATH);
    assert_eq!(*contents[0], *sample(1000));
    assert_eq!(*contents[1], *sample(500));
}

#[test]
fn the_log_has_what_was_asked() {
    let origin = origin(vec![B::ResetAt { at: 5 }.times(1)]);
    get(
        &origin,
        &format!("{PATH}?a=b"),
        &[("Range", "bytes=7-"), ("X-One", "1")],
    );
    let log = origin.log();
    assert_eq!(log.len(), 1);
    assert_eq!(
        (log[0].method.as_str(), log[0].query.as_str()),
        ("GET", "a=b")
    );
    assert!(
        log[0]
            .headers
            .contains(&("x-one".to_owned(), "1".to_owned()))
    );
    let range = log[0].range.unwrap();
    assert_eq!((range.first, range.last), (7, None));
    assert_eq!((log[0].status, log[0].sent), (206, 5));
    assert_eq!(log[0].fired, ["resets"]);
}

#[test]
fn dates_are_written_and_read() {
    let time = UNIX_EPOCH + Duration::from_secs(784_111_777);
    assert_eq!(http_date(time), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(time));
    assert_eq!(parse_http_date("Sunday"), None);
}

#[test]
fn gzip_is_as_written_by_others() {
    // printf %s 123456789 | gzip gives the same checksum and length at its end.
    assert!(gzip(b"123456789").ends_with(&[0x26, 0x39, 0xf4, 0xcb, 9, 0, 0, 0]));
}
