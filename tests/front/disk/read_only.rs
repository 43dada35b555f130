//! The cache's file system turns read-only (docs/design/faults.md, 17).

use std::fs;

use war_vol::fault::Fault;

use super::Ext4;
use crate::node::{Node, bytes, failed, mounts_at};
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

#[test]
fn a_disk_that_turns_read_only_hurts_no_mounted_volume_and_makes_new_ones_unavailable() {
    let sandbox = Sandbox::new();
    let disk = Ext4::under_store(&sandbox, 32);
    let origin = Origin::start();
    let content = bytes(1, 3 << 20);
    origin.put("/a.war", Object::new(content.clone()));
    let node = Node::start(&sandbox);
    let live = node.request("live", &origin.url("/a.war"));
    node.publish(&live).unwrap();
    let before = mounts_at(&live.target.path());

    disk.turn_read_only();
    let shown = || fs::read(live.target.path().join("a.war")).unwrap();
    assert!(shown() == content);
    node.publish(&live).unwrap();
    assert_eq!(mounts_at(&live.target.path()), before);

    let new = node.request("new", &origin.url("/a.war"));
    for _ in 0..2 {
        let (fault, words) = failed(node.publish(&new));
        assert_eq!(fault, Fault::Unavailable, "{words}");
        assert!(words.contains("read-only"), "{words}");
        assert!(!new.target.path().exists());
    }
    assert!(shown() == content);

    // An unpublish takes the mount away and is asked again until the rest can follow.
    let (fault, words) = failed(node.unpublish(&live));
    assert_eq!(fault, Fault::Unavailable, "{words}");
    assert_eq!(mounts_at(&live.target.path()), Vec::<u64>::new());
}

/// What the program says when it starts on such a disk.
#[test]
fn a_start_on_a_read_only_store_tells_what_is_there_and_makes_nothing_new() {
    let sandbox = Sandbox::new();
    let disk = Ext4::under_store(&sandbox, 32);
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(2, 1 << 20)));
    let url = origin.url("/a.war");
    sandbox.mount(&url, "dir", &[]);
    disk.turn_read_only();
    let volumes = sandbox.run(["volumes", "--output", "json"]).must(0).json();
    assert_eq!(volumes["volumes"][0]["mounted"], true);
    for arguments in [
        vec!["mount", &url, "dir"],
        vec!["cache", "ls"],
        vec!["cache", "verify"],
    ] {
        sandbox.run(&arguments).must(0);
    }
    sandbox
        .run(["mount", &url, "other"])
        .must(11)
        .says("read-only");
    assert!(!sandbox.path("other").exists());
    let shown = fs::read(sandbox.path("dir/a.war")).unwrap();
    assert!(shown == bytes(2, 1 << 20));
    // The mount goes; its directory in the store is asked for again until it can follow.
    sandbox.run(["unmount", "dir"]).must(11).says("read-only");
    assert_eq!(sandbox.mounts_at(&sandbox.path("dir")), 0);
}
