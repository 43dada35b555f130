//! What stands at a target, and what is shown there.
//!
//! Owns every mount that this driver makes: binds and overlays at targets, and the one pre-made read-only
//! mount of the store (the *view*) that read-only binds are taken from. [`Linux`] does it; `Memory` is a model
//! of it for the tests of other layers, and passes the same contract suite.
//!
//! Invariants: no path to a target is ever followed through a symlink; what is shown appears complete and
//! with its final flags, because each is one mount(2); publish, republish and unpublish never read the table
//! of mounts (1–2 ms with 1,000 mounts, where a look at one target takes microseconds).
//!
//! All calls block, for microseconds as a rule, and [`Mounter::unmount`] for a tenth of a second at most while
//! a target is busy: call them where blocking is allowed.
//!
//! Left out on purpose: what should be shown (the volume layer decides), and any memory of what was mounted.

#[cfg(test)]
mod contract;
mod error;
mod linux;
#[cfg(any(test, feature = "model"))]
mod memory;
mod options;
mod table;
mod target;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub use self::error::{Error, ShownPath};
pub use self::linux::Linux;
#[cfg(any(test, feature = "model"))]
pub use self::memory::{Act, Flags, Memory};
pub use self::options::Features;
pub use self::target::Target;

/// What stands in front of the volume in the source of our overlays.
const SOURCE: &str = "war-vol:";

/// A directory on a disk, whatever path leads to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Inode {
    /// The device that it lies on (`st_dev`).
    pub device: u64,
    /// Its number there (`st_ino`).
    pub number: u64,
}

impl Inode {
    /// The directory at a path, whose last name is not followed if it is a symlink.
    pub fn of(path: &Path) -> io::Result<Self> {
        let seen = fs::symlink_metadata(path)?;
        Ok(Self {
            device: seen.dev(),
            number: seen.ino(),
        })
    }
}

/// One mount, for as long as it lives.
///
/// Since Linux 6.8 an id is never used again before a reboot. Older kernels use the id of a mount again when it is
/// gone: there a foreign mount that took the place of ours between two looks may look the same if it shows the same
/// directory, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MountId {
    /// The kernel's name of the mount (statx `stx_mnt_id`).
    pub id: u64,
    /// The directory that it shows. That of a bind is the directory that was bound; that of an overlay is its own, on a
    /// device of its own.
    pub root: Inode,
}

/// What stands at a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Nothing, or not even its parent directory.
    Missing,
    /// A directory on which nothing is mounted.
    Directory {
        /// Whether it is known to hold nothing.
        empty: bool,
    },
    /// A file, a symlink or any other thing that is not ours and cannot be mounted on.
    NotADirectory,
    /// The root of a mount, whoever made it; the topmost one where several are stacked.
    Mount(MountId),
    /// A mount that refuses even to be looked at: one of FUSE or of the network whose server is gone.
    Stale,
}

/// Layers that are shown as one directory.
#[derive(Clone, Copy, Debug)]
pub struct Overlay<'a> {
    /// Whose it is: becomes the mount's source, `war-vol:<volume>`.
    pub volume: &'a str,
    /// The directories that are only read, topmost first; at least two where there is no `upper`.
    pub lower: &'a [PathBuf],
    /// Where writes go; without it the mount is read-only, and so is its superblock.
    pub upper: Option<Upper<'a>>,
}

/// The writable layer of an overlay. It serves one mount: a second one needs new, empty directories.
#[derive(Clone, Copy, Debug)]
pub struct Upper<'a> {
    /// The directory that takes what is written.
    pub upper: &'a Path,
    /// An empty directory on the same file system, for the kernel's own use.
    pub work: &'a Path,
}

/// One mount in the table that bears the name of a volume.
///
/// An overlay has the name that we gave it, so it is ours. The name of a bind is a piece of a path, and proves nothing
/// beside a volume's directories that are there: what it shows is told by [`MountId::root`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// What [`Mounter::probe`] says of it; `None` where another mount stands on top of it.
    pub id: Option<MountId>,
    /// Where it is: a published target, as a rule.
    pub target: PathBuf,
    /// The volume: of an overlay the source is `war-vol:<volume>`, of a bind the root `…/<volume>/c` or `…/<volume>/u`,
    /// also where that was removed.
    pub volume: OsString,
    /// Whether it is an overlay.
    pub is_overlay: bool,
}

impl Mounted {
    fn of(entry: table::Entry) -> Option<Self> {
        let source = entry.source.as_bytes().strip_prefix(SOURCE.as_bytes());
        let overlay = source.filter(|_| entry.fs_type == "overlay");
        Some(Self {
            id: None,
            volume: overlay
                .map(OsStr::from_bytes)
                .or_else(|| bound(&entry.root))?
                .to_owned(),
            is_overlay: overlay.is_some(),
            target: entry.target,
        })
    }
}

/// The volume whose content or layer a root seems to be.
fn bound(root: &Path) -> Option<&OsStr> {
    let bytes = root.as_os_str().as_bytes();
    // What the kernel appends for a directory that was removed.
    let bytes = bytes.strip_suffix(b"//deleted").unwrap_or(bytes);
    let mut names = Path::new(OsStr::from_bytes(bytes)).iter().rev();
    names.next().filter(|last| *last == "c" || *last == "u")?;
    names.next()
}

/// The directory that holds a target, held open from the look at the target to the mount: it is looked up once, and
/// nobody can put another one in its place meanwhile. The model has nothing to hold.
#[derive(Debug)]
pub struct Parent(Option<OwnedFd>);

/// What the volume layer does with mounts.
///
/// All but [`view`](Self::view), [`unview`](Self::unview) and [`table`](Self::table) may be called from many
/// threads at once; calls for one target are the caller's to put in order.
pub trait Mounter: Send + Sync + 'static {
    /// Opens the directory that holds a target. Errors: [`Error::NoParent`], [`Error::Symlink`].
    fn parent(&self, target: &Target) -> Result<Parent, Error>;

    /// The same where a missing one is no error.
    fn parent_if_any(&self, target: &Target) -> Result<Option<Parent>, Error> {
        match self.parent(target) {
            Err(Error::NoParent(_)) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Makes the directory of a target (mode 0750); says whether it is new.
    ///
    /// A directory or a mount that is there already is fine. Errors: [`Error::NotADirectory`].
    fn create(&self, parent: &Parent, target: &Target) -> Result<bool, Error>;

    /// Removes the empty directory of a target; one that is not there is fine.
    ///
    /// Errors: [`Error::NotRemovable`] for a directory that holds something or is still mounted on,
    /// [`Error::NotADirectory`], [`Error::Symlink`].
    fn remove(&self, target: &Target) -> Result<(), Error>;

    /// Looks at what stands at a target, without reading the table of mounts and without asking any server.
    fn probe(&self, parent: &Parent, target: &Target) -> Result<Probe, Error>;

    /// The same where the parent is not needed afterwards, and may be missing.
    fn probe_at(&self, target: &Target) -> Result<Probe, Error> {
        let parent = self.parent_if_any(target)?;
        parent.map_or(Ok(Probe::Missing), |parent| self.probe(&parent, target))
    }

    /// Opens the root of a mount, so that something can be written into it.
    ///
    /// Errors: [`Error::Gone`] where that mount is not what stands at the target.
    fn open(&self, target: &Target, mount: MountId) -> Result<OwnedFd, Error>;

    /// Shows a directory at a target that exists, on top of what is shown there.
    ///
    /// One mount(2): the new mount has the flags of the mount that `source` lies on, from its first moment.
    fn bind(&self, source: &Path, parent: &Parent, target: &Target) -> Result<MountId, Error>;

    /// Shows layers at a target that exists, `nosuid` and `nodev`, on top of what is shown there; one mount(2).
    fn overlay(
        &self,
        overlay: &Overlay<'_>,
        parent: &Parent,
        target: &Target,
    ) -> Result<MountId, Error>;

    /// Takes away the topmost mount at a target, whoever made it; `false` if there is none.
    ///
    /// One that stays busy is detached: gone from the target now, and from the kernel with its last user.
    fn unmount(&self, target: &Target) -> Result<bool, Error>;

    /// Every mount that bears the name of a volume. Reads the whole table: at start only.
    fn table(&self) -> Result<Vec<Mounted>, Error>;

    /// Whether container runtimes label the files of a volume for its pod (SELinux): then shared files must be shown by
    /// overlays alone, which are not labelled.
    fn relabels(&self) -> bool;

    /// Shows `source` at `view`, private, read-only, `nosuid` and `nodev`, and says whether it had to be made.
    ///
    /// What is bound from `view` inherits these flags. A view that shows anything else, or with other flags
    /// (left by a kill, or by a namespace that got it without them), is taken away and made anew. Call it
    /// under the store's lock: it is the only user of `view` and of the directory `<view>.making` beside it.
    fn view(&self, source: &Path, view: &Path) -> Result<bool, Error>;

    /// Takes the view away, whole or half made; what was bound from it stays. A missing one is fine.
    fn unview(&self, view: &Path) -> Result<(), Error>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_is_named_by_the_directory_of_its_volume() {
        for root in ["/v1/volumes/ab/c", "/x/ab/u", "/volumes/ab/c//deleted"] {
            assert_eq!(bound(Path::new(root)), Some(OsStr::new("ab")), "{root}");
        }
        for root in ["/v1/volumes/ab", "/v1/volumes/ab/w", "/ab/c/sub", "/", ""] {
            assert_eq!(bound(Path::new(root)), None, "{root}");
        }
    }
}
