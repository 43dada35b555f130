//! Who works on which volume.
//!
//! A publish has two phases (law 2). While it *waits* for its artifact anybody may come: another publish waits
//! beside it, an unpublish ends the wait at once. While it *commits* (milliseconds) it is alone, and others are told
//! to come back.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::lock::{Guard, Short};

/// The volumes that somebody works on.
#[derive(Clone, Debug, Default)]
pub(super) struct VolumeLocks(Arc<Short<HashMap<String, Slot>>>);

#[derive(Debug, Default)]
struct Slot {
    /// Counts the unpublishes: a wait that began before one has ended.
    ended: watch::Sender<u64>,
    committing: bool,
    /// Counts how often it was locked.
    commits: u64,
    users: usize,
}

/// A wait for an artifact; over when dropped.
#[derive(Debug)]
pub(super) struct Wait {
    locks: VolumeLocks,
    id: String,
    began: u64,
    ended: watch::Receiver<u64>,
    /// How often it had been locked when the wait began; nothing if it was locked just then.
    commits: Option<u64>,
}

/// The right to change a volume, alone; given back when dropped.
#[derive(Debug)]
pub(super) struct VolumeLock {
    locks: VolumeLocks,
    id: String,
    /// Whether nobody else has locked it since the wait began.
    pub(super) is_first: bool,
}

/// Why a volume cannot be locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Busy {
    /// Somebody else commits.
    Committing,
    /// An unpublish came: there is nothing to commit any more.
    Ended,
}

impl VolumeLocks {
    fn slots(&self) -> Guard<'_, HashMap<String, Slot>> {
        self.0.lock()
    }

    pub(super) fn wait(&self, id: &str) -> Wait {
        let mut slots = self.slots();
        let slot = slots.entry(id.to_owned()).or_default();
        slot.users += 1;
        let commits = (!slot.committing).then_some(slot.commits);
        let ended = slot.ended.subscribe();
        let began = *ended.borrow();
        Wait {
            locks: self.clone(),
            id: id.to_owned(),
            began,
            ended,
            commits,
        }
    }

    /// Ends all waits for a volume and takes it: for an unpublish.
    pub(super) fn end(&self, id: &str) -> Result<VolumeLock, Busy> {
        let mut slots = self.slots();
        let slot = slots.entry(id.to_owned()).or_default();
        slot.ended.send_modify(|n| *n += 1);
        if slot.committing {
            return Err(Busy::Committing);
        }
        slot.begin();
        Ok(VolumeLock {
            locks: self.clone(),
            id: id.to_owned(),
            is_first: false,
        })
    }

    /// Takes a volume at all of its targets, for one that may be seen at one of them only.
    pub(super) fn everywhere(&self, volume: &str) -> Result<VolumeLock, Busy> {
        // No name of a directory holds a space.
        let id = format!("volume {volume}");
        self.wait(&id).lock()
    }

    /// Does something while nobody works on a volume, and nobody can begin to; not at all where somebody does.
    pub(super) fn unless_in_use(&self, id: &str, act: impl FnOnce()) {
        let slots = self.slots();
        if !slots.contains_key(id) {
            act();
        }
    }

    fn leave(&self, id: &str, lock: bool) {
        let mut slots = self.slots();
        if let Some(slot) = slots.get_mut(id) {
            slot.users -= 1;
            slot.committing &= !lock;
            if slot.users == 0 {
                slots.remove(id);
            }
        }
    }
}

impl Slot {
    fn begin(&mut self) {
        self.committing = true;
        self.commits += 1;
        self.users += 1;
    }
}

impl Wait {
    /// Returns when an unpublish ends the wait.
    pub(super) async fn ended(&self) {
        let began = self.began;
        // The sender lives as long as this wait does.
        let _ = self.ended.clone().wait_for(|n| *n != began).await;
    }

    /// Whether an unpublish has ended it.
    pub(super) fn is_over(&self) -> bool {
        *self.ended.borrow() != self.began
    }

    /// Goes over to the second phase.
    pub(super) fn lock(&self) -> Result<VolumeLock, Busy> {
        let mut slots = self.locks.slots();
        let Some(slot) = slots.get_mut(&self.id) else {
            return Err(Busy::Ended);
        };
        if *slot.ended.borrow() != self.began {
            return Err(Busy::Ended);
        }
        if slot.committing {
            return Err(Busy::Committing);
        }
        let is_first = self.commits == Some(slot.commits);
        slot.begin();
        Ok(VolumeLock {
            locks: self.locks.clone(),
            id: self.id.clone(),
            is_first,
        })
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.locks.leave(&self.id, false);
    }
}

impl Drop for VolumeLock {
    fn drop(&mut self) {
        self.locks.leave(&self.id, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_unpublish_ends_every_wait_and_no_commit_follows() {
        let locks = VolumeLocks::default();
        let (a, b) = (locks.wait("v"), locks.wait("v"));
        let lock = locks.end("v").unwrap();
        a.ended().await;
        b.ended().await;
        assert_eq!(a.lock().unwrap_err(), Busy::Ended);
        drop(lock);
        assert_eq!(b.lock().unwrap_err(), Busy::Ended);
        assert!(locks.wait("v").lock().is_ok());
    }

    #[test]
    fn what_must_not_meet_anybody_does_not_happen_while_somebody_waits_or_commits() {
        let locks = VolumeLocks::default();
        let acts = |id: &str| {
            let mut acted = false;
            locks.unless_in_use(id, || acted = true);
            acted
        };
        assert!(acts("v"));
        let wait = locks.wait("v");
        assert!(!acts("v") && acts("other"));
        let lock = wait.lock().unwrap();
        drop(wait);
        assert!(!acts("v"));
        drop(lock);
        assert!(acts("v"));
    }

    #[test]
    fn only_against_a_commit_is_anybody_busy() {
        let locks = VolumeLocks::default();
        let (a, b) = (locks.wait("v"), locks.wait("v"));
        let lock = a.lock().unwrap();
        assert_eq!(b.lock().unwrap_err(), Busy::Committing);
        assert_eq!(locks.end("v").unwrap_err(), Busy::Committing);
        assert!(locks.wait("other").lock().is_ok());
        drop(lock);
        drop((a, b));
        assert!(
            locks.slots().is_empty(),
            "nothing is kept of volumes that nobody works on"
        );
    }

    #[test]
    fn who_comes_first_knows_that_nobody_was_there_before() {
        let locks = VolumeLocks::default();
        let (a, b) = (locks.wait("v"), locks.wait("v"));
        let lock = a.lock().unwrap();
        let c = locks.wait("v");
        assert!(lock.is_first);
        drop(lock);
        assert!(!b.lock().unwrap().is_first);
        assert!(!c.lock().unwrap().is_first);
        assert!(locks.wait("v").lock().unwrap().is_first);
    }

    #[tokio::test]
    async fn what_nobody_works_on_is_not_remembered() {
        let locks = VolumeLocks::default();
        for n in 0..10_000 {
            let wait = locks.wait(&n.to_string());
            drop(wait.lock().unwrap());
            drop(wait);
            drop(locks.end(&n.to_string()).unwrap());
            drop(locks.everywhere(&n.to_string()).unwrap());
        }
        assert!(locks.slots().is_empty());
    }
}
