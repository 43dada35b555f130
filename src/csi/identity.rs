//! The Identity service: who this is, and what it can.

use std::sync::Arc;

use tonic::{Request, Response, async_trait};

use super::Answer;
use super::proto::identity_server;
use super::proto::plugin_capability::{Service, Type, service};
use super::proto::{
    GetPluginCapabilitiesRequest, GetPluginCapabilitiesResponse, GetPluginInfoRequest,
    GetPluginInfoResponse, PluginCapability, ProbeRequest, ProbeResponse,
};

/// Answers for the plugin as a whole.
#[derive(Clone)]
pub struct Identity {
    /// The driver's name, as pods and StorageClasses write it.
    pub name: String,
    /// Whether volumes can be provisioned here.
    pub controller: bool,
    /// Whether calls can be answered.
    pub ready: Arc<dyn Fn() -> bool + Send + Sync>,
}

#[async_trait]
impl identity_server::Identity for Identity {
    async fn get_plugin_info(
        &self,
        _: Request<GetPluginInfoRequest>,
    ) -> Answer<GetPluginInfoResponse> {
        Ok(Response::new(GetPluginInfoResponse {
            name: self.name.clone(),
            vendor_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Default::default()
        }))
    }

    async fn get_plugin_capabilities(
        &self,
        _: Request<GetPluginCapabilitiesRequest>,
    ) -> Answer<GetPluginCapabilitiesResponse> {
        let controller = self.controller.then(|| PluginCapability {
            r#type: Some(Type::Service(Service {
                r#type: service::Type::ControllerService.into(),
            })),
        });
        Ok(Response::new(GetPluginCapabilitiesResponse {
            capabilities: controller.into_iter().collect(),
        }))
    }

    async fn probe(&self, _: Request<ProbeRequest>) -> Answer<ProbeResponse> {
        Ok(Response::new(ProbeResponse {
            ready: Some((self.ready)()),
        }))
    }
}
