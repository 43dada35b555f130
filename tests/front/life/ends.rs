//! Publish on what is there already, and unpublish of whatever is there or not (docs/design/faults.md, 23 to 26).

use std::fs;
use std::path::Path;

use rustix::mount::{MountFlags, mount, mount_bind};
use war_vol::fault::Fault;
use war_vol::volume::PublishRequest;

use crate::node::{Node, RequestExt, bytes, detach, failed, mounts_at, until};
use crate::origin::Behaviour;
use crate::pod::Pod;

/// A pod waits for its volume.
fn waiting() -> Pod {
    Pod::waiting(24, 400_000)
}

impl Pod {
    fn mounts(&self) -> Vec<u64> {
        mounts_at(&self.target())
    }

    /// Nothing of the volume is left, however often it is taken away.
    fn must_be_gone(self) {
        for _ in 0..2 {
            self.node.unpublish(&self.request).unwrap();
            assert!(!self.target().exists());
            self.sandbox.assert_nothing_left();
        }
    }
}

/// Somebody mounts something of their own.
pub(crate) fn foreign(at: &Path) {
    mount("foreign", at, "tmpfs", MountFlags::empty(), None).unwrap();
    fs::write(at.join("theirs"), "kept").unwrap();
}

#[test]
fn a_publish_on_a_right_mount_is_ok_and_mounts_nothing() {
    let scene = waiting().published();
    let before = scene.mounts();
    assert_eq!(before.len(), 1);
    for _ in 0..3 {
        scene.node.publish(&scene.request).unwrap();
        assert_eq!(scene.mounts(), before);
    }
    // Another process finds it right as well.
    let Pod {
        sandbox,
        origin: _origin,
        node,
        request,
    } = scene;
    drop(node);
    let node = Node::start(&sandbox);
    node.publish(&request).unwrap();
    assert_eq!(mounts_at(&request.target.path()), before);
}

#[test]
fn a_publish_on_a_foreign_mount_is_refused_and_unmounts_nothing() {
    let scene = waiting();
    fs::create_dir(scene.target()).unwrap();
    foreign(&scene.target());
    let before = scene.mounts();
    let (fault, words) = failed(scene.node.publish(&scene.request));
    assert_eq!(fault, Fault::Occupied, "{words}");
    assert!(words.contains("something else is mounted there"), "{words}");
    assert_eq!(scene.origin.gets("/a.war"), 0, "judged before the download");
    let (fault, words) = failed(scene.node.unpublish(&scene.request));
    assert_eq!(fault, Fault::Occupied, "{words}");
    assert_eq!(scene.mounts(), before);
    assert_eq!(fs::read(scene.target().join("theirs")).unwrap(), b"kept");
    scene.sandbox.assert_no_volume_left();
}

/// Somebody mounted over a live volume. It is not given up: the error is not a final one (docs/design/laws.md, law 1).
#[test]
fn a_foreign_mount_over_a_live_volume_is_unavailable_and_both_stay() {
    let scene = waiting().published();
    foreign(&scene.target());
    let before = scene.mounts();
    assert_eq!(before.len(), 2);
    let (fault, words) = failed(scene.node.publish(&scene.request));
    assert_eq!(fault, Fault::Unavailable, "{words}");
    let (_, words) = failed(scene.node.unpublish(&scene.request));
    assert!(words.contains("nothing was changed"), "{words}");
    assert_eq!(scene.mounts(), before);
    detach(&scene.target());
    scene.node.publish(&scene.request).unwrap();
    scene.must_be_gone();
}

#[test]
fn an_unpublish_of_the_unknown_is_ok() {
    let scene = waiting();
    fs::create_dir(scene.target()).unwrap();
    scene.must_be_gone();
}

/// The target's directory, or the pod's, is gone.
#[test]
fn an_unpublish_without_a_target_is_ok() {
    for level in 0..3 {
        let scene = waiting().published();
        detach(&scene.target());
        let gone = scene.target();
        fs::remove_dir_all(gone.ancestors().nth(level).unwrap()).unwrap();
        scene.must_be_gone();
    }
}

/// Somebody else has unmounted it.
#[test]
fn an_unpublish_of_what_is_not_mounted_is_ok() {
    let scene = waiting().published();
    detach(&scene.target());
    assert!(scene.target().exists());
    scene.must_be_gone();
}

/// One over the other.
#[test]
fn an_unpublish_of_what_is_mounted_twice_takes_both_away() {
    let scene = waiting().published();
    let target = scene.target();
    for _ in 0..2 {
        mount_bind(&target, &target).unwrap();
    }
    assert_eq!(scene.mounts().len(), 3);
    scene.must_be_gone();
}

#[test]
fn unpublishes_at_the_same_time_end_in_nothing() {
    for _ in 0..10 {
        let scene = waiting().published();
        let PublishRequest { volume, target, .. } = &scene.request;
        let volumes = &scene.node.volumes;
        let (one, two) = scene.node.wait(async {
            tokio::join!(
                volumes.unpublish(volume, target),
                volumes.unpublish(volume, target)
            )
        });
        for answer in [one, two] {
            assert!(answer.is_ok() || failed(answer).0 == Fault::Pending);
        }
        scene.must_be_gone();
    }
}

/// Busy, with an open file: it is gone from the target at once, and whoever has it open reads on.
#[test]
fn a_busy_target_is_detached() {
    use std::io::Read;
    let scene = waiting().published();
    let mut open = fs::File::open(scene.target().join("a.war")).unwrap();
    scene.node.unpublish(&scene.request).unwrap();
    assert!(!scene.target().exists());
    // No lock is kept: the same volume is published again while the old mount still has a user.
    scene.node.publish(&scene.request).unwrap();
    let mut read = Vec::new();
    open.read_to_end(&mut read).unwrap();
    assert!(read == bytes(24, 400_000));
    drop(open);
    scene.must_be_gone();
}

/// The call that waits ends at once, the download stops, and no mount ever appears.
#[test]
fn an_unpublish_during_a_download_ends_it_and_no_mount_appears_later() {
    let scene = waiting();
    let pause = Behaviour::Pause {
        at: 100_000,
        ms: 1500,
    };
    scene.origin.behave("/a.war", vec![pause.always()]);
    let calls = [(); 3].map(|()| scene.node.begin(&scene.request));
    scene.node.downloads(&scene.request);
    scene.node.unpublish(&scene.request).unwrap();
    for call in calls {
        let (fault, words) = failed(scene.node.wait(call).unwrap());
        assert_eq!(fault, Fault::Pending, "{words}");
        assert!(words.contains("unpublished"), "{words}");
    }
    // Beyond the moment at which the origin goes on, and would have been read by a download that went on.
    until("the origin is done", || {
        assert_eq!(scene.mounts(), Vec::<u64>::new());
        assert!(!scene.target().exists());
        scene.origin.is_idle()
    });
    assert_eq!(scene.sandbox.bucket("blobs").len(), 0);
    assert_eq!(scene.sandbox.bucket("volumes").len(), 0);
    // The next call begins anew, and takes up what came.
    scene.node.publish(&scene.request).unwrap();
    assert_eq!(scene.mounts().len(), 1);
    scene.must_be_gone();
}

/// One volume's end is not another's.
#[test]
fn an_unpublish_leaves_the_download_to_the_others_that_want_it() {
    let scene = waiting();
    let pause = Behaviour::Pause {
        at: 100_000,
        ms: 700,
    };
    scene.origin.behave("/a.war", vec![pause.always()]);
    let other = scene.node.request("other", &scene.origin.url("/a.war"));
    let (first, second) = (scene.node.begin(&scene.request), scene.node.begin(&other));
    scene.node.downloads(&scene.request);
    scene.node.downloads(&other);
    scene.node.unpublish(&scene.request).unwrap();
    failed(scene.node.wait(first).unwrap());
    scene.node.wait(second).unwrap().unwrap();
    assert!(fs::read(other.target.path().join("a.war")).unwrap() == bytes(24, 400_000));
    assert_eq!(scene.origin.gets("/a.war"), 1);
    scene.node.unpublish(&other).unwrap();
    scene.must_be_gone();
}

/// Another access mode, another secret and another group are the same volume; other attributes or another `readonly`
/// are not (docs/design/laws.md, law 2).
#[test]
fn only_attributes_and_readonly_make_another_volume() {
    use war_vol::volume::Writable;
    let scene = waiting().published();
    let before = scene.mounts();
    let same = [
        PublishRequest {
            writable: Writable::No,
            ..scene.request.clone()
        },
        PublishRequest {
            group: Some(1234),
            ..scene.request.clone()
        },
        scene.request.clone().secret("token", "another"),
        scene.request.clone().secret("unknown", "key"),
    ];
    for request in same {
        scene.node.publish(&request).unwrap();
    }
    let others = [
        PublishRequest {
            readonly: true,
            ..scene.request.clone()
        },
        scene.request.clone().with("fileName", "b.war"),
        scene.request.clone().with("pullPolicy", "Always"),
        scene.request.clone().with("unknown", "attribute"),
    ];
    for request in others {
        let (fault, words) = failed(scene.node.publish(&request));
        assert_eq!(fault, Fault::Differs, "{words}");
        assert!(words.contains("unpublish it first"), "{words}");
    }
    assert_eq!(scene.mounts(), before);
    scene.must_be_gone();
}
