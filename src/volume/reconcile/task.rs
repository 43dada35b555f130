//! The task of one volume.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::due::{self, Due, at};
use super::pace;
use super::state::{Got, State};
use crate::acquire::Joined;
use crate::artifact::VolumePath;
use crate::fault;
use crate::metrics::Swaps;
use crate::mount::Mounter;
use crate::policy::PullPolicy;
use crate::store::Hold;
use crate::volume::changes::{Changes, SPREAD};
use crate::volume::clock::{now, remaining};
use crate::volume::content::NewVolume;
use crate::volume::locks::{Busy, Wait};
use crate::volume::renew::FIRST;
use crate::volume::request::KeyedRequest;
use crate::volume::spec::VolumeTemplate;
use crate::volume::swap::{Bytes, Swap, Swapped};
use crate::volume::{Error, History, Pool, Record, Shared, Sharing};

/// The annotation of a pod or a claim whose change means that the origin is to be asked now.
const REFRESH_AT: &str = "war-vol.geektime.org/refresh-at";

/// How long nothing is said of an API server that says nothing.
const UNSEEN: Duration = Duration::from_secs(30);

/// How long a call that works on the volume takes, as a rule.
const BUSY: Duration = Duration::from_millis(50);

/// Looks after one volume until it is dropped.
pub(super) struct Task<M> {
    shared: Arc<Shared<M>>,
    pool: Pool,
    wait: Arc<Wait>,
    requests: watch::Receiver<Arc<KeyedRequest>>,
    counted: Swaps,
    state: State,
}

/// What is to be done next. Nothing breaks it off.
enum Next {
    Swap(Box<Swap>, Hold),
    /// What is shown is what this asks for.
    Confirm(String),
    Due(Due),
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
            let done = match next {
                Ok(next) => self.act(&keyed, next).await,
                Err(error) => Err(error),
            };
            match done {
                Ok(()) => {}
                // Another call works on the volume.
                Err(Error::Busy(_)) => sleep(BUSY).await,
                Err(error) => self.failed(&keyed, &error),
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
        let wanted = wanted.map(|new| (self.shared.asked(&new.artifact_request), new));
        self.note_wanted(keyed, wanted.as_ref().ok());
        if let Some(retry) = self.state.retry {
            sleep_until(retry).await;
        }
        let record = self.record(keyed).await?;
        let history = record.history.clone().unwrap_or_default();
        let (asked, new) = wanted?;
        let changes = new.changes.unwrap_or_default();
        let is_shown = history.asked == asked && self.is_in_place(keyed, &record, &history)?;
        if is_shown {
            self.shared.mark_current(keyed.id.as_str());
            self.state.wanted_again();
        } else {
            let url = new.spec.url.to_string();
            self.shared.mark_behind(keyed.id.as_str(), &url);
        }
        let due = due::first(&history, &changes);
        if let Some((Duration::ZERO, due)) = due {
            return Ok(Next::Due(due));
        }
        if !is_shown {
            return self.get(keyed, (&record, &history), (asked, new)).await;
        }
        if let Ok(facts) = keyed.facts()
            && facts.pod.is_some()
        {
            self.state.note_refresh(facts.annotations(REFRESH_AT));
        }
        let refresh = self.state.next_refresh(changes.refresh);
        tokio::select! {
            biased;
            due = due::wait_for(due) => Ok(Next::Due(due)),
            () = at(refresh) => {
                self.state.refreshes = true;
                self.get(keyed, (&record, &history), (asked, new)).await
            }
        }
    }

    /// Whether what is shown has the name that it should have. Its number stands as long as it is shown.
    fn is_in_place(
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
        (self.state.failed, self.state.retry) = (None, None);
        (self.state.refreshes, self.state.got) = (false, None);
    }

    async fn record(&mut self, keyed: &Arc<KeyedRequest>) -> Result<Record, Error> {
        if let Some(record) = &self.state.record {
            return Ok(record.clone());
        }
        let recalled = self.blocking(keyed, |shared, keyed, _| shared.recall(keyed));
        // Without a record there is nothing to compare with; the next publish writes it again.
        let record = recalled.await?.ok_or_else(|| keyed.busy(Busy::Ended))?;
        self.state.record = Some(record.clone());
        Ok(record)
    }

    /// Gets what is wanted, and waits until it may be shown.
    async fn get(
        &mut self,
        keyed: &Arc<KeyedRequest>,
        (record, history): (&Record, &History),
        (asked, new): (String, NewVolume),
    ) -> Result<Next, Error> {
        let got = self.state.got.take().filter(|got| got.asked == asked);
        let got = match got {
            Some(got) => got,
            None => self.get_anew(keyed, history, (asked, &new)).await?,
        };
        if *got.bytes.digest() == record.sha256 && self.is_in_place(keyed, record, history)? {
            return Ok(Next::Confirm(got.asked));
        }
        let gate = self.gate(
            keyed,
            history,
            (&new.changes.unwrap_or_default(), got.since),
        );
        self.state.got = Some(got);
        sleep_until(gate).await;
        let new = self.shared.new_volume(keyed, history.swap + 1)?;
        let got = self.state.got.take();
        let got = got.ok_or_else(|| keyed.bug("what was got is gone"))?;
        let (asked, bytes) = (got.asked, got.bytes);
        Ok(Next::Swap(Box::new(Swap { new, asked, bytes }), got.hold))
    }

    async fn get_anew(
        &self,
        keyed: &Arc<KeyedRequest>,
        history: &History,
        (asked, new): (String, &NewVolume),
    ) -> Result<Got, Error> {
        let bytes = match self.kept(keyed, history, &asked).await? {
            Some(kept) => kept,
            None => self.acquired(keyed, new).await?,
        };
        Ok(Got {
            hold: self.shared.store.hold(bytes.digest()),
            since: Instant::now(),
            asked,
            bytes,
        })
    }

    /// What the volume showed last, if that is wanted: neither the origin nor the cache is asked for it.
    async fn kept(
        &self,
        keyed: &Arc<KeyedRequest>,
        history: &History,
        asked: &str,
    ) -> Result<Option<Bytes>, Error> {
        let before = history.before.clone();
        let is_wanted = |asked_then: &str| !asked_then.is_empty() && asked_then == asked;
        let before = before.filter(|b| !self.state.refreshes && is_wanted(&b.asked));
        let Some(before) = before else {
            return Ok(None);
        };
        let keeps = self.blocking(keyed, move |shared, keyed, _| {
            let dir = shared.store.volume(keyed.id.as_str())?;
            Ok(dir
                .is_some_and(|dir| dir.keeps(&before.sha256))
                .then_some(before))
        });
        Ok(keeps.await?.map(Bytes::Kept))
    }

    async fn acquired(&self, keyed: &Arc<KeyedRequest>, new: &NewVolume) -> Result<Bytes, Error> {
        let mut request = new.artifact_request.clone();
        if self.state.refreshes {
            request.pull = PullPolicy::Always;
        }
        let joined = self.blocking(keyed, move |shared, keyed, _| {
            Ok(shared.acquire.join(shared.permit(keyed, request)?)?)
        });
        Ok(Bytes::Cached(match joined.await? {
            Joined::Have(artifact) => artifact,
            Joined::Flying(waiting) => waiting.completed().await?,
        }))
    }

    /// From when on the volume may change: not too soon after the last change, and not together with the other pods.
    fn gate(
        &self,
        keyed: &KeyedRequest,
        history: &History,
        (changes, since): (&Changes, Instant),
    ) -> Instant {
        let settles = match history.swap {
            0..=FIRST => Duration::ZERO,
            _ => remaining(history.changed, changes.settle, now()),
        };
        let spread = changes.spread.unwrap_or(match keyed.request.sharing {
            Sharing::ManyNodes => SPREAD,
            Sharing::OneTarget | Sharing::ManyTargets => Duration::ZERO,
        });
        let turn = since + pace::place(keyed.id.as_str(), spread);
        turn.max(Instant::now() + settles)
    }

    async fn act(&mut self, keyed: &Arc<KeyedRequest>, next: Next) -> Result<(), Error> {
        let record = self.record(keyed).await?;
        let changes = VolumeTemplate::parse(&keyed.request.attributes);
        let changes = changes.map(|template| template.changes).unwrap_or_default();
        let changed = match next {
            Next::Swap(swap, hold) => self.swap(keyed, record, (*swap, hold)).await?,
            Next::Confirm(asked) => {
                let confirm = move |shared: &Shared<M>, keyed: &KeyedRequest, wait: &Wait| {
                    shared.confirm(keyed, wait, (record, &asked))
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
        };
        self.state.succeeded(changed, changes.refresh);
        Ok(())
    }

    async fn swap(
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
                    self.counted.ended(Ok(()));
                    let (artifact, from, to) = (&record.url, &work.0.sha256, &record.sha256);
                    tracing::info!(artifact, %from, %to, "the volume shows new content");
                    self.shared.notices.updated(&keyed.request, &record);
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
        self.counted.ended(Err(error.fault()));
        if self.state.said != said {
            tracing::warn!("the volume keeps its content: {said}");
            self.state.said = said;
        }
    }

    /// Runs what asks the disk on a thread for that. What has begun goes on to its end.
    async fn blocking<T: Send + 'static>(
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
