//! kubelet, as far as volumes know it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Owner, Target};
use crate::mount;

/// kubelet, by its directory, below which every target must lie.
#[derive(Clone, Debug)]
pub struct Kubelet {
    /// Its directory, as kubelet itself writes it.
    pub dir: PathBuf,
    inode: u64,
}

impl Kubelet {
    /// Looks at its directory, which must be there.
    pub fn at(dir: &Path) -> io::Result<Self> {
        Ok(Self {
            inode: fs::metadata(dir)?.ino(),
            dir: dir.to_owned(),
        })
    }

    /// Where it wants to see a volume.
    ///
    /// Errors: [`mount::Error::NotATarget`] for any place that is not below its directory.
    pub fn target(&self, path: &Path) -> Result<Target, mount::Error> {
        Target::within(&self.dir, path)
    }

    /// As a volume remembers it.
    pub fn owner(&self) -> Owner {
        Owner::Kubelet {
            dir: self.dir.clone(),
            inode: self.inode,
        }
    }
}
