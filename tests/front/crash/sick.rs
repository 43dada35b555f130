//! Single calls fail. A clear error, nothing of a volume is left, and the next mount works.

use std::fs;

use super::origin::Artifact;
use super::rig::{Rig, ended};
use super::strace::{self, Aim};
use crate::sandbox::Ran;

const SIZE: usize = 100 << 10;

/// Exit codes of the program.
const NO_SPACE: i32 = 10;
const UNAVAILABLE: i32 = 11;

struct Course {
    rig: Rig,
    artifact: Artifact,
    /// The names that a mount of this artifact uses: of the volume's directory, and of the download.
    volume: String,
}

impl Course {
    fn new() -> Self {
        let rig = Rig::new();
        let artifact = rig.origin.artifact("sick", SIZE);
        rig.mounted(&artifact);
        let volume = rig
            .volume_dir()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        ended(rig.unmount()).must(0);
        Self {
            rig,
            artifact,
            volume,
        }
    }

    /// A first mount in which something fails.
    fn mount_with(&self, aim: &Aim, fault: &str) -> Ran {
        self.rig.start_anew();
        self.mount_again_with(aim, fault)
    }

    /// One of what may be cached.
    fn mount_again_with(&self, aim: &Aim, fault: &str) -> Ran {
        let log = self.rig.sandbox.path("strace.log");
        let command = strace::under(&aim.inject(fault), &log, &self.rig.mount(&self.artifact));
        let ran = ended(command);
        let log = fs::read_to_string(&log).unwrap();
        assert!(
            log.contains("(INJECTED)"),
            "{fault} at {aim:?} was not reached: {log}"
        );
        println!(
            "sick: {fault} at {aim:?}: {} {}",
            ran.code,
            ran.stderr.trim_end()
        );
        ran
    }

    /// It fails with this code and says why; nothing of the volume is left, and the next mount works.
    fn fails(&self, aim: &Aim, fault: &str, code: i32, says: &str) {
        self.mount_with(aim, fault).must(code).says(says);
        self.left_nothing(false);
    }

    fn left_nothing(&self, cached: bool) {
        assert!(!self.rig.target().exists(), "the target is left");
        assert_eq!(self.rig.sandbox.mounts(), 0, "a mount is left");
        for bucket in ["volumes", "trash"] {
            assert_eq!(self.rig.sandbox.bucket(bucket), NOTHING, "left in {bucket}");
        }
        let half_made = |p: &std::path::PathBuf| p.to_str().unwrap().contains(".new-");
        assert!(!self.rig.sandbox.bucket("index").iter().any(half_made));
        self.rig.assert_unleased();
        self.rig.recovers(&self.artifact, cached);
    }

    /// As [`fails`](Self::fails), before the object is a blob.
    fn fails_without_blob(&self, aim: &Aim, fault: &str, code: i32, says: &str) {
        self.mount_with(aim, fault).must(code).says(says);
        assert_eq!(self.rig.sandbox.bucket("blobs"), NOTHING, "a blob is there");
        self.fails(aim, fault, code, says);
    }

    fn at_mount(&self) -> Aim {
        Aim::at("mount", 1).on(format!("war-vol:{}", self.volume))
    }
}

const NOTHING: [std::path::PathBuf; 0] = [];
const EIO: &str = "Input/output error";
const ENOSPC: &str = "space";

#[test]
fn an_fsync_that_fails_throws_the_object_away_and_a_second_one_is_not_believed() {
    let course = Course::new();
    for when in 1..=4 {
        let at = Aim::at("fsync", when);
        course.fails_without_blob(&at, "error=EIO", UNAVAILABLE, EIO);
    }
    // Only of bytes that are durable is it worth to keep what came.
    course
        .mount_with(&Aim::at("fsync", 1), "error=EIO")
        .must(UNAVAILABLE);
    assert_eq!(
        course.rig.sandbox.bucket("partial"),
        NOTHING,
        "the bytes are kept"
    );
    let asked = course.rig.origin.asked(&course.artifact);
    course.rig.recovers(&course.artifact, false);
    assert_eq!(course.rig.origin.asked(&course.artifact), asked + 1);
}

#[test]
fn a_download_that_finds_no_space_or_a_sick_disk_says_so_and_leaves_nothing() {
    let course = Course::new();
    for (call, when) in [("fallocate", 1), ("pwrite64", 1), ("pwrite64", 2)] {
        let at = Aim::at(call, when);
        course.fails_without_blob(&at, "error=ENOSPC", NO_SPACE, ENOSPC);
        assert_eq!(course.rig.sandbox.bucket("partial"), NOTHING);
        course.fails_without_blob(&at, "error=EIO", UNAVAILABLE, EIO);
    }
}

#[test]
fn a_commit_that_fails_says_so_and_gives_no_blob() {
    let course = Course::new();
    for call in ["fchown", "fchmod", "renameat2", "rename"] {
        let at = Aim::at(call, 1);
        course.fails_without_blob(&at, "error=EIO", UNAVAILABLE, EIO);
        course.fails_without_blob(&at, "error=ENOSPC", NO_SPACE, ENOSPC);
    }
}

#[test]
fn a_publish_that_fails_says_so_and_leaves_no_volume() {
    let course = Course::new();
    let link = Aim::at("linkat", 1).on(course.rig.blob(&course.artifact));
    let points = [
        (link, "cannot link"),
        (Aim::at("mkdirat", 1), "create target"),
        (course.at_mount(), "mount overlay"),
    ];
    for (at, says) in points {
        course.fails(&at, "error=EIO", UNAVAILABLE, says);
        course.fails(&at, "error=ENOSPC", NO_SPACE, ENOSPC);
    }
    // The one rename of a mount of what is cached gives the volume's directory its name.
    for (fault, code) in [("error=EIO", UNAVAILABLE), ("error=ENOSPC", NO_SPACE)] {
        let ran = course.mount_again_with(&Aim::at("rename", 1), fault);
        ran.must(code);
        course.left_nothing(true);
    }
}

#[test]
fn a_blob_without_a_link_to_spare_is_copied() {
    let course = Course::new();
    let link = Aim::at("linkat", 1).on(course.rig.blob(&course.artifact));
    course.mount_with(&link, "error=EMLINK").must(0);
    course.rig.assert_shown(&course.artifact);
    course.rig.goes(&course.artifact);
}

#[test]
fn an_unmount_that_fails_says_so_and_can_be_repeated() {
    let course = Course::new();
    for (call, fault, code) in [
        ("rename", "error=EIO", UNAVAILABLE),
        ("rename", "error=ENOSPC", NO_SPACE),
    ] {
        course.rig.mounted(&course.artifact);
        let volume = course.rig.volume_dir();
        let at = Aim::at(call, 1).on(volume);
        let log = course.rig.sandbox.path("strace.log");
        let unmount = strace::under(&at.inject(fault), &log, &course.rig.unmount());
        ended(unmount).must(code);
        course.rig.goes(&course.artifact);
    }
}
