//! What an artifact looks like in a volume, and how it gets there.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::artifact::leases;
use super::blobs::hash_file;
use super::error::{Error, IoContext};
use super::{Artifact, Entry, Layers, Placement, Staged, Store, VolumeDir};
use crate::artifact::{Digest, VolumePath};

impl Store {
    /// Whether there is anything of what an entry names.
    pub(super) fn has(&self, entry: &Entry) -> bool {
        self.blob_path(&entry.sha256).exists()
    }

    /// Puts an artifact into a new volume's directory, and takes the lease by that.
    pub(super) fn stage(&self, staged: &Staged<'_>, dir: &VolumeDir) -> Result<(), Error> {
        match (staged.artifact, staged.placement) {
            (Artifact::File(blob), Placement::File(place)) => {
                let layers = staged.layers;
                let parent = layers.make_directories(&dir.content(), place)?;
                self.link(&blob.sha256, &parent.join(place.name().as_str()))
            }
        }
    }

    fn link(&self, blob: &Digest, to: &Path) -> Result<(), Error> {
        let from = self.blob_path(blob);
        match fs::hard_link(&from, to) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(Error::Gone(blob.clone())),
            // Beyond what the file system counts (65,000 on ext4): a copy then, with the same owner and mode.
            Err(e) if e.raw_os_error() == Some(Errno::MLINK.raw_os_error()) => {
                fs::copy(&from, to).at("copy", &from)?;
                chown(to, Some(self.owner), Some(self.owner)).at("set the owner of", to)
            }
            Err(e) => Err(e).at("link", &from),
        }
    }
}

impl VolumeDir {
    /// Makes a private copy of the content in the upper layer, shared extents where the file system can.
    pub fn copy_content(&self, content: &Placement, layers: Layers) -> Result<(), Error> {
        let Placement::File(place) = content;
        let dir = layers.make_directories(&self.upper(), place)?;
        let (from, to) = (self.file(place), dir.join(place.name().as_str()));
        fs::copy(&from, &to).at("copy", &from)?;
        layers
            .own(&File::open(&to).at("open", &to)?)
            .at("set the owner of", &to)
    }

    /// Whether the content is leased from the store, and so as durable as what is there; or a copy of what had no lease
    /// to spare, or was to have a time of its own: its link among what is `kept` is no lease.
    pub fn is_leased(&self, content: &Placement, kept: Option<&Digest>) -> Result<bool, Error> {
        let Placement::File(place) = content;
        let file = self.metadata(place)?;
        let own = kept.is_some_and(|sha256| self.is_kept(sha256, &file));
        Ok(leases(&file) > u64::from(own))
    }

    /// Reads the content: its digest, and how many bytes it has.
    pub fn measure_content(&self, content: &Placement) -> Result<(Digest, u64), Error> {
        let Placement::File(place) = content;
        let path = self.file(place);
        let digest = hash_file(&path).at("read", &path)?;
        Ok((digest, self.metadata(place)?.len()))
    }

    pub(super) fn file(&self, place: &VolumePath) -> PathBuf {
        self.content().join(place.to_path())
    }

    fn metadata(&self, place: &VolumePath) -> Result<Metadata, Error> {
        let path = self.file(place);
        fs::symlink_metadata(&path).at("access", &path)
    }
}
