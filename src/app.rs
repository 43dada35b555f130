//! The one place where concrete things meet: settings become modules, modules become an application.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;

pub use crate::acquire::{Fetched, Gauge, Phase, Snapshot};
pub use crate::store::{Cached, Entry, Verdict};
pub use crate::volume::attributes::ATTRIBUTES;
pub use crate::volume::{Listed, Owner};

use crate::acquire::{self, Acquire, Parts, Patience, Request};
use crate::config::{Downloading, Storing};
use crate::fault::Fault;
use crate::mount::{self, Linux, Target};
use crate::policy::Policy;
use crate::source::http::{Factory, Settings as HttpSettings};
use crate::source::{self, Credentials};
use crate::store::{self, Limits, Settings as StoreSettings, Store};
use crate::volume::attributes::{self, Want};
use crate::volume::{self, Publish, Volumes, Writable};

/// Anything that can go wrong in a command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting.
    #[error("{0}")]
    Setting(String),
    /// Not root.
    #[error("{0} needs root, because it {1}; run it as root (sudo)")]
    NeedsRoot(&'static str, &'static str),
    /// A command ended as it never should.
    #[error("an internal error ended the command ({0}); please report it")]
    Bug(String),
    /// The attributes.
    #[error(transparent)]
    Attributes(#[from] attributes::Error),
    /// The origin.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// The download.
    #[error(transparent)]
    Acquire(#[from] acquire::Error),
    /// The disk.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The mounts.
    #[error(transparent)]
    Mount(#[from] mount::Error),
    /// The volume.
    #[error(transparent)]
    Volume(#[from] volume::Error),
}

impl Error {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Setting(_) => Fault::Invalid,
            Self::NeedsRoot(..) => Fault::Denied,
            Self::Bug(_) => Fault::Bug,
            Self::Attributes(e) => e.fault(),
            Self::Source(e) => e.fault(),
            Self::Acquire(e) => e.fault(),
            Self::Store(e) => e.fault(),
            Self::Mount(e) => e.fault(),
            Self::Volume(e) => e.fault(),
        }
    }
}

/// Downloads to a file, without a store. `gauge` is told how far it is.
pub async fn fetch(
    settings: &Downloading,
    attributes: &BTreeMap<String, String>,
    output: Option<&Path>,
    show: impl FnOnce(&Arc<Gauge>),
) -> Result<Fetched, Error> {
    let want = Want::parse(attributes)?;
    let request = Request {
        url: want.url.clone(),
        pin: want.pin,
        pull: want.pull,
        credentials: Credentials::from_keys(secrets(settings)?)?,
    };
    let path = output.map_or_else(|| PathBuf::from(want.place.name().as_str()), Path::to_owned);
    let gauge = Arc::new(Gauge::new(&want.url));
    show(&gauge);
    let permit = Policy::new(settings.max_size).check(&want.url, want.max_size);
    let http = http(settings)?;
    Ok(acquire::fetch(&http, &patience(settings), &permit, &request, &path, &gauge).await?)
}

/// Opens the store; `says` is told if another process has it and this one waits.
pub fn open_store(settings: &Storing, says: impl FnOnce(&str)) -> Result<Store, Error> {
    let free = settings
        .keep_free
        .parse()
        .map_err(|e| Error::Setting(format!("--keep-free: {e}")))?;
    let settings = StoreSettings {
        root: settings.root.clone(),
        limits: Limits {
            cache: settings.cache_size,
            free,
        },
        owner: settings.cache_owner,
    };
    Ok(Store::wait_for(&settings, |locked| {
        says(&locked.to_string())
    })?)
}

/// The volumes of this machine, for one command.
pub struct Local {
    volumes: Volumes<Linux>,
    secrets: BTreeMap<String, SecretString>,
}

impl Local {
    /// Opens the store and finds out what is mounted. Must be called within a tokio runtime.
    pub fn open(
        storing: &Storing,
        downloading: &Downloading,
        says: impl FnOnce(&str),
    ) -> Result<Self, Error> {
        let http = http(downloading)?;
        let secrets = secrets(downloading)?;
        let store = Arc::new(open_store(storing, says)?);
        let mounter = mounter(&store)?;
        let parts = Parts {
            store: Arc::clone(&store),
            http,
            patience: patience(downloading),
            flights: usize::from(storing.downloads),
        };
        let policy = Policy::new(downloading.max_size);
        let volumes = Volumes::open(store, Acquire::new(parts), policy, mounter)?;
        Ok(Self { volumes, secrets })
    }

    /// Shows an artifact in a directory. Dropped before its end it leaves what was downloaded for the next time.
    pub async fn mount(
        &self,
        attributes: BTreeMap<String, String>,
        dir: &Path,
        read_only: bool,
    ) -> Result<(), Error> {
        let target = target(dir)?;
        // Found out now, and not after the download.
        let path = target.path();
        if !path.parent().is_some_and(Path::is_dir) {
            return Err(Error::Setting(format!(
                "the directory \"{}\": its parent is not there, or is no directory; make it first",
                path.display()
            )));
        }
        let publish = Publish {
            volume: volume_name(&target),
            attributes,
            secrets: self.secrets.clone(),
            // Nobody below keeps a mount of ours read-only, so that has to be an overlay of our own.
            readonly: false,
            writable: if read_only {
                Writable::No
            } else {
                Writable::Yes
            },
            group: None,
            owner: Owner::CommandLine,
            target,
        };
        let published = self.volumes.publish(publish).await;
        // A command has no background: what a failure discarded is deleted before it ends.
        if published.is_err() {
            self.volumes.clean_up();
        }
        Ok(published?)
    }

    /// How far the artifact for a directory is.
    pub fn progress(&self, dir: &Path) -> Option<Snapshot> {
        let target = target(dir).ok()?;
        self.volumes.progress(&volume_name(&target), &target)
    }

    /// Takes away what was mounted on a directory. False if there was nothing of ours.
    pub async fn unmount(&self, dir: &Path) -> Result<bool, Error> {
        let target = target(dir)?;
        let path = target.path();
        let known = self
            .volumes
            .list()?
            .into_iter()
            .find(|v| v.record.as_ref().is_some_and(|r| r.target == path));
        let volume = match known.and_then(|v| v.record) {
            Some(record) if record.owner != Owner::CommandLine => {
                return Err(Error::Setting(format!(
                    "{} is a volume of kubelet's; delete its pod, and kubelet unmounts it",
                    path.display()
                )));
            }
            Some(record) => record.volume,
            None => volume_name(&target),
        };
        let was_there = self.volumes.list()?.len();
        self.volumes.unmount(&volume, &target).await?;
        self.volumes.clean_up();
        Ok(self.volumes.list()?.len() < was_there)
    }

    /// Every volume.
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        Ok(self.volumes.list()?)
    }
}

/// Tries out what the kernel can. On a full disk room is made for that; where none is to be had, whoever wants to make
/// some must still be able to list and to unmount.
fn mounter(store: &Store) -> Result<Linux, Error> {
    /// More than the self-test writes.
    const ROOM: u64 = 1 << 20;
    let full = |e: &mount::Error| e.fault() == Fault::NoSpace;
    match Linux::new(store.root()) {
        Err(e) if full(&e) && store.make_room(ROOM, "the self-test").is_ok() => {
            Ok(Linux::new(store.root()).or_else(|e| untested(full(&e), e))?)
        }
        other => Ok(other.or_else(|e| untested(full(&e), e))?),
    }
}

fn untested(is_full: bool, error: mount::Error) -> Result<Linux, mount::Error> {
    if !is_full {
        return Err(error);
    }
    tracing::warn!(%error, "the disk is too full for the self-test; writable volumes do without metacopy and volatile");
    Ok(Linux::untested())
}

/// A volume of the command line is named by where it is.
fn volume_name(target: &Target) -> String {
    format!("cli:{}", target.path().display())
}

fn target(dir: &Path) -> Result<Target, Error> {
    let absolute = std::path::absolute(dir)
        .map_err(|e| Error::Setting(format!("the directory \"{}\": {e}", dir.display())))?;
    // A record is text, as all that kubelet says is.
    if absolute.to_str().is_none() {
        let dir = dir.display();
        return Err(Error::Setting(format!(
            "the directory \"{dir}\": its path is not UTF-8; choose another name"
        )));
    }
    Ok(Target::within(Path::new("/"), &absolute)?)
}

fn http(settings: &Downloading) -> Result<Factory, Error> {
    Ok(Factory::new(&HttpSettings {
        ca_file: settings.ca_file.clone(),
        patience: settings.stall_time,
    })?)
}

fn patience(settings: &Downloading) -> Patience {
    Patience {
        tries: usize::from(settings.tries),
        pause: settings.retry_pause,
        longest_pause: settings.longest_pause,
        stall_time: settings.stall_time,
        stall_speed: settings.stall_speed,
    }
}

/// The credentials of a command: a file's lines, or the environment.
fn secrets(settings: &Downloading) -> Result<BTreeMap<String, SecretString>, Error> {
    let Some(path) = &settings.credentials else {
        let named = |key: &&str| {
            let value = std::env::var(format!("WAR_VOL_{}", key.to_uppercase())).ok()?;
            Some(((*key).to_owned(), SecretString::from(value)))
        };
        return Ok(Credentials::KEYS.iter().filter_map(named).collect());
    };
    let wrong = |why: String| {
        Error::Setting(format!(
            "the credentials file {}: {why}; allowed are lines of token=…, or username=… and password=…",
            path.display()
        ))
    };
    let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .enumerate()
        .map(|(i, line)| {
            let (key, value) = line
                .split_once('=')
                .ok_or_else(|| wrong(format!("line {} has no =", i + 1)))?;
            Ok((key.trim().to_owned(), SecretString::from(value.to_owned())))
        })
        .collect()
}
