//! A cached object is not what it was (docs/design/faults.md, 18).

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use super::only;
use crate::node::{bytes, digest};
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

struct Scene {
    sandbox: Sandbox,
    origin: Origin,
    content: Vec<u8>,
    pin: String,
}

impl Scene {
    fn new() -> Self {
        let content = bytes(7, 2 << 20);
        let origin = Origin::start();
        origin.put("/a.war", Object::new(content.clone()));
        Self {
            sandbox: Sandbox::new(),
            origin,
            pin: digest(&content),
            content,
        }
    }

    fn mount(&self, dir: &str) {
        let url = self.origin.url("/a.war");
        self.sandbox.mount(&url, dir, &["--checksum", &self.pin]);
    }

    fn shows(&self, dir: &str) -> bool {
        fs::read(self.sandbox.path(dir).join("a.war")).unwrap() == self.content
    }

    fn flip_a_bit(&self) {
        let blob = only(self.sandbox.bucket("blobs"));
        let file = OpenOptions::new().write(true).open(blob).unwrap();
        file.write_all_at(&[!self.content[1_234_567]], 1_234_567)
            .unwrap();
    }

    fn verify(&self, code: i32) -> serde_json::Value {
        let arguments = ["cache", "verify", "--output", "json"];
        self.sandbox.run(arguments).must(code).json()
    }
}

/// A truncated one is found by its size when it is wanted, and fetched again.
#[test]
fn a_truncated_blob_is_fetched_again() {
    let scene = Scene::new();
    for (times, length) in [(2, 0), (3, 1_000_000), (4, 2 << 20 | 1)] {
        scene.mount("dir");
        scene.sandbox.run(["unmount", "dir"]).must(0);
        let blob = only(scene.sandbox.bucket("blobs"));
        let file = OpenOptions::new().write(true).open(blob).unwrap();
        file.set_len(length).unwrap();
        scene.mount("dir");
        assert!(scene.shows("dir"));
        assert_eq!(scene.origin.gets("/a.war"), times);
        scene.sandbox.run(["unmount", "dir"]).must(0);
    }
    scene.sandbox.assert_nothing_left();
}

/// A flipped bit is found by the scrub, which sets the object aside.
#[test]
fn a_flipped_bit_is_found_by_verify_and_fetched_anew() {
    let scene = Scene::new();
    scene.mount("dir");
    assert_eq!(scene.verify(0)["whole"], 1);
    scene.flip_a_bit();
    let found = scene.verify(6);
    assert_eq!(found["whole"], 0);
    assert_eq!(found["damaged"][0]["digest"], scene.pin.as_str());
    assert_eq!(found["damaged"][0]["volumes"], 1);
    assert_eq!(scene.sandbox.bucket("blobs").len(), 0);
    assert_eq!(scene.verify(0)["whole"], 0);

    // The volume that has it goes on showing it; the next one gets the right bytes.
    let shown = scene.sandbox.path("dir/a.war");
    assert_eq!(fs::metadata(shown).unwrap().len(), 2 << 20);
    assert!(!scene.shows("dir"));
    scene.mount("dir");
    assert_eq!(scene.origin.gets("/a.war"), 1, "a republish asks nobody");
    scene.mount("other");
    assert!(scene.shows("other"));
    assert_eq!(scene.origin.gets("/a.war"), 2);
    for dir in ["dir", "other"] {
        scene.sandbox.run(["unmount", dir]).must(0);
    }
    scene.mount("dir");
    assert!(scene.shows("dir"));
    assert_eq!(scene.origin.gets("/a.war"), 2);
}

/// What `cache verify` says to people names the damage and what becomes of it.
#[test]
fn verify_says_what_is_damaged_and_what_to_expect() {
    let scene = Scene::new();
    scene.mount("dir");
    scene.flip_a_bit();
    let ran = scene.sandbox.run(["cache", "verify"]).must(6);
    for words in [
        &scene.pin,
        "still shown by 1 volumes",
        "downloaded again when next requested",
    ] {
        assert!(ran.stdout.contains(words), "{}", ran.stdout);
    }
}

/// The scrub is no use of an object: the order in which they are collected stays.
#[test]
fn verify_does_not_count_as_a_use() {
    let scene = Scene::new();
    scene.mount("dir");
    scene.sandbox.run(["unmount", "dir"]).must(0);
    let blob = only(scene.sandbox.bucket("blobs"));
    let long_ago = || fs::metadata(&blob).unwrap().atime();
    set_access_time(&blob, 1_000_000_000);
    scene.verify(0);
    assert_eq!(long_ago(), 1_000_000_000);
}

/// A volume is shown again after a reboot only if its own copy of the content is right.
#[test]
fn a_damaged_content_is_not_shown_again_after_a_reboot() {
    let scene = Scene::new();
    scene.mount("dir");
    scene.flip_a_bit();
    scene.verify(6);
    super::reboot::reboot(&scene.sandbox, &["dir"], "another-boot");
    let url = scene.origin.url("/a.war");
    scene
        .sandbox
        .run(["mount", &url, "dir", "--checksum", &scene.pin])
        .must(11)
        .says("damaged");
    assert_eq!(scene.sandbox.mounts(), 0);
    scene.sandbox.run(["unmount", "dir"]).must(0);
    scene.mount("dir");
    assert!(scene.shows("dir"));
}

fn set_access_time(path: &Path, seconds: u64) {
    let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let times = fs::FileTimes::new().set_accessed(then);
    let file = fs::File::open(path).unwrap();
    file.set_times(times).unwrap();
}
