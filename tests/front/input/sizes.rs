//! Larger than a limit.

use war_vol::fault::Fault;

use crate::node::{Node, RequestExt, bytes, digest, failed};
use crate::origin::{Behaviour, Object, Origin};
use crate::sandbox::Sandbox;

const LENGTH: usize = 32 << 20;

fn origin(chunked: bool) -> Origin {
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(15, LENGTH)));
    if chunked {
        origin.behave("/a.war", vec![Behaviour::Chunked.always()]);
    }
    origin
}

/// The row: before the download where the length is known, else when the count of bytes passes it.
#[test]
fn what_is_larger_than_the_limit_is_too_large_before_and_during_the_download() {
    for (chunked, size) in [
        (false, "too large: 32.0 MiB exceeds"),
        (true, "the download exceeds"),
    ] {
        let sandbox = Sandbox::new();
        let origin = origin(chunked);
        let url = origin.url("/a.war");
        for command in ["mount", "fetch"] {
            let mut arguments = vec![command, &url, "--max-size", "1Mi"];
            arguments.extend((command == "mount").then_some("dir"));
            sandbox
                .run(arguments)
                .must(7)
                .says(size)
                .says("--max-size of 1.0 MiB; raise that limit")
                .says("raise that limit");
        }
        assert_eq!(origin.gets("/a.war"), 2, "final: asked once each");
        assert!(origin.bytes_sent("/a.war") < LENGTH as u64);
        assert!(!sandbox.path("dir").exists() && !sandbox.path("a.war").exists());
        sandbox.assert_nothing_left();
    }
}

/// A limit is a volume's own: it says which it is, holds for what is cached as well, and hurts nobody else.
#[test]
fn a_volumes_own_limit_is_named_and_hurts_no_other_volume() {
    let sandbox = Sandbox::new();
    let node = Node::start(&sandbox);
    let origin = origin(false);
    let pin = digest(&bytes(15, LENGTH));
    let small = node.request("small", &origin.url("/a.war")).pinned(&pin);
    let small = small.with("maxSize", "1Mi");
    let large = node.request("large", &origin.url("/a.war")).pinned(&pin);
    let calls = [node.begin(&large), node.begin(&small)];
    let [first, second] = calls.map(|call| node.wait(call).unwrap());
    first.unwrap();
    for answer in [second, node.publish(&small)] {
        let (fault, words) = failed(answer);
        assert_eq!(fault, Fault::TooLarge, "{words}");
        assert!(words.contains("the volume's maxSize of 1.0 MiB"), "{words}");
    }
    assert!(!small.target.path().exists());
    assert_eq!(node.store.cached().unwrap()[0].leases, 1);
}
