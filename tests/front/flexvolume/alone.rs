//! No driver is there.

use rustix::mount::{MountFlags, mount};

use super::*;

#[test]
fn without_a_driver_a_mount_says_so_and_one_that_starts_in_time_is_waited_for() {
    let mut node = Node::new();
    let (dir, later) = (node.dir("pod"), node.dir("later"));
    node.lose_driver();
    failed(
        &node.mount(&dir, &json!({})),
        "no war-vol driver answers on this node",
    );
    assert_eq!(node.sandbox.mounts_at(&dir), 0);
    let call = node.begin(&later);
    node.begin_driver();
    assert_eq!(call.ended(), success());
    node.shows(&later);
}

/// kubelet restarts, and asks again for what it does not see: the pod must not lose it.
#[test]
fn a_volume_that_is_there_needs_no_driver_to_stay_or_to_go() {
    let mut node = Node::new();
    let layouts = [
        json!({}),
        json!({ "kubernetes.io/readwrite": "ro" }),
        json!({ "layout": "copy" }),
    ];
    let dirs = ["overlay", "bind", "copy"].map(|pod| node.dir(pod));
    for (dir, more) in dirs.iter().zip(&layouts) {
        assert_eq!(node.mount(dir, more), success());
    }
    node.lose_driver();
    for (dir, more) in dirs.iter().zip(&layouts) {
        assert_eq!(node.mount(dir, more), success());
        node.shows(dir);
        assert_eq!(node.unmount(dir), success());
        assert_eq!(node.sandbox.mounts_at(dir), 0);
        // It is kubelet's, which removes it next.
        fs::remove_dir(dir).unwrap();
        assert_eq!(node.unmount(dir), success());
    }
}

#[test]
fn what_is_not_ours_is_left_alone_by_the_driver_and_without_one() {
    let mut node = Node::new();
    let dir = node.dir("pod");
    mount("tmpfs", &dir, "tmpfs", MountFlags::empty(), None).unwrap();
    fs::write(dir.join("mine"), "mine").unwrap();
    failed(&node.unmount(&dir), "is mounted");
    failed(&node.mount(&dir, &json!({})), "is mounted");
    node.lose_driver();
    failed(
        &node.unmount(&dir),
        "something other than a war-vol volume is mounted",
    );
    failed(&node.mount(&dir, &json!({})), "no war-vol driver");
    assert_eq!(fs::read(dir.join("mine")).unwrap(), b"mine");
}
