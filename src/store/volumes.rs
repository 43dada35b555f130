//! The directories of volumes.
//!
//! A volume's directory appears with one rename and vanishes with one. Nothing in it is made durable: after a power
//! loss there is no mount that needs it.

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use super::error::{Error, IoContext};
use super::key::random_name;
use super::{Artifact, NEW, Placement, Store, list, name};
use crate::artifact::VolumePath;

/// What a volume's directory is made from.
#[derive(Debug)]
pub struct Staged<'a> {
    /// What it shows; the volume takes a lease on it.
    pub artifact: &'a Artifact,
    /// Where in the volume that goes.
    pub placement: &'a Placement,
    /// Who may write in it.
    pub layers: Layers,
    /// The volume's record, opaque here.
    pub record: &'a [u8],
}

/// What a volume has beside its content, whether that may be written to, and by which group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layers {
    /// Whether the volume is writable at all.
    pub writable: bool,
    /// Whether there is an upper layer: for what is written, or empty, as the second lower one of a read-only overlay.
    pub upper: bool,
    /// Whether there is a work directory beside it.
    pub work: bool,
    /// The group that files made in it belong to (a pod's `fsGroup`).
    pub group: Option<u32>,
}

impl Layers {
    /// As `emptyDir` has it: everybody may write, and with a group what is made in it belongs to that group.
    pub(super) fn mode(self) -> u32 {
        match (self.writable, self.group) {
            (false, _) => 0o755,
            (true, None) => 0o777,
            (true, Some(_)) => 0o2777,
        }
    }

    fn mkdir(self, dir: &Path) -> Result<(), Error> {
        create(dir, self.mode())?;
        if let (true, Some(group)) = (self.writable, self.group) {
            chown(dir, None, Some(group)).at("set the group of", dir)?;
        }
        // After chown, which clears the set-group-ID bit.
        set_mode(dir, self.mode()).map(drop)
    }

    /// The directories of a place below `root`; returns the innermost. `root` itself is the caller's.
    pub(super) fn make_directories(
        self,
        root: &Path,
        place: &VolumePath,
    ) -> Result<PathBuf, Error> {
        let mut at = root.to_owned();
        for name in place.directories() {
            at.push(name);
            self.mkdir(&at)?;
        }
        Ok(at)
    }
}

/// A volume's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeDir {
    pub(super) path: PathBuf,
}

/// The bytes of a volume's record, and where they were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// The volume's directory.
    pub dir: VolumeDir,
    /// The directory's name.
    pub id: String,
    /// The record; empty if it is gone.
    pub bytes: Vec<u8>,
}

impl VolumeDir {
    /// What the volume shows: the artifact in its place.
    pub fn content(&self) -> PathBuf {
        self.path.join("c")
    }

    /// What is written to the volume goes here.
    pub fn upper(&self) -> PathBuf {
        self.path.join("u")
    }

    /// The file system's work directory beside the upper layer.
    pub fn work(&self) -> PathBuf {
        self.path.join("w")
    }
}

impl Store {
    /// Makes a volume's directory: appears whole, under its name, or not at all.
    pub fn create_volume(&self, id: &str, staged: &Staged<'_>) -> Result<VolumeDir, Error> {
        let new = self.volumes_dir().join(format!("{NEW}{}", random_name()));
        let path = self.volumes_dir().join(id);
        let made = self
            .make_volume(&new, staged)
            .and_then(|()| fs::rename(&new, &path).at("create", &path));
        match made {
            Ok(()) => Ok(VolumeDir { path }),
            Err(error) => {
                self.discard(&new)?;
                Err(error)
            }
        }
    }

    fn make_volume(&self, new: &Path, staged: &Staged<'_>) -> Result<(), Error> {
        create(new, 0o700)?;
        let dir = VolumeDir {
            path: new.to_owned(),
        };
        // What is true of one directory is true of those beside it, and of what is above them.
        let exact = mkdir(&dir.content(), 0o755)?;
        if !exact {
            set_mode(new, 0o700)?;
        }
        self.stage(staged, &dir)?;
        make_layers(&dir, staged.layers, exact)?;
        let record = new.join("want.json");
        fs::write(&record, staged.record).at("write", &record)
    }

    /// A volume's directory, if it has one. A disk that does not say is an error: whoever takes that for a no gives a
    /// final answer to a volume that was published.
    pub fn volume(&self, id: &str) -> Result<Option<VolumeDir>, Error> {
        let path = self.volumes_dir().join(id);
        let found = fs::symlink_metadata(&path).if_there("access", &path)?;
        Ok(found.filter(Metadata::is_dir).map(|_| VolumeDir { path }))
    }

    /// The bytes of a volume's record; empty if it cannot be read.
    pub fn record(&self, dir: &VolumeDir) -> Vec<u8> {
        fs::read(dir.path.join("want.json")).unwrap_or_default()
    }

    /// Replaces a volume's record in one step.
    pub fn write_record(&self, dir: &VolumeDir, bytes: &[u8]) -> Result<(), Error> {
        let (new, path) = (dir.path.join("want.json.new"), dir.path.join("want.json"));
        fs::write(&new, bytes).at("write", &new)?;
        fs::rename(&new, &path).at("write", &path)
    }

    /// Every volume's directory.
    pub fn volumes(&self) -> Result<Vec<StoredRecord>, Error> {
        let mut all = Vec::new();
        for path in list(&self.volumes_dir())? {
            let id = name(&path).to_owned();
            if !id.starts_with(NEW) {
                let dir = VolumeDir { path };
                let bytes = self.record(&dir);
                all.push(StoredRecord { dir, id, bytes });
            }
        }
        all.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(all)
    }

    /// Makes the upper and work layer of an unmounted volume anew: what was written to them lives exactly as long
    /// as the mount, and a left-over `volatile` layer refuses to be mounted again.
    pub fn reset_layers(&self, dir: &VolumeDir, layers: Layers) -> Result<(), Error> {
        self.discard(&dir.upper())?;
        self.discard(&dir.work())?;
        make_layers(dir, layers, false)
    }

    /// Takes a volume's directory, and with it its lease, out of sight.
    pub fn remove_volume(&self, id: &str) -> Result<(), Error> {
        self.discard(&self.volumes_dir().join(id))
    }
}

/// `exact`: whether directories there get just the mode that they are asked for. No other ones are made than are used:
/// each costs an inode and a place in the journal.
fn make_layers(dir: &VolumeDir, layers: Layers, exact: bool) -> Result<(), Error> {
    let upper = dir.upper();
    match layers.upper {
        true if exact && !layers.writable => create(&upper, layers.mode())?,
        true => layers.mkdir(&upper)?,
        false => {}
    }
    match layers.work {
        true if exact => create(&dir.work(), 0o700),
        true => mkdir(&dir.work(), 0o700).map(drop),
        false => Ok(()),
    }
}

fn create(path: &Path, mode: u32) -> Result<(), Error> {
    let made = DirBuilder::new().mode(mode).create(path);
    made.at("create", path)
}

/// Whether it had just that mode from the beginning.
pub(super) fn mkdir(path: &Path, mode: u32) -> Result<bool, Error> {
    create(path, mode)?;
    set_mode(path, mode)
}

/// Not left to mkdir, which trims the mode by the umask or a default ACL, and may inherit the set-group-ID bit. As a rule
/// it does neither, and to look is a third of the price of a change, which the file system writes down in its journal.
/// Whether nothing was to be changed.
fn set_mode(path: &Path, mode: u32) -> Result<bool, Error> {
    let has = fs::symlink_metadata(path).at("access", path)?.mode();
    let exact = has & 0o7777 == mode;
    if !exact {
        fs::set_permissions(path, Permissions::from_mode(mode)).at("set the mode of", path)?;
    }
    Ok(exact)
}
