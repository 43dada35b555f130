//! Whose a mount is, where paths say nothing: they were changed, or others have the same.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::mount::mount_bind;
use war_vol::fault::Fault;
use war_vol::volume::PublishRequest;

use super::only;
use crate::node::{Node, RequestExt, bytes, detach, failed, mounts_at};
use crate::origin::{Object, Origin};
use crate::pod::Pod;
use crate::sandbox::Sandbox;

/// A pod whose volume is a bind.
fn bound() -> Pod {
    let mut pod = Pod::waiting(19, 100_000);
    pod.request.readonly = true;
    pod.published()
}

fn bind(source: &Path, target: &Path) {
    mount_bind(source, target).unwrap();
}

/// One of each kind: a bind, a private copy, both overlays.
fn wanted(node: &Node, url: &str) -> [PublishRequest; 4] {
    let request = |pod| node.request(pod, url);
    let read_only = |request| PublishRequest {
        readonly: true,
        ..request
    };
    [
        read_only(request("bind")),
        request("copy").with("layout", "copy"),
        request("overlay"),
        read_only(request("read-only").with("layout", "overlay")),
    ]
}

/// A directory becomes a link to where it is now.
fn moved(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap();
    symlink(to, from).unwrap();
}

#[test]
fn mounts_are_known_again_by_other_paths() {
    let (sandbox, origin) = (Sandbox::new(), Origin::start());
    origin.put("/a.war", Object::new(bytes(19, 100_000)));
    let node = Node::start(&sandbox);
    let all = wanted(&node, &origin.url("/a.war"));
    let before = all.each_ref().map(|request| {
        node.publish(request).unwrap();
        mounts_at(&request.target.path())
    });
    // As the last thing that a driver does.
    node.volumes.close().unwrap();
    drop(node);
    moved(&sandbox.root(), &sandbox.path("store"));
    moved(&sandbox.path("kubelet"), &sandbox.path("kubelets"));
    let node = Node::start(&sandbox);
    assert!(node.volumes.list().unwrap().iter().all(|v| v.mounted));
    assert_eq!(node.volumes.sweep().unwrap(), 0);
    for (request, before) in all.iter().zip(before) {
        assert!(node.volumes.republish(request));
        node.publish(request).unwrap();
        let now = request.target.path().canonicalize().unwrap();
        assert_eq!(mounts_at(&now), before);
        node.unpublish(request).unwrap();
        assert!(!now.exists());
    }
    node.volumes.close().unwrap();
    sandbox.assert_nothing_left();
}

#[test]
fn another_directory_of_the_same_name_is_not_ours() {
    let scene = bound();
    let target = scene.target();
    let own = only(scene.sandbox.bucket("volumes"));
    let name = own.strip_prefix(scene.sandbox.root()).unwrap();
    let other = scene.sandbox.path("other").join(name).join("c");
    fs::create_dir_all(&other).unwrap();
    let (sandbox, request) = (scene.sandbox, scene.request);
    drop(scene.node);
    detach(&target);
    bind(&other, &target);
    let node = Node::start(&sandbox);
    assert!(!node.volumes.list().unwrap()[0].mounted);
    for refused in [node.publish(&request), node.unpublish(&request)] {
        let (fault, words) = failed(refused);
        assert!(words.contains("is mounted"), "{fault:?} {words}");
    }
    assert_eq!(mounts_at(&target).len(), 1);
    detach(&target);
    node.unpublish(&request).unwrap();
    sandbox.assert_no_volume_left();
}

#[test]
fn what_others_mounted_over_a_volume_stays_and_so_does_the_volume() {
    let scene = bound();
    let (target, others) = (scene.target(), scene.sandbox.path("others"));
    fs::create_dir(&others).unwrap();
    let content = only(scene.sandbox.bucket("volumes")).join("c");
    for source in [&others, &content] {
        bind(source, &target);
        if *source == others {
            let (fault, _) = failed(scene.node.unpublish(&scene.request));
            assert_eq!(fault, Fault::Occupied);
            assert_eq!(mounts_at(&target).len(), 2);
            detach(&target);
        }
    }
    // The second one shows the volume's own directory: it goes with it.
    scene.node.unpublish(&scene.request).unwrap();
    assert_eq!(mounts_at(&target).len(), 0);
    scene.sandbox.assert_no_volume_left();
}

#[test]
fn a_volume_whose_directory_was_removed_by_hand_can_be_unpublished() {
    let scene = bound();
    let (sandbox, request) = (scene.sandbox, scene.request);
    let target = request.target.path();
    drop(scene.node);
    fs::remove_dir_all(only(sandbox.bucket("volumes"))).unwrap();
    let node = Node::start(&sandbox);
    let (_, words) = failed(node.publish(&request));
    assert!(words.contains("is mounted"), "{words}");
    assert_eq!(mounts_at(&target).len(), 1);
    node.unpublish(&request).unwrap();
    assert_eq!(mounts_at(&target).len(), 0);
    sandbox.assert_no_volume_left();
}
