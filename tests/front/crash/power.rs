//! The power goes. A file system is shut down under the program: what it has not written is lost.
//!
//! The program is stopped behind one call after the other, and once after its answer; then the file system is shut
//! down (`FS_IOC_SHUTDOWN`), the process killed, the file system mounted anew. What is behind one call is before the
//! next. Where `shutdown -f` is said the journal is still written, so that names are kept whose bytes are not.
//!
//! The control is the same with an fsync that does nothing: if that loses nothing, this proves nothing, and fails.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use rustix::mount::{UnmountFlags, unmount};
use rustix::process::Signal;
use tempfile::TempDir;

use super::origin::Artifact;
use super::rig::{Rig, ended, finish, is_whole, start};
use super::strace::{self, Aim};
use super::{exhaustive, until};

/// Acknowledged objects in a row, with and without fsync.
const OBJECTS: usize = 8;

const SIZE: usize = 100 << 10;

#[test]
fn power_loss_on_ext4_loses_nothing_that_was_acknowledged() {
    go_through("ext4");
}

#[test]
fn power_loss_on_xfs_loses_nothing_that_was_acknowledged() {
    go_through("xfs");
}

fn go_through(kind: &'static str) {
    let began = Instant::now();
    let course = Course::new(kind);
    let lost = course.lost_without_fsync();
    let seconds = || began.elapsed().as_secs();
    println!(
        "power, {kind}: without fsync {lost} of {OBJECTS} were lost ({} s)",
        seconds()
    );
    assert!(
        lost > 0,
        "not conclusive: nothing is lost without fsync either"
    );
    course.keeps_what_was_acknowledged();
    println!("power, {kind}: with it 0 of {OBJECTS} ({} s)", seconds());
    let (mut reached, mut missed) = (0, Vec::new());
    for (i, (unmounts, aim)) in course.aims().into_iter().enumerate() {
        for (j, shutdown) in SHUTDOWNS.into_iter().enumerate() {
            if !exhaustive() && (i + j).is_multiple_of(2) {
                continue;
            }
            if course.stopped_behind(unmounts, &aim, shutdown) {
                reached += 1;
            } else {
                missed.push(format!("{aim:?}"));
            }
        }
    }
    let planned = reached + missed.len();
    let how = if exhaustive() {
        "all"
    } else {
        "a sample; WAR_VOL_FAULTS=all takes twice as many"
    };
    println!(
        "power, {kind}: reached {reached} of {planned} planned points ({how}; {} s)",
        seconds()
    );
    assert!(reached * 100 >= planned * 95, "missed: {missed:?}");
}

const SHUTDOWNS: [&str; 2] = ["shutdown", "shutdown -f"];

/// A file system in a file. Its loop device frees itself when it is unmounted, whoever does that.
struct Disk {
    dir: TempDir,
    kind: &'static str,
}

impl Disk {
    fn new(kind: &'static str) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("war-vol-disk-")
            .tempdir()
            .unwrap();
        let disk = Self { dir, kind };
        let image = disk.image();
        // No smaller one is made by mkfs.xfs; it is sparse.
        fs::File::create(&image)
            .unwrap()
            .set_len(400 << 20)
            .unwrap();
        run(Command::new(format!("mkfs.{kind}")).arg("-q").arg(&image));
        fs::create_dir(disk.mount_point()).unwrap();
        disk.mount();
        disk
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    fn mount_point(&self) -> PathBuf {
        self.dir.path().join("mounted")
    }

    fn mount(&self) {
        let mut mount = Command::new("mount");
        mount.args(["-t", self.kind, "-o", "loop"]);
        run(mount.arg(self.image()).arg(self.mount_point()));
    }

    fn sync(&self) {
        run(Command::new("sync").arg("-f").arg(self.mount_point()));
    }

    fn shut_down(&self, how: &str) {
        run(Command::new("xfs_io")
            .args(["-x", "-c", how])
            .arg(self.mount_point()));
    }

    fn unmount(&self) {
        until("the file system to be free", || {
            unmount(self.mount_point(), UnmountFlags::empty()).is_ok()
        });
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = unmount(self.mount_point(), UnmountFlags::DETACH);
    }
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

struct Course {
    // Dropped first: its mounts hold the disk.
    rig: Rig,
    disk: Disk,
}

impl Course {
    fn new(kind: &'static str) -> Self {
        let (rig, disk) = Rig::on(|sandbox| {
            let disk = Disk::new(kind);
            let store = disk.mount_point().join("store");
            fs::create_dir(&store).unwrap();
            symlink(&store, sandbox.root()).unwrap();
            disk
        });
        Self { rig, disk }
    }

    fn artifact(&self, name: &str) -> Artifact {
        self.rig.origin.artifact(name, SIZE)
    }

    /// The power goes and comes back.
    fn power_loss(&self, how: &str) {
        self.disk.shut_down(how);
        self.comes_back();
    }

    fn comes_back(&self) {
        while unmount(self.rig.target(), UnmountFlags::DETACH).is_ok() {}
        // On another file system, which lost nothing; what made it is forgotten here.
        let _ = fs::remove_dir(self.rig.target());
        self.disk.unmount();
        self.disk.mount();
    }

    /// The calls to stop behind: of a mount, and (`true`) of an unmount.
    fn aims(&self) -> Vec<(bool, Aim)> {
        let artifact = self.artifact("point");
        self.rig.mounted(&artifact);
        let volume = self.rig.volume_dir();
        ended(self.rig.unmount()).must(0);
        let name = volume.file_name().unwrap().to_str().unwrap().to_owned();
        let of_mount = [
            Aim::at("pwrite64", 1),
            Aim::at("fchmod", 1),
            Aim::at("fsync", 1),
            Aim::at("fsync", 2),
            Aim::at("rename", 1),
            Aim::at("fsync", 3),
            Aim::at("renameat2", 1),
            Aim::at("fsync", 4),
            Aim::at("linkat", 1),
            Aim::at("mkdirat", 1),
            Aim::at("mount", 1).on(format!("war-vol:{name}")),
        ];
        let of_unmount = [
            Aim::at("utimensat", 1),
            Aim::at("rename", 1).on(&volume),
            Aim::at("unlinkat", 1).on("want.json"),
        ];
        let mut aims: Vec<_> = of_mount.into_iter().map(|a| (false, a)).collect();
        aims.extend(of_unmount.into_iter().map(|a| (true, a)));
        aims
    }

    /// Power loss behind one call. False if the run did not come there.
    fn stopped_behind(&self, unmounts: bool, aim: &Aim, how: &str) -> bool {
        let artifact = self.artifact("point");
        self.rig.start_anew();
        let command = if unmounts {
            self.rig.mounted(&artifact);
            self.rig.unmount()
        } else {
            self.disk.sync();
            self.rig.mount(&artifact)
        };
        let log = self.rig.sandbox.path("strace.log");
        let _ = fs::remove_file(&log);
        let mut child = start(strace::under(&aim.inject("signal=STOP"), &log, &command));
        let stopped = strace::stopped(&mut child, &log);
        println!("power, {}: {how} behind {aim:?}", self.disk.kind);
        self.disk.shut_down(how);
        if stopped {
            strace::signal(child.id(), Signal::KILL);
            finish(child);
        }
        self.comes_back();
        self.rig.recovers(&artifact, unmounts);
        stopped
    }

    /// After each answer the power goes.
    fn keeps_what_was_acknowledged(&self) {
        self.rig.start_anew();
        let mut all = Vec::new();
        for i in 0..OBJECTS {
            let artifact = self.artifact(&format!("kept{i}"));
            self.rig.mounted(&artifact);
            all.push(artifact);
            self.power_loss(SHUTDOWNS[i % 2]);
            for artifact in &all {
                assert!(
                    self.rig.blob(artifact).exists(),
                    "{} is gone",
                    artifact.path
                );
            }
            self.rig.recovers(&all[i], true);
        }
        for artifact in &all {
            self.rig.recovers(artifact, true);
        }
    }

    /// How many of the acknowledged are lost or not whole if fsync does nothing.
    fn lost_without_fsync(&self) -> usize {
        let log = self.rig.sandbox.path("strace.log");
        let nothing = Aim {
            call: "fsync".to_owned(),
            when: "1+".to_owned(),
            path: None,
        };
        let lost = |i: usize| {
            self.rig.start_anew();
            self.disk.sync();
            let artifact = self.artifact(&format!("lost{i}"));
            let mount = self.rig.mount(&artifact);
            let mut mount = strace::under(&nothing.inject("retval=0"), &log, &mount);
            assert!(mount.status().unwrap().success());
            self.power_loss(SHUTDOWNS[i % 2]);
            let blob = self.rig.blob(&artifact);
            !Path::new(&blob).exists() || !is_whole(&blob)
        };
        let lost = (0..OBJECTS).filter(|i| lost(*i)).count();
        // What was damaged on purpose is nobody's fault later.
        self.rig.start_anew();
        lost
    }
}
