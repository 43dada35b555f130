//! The one place where concrete things meet: settings become modules, modules become an application.

mod access;
mod cache;
mod classes;
mod commands;
mod credentials;
mod disk;
mod fetch;
mod objects;
mod policy;
mod question;
mod seen;
mod serve;
mod settings;
mod startup;
mod versions;
mod watch;

use std::sync::Arc;

pub use self::access::VolumeAccess;
pub use self::cache::CacheAccess;
pub use self::fetch::{Fetcher, Order, is_stdout};
pub use self::policy::check as check_policy;
pub use self::question::{Judged, Question};
pub use self::serve::{Driver, serve};
pub use self::versions::{CONTAINERD, KERNEL, KUBERNETES};
pub use crate::acquire::{Fetched, Phase, Progress, Snapshot};
pub use crate::volume::attributes::ATTRIBUTES;
pub use crate::volume::{Cached, Held, Listed, Mount, Owner, Record, Target, Verdict};

use crate::acquire::{self, Acquire, Parts, RetryPolicy};
use crate::admin;
use crate::artifact::Bytes;
use crate::config::{Downloading, Secrets, Storing};
use crate::csi;
use crate::fault::Fault;
use crate::flexvolume;
use crate::metrics::Downloads;
use crate::mount::{self, Linux};
use crate::policy::Policy;
use crate::source;
use crate::source::http::{ClientCert, Factory, Settings as HttpSettings};
use crate::store::{self, Limits, Settings as StoreSettings, Store};
use crate::volume::attributes;
use crate::volume::claims;
use crate::volume::{self, Context, Volumes};

pub use crate::volume::{THREADS, WORKERS};

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
    /// What is provisioned.
    #[error(transparent)]
    Claims(#[from] claims::Error),
    /// The service.
    #[error(transparent)]
    Csi(#[from] csi::Error),
    /// The driver.
    #[error(transparent)]
    Admin(#[from] admin::Error),
    /// kubelet's older interface.
    #[error(transparent)]
    FlexVolume(#[from] flexvolume::Error),
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
            Self::Claims(e) => e.fault(),
            Self::Csi(e) => e.fault(),
            Self::Admin(e) => e.fault(),
            Self::FlexVolume(e) => e.fault(),
        }
    }
}

fn wait_for_store(settings: &Storing, says: impl FnOnce(&str)) -> Result<Store, Error> {
    let settings = store_settings(settings)?;
    Ok(Store::wait_for(&settings, |locked| {
        says(&locked.to_string())
    })?)
}

fn store_settings(settings: &Storing) -> Result<StoreSettings, Error> {
    let free = settings
        .keep_free
        .parse()
        .map_err(|e| Error::Setting(format!("--keep-free: {e}")))?;
    Ok(StoreSettings {
        root: settings.at.root.clone(),
        limits: Limits {
            cache: settings.cache_size,
            free,
        },
        owner: settings.cache_owner,
    })
}

/// Tries out what the kernel can. On a full disk room is made for that. Where none is to be had, or the disk takes no
/// writes at all, what is mounted must still be told and taken away.
fn mounter(store: &Store) -> Result<Linux, Error> {
    /// More than the self-test writes.
    const ROOM: u64 = 1 << 20;
    let tested = match Linux::new(store.root()) {
        Err(e) if e.fault() == Fault::NoSpace && store.make_room(ROOM, "the self-test").is_ok() => {
            Linux::new(store.root())
        }
        other => other,
    };
    match tested {
        Err(error) if error.fault() == Fault::NoSpace || error.is_read_only() => {
            tracing::warn!(%error, "no space for the self-test; writable volumes get neither metacopy nor volatile");
            Ok(Linux::untested())
        }
        other => Ok(other?),
    }
}

/// The volumes of a store, found as they are.
fn volumes(
    store: &Arc<Store>,
    http: Factory,
    (storing, downloading): (&Storing, &Downloading),
    policy: Policy,
    (metrics, context): (Downloads, Context),
) -> Result<Volumes<Linux>, Error> {
    let mounter = mounter(store)?;
    let parts = Parts {
        store: Arc::clone(store),
        sources: source::Factory::new(http),
        retry_policy: retry_policy(downloading),
        flights: usize::from(storing.downloads),
        metrics,
    };
    Ok(Volumes::open(
        Arc::clone(store),
        match downloading.limit_rate {
            Some(bytes) => Acquire::new(parts).limited(bytes),
            None => Acquire::new(parts),
        },
        policy,
        mounter,
        context,
    )?)
}

fn http(settings: &Downloading) -> Result<Factory, Error> {
    if let Some(limit) = settings.limit_rate.filter(|l| *l <= settings.stall_speed) {
        return Err(Error::Setting(format!(
            "--limit-rate {} is not above --stall-speed {}, below which downloads are aborted; raise the one or lower \
             the other",
            Bytes(limit),
            Bytes(settings.stall_speed)
        )));
    }
    let http = Factory::new(&HttpSettings {
        ca_file: settings.ca_file.clone(),
        connect_timeout: settings.stall_time,
    });
    Ok(http.map_err(source::Error::from)?)
}

/// The same for one command, which may have a certificate of its own.
fn http_of_command(settings: &Downloading, secrets: &Secrets) -> Result<Factory, Error> {
    let http = http(settings)?;
    let Some(cert) = &secrets.cert else {
        return Ok(http);
    };
    let http = http.with_client_cert(&ClientCert {
        cert: cert.clone(),
        key: secrets.key.clone(),
    });
    Ok(http.map_err(source::Error::from)?)
}

fn retry_policy(settings: &Downloading) -> RetryPolicy {
    RetryPolicy {
        tries: usize::from(settings.tries),
        pause: settings.retry_pause,
        longest_pause: settings.longest_pause,
        stall_time: settings.stall_time,
        stall_speed: settings.stall_speed,
    }
}
