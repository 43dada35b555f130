//! After a start: what is mounted, what is left over.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::ours::is_of;
use super::status::LiveMount;
use super::{Behind, Error, Owner, Record, Shared, Volumes};
use crate::mount::{MountId, Mounted, Mounter, Probe};
use crate::store;

/// A volume as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The name of its directory.
    pub id: String,
    /// What it remembers of itself; none if that cannot be read.
    pub record: Option<Record>,
    /// Whether it is mounted where it should be seen.
    pub mounted: bool,
    /// What it should show, and does not.
    pub behind: Option<Behind>,
}

impl<M: Mounter> Volumes<M> {
    /// Every volume of this node.
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        self.shared.list()
    }

    /// Removes the volumes whose pods are gone: not mounted, by kubelet's doing, in the directory that kubelet still
    /// has, and with that the target's parent gone. Only for a driver that has shown that it sees kubelet's mounts.
    /// Returns how many went. Volumes of the command line, and those whose record cannot be read, are never swept.
    pub fn sweep(&self) -> Result<usize, Error> {
        let mut swept = 0;
        for listed in self.shared.list()? {
            let Some(record) = listed.record.filter(|_| !listed.mounted) else {
                continue;
            };
            if !pod_is_gone(&record) {
                continue;
            }
            // Asked once more, now that it is locked: where the parent is gone nothing can be mounted.
            let Ok(_held) = self.locks.end(&listed.id) else {
                continue;
            };
            if pod_is_gone(&record) {
                self.shared.store.remove_volume(&listed.id)?;
                // Where somebody else took its mount away.
                self.shared.mounts().remove(&listed.id);
                swept += 1;
            }
        }
        Ok(swept)
    }
}

impl<M: Mounter> Shared<M> {
    /// Remembers the mounts that are ours, so that a probe can tell them without reading the table.
    pub(super) fn find_mounts(&self) -> Result<(), Error> {
        let found: HashMap<String, LiveMount> = self
            .with_mounts()?
            .into_iter()
            .filter_map(|(listed, mount)| {
                let (mount, record) = (mount?, listed.record?);
                let shown = LiveMount {
                    mount,
                    target: record.target()?,
                    view: Some(record.view),
                    fingerprint: if record.is_of(self.store.key()) {
                        record.fingerprint
                    } else {
                        String::new()
                    },
                    volume: record.volume,
                    layer: None,
                };
                Some((listed.id, shown))
            })
            .collect();
        *self.mounts() = found;
        Ok(())
    }

    pub(super) fn list(&self) -> Result<Vec<Listed>, Error> {
        Ok(self
            .with_mounts()?
            .into_iter()
            .map(|(listed, _)| listed)
            .collect())
    }

    fn with_mounts(&self) -> Result<Vec<(Listed, Option<MountId>)>, Error> {
        let table = self.mounter.table()?;
        let mut by_name: HashMap<&OsStr, Vec<&Mounted>> = HashMap::new();
        for mounted in &table {
            by_name.entry(&mounted.volume).or_default().push(mounted);
        }
        let all = self.store.volumes()?;
        if let Some(newer) = all.iter().find(|kept| Record::is_newer(&kept.bytes)) {
            let found = self.store.volumes_dir().join(&newer.id);
            return Err(store::Error::Newer(found).into());
        }
        let volumes = all.into_iter().map(|kept| {
            let record = Record::read(&kept.bytes);
            let named = by_name.get(OsStr::new(&kept.id)).into_iter().flatten();
            let own: Vec<&Mounted> = named.copied().filter(|m| is_of(&kept.dir, m)).collect();
            // A target is looked at only where something is mounted: others may be on a disk that hangs.
            let target = record.as_ref().and_then(Record::target);
            let target = target.filter(|_| !own.is_empty());
            let stands = target.and_then(|target| self.mounter.probe_at(&target).ok());
            let mut ids = own.iter().filter_map(|m| m.id);
            let mount = ids.find(|id| stands == Some(Probe::Mount(*id)));
            // Without a record the volume's target is not known, but its mount names it.
            let mounted = mount.is_some() || record.is_none() && !own.is_empty();
            let listed = Listed {
                behind: self.behind_of(&kept.id),
                id: kept.id,
                record,
                mounted,
            };
            (listed, mount)
        });
        Ok(volumes.collect())
    }
}

fn pod_is_gone(record: &Record) -> bool {
    let Owner::Kubelet { dir, inode } = &record.owner else {
        return false;
    };
    let same_kubelet = std::fs::metadata(dir).is_ok_and(|meta| meta.ino() == *inode);
    let is_gone = |parent: &Path| matches!(parent.try_exists(), Ok(false));
    same_kubelet && record.target.parent().is_none_or(is_gone)
}
