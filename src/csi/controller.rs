//! The Controller service: a volume is provisioned for a claim, or no more.
//!
//! Nothing is downloaded and nothing is attached: a mistake in a StorageClass shows here, before a pod waits for it.

use std::sync::Arc;

use tonic::{Request, Response, Status, async_trait};

use super::node::log_result;
use super::proto::controller_server;
use super::proto::controller_service_capability::rpc::Type as Can;
use super::proto::controller_service_capability::{Rpc, Type};
use super::proto::validate_volume_capabilities_response::Confirmed;
use super::proto::{
    ControllerExpandVolumeRequest, ControllerExpandVolumeResponse,
    ControllerGetCapabilitiesRequest, ControllerGetCapabilitiesResponse,
    ControllerGetVolumeRequest, ControllerGetVolumeResponse, ControllerModifyVolumeRequest,
    ControllerModifyVolumeResponse, ControllerPublishVolumeRequest,
    ControllerPublishVolumeResponse, ControllerServiceCapability, ControllerUnpublishVolumeRequest,
    ControllerUnpublishVolumeResponse, CreateSnapshotRequest, CreateSnapshotResponse,
    CreateVolumeRequest, CreateVolumeResponse, DeleteSnapshotRequest, DeleteSnapshotResponse,
    DeleteVolumeRequest, DeleteVolumeResponse, GetCapacityRequest, GetCapacityResponse,
    GetSnapshotRequest, GetSnapshotResponse, ListSnapshotsRequest, ListSnapshotsResponse,
    ListVolumesRequest, ListVolumesResponse, ValidateVolumeCapabilitiesRequest,
    ValidateVolumeCapabilitiesResponse, Volume,
};
use super::{Answer, Error, convert};
use crate::fault;
use crate::volume::claims::{Claims, Provisioned};
use crate::volume::classes;

/// Answers for volumes of claims.
#[derive(Clone)]
pub struct Controller {
    /// What is provisioned.
    pub claims: Arc<Claims>,
    /// Whether nodes follow the VolumeAttributesClasses of volumes.
    pub classes: bool,
}

const ATTACHED: &str = "this driver does not attach volumes";
const SIZE: &str = "artifact volumes have a fixed size";
const LISTED: &str = "this driver does not list volumes; list their PersistentVolumes";
const SNAPSHOTS: &str = "snapshots are not supported: downloadURL defines the content of a volume";

impl Controller {
    async fn create(&self, request: CreateVolumeRequest) -> Result<Provisioned, Status> {
        let asked = convert::provision(request, self.classes)?;
        Ok(self.claims.create(asked).await?)
    }

    fn modify(&self, id: &str, request: &ControllerModifyVolumeRequest) -> Result<(), Status> {
        if !self.classes {
            return Err(Status::unimplemented(fault::line(&Error::Mutable)));
        }
        let class = convert::attributes(&request.mutable_parameters);
        Ok(self.claims.modify(id, &class)?)
    }
}

/// Whether a volume can be used as asked; if not, the line that says why.
fn supported(asked: &ValidateVolumeCapabilitiesRequest, classes: bool) -> Result<(), String> {
    convert::capabilities(&asked.volume_capabilities).map_err(|e| fault::line(&e))?;
    if !asked.mutable_parameters.is_empty() && !classes {
        return Err(fault::line(&Error::Mutable));
    }
    let class = convert::attributes(&asked.mutable_parameters);
    let written = [&asked.volume_context, &asked.parameters];
    for written in written.into_iter().filter(|map| !map.is_empty()) {
        let read = classes::read(&convert::attributes(written), &class);
        read.map_err(|e| fault::line(&e))?;
    }
    classes::check(&class).map_err(|e| fault::line(&e))
}

#[async_trait]
impl controller_server::Controller for Controller {
    async fn create_volume(
        &self,
        request: Request<CreateVolumeRequest>,
    ) -> Answer<CreateVolumeResponse> {
        let request = request.into_inner();
        let name = convert::name(&request.name)?.to_owned();
        let made = log_result("create", &name, self.create(request).await)?;
        let volume = Volume {
            capacity_bytes: i64::try_from(made.capacity).unwrap_or(i64::MAX),
            volume_id: made.id,
            volume_context: made.attributes.into_iter().collect(),
            content_source: None,
            accessible_topology: Vec::new(),
        };
        Ok(Response::new(CreateVolumeResponse {
            volume: Some(volume),
        }))
    }

    async fn delete_volume(
        &self,
        request: Request<DeleteVolumeRequest>,
    ) -> Answer<DeleteVolumeResponse> {
        let request = request.into_inner();
        let id = convert::id(&request.volume_id)?;
        let deleted = self.claims.delete(id).await;
        log_result("delete", id, deleted.map_err(Status::from))?;
        Ok(Response::new(DeleteVolumeResponse {}))
    }

    async fn validate_volume_capabilities(
        &self,
        request: Request<ValidateVolumeCapabilitiesRequest>,
    ) -> Answer<ValidateVolumeCapabilitiesResponse> {
        let request = request.into_inner();
        let id = convert::id(&request.volume_id)?;
        if request.volume_capabilities.is_empty() {
            return Err(Error::Missing("volume_capabilities").into());
        }
        self.claims.find(id).await?;
        let supported = supported(&request, self.classes);
        let confirmed = Confirmed {
            volume_context: request.volume_context,
            volume_capabilities: request.volume_capabilities,
            parameters: request.parameters,
            mutable_parameters: request.mutable_parameters,
        };
        Ok(Response::new(ValidateVolumeCapabilitiesResponse {
            confirmed: supported.is_ok().then_some(confirmed),
            message: supported.err().unwrap_or_default(),
        }))
    }

    async fn controller_get_capabilities(
        &self,
        _: Request<ControllerGetCapabilitiesRequest>,
    ) -> Answer<ControllerGetCapabilitiesResponse> {
        let modifies = self.classes.then_some(Can::ModifyVolume);
        let all = [Can::CreateDeleteVolume, Can::SingleNodeMultiWriter].into_iter();
        let capabilities = all.chain(modifies).map(|can| ControllerServiceCapability {
            r#type: Some(Type::Rpc(Rpc { r#type: can.into() })),
        });
        Ok(Response::new(ControllerGetCapabilitiesResponse {
            capabilities: capabilities.collect(),
        }))
    }

    async fn controller_publish_volume(
        &self,
        _: Request<ControllerPublishVolumeRequest>,
    ) -> Answer<ControllerPublishVolumeResponse> {
        Err(Status::unimplemented(ATTACHED))
    }

    async fn controller_unpublish_volume(
        &self,
        _: Request<ControllerUnpublishVolumeRequest>,
    ) -> Answer<ControllerUnpublishVolumeResponse> {
        Err(Status::unimplemented(ATTACHED))
    }

    async fn controller_expand_volume(
        &self,
        _: Request<ControllerExpandVolumeRequest>,
    ) -> Answer<ControllerExpandVolumeResponse> {
        Err(Status::unimplemented(SIZE))
    }

    async fn get_capacity(&self, _: Request<GetCapacityRequest>) -> Answer<GetCapacityResponse> {
        Err(Status::unimplemented(SIZE))
    }

    async fn list_volumes(&self, _: Request<ListVolumesRequest>) -> Answer<ListVolumesResponse> {
        Err(Status::unimplemented(LISTED))
    }

    async fn controller_get_volume(
        &self,
        _: Request<ControllerGetVolumeRequest>,
    ) -> Answer<ControllerGetVolumeResponse> {
        Err(Status::unimplemented(LISTED))
    }

    async fn controller_modify_volume(
        &self,
        request: Request<ControllerModifyVolumeRequest>,
    ) -> Answer<ControllerModifyVolumeResponse> {
        let request = request.into_inner();
        let id = convert::id(&request.volume_id)?;
        log_result("modify", id, self.modify(id, &request))?;
        Ok(Response::new(ControllerModifyVolumeResponse {}))
    }

    async fn create_snapshot(
        &self,
        _: Request<CreateSnapshotRequest>,
    ) -> Answer<CreateSnapshotResponse> {
        Err(Status::unimplemented(SNAPSHOTS))
    }

    async fn delete_snapshot(
        &self,
        _: Request<DeleteSnapshotRequest>,
    ) -> Answer<DeleteSnapshotResponse> {
        Err(Status::unimplemented(SNAPSHOTS))
    }

    async fn list_snapshots(
        &self,
        _: Request<ListSnapshotsRequest>,
    ) -> Answer<ListSnapshotsResponse> {
        Err(Status::unimplemented(SNAPSHOTS))
    }

    async fn get_snapshot(&self, _: Request<GetSnapshotRequest>) -> Answer<GetSnapshotResponse> {
        Err(Status::unimplemented(SNAPSHOTS))
    }
}
