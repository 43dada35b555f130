//! What is shown now, and the questions about it that change nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::record::fingerprint;
use super::{Error, Id, Record, Shared, Volumes, plan};
use crate::mount::{MountId, Mounter, Probe, Target};

/// A mount of ours.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) mount: MountId,
    /// The volume's id as its caller has it.
    pub(super) volume: String,
    pub(super) target: Target,
}

/// How much a volume holds, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Its artifact.
    pub used: u64,
    /// The file system of the cache.
    pub total: u64,
    /// What is free there.
    pub free: u64,
}

impl<M: Mounter> Volumes<M> {
    /// Whether a volume was published at a target, at whatever time, and not unpublished since.
    pub fn knows(&self, volume: &str, target: &Target) -> bool {
        let id = self.shared.id(volume, target);
        self.shared.store.volume(id.as_str()).is_some()
    }

    /// Whether a volume is seen at a target as this request would have it; false also where that cannot be told.
    pub fn shows(
        &self,
        volume: &str,
        target: &Target,
        attributes: &BTreeMap<String, String>,
        readonly: bool,
    ) -> bool {
        let id = self.shared.id(volume, target);
        let print = fingerprint(self.shared.store.key(), attributes, readonly);
        let found = self.shared.look(&id, target, Some(&print));
        found.is_ok_and(|found| plan::is_satisfied(found.kept, found.place))
    }

    /// How much a volume holds, on what; nothing if it is not known at that target.
    pub fn usage(&self, volume: &str, target: &Target) -> Result<Option<Usage>, Error> {
        let shared = &self.shared;
        let Some(dir) = shared.store.volume(shared.id(volume, target).as_str()) else {
            return Ok(None);
        };
        let record = Record::read(&shared.store.record(&dir));
        let disk = shared.store.usage()?;
        Ok(Some(Usage {
            used: record.map_or(0, |r| r.size),
            total: disk.total,
            free: disk.free,
        }))
    }
}

impl<M: Mounter> Shared<M> {
    pub(super) fn remember(&self, id: &Id, target: &Target, mount: MountId) {
        let shown = Shown {
            mount,
            volume: id.volume.clone(),
            target: target.clone(),
        };
        self.mounts().insert(id.as_str().to_owned(), shown);
    }

    /// Another target at which a volume is seen now: mounts count, and no record does.
    pub(super) fn elsewhere(&self, id: &Id) -> Result<Option<PathBuf>, Error> {
        let others: Vec<Shown> = self
            .mounts()
            .iter()
            .filter(|(name, shown)| *name != id.as_str() && shown.volume == id.volume)
            .map(|(_, shown)| shown.clone())
            .collect();
        for other in others {
            if self.mounter.probe(&other.target)? == Probe::Mount(other.mount) {
                return Ok(Some(other.target.path()));
            }
        }
        Ok(None)
    }
}

impl Record {
    /// Where it is shown, below the directory that it was said to be below.
    pub(super) fn target(&self) -> Option<Target> {
        let base = match &self.owner {
            super::Owner::CommandLine => std::path::Path::new("/"),
            super::Owner::Kubelet { dir, .. } => dir,
        };
        Target::within(base, &self.target).ok()
    }
}
