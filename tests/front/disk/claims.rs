//! Provisioning where the disk does not take a record (docs/design/faults.md, 15 and 17).

use std::fs;

use tonic::Code;

use super::{Ext4, fill, on_tmpfs};
use crate::driver::Driver;
use crate::driver::provision::{URL, claim, refused};
use crate::node::{bytes, until};
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

#[test]
fn no_space_for_a_claim_leaves_nothing_and_what_is_known_is_still_known() {
    let sandbox = Sandbox::new();
    on_tmpfs(&sandbox, "size=24m");
    let driver = Driver::controller(&sandbox, &[]);
    let [first, second] = ["pvc-1", "pvc-2"].map(|name| claim(name, &[("downloadURL", URL)]));
    let volume = driver.create(&first).unwrap();
    let ballast = fill(&sandbox.root());
    for _ in 0..2 {
        let words = refused(driver.create(&second), Code::ResourceExhausted);
        assert!(words.contains("no space"), "{words}");
        assert_eq!(sandbox.bucket("claims").len(), 1);
    }
    assert!(driver.create(&first).unwrap() == volume);
    fs::remove_file(ballast).unwrap();
    driver.create(&second).unwrap();
    fill(&sandbox.root());
    driver.delete(&volume.volume_id).unwrap();
    assert_eq!(sandbox.bucket("claims").len(), 1);
}

/// Collection is tried.
#[test]
fn an_unused_artifact_makes_way_for_a_claim() {
    let sandbox = Sandbox::new();
    on_tmpfs(&sandbox, "size=24m");
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(63, 1 << 20)));
    let driver = Driver::all(&sandbox);
    let call = driver.inline("pod", &origin.url("/a.war"));
    driver.publish(&call).unwrap();
    driver.unpublish(&call).unwrap();
    until("its trash is gone", || sandbox.bucket("trash").is_empty());
    assert_eq!(sandbox.bucket("blobs").len(), 1);
    fill(&sandbox.root());
    driver
        .create(&claim("pvc-1", &[("downloadURL", URL)]))
        .unwrap();
    assert_eq!(sandbox.bucket("blobs").len(), 0);
}

#[test]
fn a_disk_that_turns_read_only_keeps_what_is_known_and_makes_new_claims_unavailable() {
    let sandbox = Sandbox::new();
    let disk = Ext4::under_store(&sandbox, 32);
    let driver = Driver::controller(&sandbox, &[]);
    let [known, new] = ["pvc-1", "pvc-2"].map(|name| claim(name, &[("downloadURL", URL)]));
    let volume = driver.create(&known).unwrap();
    disk.turn_read_only();
    assert!(driver.create(&known).unwrap() == volume);
    for answer in [
        driver.create(&new).map(drop),
        driver.delete(&volume.volume_id),
    ] {
        let words = refused(answer, Code::Unavailable);
        assert!(words.contains("read-only"), "{words}");
    }
    assert_eq!(sandbox.bucket("claims").len(), 1);
}
