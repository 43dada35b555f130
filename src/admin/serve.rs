//! The service on its socket, from the first call to the last.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::proto::admin_server::AdminServer;
use super::server::Server;
use super::space::Space;
use super::{Error, LONGEST_MESSAGE, SocketDir};
use crate::socket::{self, Bound, Replaces};
use crate::volume::{Kubelet, Mounter, Volumes};

/// How long an answer may take to its caller once the driver ends.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Serves the volumes of a store in its root, and of kubelet's pods, until `stop`. Whoever has the volumes has
/// the store's lock: a socket that is there is left over. `serves` is called once commands reach it.
pub async fn serve<M: Mounter>(
    root: &Path,
    (volumes, kubelet): (Arc<Volumes<M>>, Kubelet),
    stop: CancellationToken,
    serves: impl FnOnce(),
) -> Result<(), Error> {
    let path = root.join(SocketDir::NAME);
    let failed = |why: String| {
        let path = path.display().to_string();
        Error::Socket(socket::Error { path, why })
    };
    let space =
        Space::own().map_err(|e| failed(format!("cannot read the mount namespace: {e}")))?;
    let place = SocketDir::at(root).map_err(|e| failed(format!("its directory: {e}")))?;
    let bound = Bound::at(&place.socket(), Replaces::Any).await;
    let bound = bound.map_err(|e| failed(e.why))?;
    let name = bound.name();
    tracing::info!(socket = %path.display(), "serving the command line");
    serves();
    let server = Server {
        volumes,
        kubelet,
        space,
        stopping: stop.clone(),
        verifying: Arc::new(Semaphore::new(1)),
    };
    let service = AdminServer::new(server)
        .max_decoding_message_size(LONGEST_MESSAGE)
        .max_encoding_message_size(LONGEST_MESSAGE);
    let server = tonic::transport::Server::builder()
        .add_service(service)
        .serve_with_incoming_shutdown(bound.callers(), stop.clone().cancelled_owned());
    let ended = tokio::select! {
        ended = server => ended,
        // Every call has been answered; what is left is a caller that does not listen.
        () = late(&stop) => Ok(()),
    };
    name.unlink();
    ended.map_err(|e| failed(e.to_string()))
}

async fn late(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LAST_ANSWERS).await;
}
