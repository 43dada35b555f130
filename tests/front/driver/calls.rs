//! The calls, as kubelet makes them.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tonic::{Code, Request, Status};
use war_vol::csi::proto::identity_client::IdentityClient;
use war_vol::csi::proto::node_client::NodeClient;
use war_vol::csi::proto::volume_capability::access_mode::Mode;
use war_vol::csi::proto::volume_capability::{AccessMode, AccessType, MountVolume};
use war_vol::csi::proto::{
    NodeGetVolumeStatsRequest, NodePublishVolumeRequest, NodeUnpublishVolumeRequest, ProbeRequest,
    VolumeCapability,
};

use super::Driver;

/// Success, or the code and the message.
pub(crate) type Answer = Result<(), (Code, String)>;

/// A volume of a pod, and how it is asked for.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) request: NodePublishVolumeRequest,
}

impl Driver {
    /// Whether it says that it is ready; nothing if it does not answer.
    pub(crate) fn probe(&self) -> Option<bool> {
        self.wait(async {
            let mut client = IdentityClient::new(self.dial().await.ok()?);
            client.probe(ProbeRequest {}).await.ok()?.into_inner().ready
        })
    }

    /// What kubelet asks for a pod with an inline volume: its directory is there, the target is not.
    pub(crate) fn inline(&self, pod: &str, url: &str) -> Call {
        self.volume(pod, url, Mode::SingleNodeMultiWriter)
            .context(&[
                ("csi.storage.k8s.io/ephemeral", "true"),
                ("csi.storage.k8s.io/pod.name", pod),
                ("csi.storage.k8s.io/pod.namespace", "default"),
                ("csi.storage.k8s.io/pod.uid", pod),
                ("csi.storage.k8s.io/serviceAccount.name", "default"),
            ])
    }

    /// What kubelet asks for a pod with a claim: every key that it and external-provisioner really send.
    pub(crate) fn claim(&self, pod: &str, url: &str, mode: Mode) -> Call {
        self.volume(pod, url, mode).context(&[
            ("csi.storage.k8s.io/ephemeral", "false"),
            ("csi.storage.k8s.io/pod.name", pod),
            ("csi.storage.k8s.io/pod.namespace", "default"),
            ("csi.storage.k8s.io/pod.uid", pod),
            ("csi.storage.k8s.io/serviceAccount.name", "default"),
            (
                "storage.kubernetes.io/csiProvisionerIdentity",
                "1763740000000-8081-war-vol.geektime.org",
            ),
        ])
    }

    fn volume(&self, pod: &str, url: &str, mode: Mode) -> Call {
        let target = self.target(pod);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        let capability = VolumeCapability {
            access_mode: Some(AccessMode { mode: mode.into() }),
            access_type: Some(AccessType::Mount(MountVolume::default())),
        };
        Call {
            request: NodePublishVolumeRequest {
                volume_id: format!("csi-{pod}"),
                target_path: target.to_str().unwrap().to_owned(),
                volume_capability: Some(capability),
                volume_context: HashMap::from([("downloadURL".to_owned(), url.to_owned())]),
                ..Default::default()
            },
        }
    }

    /// Publishes with the two minutes that kubelet gives.
    pub(crate) fn publish(&self, call: &Call) -> Answer {
        self.publish_within(call, Duration::from_secs(120))
    }

    /// Publishes with a deadline.
    pub(crate) fn publish_within(&self, call: &Call, deadline: Duration) -> Answer {
        self.wait(self.publishing(call, deadline))
    }

    pub(crate) async fn publishing(&self, call: &Call, deadline: Duration) -> Answer {
        let mut request = Request::new(call.request.clone());
        request.set_timeout(deadline);
        let channel = self.dial().await.map_err(nobody)?;
        let answer = NodeClient::new(channel).node_publish_volume(request).await;
        answer.map(drop).map_err(said)
    }

    /// Unpublishes with the two minutes that kubelet gives.
    pub(crate) fn unpublish(&self, call: &Call) -> Answer {
        self.unpublish_within(call, Duration::from_secs(120))
    }

    /// Unpublishes with a deadline.
    pub(crate) fn unpublish_within(&self, call: &Call, deadline: Duration) -> Answer {
        let mut request = Request::new(NodeUnpublishVolumeRequest {
            volume_id: call.request.volume_id.clone(),
            target_path: call.request.target_path.clone(),
        });
        request.set_timeout(deadline);
        self.wait(async {
            let channel = self.dial().await.map_err(nobody)?;
            let answer = NodeClient::new(channel)
                .node_unpublish_volume(request)
                .await;
            answer.map(drop).map_err(said)
        })
    }

    /// How much a volume holds: bytes used, of all, free.
    pub(crate) fn stats(
        &self,
        volume: &str,
        path: &str,
    ) -> Result<(i64, i64, i64), (Code, String)> {
        let request = NodeGetVolumeStatsRequest {
            volume_id: volume.to_owned(),
            volume_path: path.to_owned(),
            ..Default::default()
        };
        self.wait(async {
            let channel = self.dial().await.map_err(nobody)?;
            let answer = NodeClient::new(channel)
                .node_get_volume_stats(request)
                .await;
            let usage = answer.map_err(said)?.into_inner().usage.remove(0);
            Ok((usage.used, usage.total, usage.available))
        })
    }
}

impl Call {
    /// With these attributes, too.
    pub(crate) fn context(mut self, more: &[(&str, &str)]) -> Self {
        let more = more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        self.request.volume_context.extend(more);
        self
    }

    /// With this key in the publish secret.
    pub(crate) fn secret(mut self, key: &str, value: &str) -> Self {
        self.request
            .secrets
            .insert(key.to_owned(), value.to_owned());
        self
    }

    /// As a pod asks for it that says `readOnly`.
    pub(crate) fn read_only(mut self) -> Self {
        self.request.readonly = true;
        self
    }

    /// The same volume in another pod.
    pub(crate) fn at(mut self, driver: &Driver, pod: &str) -> Self {
        let target = driver.target(pod);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        self.request.target_path = target.to_str().unwrap().to_owned();
        self
    }

    /// How it may be mounted.
    pub(crate) fn mounted(mut self, change: impl FnOnce(&mut MountVolume)) -> Self {
        if let Some(AccessType::Mount(mount)) = self
            .request
            .volume_capability
            .as_mut()
            .and_then(|c| c.access_type.as_mut())
        {
            change(mount);
        }
        self
    }

    /// Where it is seen.
    pub(crate) fn target(&self) -> PathBuf {
        PathBuf::from(&self.request.target_path)
    }
}

/// There is no driver.
fn nobody(error: tonic::transport::Error) -> (Code, String) {
    (Code::Unknown, format!("nobody answers: {error}"))
}

pub(super) fn said(status: Status) -> (Code, String) {
    let words = status.message().to_owned();
    assert!(words.len() <= 1000, "{} bytes: {words}", words.len());
    (status.code(), words)
}
