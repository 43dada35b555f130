//! Something else than the artifact.

use std::time::{Duration, SystemTime};

use super::super::date::parse_http_date;
use super::client::{Ended, Reply, get, hasty_get};
use super::*;

/// The answer to the first request that meets this.
fn first(spell: Spell) -> Reply {
    get(&origin(vec![spell]), PATH, &[])
}

#[test]
fn weak_and_missing_validators_never_allow_a_range() {
    let weak = origin(vec![B::Offers(Validator::Weak).always()]);
    let tag = get(&weak, PATH, &[]).header("etag").unwrap().to_owned();
    assert!(tag.starts_with("W/\""));
    let headers = [("Range", "bytes=5-"), ("If-Range", tag.as_str())];
    assert_eq!(get(&weak, PATH, &headers).status(), 200);
    let none = first(B::Offers(Validator::None).always());
    assert_eq!(
        (none.header("etag"), none.header("last-modified")),
        (None, None)
    );
    assert_eq!(none.body(), sample(1000));
}

#[test]
fn validators_of_a_second_outlive_a_change_and_those_of_two_mirrors_take_turns() {
    let changes = |behind| B::Changes { at: 10, behind }.times(1);
    let tags = |origin: &Origin| -> Vec<String> {
        let reply = || get(origin, PATH, &[]);
        (0..2)
            .map(|_| reply().header("etag").unwrap().to_owned())
            .collect()
    };
    let second = tags(&origin(vec![changes(Validator::Second)]));
    assert!(
        second[0] == second[1] && second[0].starts_with('"'),
        "{second:?}"
    );
    let ripe = tags(&origin(vec![changes(Validator::Ripening)]));
    assert!(ripe[0] == format!("W/{}", ripe[1]), "{ripe:?}");
    let mirrors = tags(&origin(vec![B::Offers(Validator::Mirrored).always()]));
    assert!(
        mirrors[0] != mirrors[1] && mirrors[0].starts_with('"'),
        "{mirrors:?}"
    );
}

#[test]
fn garbage_is_no_http() {
    let reply = first(B::Garbage.always());
    assert!(reply.statuses().is_empty());
    assert!(!reply.raw.is_empty());
    assert_eq!(reply.ended, Ended::Fin);
}

#[test]
fn silence_is_silent() {
    for origin in [
        origin(vec![B::Silence.times(1)]),
        tls_origin(vec![B::Silence.times(1)]),
    ] {
        let reply = hasty_get(&origin, PATH, &[]);
        assert_eq!((reply.raw.len(), reply.ended), (0, Ended::Silence));
        assert_eq!(get(&origin, PATH, &[]).status(), 200);
    }
}

#[test]
fn headers_have_no_end() {
    let reply = first(B::EndlessHead.always());
    assert_eq!(reply.ended, Ended::TooMuch);
    assert!(reply.statuses().is_empty(), "the head never ends");
    assert!(reply.raw.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_busy_origin_says_when_to_come_back() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let busy = |retry_after| B::Busy {
            status,
            retry_after,
        };
        let reply = first(busy(RetryAfter::Unsaid).times(1));
        assert_eq!(
            (reply.status(), reply.header("retry-after")),
            (status, None)
        );
        let reply = first(busy(RetryAfter::Seconds(3)).times(1));
        assert_eq!(
            (reply.status(), reply.header("retry-after")),
            (status, Some("3"))
        );
        let reply = first(busy(RetryAfter::Date(60)).times(1));
        let then = parse_http_date(reply.header("retry-after").unwrap()).unwrap();
        let wait = then.duration_since(SystemTime::now()).unwrap();
        assert!(wait > Duration::from_secs(50) && wait <= Duration::from_secs(60));
    }
}

#[test]
fn a_fuse_burns_down() {
    let busy = B::Busy {
        status: 503,
        retry_after: RetryAfter::Unsaid,
    };
    let origin = origin(vec![busy.times(2)]);
    let statuses: Vec<_> = (0..4).map(|_| get(&origin, PATH, &[]).status()).collect();
    assert_eq!(statuses, [503, 503, 200, 200]);
    assert_eq!(origin.log()[1].fired, ["is busy"]);
    assert!(origin.log()[2].fired.is_empty());
}

#[test]
fn a_refusal_is_final() {
    for status in [401, 403, 404, 410] {
        let origin = origin(vec![B::Refused { status }.always()]);
        for _ in 0..3 {
            assert_eq!(get(&origin, PATH, &[]).status(), status);
        }
    }
}

#[test]
fn nothing_is_sent_in_two_ways() {
    let empty = first(B::Empty.always());
    assert_eq!(
        (empty.status(), empty.length(), empty.body().len()),
        (200, Some(0), 0)
    );
    let no_content = first(B::NoContent.always());
    assert_eq!((no_content.status(), no_content.length()), (204, None));
}

#[test]
fn a_part_is_sent_that_nobody_asked_for() {
    let reply = first(B::UnaskedPart.always());
    assert_eq!(
        (reply.status(), reply.header("content-range")),
        (206, Some("bytes 0-499/1000"))
    );
    assert_eq!(reply.body(), &sample(1000)[..500]);
}

#[test]
fn a_chain_of_redirects_has_its_length() {
    let origin = origin(vec![B::RedirectChain { hops: 3 }.always()]);
    let (mut target, mut statuses) = (PATH.to_owned(), Vec::new());
    let body = loop {
        let reply = get(&origin, &target, &[]);
        statuses.push(reply.status());
        match reply.header("location") {
            Some(there) => target = there.to_owned(),
            None => break reply.body().to_vec(),
        }
    };
    assert_eq!(statuses, [302, 301, 307, 200]);
    assert_eq!(body, sample(1000));
}

#[test]
fn redirects_go_where_they_say() {
    let location = |b: B| {
        let reply = first(b.always());
        (reply.status(), reply.header("location").map(str::to_owned))
    };
    let to = |there: &str| (302, Some(there.to_owned()));
    assert_eq!(location(B::RedirectForever { fresh: false }), to(PATH));
    let next = format!("{PATH}?hop=1");
    assert_eq!(location(B::RedirectForever { fresh: true }), to(&next));
    assert_eq!(location(B::RedirectNowhere), (302, None));
    let ftp = format!("ftp://127.0.0.1{PATH}");
    assert_eq!(location(B::RedirectToScheme { scheme: "ftp" }), to(&ftp));
    for (form, host) in [
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "2852039166",
        "[fe80::1]",
    ]
    .iter()
    .enumerate()
    {
        let there = format!("http://{host}/latest/meta-data/");
        assert_eq!(location(B::RedirectToLinkLocal { form }), to(&there));
    }
    let canary = origin(Vec::new());
    let there = canary.url(PATH);
    assert_eq!(
        location(B::RedirectElsewhere { to: there.clone() }),
        to(&there)
    );

    let down = B::Downgrade { to: there.clone() };
    assert_eq!(
        location(down.clone()),
        (200, None),
        "nothing to downgrade from"
    );
    let reply = get(&tls_origin(vec![down.always()]), PATH, &[]);
    assert_eq!(
        (reply.status(), reply.header("location")),
        (302, Some(there.as_str()))
    );
    assert_eq!(canary.gets(PATH), 0);
}
