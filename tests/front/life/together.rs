//! Calls for the same thing at the same time (docs/design/faults.md, 21 and 22).

use std::fs;

use war_vol::fault::Fault;
use war_vol::volume::PublishRequest;

use crate::node::{Node, RequestExt, bytes, digest, failed, mounts_at, until};
use crate::origin::{Behaviour, Object, Origin};
use crate::sandbox::Sandbox;

const LENGTH: usize = 600_000;

/// An origin that takes its time in the middle of `/a.war`.
fn slow_origin() -> (Origin, String) {
    let content = bytes(21, LENGTH);
    let pin = digest(&content);
    let origin = Origin::start();
    origin.put("/a.war", Object::new(content));
    let pause = Behaviour::Pause {
        at: 200_000,
        ms: 700,
    };
    origin.behave("/a.war", vec![pause.always()]);
    (origin, pin)
}

fn shows(request: &PublishRequest) {
    let shown = fs::read(request.target.path().join("a.war")).unwrap();
    assert!(shown == bytes(21, LENGTH));
    assert_eq!(mounts_at(&request.target.path()).len(), 1);
}

#[test]
fn thirty_pods_share_one_download_and_never_notice_that_one_call_was_cancelled() {
    let sandbox = Sandbox::new();
    let node = Node::start(&sandbox);
    let (origin, pin) = slow_origin();
    let wants: Vec<_> = (0..30)
        .map(|i| node.request(&format!("pod{i}"), &origin.url("/a.war")))
        .map(|request| request.pinned(&pin))
        .collect();
    let mut calls: Vec<_> = wants.iter().map(|request| node.begin(request)).collect();
    // The first one, who began the download.
    node.downloads(&wants[0]);
    calls.remove(0).abort();
    for (call, request) in calls.into_iter().zip(&wants[1..]) {
        node.wait(call).unwrap().unwrap();
        shows(request);
    }
    assert_eq!(mounts_at(&wants[0].target.path()), Vec::<u64>::new());
    assert_eq!(origin.gets("/a.war"), 1);
    let whose = node.store.cached().unwrap();
    assert_eq!((whose.len(), whose[0].leases), (1, 29));
    node.publish(&wants[0]).unwrap();
    assert_eq!(origin.gets("/a.war"), 1);
    for request in &wants {
        node.unpublish(request).unwrap();
    }
    sandbox.assert_nothing_left();
}

/// A download goes on when the last call that waited for it is gone, because its volume is still wanted.
#[test]
fn a_download_goes_on_without_anybody_who_waits() {
    let sandbox = Sandbox::new();
    let node = Node::start(&sandbox);
    let (origin, pin) = slow_origin();
    let request = node.request("pod", &origin.url("/a.war")).pinned(&pin);
    let call = node.begin(&request);
    node.downloads(&request);
    call.abort();
    assert!(node.wait(call).unwrap_err().is_cancelled());
    until("it lands", || node.store.cached().unwrap().len() == 1);
    node.publish(&request).unwrap();
    shows(&request);
    assert_eq!(origin.gets("/a.war"), 1);
}

/// The second joins, or is told to come back.
#[test]
fn the_same_publish_many_times_at_once_is_one_mount() {
    let sandbox = Sandbox::new();
    let node = Node::start(&sandbox);
    let (origin, pin) = slow_origin();
    for round in 0..20 {
        let request = node.request("pod", &origin.url("/a.war")).pinned(&pin);
        let calls: Vec<_> = (0..4).map(|_| node.begin(&request)).collect();
        let answers: Vec<_> = calls.into_iter().map(|c| node.wait(c).unwrap()).collect();
        assert!(answers.iter().any(Result::is_ok), "round {round}");
        for answer in answers.into_iter().filter(Result::is_err) {
            let (fault, words) = failed(answer);
            assert_eq!(fault, Fault::Pending, "{words}");
            assert!(words.contains("try again"), "{words}");
        }
        shows(&request);
        assert_eq!(sandbox.bucket("volumes").len(), 1);
        node.publish(&request).unwrap();
        node.unpublish(&request).unwrap();
        sandbox.assert_nothing_left();
    }
    assert_eq!(origin.gets("/a.war"), 1);
}

/// They never stand in each other's way.
#[test]
fn publishes_of_many_volumes_at_once_all_succeed() {
    let sandbox = Sandbox::new();
    let node = Node::start(&sandbox);
    let origin = Origin::start();
    for i in 0..8 {
        origin.put(&format!("/{i}.war"), Object::new(bytes(i, 50_000)));
    }
    let wants: Vec<_> = (0..40)
        .map(|i| node.request(&format!("pod{i}"), &origin.url(&format!("/{}.war", i % 8))))
        .collect();
    let calls: Vec<_> = wants.iter().map(|request| node.begin(request)).collect();
    for call in calls {
        node.wait(call).unwrap().unwrap();
    }
    for (i, request) in wants.iter().enumerate() {
        let shown = fs::read(request.target.path().join(format!("{}.war", i % 8)));
        assert!(shown.unwrap() == bytes(i as u64 % 8, 50_000));
        node.unpublish(request).unwrap();
    }
    sandbox.assert_nothing_left();
}
