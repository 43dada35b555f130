//! The calls of external-provisioner.

use tonic::{Code, Request};
use war_vol::csi::proto::controller_client::ControllerClient;
use war_vol::csi::proto::validate_volume_capabilities_response::Confirmed;
use war_vol::csi::proto::volume_capability::access_mode::Mode;
use war_vol::csi::proto::volume_capability::{AccessMode, AccessType, MountVolume};
use war_vol::csi::proto::{
    CapacityRange, CreateVolumeRequest, DeleteVolumeRequest, ValidateVolumeCapabilitiesRequest,
    Volume, VolumeCapability,
};

use super::Driver;
use super::calls::{Answer, said};
use crate::sandbox::Sandbox;

/// An artifact that is never asked for.
pub(crate) const URL: &str = "https://example.com/v2/sample.war";

/// How a volume may be used: by files, in this access mode.
pub(super) fn capability(mode: Mode) -> VolumeCapability {
    VolumeCapability {
        access_mode: Some(AccessMode { mode: mode.into() }),
        access_type: Some(AccessType::Mount(MountVolume {
            fs_type: "ext4".to_owned(),
            ..Default::default()
        })),
    }
}

/// What external-provisioner asks for a claim of 1 GiB: every key that it really sends.
pub(crate) fn claim(name: &str, parameters: &[(&str, &str)]) -> CreateVolumeRequest {
    let metadata = [
        ("csi.storage.k8s.io/pvc/name", "sample"),
        ("csi.storage.k8s.io/pvc/namespace", "default"),
        ("csi.storage.k8s.io/pv/name", name),
    ];
    let pairs = parameters.iter().chain(&metadata);
    CreateVolumeRequest {
        name: name.to_owned(),
        capacity_range: Some(CapacityRange {
            required_bytes: 1 << 30,
            limit_bytes: 0,
        }),
        volume_capabilities: vec![capability(Mode::MultiNodeReaderOnly)],
        parameters: pairs
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        ..Default::default()
    }
}

impl Driver {
    /// Starts a controller alone, and waits until it is ready.
    pub(crate) fn controller(sandbox: &Sandbox, more: &[&str]) -> Self {
        let mut command = sandbox.war_vol();
        command.args(["serve", "--mode", "controller"]);
        let driver = Self::of(sandbox, command, more);
        driver.is_ready();
        driver
    }

    /// Provisions a volume.
    pub(crate) fn create(&self, asked: &CreateVolumeRequest) -> Result<Volume, (Code, String)> {
        self.wait(async {
            let channel = self.dial().await.expect("the driver answers");
            let call = Request::new(asked.clone());
            let answer = ControllerClient::new(channel).create_volume(call).await;
            Ok(answer.map_err(said)?.into_inner().volume.unwrap())
        })
    }

    /// Deletes what was provisioned.
    pub(crate) fn delete(&self, id: &str) -> Answer {
        let request = DeleteVolumeRequest {
            volume_id: id.to_owned(),
            ..Default::default()
        };
        self.wait(async {
            let channel = self.dial().await.expect("the driver answers");
            let answer = ControllerClient::new(channel).delete_volume(request).await;
            answer.map(drop).map_err(said)
        })
    }

    /// Asks whether a volume may be used like that.
    pub(super) fn validate(
        &self,
        request: ValidateVolumeCapabilitiesRequest,
    ) -> Result<(Option<Confirmed>, String), (Code, String)> {
        self.wait(async {
            let channel = self.dial().await.expect("the driver answers");
            let mut client = ControllerClient::new(channel);
            let answer = client.validate_volume_capabilities(request).await;
            let answer = answer.map_err(said)?.into_inner();
            Ok((answer.confirmed, answer.message))
        })
    }
}

/// The words of a refusal, which must have this code.
pub(crate) fn refused<T>(answer: Result<T, (Code, String)>, code: Code) -> String {
    let (is, words) = answer.err().expect("it must be refused");
    assert_eq!(is, code, "{words}");
    words
}
