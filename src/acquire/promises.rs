//! What is asked before an artifact: where it is, and what it hashes to.

use super::Error;
use super::document::{DocumentKind, Documents};
use crate::artifact::{ArtifactUrl, Digest, checksum_file};
use crate::policy::Permit;

const CHECKSUM_FILE: DocumentKind = DocumentKind {
    longest: checksum_file::LONGEST,
    wrong: |url, why| Error::checksum_file(url, why),
};

impl Documents<'_> {
    /// The permit with the checksum that a file at a server has: the one that is named, or one beside a file in a Maven
    /// repository. Nothing where no file is asked.
    pub(super) async fn promised(&self) -> Result<Option<Permit>, Error> {
        let request = self.permit.request();
        if request.promise.is_some() {
            return Ok(None);
        }
        match (&request.checksum_file, &request.maven) {
            (Some(file), _) => self.unless_stopped(self.listed(file)).await.map(Some),
            (None, Some(maven)) => self.unless_stopped(self.beside(maven)).await,
            (None, None) => Ok(None),
        }
    }

    /// The permit for the file that Maven coordinates mean now; nothing where none are named.
    pub(super) async fn located(&self) -> Result<Option<Permit>, Error> {
        match &self.permit.request().maven {
            Some(maven) => self.unless_stopped(self.found(maven)).await.map(Some),
            None => Ok(None),
        }
    }

    async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.progress.stopped() => Err(Error::stopped(&self.permit.request().url)),
        }
    }

    async fn listed(&self, file: &ArtifactUrl) -> Result<Permit, Error> {
        let text = self.read(file, CHECKSUM_FILE).await?;
        if text.len() as u64 > checksum_file::LONGEST {
            let longest = crate::artifact::Bytes(checksum_file::LONGEST);
            return Err(Error::checksum_file(
                file,
                format!("is longer than {longest}"),
            ));
        }
        let digest = digest(&text, file, &self.permit.request().url);
        let digest = digest.map_err(|why| Error::checksum_file(file, why))?;
        tracing::info!(%file, %digest, "read the checksum file");
        Ok(self.permit.clone().promised(digest.into(), file.clone()))
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
