//! The disk of the cache is full, or takes no writes, or has lost something, as kubelet sees it (docs/design/faults.md,
//! 15, 17, 19, 29 and 31).

use std::fs;

use tonic::Code;

use super::Driver;
use super::scene::Scene;
use crate::disk::{Ext4, fill, on_tmpfs, only};
use crate::node::{bytes, mounts_at, until};
use crate::origin::Object;
use crate::sandbox::Sandbox;

#[test]
fn a_full_disk_is_resource_exhausted_and_hurts_nothing_in_use() {
    let sandbox = Sandbox::new();
    on_tmpfs(&sandbox, "size=24m");
    let scene = Scene::with(sandbox);
    let call = scene.published("pod");
    let before = mounts_at(&call.target());
    scene
        .origin
        .put("/large.war", Object::new(bytes(1, 64 << 20)));
    let large = scene
        .driver
        .inline("large", &scene.origin.url("/large.war"));
    let (code, words) = scene.driver.publish(&large).unwrap_err();
    assert_eq!(code, Code::ResourceExhausted, "{words}");
    assert!(words.contains("more needed"), "{words}");
    assert!(!large.target().exists());
    let ballast = fill(&scene.sandbox.root());
    scene.driver.publish(&call).unwrap();
    assert_eq!(mounts_at(&call.target()), before);
    scene.shows(&call);
    scene.driver.unpublish(&large).unwrap();
    fs::remove_file(ballast).unwrap();
    scene.driver.unpublish(&call).unwrap();
    scene.nothing_left();
}

/// In the middle of a driver's life, and at the start of the next.
#[test]
fn a_disk_that_turns_read_only_costs_no_mount_and_no_driver() {
    let sandbox = Sandbox::new();
    let disk = Ext4::under_store(&sandbox, 32);
    let scene = Scene::with(sandbox);
    let call = scene.published("pod");
    let before = mounts_at(&call.target());
    disk.turn_read_only();
    let mut scene = scene;
    for _ in 0..2 {
        scene.driver.publish(&call).unwrap();
        assert_eq!(mounts_at(&call.target()), before);
        let new = scene.driver.inline("new", &scene.url);
        let (code, words) = scene.driver.publish(&new).unwrap_err();
        assert_eq!(code, Code::Unavailable, "{words}");
        assert!(words.contains("read-only"), "{words}");
        assert!(!new.target().exists());
        scene = scene.killed_and(|sandbox| {
            let driver = Driver::begin(sandbox, &[]);
            until("it answers, and is not ready", || {
                driver.probe() == Some(false)
            });
            driver
        });
    }
    assert!(scene.driver.ended().is_none(), "no crash loop");
    scene.shows(&call);
}

#[test]
fn a_lost_or_damaged_record_costs_no_download_and_nothing_in_use() {
    let mut scene = Scene::new();
    for (i, damage) in ["", "{", "not json at all"].into_iter().enumerate() {
        let call = scene.published(&format!("pod{i}"));
        let before = mounts_at(&call.target());
        let gets = scene.origin.gets("/a.war");
        let record = only(scene.sandbox.bucket("volumes")).join("want.json");
        if damage.is_empty() {
            fs::remove_file(&record).unwrap();
        } else {
            fs::write(&record, damage).unwrap();
        }
        // This driver knows it without the record, the next one does not.
        scene.driver.publish(&call).unwrap();
        scene = scene.killed();
        scene.driver.publish(&call).unwrap();
        assert_eq!(mounts_at(&call.target()), before);
        assert_eq!(scene.origin.gets("/a.war"), gets);
        until("it is written again", || {
            fs::read(&record)
                .is_ok_and(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).is_ok())
        });
        scene.driver.unpublish(&call).unwrap();
    }
    scene.nothing_left();
}

#[test]
fn of_two_drivers_on_one_root_one_waits_and_is_not_ready() {
    let scene = Scene::new();
    let call = scene.published("pod");
    let socket = format!("unix://{}", scene.sandbox.path("other/csi.sock").display());
    let other = Driver::begin(&scene.sandbox, &["--endpoint", &socket]);
    until("it waits", || {
        other.log().contains("waiting for it to exit")
    });
    assert!(
        !scene.sandbox.path("other").exists(),
        "it serves nothing yet"
    );
    scene.driver.publish(&call).unwrap();
    scene.driver.unpublish(&call).unwrap();
    scene.nothing_left();
}
