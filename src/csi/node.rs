//! The Node service: a volume is seen, or no more, on this node.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, async_trait};

use super::proto::node_server;
use super::proto::node_service_capability::rpc::Type as Can;
use super::proto::node_service_capability::{Rpc, Type};
use super::proto::volume_usage::Unit;
use super::proto::{
    NodeExpandVolumeRequest, NodeExpandVolumeResponse, NodeGetCapabilitiesRequest,
    NodeGetCapabilitiesResponse, NodeGetInfoRequest, NodeGetInfoResponse,
    NodeGetVolumeStatsRequest, NodeGetVolumeStatsResponse, NodePublishVolumeRequest,
    NodePublishVolumeResponse, NodeServiceCapability, NodeStageVolumeRequest,
    NodeStageVolumeResponse, NodeUnpublishVolumeRequest, NodeUnpublishVolumeResponse,
    NodeUnstageVolumeRequest, NodeUnstageVolumeResponse, VolumeUsage,
};
use super::{Answer, Error, convert, deadline, status};
use crate::metrics::Calls;
use crate::volume::{Kubelet, Mounter, PublishRequest, Standing, Target, Volumes, VolumesHandle};

/// Answers for this node.
#[derive(Clone)]
pub struct Node<M> {
    /// The volumes, once they are there.
    pub volumes: Arc<VolumesHandle<M>>,
    /// Whose targets they have.
    pub kubelet: Kubelet,
    /// What the node is called.
    pub id: String,
    /// Cancelled once the driver ends.
    pub stopping: CancellationToken,
    /// Counts what is asked.
    pub calls: Calls,
}

impl<M: Mounter> Node<M> {
    async fn answer_publish(
        &self,
        request: Request<NodePublishVolumeRequest>,
    ) -> Result<(), Status> {
        let time_left = deadline::time_left(request.metadata());
        let request = request.into_inner();
        let volume = convert::id(&request.volume_id)?.to_owned();
        let target = convert::target(&self.kubelet, &request.target_path)?;
        let volumes = self.volumes.get()?;
        let asked = (
            convert::attributes(&request.volume_context),
            request.readonly,
        );
        let published = match convert::publish(request, target.clone(), (&self.kubelet, &self.id)) {
            Ok(request) => self.publish(&volumes, request, time_left).await,
            Err(error) => {
                let what = || format!("checking the volume at {target}");
                let place = (volume.clone(), target.clone());
                within(time_left, refuse(&volumes, place, asked, error), what).await
            }
        };
        log_result("publish", &volume, published)
    }

    async fn answer_unpublish(
        &self,
        request: Request<NodeUnpublishVolumeRequest>,
    ) -> Result<(), Status> {
        let time_left = deadline::time_left(request.metadata());
        let request = request.into_inner();
        let volume = convert::id(&request.volume_id)?;
        let target = convert::target(&self.kubelet, &request.target_path)?;
        let work = async { Ok(self.volumes.unpublish(volume, &target).await?) };
        // A disk that hangs: what has begun goes on, and the next call finds it done.
        let what = || format!("unmounting the volume at {target}");
        log_result("unpublish", volume, within(time_left, work, what).await)
    }

    /// Waits for the volume as long as its caller does, and a little less.
    async fn publish(
        &self,
        volumes: &Arc<Volumes<M>>,
        request: PublishRequest,
        time_left: std::time::Duration,
    ) -> Result<(), Status> {
        if volumes.republish(&request) {
            return Ok(());
        }
        let (volume, target) = (request.volume.clone(), request.target.clone());
        let mut work =
            volumes.spawn(async move |volumes, caller| volumes.publish(request, &caller).await);
        tokio::select! {
            biased;
            done = &mut work => Ok(done?),
            () = self.stopping.cancelled() => Err(Error::Stopping.into()),
            () = tokio::time::sleep(time_left) => {
                // Asked while it still waits: who no longer waits has no progress.
                let progress = volumes.progress(&volume, &target);
                let words = progress.map_or_else(|| format!("mounting the volume at {target}"), |p| p.rounded().to_string());
                Err(Error::Pending(words).into())
            }
        }
    }
}

/// A request that cannot be taken. For a volume that is there already that is no reason to lose it: one that is healthy
/// and asked for as before is fine, and of any other no error is final (docs/design/laws.md, laws 3 and 1).
async fn refuse<M: Mounter>(
    volumes: &Arc<Volumes<M>>,
    (volume, target): (String, Target),
    (attributes, readonly): (BTreeMap<String, String>, bool),
    error: Error,
) -> Result<(), Status> {
    let id = volume.clone();
    let standing = volumes.spawn(async move |volumes, _| {
        let asked = (&attributes, readonly);
        volumes.standing(&id, &target, asked).await
    });
    match standing.await? {
        Standing::Shown => {
            tracing::warn!(volume, %error, "ignored, because the volume is mounted");
            Ok(())
        }
        Standing::Known => Err(Status::unavailable(Status::from(error).message())),
        Standing::Unknown => Err(error.into()),
    }
}

/// Waits as long as the caller does, and a little less.
async fn within<T>(
    time_left: std::time::Duration,
    work: impl Future<Output = Result<T, Status>>,
    what: impl FnOnce() -> String,
) -> Result<T, Status> {
    match tokio::time::timeout(time_left, work).await {
        Ok(done) => done,
        Err(_) => Err(Error::Pending(what()).into()),
    }
}

/// Says in the log what the caller is told.
pub(super) fn log_result<T>(
    call: &str,
    volume: &str,
    answer: Result<T, Status>,
) -> Result<T, Status> {
    match &answer {
        Ok(_) => tracing::debug!(volume, "{call}: done"),
        Err(status) => {
            tracing::warn!(volume, code = ?status.code(), "{call}: {}", status.message());
        }
    }
    answer
}

#[async_trait]
impl<M: Mounter> node_server::Node for Node<M> {
    async fn node_publish_volume(
        &self,
        request: Request<NodePublishVolumeRequest>,
    ) -> Answer<NodePublishVolumeResponse> {
        let running = self.calls.publishes.begin();
        let answer = self.answer_publish(request).await;
        running.end(status::outcome(&answer));
        answer.map_err(|status| status::for_event(&status))?;
        Ok(Response::new(NodePublishVolumeResponse {}))
    }

    async fn node_unpublish_volume(
        &self,
        request: Request<NodeUnpublishVolumeRequest>,
    ) -> Answer<NodeUnpublishVolumeResponse> {
        let running = self.calls.unpublishes.begin();
        let answer = self.answer_unpublish(request).await;
        running.end(status::outcome(&answer));
        answer?;
        Ok(Response::new(NodeUnpublishVolumeResponse {}))
    }

    async fn node_get_volume_stats(
        &self,
        request: Request<NodeGetVolumeStatsRequest>,
    ) -> Answer<NodeGetVolumeStatsResponse> {
        let time_left = deadline::time_left(request.metadata());
        let request = request.into_inner();
        if request.volume_id.is_empty() {
            return Err(Error::Missing("volume_id").into());
        }
        if request.volume_path.is_empty() {
            return Err(Error::Missing("volume_path").into());
        }
        let volumes = self.volumes.get()?;
        // Whatever is wrong with the path, it is none where the volume is.
        let usage = match self.kubelet.target(Path::new(&request.volume_path)) {
            Ok(target) => {
                let what = format!("measuring the volume at {target}");
                let volume = request.volume_id.clone();
                let usage =
                    volumes.spawn(async move |volumes, _| volumes.usage(&volume, &target).await);
                within(time_left, async { Ok(usage.await?) }, || what).await?
            }
            Err(_) => None,
        };
        let usage = usage.ok_or(Error::Unknown {
            volume: request.volume_id,
            path: request.volume_path,
        })?;
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let bytes = VolumeUsage {
            unit: Unit::Bytes.into(),
            used: number(usage.used),
            total: number(usage.total),
            available: number(usage.free),
        };
        Ok(Response::new(NodeGetVolumeStatsResponse {
            usage: vec![bytes],
            volume_condition: None,
        }))
    }

    async fn node_get_capabilities(
        &self,
        _: Request<NodeGetCapabilitiesRequest>,
    ) -> Answer<NodeGetCapabilitiesResponse> {
        let all = [
            Can::VolumeMountGroup,
            Can::GetVolumeStats,
            Can::SingleNodeMultiWriter,
        ];
        let capabilities = all.map(|can| NodeServiceCapability {
            r#type: Some(Type::Rpc(Rpc { r#type: can.into() })),
        });
        Ok(Response::new(NodeGetCapabilitiesResponse {
            capabilities: capabilities.to_vec(),
        }))
    }

    async fn node_get_info(&self, _: Request<NodeGetInfoRequest>) -> Answer<NodeGetInfoResponse> {
        Ok(Response::new(NodeGetInfoResponse {
            node_id: self.id.clone(),
            max_volumes_per_node: 0,
            accessible_topology: None,
        }))
    }

    async fn node_stage_volume(
        &self,
        _: Request<NodeStageVolumeRequest>,
    ) -> Answer<NodeStageVolumeResponse> {
        Err(Status::unimplemented("this driver does not stage volumes"))
    }

    async fn node_unstage_volume(
        &self,
        _: Request<NodeUnstageVolumeRequest>,
    ) -> Answer<NodeUnstageVolumeResponse> {
        Err(Status::unimplemented("this driver does not stage volumes"))
    }

    async fn node_expand_volume(
        &self,
        _: Request<NodeExpandVolumeRequest>,
    ) -> Answer<NodeExpandVolumeResponse> {
        Err(Status::unimplemented("artifact volumes have a fixed size"))
    }
}
