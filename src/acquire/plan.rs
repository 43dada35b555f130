//! What one download is to get, and what is done with what came of it.

use std::sync::Arc;

use super::document::Documents;
use super::download::{Download, Outcome};
use super::lookup::{self, Lookup, Names, Query};
use super::negative_cache::NegativeCache;
use super::progress::{Phase, Progress};
use super::sidecars::Sidecars;
use super::{ByteBudget, Error, Parts};
use crate::artifact::Promise;
use crate::fault::Fault;
use crate::policy::{Permit, Request};
use crate::store::{self, Artifact, Completed, Entry, Name, Partial};

/// How much more than all there was must be free before a download of unknown length is tried again, in bytes.
const STEP: u64 = 8 << 20;

/// What a flight is to get, and with what.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) parts: Parts,
    pub(super) budget: ByteBudget,
    pub(super) permit: Permit,
    pub(super) names: Names,
    pub(super) negative_cache: Arc<NegativeCache>,
    pub(super) stage: Stage,
    /// What the request itself is called in the index, where the origin was asked which file it means.
    pub(super) requested: Option<Name>,
    pub(super) sidecars: Sidecars,
}

/// What has been asked of an origin before the artifact itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing.
    Requested,
    /// Which file is meant.
    Located,
    /// What it hashes to.
    Promised,
}

impl Plan {
    pub(super) fn request(&self) -> &Request {
        self.permit.request()
    }

    /// A second look, after the place in the map of flights was taken: another flight may have completed meanwhile.
    pub(super) fn found(&self) -> Result<Lookup, Error> {
        lookup::find(&self.parts.store, &self.names, self.request())
    }

    /// The same with what is asked before the artifact: where it is, then what it hashes to. Nothing where there is
    /// nothing more to ask.
    pub(super) async fn next(&self, progress: &Progress) -> Result<Option<Self>, Error> {
        let documents = Documents {
            sources: &self.parts.sources,
            permit: &self.permit,
            retry_policy: &self.parts.retry_policy,
            progress,
            sidecars: &self.sidecars,
        };
        let located = match self.stage {
            Stage::Requested => self.noted(documents.located().await)?,
            Stage::Located | Stage::Promised => None,
        };
        let (permit, stage) = match (located, self.stage) {
            (Some(permit), _) => (Some(permit), Stage::Located),
            (None, Stage::Promised) => return Ok(None),
            (None, Stage::Requested | Stage::Located) => {
                let promised = self.noted(documents.promised().await)?;
                (promised, Stage::Promised)
            }
        };
        Ok(permit.map(|permit| Self {
            names: Names {
                flight: self.names.flight.clone(),
                ..Names::of(&self.parts, &permit)
            },
            requested: self
                .requested
                .clone()
                .or_else(|| Some(self.names.entry.clone())),
            permit,
            stage,
            ..self.clone()
        }))
    }

    /// Remembers for a while that an origin said no.
    fn noted<T>(&self, asked: Result<T, Error>) -> Result<T, Error> {
        asked.inspect_err(|error| {
            if let Error::Source(refusal) = error
                && refusal.kind().is_no()
            {
                self.negative_cache.refused(&self.names.memory, error);
            }
        })
    }

    /// Writes down that what was asked for is what the file that was found has given: whoever asks for the same and must
    /// not, or need not, ask the origin gets it.
    pub(super) fn learn(&self) {
        let Some(name) = self.requested.as_ref().filter(|n| **n != self.names.entry) else {
            return;
        };
        let store = &self.parts.store;
        let learned = store.entry(self.names.of_success()).and_then(|entry| {
            let known = store.entry(name)?;
            match entry.filter(|entry| known.as_ref() != Some(entry)) {
                Some(entry) => store.remember(name, &entry),
                None => Ok(()),
            }
        });
        // It has been got: the next one asks once more.
        if let Err(lost) = learned {
            tracing::warn!(error = %lost, "cannot remember which file was found");
        }
    }

    /// Where the disk was full the last time, a try is worth it only if there is room now.
    pub(super) fn make_room(&self, progress: &Progress) -> Result<(), Error> {
        let Some(needed) = self.negative_cache.needs(&self.names.memory) else {
            return Ok(());
        };
        progress.enter(Phase::MakingRoom);
        let (store, what) = (&self.parts.store, self.request().url.to_string());
        Ok(store.promise(&self.names.flight, needed, needed, &what)?)
    }

    pub(super) async fn download(
        &self,
        progress: &Progress,
        partial: &mut Partial,
        query: Query,
    ) -> Result<Outcome, Error> {
        let store = &self.parts.store;
        let what = self.request().url.to_string();
        let promise = |total, more| {
            progress.enter(Phase::MakingRoom);
            store.promise(&self.names.flight, total, more, &what)
        };
        let download = Download {
            sources: &self.parts.sources,
            permit: &self.permit,
            query: &query,
            retry_policy: &self.parts.retry_policy,
            progress,
            budget: &self.budget,
            boot: store.boot(),
            promise: &promise,
            metrics: &self.parts.metrics,
        };
        download.run(partial).await
    }

    pub(super) fn commit(
        &self,
        partial: Partial,
        completed: &Completed,
    ) -> Result<Artifact, Error> {
        let store = &self.parts.store;
        let mut entry = completed.entry(&self.request().url);
        if self.names.object.is_some() {
            entry.admit(&self.names.entry);
        }
        let artifact = store
            .commit(partial, completed, self.names.of_success(), &entry)
            .inspect_err(|e| {
                if e.fault() == Fault::NoSpace {
                    self.negative_cache.full(&self.names.memory, completed.size);
                }
            })?;
        self.negative_cache.forget(&self.names.memory);
        tracing::info!(digest = %artifact.digest(), size = artifact.size(), "downloaded");
        Ok(artifact)
    }

    /// What the origin says is unchanged: the cached bytes, or the wrong ones of an earlier download.
    pub(super) fn reuse(&self) -> Result<Option<Artifact>, Error> {
        let store = &self.parts.store;
        let entry = match (store.entry(&self.names.entry)?, &self.names.object) {
            (None, Some(object)) => store.entry(object)?,
            (entry, _) => entry,
        };
        let Some(entry) = entry else {
            return Ok(None);
        };
        let promise = self.request().promise.as_ref();
        match promise.map(|promise| (promise, entry.matches(promise))) {
            Some((promise, Some(false))) => Err(self.remembered(promise, &entry)),
            Some((_, None)) => Ok(None),
            Some((_, Some(true))) | None => Ok(store.artifact(&entry)?),
        }
    }

    /// The cached bytes of the object that the origin lets this URL have.
    pub(super) fn admit(&self) -> Result<Option<Artifact>, Error> {
        let (store, Some(name)) = (&self.parts.store, &self.names.object) else {
            return Ok(None);
        };
        let Some(mut entry) = store.entry(name)? else {
            return Ok(None);
        };
        let artifact = store.artifact(&entry)?;
        if artifact.is_some() {
            entry.admit(&self.names.entry);
            // A courtesy to the origin, which else is asked again.
            if let Err(lost) = store.remember(name, &entry) {
                tracing::warn!(error = %lost, "cannot remember a signed URL");
            }
        }
        Ok(artifact)
    }

    fn remembered(&self, promise: &Promise, entry: &Entry) -> Error {
        let actual = entry.digests().like(promise);
        Error::Mismatch {
            url: self.request().url.to_string().into(),
            expected: Box::new(promise.clone()),
            from: self.request().said_by.clone().map(Box::new),
            beside: self.request().maven.is_some() && self.request().said_by.is_some(),
            actual: Box::new(actual.unwrap_or_else(|| entry.sha256.clone().into())),
            size: entry.size,
            remembered: true,
            completed: None,
        }
    }

    /// Puts away what is left of a failed download: kept for a resume where that can help, else removed.
    pub(super) fn fail(&self, progress: &Progress, partial: Partial, error: Error) -> Error {
        let store = &self.parts.store;
        if let Error::Mismatch {
            completed: Some(completed),
            ..
        } = &error
        {
            self.remember_wrong(completed, &error);
        }
        let error = if let Error::Store(inner) = error {
            self.explained(inner)
        } else {
            error
        };
        if let Error::Source(refusal) = &error
            && refusal.kind().is_no()
        {
            self.negative_cache.refused(&self.names.memory, &error);
        }
        if error.fault() == Fault::NoSpace {
            // Of an unknown length is known only that all there was did not do.
            let free = store.usage().map_or(0, |usage| usage.free);
            let more = partial.length().saturating_add(free).saturating_add(STEP);
            match progress.snapshot().total {
                Some(total) if partial.length() == 0 => {
                    self.negative_cache.too_long(&self.names.memory, total);
                }
                total => self
                    .negative_cache
                    .full(&self.names.memory, total.unwrap_or(more)),
            }
        }
        if (!error.keeps_partial() || partial.length() == 0)
            && let Err(left) = store.drop_partial(partial)
        {
            tracing::warn!(error = %left, "cannot remove a partial download");
        }
        error
    }

    pub(super) fn explained(&self, error: store::Error) -> Error {
        let store = &self.parts.store;
        Error::Store(store.explain(error, &self.request().url.to_string()))
    }

    /// In the index where the origin can be asked whether its object is still the same one, else for a while.
    fn remember_wrong(&self, completed: &Completed, error: &Error) {
        if completed.facts.validator.is_empty() {
            self.negative_cache.wrong(&self.names.memory, error);
        }
        // The memory is a courtesy to the origin; the error is the same without it.
        let entry = Entry {
            refuted: self.request().said_by.is_some(),
            ..completed.entry(&self.request().url)
        };
        if let Err(lost) = self.parts.store.remember(&self.names.entry, &entry) {
            tracing::warn!(error = %lost, "cannot remember a wrong checksum");
        }
    }
}
