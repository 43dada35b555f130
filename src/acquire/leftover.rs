//! What a `fetch --continue` leaves beside the file, and the next one goes on with.
//!
//! Invariant: only its owner can write to it. Bytes that were hashed once are believed at the end, so nobody else may
//! have changed them.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::Error;
use super::destination::FileTarget;
use super::error::io_error;
use crate::artifact::ArtifactUrl;
use crate::store::{self, Partial};

/// What the directory's name ends with.
const SUFFIX: &str = ".war-vol-part";

/// A directory beside the file, with the bytes that came and what is known of them.
pub(super) struct Leftover {
    dir: PathBuf,
    partial: Partial,
    /// The directory itself, locked as long as it is open. All in it is reached through it: whoever may write to its parent
    /// may put another directory in its place.
    lock: File,
}

impl Leftover {
    /// Opens what is there, or begins it.
    pub(super) fn open(place: &FileTarget) -> Result<Self, Error> {
        let dir = directory(place);
        loop {
            match DirBuilder::new().mode(0o700).create(&dir) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(io_error("create", &dir, e));
                }
                Ok(()) | Err(_) => {}
            }
            if let Some(lock) = locked(&dir)? {
                return Ok(Self {
                    partial: Partial::in_directory(&inside(&lock))?,
                    dir,
                    lock,
                });
            }
        }
    }

    /// Removes what an earlier one left, if it left something.
    pub(super) fn remove_of(place: &FileTarget) -> Result<(), Error> {
        match fs::symlink_metadata(directory(place)) {
            Ok(_) => Self::open(place)?.remove(),
            Err(_) => Ok(()),
        }
    }

    pub(super) fn partial(&mut self) -> &mut Partial {
        &mut self.partial
    }

    /// The file with the bytes, and where it is.
    pub(super) fn file(&self) -> (&File, &Path) {
        (self.partial.file(), self.partial.path())
    }

    /// Removes it, once it is of no more use.
    pub(super) fn remove(self) -> Result<(), Error> {
        let failed = |e| io_error("remove", &self.dir, e);
        for name in ["data", "meta"] {
            match fs::remove_file(inside(&self.lock).join(name)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
                Ok(()) | Err(_) => {}
            }
        }
        fs::remove_dir(&self.dir).map_err(failed)
    }
}

/// A path to a directory that is open, wherever its name leads by now.
fn inside(dir: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()))
}

/// Without a checksum a download is continued only in the boot of the machine that it began in, because another may
/// have lost bytes, and only under the URL that it began with. A hash, because the URL's query may be secret.
pub(super) fn origin_of(url: &ArtifactUrl) -> Result<String, Error> {
    let url = Sha256::digest(url.canonical());
    Ok(format!("{} {}", store::boot_id()?, hex::encode(url)))
}

fn directory(place: &FileTarget) -> PathBuf {
    let mut name = place.path.file_name().unwrap_or_default().to_owned();
    name.push(SUFFIX);
    place.dir.join(name)
}

/// Locks a directory that is ours alone; nothing if it went meanwhile: then another process has completed it.
fn locked(dir: &Path) -> Result<Option<File>, Error> {
    let failed = |e| io_error("open", dir, e);
    let others = || Error::target(dir, "it is not a partial download of this user");
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(dir);
    let lock = match opened {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) if matches!(Errno::from_io_error(&e), Some(Errno::NOTDIR | Errno::LOOP)) => {
            return Err(others());
        }
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return Err(others()),
        opened => opened.map_err(failed)?,
    };
    let meta = lock.metadata().map_err(failed)?;
    let own = rustix::process::geteuid().as_raw();
    if meta.uid() != own || meta.mode() & 0o077 != 0 {
        return Err(others());
    }
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => {
            return Err(Error::target(dir, "another process is downloading to it"));
        }
        Err(TryLockError::Error(e)) => return Err(failed(e)),
        Ok(()) => {}
    }
    let here = lock.metadata().map_err(failed)?;
    let there = fs::symlink_metadata(dir);
    let is_same = there.is_ok_and(|there| (there.dev(), there.ino()) == (here.dev(), here.ino()));
    Ok(is_same.then_some(lock))
}
