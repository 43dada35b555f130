//! The driver goes and another one comes.

use rustix::process::{Signal, kill_process};

use super::*;
use crate::disk::reboot::reboot;
use crate::node::detach;
use crate::origin::Behaviour;

/// A mount in the middle of a download that does not move.
fn stuck(node: &Node, dir: &Path) -> Running {
    let silence = Behaviour::SilenceAt { at: 200_000 };
    node.origin.behave("/a.war", vec![silence.always()]);
    let call = node.begin(dir);
    node.downloads();
    call
}

/// kubelet would take the failure for the last word.
#[test]
fn a_mount_whose_driver_is_killed_goes_on_with_the_next_one() {
    let mut node = Node::new();
    let dir = node.dir("pod");
    let call = stuck(&node, &dir);
    node.lose_driver();
    node.origin.behave("/a.war", Vec::new());
    node.begin_driver();
    assert_eq!(call.ended(), success());
    node.shows(&dir);
    assert_eq!(node.unmount(&dir), success());
    node.nothing_left(&dir);
}

#[test]
fn a_mount_whose_driver_is_upgraded_goes_on_with_the_next_one() {
    let mut node = Node::new();
    let dir = node.dir("pod");
    let call = stuck(&node, &dir);
    assert!(node.driver.take().unwrap().stop().success());
    node.origin.behave("/a.war", Vec::new());
    node.begin_driver();
    assert_eq!(call.ended(), success());
    node.shows(&dir);
}

/// A pod that is deleted, a kubelet that is killed: nobody waits any more.
#[test]
fn a_mount_that_is_killed_is_given_up_by_the_driver() {
    let node = Node::new();
    let dir = node.dir("pod");
    let call = stuck(&node, &dir);
    drop(call);
    until("the driver gives up", || {
        node.driver().log().contains("abandoned by its caller")
    });
    until("the origin is left alone", || node.origin.is_idle());
    assert_eq!(node.sandbox.bucket("volumes").len(), 0);
    assert_eq!(node.sandbox.mounts_at(&dir), 0);
}

#[test]
fn the_next_driver_keeps_what_a_pod_uses_and_removes_what_no_pod_has() {
    let mut node = Node::new();
    let (lives, dead) = (node.dir("lives"), node.dir("dead"));
    for dir in [&lives, &dead] {
        assert_eq!(node.mount(dir, &json!({})), success());
    }
    fs::write(lives.join("written"), "by the pod").unwrap();
    node.lose_driver();
    // As kubelet ends a pod: it unmounts, and removes all directories of the pod.
    assert_eq!(node.unmount(&dead), success());
    fs::remove_dir_all(node.sandbox.path("kubelet/pods/dead")).unwrap();
    assert_eq!(node.sandbox.bucket("volumes").len(), 2);
    node.begin_driver();
    assert_eq!(node.sandbox.bucket("volumes").len(), 1);
    node.shows(&lives);
    assert_eq!(fs::read(lives.join("written")).unwrap(), b"by the pod");
    assert_eq!(node.unmount(&lives), success());
    node.nothing_left(&lives);
}

/// kubelet removes a pod's directories some seconds after it has unmounted; the next driver may be there before.
#[test]
fn what_a_driver_finds_too_early_goes_with_the_next_call() {
    let mut node = Node::new();
    let (dead, next) = (node.dir("dead"), node.dir("next"));
    assert_eq!(node.mount(&dead, &json!({})), success());
    node.lose_driver();
    assert_eq!(node.unmount(&dead), success());
    node.begin_driver();
    assert_eq!(node.sandbox.bucket("volumes").len(), 1);
    fs::remove_dir_all(node.sandbox.path("kubelet/pods/dead")).unwrap();
    assert_eq!(node.mount(&next, &json!({})), success());
    until("it is swept", || node.sandbox.bucket("volumes").len() == 1);
    node.shows(&next);
    assert_eq!(node.unmount(&next), success());
    node.nothing_left(&next);
}

/// kubelet calls mount again for each pod that comes back.
#[test]
fn after_a_reboot_a_pod_gets_what_it_had_without_the_origin() {
    let mut node = Node::new();
    let dir = node.dir("pod");
    assert_eq!(node.mount(&dir, &json!({})), success());
    fs::write(dir.join("written"), "by the pod").unwrap();
    node.lose_driver();
    node.origin
        .behave("/a.war", vec![Behaviour::Refused { status: 404 }.always()]);
    reboot(&node.sandbox, &[], "another-boot");
    detach(&dir);
    node.begin_driver();
    assert_eq!(node.mount(&dir, &json!({})), success());
    node.shows(&dir);
    assert!(!dir.join("written").exists());
    assert_eq!(node.unmount(&dir), success());
    node.nothing_left(&dir);
}

/// One that has the store and hangs must not keep a pod from going.
#[test]
fn a_pod_goes_although_the_driver_hangs() {
    let node = Node::new();
    let dir = node.dir("pod");
    assert_eq!(node.mount(&dir, &json!({})), success());
    kill_process(node.driver().pid(), Signal::STOP).unwrap();
    assert_eq!(node.unmount(&dir), success());
    assert_eq!(node.sandbox.mounts_at(&dir), 0);
    kill_process(node.driver().pid(), Signal::CONT).unwrap();
    // The driver finds out when it is asked.
    assert_eq!(node.unmount(&dir), success());
    node.nothing_left(&dir);
}
