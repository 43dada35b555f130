//! Rollback: a pod that was Ready and is not some time after a change gets back what it had.
//!
//! The pod's status says since when it is not Ready, by the clock of the node, as the record says when the content
//! changed. So one look after that time tells what became of the pod in it, however late the look is.

use std::sync::Arc;
use std::time::Duration;

use super::task::Task;
use crate::artifact::VolumePath;
use crate::mount::Mounter;
use crate::volume::changes::Changes;
use crate::volume::readiness::Readiness;
use crate::volume::record::{Before, Rejected};
use crate::volume::request::KeyedRequest;
use crate::volume::swap::{Bytes, Cause, Swap};
use crate::volume::{Error, History, Record};

/// Why what is shown since then is to be rolled back; nothing if it is not.
fn objection(readiness: &Readiness, changed: u64, rollback: Duration) -> Option<&str> {
    let end = changed.saturating_add(rollback.as_secs());
    match readiness {
        Readiness::Unready { since, why } if (changed..=end).contains(since) => Some(why),
        Readiness::Unready { .. } | Readiness::Ready | Readiness::Ending => None,
    }
}

impl<M: Mounter> Task<M> {
    /// Looks at the pod, and rolls back what made it unready. Nothing where nobody knows about the pod yet.
    pub(super) async fn judge(
        &mut self,
        keyed: &Arc<KeyedRequest>,
        record: Record,
        changes: &Changes,
    ) -> Result<Option<Record>, Error> {
        let history = record.history.clone().unwrap_or_default();
        let pod = keyed.request.pod.as_ref();
        let asked = pod.and_then(|pod| self.shared.objects.readiness(pod));
        let readiness = match asked {
            Some(answer) => answer.await,
            None => Ok(Readiness::Ending),
        };
        let rollback = changes.rollback.unwrap_or_default();
        let readiness = match readiness {
            Ok(readiness) => readiness,
            Err(why) => {
                self.state.unjudged(&why);
                return Ok(None);
            }
        };
        match (
            objection(&readiness, history.changed, rollback),
            history.before.clone(),
        ) {
            (Some(why), Some(before)) => {
                let time = humantime::format_duration(rollback);
                let rejected = Rejected {
                    asked: history.asked.clone(),
                    url: record.url.clone(),
                    sha256: record.sha256.clone(),
                    why: format!("the pod was not Ready within {time} ({why})"),
                };
                let swap = self.back(keyed, &history, (before, rejected), changes)?;
                let hold = self.shared.store.hold(swap.bytes.digest());
                self.swap(keyed, record, (swap, hold)).await.map(Some)
            }
            (None, _) | (_, None) => {
                let accept = self.blocking(keyed, move |shared, keyed, wait| {
                    shared.accept(keyed, wait, record)
                });
                accept.await.map(Some)
            }
        }
    }

    /// What was shown before, under the name that it had; one with a number under the next one, which alone is new to a
    /// Tomcat.
    fn back(
        &self,
        keyed: &KeyedRequest,
        history: &History,
        (before, rejected): (Before, Rejected),
        changes: &Changes,
    ) -> Result<Swap, Error> {
        let known = before.name.parse().ok();
        let known = known.and_then(|name| VolumePath::new(&before.path, name).ok());
        let place = match known.filter(|_| !self.shared.names_swap(keyed)) {
            Some(place) => place,
            None => self.shared.new_volume(keyed, history.swap + 1)?.spec.place,
        };
        Ok(Swap {
            asked: before.asked.clone(),
            bytes: Bytes::Kept(before),
            place,
            settle: changes.settle,
            cause: Cause::RolledBack(rejected),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pod_that_was_ready_and_is_not_since_then_objects() {
        let unready = |since| Readiness::Unready {
            since,
            why: "containers with unready status: [tomcat]".to_owned(),
        };
        let objects = |readiness| objection(&readiness, 1000, Duration::from_secs(60)).is_some();
        assert!(objects(unready(1000)) && objects(unready(1060)));
        // It was not Ready before, or was so all the time that it had.
        assert!(!objects(unready(999)) && !objects(unready(1061)));
        assert!(!objects(Readiness::Ready) && !objects(Readiness::Ending));
    }
}
