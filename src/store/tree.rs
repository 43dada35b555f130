//! A directory that a pod writes to, while it does.
//!
//! Whatever stands there a pod has put there, and may replace between two calls. So names are looked up one by one from
//! a directory that is held open, and no link is followed: what a pod can spoil is its own volume.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{
    AtFlags, CWD, Gid, Mode, OFlags, fchmod, fchown, mkdirat, openat, renameat, unlinkat,
};
use rustix::io::Errno;

use super::Layers;
use super::error::{Error, IoContext};
use super::key::random_name;
use super::swap::copy_bytes;
use super::trash::{DIRECTORY, each};
use crate::artifact::VolumePath;

/// What a file is called while it is copied where a pod sees it: nobody deploys a name that begins with a dot, and has
/// no extension.
const HELPER: &str = ".war-vol-";

/// The root of such a directory, with what an error calls it.
#[derive(Debug)]
pub struct PodTree {
    root: OwnedFd,
    path: PathBuf,
}

impl PodTree {
    /// A directory that is open.
    pub fn new(root: OwnedFd, path: &Path) -> Self {
        Self {
            root,
            path: path.to_owned(),
        }
    }

    /// Opens a directory of the store's own that a pod sees.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let root = openat(CWD, path, DIRECTORY, Mode::empty()).at("open", path)?;
        Ok(Self::new(root, path))
    }

    /// The file at a place; none where there is no file.
    pub fn open_shown(&self, place: &VolumePath) -> Result<Option<File>, Error> {
        // As a place first: to open a device does something, and to open a pipe waits.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let held = self
            .parent(place)
            .and_then(|parent| openat(parent, place.name().as_str(), flags, Mode::empty()));
        let path = || self.path.join(place.to_path());
        let held = match held {
            Ok(held) => File::from(held),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(e) => return Err(e).at("open", &path()),
        };
        if !held.metadata().at("access", &path())?.is_file() {
            return Ok(None);
        }
        // The very file that was looked at, whatever has its name by now.
        let same = format!("/proc/thread-self/fd/{}", held.as_raw_fd());
        File::open(same).at("open", &path()).map(Some)
    }

    /// Puts a file that lies outside of what the pod sees at a place, in one step. Returns its inode.
    pub fn put(&self, staged: &Path, place: &VolumePath, layers: Layers) -> Result<u64, Error> {
        let path = self.path.join(place.to_path());
        let inode = std::fs::symlink_metadata(staged)
            .at("access", staged)?
            .ino();
        let parent = self.make_parent(place, layers).at("create", &path)?;
        renameat(CWD, staged, parent, place.name().as_str()).at("replace", &path)?;
        Ok(inode)
    }

    /// Copies a file to a place: under a name that nobody deploys, which then becomes that of the place.
    pub fn copy_to(
        &self,
        source: &File,
        place: &VolumePath,
        layers: Layers,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Copying, Error> {
        let path = self.path.join(place.to_path());
        let parent = self.make_parent(place, layers).at("create", &path)?;
        remove_helpers(&parent);
        let helper = format!("{HELPER}{}", random_name());
        let created = create(&parent, &helper).at("create", &path)?;
        let copying = Copying {
            file: created,
            parent,
            helper,
            path,
            is_shown: false,
        };
        let copied = copy_bytes(source, &copying.file, goes_on);
        let copied = copied.and_then(|()| layers.own(&copying.file));
        copied.at("copy", &copying.path).map(|()| copying)
    }

    /// Removes the file at a place. One that is not there is fine: the pod may have removed it.
    pub fn remove(&self, place: &VolumePath) -> Result<(), Error> {
        let removed = self
            .parent(place)
            .and_then(|parent| unlinkat(parent, place.name().as_str(), AtFlags::empty()));
        match removed {
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(()),
            Err(e) => Err(e).at("remove", &self.path.join(place.to_path())),
        }
    }

    fn parent(&self, place: &VolumePath) -> rustix::io::Result<OwnedFd> {
        let mut at = self.root.try_clone().map_err(|_| Errno::MFILE)?;
        for name in place.directories() {
            at = openat(&at, name, DIRECTORY, Mode::empty())?;
        }
        Ok(at)
    }

    fn make_parent(&self, place: &VolumePath, layers: Layers) -> rustix::io::Result<OwnedFd> {
        let mut at = self.root.try_clone().map_err(|_| Errno::MFILE)?;
        for name in place.directories() {
            at = match openat(&at, name, DIRECTORY, Mode::empty()) {
                Err(Errno::NOENT) => make_directory(&at, name, layers)?,
                opened => opened?,
            };
        }
        Ok(at)
    }
}

fn make_directory(parent: &OwnedFd, name: &str, layers: Layers) -> rustix::io::Result<OwnedFd> {
    mkdirat(parent, name, Mode::RWXU)?;
    let made = openat(parent, name, DIRECTORY, Mode::empty())?;
    if let Some(group) = layers.group {
        fchown(&made, None, Some(Gid::from_raw(group)))?;
    }
    fchmod(&made, Mode::from_raw_mode(layers.mode()))?;
    Ok(made)
}

fn create(parent: &OwnedFd, helper: &str) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(openat(
        parent,
        helper,
        flags,
        Mode::RUSR | Mode::WUSR,
    )?))
}

/// What a driver that was killed left behind.
fn remove_helpers(parent: &OwnedFd) {
    let _ = each(parent, |name| {
        if name.to_bytes().starts_with(HELPER.as_bytes()) {
            let _ = unlinkat(parent, name, AtFlags::empty());
        }
    });
}

/// A copy that is complete, and not yet where it goes. Dropped before that it is removed.
#[derive(Debug)]
pub struct Copying {
    /// Held open: under its name a pod may have put something else by now.
    file: File,
    parent: OwnedFd,
    helper: String,
    path: PathBuf,
    is_shown: bool,
}

impl Copying {
    /// Gives it a time, and its name. Returns its inode.
    pub fn show(mut self, now: SystemTime) -> Result<u64, Error> {
        let shown = self.rename(now);
        self.is_shown = shown.is_ok();
        shown.at("replace", &self.path)
    }

    fn rename(&self, now: SystemTime) -> io::Result<u64> {
        self.file.set_modified(now)?;
        let inode = self.file.metadata()?.ino();
        let name = self.path.file_name().unwrap_or_default();
        renameat(&self.parent, &self.helper, &self.parent, name)?;
        Ok(inode)
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        if !self.is_shown {
            let _ = unlinkat(self.parent.as_fd(), &self.helper, AtFlags::empty());
        }
    }
}
