//! Files in Maven repositories: which one coordinates mean now, and the checksum beside it.

use super::Error;
use super::document::{DocumentKind, Documents};
use crate::artifact::maven::{self, Answer, Reference, Resolved, Step};
use crate::artifact::{ArtifactUrl, HashFunction, Promise};
use crate::policy::Permit;

const METADATA: DocumentKind = DocumentKind {
    longest: maven::LONGEST_METADATA as u64,
    wrong: |url, why| Error::Maven(format!("{url} {why}")),
};

const SIDECAR: DocumentKind = DocumentKind {
    longest: 4 << 10,
    wrong: |url, why| Error::sidecar(url, why),
};

impl Documents<'_> {
    /// Asks the repository, where the version does not say it by itself.
    pub(super) async fn found(&self, maven: &Reference) -> Result<Permit, Error> {
        let coordinates = maven.coordinates();
        let mut was_asked = false;
        let mut step = maven.start();
        let Resolved { url, version } = loop {
            match step.map_err(|e| Error::Maven(e.to_string()))? {
                Step::Found(found) => break found,
                Step::Fetch(question) => {
                    was_asked = true;
                    let content = self.read_if_there(question.url(), METADATA).await?;
                    step =
                        question.feed(content.as_deref().map_or(Answer::Missing, Answer::Content));
                }
            }
        };
        if was_asked {
            tracing::debug!(%coordinates, %version, "asked the Maven repository");
        }
        let stays = was_asked && version.is_fixed();
        Ok(self.permit.clone().located(url, stays))
    }

    /// The permit with the checksum that the repository has beside the file; nothing where it has none.
    pub(super) async fn beside(&self, maven: &Reference) -> Result<Option<Permit>, Error> {
        let file = &self.permit.request().url;
        let urls = maven::sidecar_urls(file).map_err(|e| Error::Maven(e.to_string()))?;
        for function in self.sidecars.order(maven) {
            let Some((_, url)) = urls.iter().find(|(f, _)| *f == function) else {
                continue;
            };
            if let Some(bytes) = self.read_if_there(url, SIDECAR).await? {
                self.sidecars.has(maven, function);
                return self.said(url, function, &bytes).map(Some);
            }
            if maven.sidecar.is_some() {
                return Err(Error::sidecar(url, "does not exist"));
            }
        }
        tracing::warn!(%file, "the Maven repository has no checksum beside the file: it is not verified");
        Ok(None)
    }

    fn said(
        &self,
        url: &ArtifactUrl,
        function: HashFunction,
        bytes: &[u8],
    ) -> Result<Permit, Error> {
        let promise = maven::sidecar(function, bytes);
        let promise = promise.map_err(|why| Error::sidecar(url, why.to_string()))?;
        match &promise {
            Promise::Digest(digest) => tracing::info!(%url, %digest, "read the checksum"),
            Promise::Sha1(_) => {
                tracing::info!(%url, "the Maven repository has only a SHA-1, which is weak: it can be forged");
            }
        }
        Ok(self.permit.clone().promised(promise, url.clone()))
    }
}
