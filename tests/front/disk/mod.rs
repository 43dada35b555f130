//! What a disk does to a store: it is full, it turns read-only, it forgets, it is locked by others.

mod claims;
mod clock;
mod damage;
mod full;
mod kept;
mod locked;
mod moved;
mod read_only;
pub(crate) mod reboot;
mod records;
mod sweep;

use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::process::{Pid, Signal, kill_process};

use crate::node::until;
use crate::sandbox::Sandbox;

/// Puts the store on a memory file system of its own, with these options.
pub(crate) fn on_tmpfs(sandbox: &Sandbox, options: &str) {
    fs::create_dir(sandbox.root()).unwrap();
    let options = CString::new(options).unwrap();
    mount(
        "test",
        sandbox.root(),
        "tmpfs",
        MountFlags::empty(),
        options.as_c_str(),
    )
    .unwrap();
}

/// An ext4 file system of its own under the store, without blocks that are reserved for root.
pub(crate) struct Ext4 {
    device: String,
    pub(crate) at: PathBuf,
}

impl Ext4 {
    /// So many MiB; after an error the kernel makes it read-only.
    pub(crate) fn under_store(sandbox: &Sandbox, mib: u64) -> Self {
        Self::of(sandbox, &sandbox.path("disk.img"), mib)
    }

    /// The same, of an image at this place.
    fn of(sandbox: &Sandbox, image: &Path, mib: u64) -> Self {
        let file = fs::File::create(image).unwrap();
        file.set_len(mib << 20).unwrap();
        run(Command::new("mkfs.ext4")
            .args(["-q", "-m", "0", "-E", "nodiscard"])
            .arg(image));
        let device = run(Command::new("losetup")
            .args(["--find", "--show"])
            .arg(image));
        let at = sandbox.root();
        fs::create_dir(&at).unwrap();
        let options = c"errors=remount-ro";
        mount(&device, &at, "ext4", MountFlags::empty(), options).unwrap();
        Self { device, at }
    }

    /// Lets the kernel find an error in it, after which nothing is written any more, whoever has it open.
    pub(crate) fn turn_read_only(&self) {
        let name = self.device.trim_start_matches("/dev/");
        fs::write(format!("/sys/fs/ext4/{name}/trigger_fs_error"), "test").unwrap();
        let refused = fs::write(self.at.join("probe"), "").unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        let _ = unmount(&self.at, UnmountFlags::DETACH);
        // Goes with its last user, which may be a mount of this test that is still there.
        let _ = Command::new("losetup")
            .args(["--detach", &self.device])
            .status();
    }
}

/// A disk whose every block comes from a server, a process that can be stopped: then it neither reads nor writes.
pub(crate) struct ServedDisk {
    // In this order: the file system goes before what it lies on.
    _disk: Ext4,
    server: Server,
}

/// The server, and where its files are seen.
struct Server {
    child: Child,
    at: PathBuf,
}

/// As long as the server is stopped.
pub(crate) struct Stopped(Pid);

impl ServedDisk {
    /// So many MiB, under the store.
    pub(crate) fn under_store(sandbox: &Sandbox, mib: u64) -> Self {
        let (files, at) = (sandbox.path("served"), sandbox.path("server"));
        fs::create_dir(&files).unwrap();
        fs::create_dir(&at).unwrap();
        fs::write(files.join("is-there"), "").unwrap();
        let mut command = Command::new("bindfs");
        let command = command.arg("-f").args([&files, &at]);
        let child = command.spawn().expect("bindfs is there");
        let server = Server { child, at };
        until("the server serves", || server.at.join("is-there").exists());
        Self {
            _disk: Ext4::of(sandbox, &server.at.join("disk.img"), mib),
            server,
        }
    }

    /// Stops it. What is cached of the disk is forgotten, so that reads hang, too.
    pub(crate) fn stop(&self) -> Stopped {
        let pid = Pid::from_child(&self.server.child);
        rustix::fs::sync();
        kill_process(pid, Signal::STOP).unwrap();
        let stopped = Stopped(pid);
        fs::write("/proc/sys/vm/drop_caches", "3").unwrap();
        stopped
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::CONT);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = unmount(&self.at, UnmountFlags::DETACH);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file system that takes no write and gives no answer, until this is dropped.
pub(crate) struct Frozen<'a>(&'a Ext4);

impl<'a> Frozen<'a> {
    pub(crate) fn new(disk: &'a Ext4) -> Self {
        let this = Self(disk);
        assert!(this.run("--freeze"));
        this
    }

    fn run(&self, how: &str) -> bool {
        let mut command = Command::new("fsfreeze");
        let ran = command.arg(how).arg(&self.0.at).status();
        ran.expect("fsfreeze is there").success()
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.run("--unfreeze");
    }
}

/// Fills a file system until nothing more goes in.
pub(crate) fn fill(dir: &Path) -> PathBuf {
    use std::io::Write;
    let path = dir.join("ballast");
    let mut file = fs::File::create(&path).unwrap();
    for size in [1 << 20, 4 << 10, 1] {
        let chunk = vec![0x42; size];
        while file.write_all(&chunk).is_ok() {}
    }
    path
}

fn run(command: &mut Command) -> String {
    let ran = command.output().expect("the command is there");
    assert!(
        ran.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&ran.stderr)
    );
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}

/// The one file of a bucket.
pub(crate) fn only(mut bucket: Vec<PathBuf>) -> PathBuf {
    assert_eq!(bucket.len(), 1, "{bucket:?}");
    bucket.remove(0)
}
