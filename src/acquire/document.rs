//! Small files that say something about an artifact, and are read before it.

use futures_util::{StreamExt, TryStreamExt};

use super::body::speed::not_stalled;
use super::progress::{Phase, Progress};
use super::retries::Retries;
use super::sidecars::Sidecars;
use super::{Error, RetryPolicy};
use crate::artifact::{ArtifactUrl, Digest, checksum_file};
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

/// A kind of files, and what is said of one that cannot be used.
#[derive(Clone, Copy)]
pub(super) struct Kinds {
    /// Of one that is longer, in bytes, only the beginning is read, and one byte more.
    pub(super) longest: u64,
    pub(super) wrong: fn(&ArtifactUrl, String) -> Error,
}

const CHECKSUM_FILE: Kinds = Kinds {
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

    /// The same, where it is no error that there is none: then nothing.
    pub(super) async fn read_if_there(
        &self,
        url: &ArtifactUrl,
        kinds: Kinds,
    ) -> Result<Option<Vec<u8>>, Error> {
        match self.read(url, kinds).await {
            Ok(text) => Ok(Some(text)),
            Err(Error::Source(no)) if no.kind() == Kind::Missing => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Credentials are for the artifact's own origin.
    async fn read(&self, url: &ArtifactUrl, kinds: Kinds) -> Result<Vec<u8>, Error> {
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
            match self.attempt(&source, url, kinds).await {
                Err(error) => retries.pause(error).await?,
                read => return read,
            }
        }
    }

    async fn attempt(
        &self,
        source: &Source,
        url: &ArtifactUrl,
        kinds: Kinds,
    ) -> Result<Vec<u8>, Error> {
        let Answer::Object(object) = source.open(&Start::Beginning).await? else {
            return Err(source::Error::changed(url).into());
        };
        if let Some(coding) = object.facts.coding {
            let why = format!("comes with {coding}, which was not requested");
            return Err((kinds.wrong)(url, why));
        }
        let mut body = not_stalled(object.body.err_into().boxed(), url, self.retry_policy);
        let mut text = Vec::new();
        while let Some(bytes) = body.try_next().await? {
            text.extend_from_slice(&bytes);
            if text.len() as u64 > kinds.longest {
                text.truncate(usize::try_from(kinds.longest).map_or(usize::MAX, |n| n + 1));
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
