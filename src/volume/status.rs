//! What is shown now, and the questions about it that change nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::blocking::Takes;
use super::plan::View;
use super::record::fingerprint;
use super::request::KeyedRequest;
use super::{Error, Id, PublishRequest, Record, Shared, Volumes, plan};
use crate::metrics::{CacheUsage, Disk};
use crate::mount::{MountId, Mounter, Probe, Target};

/// A mount of ours.
#[derive(Clone, Debug)]
pub(super) struct LiveMount {
    pub(super) mount: MountId,
    /// The volume's id as its caller has it.
    pub(super) volume: String,
    pub(super) target: Target,
    /// What the request that it was made from compares by; empty where that is not known.
    pub(super) fingerprint: String,
    /// Bytes in its own layer, when last counted.
    pub(super) layer: Option<(Instant, u64)>,
    /// How; none where its record could not be read.
    pub(super) view: Option<View>,
}

/// How often a layer is counted at most.
const COUNTED: Duration = Duration::from_secs(300);

/// What there is of a volume at a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is seen as the request would have it.
    Shown,
    /// It was published, at whatever time, and not unpublished since.
    Known,
    /// Nothing.
    Unknown,
}

/// How much a volume holds, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Its artifact, and what was written to it.
    pub used: u64,
    /// The file system of the cache.
    pub total: u64,
    /// What is free there.
    pub free: u64,
}

impl<M: Mounter> Volumes<M> {
    /// What there is of a volume at a target, compared with a request.
    pub async fn standing(
        &self,
        volume: &str,
        target: &Target,
        (attributes, readonly): (&BTreeMap<String, String>, bool),
    ) -> Result<Standing, Error> {
        let id = Id::of(volume, target);
        let fingerprint = fingerprint(self.shared.store.key(), attributes, readonly);
        let at = target.clone();
        let look = move |shared: &Shared<M>| {
            let found = match shared.look(&id, &at, Some(&fingerprint)) {
                Ok(found) => found,
                // Law 1.
                Err(e) if !matches!(shared.store.volume(id.as_str()), Ok(None)) => {
                    return Err(e.of_published());
                }
                Err(e) => return Err(e),
            };
            Ok(match found.dir {
                _ if plan::is_satisfied(found.record_match, found.target_state) => Standing::Shown,
                Some(_) => Standing::Known,
                None => Standing::Unknown,
            })
        };
        self.run_blocking(Takes::Microseconds, target, look).await
    }

    /// Whether a volume is known to be shown as this request would have it: what kubelet asks every minute for every
    /// volume. Without a record, and without a disk: what is mounted holds its own path, and that of what it shows, in
    /// the kernel's memory. A "no" may be a "yes" for who looks closer.
    ///
    /// Where what is shown may change it is looked at behind the answer.
    pub fn republish(&self, request: &PublishRequest) -> bool {
        let id = Id::of(&request.volume, &request.target);
        let fingerprint = self.shared.fingerprint(request);
        let is_shown = self.is_shown(&id, request, &fingerprint);
        // Nearly always kubelet says what it said before.
        if is_shown && let Some(known) = self.reconciler.settled(&id, request) {
            known.interests.look_again();
            return true;
        }
        if is_shown && self.shared.may_change(request) {
            let request = request.clone();
            let keyed = KeyedRequest {
                interests: self.shared.interests(&request),
                id,
                request,
                fingerprint,
            };
            self.reconciler.wake(Arc::new(keyed));
        }
        is_shown
    }

    fn is_shown(&self, id: &Id, request: &PublishRequest, fingerprint: &str) -> bool {
        let shared = &self.shared;
        let known = shared.mounts().get(id.as_str()).cloned();
        let is_same = |s: &LiveMount| !s.fingerprint.is_empty() && s.fingerprint == fingerprint;
        let Some(shown) = known.filter(is_same) else {
            return false;
        };
        let mounted = shared.mounter.probe_at(&request.target);
        mounted.is_ok_and(|at| at == Probe::Mount(shown.mount))
            && matches!(shared.store.volume(id.as_str()), Ok(Some(_)))
    }

    /// How much a volume holds, on what; nothing if it is not known at that target. What was written to it is counted
    /// behind the answer, now and then: the first answer is without it.
    pub async fn usage(&self, volume: &str, target: &Target) -> Result<Option<Usage>, Error> {
        let id = Id::of(volume, target);
        let digits = id.as_str().to_owned();
        let look = move |shared: &Shared<M>| {
            let Some(dir) = shared.store.volume(id.as_str())? else {
                return Ok(None);
            };
            let record = Record::read(&shared.store.record(&dir));
            let disk = shared.store.usage()?;
            let layer = shared.mounts().get(id.as_str()).and_then(|s| s.layer);
            let written = layer.map_or(0, |(_, bytes)| bytes);
            let size = record.as_ref().map_or(0, |r| r.size);
            let used = match record.as_ref().map(|r| r.view) {
                // The copy is what its layer begins with.
                Some(View::Copy) => size.max(written),
                Some(View::Overlay) | None => size.saturating_add(written),
                Some(View::Bind | View::ReadOnlyOverlay) => size,
            };
            Ok(Some(Usage {
                used,
                total: disk.total,
                free: disk.free,
            }))
        };
        let usage = self.run_blocking(Takes::Microseconds, target, look).await?;
        if usage.is_some() {
            self.count_layer(digits);
        }
        Ok(usage)
    }

    /// Counts what was written to a volume, unless that was done of late or others are counted.
    fn count_layer(&self, id: String) {
        let is_due =
            |shown: &LiveMount| shown.layer.is_none_or(|(when, _)| when.elapsed() > COUNTED);
        if !self.shared.mounts().get(&id).is_some_and(is_due) {
            return;
        }
        let Ok(turn) = Arc::clone(&self.counting).try_acquire_owned() else {
            return;
        };
        let shared = Arc::clone(&self.shared);
        self.pool.try_begin(move || {
            let _turn = turn;
            let counted = shared.store.volume(&id).ok().flatten();
            let counted = counted.map(|dir| dir.layer_size());
            if let (Some(Ok(bytes)), Some(shown)) = (counted, shared.mounts().get_mut(&id)) {
                shown.layer = Some((Instant::now(), bytes));
            }
        });
    }
}

/// What those want to know who watch the driver.
impl<M: Mounter> Volumes<M> {
    /// How many volumes are shown, by the name of the layout; every layout is there. Asks neither disk nor kernel.
    pub fn layouts(&self) -> BTreeMap<&'static str, u64> {
        let mut all: BTreeMap<_, _> = View::ALL.iter().map(|view| (view.name(), 0)).collect();
        for shown in self.shared.mounts().values() {
            let name = shown.view.map_or("unknown", View::name);
            *all.entry(name).or_default() += 1;
        }
        all
    }

    /// Whether the store can be written to. Takes as long as the disk does.
    pub fn check_writable(&self) -> Result<(), Error> {
        Ok(self.shared.store.check_writable()?)
    }

    /// The file system that the store lies on, and how many of its bytes are to stay free. Takes as long as the disk
    /// does.
    pub fn disk(&self) -> Result<Disk, Error> {
        let usage = self.shared.store.usage()?;
        Ok(Disk {
            total: usage.total,
            free: usage.free,
            low: self.shared.store.reserve(&usage),
        })
    }

    /// How many artifacts are cached, and their bytes. Takes as long as the disk does.
    pub fn cached(&self) -> Result<CacheUsage, Error> {
        let cached = self.shared.store.cached()?;
        Ok(CacheUsage {
            objects: cached.len() as u64,
            bytes: cached.iter().map(|c| c.size).sum(),
        })
    }
}

impl<M: Mounter> Shared<M> {
    pub(super) fn remember(
        &self,
        id: &Id,
        target: &Target,
        mount: MountId,
        (fingerprint, view): (&str, Option<View>),
    ) {
        let shown = LiveMount {
            mount,
            volume: id.volume.clone(),
            target: target.clone(),
            fingerprint: fingerprint.to_owned(),
            layer: None,
            view,
        };
        self.mounts().insert(id.as_str().to_owned(), shown);
    }

    /// Another target at which a volume is seen now: mounts count, and no record does.
    pub(super) fn elsewhere(&self, id: &Id) -> Result<Option<PathBuf>, Error> {
        let others: Vec<LiveMount> = self
            .mounts()
            .iter()
            .filter(|(name, shown)| *name != id.as_str() && shown.volume == id.volume)
            .map(|(_, shown)| shown.clone())
            .collect();
        for other in others {
            if self.mounter.probe_at(&other.target)? == Probe::Mount(other.mount) {
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
