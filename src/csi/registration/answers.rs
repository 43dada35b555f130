//! The service that kubelet calls: who this is, and how registering it went.

use tokio::sync::watch;
use tonic::{Request, Response, async_trait};

use crate::csi::Answer;
use crate::csi::pluginregistration::registration_server;
use crate::csi::pluginregistration::{
    InfoRequest, PluginInfo, RegistrationStatus, RegistrationStatusResponse,
};
use crate::fault;

/// What kubelet has said last at one socket: registered, or why not.
pub(super) type Verdict = Option<Result<(), String>>;

/// Answers at one socket. What is said there after another one took its place reaches nobody.
pub(super) struct Answers {
    pub(super) info: PluginInfo,
    pub(super) verdicts: watch::Sender<Verdict>,
}

#[async_trait]
impl registration_server::Registration for Answers {
    async fn get_info(&self, _: Request<InfoRequest>) -> Answer<PluginInfo> {
        Ok(Response::new(self.info.clone()))
    }

    async fn notify_registration_status(
        &self,
        request: Request<RegistrationStatus>,
    ) -> Answer<RegistrationStatusResponse> {
        let status = request.into_inner();
        let verdict = match status.plugin_registered {
            true => Ok(()),
            false => Err(fault::line(&status.error)),
        };
        self.verdicts.send_replace(Some(verdict));
        Ok(Response::new(RegistrationStatusResponse {}))
    }
}
