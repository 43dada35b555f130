//! The socket that commands reach this driver by, however often it takes to get it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::admin;
use crate::fault;
use crate::lock::Short;
use crate::mount::Linux;
use crate::volume::{Kubelet, Volumes};

/// How long until what failed is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// Whether commands reach this driver. Clones are one.
#[derive(Clone, Debug, Default)]
pub(super) struct Commands {
    failed: Arc<Short<Option<String>>>,
}

impl Commands {
    /// Why they do not; nothing where they do, or nobody has tried yet. Volumes come and go without them, because kubelet
    /// has a socket of its own: so it is a warning.
    pub(super) fn warning(&self) -> Option<String> {
        let failed = self.failed.lock().clone()?;
        Some(format!(
            "commands and FlexVolume calls cannot reach this driver: {failed}; retrying every {} s",
            AGAIN.as_secs()
        ))
    }

    /// Serves until `stop`.
    pub(super) async fn serve(
        &self,
        root: &Path,
        (volumes, kubelet): (Arc<Volumes<Linux>>, Kubelet),
        stop: CancellationToken,
    ) {
        let serves = || *self.failed.lock() = None;
        loop {
            let of = (Arc::clone(&volumes), kubelet.clone());
            let Err(error) = admin::serve(root, of, stop.clone(), serves).await else {
                return;
            };
            tracing::error!(%error, "commands cannot reach this driver; retrying in {AGAIN:?}");
            *self.failed.lock() = Some(fault::line(&error));
            if tokio::time::timeout(AGAIN, stop.cancelled()).await.is_ok() {
                return;
            }
        }
    }
}
