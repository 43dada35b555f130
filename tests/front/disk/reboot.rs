//! The machine restarts: no mount is left, and every volume is asked for again (docs/design/faults.md, 14).

use std::fs;

use rustix::mount::{UnmountFlags, mount_bind, unmount};

use super::only;
use crate::node::{bytes, detach};
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

/// Takes the mounts away and lets the kernel tell of another boot.
pub(crate) fn reboot(sandbox: &Sandbox, dirs: &[&str], boot: &str) {
    for dir in dirs {
        detach(&sandbox.path(dir));
    }
    let id = sandbox.path("boot_id");
    let _ = unmount("/proc/sys/kernel/random/boot_id", UnmountFlags::DETACH);
    fs::write(&id, format!("{boot}\n")).unwrap();
    mount_bind(&id, "/proc/sys/kernel/random/boot_id").unwrap();
}

struct Scene {
    sandbox: Sandbox,
    content: Vec<u8>,
    url: String,
}

impl Scene {
    /// An artifact is shown in each directory, with these flags; then its origin ends.
    fn shown(dirs: &[(&str, &[&str])]) -> Self {
        let sandbox = Sandbox::new();
        let content = bytes(14, 1 << 20);
        let origin = Origin::start();
        origin.put("/a.war", Object::new(content.clone()));
        let url = origin.url("/a.war");
        for (dir, flags) in dirs {
            sandbox.mount(&url, dir, flags);
        }
        Self {
            sandbox,
            content,
            url,
        }
    }

    fn shows(&self, dir: &str) {
        let shown = fs::read(self.sandbox.path(dir).join("a.war")).unwrap();
        assert!(shown == self.content, "{dir} shows something else");
    }
}

const WAYS: [(&str, &[&str]); 4] = [
    ("overlay", &[]),
    ("always", &["--pull-policy", "Always"]),
    ("copy", &["--layout", "copy"]),
    ("read-only", &["--read-only"]),
];

/// Published again with the content that it had, its origin down, whatever the pull policy; what was written is gone.
#[test]
fn after_a_reboot_a_volume_shows_what_it_had_without_its_origin() {
    let scene = Scene::shown(&WAYS);
    for dir in ["overlay", "always", "copy"] {
        fs::write(scene.sandbox.path(dir).join("a.war"), "overwritten").unwrap();
        fs::write(scene.sandbox.path(dir).join("new"), "written").unwrap();
    }
    let dirs = WAYS.map(|(dir, _)| dir);
    reboot(&scene.sandbox, &dirs, "another-boot");
    for (dir, flags) in WAYS {
        assert!(!scene.sandbox.path(dir).join("a.war").exists());
        scene.sandbox.mount(&scene.url, dir, flags);
        scene.shows(dir);
        assert!(!scene.sandbox.path(dir).join("new").exists(), "{dir}");
    }
    // And once more, from a state that a reboot has left before.
    reboot(&scene.sandbox, &dirs, "a-third-boot");
    for (dir, flags) in WAYS {
        scene.sandbox.mount(&scene.url, dir, flags);
        scene.shows(dir);
        scene.sandbox.run(["unmount", dir]).must(0);
        assert!(!scene.sandbox.path(dir).exists(), "{dir}");
    }
    assert_eq!(scene.sandbox.bucket("volumes").len(), 0);
}

/// The layers live exactly as long as the mount, also within one boot (in kind the restart of a node keeps the host's
/// boot id).
#[test]
fn an_upper_layer_is_never_used_again_in_the_same_boot_either() {
    let scene = Scene::shown(&[("dir", &[])]);
    fs::write(scene.sandbox.path("dir/new"), "written").unwrap();
    let volume = only(scene.sandbox.bucket("volumes"));
    detach(&scene.sandbox.path("dir"));
    assert!(volume.join("u/new").exists(), "it was left over");
    scene.sandbox.mount(&scene.url, "dir", &[]);
    scene.shows("dir");
    assert!(!volume.join("u/new").exists());
    assert!(!scene.sandbox.path("dir/new").exists());
}

/// A volume that is not wanted any more goes, although it is not mounted and its origin is down.
#[test]
fn after_a_reboot_a_volume_can_be_unmounted() {
    let scene = Scene::shown(&[("dir", &[])]);
    reboot(&scene.sandbox, &["dir"], "another-boot");
    let listed = scene.sandbox.run(["volumes", "--output", "json"]).must(0);
    assert_eq!(listed.json()["volumes"][0]["mounted"], false);
    scene.sandbox.run(["unmount", "dir"]).must(0);
    assert!(!scene.sandbox.path("dir").exists());
    assert_eq!(scene.sandbox.bucket("volumes").len(), 0);
    assert_eq!(scene.sandbox.bucket("blobs").len(), 1);
}
