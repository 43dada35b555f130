//! How the task of a volume gets what is wanted, and from when on that may be shown.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::pace;
use super::state::Got;
use super::task::{Next, Task};
use crate::acquire::{Joined, Waiting};
use crate::mount::Mounter;
use crate::policy::{PullPolicy, Request};
use crate::volume::changes::{Changes, SPREAD};
use crate::volume::clock::{now, remaining};
use crate::volume::content::NewVolume;
use crate::volume::renew::FIRST;
use crate::volume::request::KeyedRequest;
use crate::volume::swap::{Bytes, Cause, Swap};
use crate::volume::{Before, Error, History, Record, Rejected, Sharing};

/// What is there of what is wanted.
enum Had {
    Bytes(Bytes),
    Flying(Waiting),
}

impl<M: Mounter> Task<M> {
    /// Gets what is wanted, and waits until it may be shown.
    pub(super) async fn get(
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
            let url = got.bytes.url().to_owned();
            return Ok(Next::Confirm(got.asked, url));
        }
        let is_it = |r: &Rejected| r.asked == got.asked && r.sha256 == *got.bytes.digest();
        if history.rejected.as_ref().is_some_and(is_it) {
            return Ok(Next::Nothing);
        }
        let gate = self.gate(
            keyed,
            history,
            (&new.changes.unwrap_or_default(), got.since),
        );
        self.state.got = Some(got);
        // A timer has the milliseconds of a wheel, and one whose time has come ends with the next of them.
        if gate > Instant::now() {
            sleep_until(gate).await;
        }
        let new = self.shared.new_volume(keyed, history.swap + 1)?;
        let got = self.state.got.take();
        let got = got.ok_or_else(|| keyed.bug("what was got is gone"))?;
        let changes = new.changes.unwrap_or_default();
        let swap = Swap {
            asked: got.asked,
            bytes: got.bytes,
            place: new.spec.place,
            settle: changes.settle,
            cause: Cause::Wanted {
                on_trial: changes.rollback.is_some(),
            },
        };
        Ok(Next::Swap(Box::new(swap), got.hold))
    }

    async fn get_anew(
        &self,
        keyed: &Arc<KeyedRequest>,
        history: &History,
        (asked, new): (String, &NewVolume),
    ) -> Result<Got, Error> {
        let kept = self.kept(history, &asked);
        let request = self.artifact_request(new);
        let had = self.blocking(keyed, move |shared, keyed, _| {
            if let Some(before) = kept
                && let Some(dir) = shared.store.volume(keyed.id.as_str())?
                && dir.keeps(&before.sha256)
            {
                return Ok(Had::Bytes(Bytes::Kept(before)));
            }
            let joined = shared.acquire.join(shared.permit(keyed, request)?)?;
            Ok(match joined {
                Joined::Have(artifact) => Had::Bytes(Bytes::Cached(artifact)),
                Joined::Flying(waiting) => Had::Flying(waiting),
            })
        });
        let bytes = match had.await? {
            Had::Bytes(bytes) => bytes,
            Had::Flying(waiting) => Bytes::Cached(waiting.completed().await?),
        };
        Ok(Got {
            hold: self.shared.store.hold(bytes.digest()),
            since: Instant::now(),
            asked,
            bytes,
        })
    }

    /// What the volume showed last, if that is wanted: neither the origin nor the cache is asked for it.
    fn kept(&self, history: &History, asked: &str) -> Option<Before> {
        let is_wanted = |then: &str| !then.is_empty() && then == asked;
        let before = history.before.clone();
        before.filter(|before| !self.state.refreshes && is_wanted(&before.asked))
    }

    fn artifact_request(&self, new: &NewVolume) -> Request {
        let mut request = new.artifact_request.clone();
        if self.state.refreshes {
            request.pull = PullPolicy::Always;
        }
        request
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
        // Until the verdict it is not known whether this could be gone back to.
        let rollback = changes.rollback.filter(|_| history.on_trial);
        let trial = rollback.map(|time| remaining(history.changed, time, now()));
        let spread = changes.spread.unwrap_or(match keyed.request.sharing {
            Sharing::ManyNodes => SPREAD,
            Sharing::OneTarget | Sharing::ManyTargets => Duration::ZERO,
        });
        let turn = since + pace::place(keyed.id.as_str(), spread);
        turn.max(Instant::now() + settles.max(trial.unwrap_or_default()))
    }
}
