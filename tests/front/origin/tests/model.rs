//! A small client that does everything right proves that the expectations can be met: what must succeed does,
//! what must fail does, over many origins.

use std::sync::Arc;
use std::time::Duration;

use proptest::prop_assert;
use proptest::test_runner::{Config, TestRunner};

use super::super::date::parse_http_date;
use super::super::plan::is_chunked;
use super::super::{Expect, PATIENCE, Scene};
use super::client::{Ended, Reply, hasty_get};
use super::*;

/// What is kept of a download that was cut off.
#[derive(Default)]
struct Partial {
    bytes: Vec<u8>,
    /// A strong tag, and a time of change that was at least two seconds old.
    known: Option<(String, String)>,
    total: Option<u64>,
    resumed: bool,
}

/// Why an attempt brought nothing.
enum Lost {
    /// May pass.
    Passing,
    /// From zero.
    Stale,
    /// Never.
    Final,
}

struct Client<'a> {
    origins: [&'a Origin; 2],
    pin: Option<Arc<[u8]>>,
}

impl Client<'_> {
    fn download(&self) -> Option<Vec<u8>> {
        let (mut partial, mut clean) = (Partial::default(), true);
        let mut lost = 0;
        while lost <= PATIENCE {
            match self.attempt(&mut partial) {
                Ok(()) => {
                    let right = self.pin.as_ref().is_none_or(|pin| **pin == *partial.bytes);
                    if right {
                        return Some(partial.bytes);
                    }
                    if !(partial.resumed && clean) {
                        return None;
                    }
                    (partial, clean) = (Partial::default(), false);
                }
                Err(Lost::Final) => return None,
                Err(Lost::Stale) => (partial, lost) = (Partial::default(), lost + 1),
                Err(Lost::Passing) => lost += 1,
            }
        }
        None
    }

    fn attempt(&self, partial: &mut Partial) -> Result<(), Lost> {
        let range = format!("bytes={}-", partial.bytes.len());
        let mut headers = Vec::new();
        // A checksum proves any joint; without one both parts must be known to be of one object.
        let known = partial.known.as_ref().filter(|_| self.pin.is_none());
        let resume = !partial.bytes.is_empty() && (known.is_some() || self.pin.is_some());
        if resume {
            headers.push(("Range", range.as_str()));
            headers.extend(known.map(|(tag, _)| ("If-Range", tag.as_str())));
        }
        let reply = self.follow(&headers)?;
        match reply.status() {
            200 => *partial = Partial::default(),
            206 if resume => {
                let range = reply.header("content-range").unwrap_or_default();
                let total = range.split_once('/').and_then(|(_, n)| n.parse().ok());
                let right =
                    |n: &u64| range == format!("bytes {}-{}/{n}", partial.bytes.len(), n - 1);
                let total: u64 = total.filter(right).ok_or(Lost::Stale)?;
                let same = known.is_none_or(|(tag, time)| {
                    let now = |name: &str| reply.header(name);
                    now("etag") == Some(tag) && now("last-modified").is_none_or(|t| t == time)
                });
                if !same || partial.total.is_some_and(|before| before != total) {
                    return Err(Lost::Stale);
                }
                partial.resumed = true;
            }
            416 if resume => return Err(Lost::Stale),
            408 | 425 | 429 | 500 | 502 | 503 | 504 => return Err(Lost::Passing),
            0 if reply.raw.is_empty() => return Err(Lost::Passing),
            _final_status => return Err(Lost::Final),
        }
        self.body(&reply, partial)
    }

    /// Follows redirects to where it is allowed.
    fn follow(&self, headers: &[(&str, &str)]) -> Result<Reply, Lost> {
        let (mut origin, mut target) = (self.origins[0], PATH.to_owned());
        for _ in 0..=10 {
            let reply = hasty_get(origin, &target, headers);
            if !(300..400).contains(&reply.status()) {
                return Ok(reply);
            }
            let there = reply.header("location").ok_or(Lost::Final)?;
            if there == self.origins[1].url(PATH) {
                (origin, target) = (self.origins[1], PATH.to_owned());
            } else if there.starts_with('/') {
                target = there.to_owned();
            } else {
                return Err(Lost::Final);
            }
        }
        Err(Lost::Final)
    }

    fn body(&self, reply: &Reply, partial: &mut Partial) -> Result<(), Lost> {
        if reply.all("content-length").len() > 1
            || reply
                .header("content-encoding")
                .is_some_and(|c| c != "identity")
        {
            return Err(Lost::Final);
        }
        let head = reply.head();
        if reply.ended == Ended::TooMuch || head.len() > 400 << 10 || head.lines().count() > 5001 {
            return Err(Lost::Final);
        }
        let codings = reply.all("transfer-encoding");
        let chunked = is_chunked(&codings);
        let framed = chunked || codings.is_empty() && reply.length().is_some();
        if self.pin.is_none() && (!framed || codings.concat().contains("gzip")) {
            return Err(Lost::Final);
        }
        let (bytes, complete) = if chunked {
            reply.dechunked()
        } else if !framed {
            (reply.body().to_vec(), reply.ended == Ended::Fin)
        } else if let Some(length) = reply.length() {
            let body = reply.body();
            let taken = body.len().min(usize::try_from(length).unwrap());
            (body[..taken].to_vec(), taken as u64 == length)
        } else {
            (reply.body().to_vec(), reply.ended == Ended::Fin)
        };
        if reply.status() == 200 {
            partial.total = reply.length();
            partial.known = known(reply);
        }
        partial.bytes.extend(bytes);
        if complete { Ok(()) } else { Err(Lost::Passing) }
    }
}

/// What an answer names its object by, if no other object can have the same.
fn known(reply: &Reply) -> Option<(String, String)> {
    let tag = reply.header("etag").filter(|t| !t.starts_with("W/"))?;
    let time = reply.header("last-modified")?;
    let (changed, answered) = (
        parse_http_date(time)?,
        parse_http_date(reply.header("date")?)?,
    );
    let age = answered.duration_since(changed).ok()?;
    (age >= Duration::from_secs(2)).then(|| (tag.to_owned(), time.to_owned()))
}

/// Goes through so many origins of one scene.
fn go_through(pinned: bool, tls: bool) {
    const SIZE: u64 = 100;
    let start = || {
        with_sample(
            if tls {
                Origin::start_tls()
            } else {
                Origin::start()
            },
            Vec::new(),
        )
    };
    let (origin, elsewhere) = (start(), start());
    elsewhere.put(PATH, Object::new(sample(SIZE)));
    let scene = Scene {
        pinned,
        tls,
        size: SIZE,
        elsewhere: Some(elsewhere.url(PATH)),
        plain: Some("http://127.0.0.1:1/".to_owned()),
    };
    let cases = std::env::var("PROPTEST_CASES").map_or(20, |n| n.parse().unwrap());
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    });
    let outcome = runner.run(&scene.spells(), |(spells, expect)| {
        origin.put(PATH, Object::new(sample(SIZE)));
        origin.behave(PATH, spells);
        let pin = pinned.then(|| sample(SIZE).into());
        let got = Client {
            origins: [&origin, &elsewhere],
            pin,
        }
        .download();
        match expect {
            Expect::MustSucceed => prop_assert!(got.is_some()),
            Expect::MayFail => {}
            Expect::MustFail => prop_assert!(got.is_none()),
        }
        let right = |bytes: &Vec<u8>| origin.contents(PATH).iter().any(|c| **c == **bytes);
        prop_assert!(got.as_ref().is_none_or(right), "wrong bytes");
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn expectations_can_be_met_unpinned() {
    go_through(false, false);
}

#[test]
fn expectations_can_be_met_pinned() {
    go_through(true, false);
}

#[test]
fn expectations_can_be_met_unpinned_under_tls() {
    go_through(false, true);
}

#[test]
fn expectations_can_be_met_pinned_under_tls() {
    go_through(true, true);
}
