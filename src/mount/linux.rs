//! The mounts of a Linux machine.
//!
//! Needs Linux 5.8 or later (openat2, statx with mount ids), /proc, and CAP_SYS_ADMIN.

mod look;
mod selftest;
mod selinux;
#[cfg(test)]
mod tests;
mod view;

use std::ffi::CString;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{AtFlags, Mode, mkdirat, unlinkat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount};

use super::options::{Features, options};
use super::{
    Error, MountId, Mounted, Mounter, Overlay, Parent, Probe, SOURCE, Target, Upper, table,
};
use crate::lock::may_wait;

/// How long a busy target is waited for, between one try and the next; then it is detached. Long enough for a
/// process that is just ending, short against every deadline.
const BUSY_PAUSES: [Duration; 4] = [
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(40),
];

/// Mounts for real, in the mount namespace of the calling thread.
#[derive(Clone, Debug)]
pub struct Linux {
    features: Features,
}

impl Linux {
    /// Finds out by trying what overlays can do below `scratch`, which must lie on the file system that the
    /// layers will lie on. Some milliseconds; leaves nothing behind, and removes what a killed one left.
    ///
    /// Call it under the store's lock. Errors: [`Error::Privilege`] without the right to mount,
    /// [`Error::OnOverlay`] and [`Error::Unsupported`] where no volume could ever be shown.
    pub fn new(scratch: &Path) -> Result<Self, Error> {
        let features = selftest::run(scratch)?;
        Ok(Self { features })
    }

    /// With what every kernel can, untried: where the disk is too full even for a self-test, what is mounted must
    /// still be seen and taken away.
    pub fn untested() -> Self {
        Self {
            features: Features::default(),
        }
    }

    /// What the self-test found.
    pub fn features(&self) -> Features {
        self.features
    }

    /// Finds out whether what is mounted below a directory is seen outside of this mount namespace too. Reads the whole
    /// table: at start only.
    ///
    /// Errors: [`Error::NotShared`].
    pub fn propagates(dir: &Path) -> Result<(), Error> {
        let real = dir
            .canonicalize()
            .map_err(|e| Error::io("access kubelet's directory", dir, &e))?;
        let table = read_table()?;
        // Of several at one place the last one is on top.
        let on = table
            .iter()
            .filter(|entry| real.starts_with(&entry.target))
            .max_by_key(|entry| entry.target.components().count());
        if on.is_some_and(|entry| entry.shared) {
            return Ok(());
        }
        Err(Error::NotShared(dir.into()))
    }

    /// Mounts by `call` onto the directory of a target, and sees that it is there afterwards.
    fn show(
        (parent, target): (BorrowedFd<'_>, &Target),
        act: &'static str,
        call: impl FnOnce(&Path) -> rustix::io::Result<()>,
    ) -> Result<MountId, Error> {
        may_wait();
        let path = target.path();
        let directory = look::directory(parent, target)?;
        call(&by_descriptor(directory.as_fd())).map_err(|e| Error::mount(act, &path, e))?;
        match look::at(parent, target)? {
            Probe::Mount(id) => Ok(id),
            Probe::Missing | Probe::Directory { .. } | Probe::NotADirectory | Probe::Stale => {
                Err(Error::Gone(path.as_path().into()))
            }
        }
    }
}

impl Mounter for Linux {
    fn parent(&self, target: &Target) -> Result<Parent, Error> {
        may_wait();
        Ok(Parent(Some(look::parent(target)?)))
    }

    fn create(&self, parent: &Parent, target: &Target) -> Result<bool, Error> {
        may_wait();
        let parent = held(parent, target)?;
        match mkdirat(parent, target.name(), Mode::from_raw_mode(0o750)) {
            Ok(()) => return Ok(true),
            Err(Errno::EXIST) => {}
            Err(e) => return Err(Error::system("create target", &target.path(), e)),
        }
        let path = || target.path().as_path().into();
        match look::at(parent, target)? {
            Probe::Directory { .. } | Probe::Mount(_) | Probe::Stale => Ok(false),
            Probe::NotADirectory => Err(Error::NotADirectory(path())),
            Probe::Missing => Err(Error::Gone(path())),
        }
    }

    fn remove(&self, target: &Target) -> Result<(), Error> {
        may_wait();
        let Some(parent) = self.parent_if_any(target)? else {
            return Ok(());
        };
        let path = target.path();
        let not_removable = |why| Error::NotRemovable {
            path: path.as_path().into(),
            why,
        };
        match unlinkat(held(&parent, target)?, target.name(), AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(Errno::NOTEMPTY | Errno::EXIST) => Err(not_removable("it contains files")),
            Err(Errno::BUSY) => Err(not_removable("something is mounted there")),
            Err(Errno::NOTDIR) => Err(Error::NotADirectory(path.as_path().into())),
            Err(e) => Err(Error::system("remove target", &path, e)),
        }
    }

    fn probe(&self, parent: &Parent, target: &Target) -> Result<Probe, Error> {
        may_wait();
        look::at(held(parent, target)?, target)
    }

    fn open(&self, target: &Target, mount: MountId) -> Result<OwnedFd, Error> {
        may_wait();
        let parent = look::parent(target)?;
        look::open_mount(parent.as_fd(), target, mount)
    }

    fn bind(&self, source: &Path, parent: &Parent, target: &Target) -> Result<MountId, Error> {
        let at = (held(parent, target)?, target);
        Self::show(at, "bind-mount at target", |to| mount_bind(source, to))
    }

    fn overlay(
        &self,
        overlay: &Overlay<'_>,
        parent: &Parent,
        target: &Target,
    ) -> Result<MountId, Error> {
        let at = (held(parent, target)?, target);
        let options = options(overlay, self.features, &target.path())?;
        let source = format!("{SOURCE}{}", overlay.volume);
        let options = CString::new(options.into_vec());
        let mut flags = MountFlags::NOSUID | MountFlags::NODEV;
        flags.set(MountFlags::RDONLY, overlay.upper.is_none());
        let act = "mount overlay at target";
        let shown = Self::show(at, act, |to| {
            let options = options.as_deref().map_err(|_| Errno::INVAL)?;
            mount(source, to, "overlay", flags, options)
        })?;
        match overlay.upper {
            Some(Upper { upper, .. }) if look::is_read_only(at.0, target)? => {
                self.unmount(target)?;
                let errno = if look::is_on_read_only(upper) {
                    Errno::ROFS
                } else {
                    Errno::NOSPC
                };
                Err(Error::mount(act, &target.path(), errno))
            }
            Some(_) | None => Ok(shown),
        }
    }

    fn unmount(&self, target: &Target) -> Result<bool, Error> {
        may_wait();
        let Some(parent) = self.parent_if_any(target)? else {
            return Ok(false);
        };
        let parent = held(&parent, target)?;
        let path = by_descriptor(parent).join(target.name());
        let Err(errno) = let_go(&path) else {
            return Ok(true);
        };
        // EINVAL is how the kernel says that nothing is mounted, and also that it does not let go.
        if matches!(errno, Errno::INVAL | Errno::NOENT | Errno::NOTDIR)
            && !matches!(look::at(parent, target)?, Probe::Mount(_) | Probe::Stale)
        {
            return Ok(false);
        }
        Err(Error::mount("unmount target", &target.path(), errno))
    }

    fn table(&self) -> Result<Vec<Mounted>, Error> {
        may_wait();
        let with_id = |entry: table::Entry| {
            let id = entry.id;
            Mounted::of(entry).map(|mounted| Mounted {
                id: look::topmost(&mounted.target, id),
                ..mounted
            })
        };
        Ok(read_table()?.into_iter().filter_map(with_id).collect())
    }

    fn relabels(&self) -> bool {
        self.features.selinux
    }

    fn view(&self, source: &Path, view: &Path) -> Result<bool, Error> {
        may_wait();
        view::make(source, view)
    }

    fn unview(&self, view: &Path) -> Result<(), Error> {
        may_wait();
        view::remove(view)
    }
}

/// What a parent holds open; one of the model's holds nothing.
fn held<'a>(parent: &'a Parent, target: &Target) -> Result<BorrowedFd<'a>, Error> {
    let path = || target.path().as_path().into();
    let open = parent.0.as_ref().map(AsFd::as_fd);
    open.ok_or_else(|| Error::NoParent(path()))
}

/// Unmounts what is topmost at a path; what stays busy is detached.
#[expect(
    clippy::disallowed_methods,
    reason = "mount calls block by nature: they run on threads that may"
)]
fn let_go(path: &Path) -> rustix::io::Result<()> {
    for pause in BUSY_PAUSES {
        match unmount(path, UnmountFlags::NOFOLLOW) {
            Err(Errno::BUSY) => thread::sleep(pause),
            Ok(()) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
    unmount(path, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH)
}

/// The table of the calling thread's mount namespace.
fn read_table() -> Result<Vec<table::Entry>, Error> {
    let path = Path::new("/proc/thread-self/mountinfo");
    let bytes = fs::read(path).map_err(|e| Error::io("read", path, &e))?;
    Ok(table::parse(&bytes))
}

/// A path to what is open, that nobody can make lead elsewhere meanwhile.
fn by_descriptor(open: BorrowedFd<'_>) -> PathBuf {
    PathBuf::from(format!("/proc/thread-self/fd/{}", open.as_raw_fd()))
}
