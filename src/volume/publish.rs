//! From a request to a volume that is seen.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use tokio::runtime::{Handle, RuntimeFlavor};
use tracing::Instrument;

use super::commit::{Anew, Goal, Work};
use super::guard::{Commit, Wait};
use super::plan::{self, Step, View};
use super::record::fingerprint;
use super::{Error, Id, Publish, Sharing, Volumes};
use crate::acquire::{Artifact, Joined};
use crate::mount::Mounter;
use crate::store::{self, Blob};

/// How often an artifact that was collected between its arrival and its link is fetched again; what was lost once is
/// kept, so the second time is another object's.
const MOST_RACES: usize = 3;

impl<M: Mounter> Volumes<M> {
    /// Shows a volume. May wait for its artifact as long as that takes: whoever gives up drops the future, and the
    /// download goes on for the next call. What follows the wait is never cancelled.
    pub async fn publish(&self, want: Publish) -> Result<(), Error> {
        let id = self.shared.id(&want.volume, &want.target);
        let was_there = self.shared.store.volume(id.as_str()).is_some();
        let target = want.target.path();
        let span = tracing::info_span!(
            "publish",
            volume = id.as_str(),
            target = %target.display(),
            artifact = tracing::field::Empty,
            digest = tracing::field::Empty,
        );
        let published = self.publish_once(id, want).instrument(span).await;
        // Law 1; looked up before anything of the request was parsed.
        published.map_err(|e| if was_there { e.of_published() } else { e })
    }

    async fn publish_once(&self, id: Id, want: Publish) -> Result<(), Error> {
        let shared = &self.shared;
        let print = fingerprint(shared.store.key(), &want.attributes, want.asks_read_only());
        let wait = self.guards.wait(id.as_str());
        let mut lost = Vec::new();
        loop {
            let mut found = shared.look(&id, &want.target, Some(&print))?;
            if plan::refuses(found.kept, found.place) {
                // What another call was doing meanwhile is seen half done. A refusal counts that is seen alone.
                let _alone = wait.commit().map_err(|b| self.busy(b, &want.target))?;
                found = shared.look(&id, &want.target, Some(&print))?;
            }
            if plan::is_satisfied(found.kept, found.place) {
                if found.lost {
                    self.renew(&id, &want, &print, &wait).await;
                }
                return Ok(());
            }
            // The view is needed only for what is to be mounted, and a known volume has one already.
            let goal = match &found.record {
                Some(record) => Goal::Again(Box::new(record.clone())),
                None => Goal::Anew(Box::new(Anew::of(&want)?)),
            };
            let steps = plan::publish(goal.view(), found.kept, found.place)
                .map_err(|r| Error::of_refusal(r, want.target.path()))?;
            let blob = match (steps.first(), &goal) {
                (Some(Step::Acquire), Goal::Anew(anew)) => {
                    Some(self.acquire(&id, &want, anew, &wait).await?)
                }
                _ => None,
            };
            if let Some(blob) = &blob {
                tracing::Span::current().record("digest", tracing::field::display(blob.sha256()));
            }
            let busy = |b| self.busy(b, &want.target);
            let commit = wait.commit().map_err(busy)?;
            let everywhere = match want.sharing {
                Sharing::OneTarget => Some(self.guards.everywhere(&want.volume).map_err(busy)?),
                Sharing::ManyTargets => None,
            };
            let work = Work {
                id: id.clone(),
                want: want.clone(),
                goal,
                print: print.clone(),
                blob,
            };
            match self.commit((commit, everywhere), work).await {
                Err(Error::Store(store::Error::Gone(sha256))) if lost.len() < MOST_RACES => {
                    lost.push(shared.store.keep(&sha256));
                }
                done => return done,
            }
        }
    }

    /// The first phase: waits for the artifact.
    async fn acquire(
        &self,
        id: &Id,
        want: &Publish,
        anew: &Anew,
        wait: &Wait,
    ) -> Result<Blob, Error> {
        let shared = &self.shared;
        if anew.view.writable() {
            // A writable layer has no limit of its own, so none begins on a disk that is nearly full.
            shared.store.make_room(0, "a writable volume")?;
        }
        tracing::Span::current().record("artifact", tracing::field::display(&anew.meant.url));
        let permit = shared.policy.check(&anew.meant.url, anew.meant.max_size);
        let blob = match shared.acquire.join(&permit, &anew.request, id.as_str())? {
            Joined::Have(Artifact::File(blob)) => blob,
            Joined::Flying(waiting) => {
                let waiting = shared.watched(id, waiting);
                // In this order: an unpublish also stops the flight, and is the reason why.
                tokio::select! {
                    biased;
                    () = wait.ended() => return Err(Error::Ended { target: want.target.path() }),
                    landed = waiting.landed() => landed.map(|Artifact::File(blob)| blob)?,
                }
            }
        };
        if anew.view == View::Copy {
            shared.store.make_room(blob.size(), "a private copy")?;
        }
        Ok(blob)
    }

    /// The second phase, which nothing cuts in two, and least of all a caller that hangs up.
    ///
    /// It takes a fraction of a millisecond, and to hand it to another thread and back takes as long again, on a busy
    /// machine ten times as long. So it runs where it is asked for, and the other calls of that thread move to another
    /// one. What may take longer (a private copy, a volume from before a reboot), and what comes while others are held
    /// up by the disk, goes to the threads for that: however sick the disk, the runtime goes on.
    async fn commit(&self, hands: (Commit, Option<Commit>), work: Work) -> Result<(), Error> {
        let (shared, target) = (Arc::clone(&self.shared), work.want.target.path());
        let is_quick = matches!(&work.goal, Goal::Anew(anew) if anew.view != View::Copy);
        let can_stay = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
        let place = self
            .in_place
            .try_acquire()
            .ok()
            .filter(|_| is_quick && can_stay);
        let span = tracing::Span::current();
        let run = move || {
            let (_hands, _in) = (hands, span.enter());
            shared.commit(&work)
        };
        let bug = |what| Err(Error::Bug { target, what });
        match place {
            Some(_place) => {
                panic::catch_unwind(AssertUnwindSafe(|| tokio::task::block_in_place(run)))
                    .unwrap_or_else(|_| bug("the commit panicked".to_owned()))
            }
            None => tokio::task::spawn_blocking(run)
                .await
                .unwrap_or_else(|e| bug(e.to_string())),
        }
    }
}
