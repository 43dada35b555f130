//! From a request to a volume that is seen.

use std::sync::Arc;

use tracing::Instrument;

use super::aside::Takes;
use super::ask::Ask;
use super::commit::Work;
use super::goal::{Anew, Goal};
use super::guard::{Busy, Commit, Guards, Wait};
use super::plan::{self, PublishStep};
use super::record::fingerprint;
use super::{Caller, Error, Found, Id, Publish, Shared, Sharing, Volumes};
use crate::acquire::{self, Gauge, Joined, Waiting};
use crate::artifact::ArtifactUrl;
use crate::mount::Mounter;
use crate::policy::Subject;
use crate::store::{self, Artifact, VolumeDir};

/// How often an artifact that was collected between its arrival and its link is fetched again; what was lost once is
/// kept, so the second time is another object's.
const MOST_RACES: usize = 3;

/// What a first look leads to.
enum First {
    /// It is shown as it should be. Whether its record is to be written again.
    Shown { lost: bool },
    /// It is to be shown, and nothing has to be waited for.
    Now(Goal, Option<Artifact>),
    /// Its artifact is on its way.
    Later(Goal, Waiting),
    /// It is to be written to, and the disk is too full for that: room has to be made first.
    Full(ArtifactUrl),
}

/// What follows on what the first look led to.
enum Next {
    /// The volume is shown.
    Done,
    /// Another look: there is room now.
    Again,
}

impl<M: Mounter> Volumes<M> {
    /// Shows a volume. May wait for its artifact as long as that takes: whoever gives up drops the future, and the
    /// download goes on for the next call. What follows the wait is never cancelled.
    pub async fn publish(&self, want: Publish, caller: &Caller) -> Result<(), Error> {
        let ask = Ask {
            id: Id::of(&want.volume, &want.target),
            print: self.shared.print(&want),
            want,
        };
        let span = tracing::info_span!(
            "publish",
            volume = ask.id.as_str(),
            target = %ask.target().path().display(),
            artifact = tracing::field::Empty,
            digest = tracing::field::Empty,
        );
        let id = ask.id.clone();
        let once = self.publish_once(Arc::new(ask), caller);
        let published = once.instrument(span).await;
        if matches!(published, Err(Error::Ended { .. })) {
            // The unpublish may have come before the interest that it was to withdraw.
            self.want_no_more(&id);
        }
        published
    }

    async fn publish_once(&self, ask: Arc<Ask>, caller: &Caller) -> Result<(), Error> {
        let call = Arc::new(Call {
            wait: self.guards.wait(ask.id.as_str()),
            guards: self.guards.clone(),
            ask,
            caller: caller.clone(),
        });
        let mut was_there = None;
        let mut lost = Vec::new();
        loop {
            let begun = Arc::clone(&call);
            let begin = move |shared: &Shared<M>| {
                // Law 1; looked up before anything of the request is parsed.
                let dir = shared.store.volume(begun.ask.id.as_str())?;
                Ok::<_, Error>((dir.is_some(), shared.begin(&begun, dir)))
            };
            // Until that is known no error is final.
            let (is_there, first) = self
                .aside(Takes::Microseconds, begin)
                .await
                .unwrap_or_else(|what| Err(call.ask.bug(what)))
                .map_err(Error::of_published)?;
            let was_there = *was_there.get_or_insert(is_there);
            let done = match first {
                Ok(None) => Ok(Next::Done),
                Ok(Some(first)) => self.go_on(&call, first).await,
                Err(error) => Err(error),
            };
            match done {
                Ok(Next::Done) => return Ok(()),
                Ok(Next::Again) => {}
                Err(Error::Store(store::Error::Gone(sha256))) if lost.len() < MOST_RACES => {
                    lost.push(self.shared.store.keep(&sha256));
                }
                Err(error) if was_there => return Err(error.of_published()),
                Err(error) => return Err(error),
            }
        }
    }

    async fn go_on(&self, call: &Arc<Call>, first: First) -> Result<Next, Error> {
        let (goal, artifact) = match first {
            First::Shown { lost } => {
                if lost {
                    self.renew(&call.ask, &call.wait).await;
                }
                return Ok(Next::Done);
            }
            First::Now(goal, artifact) => (goal, artifact),
            First::Full(url) => {
                self.make_room(call, &url).await?;
                return Ok(Next::Again);
            }
            First::Later(goal, waiting) => {
                let _shown = self.shared.shows(call.ask.id.as_str(), waiting.gauge());
                // In this order: an unpublish also stops the flight, and is the reason why.
                let landed = tokio::select! {
                    biased;
                    () = call.wait.ended() => return Err(call.ask.busy(Busy::Ended)),
                    landed = waiting.landed() => landed,
                };
                (goal, Some(landed?))
            }
        };
        // From here on nothing is cancelled.
        let hands = call.hands()?;
        let (takes, call) = (goal.takes(), Arc::clone(call));
        let ask = Arc::clone(&call.ask);
        let commit =
            move |shared: &Shared<M>| shared.commit_now(&call, hands, (goal, artifact), None);
        let committed = self.aside(takes, commit).await;
        committed.map_err(|what| ask.bug(what))??;
        Ok(Next::Done)
    }

    /// Removes what is unused, beside the call: that may take longer than its caller has time.
    async fn make_room(&self, call: &Call, url: &ArtifactUrl) -> Result<(), Error> {
        let gauge = Arc::new(Gauge::making_room(url));
        let _shown = self.shared.shows(call.ask.id.as_str(), gauge);
        let work = async {
            let _turn = self.making_room.acquire().await;
            let work = |shared: &Shared<M>| shared.store.make_room(0, "a writable volume");
            self.aside(Takes::Long, work).await
        };
        let made = tokio::select! {
            biased;
            () = call.wait.ended() => return Err(call.ask.busy(Busy::Ended)),
            made = work => made,
        };
        Ok(made.map_err(|what| call.ask.bug(what))??)
    }
}

/// A publish that has begun.
struct Call {
    ask: Arc<Ask>,
    wait: Wait,
    guards: Guards,
    caller: Caller,
}

/// The only hands on a volume at a target, and, where it may be seen at one only, at all of them.
type Hands = (Commit, Option<Commit>);

impl Call {
    fn hands(&self) -> Result<Hands, Error> {
        let busy = |b| self.ask.busy(b);
        let commit = self.wait.commit().map_err(busy)?;
        let everywhere = match self.ask.want.sharing {
            Sharing::OneTarget => {
                let everywhere = self.guards.everywhere(&self.ask.want.volume);
                Some(everywhere.map_err(busy)?)
            }
            Sharing::ManyTargets => None,
        };
        Ok((commit, everywhere))
    }
}

impl<M: Mounter> Shared<M> {
    /// What a request compares by.
    pub(super) fn print(&self, want: &Publish) -> String {
        fingerprint(self.store.key(), &want.attributes, want.asks_read_only())
    }

    /// A first look, and the whole of it where nothing has to be waited for and little is to be done: then nothing is
    /// left.
    fn begin(&self, call: &Call, dir: Option<VolumeDir>) -> Result<Option<First>, Error> {
        let (first, found) = self.first(call, dir)?;
        match first {
            First::Shown { lost: false } => Ok(None),
            First::Now(goal, artifact) if goal.takes() == Takes::Microseconds => {
                // Whoever has hung up has no hands on it any more.
                if call.caller.is_gone() {
                    return Err(call.ask.busy(Busy::Ended));
                }
                let hands = call.hands()?;
                // One look is enough if nobody can have changed what it saw.
                let found = Some(found).filter(|_| hands.0.is_first);
                self.commit_now(call, hands, (goal, artifact), found)?;
                Ok(None)
            }
            rest @ (First::Shown { .. } | First::Now(..) | First::Later(..) | First::Full(_)) => {
                Ok(Some(rest))
            }
        }
    }

    fn commit_now(
        &self,
        call: &Call,
        hands: Hands,
        (goal, artifact): (Goal, Option<Artifact>),
        found: Option<Found>,
    ) -> Result<(), Error> {
        if let Some(artifact) = &artifact {
            tracing::Span::current().record("digest", tracing::field::display(artifact.digest()));
        }
        let work = Work {
            ask: Arc::clone(&call.ask),
            goal,
            artifact,
        };
        let committed = self.commit(&work, found);
        drop(hands);
        committed.inspect(|()| tracing::info!("published"))
    }

    fn first(&self, call: &Call, dir: Option<VolumeDir>) -> Result<(First, Found), Error> {
        let ask = &call.ask;
        let mut found = self.look_into(dir, &ask.id, ask.target(), Some(&ask.print))?;
        if plan::refuses(found.kept, found.place) {
            // What another call was doing meanwhile is seen half done. A refusal counts that is seen alone.
            let _alone = call.wait.commit().map_err(|b| ask.busy(b))?;
            found = self.look(&ask.id, ask.target(), Some(&ask.print))?;
        }
        Ok((self.next(ask, &found)?, found))
    }

    fn next(&self, ask: &Ask, found: &Found) -> Result<First, Error> {
        if plan::is_satisfied(found.kept, found.place) {
            return Ok(First::Shown { lost: found.lost });
        }
        // The view is needed only for what is to be mounted, and a known volume has one already.
        let goal = match &found.record {
            Some(record) => Goal::Again(Box::new(record.clone())),
            None => Goal::Anew(Box::new(Anew::of(&ask.want, self.mounter.relabels())?)),
        };
        let steps = plan::publish(goal.view(), found.kept, found.place)
            .map_err(|r| Error::of_refusal(r, ask.target().path()))?;
        match (steps.first(), goal) {
            (Some(PublishStep::Acquire), Goal::Anew(anew)) => self.acquire(ask, anew),
            (_, goal) => Ok(First::Now(goal, None)),
        }
    }

    /// What is cached, or a place in the flight that gets it.
    fn acquire(&self, ask: &Ask, anew: Box<Anew>) -> Result<First, Error> {
        // A writable layer has no limit of its own, so none begins on a disk that is nearly full.
        if anew.view.writable() && !self.store.has_room(0)? {
            return Ok(First::Full(anew.meant.url));
        }
        tracing::Span::current().record("artifact", tracing::field::display(&anew.meant.url));
        let subject = Subject {
            volume: ask.id.as_str().to_owned(),
            pod: ask.want.pod.clone(),
        };
        let permit = self.policy.check(subject, anew.request.clone());
        Ok(
            match self.acquire.join(permit.map_err(acquire::Error::from)?)? {
                Joined::Have(artifact) => First::Now(Goal::Anew(anew), Some(artifact)),
                Joined::Flying(waiting) => First::Later(Goal::Anew(anew), waiting),
            },
        )
    }
}
