//! Volumes: what is shown where, from the call that asks for it to the one that ends it.
//!
//! Owns publish, unpublish and recovery. What is to be done is decided in [`plan`], which is pure; this module looks,
//! asks it, and does what it says.
//!
//! Invariants: the laws (docs/design/laws.md). A final error leaves nothing behind and is given only to a volume that
//! was never published; every call may come twice; a healthy volume is never touched; nothing of others ever is.

pub mod attributes;
mod behind;
mod blocking;
mod cache;
mod caller;
mod changes;
pub mod claims;
pub mod classes;
mod clock;
mod command_line;
mod commit;
mod content;
mod error;
mod handle;
pub mod interests;
mod janitor;
mod kubelet;
mod locks;
pub mod notices;
pub mod objects;
mod ours;
pub mod plan;
mod pool;
mod publish;
pub mod readiness;
mod reconcile;
mod record;
mod recover;
mod renew;
mod request;
pub mod spec;
mod status;
mod swap;
pub mod template;
mod unpublish;
mod waiting;
mod wanted;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

pub use self::behind::Behind;
pub use self::cache::{Cache, Cached, Held, Verdict};
pub use self::caller::{CallTask, Caller};
pub use self::command_line::{Mount, directory, is_shown};
pub use self::error::Error;
pub use self::handle::VolumesHandle;
pub use self::kubelet::Kubelet;
pub use self::pool::{Pool, THREADS, WORKERS};
pub use self::record::{Before, Draining, History, Owner, Record, Rejected};
pub use self::recover::Listed;
pub use self::status::{Standing, Usage};
pub use crate::acquire::{Phase, Snapshot};
pub use crate::mount::{Error as TargetError, Mounter, Target};
pub use crate::policy::Pod;

use self::behind::Behinds;
use self::janitor::Janitor;
use self::locks::VolumeLocks;
use self::notices::Notices;
use self::objects::Objects;
use self::ours::is_ours;
use self::plan::{RecordMatch, TargetState};
use self::reconcile::Reconciler;
use self::status::LiveMount;
use self::waiting::Waits;
use crate::acquire::Acquire;
use crate::lock::{Guard, Short, Turn};
use crate::metrics::Swaps;
use crate::mount::{self, MountId, Parent, Probe};
use crate::policy::Policy;
use crate::store::{Store, VolumeDir};

/// A volume that somebody wants to see.
#[derive(Clone, Debug)]
pub struct PublishRequest {
    /// Its id, as the caller names it.
    pub volume: String,
    /// Where it is to be seen.
    pub target: Target,
    /// What it is to show; Kubernetes' own keys are gone from it.
    pub attributes: BTreeMap<String, String>,
    /// What the origin wants to see.
    pub secrets: BTreeMap<String, SecretString>,
    /// What the call itself says: the runtime keeps every mount of the pod read-only.
    pub readonly: bool,
    /// Whether we let it be written to, where the call leaves that open.
    pub writable: Writable,
    /// Whether it may be seen elsewhere on this node at the same time.
    pub sharing: Sharing,
    /// The group that may write to it (a pod's `fsGroup`).
    pub group: Option<u32>,
    /// The pod that it is for; nothing at a command line.
    pub pod: Option<Pod>,
    /// The claim that it belongs to, where that is known.
    pub claim: Option<Claim>,
    /// The PersistentVolume that it is, where kubelet says so.
    pub persistent_volume: Option<String>,
    /// The name of this node, where whoever asks does so again and again: then what is shown may change. Nothing where it
    /// is asked once (a command line, FlexVolume).
    pub node: Option<String>,
    /// Who asks.
    pub owner: Owner,
}

impl PublishRequest {
    /// Whether the request itself says read-only: at a command line by its flag, from kubelet by `readonly` and by
    /// nothing else (an access mode never makes a volume another one, law 2).
    fn asks_read_only(&self) -> bool {
        self.readonly || self.owner == Owner::CommandLine && self.writable == Writable::No
    }
}

/// A PersistentVolumeClaim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its namespace, which is that of its pods.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Whether a volume may be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writable {
    /// It lives and dies with the one who uses it.
    Yes,
    /// Never.
    No,
    /// Only where its attributes say `writable: scratch`: people expect what they write to a claim to stay.
    IfScratch,
}

/// At how many targets a volume may be seen at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// One.
    OneTarget,
    /// As many as are asked for.
    ManyTargets,
    /// The same, and on other nodes as well: several pods are to be expected.
    ManyNodes,
}

/// Volumes, and what they are made with.
pub struct Volumes<M> {
    shared: Arc<Shared<M>>,
    locks: VolumeLocks,
    pool: Pool,
    janitor: Janitor,
    /// The one place for whoever counts what was written.
    counting: Arc<Semaphore>,
    /// The one place for whoever makes room: the others wait for the same, and need no thread for that.
    making_room: Semaphore,
    reconciler: Reconciler<M>,
}

/// What volumes have to do with beside the store and the mounts.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The threads that may wait for a disk.
    pub pool: Pool,
    /// What objects say of themselves.
    pub objects: Objects,
    /// What pods are told.
    pub notices: Notices,
}

/// What a commit needs; it may outlive the call.
struct Shared<M> {
    store: Arc<Store>,
    acquire: Acquire,
    policy: Policy,
    mounter: M,
    /// The mounts that are ours: made by this process, or found at its start.
    mounted: Short<HashMap<String, LiveMount>>,
    /// Whether the read-only view is known to be there; it is made when it is first needed.
    view: Turn<bool>,
    /// Who waits for what.
    waiting: Short<Waits>,
    /// What of them should show something else.
    behind: Short<Behinds>,
    /// What objects say of themselves.
    objects: Objects,
    /// What pods are told.
    notices: Notices,
}

impl<M: Mounter> Volumes<M> {
    /// Finds out what is mounted.
    pub fn open(
        store: Arc<Store>,
        acquire: Acquire,
        policy: Policy,
        mounter: M,
        Context {
            pool,
            objects,
            notices,
        }: Context,
    ) -> Result<Self, Error> {
        let janitor = Janitor::start(Arc::clone(&store)).map_err(Error::Thread)?;
        let shared = Shared {
            store,
            acquire,
            policy,
            mounter,
            mounted: Short::default(),
            view: Turn::default(),
            waiting: Short::default(),
            behind: Short::default(),
            objects,
            notices,
        };
        shared.find_mounts()?;
        let (shared, locks) = (Arc::new(shared), VolumeLocks::default());
        Ok(Self {
            reconciler: Reconciler::new(Arc::clone(&shared), locks.clone(), pool.clone()),
            shared,
            locks,
            pool,
            janitor,
            counting: Arc::new(Semaphore::new(1)),
            making_room: Semaphore::new(1),
        })
    }

    /// Counts how what is shown changes.
    #[must_use]
    pub fn counting(mut self, swaps: Swaps) -> Self {
        self.reconciler.counted = swaps;
        self
    }

    /// How far the artifact is that a volume waits for.
    pub fn progress(&self, volume: &str, target: &Target) -> Option<Snapshot> {
        let id = Id::of(volume, target);
        let waiting = self.shared.waiting.lock();
        waiting.get(id.as_str()).map(|w| w.progress.snapshot())
    }

    /// Ends downloads at their next chunk, and takes away the view, this process's or one that a kill left: under the
    /// store's lock nobody else uses it, and what was bound from it stays.
    pub fn close(&self) -> Result<(), Error> {
        self.shared.acquire.stop();
        let mut view = self.shared.view.take();
        self.shared.mounter.unview(&self.shared.view_path())?;
        *view = false;
        Ok(())
    }
}

/// What is there of a volume.
struct VolumeState {
    dir: Option<VolumeDir>,
    /// None also where it cannot be read.
    record: Option<Record>,
    record_match: RecordMatch,
    target_state: TargetState,
    /// What holds the target; none where that is missing.
    parent: Option<Parent>,
    /// Whether there is a directory with a record that compares with nothing: unreadable, or of another key.
    lost: bool,
}

impl<M: Mounter> Shared<M> {
    /// Looks at a volume. `fingerprint` is what it is to be compared with; without one it is itself.
    fn look(
        &self,
        id: &Id,
        target: &Target,
        fingerprint: Option<&str>,
    ) -> Result<VolumeState, Error> {
        let dir = self.store.volume(id.as_str())?;
        self.look_into(dir, id, target, fingerprint)
    }

    /// The same, where its directory is known already.
    fn look_into(
        &self,
        dir: Option<VolumeDir>,
        id: &Id,
        target: &Target,
        fingerprint: Option<&str>,
    ) -> Result<VolumeState, Error> {
        let record = dir
            .as_ref()
            .and_then(|d| Record::read(&self.store.record(d)));
        let record_match = match (&dir, &record, fingerprint) {
            (None, _, _) => RecordMatch::Nothing,
            (Some(_), Some(record), Some(fingerprint))
                if !record.may_be(fingerprint, self.store.key()) =>
            {
                RecordMatch::Other
            }
            (Some(_), _, _) => RecordMatch::Same,
        };
        let lost = dir.is_some() && !record.as_ref().is_some_and(|r| r.is_of(self.store.key()));
        let parent = self.mounter.parent_if_any(target)?;
        let stands = match &parent {
            Some(parent) => self.mounter.probe(parent, target)?,
            None => Probe::Missing,
        };
        let target_state = match stands {
            Probe::Missing => TargetState::Free,
            Probe::Directory { empty: true } => TargetState::Empty,
            Probe::Directory { empty: false } => TargetState::Full,
            Probe::NotADirectory => TargetState::NoDirectory,
            Probe::Mount(mount) if self.is_remembered(id, mount) => TargetState::Ours,
            // It may still be ours: stacked twice, or made by a process that was killed before it could remember.
            Probe::Mount(mount) if is_ours(&self.mounter, mount, id, dir.as_ref())? => {
                let view = record.as_ref().map(|r| r.view);
                self.remember(id, target, mount, ("", view));
                TargetState::Ours
            }
            Probe::Mount(_) | Probe::Stale => TargetState::Foreign,
        };
        Ok(VolumeState {
            dir,
            record,
            record_match,
            target_state,
            parent,
            lost,
        })
    }

    fn is_remembered(&self, id: &Id, mount: MountId) -> bool {
        let shown = self.mounts().get(id.as_str()).map(|s| s.mount);
        shown == Some(mount)
    }

    fn mounts(&self) -> Guard<'_, HashMap<String, LiveMount>> {
        self.mounted.lock()
    }

    fn view_path(&self) -> PathBuf {
        self.store.root().join("ro")
    }

    /// The read-only view of all volumes' directories, made when it is first needed.
    fn view(&self) -> Result<PathBuf, mount::Error> {
        let mut view = self.view.take();
        let path = self.view_path();
        if !*view {
            self.mounter.view(&self.store.volumes_dir(), &path)?;
            *view = true;
        }
        Ok(path)
    }
}

/// A volume at one target.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Id {
    /// The name of its directory: 32 hexadecimal digits.
    digits: String,
    /// Its id as the caller has it.
    volume: String,
}

impl Id {
    /// The name of a volume at a target: the volume ids of callers never become paths. It is found again without the
    /// key, which may be lost while volumes live; no target holds a NUL, so no two pairs share a name.
    fn of(volume: &str, target: &Target) -> Self {
        let mut hasher = Sha256::new_with_prefix(volume);
        hasher.update([0]);
        hasher.update(target.path().as_os_str().as_encoded_bytes());
        let mut digits = hex::encode(hasher.finalize());
        digits.truncate(32);
        Self {
            digits,
            volume: volume.to_owned(),
        }
    }

    fn as_str(&self) -> &str {
        &self.digits
    }
}
