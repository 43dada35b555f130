//! The driver's end.

use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, async_trait};

use super::proto::admin_server;
use super::proto::{
    CachedArtifact, HelloRequest, HelloResponse, ListCachedRequest, ListVolumesRequest, MountEvent,
    MountRequest, PruneCachedRequest, PruneCachedResponse, UnmountRequest, UnmountResponse,
    VerifyCachedRequest, VerifyEvent, Volume,
};
use super::space::Space;
use super::{Error, convert};
use crate::fault::{self, Reader};
use crate::volume::{Cache, Cached, Kubelet, Mount, Mounter, Owner, Verdict, Volumes};

/// How often one who waits is told how far it is: as often as it is drawn.
const NEWS: Duration = Duration::from_millis(100);

/// How much is sent ahead of a slow reader, in messages.
const AHEAD: usize = 16;

/// Answers for the volumes of a driver.
pub(super) struct Server<M> {
    pub(super) volumes: Arc<Volumes<M>>,
    /// Below whose directory its pods see volumes.
    pub(super) kubelet: Kubelet,
    pub(super) space: Space,
    /// True once the driver ends.
    pub(super) stopping: CancellationToken,
    /// To read all artifacts again takes a thread and the disk for long, and the volumes need them more.
    pub(super) verifying: Arc<Semaphore>,
}

/// What a call of gRPC comes to.
type Answer<T> = Result<Response<T>, Status>;

type Answers<T> = BoxStream<'static, Result<T, Status>>;

impl<M: Mounter> Server<M> {
    /// Does what may block where that hurts nobody; ends with the driver.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Volumes<M>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let volumes = Arc::clone(&self.volumes);
        let task = self.volumes.pool().run(move || work(&volumes));
        self.unless_stopping(async { task.await.unwrap_or_else(|what| Err(Error::Bug(what))) })
            .await
    }

    /// A pod may have gone while no driver was there, and its directories only after the next one had looked.
    fn sweep(&self) {
        let volumes = Arc::clone(&self.volumes);
        let sweep = move || match volumes.sweep() {
            Ok(0) => {}
            Ok(swept) => tracing::info!(swept, "volumes whose pods are gone"),
            Err(error) => tracing::warn!(%error, "cannot check for volumes whose pods are gone"),
        };
        self.volumes.pool().try_begin(sweep);
    }

    async fn unless_stopping<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.stopping.cancelled() => Err(Error::Stopping),
        }
    }
}

/// What comes of a task, until the driver ends.
fn answers<T: Send + 'static>(
    from: Receiver<Result<T, Error>>,
    stopping: CancellationToken,
) -> Response<Answers<T>> {
    let answers = stream::unfold(Some((from, stopping)), |state| async {
        let (mut from, stopping) = state?;
        tokio::select! {
            biased;
            next = from.recv() => {
                let next = next?.map_err(Status::from);
                let rest = next.is_ok().then_some((from, stopping));
                Some((next, rest))
            }
            () = stopping.cancelled() => Some((Err(Error::Stopping.into()), None)),
        }
    });
    Response::new(answers.boxed())
}

fn all<T: Send + 'static>(answers: Vec<T>) -> Response<Answers<T>> {
    Response::new(stream::iter(answers.into_iter().map(Ok)).boxed())
}

/// Mounts, and tells how far it is. Who hangs up does not come again as kubelet does.
async fn mount<M: Mounter>(
    volumes: Arc<Volumes<M>>,
    (mount, owner): (Mount, Owner),
    events: Sender<Result<MountEvent, Error>>,
) {
    let target = mount.target.clone();
    let reader = match owner {
        Owner::CommandLine => Reader::MountByDriver,
        Owner::Kubelet { .. } => Reader::Volume,
    };
    tracing::info!(dir = ?target.path(), "a command is waiting for a mount");
    let mut work =
        volumes.spawn(async move |volumes, caller| volumes.mount(mount, owner, &caller).await);
    let mut ticks = interval(NEWS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mounted = loop {
        tokio::select! {
            biased;
            mounted = &mut work => break Some(mounted),
            () = events.closed() => break None,
            _ = ticks.tick() => {
                if let Some(snapshot) = volumes.mounting(&target) {
                    // Whoever reads slowly gets the next ones.
                    let _ = events.try_send(Ok(convert::progress(snapshot)));
                }
            }
        }
    };
    let dir = target.path();
    match mounted {
        None => {
            tracing::info!(?dir, "mount: abandoned by its caller");
            work.stop().await;
            volumes.give_up(&target);
        }
        Some(Ok(record)) => {
            tracing::info!(?dir, digest = %record.sha256, "mount: done");
            let _ = events.send(convert::shown(&record)).await;
        }
        Some(Err(error)) => {
            tracing::warn!(?dir, "mount: {}", fault::line(&error));
            let told = Error::Told {
                fault: error.fault(),
                words: reader.line(&error),
            };
            let _ = events.send(Err(told)).await;
            volumes.clean_up_later();
        }
    }
}

/// Reads everything again, until nobody listens any more.
fn verify(cache: &Cache, events: &Sender<Result<VerifyEvent, Error>>) {
    let says = |cached: &Cached, verdict| {
        if let Some(Verdict::Damaged { found }) = &verdict {
            let sha256 = &cached.sha256;
            tracing::warn!("{sha256} is damaged and was discarded: its content hashes to {found}");
        }
        match events.blocking_send(Ok(convert::verified(cached, verdict))) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    };
    if let Err(error) = cache.verify(says) {
        let _ = events.blocking_send(Err(error.into()));
    }
}

#[async_trait]
impl<M: Mounter> admin_server::Admin for Server<M> {
    type ListVolumesStream = Answers<Volume>;
    type MountStream = Answers<MountEvent>;
    type ListCachedStream = Answers<CachedArtifact>;
    type VerifyCachedStream = Answers<VerifyEvent>;

    async fn meet(&self, _: Request<HelloRequest>) -> Answer<HelloResponse> {
        Ok(Response::new(HelloResponse {
            pid: std::process::id(),
            mounts_device: self.space.device,
            mounts_inode: self.space.inode,
        }))
    }

    async fn list_volumes(&self, _: Request<ListVolumesRequest>) -> Answer<Answers<Volume>> {
        let list = |volumes: &Volumes<M>| {
            let listed = volumes.list()?.into_iter();
            listed.map(convert::volume).collect()
        };
        Ok(all(self.blocking(list).await?))
    }

    async fn mount(&self, request: Request<MountRequest>) -> Answer<Answers<MountEvent>> {
        let request = request.into_inner();
        if request.pod.is_some() {
            self.sweep();
        }
        let wanted = convert::mount(request, &self.kubelet)?;
        let (sender, events) = channel(AHEAD);
        tokio::spawn(mount(Arc::clone(&self.volumes), wanted, sender));
        Ok(answers(events, self.stopping.clone()))
    }

    async fn unmount(&self, request: Request<UnmountRequest>) -> Answer<UnmountResponse> {
        let request = request.into_inner();
        let target = match request.pod {
            None => convert::target(request.dir)?,
            Some(_) => convert::pod_target(&request.dir, &self.kubelet)?,
        };
        let (dir, for_pod) = (target.path(), request.pod.is_some());
        let work = self.volumes.spawn(async move |volumes, _| {
            let was_there = match for_pod {
                false => volumes.unmount(&target).await?,
                true => volumes.unmount_for_pod(&target).await?,
            };
            volumes.clean_up_later();
            Ok(was_there)
        });
        let was_there = self.unless_stopping(work).await?;
        if for_pod {
            self.sweep();
        }
        tracing::info!(?dir, was_there, "unmount: done");
        Ok(Response::new(UnmountResponse { was_there }))
    }

    async fn list_cached(&self, _: Request<ListCachedRequest>) -> Answer<Answers<CachedArtifact>> {
        let list = |volumes: &Volumes<M>| Ok(volumes.cache().list()?);
        let held = self.blocking(list).await?;
        Ok(all(held.into_iter().map(convert::artifact).collect()))
    }

    async fn verify_cached(&self, _: Request<VerifyCachedRequest>) -> Answer<Answers<VerifyEvent>> {
        let (sender, events) = channel(AHEAD);
        let (cache, verifying) = (self.volumes.cache(), Arc::clone(&self.verifying));
        let pool = self.volumes.pool().clone();
        tokio::spawn(async move {
            let turn = tokio::select! {
                turn = verifying.acquire_owned() => turn,
                () = sender.closed() => return,
            };
            let work = move || {
                let _turn = turn;
                verify(&cache, &sender);
            };
            if let Err(error) = pool.run(work).await {
                tracing::error!(error, "a verification task ended unexpectedly");
            }
        });
        Ok(answers(events, self.stopping.clone()))
    }

    async fn prune_cached(&self, _: Request<PruneCachedRequest>) -> Answer<PruneCachedResponse> {
        let prune = |volumes: &Volumes<M>| Ok(volumes.cache().prune()?);
        let (artifacts, bytes) = self.blocking(prune).await?;
        tracing::info!(artifacts, bytes, "pruned");
        Ok(Response::new(PruneCachedResponse {
            artifacts: u64::try_from(artifacts).unwrap_or(u64::MAX),
            bytes,
        }))
    }
}
