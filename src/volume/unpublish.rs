//! From a volume that is seen to nothing.

use std::sync::Arc;
use std::time::Duration;

use super::plan::{self, UnpublishStep};
use super::{Error, Id, Owner, Pool, Shared, Volumes};
use crate::mount::{Mounter, Target};

/// How often, and how many times, an unpublish looks whether a change of what is shown is through.
const TURN: Duration = Duration::from_millis(5);
const TURNS: usize = 100;

impl<M: Mounter> Volumes<M> {
    /// Takes a volume away, and with it the directory it was seen at if that was made for it. One that is not known
    /// is gone already: that is success. Ends the wait of a publish at once.
    pub async fn unpublish(&self, volume: &str, target: &Target) -> Result<(), Error> {
        self.end(volume, target, true).await?;
        // Deleting what a pod left may take long, and nobody has to wait for it.
        self.janitor.wake();
        Ok(())
    }

    /// `ours`: whether the directory goes too where no record says whether it was made for the volume. What is thrown
    /// away is left to the caller: a command deletes it before it ends, a driver behind its answer.
    pub(super) async fn end(&self, volume: &str, target: &Target, ours: bool) -> Result<(), Error> {
        let id = Id::of(volume, target);
        let mut ended = self.locks.end(id.as_str());
        // From here on nobody begins another change of what is shown. One that has begun is through in a moment.
        let mut turns = if self.reconciler.looks_after(&id) {
            TURNS
        } else {
            0
        };
        while ended.is_err() && turns > 0 {
            tokio::time::sleep(TURN).await;
            ended = self.locks.end(id.as_str());
            turns -= 1;
        }
        let held = ended.map_err(|b| Error::of_busy(b, target.path()))?;
        self.shared.acquire.leave(id.as_str());
        let (shared, target) = (Arc::clone(&self.shared), target.clone());
        let path = target.path();
        let span = tracing::info_span!("unpublish", volume = id.as_str(), target = %path.display());
        let work = move || {
            let (_held, _in) = (held, span.enter());
            shared.take_away(&id, &target, ours)
        };
        let ended = self.pool.run(work).await;
        ended.unwrap_or_else(|what| Err(Error::Bug { target: path, what }))
    }

    /// Deletes what was taken out of sight; for one who has the time to wait.
    pub fn clean_up(&self) {
        self.shared.store.try_to_empty_trash();
    }

    /// The same behind the caller's back.
    pub fn clean_up_later(&self) {
        self.janitor.wake();
    }

    /// The threads that work on these volumes may wait on.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
}

impl<M: Mounter> Shared<M> {
    fn take_away(&self, id: &Id, target: &Target, ours: bool) -> Result<(), Error> {
        loop {
            let found = self.look(id, target, None)?;
            let remove_target = found
                .record
                .as_ref()
                .map_or(ours, |r| r.made_target || r.owner != Owner::CommandLine);
            let steps = plan::unpublish(found.record_match, found.target_state, remove_target)
                .map_err(|r| Error::of_refusal(r, target.path()))?;
            for step in &steps {
                match step {
                    UnpublishStep::Unmount => {
                        self.mounter.unmount(target)?;
                        self.mounts().remove(id.as_str());
                        // What is under it is looked at anew: it may be ours once more.
                        break;
                    }
                    UnpublishStep::RemoveTarget => self.mounter.remove(target)?,
                    UnpublishStep::RemoveDirectory => {
                        if let Some(record) = &found.record {
                            self.store.touch(&record.sha256);
                        }
                        self.store.remove_volume(id.as_str())?;
                        // Where somebody else took the mount away.
                        self.mounts().remove(id.as_str());
                        tracing::info!("unpublished");
                    }
                }
            }
            if steps.first() != Some(&UnpublishStep::Unmount) {
                return Ok(());
            }
        }
    }
}
