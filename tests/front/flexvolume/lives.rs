//! From mount to unmount, by the driver.

use std::os::unix::fs::MetadataExt;

use super::*;
use crate::origin::Behaviour;

#[test]
fn a_pod_sees_the_artifact_may_write_and_leaves_nothing() {
    let node = Node::new();
    let dir = node.dir("pod");
    assert_eq!(node.mount(&dir, &json!({})), success());
    node.shows(&dir);
    fs::write(dir.join("a.war"), "the pod's own").unwrap();
    // As kubelet would ask where it does not see the mount.
    assert_eq!(node.mount(&dir, &json!({})), success());
    assert_eq!(fs::read(dir.join("a.war")).unwrap(), b"the pod's own");
    assert_eq!(node.origin.gets("/a.war"), 1);
    let listed = node.sandbox.run(["volumes", "--output", "json"]).must(0);
    assert_eq!(listed.json()["volumes"][0]["owner"], "kubelet");
    node.sandbox
        .run(["unmount", dir.to_str().unwrap()])
        .must(2)
        .says("delete the pod");
    assert_eq!(node.unmount(&dir), success());
    assert!(!dir.exists());
    node.nothing_left(&dir);
    assert_eq!(node.unmount(&dir), success(), "once more");
}

#[test]
fn read_only_and_group_are_as_kubelet_says() {
    let node = Node::new();
    let dir = node.dir("pod");
    let more =
        json!({ "kubernetes.io/readwrite": "ro", "kubernetes.io/mounterArgs.FsGroup": "4242" });
    assert_eq!(node.mount(&dir, &more), success());
    node.shows(&dir);
    let error = fs::write(dir.join("b"), "x").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    // A bind on the file system of its own directory looks to kubelet as if nothing were mounted.
    assert_eq!(node.mount(&dir, &more), success());
    node.shows(&dir);
    assert_eq!(node.unmount(&dir), success());
    for layout in ["overlay", "copy"] {
        let dir = node.dir(layout);
        let more = json!({ "kubernetes.io/mounterArgs.FsGroup": "4242", "layout": layout });
        assert_eq!(node.mount(&dir, &more), success());
        node.shows(&dir);
        let seen = fs::metadata(&dir).unwrap();
        assert_eq!(
            (seen.gid(), seen.mode() & 0o2070),
            (4242, 0o2070),
            "{layout}"
        );
        assert_eq!(node.unmount(&dir), success());
    }
    node.nothing_left(&dir);
}

/// kubelet calls no unmount after it, removes its directory, and asks again.
#[test]
fn a_mount_that_fails_says_why_leaves_nothing_and_works_once_the_cause_is_mended() {
    let node = Node::new();
    let dir = node.dir("pod");
    let missing = node.origin.url("/missing.war");
    let pin = format!("sha256:{}", "0".repeat(64));
    for (more, words) in [
        (
            json!({ "downloadURL": missing }),
            "answered 404 (not found); check the path",
        ),
        (json!({ "checksum": pin }), "checksum"),
        (json!({ "maxSize": "1Ki" }), "maxSize"),
        (
            json!({ "downloadURL": "http://origin.invalid/a.war" }),
            "origin.invalid",
        ),
    ] {
        failed(&node.mount(&dir, &more), words);
        node.nothing_left(&dir);
        fs::remove_dir(&dir).unwrap();
        fs::create_dir(&dir).unwrap();
    }
    node.origin
        .put("/missing.war", Object::new(node.content.clone()));
    let mended = json!({ "downloadURL": missing, "fileName": "a.war" });
    // What an origin has refused is remembered for a moment.
    until("it is mounted", || node.mount(&dir, &mended) == success());
    node.shows(&dir);
    assert_eq!(node.unmount(&dir), success());
    node.nothing_left(&dir);
}

#[test]
fn calls_at_once_share_one_download_and_one_mount() {
    let node = Node::new();
    let (at, ms) = (100_000, 1000);
    node.origin
        .behave("/a.war", vec![Behaviour::Pause { at, ms }.always()]);
    let (one, other) = (node.dir("one"), node.dir("other"));
    let calls = [&one, &one, &other].map(|dir| node.begin(dir));
    for call in calls {
        assert_eq!(call.ended(), success());
    }
    assert_eq!(node.origin.gets("/a.war"), 1);
    for dir in [&one, &other] {
        node.shows(dir);
    }
    std::thread::scope(|threads| {
        let calls = [&one, &one, &other].map(|dir| {
            let mut command = node.command(&[OsStr::new("unmount"), dir.as_os_str()]);
            threads.spawn(move || Ran::of(command.output().unwrap()))
        });
        for call in calls {
            assert_eq!(answer(call.join().unwrap()), success());
        }
    });
    node.nothing_left(&one);
    node.nothing_left(&other);
}

/// kubelet runs on the node, and the driver in a container: what counts is that the mount is seen there.
#[test]
fn from_another_mount_namespace_a_pod_sees_its_volume_or_hears_why_not() {
    let node = Node::new();
    let dir = node.dir("pod");
    let options = node.options(&json!({}));
    let elsewhere = |propagation: &str, arguments: &[&str]| {
        let program = node.sandbox.war_vol();
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation", propagation])
            .arg(program.get_program())
            .arg("flexvolume")
            .args(arguments)
            .env("WAR_VOL_ROOT", node.sandbox.root());
        answer(Ran::of(command.output().unwrap()))
    };
    let at = dir.to_str().unwrap();
    let said = elsewhere("private", &["mount", at, &options]);
    failed(&said, "mountPropagation: Bidirectional");
    node.nothing_left(&dir);
    fs::create_dir_all(&dir).unwrap();
    assert_eq!(elsewhere("slave", &["mount", at, &options]), success());
    node.shows(&dir);
    assert_eq!(elsewhere("slave", &["unmount", at]), success());
    node.nothing_left(&dir);
}
