//! What a download that was cut off goes on with (docs/design/faults.md, 47).
//!
//! Without a checksum both parts must be known to be of one object; with one any two may be joined, because the digest
//! proves the joint.
#![expect(
    clippy::disallowed_methods,
    reason = "files that are as old as a test wants"
)]

use std::path::Path;
use std::time::{Duration, SystemTime};

use war_vol::acquire::RetryPolicy;
use war_vol::artifact::Digest;

use crate::engine::{Engine, impatient, request, sha256};
use crate::origin::{Behaviour, Object, Origin, Seen, Spell, Validator};
use crate::sandbox::Sandbox;

const PATH: &str = "/v2/sample.war";
const SIZE: usize = 500_000;
const CUT: u64 = 200_000;

fn bytes(seed: usize) -> Vec<u8> {
    (0..SIZE)
        .map(|i| ((i + seed) * 7 + i / 251) as u8)
        .collect()
}

fn origin() -> Origin {
    let origin = Origin::start();
    origin.put(PATH, Object::new(bytes(0)));
    origin
}

fn ranges(origin: &Origin) -> Vec<Seen> {
    origin
        .log()
        .into_iter()
        .filter(|seen| seen.range.is_some())
        .collect()
}

fn condition(seen: &Seen) -> Option<&str> {
    let named = seen.headers.iter().find(|(name, _)| name == "if-range");
    named.map(|(_, value)| value.as_str())
}

/// The program's `fetch` from an origin whose object changes at the cut: what comes must be one of the two.
fn fetches_one_object(origin: &Origin) {
    let sandbox = Sandbox::new();
    sandbox
        .run(["fetch", &origin.url(PATH), "-o", "out"])
        .must(0);
    let came = std::fs::read(sandbox.path("out")).unwrap();
    let all = origin.contents(PATH);
    assert_eq!(all.len(), 2);
    assert!(came != bytes(0), "the first one was cut off");
    assert!(*came == *all[1], "parts of two objects");
}

/// nginx makes the tag of seconds and size, and says that it is strong.
#[test]
fn row_47_a_tag_of_seconds_and_size_joins_no_two_objects() {
    let origin = origin();
    let changes = Behaviour::Changes {
        at: CUT,
        behind: Validator::Second,
    };
    origin.behave(PATH, vec![changes.times(1)]);
    fetches_one_object(&origin);
    assert_eq!(ranges(&origin).len(), 0, "it must not even be asked for");
}

/// Apache calls the tag weak while the file is young, and the same text strong later.
#[test]
fn row_47_a_tag_that_ripens_joins_no_two_objects() {
    let origin = origin();
    let changes = Behaviour::Changes {
        at: CUT,
        behind: Validator::Ripening,
    };
    origin.behave(PATH, vec![changes.times(1)]);
    fetches_one_object(&origin);
    assert_eq!(ranges(&origin).len(), 0);
}

/// Jetty answers 206 whatever `If-Range` says; its tag is then the new object's.
#[test]
fn row_47_an_origin_that_ignores_the_condition_joins_no_two_objects() {
    for more in [None, Some(Behaviour::Chunked.always())] {
        let origin = origin();
        let changes = Behaviour::Changes {
            at: CUT,
            behind: Validator::Strong,
        };
        let mut spells = vec![changes.times(1), Behaviour::IgnoresIfRange.always()];
        spells.extend(more);
        origin.behave(PATH, spells);
        fetches_one_object(&origin);
        assert!(!ranges(&origin).is_empty());
    }
}

/// A part that does not say whose it is: RFC 9110 §15.3.7 wants the tag in it.
#[test]
fn row_47_a_part_without_a_tag_is_not_joined() {
    let sandbox = Sandbox::new();
    let origin = origin();
    let cut = Behaviour::ResetAt { at: CUT }.times(1);
    origin.behave(PATH, vec![cut, Behaviour::BareParts.always()]);
    sandbox
        .run(["fetch", &origin.url(PATH), "-o", "out"])
        .must(0);
    assert!(std::fs::read(sandbox.path("out")).unwrap() == bytes(0));
    let statuses: Vec<_> = origin.log().iter().map(|seen| seen.status).collect();
    assert_eq!(statuses, [200, 206, 200]);
    // With a checksum it is.
    let pin = sha256(&bytes(0)).to_string();
    let cut = Behaviour::ResetAt { at: CUT }.times(1);
    origin.behave(PATH, vec![cut, Behaviour::BareParts.always()]);
    sandbox
        .run(["fetch", &origin.url(PATH), "-o", "out", "--checksum", &pin])
        .must(0);
    let statuses: Vec<_> = origin.log()[3..].iter().map(|seen| seen.status).collect();
    assert_eq!(statuses, [200, 206]);
}

/// Each cut lets 100,000 bytes through; without a resume across the tags it never ends.
#[test]
fn row_47_two_mirrors_in_turn_finish_with_a_checksum() {
    let sandbox = Sandbox::new();
    let origin = origin();
    let mirrors = Behaviour::Offers(Validator::Mirrored).always();
    let cut = Behaviour::ResetAt { at: 100_000 }.always();
    origin.behave(PATH, vec![mirrors, cut]);
    let pin = sha256(&bytes(0)).to_string();
    sandbox
        .run(["fetch", &origin.url(PATH), "-o", "out", "--checksum", &pin])
        .must(0);
    assert!(std::fs::read(sandbox.path("out")).unwrap() == bytes(0));
    let parts = ranges(&origin);
    assert!(parts.len() >= 4, "{}", parts.len());
    for part in &parts {
        assert_eq!((part.status, condition(part)), (206, None));
    }
    // Without one the bytes are right too, but nothing is joined across two tags.
    let mirrors = Behaviour::Offers(Validator::Mirrored).always();
    let cut = Behaviour::ResetAt { at: CUT }.times(1);
    origin.behave(PATH, vec![mirrors, cut]);
    sandbox
        .run(["fetch", &origin.url(PATH), "-o", "out"])
        .must(0);
    assert!(std::fs::read(sandbox.path("out")).unwrap() == bytes(0));
    assert_eq!(origin.log().last().unwrap().status, 200);
}

/// A joint that the digest refutes is begun anew once, and what came of it is not taken for the object.
#[tokio::test(flavor = "multi_thread")]
async fn row_47_a_wrong_joint_is_not_remembered_as_the_object() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path(), None);
    let origin = origin();
    let cut = |at| Behaviour::ResetAt { at }.times(1);
    // Both downloads of the first call are joined, and wrongly.
    let joints = Behaviour::OtherBytes.times(2);
    origin.behave(PATH, vec![cut(CUT), cut(CUT + 150_000), joints]);
    let right = request(&origin.url(PATH), Some(sha256(&bytes(0))));
    engine.get(&right).await.unwrap_err();
    let blob = engine.get(&right).await.unwrap();
    assert!(engine.bytes(&blob) == bytes(0));
}

/// What one process left of a download: `CUT` bytes of the object that is there now.
async fn leaves(root: &Path, origin: &Origin, pin: Option<Digest>) {
    let once = RetryPolicy {
        tries: 1,
        ..impatient()
    };
    let engine = Engine::with(root, None, once);
    let cut = Behaviour::ResetAt { at: CUT }.times(1);
    origin.behave(PATH, vec![cut]);
    let want = request(&origin.url(PATH), pin);
    engine.get(&want).await.unwrap_err();
}

/// What the next one makes of it, and with which requests.
async fn goes_on(
    root: &Path,
    origin: &Origin,
    pin: Option<Digest>,
    meets: Vec<Spell>,
) -> (Vec<u8>, Vec<Seen>) {
    let engine = Engine::open(root, None);
    origin.behave(PATH, meets);
    let before = origin.log().len();
    let blob = engine.get(&request(&origin.url(PATH), pin)).await.unwrap();
    (engine.bytes(&blob), origin.log().split_off(before))
}

/// So many seconds old; below zero, from a clock that is ahead, so that no test is so slow that it is old.
fn tagged(seed: usize, tag: &str, age: Option<i64>) -> Object {
    let time = |age: i64| match u64::try_from(age) {
        Ok(age) => SystemTime::now() - Duration::from_secs(age),
        Err(_) => SystemTime::now() + Duration::from_secs(age.unsigned_abs()),
    };
    Object {
        etag: Some(tag.to_owned()),
        last_modified: age.map(time),
        ..Object::new(bytes(seed))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_47_another_process_goes_on_only_with_what_is_certainly_the_same() {
    let (tag, weak) = ("\"5-7a120\"", "W/\"5-7a120\"");
    for (was, goes) in [
        (tagged(0, tag, Some(1000)), true),
        (tagged(0, tag, Some(3)), true),
        (tagged(0, tag, Some(-60)), false),
        (tagged(0, tag, None), false),
        (tagged(0, weak, Some(1000)), false),
        (tagged(0, "", Some(1000)), false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let origin = Origin::start();
        let what = format!("{:?} {:?}", was.etag, was.last_modified);
        origin.put(PATH, was);
        leaves(dir.path(), &origin, None).await;
        let (came, log) = goes_on(dir.path(), &origin, None, vec![]).await;
        assert!(came == bytes(0), "{what}");
        assert_eq!(log.len(), 1, "{what}");
        let first = log[0].range.map(|r| r.first);
        assert_eq!(first, goes.then_some(CUT), "{what}");
        assert_eq!(condition(&log[0]), goes.then_some(tag), "{what}");
    }
}

/// What is compared again: the tag and the time of a 206, from an origin that sends one in any case.
#[tokio::test(flavor = "multi_thread")]
async fn row_47_a_part_that_names_another_object_is_not_joined() {
    let tag = "\"5-7a120\"";
    let hour = 3600_i64;
    for next in [
        tagged(9, "\"6-7a120\"", Some(2 * hour)),
        // The same tag, and another time.
        tagged(9, tag, Some(hour)),
        tagged(9, tag, Some(-60)),
        // The same text, but weak now.
        tagged(9, "W/\"5-7a120\"", Some(2 * hour)),
    ] {
        for pin in [None, Some(sha256(&bytes(9)))] {
            let dir = tempfile::tempdir().unwrap();
            let origin = Origin::start();
            origin.put(PATH, tagged(0, tag, Some(2 * hour)));
            leaves(dir.path(), &origin, pin.clone()).await;
            let what = format!("{:?} {:?} {pin:?}", next.etag, next.last_modified);
            origin.put(PATH, next.clone());
            let jetty = vec![Behaviour::IgnoresIfRange.always()];
            let (came, log) = goes_on(dir.path(), &origin, pin, jetty).await;
            assert!(came == bytes(9), "parts of two objects: {what}");
            let statuses: Vec<_> = log.iter().map(|seen| seen.status).collect();
            assert_eq!(statuses, [206, 200], "{what}");
        }
    }
}

/// With a checksum whatever is there is gone on with: no tag is asked under, and none is compared.
#[tokio::test(flavor = "multi_thread")]
async fn row_47_with_a_checksum_another_process_goes_on_under_any_tag() {
    for (was, is) in [
        (tagged(0, "\"a\"", Some(1000)), tagged(0, "\"b\"", Some(0))),
        (tagged(0, "W/\"a\"", Some(0)), tagged(0, "\"a\"", None)),
        (tagged(0, "", None), tagged(0, "\"a\"", Some(5))),
    ] {
        let pin = Some(sha256(&bytes(0)));
        let dir = tempfile::tempdir().unwrap();
        let origin = Origin::start();
        origin.put(PATH, was);
        leaves(dir.path(), &origin, pin.clone()).await;
        origin.put(PATH, is);
        let (came, log) = goes_on(dir.path(), &origin, pin, vec![]).await;
        assert!(came == bytes(0));
        assert_eq!(log.len(), 1);
        assert_eq!((log[0].status, condition(&log[0])), (206, None));
        assert_eq!(log[0].sent, SIZE as u64 - CUT);
    }
}

/// Parts under two tags that the digest proves: neither tag names the whole.
#[tokio::test(flavor = "multi_thread")]
async fn row_47_what_was_joined_under_two_tags_is_not_known_by_either() {
    let dir = tempfile::tempdir().unwrap();
    let origin = Origin::start();
    let pin = Some(sha256(&bytes(0)));
    for (was, is, known) in [("\"a\"", "\"b\"", 0), ("\"c\"", "\"c\"", 1)] {
        origin.put(PATH, tagged(0, was, Some(7200)));
        leaves(dir.path(), &origin, pin.clone()).await;
        let mut next = tagged(0, is, None);
        next.last_modified = origin.modified(PATH);
        origin.put(PATH, next);
        goes_on(dir.path(), &origin, pin.clone(), vec![]).await;
        let (_, log) = goes_on(dir.path(), &origin, None, vec![]).await;
        let conditions = log.iter().flat_map(|seen| &seen.headers);
        let conditions = conditions.filter(|(name, _)| name.starts_with("if-"));
        assert_eq!(conditions.count(), known, "{was} {is}");
        std::fs::remove_dir_all(dir.path().join("v1")).unwrap();
    }
}

/// A tag from the second in which the object changed may be another object's by now: what is cached is not taken for
/// unchanged because of it.
#[tokio::test(flavor = "multi_thread")]
async fn row_47_a_tag_of_the_same_second_does_not_say_that_nothing_changed() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path(), None);
    let origin = Origin::start();
    let young = Behaviour::Offers(Validator::Second).always();
    origin.put(PATH, Object::new(bytes(0)));
    origin.behave(PATH, vec![young]);
    let first = engine.get(&request(&origin.url(PATH), None)).await.unwrap();
    assert!(engine.bytes(&first) == bytes(0));
    let asked = origin.log().len();
    origin.replace_within_the_second(PATH, bytes(9));
    let second = engine.get(&request(&origin.url(PATH), None)).await.unwrap();
    assert!(engine.bytes(&second) == bytes(9), "the old bytes");
    assert_eq!(origin.log().len(), asked + 1);
}
