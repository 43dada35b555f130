//! Directories that are not ours to mount on.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::mount::{MountFlags, mount};

use crate::node::{bytes, mounts_at};
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

struct Scene {
    sandbox: Sandbox,
    origin: Origin,
    url: String,
}

impl Scene {
    fn new() -> Self {
        let origin = Origin::start();
        origin.put("/a.war", Object::new(bytes(9, 1000)));
        Self {
            sandbox: Sandbox::new(),
            url: origin.url("/a.war"),
            origin,
        }
    }

    /// Refused with this code and these words, before anything is asked.
    fn refuses(&self, dir: &str, code: i32, says: &str) {
        let before = self.origin.gets("/a.war");
        self.sandbox
            .run(["mount", &self.url, dir])
            .must(code)
            .says(says);
        assert_eq!(self.origin.gets("/a.war"), before);
        self.sandbox.assert_no_volume_left();
    }

    fn make(&self, name: &str) -> std::path::PathBuf {
        let path = self.sandbox.path(name);
        fs::create_dir(&path).unwrap();
        path
    }
}

/// The row: a symlink on the way, or at its end.
#[test]
fn a_directory_through_a_symlink_is_refused() {
    let scene = Scene::new();
    let real = scene.make("real");
    symlink(&real, scene.sandbox.path("link")).unwrap();
    scene.refuses("link/dir", 2, "leads through a symlink; use the real path");
    scene.refuses(
        "link",
        9,
        "not a directory; choose a directory, not a file or a symlink",
    );
    symlink("/nonexistent", scene.sandbox.path("dangling")).unwrap();
    scene.refuses("dangling", 9, "a file or a symlink");
    assert_eq!(fs::read_dir(&real).unwrap().count(), 0);
    assert_eq!(scene.sandbox.mounts(), 0);
}

/// The row: a file, a device, a fifo.
#[test]
fn a_directory_that_is_none_is_refused() {
    let scene = Scene::new();
    let file = scene.sandbox.path("file");
    fs::write(&file, "theirs").unwrap();
    scene.refuses("file", 9, "not a directory");
    scene.refuses(
        "file/dir",
        2,
        "its parent does not exist or is not a directory",
    );
    assert_eq!(fs::read(&file).unwrap(), b"theirs");
    let mode = Mode::from_raw_mode(0o600);
    mknodat(CWD, scene.sandbox.path("fifo"), FileType::Fifo, mode, 0).unwrap();
    scene.refuses("fifo", 9, "not a directory");
    scene.refuses("missing/dir", 2, "create it first");
    scene.refuses("/", 2, "outside the allowed directory");
    assert_eq!(scene.sandbox.mounts(), 0);
}

/// The row: DIR must be empty.
#[test]
fn a_directory_that_is_not_empty_is_refused_and_keeps_what_it_has() {
    let scene = Scene::new();
    let full = scene.make("full");
    fs::write(full.join("theirs"), "kept").unwrap();
    scene.refuses("full", 9, "the directory is not empty; choose an empty one");
    assert_eq!(fs::read(full.join("theirs")).unwrap(), b"kept");
    assert_eq!(scene.sandbox.mounts(), 0);
}

/// The row: something foreign is mounted there, or something of ours that is another volume.
#[test]
fn a_directory_that_something_else_is_mounted_on_is_refused() {
    let scene = Scene::new();
    let foreign = scene.make("foreign");
    mount("theirs", &foreign, "tmpfs", MountFlags::empty(), None).unwrap();
    let before = mounts_at(&foreign);
    scene.refuses("foreign", 9, "something else is mounted there");
    scene
        .sandbox
        .run(["unmount", "foreign"])
        .must(9)
        .says("nothing was changed");
    assert_eq!(mounts_at(&foreign), before);

    scene.sandbox.mount(&scene.url, "ours", &[]);
    scene.origin.put("/b.war", Object::new(bytes(10, 1000)));
    let before = mounts_at(&scene.sandbox.path("ours"));
    scene
        .sandbox
        .run(["mount", &scene.origin.url("/b.war"), "ours"])
        .must(8)
        .says("with other attributes");
    scene
        .sandbox
        .run(["mount", &scene.url, "ours", "--read-only"])
        .must(8)
        .says("another readonly");
    assert_eq!(mounts_at(&scene.sandbox.path("ours")), before);
    scene.sandbox.mount(&scene.url, "ours", &[]);
    assert_eq!(mounts_at(&scene.sandbox.path("ours")), before);
}

/// `unmount` removes only what `mount` made.
#[test]
fn unmount_removes_only_what_mount_made() {
    let scene = Scene::new();
    let theirs = scene.make("theirs");
    for _ in 0..2 {
        let ran = scene.sandbox.run(["unmount", "theirs"]).must(0);
        ran.says("no war-vol volume is mounted on");
        assert!(theirs.exists(), "it was never ours");
    }
    scene.sandbox.mount(&scene.url, "theirs", &[]);
    scene.sandbox.mount(&scene.url, "made", &[]);
    scene.sandbox.run(["unmount", "theirs"]).must(0);
    scene.sandbox.run(["unmount", "made/"]).must(0);
    assert!(theirs.exists());
    assert!(!scene.sandbox.path("made").exists());
    let ran = scene
        .sandbox
        .run(["unmount", "missing", "--output", "json"]);
    assert_eq!(ran.must(0).json()["unmounted"], false);
    scene.sandbox.assert_nothing_left();
}

/// One directory has one volume, however it is written.
#[test]
fn a_directory_written_in_another_way_is_the_same() {
    let scene = Scene::new();
    scene.sandbox.mount(&scene.url, "dir", &[]);
    let absolute = scene.sandbox.path("dir").display().to_string();
    for dir in ["dir/", "./dir", &absolute, &format!("{absolute}//")] {
        scene.sandbox.mount(&scene.url, dir, &[]);
    }
    assert_eq!(mounts_at(&scene.sandbox.path("dir")).len(), 1);
    scene.sandbox.run(["mount", &scene.url, "x/../dir"]).must(2);
    scene.sandbox.run(["unmount", &absolute]).must(0);
    scene.sandbox.assert_nothing_left();
}
