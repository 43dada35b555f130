//! Wrong answers to a ranged request.

use super::client::{Reply, get};
use super::*;

/// The answer to `bytes=600-`; an honest origin answers to a request without a range.
fn resumed(behaviour: Behaviour) -> Reply {
    let origin = origin(vec![behaviour.always()]);
    let whole = get(&origin, PATH, &[]);
    assert_eq!((whole.status(), whole.body()), (200, &sample(1000)[..]));
    assert!(origin.log()[0].fired.is_empty());
    let reply = get(&origin, PATH, &[("Range", "bytes=600-")]);
    assert_eq!(origin.log()[1].fired.len(), 1);
    reply
}

#[test]
fn a_range_is_ignored() {
    let reply = resumed(B::IgnoresRange);
    assert_eq!((reply.status(), reply.header("content-range")), (200, None));
    assert_eq!(reply.body(), sample(1000));
}

#[test]
fn a_range_begins_elsewhere() {
    let later = resumed(B::OtherOffset { by: 100 });
    assert_eq!(
        (later.status(), later.header("content-range")),
        (206, Some("bytes 700-999/1000"))
    );
    assert_eq!(later.body(), &sample(1000)[700..]);
    let sooner = resumed(B::OtherOffset { by: 500 });
    assert_eq!(sooner.header("content-range"), Some("bytes 100-999/1000"));
    assert_eq!(sooner.body(), &sample(1000)[100..]);
}

#[test]
fn a_range_speaks_of_another_total() {
    let reply = resumed(B::OtherTotal { more: 1 });
    assert_eq!(reply.header("content-range"), Some("bytes 600-999/1001"));
    assert_eq!(reply.body(), &sample(1000)[600..]);
}

#[test]
fn a_range_has_other_bytes_than_it_says() {
    let reply = resumed(B::OtherBytes);
    assert_eq!(reply.header("content-range"), Some("bytes 600-999/1000"));
    assert_eq!(reply.body(), &sample(1000)[..400]);
}

#[test]
fn a_range_comes_as_multipart() {
    let reply = resumed(B::Multipart);
    assert_eq!((reply.status(), reply.header("content-range")), (206, None));
    assert!(
        reply
            .header("content-type")
            .unwrap()
            .starts_with("multipart/byteranges")
    );
    assert_eq!(reply.length(), Some(reply.body().len() as u64));
    assert!(reply.body().starts_with(b"--part\r\n"));
}

#[test]
fn a_range_that_exists_does_not() {
    let reply = resumed(B::Unsatisfiable);
    assert_eq!(
        (reply.status(), reply.header("content-range")),
        (416, Some("bytes */1000"))
    );
}

#[test]
fn a_range_comes_whatever_its_condition_says() {
    let origin = origin(vec![B::IgnoresIfRange.always()]);
    let stale = [("Range", "bytes=600-"), ("If-Range", "\"another\"")];
    let reply = get(&origin, PATH, &stale);
    assert_eq!(reply.header("content-range"), Some("bytes 600-999/1000"));
    assert_eq!(reply.body(), &sample(1000)[600..]);
    // The validators are those of what is sent.
    let whole = get(&origin, PATH, &[]);
    assert_eq!(whole.status(), 200);
    assert!(whole.header("etag").is_some());
    assert_eq!(whole.header("etag"), reply.header("etag"));
}

#[test]
fn a_range_has_no_validators() {
    let reply = resumed(B::BareParts);
    assert_eq!(reply.header("content-range"), Some("bytes 600-999/1000"));
    assert_eq!(
        (reply.header("etag"), reply.header("last-modified")),
        (None, None)
    );
    assert_eq!(reply.body(), &sample(1000)[600..]);
}
