//! Where it is measured: a directory and a mount namespace of its own.

use std::cell::Cell;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};

use crate::outcome::Outcome;

/// How long the disk is left alone after much was deleted: it discards freed blocks, and the next writer would pay.
const REST: Duration = Duration::from_secs(2);

/// The directory of a run; all that is in it or mounted there goes with it.
pub(crate) struct Place {
    dir: PathBuf,
    given: Cell<usize>,
    signals: SignalFd,
    _lock: File,
}

/// Where one round is measured.
pub(crate) struct Round {
    pub(crate) dir: PathBuf,
    /// What is to be removed after it.
    pub(crate) top: PathBuf,
}

impl Place {
    /// One run at a time; what a killed one left is removed.
    pub(crate) fn new() -> Outcome<Self> {
        if !rustix::process::geteuid().is_root() {
            return Err("the figures mount: run `make bench` as root".into());
        }
        if std::thread::available_parallelism()?.get() < 2 {
            return Err(
                "the figures need two cores: one for the origin, one for the client".into(),
            );
        }
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let lock = File::create(parent.join("figures.lock"))?;
        lock.try_lock()
            .map_err(|e| format!("another run is under way: {e}"))?;
        unshare(CloneFlags::CLONE_NEWNS)?;
        let all = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
        mount_change("/", all)?;
        // Not the end of this process, which would leave gigabytes: it looks for them between two programs.
        let ending = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
        ending.thread_block()?;
        let signals =
            SignalFd::with_flags(&ending, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        let place = Self {
            dir: parent.join("figures"),
            given: Cell::new(0),
            signals,
            _lock: lock,
        };
        place.remove("")?;
        fs::create_dir(&place.dir)?;
        // ext4 passes over inodes that were freed within the last minutes one by one, and so makes directories ten
        // times slower where thousands were just removed. With this each directory in here begins somewhere else;
        // other file systems have no such flag, and no such need.
        let _ = command("chattr").arg("+T").arg(&place.dir).output();
        Ok(place)
    }

    /// A new directory of a name that was not used before.
    pub(crate) fn fresh(&self) -> Outcome<Round> {
        self.given.set(self.given.get() + 1);
        let dir = self.path(&format!("round-{}", self.given.get()));
        fs::create_dir(&dir)?;
        Ok(Round {
            top: dir.clone(),
            dir,
        })
    }

    /// A new directory on a blank file system of its own: nobody else's journal is waited for, and nothing was ever
    /// deleted in it.
    pub(crate) fn blank(&self) -> Outcome<Round> {
        let Round { top, .. } = self.fresh()?;
        let image = top.join("image");
        File::create(&image)?.set_len(2 << 30)?;
        let options = "lazy_itable_init=0,lazy_journal_init=0,nodiscard";
        let mut mkfs = command("mkfs.ext4");
        succeed(mkfs.args(["-q", "-N", "40000", "-E", options]).arg(&image))?;
        let dir = top.join("disk");
        fs::create_dir(&dir)?;
        succeed(command("mount").args(["-o", "loop"]).arg(&image).arg(&dir))?;
        Ok(Round { dir, top })
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() {
            self.dir.clone()
        } else {
            self.dir.join(name)
        }
    }

    /// Removes something in it, and what is mounted there.
    pub(crate) fn remove(&self, name: impl AsRef<Path>) -> Outcome {
        let path = self.dir.join(name);
        for target in mounts_below(&path)?.into_iter().rev() {
            unmount(&target, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)?;
        }
        let removed = match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(e) => Err(e),
        };
        match removed {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Lets the disk come to rest; an error if somebody wants an end.
    pub(crate) fn rest(&self) -> Outcome {
        sleep(REST);
        self.go_on()
    }

    /// An error if somebody wants an end.
    pub(crate) fn go_on(&self) -> Outcome {
        match self.signals.read_signal() {
            Ok(Some(_)) => Err("interrupted; what was measured is thrown away".into()),
            Ok(None) | Err(Errno::EAGAIN) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = self.remove("") {
            eprintln!("figures: {} is left: {error}", self.dir.display());
        }
    }
}

/// A command without settings from outside: no proxy, no configuration.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(OsString::from(":/usr/local/sbin:/usr/sbin:/sbin"));
    let mut command = Command::new(program);
    command.env_clear().env("PATH", path);
    command
}

/// Runs a command that must not fail.
fn succeed(command: &mut Command) -> Outcome {
    let output = command
        .output()
        .map_err(|e| format!("{:?}: {e}; `make tools` installs it", command.get_program()))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{:?} failed: {words}", command.get_program()).into());
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a harness without a runtime, whose one thread waits for nothing else"
)]
pub(crate) fn sleep(time: Duration) {
    std::thread::sleep(time);
}

fn mounts_below(dir: &Path) -> Outcome<Vec<PathBuf>> {
    let table = fs::read_to_string("/proc/thread-self/mountinfo")?;
    let targets = table
        .lines()
        .filter_map(|line| line.split(' ').nth(4).map(PathBuf::from));
    Ok(targets.filter(|t| t.starts_with(dir)).collect())
}
