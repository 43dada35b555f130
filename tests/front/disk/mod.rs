//! What a disk does to a store: it is full, it turns read-only, it forgets, it is locked by others.

mod claims;
mod clock;
mod damage;
mod full;
mod kept;
mod locked;
mod read_only;
pub(crate) mod reboot;
mod records;
mod sweep;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::sandbox::Sandbox;

/// Puts the store on a memory file system of its own, with these options.
pub(crate) fn on_tmpfs(sandbox: &Sandbox, options: &str) {
    fs::create_dir(sandbox.root()).unwrap();
    mount(
        Some("test"),
        &sandbox.root(),
        Some("tmpfs"),
        MsFlags::empty(),
        Some(options),
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
        let image = sandbox.path("disk.img");
        let file = fs::File::create(&image).unwrap();
        file.set_len(mib << 20).unwrap();
        run(Command::new("mkfs.ext4")
            .args(["-q", "-m", "0", "-E", "nodiscard"])
            .arg(&image));
        let device = run(Command::new("losetup")
            .args(["--find", "--show"])
            .arg(&image));
        let at = sandbox.root();
        fs::create_dir(&at).unwrap();
        let options = Some("errors=remount-ro");
        mount(
            Some(device.as_str()),
            &at,
            Some("ext4"),
            MsFlags::empty(),
            options,
        )
        .unwrap();
        Self { device, at }
    }

    /// Lets the kernel find an error in it, after which nothing is written any more, whoever has it open.
    pub(crate) fn turn_read_only(&self) {
        let name = self.device.trim_start_matches("/dev/");
        fs::write(format!("/sys/fs/ext4/{name}/trigger_fs_error"), "test").unwrap();
        let refused = fs::write(self.at.join("probe"), "").unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(nix::libc::EROFS));
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        let _ = umount2(&self.at, MntFlags::MNT_DETACH);
        // Goes with its last user, which may be a mount of this test that is still there.
        let _ = Command::new("losetup")
            .args(["--detach", &self.device])
            .status();
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
