//! Small files that say something about an artifact, and are read before it.

use futures_util::{StreamExt, TryStreamExt};

use super::body::speed::not_stalled;
use super::progress::{Phase, Progress};
use super::retries::Retries;
use super::{Error, RetryPolicy};
use crate::artifact::{ArtifactUrl, Digest, checksum_file};
use crate::policy::Permit;
use crate::source::{self, Answer, Factory, Source, Start};

/// How what a permit names is read.
#[derive(Clone, Copy)]
pub(super) struct Documents<'a> {
    pub(super) sources: &'a Factory,
    pub(super) permit: &'a Permit,
    pub(super) retry_policy: &'a RetryPolicy,
    pub(super) progress: &'a Progress,
}

impl Documents<'_> {
    /// The permit with the digest that its checksum file has; nothing where no file is named.
    pub(super) async fn promised(&self) -> Result<Option<Permit>, Error> {
        let request = self.permit.request();
        let Some(file) = &request.checksum_file else {
            return Ok(None);
        };
        let read = self.read(file);
        let text = tokio::select! {
            biased;
            text = read => text?,
            () = self.progress.stopped() => return Err(Error::stopped(&request.url)),
        };
        let digest = digest(&text, file, &request.url);
        let digest = digest.map_err(|why| Error::checksum_file(file, why))?;
        tracing::info!(%file, %digest, "read the checksum file");
        Ok(Some(self.permit.clone().promised(digest.into())))
    }

    /// Credentials are for the artifact's own origin.
    async fn read(&self, url: &ArtifactUrl) -> Result<Vec<u8>, Error> {
        let request = self.permit.request();
        let is_same = url.as_url().origin() == request.url.as_url().origin();
        let credentials = match is_same {
            true => request.credentials.clone(),
            false => source::Credentials::default(),
        };
        let rule = self.permit.address_rule();
        let source = self.sources.source(url, rule, &credentials);
        let mut retries = Retries::new(self.retry_policy, self.progress);
        loop {
            self.progress.enter(Phase::Asking);
            match self.attempt(&source, url).await {
                Err(error) => retries.pause(error).await?,
                read => return read,
            }
        }
    }

    async fn attempt(&self, source: &Source, url: &ArtifactUrl) -> Result<Vec<u8>, Error> {
        let Answer::Object(object) = source.open(&Start::Beginning).await? else {
            return Err(source::Error::changed(url).into());
        };
        if let Some(coding) = object.facts.coding {
            let why = format!("comes with {coding}, which was not requested");
            return Err(Error::checksum_file(url, why));
        }
        let mut body = not_stalled(object.body.err_into().boxed(), url, self.retry_policy);
        let mut text = Vec::new();
        while let Some(bytes) = body.try_next().await? {
            text.extend_from_slice(&bytes);
            if text.len() as u64 > checksum_file::LONGEST {
                let why = format!(
                    "is longer than {}",
                    crate::artifact::Bytes(checksum_file::LONGEST)
                );
                return Err(Error::checksum_file(url, why));
            }
        }
        match object.facts.length {
            Some(length) if length != text.len() as u64 => {
                Err(source::Error::short(url, text.len() as u64, length).into())
            }
            Some(_) | None => Ok(text),
        }
    }
}

/// By the name that the artifact has at its own server, whatever it is called in the volume.
fn digest(text: &[u8], file: &ArtifactUrl, artifact: &ArtifactUrl) -> Result<Digest, String> {
    let name = artifact.file_name().map_err(|e| e.to_string())?;
    let (name, own) = (name.as_str(), file.file_name());
    let rest = own
        .as_ref()
        .ok()
        .and_then(|own| own.as_str().strip_prefix(name));
    checksum_file::find(text, name, rest.is_some_and(|rest| rest.starts_with('.')))
}
