//! Small files that say something about an artifact, and are read before it.

use futures_util::{StreamExt, TryStreamExt};

use super::body::speed::not_stalled;
use super::progress::{Phase, Progress};
use super::retries::Retries;
use super::sidecars::Sidecars;
use super::{Error, RetryPolicy};
use crate::artifact::ArtifactUrl;
use crate::policy::Permit;
use crate::source::{self, Answer, Factory, Kind, Source, Start};

/// How what a permit names is read.
#[derive(Clone, Copy)]
pub(super) struct Documents<'a> {
    pub(super) sources: &'a Factory,
    pub(super) permit: &'a Permit,
    pub(super) retry_policy: &'a RetryPolicy,
    pub(super) progress: &'a Progress,
    pub(super) sidecars: &'a Sidecars,
}

/// A kind of document, and what is said of one that cannot be used.
#[derive(Clone, Copy)]
pub(super) struct DocumentKind {
    /// Of one that is longer, in bytes, only the beginning is read, and one byte more.
    pub(super) longest: u64,
    pub(super) wrong: fn(&ArtifactUrl, String) -> Error,
}

impl Documents<'_> {
    /// Reads a file where it is no error that there is none: then nothing.
    pub(super) async fn read_if_there(
        &self,
        url: &ArtifactUrl,
        kind: DocumentKind,
    ) -> Result<Option<Vec<u8>>, Error> {
        match self.read(url, kind).await {
            Ok(text) => Ok(Some(text)),
            Err(Error::Source(no)) if no.kind() == Kind::Missing => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a file. Credentials are for the artifact's own origin.
    pub(super) async fn read(
        &self,
        url: &ArtifactUrl,
        kind: DocumentKind,
    ) -> Result<Vec<u8>, Error> {
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
            match self.attempt(&source, url, kind).await {
                Err(error) => retries.pause(error).await?,
                read => return read,
            }
        }
    }

    async fn attempt(
        &self,
        source: &Source,
        url: &ArtifactUrl,
        kind: DocumentKind,
    ) -> Result<Vec<u8>, Error> {
        let Answer::Object(object) = source.open(&Start::Beginning).await? else {
            return Err(source::Error::changed(url).into());
        };
        if let Some(coding) = object.facts.coding {
            let why = format!("comes with {coding}, which was not requested");
            return Err((kind.wrong)(url, why));
        }
        let mut body = not_stalled(object.body.err_into().boxed(), url, self.retry_policy);
        let mut text = Vec::new();
        while let Some(bytes) = body.try_next().await? {
            text.extend_from_slice(&bytes);
            if text.len() as u64 > kind.longest {
                text.truncate(usize::try_from(kind.longest).map_or(usize::MAX, |n| n + 1));
                return Ok(text);
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
