//! How an origin says where a body ends, and a cut in each way of saying it (docs/design/faults.md, 4 and 46).

use crate::engine::{Engine, request, sha256};
use crate::node::{Node, failed};
use crate::origin::{Behaviour, Object, Origin, Validator};
use crate::sandbox::Sandbox;
use war_vol::fault::Fault;

const PATH: &str = "/v2/sample.war";
const SIZE: usize = 5000;

/// `Transfer-Encoding` whose last coding is not `chunked`: the body ends where the connection does, whatever stands
/// beside it.
const TO_THE_END: [&[&str]; 8] = [
    &["identity"],
    &["gzip"],
    &["chunked, identity"],
    &["chunked", "identity"],
    &["chunked;q=1"],
    &["chunked,"],
    &["xchunked"],
    &[""],
];

/// The same, with `chunked` at the end.
const IN_CHUNKS: [&[&str]; 4] = [
    &["chunked"],
    &["identity, chunked"],
    &["identity", "Chunked"],
    &["identity,chunked "],
];

fn bytes() -> Vec<u8> {
    (0..SIZE).map(|i| (i * 7 + i / 251) as u8).collect()
}

/// An origin that sends the object so, and breaks off at each of these bytes. Without a tag, so that nothing goes on.
fn origin(framing: &Behaviour, cut: Option<u64>) -> Origin {
    let origin = Origin::start();
    origin.put(PATH, Object::new(bytes()));
    let untagged = Behaviour::Offers(Validator::None).always();
    let mut spells = vec![untagged, framing.clone().always()];
    spells.extend(cut.map(|at| Behaviour::FinAt { at }.always()));
    origin.behave(PATH, spells);
    origin
}

/// Every way of saying nothing about the end.
fn unframed() -> Vec<Behaviour> {
    let codings = TO_THE_END.iter().flat_map(|lines| {
        let lines = *lines;
        [true, false].map(|length| Behaviour::Codings { lines, length })
    });
    let mut all: Vec<_> = codings.collect();
    all.push(Behaviour::CloseDelimited);
    all.push(Behaviour::OldVersion { length: false });
    all
}

/// Every way of saying where the end is.
fn framed() -> Vec<Behaviour> {
    let codings = IN_CHUNKS.iter().flat_map(|lines| {
        let lines = *lines;
        [true, false].map(|length| Behaviour::Codings { lines, length })
    });
    let mut all: Vec<_> = codings.collect();
    all.push(Behaviour::Chunked);
    all.push(Behaviour::OldVersion { length: true });
    // A length that is what it is, beside a type.
    all.push(Behaviour::ContentType { name: "text/html" });
    all
}

const CUTS: [u64; 4] = [0, 1, SIZE as u64 / 2, SIZE as u64 - 1];

#[test]
fn row_46_what_ends_by_closing_is_never_taken_without_a_checksum() {
    let sandbox = Sandbox::new();
    for framing in unframed() {
        for cut in CUTS.map(Some).into_iter().chain([None]) {
            let origin = origin(&framing, cut);
            let url = origin.url(PATH);
            for command in ["fetch", "mount"] {
                let mut arguments = vec![command, &url];
                arguments.extend(if command == "fetch" {
                    ["-o", "out"].iter()
                } else {
                    ["dir"].iter()
                });
                let ran = sandbox.run(arguments);
                assert_eq!(
                    ran.code, 2,
                    "{command} {framing:?} {cut:?}: {}{}",
                    ran.stdout, ran.stderr
                );
                ran.says("neither Content-Length nor chunks");
            }
            assert!(!sandbox.path("out").exists() && !sandbox.path("dir").exists());
            assert_eq!(sandbox.bucket("blobs").len(), 0, "{framing:?} {cut:?}");
            sandbox.assert_nothing_left();
        }
    }
}

#[test]
fn row_46_no_cut_is_taken_for_the_end_where_the_end_is_announced() {
    let sandbox = Sandbox::new();
    for framing in framed() {
        let whole = origin(&framing, None);
        sandbox
            .run(["fetch", &whole.url(PATH), "-o", "out"])
            .must(0);
        assert!(
            std::fs::read(sandbox.path("out")).unwrap() == bytes(),
            "{framing:?}"
        );
        std::fs::remove_file(sandbox.path("out")).unwrap();
        for cut in CUTS {
            let origin = origin(&framing, Some(cut));
            let ran = sandbox.run(["fetch", &origin.url(PATH), "-o", "out", "--tries", "2"]);
            assert_eq!(ran.code, 11, "{framing:?} {cut}: {}", ran.stderr);
            ran.says("was cut off");
            assert!(!sandbox.path("out").exists(), "{framing:?} {cut}");
        }
    }
}

/// The same over what kubelet calls, and nothing is shown to the pod.
#[test]
fn row_46_a_volume_never_shows_half_of_an_artifact() {
    let sandbox = Sandbox::new();
    let node = Node::start(&sandbox);
    for (pod, framing) in unframed().into_iter().enumerate() {
        let origin = origin(&framing, Some(SIZE as u64 / 2));
        let want = node.request(&format!("pod-{pod}"), &origin.url(PATH));
        let (fault, text) = failed(node.publish(&want));
        assert_eq!(fault, Fault::Invalid, "{framing:?}: {text}");
    }
}

#[test]
fn row_46_with_a_checksum_the_whole_comes_and_no_part_of_it() {
    let sandbox = Sandbox::new();
    let pin = sha256(&bytes()).to_string();
    for framing in unframed() {
        let whole = origin(&framing, None);
        let fetch = |origin: &Origin| {
            sandbox.run(["fetch", &origin.url(PATH), "-o", "out", "--checksum", &pin])
        };
        fetch(&whole).must(0);
        assert!(
            std::fs::read(sandbox.path("out")).unwrap() == bytes(),
            "{framing:?}"
        );
        std::fs::remove_file(sandbox.path("out")).unwrap();
        // Whether it broke or is another object cannot be told: so it is asked once more.
        let cut = origin(&framing, Some(SIZE as u64 / 2));
        fetch(&cut).must(6).says(&pin);
        assert_eq!(cut.gets(PATH), 2, "{framing:?}");
        assert!(!sandbox.path("out").exists(), "{framing:?}");
    }
}

/// A body that ends by closing and is not the promised one may only have been cut: it says nothing about the object.
#[tokio::test(flavor = "multi_thread")]
async fn row_46_a_cut_that_nobody_could_see_is_not_remembered_as_the_object() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::open(dir.path(), None);
    let origin = Origin::start();
    origin.put(PATH, Object::new(bytes()));
    let cut = |at| Behaviour::FinAt { at }.times(1);
    let closes = || Behaviour::CloseDelimited.always();
    // Once is not even noticed.
    let right = request(&origin.url(PATH), Some(sha256(&bytes())));
    origin.behave(PATH, vec![closes(), cut(100)]);
    engine.get(&right).await.unwrap();
    // Twice fails; the next call gets it, although the tag is the same.
    let path = "/other";
    origin.put(path, Object::new(bytes()));
    let other = request(&origin.url(path), Some(sha256(&bytes())));
    origin.behave(path, vec![closes(), cut(100), cut(200)]);
    engine.get(&other).await.unwrap_err();
    engine.get(&other).await.unwrap();
    // The same bytes twice are the object's: not asked for again for a while, but not for ever because of a tag.
    let path = "/third";
    origin.put(path, Object::new(bytes()));
    let third = request(&origin.url(path), Some(sha256(&bytes())));
    origin.behave(path, vec![closes(), Behaviour::FinAt { at: 100 }.times(2)]);
    for _ in 0..3 {
        engine.get(&third).await.unwrap_err();
    }
    assert_eq!(origin.gets(path), 2, "a storm");
    drop(engine);
    let engine = Engine::open(dir.path(), None);
    engine.get(&third).await.unwrap();
}

/// Bytes that were coded for the way are not the artifact's, wherever the coding is named.
#[test]
fn row_46_a_transfer_coding_around_the_bytes_is_refused_without_a_checksum() {
    let sandbox = Sandbox::new();
    let pin = sha256(&bytes()).to_string();
    for (lines, named) in [
        (&["gzip, chunked"][..], "Transfer-Encoding gzip"),
        (&["gzip", "chunked"], "Transfer-Encoding gzip"),
        (&["chunked, chunked"], "Transfer-Encoding chunked"),
    ] {
        let origin = origin(
            &Behaviour::Codings {
                lines,
                length: false,
            },
            None,
        );
        let url = origin.url(PATH);
        sandbox
            .run(["fetch", &url, "-o", "out"])
            .must(2)
            .says(named);
        sandbox
            .run(["fetch", &url, "-o", "out", "--checksum", &pin])
            .must(0);
        std::fs::remove_file(sandbox.path("out")).unwrap();
    }
    // Two lines of which only the second says something.
    for (name, code) in [("identity", 0), ("identity, gzip", 2), ("", 0)] {
        let coding = Behaviour::EncodingLabel { coding: name };
        let origin = origin(&coding, None);
        sandbox
            .run(["fetch", &origin.url(PATH), "-o", "out"])
            .must(code);
    }
    let origin = origin(
        &Behaviour::OddLine {
            line: "Content-Encoding: identity\r\nContent-Encoding: br",
        },
        None,
    );
    sandbox
        .run(["fetch", &origin.url(PATH), "-o", "x"])
        .must(2)
        .says("Content-Encoding br");
}
