//! The services on their socket, from the first call to the last.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic_health::ServingStatus;

use super::no_node::NoNode;
use super::proto::controller_server::ControllerServer;
use super::proto::identity_server::IdentityServer;
use super::proto::node_server::NodeServer;
use super::socket::{self, Bound, Replaces, private_directory};
use super::{Controller, Endpoint, Error, Identity, Node, Registration};
use crate::volume::Mounter;

/// How often readiness is looked at for the health service.
const LOOK: Duration = Duration::from_secs(1);

/// How long running calls may go on once no new one is taken.
const LAST_CALLS: Duration = Duration::from_secs(5);

/// What is served.
pub struct Services<M> {
    /// Who this is.
    pub identity: Identity,
    /// This node, where volumes are shown.
    pub node: Option<Node<M>>,
    /// Provisioning, for a StorageClass.
    pub controller: Option<Controller>,
    /// With kubelet, where no other registrar does it.
    pub registration: Option<Registration>,
}

/// Serves until `stop`; then no call is taken any more, and those that run are waited for.
pub async fn serve<M: Mounter>(
    endpoint: &Endpoint,
    services: Services<M>,
    stop: CancellationToken,
) -> Result<(), Error> {
    private_directory(endpoint.path())?;
    let bound = Bound::at(endpoint.path(), Replaces::Stale).await?;
    let name = bound.name();
    tracing::info!(%endpoint, "serving CSI");
    let registration = services.registration.map(Registration::begin);
    let (health, healthy) = tonic_health::server::health_reporter();
    let ready = Arc::clone(&services.identity.ready);
    let reports = async {
        loop {
            let status = if ready() {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            };
            health.set_service_status("", status).await;
            tokio::time::sleep(LOOK).await;
        }
    };
    let asks = services.controller.as_ref().is_some_and(|c| c.classes);
    let no_node = (asks && services.node.is_none()).then(|| NodeServer::new(NoNode));
    let server = Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .add_service(healthy)
        .add_service(IdentityServer::new(services.identity))
        .add_optional_service(services.node.map(NodeServer::new))
        .add_optional_service(no_node)
        .add_optional_service(services.controller.map(ControllerServer::new))
        .serve_with_incoming_shutdown(bound.callers(), stop.clone().cancelled_owned());
    let ended = tokio::select! {
        ended = server => ended,
        () = reports => Ok(()),
        () = late(&stop) => {
            tracing::warn!("aborting calls that still run after {LAST_CALLS:?}");
            Ok(())
        }
    };
    name.unlink();
    if let Some(registration) = registration {
        registration.end().await;
    }
    let failed = |e: tonic::transport::Error| socket::Error {
        path: endpoint.to_string(),
        why: e.to_string(),
    };
    Ok(ended.map_err(failed)?)
}

async fn late(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LAST_CALLS).await;
}
