//! Whether what one process mounts is seen by another.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

/// A mount namespace, by its device and inode (namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl Space {
    /// That of this process.
    pub(super) fn own() -> io::Result<Self> {
        let meta = fs::metadata("/proc/self/ns/mnt")?;
        Ok(Self {
            device: meta.dev(),
            inode: meta.ino(),
        })
    }
}
