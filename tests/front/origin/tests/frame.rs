//! Where a body ends, how it is coded, and what is unusual but right.

use super::super::gzip::gzip;
use super::client::{Ended, Reply, get};
use super::*;

fn first(behaviour: Behaviour) -> Reply {
    get(&origin(vec![behaviour.always()]), PATH, &[])
}

#[test]
fn chunks_need_no_length() {
    assert_eq!(first(B::Chunked).chunks(), (sample(1000), true));
}

#[test]
fn a_body_ends_by_closing() {
    for origin in [
        origin(vec![B::CloseDelimited.always()]),
        tls_origin(vec![B::CloseDelimited.always()]),
    ] {
        let reply = get(&origin, PATH, &[]);
        assert_eq!((reply.length(), reply.ended), (None, Ended::Fin));
        assert!(reply.header("transfer-encoding").is_none());
        assert_eq!(reply.body(), sample(1000));
    }
}

#[test]
fn lengths_lie() {
    let short = first(B::TooShort { less: 10 });
    assert_eq!((short.length(), short.body().len()), (Some(990), 1000));
    let long = first(B::TooLong { more: 10 });
    assert_eq!((long.length(), long.body().len()), (Some(1010), 1000));
    assert_eq!(long.ended, Ended::Fin);
    let two = first(B::TwoLengths);
    assert_eq!(two.all("content-length"), ["1000", "1001"]);
}

#[test]
fn codings_are_added_and_claimed() {
    let coded = first(B::Gzipped);
    assert_eq!(coded.header("content-encoding"), Some("gzip"));
    assert_eq!(coded.body(), gzip(&sample(1000)));
    assert_eq!(coded.length(), Some(coded.body().len() as u64));
    for coding in ["gzip", "identity"] {
        let claimed = first(B::EncodingLabel { coding });
        assert_eq!(claimed.header("content-encoding"), Some(coding));
        assert_eq!(claimed.body(), sample(1000));
    }
}

#[test]
fn bytes_have_no_end() {
    let reply = first(B::Endless);
    assert_eq!(reply.ended, Ended::TooMuch);
    let (bytes, complete) = reply.chunks();
    assert!(!complete);
    assert_eq!(bytes[..2000], [sample(1000), sample(1000)].concat());
}

#[test]
fn hints_come_before_the_answer() {
    for status in [100, 103] {
        let reply = first(B::Interim { status });
        assert_eq!(reply.statuses(), [status, 200]);
        assert_eq!(reply.body(), sample(1000));
    }
}

#[test]
fn heads_are_slow_huge_and_of_another_type() {
    let slow = first(B::SlowHead { ms: 30 });
    assert!(slow.took.as_millis() >= 30);
    assert_eq!(slow.body(), sample(1000));
    let huge = first(B::HugeHead { kib: 80 });
    assert!(huge.raw.len() > 80 << 10);
    assert_eq!(huge.body(), sample(1000));
    let other = first(B::ContentType { name: "text/html" });
    assert_eq!(other.header("content-type"), Some("text/html"));
    assert_eq!(other.body(), sample(1000));
}

#[test]
fn transfer_codings_are_named_and_only_chunks_are_made() {
    let of = |lines, length| first(B::Codings { lines, length });
    for lines in [
        &["identity"][..],
        &["chunked, identity"],
        &["chunked", "identity"],
    ] {
        for length in [true, false] {
            let reply = of(lines, length);
            assert_eq!(reply.all("transfer-encoding"), lines);
            assert_eq!(reply.length(), length.then_some(1000));
            assert_eq!((reply.body(), reply.ended), (&sample(1000)[..], Ended::Fin));
        }
    }
    let both = of(&["gzip, chunked"], true);
    assert_eq!(both.length(), Some(1000));
    assert_eq!(both.dechunked(), (sample(1000), true));
}

#[test]
fn an_old_version_is_spoken() {
    for length in [true, false] {
        let reply = first(B::OldVersion { length });
        assert!(reply.head().starts_with("HTTP/1.0 200 "));
        assert_eq!(reply.length(), length.then_some(1000));
        assert_eq!((reply.body(), reply.ended), (&sample(1000)[..], Ended::Fin));
    }
}

#[test]
fn a_cut_shows_in_no_framing_that_announces_nothing() {
    for framing in [
        B::CloseDelimited,
        B::OldVersion { length: false },
        B::Codings {
            lines: &["identity"],
            length: true,
        },
    ] {
        let origin = origin(vec![framing.always(), B::FinAt { at: 500 }.always()]);
        let reply = get(&origin, PATH, &[]);
        assert_eq!(
            (reply.body(), reply.ended),
            (&sample(1000)[..500], Ended::Fin)
        );
    }
}

#[test]
fn heads_have_many_fields_and_odd_lines() {
    let many = first(B::ManyFields { count: 150 });
    assert!(many.head().lines().count() > 150);
    assert_eq!(many.body(), sample(1000));
    let line = "X Y: a name with a space";
    let odd = first(B::OddLine { line });
    assert!(odd.head().contains(line));
    assert_eq!(odd.body(), sample(1000));
}
