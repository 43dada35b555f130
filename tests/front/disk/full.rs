//! No space, no inodes (docs/design/faults.md, 15 and 16).

use std::fs;
use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};
use war_vol::fault::Fault;

use super::{Ext4, fill, on_tmpfs, only};
use crate::node::{Node, RequestExt, bytes, digest, failed, until};
use crate::origin::{Behaviour, Object, Origin};
use crate::sandbox::Sandbox;

const MIB: usize = 1 << 20;

/// An origin with an artifact of so many MiB behind `/<name>.war`, each of its own bytes.
fn origin(artifacts: &[(&str, usize)]) -> Origin {
    let origin = Origin::start();
    for (seed, (name, mib)) in artifacts.iter().enumerate() {
        let object = Object::new(bytes(seed as u64, mib * MIB));
        origin.put(&format!("/{name}.war"), object);
    }
    origin
}

fn content(origin: &Origin, name: &str) -> Vec<u8> {
    origin.contents(&format!("/{name}.war"))[0].to_vec()
}

/// In a download of known length.
#[test]
fn no_space_for_a_known_length_is_said_before_the_download() {
    let sandbox = Sandbox::new();
    on_tmpfs(&sandbox, "size=24m");
    let origin = origin(&[("large", 64)]);
    sandbox
        .run(["mount", &origin.url("/large.war"), "dir"])
        .must(10)
        .says("large.war")
        .says("more needed")
        .says("free some");
    // What was sent is what the kernel's buffers took, at most.
    assert!(origin.bytes_sent("/large.war") < 24 << 20);
    assert!(!sandbox.path("dir").exists());
    sandbox.assert_no_volume_left();
}

/// In a download of unknown length.
#[test]
fn no_space_for_an_unknown_length_stops_the_download_and_removes_what_came() {
    let sandbox = Sandbox::new();
    on_tmpfs(&sandbox, "size=24m");
    let origin = origin(&[("large", 64)]);
    origin.behave("/large.war", vec![Behaviour::Chunked.always()]);
    sandbox
        .run(["mount", &origin.url("/large.war"), "dir"])
        .must(10)
        .says("more needed");
    assert!(origin.bytes_sent("/large.war") < 64 << 20);
    sandbox.assert_no_volume_left();
    assert_eq!(sandbox.bucket("blobs").len(), 0);
}

/// In mkdir, of an artifact that is cached already.
#[test]
fn no_space_for_a_volumes_directory_leaves_nothing_and_is_no_space() {
    let sandbox = Sandbox::new();
    let _disk = Ext4::under_store(&sandbox, 24);
    let origin = origin(&[("a", 1)]);
    let (url, pin) = (origin.url("/a.war"), digest(&content(&origin, "a")));
    sandbox.mount(&url, "first", &["--checksum", &pin]);
    let ballast = fill(&sandbox.root());
    for layout in ["overlay", "copy"] {
        sandbox
            .run([
                "mount",
                &url,
                "second",
                "--checksum",
                &pin,
                "--layout",
                layout,
            ])
            .must(10)
            .says("space");
        assert!(!sandbox.path("second").exists());
    }
    assert_eq!(sandbox.bucket("volumes").len(), 1);
    fs::remove_file(ballast).unwrap();
    sandbox.mount(&url, "second", &["--checksum", &pin]);
    assert_eq!(origin.gets("/a.war"), 1);
}

/// For a record: a file system that has an inode and no byte left.
#[test]
fn no_space_for_a_volumes_record_leaves_nothing_and_is_no_space() {
    let sandbox = Sandbox::new();
    on_tmpfs(&sandbox, "size=24m");
    let origin = origin(&[("a", 1)]);
    let node = Node::start(&sandbox);
    let first = node.request("first", &origin.url("/a.war"));
    let first = first.pinned(&digest(&content(&origin, "a")));
    node.publish(&first).unwrap();
    fill(&sandbox.root());
    // A directory takes no room here, the record does.
    let mut second = node.request("second", &origin.url("/a.war"));
    second.attributes = first.attributes.clone();
    let (fault, words) = failed(node.publish(&second));
    assert_eq!(fault, Fault::NoSpace, "{words}");
    assert!(words.contains("no space"), "{words}");
    assert!(!second.target.path().exists());
    assert_eq!(sandbox.bucket("volumes").len(), 1);
    node.publish(&first).unwrap();
}

/// Collection is tried, once, and takes what no volume uses.
#[test]
fn a_full_disk_gives_up_unused_artifacts_and_nothing_else() {
    let sandbox = Sandbox::new();
    on_tmpfs(&sandbox, "size=24m");
    let origin = origin(&[("unused", 9), ("used", 9), ("new", 9), ("newer", 9)]);
    let url = |name: &str| origin.url(&format!("/{name}.war"));
    sandbox.mount(&url("unused"), "a", &[]);
    sandbox.run(["unmount", "a"]).must(0);
    sandbox.mount(&url("used"), "b", &[]);
    sandbox.mount(&url("new"), "c", &[]);
    assert_eq!(sandbox.bucket("blobs").len(), 2, "the unused one went");
    sandbox
        .run(["mount", &url("newer"), "d"])
        .must(10)
        .says("more needed");
    for (dir, name) in [("b", "used"), ("c", "new")] {
        let shown = fs::read(sandbox.path(dir).join(format!("{name}.war"))).unwrap();
        assert!(shown == content(&origin, name), "{name} was touched");
    }
    assert_eq!(sandbox.bucket("blobs").len(), 2);
    assert_eq!(sandbox.bucket("partial").len(), 0);
}

/// kubelet asks every two minutes; the origin is not asked for the same bytes in vain.
#[test]
fn what_found_the_disk_full_is_not_downloaded_again_until_there_is_room() {
    for chunked in [false, true] {
        let sandbox = Sandbox::new();
        on_tmpfs(&sandbox, "size=32m");
        let origin = origin(&[("large", 16)]);
        if chunked {
            origin.behave("/large.war", vec![Behaviour::Chunked.always()]);
        }
        let node = Node::start(&sandbox);
        let ballast = sandbox.root().join("ballast");
        fs::write(&ballast, vec![1; 22 * MIB]).unwrap();
        let request = node.request("pod", &origin.url("/large.war"));
        for _ in 0..3 {
            let (fault, words) = failed(node.publish(&request));
            assert_eq!(fault, Fault::NoSpace, "{words}");
            assert!(words.contains("more needed"), "{words}");
            assert_eq!(origin.gets("/large.war"), 1, "chunked: {chunked}");
        }
        assert_eq!(sandbox.bucket("partial").len(), 0);
        fs::remove_file(&ballast).unwrap();
        // A child of another test that is just being started may hold the file open for a moment.
        until("the ballast is gone", || {
            node.store.usage().unwrap().free >= 28 * MIB as u64
        });
        node.publish(&request).unwrap();
        assert_eq!(origin.gets("/large.war"), 2, "chunked: {chunked}");
        node.unpublish(&request).unwrap();
    }
}

/// Nobody's disk was at fault.
#[test]
fn what_was_said_to_be_too_long_for_the_disk_is_mounted_once_it_is_shorter() {
    let sandbox = Sandbox::new();
    on_tmpfs(&sandbox, "size=24m");
    let origin = origin(&[("artifact", 64)]);
    let node = Node::start(&sandbox);
    let request = node.request("pod", &origin.url("/artifact.war"));
    for _ in 0..2 {
        let (fault, words) = failed(node.publish(&request));
        assert_eq!(fault, Fault::NoSpace, "{words}");
        assert!(words.contains("/artifact.war"), "{words}");
    }
    origin.put("/artifact.war", Object::new(bytes(1, MIB)));
    until("the origin is asked again", || {
        node.publish(&request).is_ok()
    });
}

/// Whoever has to make room must be able to look and to unmount.
#[test]
fn a_full_disk_keeps_nobody_from_listing_and_unmounting() {
    let sandbox = Sandbox::new();
    on_tmpfs(&sandbox, "size=24m");
    let origin = origin(&[("a", 4)]);
    sandbox.mount(&origin.url("/a.war"), "dir", &[]);
    fill(&sandbox.root());
    let listed = sandbox.run(["volumes", "--output", "json"]).must(0).json();
    assert_eq!(listed["volumes"].as_array().unwrap().len(), 1);
    sandbox.run(["cache", "ls"]).must(0);
    sandbox.run(["unmount", "dir"]).must(0);
    sandbox.run(["cache", "prune"]).must(0);
    sandbox.assert_no_volume_left();
    assert_eq!(sandbox.bucket("blobs").len(), 0);
}

/// A file system without inodes, at whatever step it runs out of them.
#[test]
fn no_inodes_is_no_space_and_says_inodes() {
    let sandbox = Sandbox::new();
    on_tmpfs(&sandbox, "size=64m,nr_inodes=200");
    let origin = origin(&[("a", 1), ("b", 1)]);
    let pin = digest(&content(&origin, "a"));
    sandbox.mount(&origin.url("/a.war"), "first", &["--checksum", &pin]);
    let mut spare = take_all_inodes(&sandbox.root());
    let mut refused = 0;
    // One inode more at each turn: every step of the start, the download and the volume is once the one that fails.
    loop {
        let cached = sandbox.run(["mount", &origin.url("/a.war"), "dir", "--checksum", &pin]);
        let fetched = sandbox.run(["mount", &origin.url("/b.war"), "other"]);
        let mut enough = true;
        for (ran, dir) in [(cached, "dir"), (fetched, "other")] {
            if ran.code == 0 {
                // The kernel shows an overlay without room for its work directory read-only, and calls that success.
                let shown = statvfs(sandbox.path(dir)).unwrap();
                assert!(!shown.f_flag.contains(StatVfsMountFlags::RDONLY));
                sandbox.run(["unmount", dir]).must(0);
                continue;
            }
            enough = false;
            refused += 1;
            ran.must(10).says("inodes");
            assert!(!sandbox.path(dir).exists());
        }
        assert_eq!(sandbox.bucket("volumes").len(), 1);
        assert_eq!(sandbox.bucket("partial").len(), 0);
        sandbox.run(["cache", "prune"]).must(0);
        if enough {
            break;
        }
        // What was unused was pruned; the next turn has the same start and one inode more.
        fs::remove_file(spare.pop().expect("it takes fewer inodes than that")).unwrap();
    }
    assert!(refused >= 10, "only {refused} refusals");
    let shown = fs::read(only(vec![sandbox.path("first/a.war")])).unwrap();
    assert!(shown == content(&origin, "a"));
}

fn take_all_inodes(dir: &Path) -> Vec<std::path::PathBuf> {
    let dir = dir.join("ballast");
    fs::create_dir(&dir).unwrap();
    let names = (0..).map(|i: u32| dir.join(i.to_string()));
    names
        .take_while(|name| fs::write(name, "").is_ok())
        .collect()
}
