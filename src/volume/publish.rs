//! From a request to a volume that is seen.

use std::sync::Arc;

use tracing::Instrument;

use super::aside::Takes;
use super::commit::{Anew, Goal, Work};
use super::guard::{Busy, Wait};
use super::plan::{self, Step, View};
use super::record::fingerprint;
use super::{Error, Id, Publish, Shared, Sharing, Volumes};
use crate::acquire::{Artifact, Joined, Waiting};
use crate::mount::{Mounter, Target};
use crate::store::{self, Blob};

/// How often an artifact that was collected between its arrival and its link is fetched again; what was lost once is
/// kept, so the second time is another object's.
const MOST_RACES: usize = 3;

/// A request, and what it is called here.
pub(super) struct Ask {
    pub(super) id: Id,
    pub(super) want: Publish,
    /// What its attributes compare by.
    pub(super) print: String,
}

/// What a first look leads to.
enum First {
    /// It is shown as it should be. Whether its record is to be written again.
    Shown { lost: bool },
    /// It is to be shown, and nothing has to be waited for.
    Now(Goal, Option<Blob>),
    /// Its artifact is on its way.
    Later(Goal, Arc<Waiting>),
}

impl<M: Mounter> Volumes<M> {
    /// Shows a volume. May wait for its artifact as long as that takes: whoever gives up drops the future, and the
    /// download goes on for the next call. What follows the wait is never cancelled.
    pub async fn publish(&self, want: Publish) -> Result<(), Error> {
        let id = self.shared.id(&want.volume, &want.target);
        let readonly = want.asks_read_only();
        let print = fingerprint(self.shared.store.key(), &want.attributes, readonly);
        let ask = Ask { id, want, print };
        if self.shared.is_as_before(&ask) {
            return Ok(());
        }
        let span = tracing::info_span!(
            "publish",
            volume = ask.id.as_str(),
            target = %ask.target().path().display(),
            artifact = tracing::field::Empty,
            digest = tracing::field::Empty,
        );
        self.publish_once(Arc::new(ask)).instrument(span).await
    }

    async fn publish_once(&self, ask: Arc<Ask>) -> Result<(), Error> {
        let wait = Arc::new(self.guards.wait(ask.id.as_str()));
        let (looked, waited) = (Arc::clone(&ask), Arc::clone(&wait));
        let mut was_there = None;
        let mut lost = Vec::new();
        loop {
            let (looked, waited) = (Arc::clone(&looked), Arc::clone(&waited));
            let look = move |shared: &Shared<M>| {
                // Law 1; looked up before anything of the request is parsed.
                let was_there = shared.store.volume(looked.id.as_str()).is_some();
                (was_there, shared.first(&looked, &waited))
            };
            let (is_there, first) = self
                .aside(Takes::Microseconds, look)
                .await
                .map_err(|what| ask.bug(what))?;
            let was_there = *was_there.get_or_insert(is_there);
            let done = match first {
                Ok(first) => self.go_on(&ask, &wait, first).await,
                Err(error) => Err(error),
            };
            match done {
                Err(Error::Store(store::Error::Gone(sha256))) if lost.len() < MOST_RACES => {
                    lost.push(self.shared.store.keep(&sha256));
                }
                done => return done.map_err(|e| if was_there { e.of_published() } else { e }),
            }
        }
    }

    async fn go_on(&self, ask: &Arc<Ask>, wait: &Arc<Wait>, first: First) -> Result<(), Error> {
        let (goal, blob) = match first {
            First::Shown { lost } => {
                if lost {
                    self.renew(ask, wait).await;
                }
                return Ok(());
            }
            First::Now(goal, blob) => (goal, blob),
            First::Later(goal, waiting) => {
                // In this order: an unpublish also stops the flight, and is the reason why.
                let landed = tokio::select! {
                    biased;
                    () = wait.ended() => return Err(ask.busy(Busy::Ended)),
                    landed = waiting.landed() => landed,
                };
                (goal, Some(landed.map(|Artifact::File(blob)| blob)?))
            }
        };
        if let Some(blob) = &blob {
            tracing::Span::current().record("digest", tracing::field::display(blob.sha256()));
        }
        let commit = wait.commit().map_err(|b| ask.busy(b))?;
        let everywhere = match ask.want.sharing {
            Sharing::OneTarget => {
                let everywhere = self.guards.everywhere(&ask.want.volume);
                Some(everywhere.map_err(|b| ask.busy(b))?)
            }
            Sharing::ManyTargets => None,
        };
        // A private copy, or a volume from before a reboot.
        let takes = match &goal {
            Goal::Anew(anew) if anew.view != View::Copy => Takes::Microseconds,
            Goal::Anew(_) | Goal::Again(_) => Takes::Long,
        };
        let work = Work {
            ask: Arc::clone(ask),
            goal,
            blob,
        };
        let commit = move |shared: &Shared<M>| {
            let _hands = (commit, everywhere);
            shared
                .commit(&work)
                .inspect(|()| tracing::info!("published"))
        };
        let committed = self.aside(takes, commit).await;
        committed.map_err(|what| ask.bug(what))?
    }
}

impl Ask {
    pub(super) fn target(&self) -> &Target {
        &self.want.target
    }

    pub(super) fn bug(&self, what: impl Into<String>) -> Error {
        Error::Bug {
            target: self.target().path(),
            what: what.into(),
        }
    }

    fn busy(&self, busy: Busy) -> Error {
        Error::of_busy(busy, self.target().path())
    }
}

impl<M: Mounter> Shared<M> {
    fn first(&self, ask: &Ask, wait: &Wait) -> Result<First, Error> {
        let target = ask.target();
        let mut found = self.look(&ask.id, target, Some(&ask.print))?;
        if plan::refuses(found.kept, found.place) {
            // What another call was doing meanwhile is seen half done. A refusal counts that is seen alone.
            let _alone = wait.commit().map_err(|b| ask.busy(b))?;
            found = self.look(&ask.id, target, Some(&ask.print))?;
        }
        if plan::is_satisfied(found.kept, found.place) {
            return Ok(First::Shown { lost: found.lost });
        }
        // The view is needed only for what is to be mounted, and a known volume has one already.
        let goal = match &found.record {
            Some(record) => Goal::Again(Box::new(record.clone())),
            None => Goal::Anew(Box::new(Anew::of(&ask.want)?)),
        };
        let steps = plan::publish(goal.view(), found.kept, found.place)
            .map_err(|r| Error::of_refusal(r, target.path()))?;
        match (steps.first(), goal) {
            (Some(Step::Acquire), Goal::Anew(anew)) => self.acquire(ask, anew),
            (_, goal) => Ok(First::Now(goal, None)),
        }
    }

    /// What is cached, or a place in the flight that gets it.
    fn acquire(&self, ask: &Ask, anew: Box<Anew>) -> Result<First, Error> {
        if anew.view.writable() {
            // A writable layer has no limit of its own, so none begins on a disk that is nearly full.
            self.store.make_room(0, "a writable volume")?;
        }
        tracing::Span::current().record("artifact", tracing::field::display(&anew.meant.url));
        let permit = self.policy.check(&anew.meant.url, anew.meant.max_size);
        Ok(
            match self.acquire.join(&permit, &anew.request, ask.id.as_str())? {
                Joined::Have(Artifact::File(blob)) => First::Now(Goal::Anew(anew), Some(blob)),
                Joined::Flying(waiting) => {
                    let waiting = self.watched(&ask.id, waiting);
                    First::Later(Goal::Anew(anew), waiting)
                }
            },
        )
    }
}
