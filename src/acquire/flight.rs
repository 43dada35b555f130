//! A download on a thread of its own, which outlives the calls that wait for it.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot, watch};

use super::download::{Download, Outcome};
use super::lookup::{self, Lookup, Names, Query};
use super::negative_cache::NegativeCache;
use super::progress::{Phase, Progress};
use super::{ByteBudget, Error, Parts};
use crate::fault::Fault;
use crate::policy::{Permit, Request};
use crate::source;
use crate::store::{self, Artifact, Completed, Entry, Partial};

/// How much more than all there was must be free before a download of unknown length is tried again, in bytes.
const STEP: u64 = 8 << 20;

/// How often one who waits looks whether the artifact still suits.
const LOOK: Duration = Duration::from_millis(250);

/// What a flight is to get, and with what.
pub(super) struct Plan {
    pub(super) parts: Parts,
    pub(super) budget: ByteBudget,
    pub(super) permit: Permit,
    pub(super) names: Names,
    pub(super) negative_cache: Arc<NegativeCache>,
}

type Completion = Result<Artifact, Arc<Error>>;

/// A download that runs, or waits for its turn.
pub struct Flight {
    progress: Arc<Progress>,
    completion: watch::Receiver<Option<Completion>>,
}

impl Flight {
    /// Starts as soon as a place is free; `completed` is called once it is over.
    pub(super) fn spawn(
        plan: Plan,
        progress: Arc<Progress>,
        slots: Arc<Semaphore>,
        completed: impl FnOnce(&Arc<Progress>) + Send + 'static,
    ) -> Self {
        let (sender, completion) = watch::channel(None);
        let watched = Arc::clone(&progress);
        tokio::spawn(async move {
            let metrics = plan.parts.metrics.clone();
            let result = fly(plan, &watched, &slots).await;
            metrics.ended(result.as_ref().map(drop).map_err(Error::fault));
            watched.enter(Phase::Completed);
            completed(&watched);
            // Nobody left to hear it is no error: the result is in the store.
            let _ = sender.send(Some(result.map_err(Arc::new)));
        });
        Self {
            progress,
            completion,
        }
    }

    pub(super) fn is_of(&self, progress: &Arc<Progress>) -> bool {
        Arc::ptr_eq(&self.progress, progress)
    }

    /// How far it is, and who wants it.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Waits for the end, and keeps the interest of the permit's volume alive meanwhile. Whose own limit is passed waits no longer,
    /// although the flight may go on for others.
    pub(super) async fn completed(&self, permit: &Permit) -> Completion {
        let mut completion = self.completion.clone();
        loop {
            match tokio::time::timeout(LOOK, completion.wait_for(Option::is_some)).await {
                Ok(Ok(result)) => {
                    if let Some(result) = result.as_ref() {
                        return result.clone();
                    }
                }
                Ok(Err(_)) => {
                    return Err(Arc::new(Error::bug(
                        &permit.request().url,
                        "its task is gone",
                    )));
                }
                Err(_) => self.still(permit)?,
            }
        }
    }

    fn still(&self, permit: &Permit) -> Result<(), Arc<Error>> {
        let (who, limit) = (permit.subject().volume.as_str(), permit.limit());
        let url = &permit.request().url;
        let now = self.progress.snapshot();
        let too_large = match now.total {
            Some(total) if total > limit.bytes() => Error::too_large(url, total, limit),
            Some(_) | None if now.done > limit.bytes() => Error::endless(url, limit),
            Some(_) | None => {
                self.progress.want(who, limit);
                return Ok(());
            }
        };
        self.progress.unwant(who);
        Err(Arc::new(too_large))
    }
}

/// Waits for a place, then runs the download on a thread of its own, so that neither dirty throttling nor a sick disk
/// ever stops the runtime that answers calls.
async fn fly(plan: Plan, progress: &Arc<Progress>, slots: &Semaphore) -> Result<Artifact, Error> {
    let url = plan.request().url.clone();
    let waits = plan.parts.metrics.waits();
    let _slot = tokio::select! {
        slot = slots.acquire() => slot.map_err(|e| Error::bug(&url, e.to_string()))?,
        () = progress.stopped() => return Err(Error::stopped(&url)),
    };
    drop(waits);
    let _flies = plan.parts.metrics.flies();
    let (done, completion) = oneshot::channel();
    let progress = Arc::clone(progress);
    let span = tracing::info_span!("download", %url);
    thread::Builder::new()
        .name("flight".into())
        .spawn(move || {
            let _in = span.enter();
            let _ = done.send(on_thread(&plan, &progress));
        })
        .map_err(|e| Error::bug(&url, format!("cannot start a thread: {e}")))?;
    // The thread drops its end only by a panic, which fails this flight and nothing else.
    completion
        .await
        .map_err(|_| Error::bug(&url, "its thread panicked"))?
}

fn on_thread(plan: &Plan, progress: &Progress) -> Result<Artifact, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::bug(&plan.request().url, format!("no runtime: {e}")))?;
    let query = match plan.found()? {
        Lookup::Cached(artifact) => return Ok(artifact),
        Lookup::Ask(query) => query,
    };
    let mut partial = plan
        .parts
        .store
        .partial(&plan.names.flight)
        .map_err(|e| plan.explained(e))?;
    if let Err(full) = plan.make_room(progress) {
        if partial.length() == 0 {
            plan.parts.store.drop_partial(partial)?;
        }
        return Err(full);
    }
    let is_admission = matches!(query, Query::Admission { .. });
    let mut flown = runtime.block_on(plan.download(progress, &mut partial, query));
    if let Ok(Outcome::Unchanged | Outcome::LetIn) = flown {
        let reused = match flown {
            Ok(Outcome::LetIn) => plan.admit(),
            // Of another's saying it is not believed for a new signed URL.
            _ if is_admission => Ok(None),
            _ => plan.reuse(),
        };
        match reused {
            Ok(Some(artifact)) => {
                plan.parts.store.drop_partial(partial)?;
                return Ok(artifact);
            }
            // What was known went while the origin was asked: then all of it is needed.
            Ok(None) => {
                let all = Query::Object { known: None };
                flown = runtime.block_on(plan.download(progress, &mut partial, all));
            }
            Err(error) => flown = Err(error),
        }
    }
    match flown {
        Ok(Outcome::Completed(completed)) => plan.commit(partial, &completed),
        Ok(Outcome::Unchanged | Outcome::LetIn) => {
            Err(source::Error::changed(&plan.request().url).into())
        }
        Err(error) => Err(plan.fail(progress, partial, error)),
    }
}

impl Plan {
    fn request(&self) -> &Request {
        self.permit.request()
    }

    /// A second look, after the place in the map of flights was taken: another flight may have completed meanwhile.
    fn found(&self) -> Result<Lookup, Error> {
        lookup::find(&self.parts.store, &self.names, self.request())
    }

    /// Where the disk was full the last time, a try is worth it only if there is room now.
    fn make_room(&self, progress: &Progress) -> Result<(), Error> {
        let Some(needed) = self.negative_cache.needs(&self.names.flight) else {
            return Ok(());
        };
        progress.enter(Phase::MakingRoom);
        let (store, what) = (&self.parts.store, self.request().url.to_string());
        Ok(store.promise(&self.names.flight, needed, needed, &what)?)
    }

    async fn download(
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

    fn commit(&self, partial: Partial, completed: &Completed) -> Result<Artifact, Error> {
        let store = &self.parts.store;
        let mut entry = completed.entry(&self.request().url);
        if self.names.object.is_some() {
            entry.admit(&self.names.entry);
        }
        let artifact = store
            .commit(partial, completed, self.names.of_success(), &entry)
            .inspect_err(|e| {
                if e.fault() == Fault::NoSpace {
                    self.negative_cache.full(&self.names.flight, completed.size);
                }
            })?;
        self.negative_cache.forget(&self.names.flight);
        tracing::info!(digest = %artifact.digest(), size = artifact.size(), "downloaded");
        Ok(artifact)
    }

    /// What the origin says is unchanged: the cached bytes, or the wrong ones of an earlier download.
    fn reuse(&self) -> Result<Option<Artifact>, Error> {
        let store = &self.parts.store;
        let entry = match (store.entry(&self.names.entry)?, &self.names.object) {
            (None, Some(object)) => store.entry(object)?,
            (entry, _) => entry,
        };
        let Some(entry) = entry else {
            return Ok(None);
        };
        let pin = self.request().pin.as_ref();
        match pin.map(|pin| (pin, entry.matches(pin))) {
            Some((pin, Some(false))) => Err(self.remembered(pin, &entry)),
            Some((_, None)) => Ok(None),
            Some((_, Some(true))) | None => Ok(store.artifact(&entry)?),
        }
    }

    /// The cached bytes of the object that the origin lets this URL have.
    fn admit(&self) -> Result<Option<Artifact>, Error> {
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

    fn remembered(&self, pin: &crate::artifact::Digest, entry: &Entry) -> Error {
        let actual = entry
            .sha512
            .as_ref()
            .filter(|d| d.algorithm() == pin.algorithm());
        Error::Mismatch {
            url: self.request().url.to_string(),
            expected: pin.clone(),
            actual: actual.unwrap_or(&entry.sha256).clone(),
            size: entry.size,
            remembered: true,
            completed: None,
        }
    }

    /// Puts away what is left of a failed download: kept for a resume where that can help, else removed.
    fn fail(&self, progress: &Progress, partial: Partial, error: Error) -> Error {
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
            self.negative_cache.refused(&self.names.flight, &error);
        }
        if error.fault() == Fault::NoSpace {
            // Of an unknown length is known only that all there was did not do.
            let free = store.usage().map_or(0, |usage| usage.free);
            let more = partial.length().saturating_add(free).saturating_add(STEP);
            match progress.snapshot().total {
                Some(total) if partial.length() == 0 => {
                    self.negative_cache.too_long(&self.names.flight, total);
                }
                total => self
                    .negative_cache
                    .full(&self.names.flight, total.unwrap_or(more)),
            }
        }
        if (!error.keeps_partial() || partial.length() == 0)
            && let Err(left) = store.drop_partial(partial)
        {
            tracing::warn!(error = %left, "cannot remove a partial download");
        }
        error
    }

    fn explained(&self, error: store::Error) -> Error {
        let store = &self.parts.store;
        Error::Store(store.explain(error, &self.request().url.to_string()))
    }

    /// In the index where the origin can be asked whether its object is still the same one, else for a while.
    fn remember_wrong(&self, completed: &Completed, error: &Error) {
        if completed.facts.validator.is_empty() {
            self.negative_cache.wrong(&self.names.flight, error);
        }
        // The memory is a courtesy to the origin; the error is the same without it.
        let entry = completed.entry(&self.request().url);
        if let Err(lost) = self.parts.store.remember(&self.names.entry, &entry) {
            tracing::warn!(error = %lost, "cannot remember a wrong checksum");
        }
    }
}
