//! The pre-made read-only mount that read-only binds are taken from.
//!
//! A bind cannot be made read-only in one call without mount_setattr(2), which rustix 1.1 does not have.
//! But a bind *of* a read-only mount is read-only from its first moment. So the two steps are done once, at a
//! place of their own, and the view itself is then one bind of that: it is never seen writable, neither after
//! a kill nor in a namespace that it propagates to.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount_bind, mount_change, mount_remount,
    unmount,
};

use super::{look, read_table};
use crate::mount::{Error, Inode};

/// Makes the view of `source` at `view`; `false` if it is there and right.
pub(super) fn make(source: &Path, view: &Path) -> Result<bool, Error> {
    let making = making(view);
    clear(&making)?;
    if is_right(source, view)? {
        return Ok(false);
    }
    clear(view)?;
    for place in [view, making.as_path()] {
        make_private(place)?;
    }
    let failed = |place| move |e| Error::mount("create the read-only mount at", place, e);
    let private =
        |place| mount_change(place, MountPropagationFlags::PRIVATE).map_err(failed(place));
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    mount_bind(source, &making).map_err(failed(&making))?;
    private(&making)?;
    mount_remount(&making, MountFlags::BIND | flags, c"").map_err(failed(&making))?;
    mount_bind(&making, view).map_err(failed(view))?;
    // Below a shared mount the kernel made it shared again.
    private(view)?;
    clear(&making)?;
    if is_right(source, view)? {
        Ok(true)
    } else {
        Err(Error::Unsupported {
            path: view.into(),
            why: "the read-only mount of the volumes is not as it was created; is another process using this store?",
        })
    }
}

/// Takes away the view, and what a killed [`make`] left.
pub(super) fn remove(view: &Path) -> Result<(), Error> {
    clear(&making(view))?;
    clear(view)
}

/// The place beside the view where it becomes read-only.
fn making(view: &Path) -> PathBuf {
    let mut name = OsString::from(view);
    name.push(".making");
    name.into()
}

/// Whether the topmost mount at `view` shows `source` itself, private, and by its own flags (not only by its
/// superblock's, which may be remounted) read-only.
fn is_right(source: &Path, view: &Path) -> Result<bool, Error> {
    let Some(seen) = look::mount_at(view) else {
        return Ok(false);
    };
    let wanted = Inode::of(source).map_err(|e| Error::io("access the volumes in", source, &e))?;
    if look::inode(&seen) != wanted {
        return Ok(false);
    }
    Ok(read_table()?.iter().any(|entry| {
        entry.id == seen.stx_mnt_id
            && !entry.shared
            && ["ro", "nosuid", "nodev"].iter().all(|flag| entry.has(flag))
    }))
}

/// Makes a directory for root alone, and those above it.
pub(super) fn make_private(path: &Path) -> Result<(), Error> {
    let mut private = DirBuilder::new();
    private.mode(0o700).recursive(true);
    let made = private.create(path);
    made.map_err(|e| Error::io("create directory", path, &e))
}

/// Takes away every mount at `place`, and the directory.
fn clear(place: &Path) -> Result<(), Error> {
    unmount_all(place)?;
    match fs::remove_dir(place) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove directory", place, &e))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Takes away every mount at a place of the store's own.
pub(super) fn unmount_all(place: &Path) -> Result<(), Error> {
    loop {
        match unmount(place, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH) {
            Ok(()) => {}
            Err(Errno::INVAL | Errno::NOENT) => return Ok(()),
            Err(e) => return Err(Error::mount("unmount", place, e)),
        }
    }
}
