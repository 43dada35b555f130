//! From a request to a volume that is seen.

use std::sync::Arc;

use tracing::Instrument;

use super::blocking::Takes;
use super::commit::Work;
use super::content::{Content, NewVolume};
use super::locks::{Busy, VolumeLock, VolumeLocks, Wait};
use super::objects::Object;
use super::plan::{self, PublishStep};
use super::record::fingerprint;
use super::renew::FIRST;
use super::request::KeyedRequest;
use super::{Caller, Error, Id, PublishRequest, Shared, Sharing, VolumeState, Volumes};
use crate::acquire::{self, Joined, Progress, Waiting};
use crate::artifact::ArtifactUrl;
use crate::mount::Mounter;
use crate::policy::{Permit, Request, Subject};
use crate::store::{self, Artifact, VolumeDir};

/// How often an artifact that was collected between its arrival and its link is fetched again; what was lost once is
/// held, so the second time is another object's.
const MOST_RACES: usize = 3;

/// What a first look leads to.
enum FirstLook {
    /// It is shown as it should be. Whether its record is to be written again.
    Shown { lost: bool },
    /// It is to be shown, and nothing has to be waited for.
    Now(Content, Option<Artifact>),
    /// Its artifact is on its way.
    Later(Content, Waiting),
    /// It is to be written to, and the disk is too full for that: room has to be made first.
    Full(ArtifactUrl),
    /// Nothing is known yet of an object that it takes values from.
    Unseen(Object),
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
    pub async fn publish(&self, request: PublishRequest, caller: &Caller) -> Result<(), Error> {
        let keyed = KeyedRequest {
            id: Id::of(&request.volume, &request.target),
            fingerprint: self.shared.fingerprint(&request),
            interests: self.shared.interests(&request),
            request,
        };
        let span = tracing::info_span!(
            "publish",
            volume = keyed.id.as_str(),
            target = %keyed.target().path().display(),
            artifact = tracing::field::Empty,
            digest = tracing::field::Empty,
        );
        let keyed = Arc::new(keyed);
        let id = keyed.id.clone();
        let once = self.publish_once(Arc::clone(&keyed), caller);
        let published = once.instrument(span).await;
        if published.is_ok() && self.shared.may_change(&keyed.request) {
            self.reconciler.wake(keyed);
        }
        if matches!(published, Err(Error::Ended(_))) {
            // The unpublish may have come before the interest that it was to withdraw.
            self.want_no_more(&id);
        }
        published
    }

    async fn publish_once(&self, keyed: Arc<KeyedRequest>, caller: &Caller) -> Result<(), Error> {
        let call = Arc::new(Call {
            wait: self.locks.wait(keyed.id.as_str()),
            locks: self.locks.clone(),
            keyed,
            caller: caller.clone(),
        });
        let mut was_there = None;
        let mut lost = Vec::new();
        loop {
            let begun = Arc::clone(&call);
            let begin = move |shared: &Shared<M>| {
                // Law 1; looked up before anything of the request is parsed.
                let dir = shared.store.volume(begun.keyed.id.as_str())?;
                Ok((dir.is_some(), shared.begin(&begun, dir)))
            };
            // Until that is known no error is final.
            let (is_there, first) = self
                .run_blocking(Takes::Microseconds, call.keyed.target(), begin)
                .await
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
                    lost.push(self.shared.store.hold(&sha256));
                }
                Err(error) if was_there => return Err(error.of_published()),
                Err(error) => return Err(error),
            }
        }
    }

    async fn go_on(&self, call: &Arc<Call>, first: FirstLook) -> Result<Next, Error> {
        let (content, artifact) = match first {
            FirstLook::Shown { lost } => {
                if lost {
                    self.renew(&call.keyed, &call.wait).await;
                }
                return Ok(Next::Done);
            }
            FirstLook::Now(content, artifact) => (content, artifact),
            FirstLook::Full(url) => {
                self.make_room(call, &url).await?;
                return Ok(Next::Again);
            }
            FirstLook::Unseen(object) => {
                let why = Error::Unseen(object).to_string();
                let progress = Arc::new(Progress::waiting(why));
                let _shown = self.shared.shows(call.keyed.id.as_str(), progress);
                tokio::select! {
                    biased;
                    () = call.wait.ended() => return Err(call.keyed.busy(Busy::Ended)),
                    () = call.keyed.seen() => return Ok(Next::Again),
                }
            }
            FirstLook::Later(content, waiting) => {
                let _shown = self
                    .shared
                    .shows(call.keyed.id.as_str(), waiting.progress());
                // In this order: an unpublish also stops the flight, and is the reason why.
                let completed = tokio::select! {
                    biased;
                    () = call.wait.ended() => return Err(call.keyed.busy(Busy::Ended)),
                    completed = waiting.completed() => completed,
                };
                (content, Some(completed?))
            }
        };
        // From here on nothing is cancelled.
        let held = call.held()?;
        let (takes, call) = (content.takes(), Arc::clone(call));
        let keyed = Arc::clone(&call.keyed);
        let commit =
            move |shared: &Shared<M>| shared.commit_now(&call, held, (content, artifact), None);
        self.run_blocking(takes, keyed.target(), commit).await?;
        Ok(Next::Done)
    }

    /// Removes what is unused, beside the call: that may take longer than its caller has time.
    async fn make_room(&self, call: &Call, url: &ArtifactUrl) -> Result<(), Error> {
        let progress = Arc::new(Progress::making_room(url));
        let _shown = self.shared.shows(call.keyed.id.as_str(), progress);
        let work = async {
            let _turn = self.making_room.acquire().await;
            let work = |shared: &Shared<M>| Ok(shared.store.make_room(0, "a writable volume")?);
            self.run_blocking(Takes::Long, call.keyed.target(), work)
                .await
        };
        tokio::select! {
            biased;
            () = call.wait.ended() => Err(call.keyed.busy(Busy::Ended)),
            made = work => made,
        }
    }
}

/// A publish that has begun.
struct Call {
    keyed: Arc<KeyedRequest>,
    wait: Wait,
    locks: VolumeLocks,
    caller: Caller,
}

/// The lock of a volume at a target, and, where it may be seen at one target only, of the volume at all of them.
type HeldLocks = (VolumeLock, Option<VolumeLock>);

impl Call {
    fn held(&self) -> Result<HeldLocks, Error> {
        let busy = |b| self.keyed.busy(b);
        let here = self.wait.lock().map_err(busy)?;
        let everywhere = match self.keyed.request.sharing {
            Sharing::OneTarget => {
                let everywhere = self.locks.everywhere(&self.keyed.request.volume);
                Some(everywhere.map_err(busy)?)
            }
            Sharing::ManyTargets | Sharing::ManyNodes => None,
        };
        Ok((here, everywhere))
    }
}

impl<M: Mounter> Shared<M> {
    /// What a request compares by.
    pub(super) fn fingerprint(&self, request: &PublishRequest) -> String {
        fingerprint(
            self.store.key(),
            &request.attributes,
            request.asks_read_only(),
        )
    }

    /// A first look, and the whole of it where nothing has to be waited for and little is to be done: then nothing is
    /// left.
    fn begin(&self, call: &Call, dir: Option<VolumeDir>) -> Result<Option<FirstLook>, Error> {
        let (first, found) = self.first(call, dir)?;
        match first {
            FirstLook::Shown { lost: false } => Ok(None),
            FirstLook::Now(content, artifact) if content.takes() == Takes::Microseconds => {
                // A caller that has hung up changes nothing any more.
                if call.caller.is_gone() {
                    return Err(call.keyed.busy(Busy::Ended));
                }
                let held = call.held()?;
                // One look is enough if nobody can have changed what it saw.
                let found = Some(found).filter(|_| held.0.is_first);
                self.commit_now(call, held, (content, artifact), found)?;
                Ok(None)
            }
            rest @ (FirstLook::Shown { .. }
            | FirstLook::Now(..)
            | FirstLook::Later(..)
            | FirstLook::Full(_)
            | FirstLook::Unseen(_)) => Ok(Some(rest)),
        }
    }

    fn commit_now(
        &self,
        call: &Call,
        held: HeldLocks,
        (content, artifact): (Content, Option<Artifact>),
        found: Option<VolumeState>,
    ) -> Result<(), Error> {
        if let Some(artifact) = &artifact {
            tracing::Span::current().record("digest", tracing::field::display(artifact.digest()));
        }
        let work = Work {
            keyed: Arc::clone(&call.keyed),
            content,
            artifact,
        };
        let committed = self.commit(&work, found);
        drop(held);
        committed.inspect(|()| tracing::info!("published"))
    }

    fn first(
        &self,
        call: &Call,
        dir: Option<VolumeDir>,
    ) -> Result<(FirstLook, VolumeState), Error> {
        let keyed = &call.keyed;
        let mut found = self.look_into(dir, &keyed.id, keyed.target(), Some(&keyed.fingerprint))?;
        if plan::refuses(found.record_match, found.target_state) {
            // What another call was doing meanwhile is seen half done. A refusal counts that is seen alone.
            let _alone = call.wait.lock().map_err(|b| keyed.busy(b))?;
            found = self.look(&keyed.id, keyed.target(), Some(&keyed.fingerprint))?;
        }
        Ok((self.next(keyed, &found)?, found))
    }

    fn next(&self, keyed: &KeyedRequest, found: &VolumeState) -> Result<FirstLook, Error> {
        if plan::is_satisfied(found.record_match, found.target_state) {
            return Ok(FirstLook::Shown { lost: found.lost });
        }
        // The view is needed only for what is to be mounted, and a known volume has one already.
        let content = match &found.record {
            Some(record) => Content::Existing(Box::new(record.clone())),
            None => match self.new_volume(keyed, FIRST) {
                Err(Error::Unseen(object)) => return Ok(FirstLook::Unseen(object)),
                new => Content::New(Box::new(new?)),
            },
        };
        let steps = plan::publish(content.view(), found.record_match, found.target_state)
            .map_err(|r| Error::of_refusal(r, keyed.target().path()))?;
        match (steps.first(), content) {
            (Some(PublishStep::Acquire), Content::New(new)) => self.acquire(keyed, new),
            (_, content) => Ok(FirstLook::Now(content, None)),
        }
    }

    /// What is cached, or a place in the flight that gets it.
    fn acquire(&self, keyed: &KeyedRequest, new: Box<NewVolume>) -> Result<FirstLook, Error> {
        // A writable layer has no limit of its own, so none begins on a disk that is nearly full.
        if new.view.writable() && !self.store.has_room(0)? {
            return Ok(FirstLook::Full(new.spec.artifact.url));
        }
        tracing::Span::current()
            .record("artifact", tracing::field::display(&new.spec.artifact.url));
        let permit = self.permit(keyed, new.artifact_request.clone())?;
        Ok(match self.acquire.join(permit)? {
            Joined::Have(artifact) => FirstLook::Now(Content::New(new), Some(artifact)),
            Joined::Flying(waiting) => FirstLook::Later(Content::New(new), waiting),
        })
    }

    /// The permission to get what a volume shows.
    pub(super) fn permit(&self, keyed: &KeyedRequest, request: Request) -> Result<Permit, Error> {
        let subject = Subject {
            volume: keyed.id.as_str().to_owned(),
            pod: keyed.request.pod.clone(),
            of_claim: keyed.request.persistent_volume.is_some(),
        };
        let permit = self.policy.check(subject, request);
        Ok(permit.map_err(acquire::Error::from)?)
    }
}
