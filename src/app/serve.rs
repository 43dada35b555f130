//! The driver: from its settings to its last answer.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit, umask};
use tokio_util::sync::CancellationToken;

use super::commands::Commands;
use super::objects::ObjectWatch;
use super::policy::PolicyFile;
use super::settings::{driver_name, kubelet, node_id, registration};
use super::startup::Removal;
use super::versions::Versions;
use super::watch::Watch;
use super::{Error, http, store_settings, wait_for_store};
use crate::config::{Downloading, Mode, Serving, Storing};
use crate::csi::{self, Controller, Endpoint, Identity, Node, Registration, Services};
use crate::fault;
use crate::metrics::Metrics;
use crate::mount::{self, Linux};
use crate::ops::Readiness;
use crate::policy::{Policy, Rules};
use crate::source::http::Factory;
use crate::store::Store;
use crate::volume::{Context, Kubelet, Pool, Volumes, VolumesHandle};

/// The fewest open files that a node's worth of volumes and downloads needs.
const FILES: u64 = 4096;

/// How long until what failed at the start is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// How long the end may take, within the 30 s that Kubernetes gives a pod.
const GRACE: Duration = Duration::from_secs(15);

/// How long the store may take at the end.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// A driver whose settings were found to be right.
pub struct Driver {
    mode: Mode,
    name: String,
    node: String,
    endpoint: Endpoint,
    kubelet: Option<Kubelet>,
    registration: Option<Registration>,
    startup_taint: Option<Removal>,
    object_watch: Option<ObjectWatch>,
    context: Context,
    classes: bool,
    http: Factory,
    storing: Storing,
    downloading: Downloading,
    rules: Rules,
    policy_file: Option<PolicyFile>,
    http_addr: Option<SocketAddr>,
    metrics: Metrics,
}

impl Driver {
    /// Looks at the settings; nothing is changed.
    pub fn new(
        serving: &Serving,
        storing: &Storing,
        downloading: &Downloading,
    ) -> Result<Self, Error> {
        let name = driver_name(&serving.driver_name)?;
        let dir = &serving.kubelet_dir;
        let endpoint = match &serving.endpoint {
            Some(text) => text.clone(),
            None => format!("unix://{}/plugins/{name}/csi.sock", dir.display()),
        };
        let endpoint: Endpoint = endpoint
            .parse()
            .map_err(|e| Error::Setting(format!("--endpoint \"{endpoint}\": {e}")))?;
        let (node, kubelet) = if serving.mode.node() {
            if !geteuid().is_root() {
                return Err(Error::NeedsRoot("serve --mode node", "mounts file systems"));
            }
            (node_id(serving.node_id.as_deref())?, Some(kubelet(dir)?))
        } else {
            (String::new(), None)
        };
        store_settings(storing)?;
        let (rules, policy_file) = PolicyFile::open(serving, downloading);
        let metrics = Metrics::new();
        let watch = ObjectWatch::new(serving, &node, &metrics)?;
        let (object_watch, context) = watch.unzip();
        Ok(Self {
            object_watch,
            context: context.unwrap_or_default(),
            classes: serving.volume_attributes_classes,
            mode: serving.mode,
            registration: registration(serving, &name, &endpoint)?,
            startup_taint: Removal::new(serving, &metrics)?,
            name,
            node,
            endpoint,
            kubelet,
            http: http(downloading)?,
            storing: storing.clone(),
            downloading: downloading.clone(),
            rules,
            policy_file,
            http_addr: serving.http_addr,
            metrics,
        })
    }

    fn open(&self, handle: &VolumesHandle<Linux>) -> Result<(), Error> {
        if let Some(kubelet) = &self.kubelet {
            Linux::propagates(&kubelet.dir)?;
        }
        handle.without_store("opening the store");
        let store = wait_for_store(&self.storing, |locked| {
            tracing::warn!("{locked}; waiting for it to exit");
            handle.without_store(locked);
        })?;
        let store = Arc::new(store.counting(self.metrics.evictions.clone()));
        let volumes = match self.mode.node() {
            true => Some(self.volumes(&store, handle.pool())?),
            false => None,
        };
        if self.mode.controller() {
            handle.claims().open(store)?;
        }
        if let Some(volumes) = volumes {
            let volumes = Arc::new(volumes);
            handle.open(Arc::clone(&volumes));
            // What others left may take long to delete, and nobody has to wait for it.
            volumes.clean_up_later();
        }
        Ok(())
    }

    fn volumes(&self, store: &Arc<Store>, pool: &Pool) -> Result<Volumes<Linux>, Error> {
        let settings = (&self.storing, &self.downloading);
        let counted = self.metrics.downloads.clone();
        let context = Context {
            pool: pool.clone(),
            ..self.context.clone()
        };
        let policy = Policy::with_rules(self.downloading.max_size, self.rules.clone());
        let volumes = super::volumes(
            store,
            self.http.clone(),
            settings,
            policy,
            (counted, context),
        )?;
        let volumes = volumes.counting(self.metrics.swaps.clone());
        let swept = volumes.sweep()?;
        tracing::info!(swept, "found the volumes on this node");
        Ok(volumes)
    }
}

/// Serves until `stop` is through.
pub async fn serve(mut driver: Driver, stop: impl Future<Output = ()>) -> Result<(), Error> {
    prepare_process()?;
    driver.log();
    let (registration, startup_taint) = (driver.registration.take(), driver.startup_taint.take());
    if let Some(watch) = driver.object_watch.take() {
        watch.begin(&driver.name);
    }
    let policy_file = driver.policy_file.take();
    let driver = Arc::new(driver);
    let handle = Arc::new(VolumesHandle::shut(Linux::untested(), Pool::default()));
    let stopping = CancellationToken::new();
    if let Some(file) = policy_file {
        tokio::spawn(file.follow(handle.pool().clone(), stopping.clone()));
    }
    // However this ends, nobody goes on.
    let _ends = stopping.clone().drop_guard();
    let (versions, commands) = (Versions::of_this_machine(), Commands::default());
    // Before anything that may take long: somebody will want to know what it waits for.
    let watch = Watch::start(
        (driver.http_addr, &driver.metrics),
        (driver.mode, &handle),
        (&versions, &commands),
        registration.as_ref().map(Registration::registered),
        stopping.clone(),
    )?;
    if let (Some(taint), Some(registration)) = (startup_taint, &registration) {
        let told = (watch.readiness(), registration.registered());
        let counted = driver.metrics.startup_taints.clone();
        taint.begin((&driver.node, &driver.name), &versions, told, counted);
    }
    let work = run(
        Arc::clone(&driver),
        Arc::clone(&handle),
        registration,
        (watch.readiness(), commands),
        stopping.clone(),
    );
    tokio::pin!(work);
    tokio::select! {
        ended = &mut work => return ended,
        () = stop => {}
    }
    tracing::info!("stopping");
    stopping.cancel();
    if tokio::time::timeout(GRACE, &mut work).await.is_err() {
        tracing::warn!("aborting what still runs after {GRACE:?}");
    }
    if let Ok(volumes) = handle.get() {
        close(volumes).await;
    }
    tracing::info!("stopped");
    Ok(())
}

/// The last work on the disk, which may hang: then the mount is left to the next driver.
async fn close(volumes: Arc<Volumes<Linux>>) {
    let pool = volumes.pool().clone();
    let closing = pool.run(move || volumes.close());
    match tokio::time::timeout(LAST_LOOK, closing).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::warn!(%error, "cannot remove the read-only view"),
        Ok(Err(_)) | Err(_) => tracing::warn!("leaving the read-only view to the next driver"),
    }
}

async fn run(
    driver: Arc<Driver>,
    handle: Arc<VolumesHandle<Linux>>,
    registration: Option<Registration>,
    (readiness, commands): (Readiness, Commands),
    stopping: CancellationToken,
) -> Result<(), Error> {
    // A store that is another's is waited for before anything is served: until then the other one serves.
    // Another's store may take for ever.
    let open = stopping.run_until_cancelled(opened(&driver, &handle));
    let Some(open) = open.await.transpose()? else {
        return Ok(());
    };
    let rest = looked_after(
        open,
        Arc::clone(&driver),
        Arc::clone(&handle),
        commands,
        stopping.clone(),
    );
    let rest = tokio::spawn(rest);
    let node = driver.kubelet.clone().map(|kubelet| Node {
        volumes: Arc::clone(&handle),
        kubelet,
        id: driver.node.clone(),
        stopping: stopping.clone(),
        calls: driver.metrics.calls.clone(),
    });
    let mode = driver.mode;
    let controller = mode.controller().then(|| Controller {
        claims: Arc::clone(handle.claims()),
        classes: driver.classes,
    });
    let identity = Identity {
        name: driver.name.clone(),
        controller: mode.controller(),
        ready: Arc::new(move || readiness.is_ready()),
    };
    let services = Services {
        identity,
        node,
        controller,
        registration,
    };
    csi::serve(&driver.endpoint, services, stopping).await?;
    rest.await.map_err(|e| Error::Bug(e.to_string()))
}

/// Opens the volumes, however often it takes, and serves the command line from then on.
async fn looked_after(
    mut open: bool,
    driver: Arc<Driver>,
    handle: Arc<VolumesHandle<Linux>>,
    commands: Commands,
    stopping: CancellationToken,
) {
    while !open {
        let again = async {
            tokio::time::sleep(AGAIN).await;
            opened(&driver, &handle).await
        };
        // Another's store may take for ever.
        let Some(Ok(now)) = stopping.run_until_cancelled(again).await else {
            return;
        };
        open = now;
    }
    if let (Ok(volumes), Some(kubelet)) = (handle.get(), driver.kubelet.clone()) {
        let root = &driver.storing.at.root;
        commands.serve(root, (volumes, kubelet), stopping).await;
    }
}

/// Tries to open the volumes; whether that went well. What is wrong is set in the handle.
async fn opened(driver: &Arc<Driver>, handle: &Arc<VolumesHandle<Linux>>) -> Result<bool, Error> {
    let task = {
        let (driver, opens) = (Arc::clone(driver), Arc::clone(handle));
        handle.pool().run(move || driver.open(&opens))
    };
    match task.await.map_err(Error::Bug)? {
        Ok(()) => Ok(true),
        Err(error) => {
            tracing::error!(%error, "not ready; retrying in {AGAIN:?}");
            let why = fault::line(&error);
            if matches!(
                error,
                Error::Mount(mount::Error::NotShared(_) | mount::Error::Privilege { .. })
            ) {
                handle.blind(why);
            } else {
                handle.without_store(why);
            }
            Ok(false)
        }
    }
}

impl Driver {
    /// What is in force, once, and nothing that is secret.
    fn log(&self) {
        let (storing, downloading) = (&self.storing, &self.downloading);
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            mode = ?self.mode,
            driver = self.name,
            node = self.node,
            endpoint = %self.endpoint,
            registration = self.registration.as_ref().map(ToString::to_string),
            startup_taint = self.startup_taint.as_ref().map(|t| t.key.to_string()),
            kubelet_dir = self.kubelet.as_ref().map(|k| k.dir.display().to_string()),
            http_addr = self.http_addr.map(tracing::field::display),
            ?storing,
            ?downloading,
            proxies = self.http.proxies(),
            "starting"
        );
    }
}

/// Modes are given in full at each call, and a node's worth of volumes needs its files.
fn prepare_process() -> Result<(), Error> {
    umask(rustix::fs::Mode::empty());
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    if most < FILES {
        return Err(Error::Setting(format!(
            "the limit on open files is {most}, but at least {FILES} are needed; raise it (ulimit -n)"
        )));
    }
    let current = limit.maximum;
    setrlimit(Resource::Nofile, Rlimit { current, ..limit })
        .map_err(|e| Error::Setting(format!("cannot set the limit on open files: {e}")))
}
