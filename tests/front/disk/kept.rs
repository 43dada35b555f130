//! What goes first, and what is kept, where the cache has a limit.

use std::fs;

use super::only;
use crate::node::bytes;
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

/// FAULTS 15: the cache's own limit counts like the disk's, and names itself.
#[test]
fn the_limit_of_the_cache_takes_what_is_unused_and_then_refuses() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    for (seed, name) in ["/a.war", "/b.war", "/c.war"].into_iter().enumerate() {
        origin.put(name, Object::new(bytes(seed as u64, 1 << 20)));
    }
    let limit = ["--cache-size", "1500Ki"];
    sandbox.mount(&origin.url("/a.war"), "a", &limit);
    sandbox.run(["unmount", "a"]).must(0);
    sandbox.mount(&origin.url("/b.war"), "b", &limit);
    let kept = only(sandbox.bucket("blobs"));
    sandbox
        .run(["mount", &origin.url("/c.war"), "c", limit[0], limit[1]])
        .must(10)
        .says("the cache may hold 1.5 MiB");
    assert_eq!(only(sandbox.bucket("blobs")), kept);
    assert_eq!(
        fs::read(sandbox.path("b/b.war")).unwrap(),
        bytes(1, 1 << 20)
    );
}
