//! The disk: content-addressed, shared by hard links, whole or absent.
//!
//! ```text
//! <root>/lock                       held with flock(2) for life by the one process that uses the store
//!        key                        random; names and fingerprints are HMACs under it
//!        v1/partial/<key>/{data,meta}   downloads that are not complete; data only ever grows
//!           blobs/<sha256>          complete and verified; mode 0444, owned by an id that nothing uses
//!           index/<hmac>            what a URL gave in one trust context
//!           volumes/<id>/{c,u,w,want.json}   a volume's content (hard links), its upper and work layer if it needs them, record
//!           claims/<id>             what was provisioned under an id; only where a controller runs
//!           trash/                  on its way out
//! ```
//!
//! Invariants. A name in `blobs/` stands for complete, verified, durable bytes, and what a volume shows it holds a
//! lease on ([`Artifact`]). Durable are blobs, the index, the key and the claims and
//! nothing else, because after a power loss no mount exists and every volume is published again.
//! Every step is one rename, so that a kill at any instruction leaves something whole or something that is swept.
//! docs/design/durability.md goes through the steps.

mod artifact;
mod blobs;
mod claims;
mod content;
mod entry;
mod error;
mod format;
mod holds;
mod key;
mod layer;
mod lock;
mod open;
mod partial;
pub mod retention;
mod room;
mod space;
mod swap;
mod trash;
mod tree;
mod volumes;

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

pub use self::artifact::{Artifact, Cached, Placement};
pub use self::blobs::Verdict;
pub use self::entry::Entry;
pub use self::error::Error;
pub use self::format::{Parsed, Version};
pub use self::holds::Hold;
pub use self::key::{Key, Name};
pub use self::partial::{Completed, Partial};
pub use self::space::{Limits, Percent, Usage};
pub use self::swap::{Incoming, Stamp, set_time, too_early};
pub use self::tree::{Copying, PodTree};
pub use self::volumes::{Layers, Staged, StoredRecord, VolumeDir};

use self::error::IoContext;
use self::lock::Lock;
use crate::lock::{Turn, may_wait};
use crate::metrics::Evictions;

/// What a store is opened with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory of everything; made if missing.
    pub root: PathBuf,
    /// How much may lie in it.
    pub limits: Limits,
    /// User and group of the blobs: an id that nothing uses, so that no container may take leases on shared bytes
    /// and no user namespace maps it.
    pub owner: u32,
}

impl Settings {
    /// The id that blobs belong to unless configured otherwise.
    pub const OWNER: u32 = 4_294_967_000;
}

/// An open store. There is one per root and machine: it holds the lock.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    limits: Limits,
    owner: u32,
    key: Key,
    boot: String,
    /// Held over "is it unused? then unlink" and over a commit, so that a collection never takes what was just
    /// acknowledged. A link that races with it is safe without: it keeps the bytes, or finds none to link.
    collecting: Turn,
    open: Arc<open::Open>,
    /// What is not collected although no volume links it yet.
    holds: Arc<holds::Holds>,
    /// Counts what is collected.
    evictions: Evictions,
    /// How often something was written to the index.
    remembered: AtomicUsize,
    /// Two that delete the same trash would trip over each other.
    emptying: Turn,
    /// Two that look for room at once would both take the same.
    promising: Turn,
    _lock: Lock,
}

/// The bucket of this format. Another format gets another one; `lock` and `key` lie beside it and serve both.
const FORMAT: &str = "v1";

impl Store {
    /// Opens the store, or says who has it: [`Error::Locked`].
    pub fn open(settings: &Settings) -> Result<Self, Error> {
        make_private(&settings.root)?;
        Self::with_lock(settings, Lock::try_take(&settings.root)?)
    }

    /// Opens the store, and waits while another process has it; `says` is told who.
    pub fn wait_for(settings: &Settings, says: impl FnOnce(&Error)) -> Result<Self, Error> {
        make_private(&settings.root)?;
        let lock = match Lock::try_take(&settings.root) {
            Err(locked @ Error::Locked { .. }) => {
                says(&locked);
                Lock::take(&settings.root)?
            }
            other => other?,
        };
        Self::with_lock(settings, lock)
    }

    fn with_lock(settings: &Settings, lock: Lock) -> Result<Self, Error> {
        refuse_newer(&settings.root)?;
        let bucket = settings.root.join(FORMAT);
        for name in ["partial", "blobs", "index", "volumes", "trash"] {
            make_private(&bucket.join(name))?;
        }
        let root = settings.root.canonicalize().at("open", &settings.root)?;
        let this = Self {
            key: Key::load(&root)?,
            boot: boot_id()?,
            limits: settings.limits.clone(),
            owner: settings.owner,
            collecting: Turn::default(),
            open: Arc::default(),
            holds: Arc::default(),
            evictions: Evictions::default(),
            remembered: AtomicUsize::default(),
            emptying: Turn::default(),
            promising: Turn::default(),
            root,
            _lock: lock,
        };
        match this.sweep() {
            // What is mounted can be told all the same, and must go on.
            Err(error) if error.is_read_only() => {
                tracing::warn!(%error, "cannot clean up the store")
            }
            other => other?,
        }
        Ok(this)
    }

    /// From now on what is collected is counted here.
    #[must_use]
    pub fn counting(mut self, evictions: Evictions) -> Self {
        self.evictions = evictions;
        self
    }

    /// Takes out of sight what a killed process left half-made; whatever has a name of its own stays. Deleting it may
    /// take long: that is [`try_to_empty_trash`](Self::try_to_empty_trash)'s, for one who has the time.
    fn sweep(&self) -> Result<(), Error> {
        for bucket in ["blobs", "index", "volumes"] {
            for entry in list(&self.bucket(bucket))? {
                if name(&entry).starts_with(NEW) {
                    self.discard(&entry)?;
                }
            }
        }
        self.drop_empty_partials()
    }

    /// The directory of everything.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the volumes' directories are; what a read-only view is made of.
    pub fn volumes_dir(&self) -> PathBuf {
        self.bucket("volumes")
    }

    /// The node's key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Identifies this boot of the machine (`/proc/sys/kernel/random/boot_id`).
    pub fn boot(&self) -> &str {
        &self.boot
    }

    fn bucket(&self, name: &str) -> PathBuf {
        // Whoever wants a path of the store goes on to ask the disk.
        may_wait();
        self.root.join(FORMAT).join(name)
    }
}

/// What a name begins with that does not count yet.
const NEW: &str = ".new-";

/// A store that a newer version has used is left to that version: nothing of it may be misread here.
fn refuse_newer(root: &Path) -> Result<(), Error> {
    let number = |name: &str| name.strip_prefix('v')?.parse::<u32>().ok();
    let known = number(FORMAT);
    let mut all = list(root)?.into_iter();
    let newer = all.find(|path| number(name(path)) > known);
    newer.map_or(Ok(()), |found| Err(Error::Newer(found)))
}

fn make_private(path: &Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .at("create", path)
}

fn list(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    fs::read_dir(dir)
        .at("list", dir)?
        .map(|entry| entry.map(|e| e.path()).at("list", dir))
        .collect()
}

/// The name at a path's end; empty if it is not UTF-8, and so none of ours.
fn name(path: &Path) -> &str {
    let name = path.file_name().and_then(|name| name.to_str());
    name.unwrap_or_default()
}

/// Removes a file or a directory of our own making; what pods made goes by way of the trash.
fn remove(path: &Path) -> Result<(), Error> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) => Err(e),
    };
    removed.if_there("remove", path).map(drop)
}

/// Makes a directory's entries durable.
fn sync_dir(dir: &Path) -> Result<(), Error> {
    File::open(dir).and_then(|d| d.sync_all()).at("sync", dir)
}

/// Identifies this boot of the machine (`/proc/sys/kernel/random/boot_id`).
pub fn boot_id() -> Result<String, Error> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    Ok(fs::read_to_string(path).at("read", path)?.trim().to_owned())
}
