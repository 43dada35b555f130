//! The faults of the network (docs/design/faults.md, 1 to 8 and 10), through the program and against a real server: the
//! name of a test says which.

use crate::engine::{Engine, request, sha256};
use crate::origin::{Behaviour, Object, Origin, RetryAfter, Validator};
use crate::sandbox::Sandbox;

const PATH: &str = "/v2/sample.war";

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 7 + i / 251) as u8).collect()
}

fn origin(size: usize) -> Origin {
    let origin = Origin::start();
    origin.put(PATH, Object::new(bytes(size)));
    origin
}

/// The program's `fetch`, which must bring these bytes.
fn fetches(sandbox: &Sandbox, origin: &Origin, size: usize, more: &[&str]) {
    let url = origin.url(PATH);
    let mut arguments = vec!["fetch", &url, "-o", "out"];
    arguments.extend(more);
    sandbox.run(arguments).must(0);
    assert!(
        std::fs::read(sandbox.path("out")).unwrap() == bytes(size),
        "wrong bytes"
    );
}

#[test]
fn row_1_a_reset_connection_goes_on_under_the_same_tag_and_reads_no_chunk_twice() {
    let (sandbox, size) = (Sandbox::new(), 3_000_000);
    let origin = origin(size);
    origin.behave(PATH, vec![Behaviour::ResetAt { at: 700_000 }.times(3)]);
    fetches(&sandbox, &origin, size, &[]);
    let log = origin.log();
    assert_eq!(log.len(), 4);
    for seen in &log[1..] {
        let range = seen
            .range
            .as_ref()
            .expect("a later request asks for the rest");
        assert!(range.first > 0);
        assert!(
            seen.headers.iter().any(|(name, _)| name == "if-range"),
            "{:?}",
            seen.headers
        );
    }
    // What was on its way when the connection broke is lost, at most what the sockets hold.
    let twice = origin.bytes_sent(PATH) - size as u64;
    assert!(twice < 3 * (1 << 20), "{twice} bytes were read twice");
}

#[test]
fn row_2_an_answer_to_another_range_is_never_appended() {
    for behaviour in [
        Behaviour::IgnoresRange,
        Behaviour::OtherOffset { by: 7 },
        Behaviour::OtherTotal { more: 7 },
    ] {
        let (sandbox, size) = (Sandbox::new(), 500_000);
        let origin = origin(size);
        let reset = Behaviour::ResetAt { at: 200_000 }.times(1);
        origin.behave(PATH, vec![reset, behaviour.always()]);
        fetches(&sandbox, &origin, size, &[]);
    }
}

#[test]
fn row_3_an_object_that_changes_between_two_ranges_starts_from_zero() {
    let (sandbox, size) = (Sandbox::new(), 500_000);
    let origin = origin(size);
    let changes = Behaviour::Changes {
        at: 200_000,
        behind: Validator::Strong,
    };
    origin.behave(PATH, vec![changes.clone().times(1)]);
    sandbox
        .run(["fetch", &origin.url(PATH), "-o", "out"])
        .must(0);
    let versions = origin.contents(PATH);
    assert_eq!(versions.len(), 2);
    assert!(
        *std::fs::read(sandbox.path("out")).unwrap() == *versions[1],
        "parts of two objects"
    );

    // Pinned to the first one it is an error that names both digests.
    let origin = self::origin(size);
    origin.behave(PATH, vec![changes.times(1)]);
    let pin = sha256(&bytes(size)).to_string();
    let ran = sandbox
        .run([
            "fetch",
            &origin.url(PATH),
            "-o",
            "other",
            "--checksum",
            &pin,
        ])
        .must(6);
    let actual = sha256(&origin.contents(PATH)[1]).to_string();
    ran.says(&pin).says(&actual);
    assert!(!sandbox.path("other").exists());
}

#[test]
fn row_4_an_answer_that_is_cut_off_is_never_taken_for_complete() {
    let sandbox = Sandbox::new();
    let plain = origin(100_000);
    let tls = Origin::start_tls();
    tls.put(PATH, Object::new(bytes(100_000)));
    std::fs::write(sandbox.path("ca.pem"), tls.ca_pem()).unwrap();
    for (origin, cut) in [
        (&plain, Behaviour::FinAt { at: 1000 }),
        (&plain, Behaviour::ChunkedCut { at: 1000 }),
        (&plain, Behaviour::TooLong { more: 10 }),
        (&tls, Behaviour::TlsCut { at: 1000 }),
    ] {
        // Without a tag nothing can be resumed, so that each try is cut at the same place.
        let untagged = Behaviour::Offers(Validator::None).always();
        origin.behave(PATH, vec![untagged, cut.always()]);
        let url = origin.url(PATH);
        let ran = sandbox.run(["fetch", &url, "-o", "out", "--ca-file", "ca.pem"]);
        let ran = ran.must(11).says("was cut off");
        assert!(
            !ran.stderr.contains("retrying in"),
            "it took too many tries: {}",
            ran.stderr
        );
        let left = std::fs::read_dir(sandbox.path("")).unwrap().count();
        assert_eq!(left, 1, "something is left beside ca.pem");
    }
}

#[test]
fn row_4_more_bytes_than_announced_do_not_pass_for_the_promised_ones() {
    let sandbox = Sandbox::new();
    let origin = origin(100_000);
    origin.behave(PATH, vec![Behaviour::TooShort { less: 10 }.always()]);
    let pin = sha256(&bytes(100_000)).to_string();
    sandbox
        .run(["fetch", &origin.url(PATH), "--checksum", &pin])
        .must(6)
        .says(&pin);
}

#[test]
fn row_5_silence_and_a_trickle_are_given_up_and_tried_again() {
    let sandbox = Sandbox::new();
    let size = 200_000;
    let origin = origin(size);
    let silence = Behaviour::SilenceAt { at: 50_000 }.times(1);
    let trickle = Behaviour::Trickle { ms: 20 }.times(1);
    origin.behave(PATH, vec![silence, trickle]);
    fetches(&sandbox, &origin, size, &["--stall-time", "500ms"]);

    origin.behave(PATH, vec![Behaviour::Silence.always()]);
    let url = origin.url(PATH);
    let ran = sandbox.run([
        "fetch",
        &url,
        "-o",
        "out",
        "--stall-time",
        "300ms",
        "--tries",
        "2",
    ]);
    ran.must(11).says("no response within 300ms");
}

/// What counts is what a window of the stall time brought, and not that it ends between two chunks.
#[test]
fn row_5_a_slow_origin_that_is_fast_enough_is_asked_once_however_long_it_takes() {
    let (sandbox, size) = (Sandbox::new(), 100);
    let origin = origin(size);
    origin.behave(PATH, vec![Behaviour::Trickle { ms: 20 }.always()]);
    let patience = ["--stall-time", "500ms", "--stall-speed", "2"];
    fetches(&sandbox, &origin, size, &patience);
    assert_eq!(origin.gets(PATH), 1);
}

#[test]
fn row_6_an_origin_that_is_busy_is_waited_for_and_a_no_is_final() {
    let (sandbox, size) = (Sandbox::new(), 10_000);
    let origin = origin(size);
    let busy = |status| {
        Behaviour::Busy {
            status,
            retry_after: RetryAfter::Seconds(1),
        }
        .times(1)
    };
    origin.behave(PATH, vec![busy(429), busy(503)]);
    fetches(&sandbox, &origin, size, &["--longest-pause", "1s"]);

    for (status, code) in [(401, 4), (403, 5), (404, 3), (410, 3)] {
        let origin = self::origin(size);
        origin.behave(PATH, vec![Behaviour::Refused { status }.always()]);
        sandbox
            .run(["fetch", &origin.url(PATH)])
            .must(code)
            .says(&format!("answered {status}"));
        assert_eq!(origin.gets(PATH), 1, "a storm");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_6_a_no_is_remembered_for_seconds_so_that_thirty_pods_ask_once() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path(), None);
    let origin = origin(10);
    origin.behave(PATH, vec![Behaviour::Refused { status: 404 }.always()]);
    for _ in 0..30 {
        let error = engine
            .get(&request(&origin.url(PATH), None))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("404"), "{error}");
    }
    assert_eq!(origin.gets(PATH), 1);
}

#[test]
fn row_7_redirects_end_and_never_lead_to_link_local_or_to_less_security() {
    let sandbox = Sandbox::new();
    let origin = origin(1000);
    for (behaviour, code, says) in [
        (
            Behaviour::RedirectForever { fresh: true },
            5,
            "11th in a row",
        ),
        (Behaviour::RedirectNowhere, 5, "no Location"),
        (
            Behaviour::RedirectToScheme { scheme: "ftp" },
            5,
            "leads to the unsupported scheme",
        ),
    ] {
        origin.behave(PATH, vec![behaviour.always()]);
        sandbox
            .run(["fetch", &origin.url(PATH)])
            .must(code)
            .says(says);
    }
}

#[test]
fn row_8_a_content_encoding_on_the_way_never_changes_the_bytes() {
    let (sandbox, size) = (Sandbox::new(), 10_000);
    let origin = origin(size);
    fetches(&sandbox, &origin, size, &[]);
    let asked = &origin.log()[0].headers;
    assert!(
        asked
            .iter()
            .any(|(n, v)| n == "accept-encoding" && v == "identity"),
        "{asked:?}"
    );
    origin.behave(PATH, vec![Behaviour::Gzipped.always()]);
    sandbox
        .run(["fetch", &origin.url(PATH)])
        .must(2)
        .says("Content-Encoding gzip");
    let pin = sha256(&bytes(size)).to_string();
    sandbox
        .run(["fetch", &origin.url(PATH), "--checksum", &pin])
        .must(6);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_10_a_wrong_digest_is_downloaded_once_and_remembered_while_the_object_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path(), None);
    let origin = origin(10_000);
    let wrong = request(&origin.url(PATH), Some(sha256(b"something else")));
    for _ in 0..5 {
        let error = engine.get(&wrong).await.unwrap_err();
        assert!(error.to_string().contains("checksum mismatch"), "{error}");
    }
    assert_eq!(
        origin.bytes_sent(PATH),
        10_000,
        "the wrong bytes were downloaded again"
    );
    assert!(
        engine.store.cached().unwrap().is_empty(),
        "wrong bytes are in the store"
    );
    // The right object appears at the URL: the same request succeeds without anybody's help.
    origin.put(PATH, Object::new(b"something else".to_vec()));
    engine.get(&wrong).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn row_10_only_a_resumed_download_with_a_wrong_digest_is_tried_once_more() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path(), None);
    let origin = origin(10_000);
    let reset = Behaviour::ResetAt { at: 4000 }.times(1);
    origin.behave(PATH, vec![reset, Behaviour::OtherBytes.times(1)]);
    let right = request(&origin.url(PATH), Some(sha256(&bytes(10_000))));
    engine.get(&right).await.unwrap();
    assert_eq!(origin.gets(PATH), 3, "cut off, wrong joint, clean");
}
