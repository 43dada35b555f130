//! What can go wrong with the disk.

use std::io;
use std::path::{Path, PathBuf};

use crate::artifact::{Bytes, Digest};
use crate::fault::Fault;
use crate::lock::may_wait;

/// An operation of the store that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {act} {}: {source}{}", path.display(), hint(source))]
    Io {
        /// What was attempted.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process uses the store.
    #[error("the store {} is in use by {holder}", root.display())]
    Locked {
        /// The store's root.
        root: PathBuf,
        /// Who holds the lock, as it wrote down itself.
        holder: String,
    },
    /// A newer version has been here, and has made this.
    #[error(
        "the store contains {}, which a newer war-vol has created; run that version, or delete the pods and remove \
         what it created",
        .0.display()
    )]
    Newer(PathBuf),
    /// Not enough room, by the file system's count or by our limits.
    #[error("no space for {what} in {}: {}; free some space, or change the cache's limits", root.display(), shortage)]
    Full {
        /// What needs the room.
        what: String,
        /// The store's root.
        root: PathBuf,
        /// By what measure, and how much is missing.
        shortage: Shortage,
    },
    /// The store's key is not one.
    #[error("the key {} is damaged: {found} bytes instead of 32; remove it to start with an empty index", path.display())]
    Key {
        /// The key's file.
        path: PathBuf,
        /// Its length.
        found: usize,
    },
    /// A blob that was there a moment ago is gone; whoever wanted it fetches it again.
    #[error("the cached artifact {0} was removed in the meantime")]
    Gone(Digest),
    /// A record cannot be written.
    #[error("cannot write the record {}: {why}", path.display())]
    Record {
        /// The record's file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// What there is too little of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Shortage {
    /// Bytes on the file system, above what is to stay free.
    #[error("{} more needed ({} free, of which {} must stay free)", Bytes(*.missing), Bytes(*.free), Bytes(*.reserve))]
    Bytes {
        /// How much more would have to be free.
        missing: u64,
        /// How much is.
        free: u64,
        /// How much has to stay free.
        reserve: u64,
    },
    /// Bytes of the cache's own limit.
    #[error(
        "{} more needed (the cache is limited to {}; volumes use {}, and partial downloads {})",
        Bytes(*.missing), Bytes(*.limit), Bytes(*.used), Bytes(*.downloading)
    )]
    Limit {
        /// How much the limit is too small.
        missing: u64,
        /// The limit.
        limit: u64,
        /// What volumes use of it.
        used: u64,
        /// What unfinished downloads take of it, or will take.
        downloading: u64,
    },
    /// Inodes.
    #[error("no inodes left (0 of {total})")]
    Inodes {
        /// How many the file system has.
        total: u64,
    },
}

impl Error {
    /// Whether the file system takes no writes.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::ReadOnlyFilesystem)
    }

    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Io { source, .. } => Fault::of_io(source),
            Self::Full { .. } => Fault::NoSpace,
            Self::Locked { .. } | Self::Newer(_) | Self::Key { .. } | Self::Gone(_) => {
                Fault::Unavailable
            }
            Self::Record { .. } => Fault::Bug,
        }
    }
}

fn hint(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::PermissionDenied {
        "; the store belongs to root: run this as root, or choose another --root"
    } else if error.kind() == io::ErrorKind::ReadOnlyFilesystem {
        "; the store's file system has become read-only"
    } else {
        ""
    }
}

/// Adds what was attempted to an error of the operating system.
pub(super) trait IoContext<T>: Sized {
    fn at(self, act: &'static str, path: &Path) -> Result<T, Error>;

    /// The same where it is no error that there is nothing at the path.
    fn if_there(self, act: &'static str, path: &Path) -> Result<Option<T>, Error> {
        match self.at(act, path) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }
}

impl<T, E: Into<io::Error>> IoContext<T> for Result<T, E> {
    fn at(self, act: &'static str, path: &Path) -> Result<T, Error> {
        may_wait();
        self.map_err(|e| Error::Io {
            act,
            path: path.to_owned(),
            source: e.into(),
        })
    }
}
