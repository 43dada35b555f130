//! Those who watch the driver, and what they are told.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::Error;
use super::commands::Commands;
use super::disk::DiskWatch;
use super::versions::Versions;
use crate::config::Mode;
use crate::csi::Registered;
use crate::metrics::{Metrics, Seen};
use crate::mount::Linux;
use crate::ops::{Condition, Heartbeat, Ops, Readiness, Server};
use crate::volume::VolumesHandle;

/// Watches until it is dropped.
pub(super) struct Watch {
    readiness: Readiness,
    _server: Option<Server>,
}

impl Watch {
    /// From now on it is known whether the driver is ready, and said at `address`. `registered` says whether kubelet
    /// knows the driver, where making it known is the driver's own business. Must be called within the runtime
    /// that answers calls: whether that one runs is watched, too.
    pub(super) fn start(
        (address, metrics): (Option<SocketAddr>, &Metrics),
        (mode, handle): (Mode, &Arc<VolumesHandle<Linux>>),
        (versions, commands): (&Versions, &Commands),
        registered: Option<Registered>,
        stopping: CancellationToken,
    ) -> Result<Self, Error> {
        let disk = Arc::new(DiskWatch::start(Arc::clone(handle))?);
        let registered = registered.map(|r| -> Condition { Arc::new(move || r.now()) });
        let mut conditions = vec![
            still_runs(stopping),
            recovered(mode, Arc::clone(handle)),
            takes_writes(Arc::clone(&disk)),
        ];
        conditions.extend(registered.clone());
        let readiness = Readiness::new(conditions);
        let watched = Arc::new(Watched {
            readiness: readiness.clone(),
            metrics: metrics.clone(),
            handle: Arc::clone(handle),
            disk,
            registered,
        });
        let (versions, commands) = (versions.clone(), commands.clone());
        let warnings = move || {
            let too_old = versions.too_old().into_iter();
            too_old.chain(commands.warning()).collect()
        };
        let ops = Ops {
            heartbeat: Heartbeat::new(),
            readiness: readiness.clone(),
            warnings: Arc::new(warnings),
            metrics: metrics.clone(),
            look: Arc::new(move || Arc::clone(&watched).look().boxed()),
        };
        let server = address.map(|a| serve(a, ops)).transpose()?;
        Ok(Self {
            readiness,
            _server: server,
        })
    }

    /// What is missing, for all who want to know.
    pub(super) fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }
}

fn still_runs(stopping: CancellationToken) -> Condition {
    Arc::new(move || match stopping.is_cancelled() {
        true => Err("the driver is shutting down".to_owned()),
        false => Ok(()),
    })
}

fn recovered(mode: Mode, handle: Arc<VolumesHandle<Linux>>) -> Condition {
    Arc::new(move || match mode.node() {
        true => handle.check(),
        false => handle.claims().check(),
    })
}

fn takes_writes(disk: Arc<DiskWatch>) -> Condition {
    Arc::new(move || disk.check())
}

fn serve(address: SocketAddr, ops: Ops) -> Result<Server, Error> {
    let heartbeat = ops.heartbeat.clone();
    let server = Server::start(address, ops).map_err(|e| {
        Error::Setting(format!(
            "--http-addr {address}: {e}; choose a free address of this machine"
        ))
    })?;
    tokio::spawn(heartbeat.beat());
    tracing::info!(address = %server.address(), "serving /healthz, /readyz and /metrics");
    Ok(server)
}

/// What a scrape asks.
struct Watched {
    readiness: Readiness,
    metrics: Metrics,
    handle: Arc<VolumesHandle<Linux>>,
    disk: Arc<DiskWatch>,
    registered: Option<Condition>,
}

impl Watched {
    async fn look(self: Arc<Self>) {
        let found = self.disk.fresh().await;
        let volumes = self.handle.get().ok();
        self.metrics.node.set(Seen {
            ready: self.readiness.is_ready(),
            registered: self
                .registered
                .as_ref()
                .map(|registered| registered().is_ok()),
            volumes: volumes.as_ref().map(|volumes| volumes.layouts()),
            contents: volumes.map(|volumes| volumes.contents()),
            disk: found.disk,
            cache: found.cache,
        });
    }
}
