//! What this program does for itself in processes of their own, so that their time and memory are theirs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;
use war_vol::acquire::{Acquire, Parts, RetryPolicy};
use war_vol::metrics::Downloads;
use war_vol::mount::{Features, Linux, Target};
use war_vol::policy::Policy;
use war_vol::source::Factory as Sources;
use war_vol::source::http::{Factory, Settings as HttpSettings};
use war_vol::store::{Limits, Settings, Store};
use war_vol::volume::{Caller, Context, Error, Owner, PublishRequest, Sharing, Volumes, Writable};

use crate::measured::cpu;
use crate::outcome::Outcome;
use crate::place::command;

/// CPU seconds of SHA-256 over a file's bytes, in a process of its own.
pub(crate) fn hashed(core: Option<usize>, file: &Path) -> Outcome<f64> {
    let mut arguments: Vec<OsString> = vec!["worker-hash".into()];
    if let Some(core) = core {
        arguments.extend(["--core".into(), core.to_string().into()]);
    }
    arguments.push(file.into());
    answer(arguments)
}

/// Starts a worker and reads what it says.
pub(crate) fn answer<T: DeserializeOwned>(arguments: Vec<OsString>) -> Outcome<T> {
    let output = command(std::env::current_exe()?)
        .args(&arguments)
        .output()?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{arguments:?} failed: {words}").into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Only the computation counts, not the reading.
pub(crate) fn hash(file: &Path) -> Outcome<f64> {
    let mut file = File::open(file)?;
    let mut buffer = vec![0; 1 << 20];
    let mut hasher = Sha256::new();
    let mut spent = Duration::ZERO;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        let before = cpu(&getrusage(UsageWho::RUSAGE_SELF)?);
        hasher.update(buffer.get(..count).unwrap_or_default());
        spent += cpu(&getrusage(UsageWho::RUSAGE_SELF)?).saturating_sub(before);
    }
    std::hint::black_box(hasher.finalize());
    Ok(spent.as_secs_f64())
}

/// A driver in small: a store, and what makes volumes of it.
pub(crate) struct Driver {
    pub(crate) volumes: Volumes<Linux>,
    pub(crate) features: Features,
    /// Where targets are.
    pub(crate) pods: PathBuf,
}

/// The runtime that the program has.
pub(crate) fn runtime() -> Outcome<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(war_vol::volume::WORKERS)
        .max_blocking_threads(16)
        .enable_all()
        .build()?)
}

impl Driver {
    /// Of a caller that stays to the end.
    pub(crate) async fn publish(&self, want: PublishRequest) -> Result<(), Error> {
        self.volumes.publish(want, &Caller::stays()).await
    }

    /// Must be called within a runtime.
    pub(crate) fn open(dir: &Path, flights: usize) -> Outcome<Self> {
        let pods = dir.join("pods");
        std::fs::create_dir_all(&pods)?;
        let store = Arc::new(Store::open(&Settings {
            root: dir.join("root"),
            limits: Limits {
                cache: None,
                free: "0".parse()?,
            },
            owner: Settings::OWNER,
        })?);
        let minute = Duration::from_secs(60);
        let mounter = Linux::new(store.root())?;
        let features = mounter.features();
        let http = Factory::new(&HttpSettings {
            ca_file: None,
            connect_timeout: minute,
        })?;
        let parts = Parts {
            store: Arc::clone(&store),
            sources: Sources::new(http),
            retry_policy: RetryPolicy {
                tries: 1,
                pause: Duration::from_millis(500),
                longest_pause: minute,
                stall_time: minute,
                stall_speed: 1024,
            },
            flights,
            metrics: Downloads::default(),
        };
        let volumes = Volumes::open(
            store,
            Acquire::new(parts),
            Policy::new(1 << 36),
            mounter,
            Context::default(),
        )?;
        Ok(Self {
            volumes,
            features,
            pods,
        })
    }

    /// What kubelet asks for; the directory that it makes for the pod is there.
    pub(crate) fn want(&self, name: &str, layout: Layout, object: &str) -> Outcome<PublishRequest> {
        let (sha256, url) = object.split_once(' ').ok_or("SHA-256 and URL")?;
        let pod = self.pods.join(name);
        std::fs::create_dir_all(&pod)?;
        let attributes = BTreeMap::from([
            ("downloadURL".to_owned(), url.to_owned()),
            ("checksum".to_owned(), format!("sha256:{sha256}")),
            ("fileName".to_owned(), "artifact.bin".to_owned()),
        ]);
        Ok(PublishRequest {
            volume: name.to_owned(),
            target: Target::within(&self.pods, &pod.join("mount"))?,
            attributes,
            secrets: BTreeMap::new(),
            readonly: layout == Layout::Bind,
            writable: if layout == Layout::Overlay {
                Writable::Yes
            } else {
                Writable::No
            },
            sharing: Sharing::ManyTargets,
            group: None,
            pod: None,
            claim: None,
            persistent_volume: None,
            node: None,
            owner: Owner::Kubelet {
                dir: self.pods.clone(),
                inode: 1,
            },
        })
    }
}

/// How a volume is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Layout {
    /// Read-only, because the call says so
    Bind,
    /// Read-only, because we say so
    ReadOnly,
    /// Writable
    Overlay,
}

impl Layout {
    pub(crate) const ALL: [Self; 3] = [Self::Bind, Self::ReadOnly, Self::Overlay];

    /// As an argument.
    pub(crate) fn argument(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::ReadOnly => "read-only",
            Self::Overlay => "overlay",
        }
    }

    /// In the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bind => "read-only bind",
            Self::ReadOnly => "read-only overlay",
            Self::Overlay => "writable overlay",
        }
    }
}
