//! The task of one volume.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::due::{self, Due, at};
use super::state::State;
use crate::artifact::VolumePath;
use crate::fault;
use crate::metrics::Swaps;
use crate::mount::Mounter;
use crate::store::Hold;
use crate::volume::content::NewVolume;
use crate::volume::locks::{Busy, Wait};
use crate::volume::renew::FIRST;
use crate::volume::request::KeyedRequest;
use crate::volume::swap::{Cause, Swap, Swapped};
use crate::volume::{Error, History, Pool, Record, Shared};

/// The annotation of a pod or a claim whose change means that the origin is to be asked now.
const REFRESH_AT: &str = "war-vol.geektime.org/refresh-at";

/// How long nothing is said of an API server that says nothing.
const UNSEEN: Duration = Duration::from_secs(30);

/// How long a call that works on the volume takes, as a rule.
const BUSY: Duration = Duration::from_millis(50);

/// Looks after one volume until it is dropped.
pub(super) struct Task<M> {
    pub(super) shared: Arc<Shared<M>>,
    pool: Pool,
    wait: Arc<Wait>,
    requests: watch::Receiver<Arc<KeyedRequest>>,
    counted: Swaps,
    pub(super) state: State,
}

/// What is to be done next. Nothing breaks it off.
pub(super) enum Next {
    Swap(Box<Swap>, Hold),
    /// What is shown is what this asks for, under this URL.
    Confirm(String, String),
    Due(Due),
    /// The origin still has what was taken back.
    Nothing,
}

impl<M: Mounter> Task<M> {
    pub(super) fn new(
        (shared, pool): (Arc<Shared<M>>, Pool),
        (requests, wait): (watch::Receiver<Arc<KeyedRequest>>, Arc<Wait>),
        counted: Swaps,
    ) -> Self {
        Self {
            shared,
            pool,
            wait,
            requests,
            counted,
            state: State::default(),
        }
    }

    pub(super) async fn run(mut self) {
        let mut requests = self.requests.clone();
        loop {
            let keyed = Arc::clone(&requests.borrow_and_update());
            let mut changes = keyed.interests.listen();
            let next = tokio::select! {
                biased;
                next = self.next(&keyed) => next,
                () = changes.next() => continue,
                changed = requests.changed() => match changed {
                    Ok(()) => {
                        self.state.woken();
                        continue;
                    }
                    Err(_) => return,
                },
            };
            let is_due = matches!(next, Ok(Next::Due(_)));
            let done = match next {
                Ok(next) => self.act(&keyed, next).await,
                Err(error) => Err(error),
            };
            match done {
                Ok(()) => {}
                // Another call works on the volume.
                Err(Error::Busy(_)) => sleep(BUSY).await,
                Err(error) => {
                    self.failed(&keyed, &error);
                    if is_due {
                        self.state.due_later();
                    }
                }
            }
        }
    }

    /// Waits until there is something to do. Each republish breaks it off.
    async fn next(&mut self, keyed: &Arc<KeyedRequest>) -> Result<Next, Error> {
        // What is shown stays, and whatever is seen next breaks this off.
        if keyed.facts().is_err() {
            tokio::time::timeout(UNSEEN, keyed.seen()).await.ok();
        }
        let wanted = self.shared.new_volume(keyed, FIRST);
        let wanted = wanted.map(|new| (self.shared.asked(&new), new));
        self.note_wanted(keyed, wanted.as_ref().ok());
        let record = match self.record(keyed).await {
            Ok(record) => record,
            Err(error) => {
                self.state.retried().await;
                return Err(error);
            }
        };
        let history = record.history.clone().unwrap_or_default();
        let changes = self.shared.changes(keyed);
        let due = changes.and_then(|c| due::first(&history, &c, self.state.not_due()));
        if let Some((Duration::ZERO, due)) = due {
            return Ok(Next::Due(due));
        }
        tokio::select! {
            biased;
            due = due::wait_for(due) => Ok(Next::Due(due)),
            next = self.bring(keyed, (&record, &history), wanted) => next,
        }
    }

    /// Waits until what is wanted can be shown, or noted.
    async fn bring(
        &mut self,
        keyed: &Arc<KeyedRequest>,
        (record, history): (&Record, &History),
        wanted: Result<(String, NewVolume), Error>,
    ) -> Result<Next, Error> {
        self.state.retried().await;
        let (asked, new) = wanted?;
        let id = keyed.id.as_str();
        let rejected = history.rejected.as_ref().filter(|r| r.asked == asked);
        let is_shown = rejected.is_none()
            && history.asked == asked
            && self.is_in_place(keyed, record, history)?;
        if let Some(rejected) = rejected {
            self.shared.mark_behind(id, &rejected.url);
            self.shared.mark_failed(id, &rejected.why);
        } else if is_shown {
            self.shared.mark_current(id);
            self.state.wanted_again();
        } else {
            self.shared
                .mark_behind(id, &new.spec.artifact.url.to_string());
        }
        if is_shown && history.rejected.is_some() {
            return Ok(Next::Confirm(asked, record.url.clone()));
        }
        if is_shown || rejected.is_some() {
            at(self.next_refresh(keyed, new.changes.unwrap_or_default().refresh)).await;
            self.state.refreshes = true;
            self.state.since = Some(Instant::now());
        }
        self.get(keyed, (record, history), (asked, new)).await
    }

    /// When the origin is to be asked again, although what is wanted is there.
    fn next_refresh(&mut self, keyed: &KeyedRequest, period: Option<Duration>) -> Option<Instant> {
        if let Ok(facts) = keyed.facts()
            && facts.pod.is_some()
        {
            self.state.note_refresh(facts.annotations(REFRESH_AT));
        }
        self.state.next_refresh(period)
    }

    /// Whether what is shown has the name that it should have. Its number stands as long as it is shown.
    pub(super) fn is_in_place(
        &self,
        keyed: &KeyedRequest,
        record: &Record,
        history: &History,
    ) -> Result<bool, Error> {
        let place: VolumePath = self.shared.new_volume(keyed, history.swap)?.spec.place;
        Ok(record.place() == Ok(place))
    }

    /// What was wanted until now is not waited for any more.
    fn note_wanted(&mut self, keyed: &KeyedRequest, wanted: Option<&(String, NewVolume)>) {
        let name = |(asked, new): &(String, NewVolume)| {
            format!("{asked} {}", new.spec.place.to_path().display())
        };
        let name = wanted.map(name);
        if self.state.wanted == name {
            return;
        }
        self.shared.acquire.leave(keyed.id.as_str());
        self.state.wanted = name;
        self.state.since = Some(Instant::now());
        (self.state.failed, self.state.retry) = (None, None);
        (self.state.refreshes, self.state.got) = (false, None);
    }

    async fn record(&mut self, keyed: &Arc<KeyedRequest>) -> Result<Record, Error> {
        if let Some(record) = &self.state.record {
            return Ok(record.clone());
        }
        let recalled = self.blocking(keyed, |shared, keyed, wait| shared.recall(keyed, wait));
        // Without a record there is nothing to compare with; the next publish writes it again.
        let record = recalled.await?.ok_or_else(|| keyed.busy(Busy::Ended))?;
        self.state.record = Some(record.clone());
        Ok(record)
    }

    async fn act(&mut self, keyed: &Arc<KeyedRequest>, next: Next) -> Result<(), Error> {
        let record = self.record(keyed).await?;
        let changes = self.shared.changes(keyed).unwrap_or_default();
        let changed = match next {
            Next::Swap(swap, hold) => self.swap(keyed, record, (*swap, hold)).await?,
            Next::Confirm(asked, url) => {
                let confirm = move |shared: &Shared<M>, keyed: &KeyedRequest, wait: &Wait| {
                    shared.confirm(keyed, wait, (record, &asked, url))
                };
                self.blocking(keyed, confirm).await?
            }
            Next::Due(Due::Restamp) => {
                let restamp = move |shared: &Shared<M>, keyed: &KeyedRequest, wait: &Wait| {
                    shared.restamp(keyed, wait, record)
                };
                self.blocking(keyed, restamp).await?
            }
            Next::Due(Due::Drain) => {
                let drain = move |shared: &Shared<M>, keyed: &KeyedRequest, wait: &Wait| {
                    shared.drain(keyed, wait, (record, &|file| due::is_over(file, &changes)))
                };
                self.blocking(keyed, drain).await?
            }
            Next::Due(Due::Verdict) => match self.judge(keyed, record, &changes).await? {
                Some(record) => record,
                None => return Ok(()),
            },
            Next::Nothing => record,
        };
        self.state.succeeded(changed, changes.refresh);
        Ok(())
    }

    pub(super) async fn swap(
        &self,
        keyed: &Arc<KeyedRequest>,
        record: Record,
        (swap, hold): (Swap, Hold),
    ) -> Result<Record, Error> {
        let work = Arc::new((record, swap, hold));
        loop {
            let begun = Arc::clone(&work);
            let swapped = self.blocking(keyed, move |shared, keyed, wait| {
                let (record, swap, _hold) = &*begun;
                shared.swap(keyed, wait, (record, swap))
            });
            match swapped.await? {
                Swapped::Shown(record) => {
                    let (artifact, from, to) = (&record.url, &work.0.sha256, &record.sha256);
                    match &work.1.cause {
                        Cause::Wanted { .. } => {
                            self.counted.shown(self.state.wanted_for());
                            tracing::info!(artifact, %from, %to, "the volume shows new content");
                            self.shared.notices.updated(&keyed.request, &record);
                        }
                        Cause::RolledBack(bad) => {
                            self.counted.rolled_back();
                            let why = &bad.why;
                            tracing::warn!(artifact, %from, %to, "the volume shows its content before again: {why}");
                            let notices = &self.shared.notices;
                            notices.rolled_back(&keyed.request, &record, bad);
                        }
                    }
                    return Ok(*record);
                }
                Swapped::TooEarly(wait) => sleep(wait).await,
            }
        }
    }

    fn failed(&mut self, keyed: &KeyedRequest, error: &Error) {
        self.state.failed();
        // Unpublished, or about to be.
        if matches!(error, Error::Ended(_)) {
            return;
        }
        self.shared.notices.update_failed(&keyed.request, error);
        let said = fault::line(error);
        self.shared.mark_failed(keyed.id.as_str(), &said);
        self.counted.failed(error.fault());
        if self.state.said != said {
            tracing::warn!("the volume keeps its content: {said}");
            self.state.said = said;
        }
    }

    /// Runs what asks the disk on a thread for that. What has begun goes on to its end.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        keyed: &Arc<KeyedRequest>,
        work: impl FnOnce(&Shared<M>, &KeyedRequest, &Wait) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (shared, wait) = (Arc::clone(&self.shared), Arc::clone(&self.wait));
        let (asked, span) = (Arc::clone(keyed), tracing::Span::current());
        let work = move || {
            let _in = span.enter();
            work(&shared, &asked, &wait)
        };
        let done = self.pool.run(work).await;
        done.unwrap_or_else(|what| Err(keyed.bug(what)))
    }
}
