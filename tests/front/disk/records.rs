//! Records, index entries and the key: corrupt, gone, or somebody else's (docs/design/faults.md, 19).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use war_vol::fault::Fault;

use super::only;
use crate::node::{Node, RequestExt, bytes, detach, digest, failed, mounts_at};
use crate::origin::{Object, Origin};
use crate::pod::Pod;
use crate::sandbox::Sandbox;

/// A pod whose volume is pinned and published.
fn published() -> Pod {
    let mut pod = Pod::waiting(19, 300_000);
    pod.request = pod.request.pinned(&digest(&bytes(19, 300_000)));
    pod.published()
}

impl Pod {
    /// Ends the driver, damages what it left, and starts it again.
    fn restarted(self, damage: impl Fn(&Sandbox)) -> Self {
        let Self {
            sandbox,
            origin,
            node,
            request,
        } = self;
        drop(node);
        damage(&sandbox);
        let node = Node::start(&sandbox);
        Self {
            sandbox,
            origin,
            node,
            request,
        }
    }

    fn shows(&self) {
        let shown = fs::read(self.target().join("a.war")).unwrap();
        assert!(shown == bytes(19, 300_000));
        assert_eq!(self.origin.gets("/a.war"), 1, "it was downloaded again");
    }
}

fn record(sandbox: &Sandbox) -> PathBuf {
    only(sandbox.bucket("volumes")).join("want.json")
}

/// The ways in which what the driver wrote down about a volume is of no use any more.
/// What is done to a record, and its name.
type Damage = (&'static str, fn(&Sandbox));

fn damages() -> [Damage; 6] {
    [
        ("empty", |s| fs::write(record(s), "").unwrap()),
        ("half", |s| {
            let text = fs::read(record(s)).unwrap();
            fs::write(record(s), &text[..text.len() / 2]).unwrap();
        }),
        ("not JSON", |s| fs::write(record(s), b"\xff\0{}").unwrap()),
        ("gone", |s| fs::remove_file(record(s)).unwrap()),
        ("under another key", |s| {
            fs::write(s.root().join("key"), [7; 32]).unwrap();
        }),
        ("the key is gone", |s| {
            fs::remove_file(s.root().join("key")).unwrap();
        }),
    ]
}

/// A republish of a live volume is OK, without a download and without a touch of its mount; an unpublish ends it.
#[test]
fn a_live_volume_outlives_its_record_and_the_key() {
    for (what, damage) in damages() {
        eprintln!("{what}");
        let scene = published();
        let before = mounts_at(&scene.target());
        let scene = scene.restarted(damage);
        scene.node.publish(&scene.request).unwrap();
        scene.shows();
        assert_eq!(mounts_at(&scene.target()), before);
        assert!(scene.node.volumes.list().unwrap()[0].mounted);
        scene.node.unpublish(&scene.request).unwrap();
        assert!(!scene.target().exists());
        scene.sandbox.assert_nothing_left();
    }
}

/// So does one that has to be shown again.
#[test]
fn a_volume_is_shown_again_without_its_record_and_without_the_key() {
    for (what, damage) in damages() {
        eprintln!("{what}");
        let scene = published().restarted(|sandbox| {
            damage(sandbox);
            detach(&sandbox.path("kubelet/pods/pod/volume/mount"));
        });
        scene.node.publish(&scene.request).unwrap();
        scene.shows();
        scene.node.unpublish(&scene.request).unwrap();
        scene.sandbox.assert_nothing_left();
    }
}

/// The record is made again from the request and from what is there.
#[test]
fn a_lost_record_is_made_again_at_a_republish() {
    for (what, damage) in &damages()[..4] {
        eprintln!("{what}");
        let scene = published();
        let before = scene.node.volumes.list().unwrap();
        let scene = scene.restarted(damage);
        scene.node.publish(&scene.request).unwrap();
        assert_eq!(scene.node.volumes.list().unwrap(), before);
        let other = scene.request.clone().with("fileName", "other.war");
        let (fault, words) = failed(scene.node.publish(&other));
        assert_eq!(fault, Fault::Differs, "{words}");
    }
}

/// A version that refuses an old attribute hurts no live volume whose record is lost as well (docs/design/laws.md,
/// law 1).
#[test]
fn a_live_volume_without_a_record_is_not_judged_by_its_attributes() {
    let scene = published().restarted(|s| fs::remove_file(record(s)).unwrap());
    let old = scene.request.clone().with("anAttributeOfOld", "x");
    scene.node.publish(&old).unwrap();
    scene.shows();
}

/// A corrupt index entry is none: what a new volume wants is asked for again, what is in use stays.
#[test]
fn a_corrupt_index_entry_costs_a_download_and_nothing_else() {
    let corrupt: [fn(&Path); 3] = [
        |entry| fs::write(entry, "{").unwrap(),
        |entry| fs::write(entry, b"\0\xff").unwrap(),
        |entry| fs::remove_file(entry).unwrap(),
    ];
    for damage in corrupt {
        let scene = published();
        let blob = only(scene.sandbox.bucket("blobs"));
        damage(&only(scene.sandbox.bucket("index")));
        scene.node.publish(&scene.request).unwrap();
        scene.shows();
        let mut second = scene.node.request("second", &scene.origin.url("/a.war"));
        second.attributes = scene.request.attributes.clone();
        scene.node.publish(&second).unwrap();
        assert_eq!(scene.origin.gets("/a.war"), 2);
        assert_eq!(only(scene.sandbox.bucket("blobs")), blob);
        let links = fs::metadata(&blob).unwrap().nlink();
        assert_eq!(links, 3, "one copy on disk, for both volumes");
    }
}

/// A key that is no key stops the start, and says what to do; the volumes live.
#[test]
fn a_damaged_key_is_named_and_can_be_removed() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(19, 300_000)));
    let url = origin.url("/a.war");
    sandbox.mount(&url, "dir", &[]);
    let key = sandbox.root().join("key");
    fs::write(&key, "short").unwrap();
    sandbox
        .run(["mount", &url, "dir"])
        .must(11)
        .says("the key")
        .says("remove it");
    assert!(sandbox.path("dir/a.war").exists());
    fs::remove_file(&key).unwrap();
    sandbox.mount(&url, "dir", &[]);
    assert_eq!(origin.gets("/a.war"), 1);
    sandbox.run(["unmount", "dir"]).must(0);
    sandbox.assert_nothing_left();
}
