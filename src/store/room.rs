//! Making room: what is removed, and in which order.
//!
//! 1. What was discarded already; it only has to be deleted.
//! 2. Downloads that nobody has continued for an hour, the oldest first.
//! 3. Artifacts that no volume uses, the least recently used first.
//! 4. Younger downloads, the oldest first: the next try goes on with them.
//!
//! A download that runs and an artifact that a volume uses are never removed. The order of 2 to 4 is decided in
//! [`retention`], which is pure.

use super::error::{Error, Shortage};
use super::key::Name;
use super::retention::{self, Victim};
use super::{Store, remove};

impl Store {
    /// Makes sure that the file system has room for so many bytes more, and removes what is unused if need be. For what
    /// is no part of the cache: its own limit does not count. `what` names in the message what the room is for. Takes
    /// as long as deleting takes.
    pub fn make_room(&self, bytes: u64, what: &str) -> Result<(), Error> {
        self.free_until(what, || self.disk_shortage(bytes))
    }

    /// Whether the file system has room for so many bytes more as it is. Waits for nothing.
    pub fn has_room(&self, bytes: u64) -> Result<bool, Error> {
        Ok(self.disk_shortage(bytes)?.is_none())
    }

    /// Promises a download that is open room for `total` bytes in the cache, of which the disk still has to take
    /// `more`. Promises count against the cache's limit from now on, so that downloads that run at the same time
    /// do not exceed it together; a promise ends with its download.
    pub fn promise(&self, name: &Name, total: u64, more: u64, what: &str) -> Result<(), Error> {
        // One at a time: two that look at once would both be given what is left.
        let _turn = self.promising.take();
        let before = self.open.promise(name.as_str(), total);
        let promised = self.free_until(what, || {
            Ok(match self.disk_shortage(more)? {
                Some(shortage) => Some(shortage),
                None => self.cache_shortage()?,
            })
        });
        if promised.is_err() {
            self.open.promise(name.as_str(), before);
        }
        promised
    }

    fn free_until(
        &self,
        what: &str,
        shortage: impl Fn() -> Result<Option<Shortage>, Error>,
    ) -> Result<(), Error> {
        let mut emptied = false;
        while let Some(short) = shortage()? {
            // What was discarded is not in the cache any more, so its limit gains nothing by that.
            let on_disk = !matches!(short, Shortage::Limit { .. });
            if on_disk && !emptied {
                emptied = true;
                self.try_to_empty_trash();
            } else if self.remove_unused(short.missing())?.bytes == 0 {
                return Err(Error::Full {
                    what: what.to_owned(),
                    root: self.root.clone(),
                    shortage: short,
                });
            }
        }
        Ok(())
    }

    /// Removes so many bytes of what is unused, or all of it if that is less.
    pub(super) fn remove_unused(&self, bytes: u64) -> Result<Removed, Error> {
        let mut removed = Removed::default();
        for victim in retention::choose(self.cached()?, self.idle_partials()?, bytes) {
            match victim {
                Victim::Artifact(cached) if self.remove_cached(&cached)? => {
                    removed.artifacts += 1;
                    removed.artifact_bytes += cached.size;
                    removed.bytes += cached.size.max(1);
                }
                Victim::Partial(idle) if self.remove_idle(&idle.name)? => {
                    removed.bytes += idle.size.max(1);
                }
                // Somebody took it up meanwhile.
                Victim::Artifact(_) | Victim::Partial(_) => {}
            }
        }
        if removed.artifacts > 0 {
            self.forget_collected()?;
        }
        Ok(removed)
    }

    /// Removes a download that nobody has open; false where somebody has it.
    pub(super) fn remove_idle(&self, name: &str) -> Result<bool, Error> {
        let Some(_claim) = self.open.try_claim(name) else {
            return Ok(false);
        };
        remove(&self.bucket("partial").join(name)).map(|()| true)
    }
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Removed {
    /// How many artifacts.
    pub(super) artifacts: usize,
    /// Their bytes.
    pub(super) artifact_bytes: u64,
    /// Bytes of artifacts and downloads; an empty one counts for one.
    pub(super) bytes: u64,
}

impl Shortage {
    /// How many bytes have to go. How many objects give back how many inodes is not known: all unused ones then.
    fn missing(&self) -> u64 {
        match self {
            Self::Bytes { missing, .. } | Self::Limit { missing, .. } => *missing,
            Self::Inodes { .. } => u64::MAX,
        }
    }
}
