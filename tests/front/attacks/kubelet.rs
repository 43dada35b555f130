//! Volumes as kubelet asks for them, through the library: the bind for `readonly: true`, and those of pods with a
//! user namespace.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{FILE, assert_none_reaches, may_be_used};
use super::{Facts, Interference, MORE, Plain, attack, of_kind, plain, pod};
use crate::container::Handed;
use crate::node::{Node, RequestExt, bytes, digest};
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

/// Publishes one artifact to two pods and calls `test` with both targets; afterwards the cached bytes and the other
/// volume must be what they were.
fn with_two(layout: &str, readonly: bool, test: impl FnOnce(&Sandbox, &Path, &Path)) {
    let (sandbox, origin) = (Sandbox::new(), Origin::start());
    let content = bytes(43, 20_000);
    let pin = digest(&content);
    origin.put("/app.war", Object::new(content));
    let node = Node::start(&sandbox);
    let wants = ["a", "b"].map(|pod| {
        let request = node.request(pod, &origin.url("/app.war"));
        let mut request = request.pinned(&pin).with("layout", layout);
        request.readonly = readonly;
        node.publish(&request).unwrap();
        request
    });
    let [a, b] = [node.target("a"), node.target("b")];
    let [blob] = <[_; 1]>::try_from(sandbox.bucket("blobs")).expect("one blob");
    let (facts, shown) = (Facts::of(&blob), Facts::of(&b.join(FILE)));
    test(&sandbox, &a, &b);
    assert_eq!(Facts::of(&blob), facts);
    assert_eq!(fs::metadata(&blob).unwrap().nlink(), 3, "two leases");
    assert_eq!(Facts::of(&b.join(FILE)), shown);
    for request in &wants {
        node.unpublish(request).unwrap();
    }
    node.volumes.close().unwrap();
    assert_eq!(Facts::of(&blob), facts);
    sandbox.assert_nothing_left();
}

#[test]
fn attacks_on_the_bind_of_a_readonly_volume_fail() {
    plain::must_suffer();
    with_two("auto", true, |sandbox, a, b| {
        let outcomes = attack(&pod(sandbox, a, Handed::ReadOnly), b);
        assert_none_reaches(&outcomes);
        for outcome in of_kind(&outcomes, Plain::Reaches) {
            assert!(!outcome.succeeded(), "{outcome:?}");
        }
    });
}

#[test]
fn attacks_on_the_bind_of_a_readonly_volume_fail_from_a_user_namespace() {
    plain::must_suffer_in_a_user_namespace();
    with_two("auto", true, |sandbox, a, b| {
        let pod = pod(sandbox, a, Handed::ReadOnly).in_user_namespace();
        for pod in [pod.clone(), pod.may(&MORE)] {
            let outcomes = attack(&pod, b);
            assert_none_reaches(&outcomes);
            for outcome in of_kind(&outcomes, Plain::Reaches) {
                assert!(!outcome.succeeded(), "{outcome:?}");
            }
        }
    });
}

/// A lease would hold up every open of the other. File locks and events go through a bind, which shows the shared
/// file itself: that is known (SECURITY.md), and whoever cannot have it asks for an overlay.
#[test]
fn no_open_of_a_readonly_volume_waits_for_a_lease_of_another_pod() {
    plain::must_suffer();
    with_two("auto", true, |sandbox, a, b| {
        let [plain_a, plain_b] = [a, b].map(|dir| pod(sandbox, dir, Handed::ReadOnly));
        for (a, b) in [
            (plain_a.clone(), plain_b.clone()),
            (plain_a.in_user_namespace(), plain_b.in_user_namespace()),
        ] {
            let seen = Interference::between(&a, &b);
            assert!(!seen.lease, "{seen:?}");
            if !seen.lock || !seen.watch {
                println!("NEWS: the kernel keeps locks or events of binds apart: {seen:?}");
            }
        }
    });
}

#[test]
fn a_readonly_volume_on_an_overlay_shows_nothing_of_the_others() {
    plain::must_suffer();
    with_two("overlay", true, |sandbox, a, b| {
        let [pod_a, pod_b] = [a, b].map(|dir| pod(sandbox, dir, Handed::ReadOnly));
        assert_eq!(Interference::between(&pod_a, &pod_b), Interference::NONE);
        for pod in [pod_a.clone(), pod_a.may(&MORE)] {
            let outcomes = attack(&pod, b);
            assert_none_reaches(&outcomes);
            for outcome in of_kind(&outcomes, Plain::Reaches) {
                assert!(!outcome.succeeded(), "{outcome:?}");
            }
        }
    });
}

#[test]
fn a_private_copy_is_writable_in_a_user_namespace_and_reaches_nothing_shared() {
    plain::must_suffer_in_a_user_namespace();
    with_two("copy", false, |sandbox, a, b| {
        let [pod_a, pod_b] =
            [a, b].map(|dir| pod(sandbox, dir, Handed::ReadWrite).in_user_namespace());
        assert_eq!(Interference::between(&pod_a, &pod_b), Interference::NONE);
        let outcomes = attack(&pod_a, b);
        assert_none_reaches(&outcomes);
        may_be_used(&outcomes);
    });
}
