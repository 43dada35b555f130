//! A download on a thread of its own, which outlives the calls that wait for it.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, oneshot, watch};

use super::Error;
use super::download::Outcome;
use super::lookup::{Lookup, Query};
use super::plan::Plan;
use super::progress::{Phase, Progress};
use crate::policy::Permit;
use crate::source;
use crate::store::Artifact;

/// How often one who waits looks whether the artifact still suits.
const LOOK: Duration = Duration::from_millis(250);

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
    let mut plan = plan.clone();
    // What each answer says may be here already.
    loop {
        let query = match plan.found()? {
            Lookup::Cached(artifact) => {
                plan.learn();
                return Ok(artifact);
            }
            Lookup::Ask(query) => query,
        };
        let Some(next) = runtime.block_on(plan.next(progress))? else {
            let got = get(&plan, progress, &runtime, query);
            return got.inspect(|_| plan.learn());
        };
        next.negative_cache.allow(&next.names.memory)?;
        plan = next;
    }
}

fn get(
    plan: &Plan,
    progress: &Progress,
    runtime: &Runtime,
    query: Query,
) -> Result<Artifact, Error> {
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
