//! What is removed at a start, and what never is: the proofs of the sweep (docs/design/durability.md).

use std::fs;
use std::path::Path;

use super::only;
use crate::node::{Node, bytes, detach, until};
use crate::origin::{Object, Origin};
use crate::pod::Pod;
use crate::sandbox::Sandbox;

/// A pod's volume, published.
fn published() -> Pod {
    Pod::waiting(3, 100_000).published()
}

impl Pod {
    /// The pod is deleted while nobody sees it.
    fn pod_goes(&self) {
        detach(&self.request.target.path());
        fs::remove_dir_all(self.pod()).unwrap();
    }

    fn pod(&self) -> std::path::PathBuf {
        self.request
            .target
            .path()
            .ancestors()
            .nth(2)
            .unwrap()
            .into()
    }

    fn swept(&self) -> usize {
        let swept = self.node.volumes.sweep().unwrap();
        self.node.volumes.clean_up();
        swept
    }

    fn kept(&self) {
        assert_eq!(self.swept(), 0);
        assert_eq!(self.sandbox.bucket("volumes").len(), 1);
    }
}

/// The pod is gone, after a reboot or between mount and answer.
#[test]
fn the_volume_of_a_pod_that_is_gone_is_swept() {
    let scene = published();
    scene.pod_goes();
    assert_eq!(scene.swept(), 1);
    scene.sandbox.assert_nothing_left();
    assert_eq!(scene.swept(), 0);
    scene.node.unpublish(&scene.request).unwrap();
}

/// A caller that hangs up while the volume is made gets a whole volume or none; the pod goes, and so does the volume.
#[test]
fn a_pod_that_vanishes_between_mount_and_answer_is_swept() {
    let scene = published();
    scene.node.unpublish(&scene.request).unwrap();
    let other = scene.node.request("other", &scene.origin.url("/a.war"));
    scene.node.begin(&other).abort();
    // Whether the commit had begun is a matter of luck; the same call again ends it either way.
    until("the commit is over", || scene.node.publish(&other).is_ok());
    detach(&other.target.path());
    fs::remove_dir_all(other.target.path().ancestors().nth(2).unwrap()).unwrap();
    assert_eq!(scene.swept(), 1);
    scene.sandbox.assert_nothing_left();
}

/// A pod whose directory is there will be published or unpublished by kubelet.
#[test]
fn the_volume_of_a_pod_that_is_still_there_is_not_swept() {
    let scene = published();
    scene.kept();
    detach(&scene.request.target.path());
    fs::remove_dir(scene.request.target.path()).unwrap();
    scene.kept();
}

/// A mount that is seen is a pod that lives, whatever its directory looks like.
#[test]
fn a_volume_that_is_mounted_is_not_swept() {
    let scene = published();
    scene.kept();
    assert!(scene.request.target.path().join("a.war").exists());
}

/// Another kubelet directory may only look empty from here.
#[test]
fn a_volume_of_another_kubelet_directory_is_not_swept() {
    let scene = published();
    scene.pod_goes();
    let kubelet = scene.sandbox.path("kubelet");
    let aside = scene.sandbox.path("aside");
    fs::rename(&kubelet, &aside).unwrap();
    scene.kept();
    fs::create_dir(&kubelet).unwrap();
    scene.kept();
    fs::remove_dir(&kubelet).unwrap();
    fs::rename(&aside, &kubelet).unwrap();
    assert_eq!(scene.swept(), 1);
}

/// An unreadable record proves nothing.
#[test]
fn a_volume_whose_record_cannot_be_read_is_not_swept() {
    for damage in [damaged, gone] {
        let scene = published();
        scene.pod_goes();
        damage(&only(scene.sandbox.bucket("volumes")).join("want.json"));
        scene.kept();
        assert!(scene.node.volumes.list().unwrap()[0].record.is_none());
        scene.node.unpublish(&scene.request).unwrap();
        assert_eq!(scene.sandbox.bucket("volumes").len(), 0);
    }
}

fn damaged(record: &Path) {
    fs::write(record, "{").unwrap();
}

fn gone(record: &Path) {
    fs::remove_file(record).unwrap();
}

/// Somebody at a command line ends a volume, nobody else.
#[test]
fn a_volume_of_the_command_line_is_never_swept() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(3, 100_000)));
    let url = origin.url("/a.war");
    fs::create_dir(sandbox.path("parent")).unwrap();
    sandbox.mount(&url, "parent/dir", &[]);
    detach(&sandbox.path("parent/dir"));
    fs::remove_dir_all(sandbox.path("parent")).unwrap();
    assert_eq!(Node::start(&sandbox).volumes.sweep().unwrap(), 0);
    let listed = sandbox.run(["volumes", "--output", "json"]).must(0).json();
    assert_eq!(listed["volumes"][0]["mounted"], false);
    sandbox.run(["unmount", "parent/dir"]).must(0);
    sandbox.assert_nothing_left();
}

/// What a killed process left half-made goes at the next start.
#[test]
fn what_was_half_made_is_swept_at_the_start() {
    let scene = published();
    let v1 = scene.sandbox.root().join("v1");
    let half = v1.join("volumes/.new-0123");
    fs::create_dir_all(half.join("c")).unwrap();
    fs::write(v1.join("index/.new-4567"), "half").unwrap();
    fs::create_dir_all(v1.join("trash/gone/u")).unwrap();
    drop(scene.node);
    let again = Node::start(&scene.sandbox);
    assert!(!half.exists());
    assert_eq!(scene.sandbox.bucket("index").len(), 1);
    again.volumes.clean_up();
    assert_eq!(scene.sandbox.bucket("trash").len(), 0);
    again.publish(&scene.request).unwrap();
    again.unpublish(&scene.request).unwrap();
    scene.sandbox.assert_nothing_left();
}
