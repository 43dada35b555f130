//! The way to a target, and what stands there.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, StatVfs, StatVfsMountFlags, Statx,
    StatxAttributes, StatxFlags, fstatvfs, open, openat, openat2, statvfs, statx,
};
use rustix::io::Errno;

use crate::mount::{Error, Inode, MountId, Probe, Target};

/// A mount's id that is never used again (Linux 6.8); an older kernel takes no notice of it. rustix 1.1 has no
/// name for it.
const MNT_ID_UNIQUE: StatxFlags = StatxFlags::from_bits_retain(0x4000);

/// What makes a [`MountId`].
const IDENTITY: StatxFlags = StatxFlags::MNT_ID
    .union(MNT_ID_UNIQUE)
    .union(StatxFlags::INO);

/// Neither a symlink's end, nor an automount, nor a server is asked: a look must not hang.
const QUIETLY: AtFlags = AtFlags::SYMLINK_NOFOLLOW
    .union(AtFlags::NO_AUTOMOUNT)
    .union(AtFlags::STATX_DONT_SYNC);

/// A directory as a place, not as something to read.
const PLACE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Downwards only, and through no link.
const INSIDE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS);

/// The directory that holds a target, reached without any symlink below the target's base.
///
/// The base itself is the operator's word, and may be a symlink: /var/lib/kubelet often is.
pub(super) fn parent(target: &Target) -> Result<OwnedFd, Error> {
    open(target.base(), PLACE, Mode::empty())
        .and_then(|base| openat2(base, target.parent(), PLACE, Mode::empty(), INSIDE))
        .map_err(|errno| {
            let path = target.path();
            let shown = path.as_path().into();
            if matches!(errno, Errno::NOENT | Errno::NOTDIR) {
                Error::NoParent(shown)
            } else if errno == Errno::LOOP {
                Error::Symlink(shown)
            } else {
                Error::system("reach target", &path, errno)
            }
        })
}

/// The directory of a target itself (what is mounted there, if anything is), to mount on.
pub(super) fn directory(parent: BorrowedFd<'_>, target: &Target) -> Result<OwnedFd, Error> {
    openat2(parent, target.name(), PLACE, Mode::empty(), INSIDE).map_err(|errno| {
        let path = target.path();
        let shown = path.as_path().into();
        if errno == Errno::NOENT {
            Error::Gone(shown)
        } else if matches!(errno, Errno::NOTDIR | Errno::LOOP) {
            Error::NotADirectory(shown)
        } else {
            Error::system("open target", &path, errno)
        }
    })
}

/// The root of a mount at a target, to be read and written to.
pub(super) fn open_mount(
    parent: BorrowedFd<'_>,
    target: &Target,
    mount: MountId,
) -> Result<OwnedFd, Error> {
    let failed = |errno| Error::system("open target", &target.path(), errno);
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat2(parent, target.name(), flags, Mode::empty(), INSIDE).map_err(failed)?;
    let seen = statx(&root, "", AtFlags::EMPTY_PATH | QUIETLY, IDENTITY).map_err(failed)?;
    match is_mount(&seen) && id(&seen) == mount {
        true => Ok(root),
        false => Err(Error::Gone(target.path().as_path().into())),
    }
}

/// Whether what is shown at a target takes no writes. A writable overlay for whose work directory there is no room
/// comes up so, and mount(2) says that all is well.
pub(super) fn is_read_only(parent: BorrowedFd<'_>, target: &Target) -> Result<bool, Error> {
    let shown = directory(parent, target)?;
    fstatvfs(&shown)
        .map(|seen| takes_no_writes(&seen))
        .map_err(|e| Error::system("access target", &target.path(), e))
}

/// Whether a directory's file system takes no writes; false if that cannot be told.
pub(super) fn is_on_read_only(path: &Path) -> bool {
    statvfs(path).is_ok_and(|seen| takes_no_writes(&seen))
}

fn takes_no_writes(seen: &StatVfs) -> bool {
    seen.f_flag.contains(StatVfsMountFlags::RDONLY)
}

/// What stands at a target in a parent that is open.
pub(super) fn at(parent: BorrowedFd<'_>, target: &Target) -> Result<Probe, Error> {
    let mask = StatxFlags::TYPE | IDENTITY;
    let seen = match statx(parent, target.name(), QUIETLY, mask) {
        Ok(seen) => seen,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Probe::Missing),
        // A FUSE mount of an ordinary user answers EACCES even to root; the others are dead servers.
        Err(Errno::NOTCONN | Errno::STALE | Errno::ACCESS | Errno::HOSTDOWN) => {
            return Ok(Probe::Stale);
        }
        Err(e) => return Err(Error::system("access target", &target.path(), e)),
    };
    if is_mount(&seen) {
        Ok(Probe::Mount(id(&seen)))
    } else if FileType::from_raw_mode(seen.stx_mode.into()) == FileType::Directory {
        Ok(Probe::Directory {
            empty: is_empty(parent, target),
        })
    } else {
        Ok(Probe::NotADirectory)
    }
}

/// Whether a directory holds nothing; one that cannot be read is not known to be empty.
fn is_empty(parent: BorrowedFd<'_>, target: &Target) -> bool {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, target.name(), flags, Mode::empty())
        .and_then(Dir::new)
        .is_ok_and(|mut directory| {
            directory
                .all(|entry| entry.is_ok_and(|e| matches!(e.file_name().to_bytes(), b"." | b"..")))
        })
}

/// The id of the mount at `path` if it is the one that the table of mounts calls `listed`.
pub(super) fn topmost(path: &Path, listed: u64) -> Option<MountId> {
    let now = mount_at(path)?;
    // The table has the short-lived ids only, so it takes a second look for the lasting one.
    let lasting = statx(CWD, path, QUIETLY, IDENTITY).ok()?;
    (now.stx_mnt_id == listed).then(|| id(&lasting))
}

/// The root of the mount at `path`, with the id that the table of mounts uses; `None` if there is none.
pub(super) fn mount_at(path: &Path) -> Option<Statx> {
    statx(CWD, path, QUIETLY, StatxFlags::MNT_ID | StatxFlags::INO)
        .ok()
        .filter(is_mount)
}

/// Whether the kernel tells what every look at a target needs (Linux 5.8).
pub(super) fn tells_mounts(directory: &OwnedFd) -> bool {
    let flags = AtFlags::EMPTY_PATH | QUIETLY;
    statx(directory.as_fd(), "", flags, StatxFlags::MNT_ID).is_ok_and(|seen| {
        seen.stx_attributes_mask
            .contains(StatxAttributes::MOUNT_ROOT)
            && StatxFlags::from_bits_retain(seen.stx_mask).contains(StatxFlags::MNT_ID)
    })
}

fn is_mount(seen: &Statx) -> bool {
    seen.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
}

fn id(seen: &Statx) -> MountId {
    MountId {
        id: seen.stx_mnt_id,
        root: inode(seen),
    }
}

/// Which directory was looked at.
pub(super) fn inode(seen: &Statx) -> Inode {
    Inode {
        device: rustix::fs::makedev(seen.stx_dev_major, seen.stx_dev_minor),
        number: seen.stx_ino,
    }
}
