//! Who has which download open, and how long the others have been idle.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::Error;
use super::retention::{FRESH, Idle};
use super::{Store, list};
use crate::lock::Watched;

/// Of how many downloads it is remembered when they were closed.
const REMEMBERED: usize = 1000;

/// How many downloads that were broken off are kept, whatever room there is.
const KEPT: usize = 256;

/// The downloads that this process has had open.
#[derive(Debug)]
pub(super) struct Open {
    downloads: Watched<HashMap<String, DownloadState>>,
    /// Since when this process has had the store.
    since: Instant,
}

#[derive(Clone, Copy, Debug)]
enum DownloadState {
    /// Somebody has it open, and was promised room for so many bytes.
    Open { promised: u64 },
    /// Nobody has, since then.
    Closed(Instant),
}

/// Nobody else has this download open. A flight that is stopping may still be writing when the next one for the same
/// object begins: that one waits for the claim.
#[derive(Debug)]
pub(super) struct Claim {
    open: Arc<Open>,
    name: String,
}

impl Default for Open {
    fn default() -> Self {
        Self {
            downloads: Watched::default(),
            since: Instant::now(),
        }
    }
}

impl Open {
    /// Waits until nobody else has it open.
    pub(super) fn claim(self: &Arc<Self>, name: &str) -> Claim {
        self.downloads
            .wait_for(|all| is_closed(all, name).then(|| open(all, name)));
        self.claimed(name)
    }

    /// Nothing where somebody has it open.
    pub(super) fn try_claim(self: &Arc<Self>, name: &str) -> Option<Claim> {
        self.downloads
            .with(|all| is_closed(all, name).then(|| open(all, name)))?;
        Some(self.claimed(name))
    }

    fn claimed(self: &Arc<Self>, name: &str) -> Claim {
        Claim {
            open: Arc::clone(self),
            name: name.to_owned(),
        }
    }

    /// Replaces what a download that is open was promised; returns what that was before.
    pub(super) fn promise(&self, name: &str, bytes: u64) -> u64 {
        self.downloads.with(|all| match all.get_mut(name) {
            Some(DownloadState::Open { promised }) => std::mem::replace(promised, bytes),
            Some(DownloadState::Closed(_)) | None => 0,
        })
    }

    /// What a download was promised; nothing where nobody has it open.
    fn promised(&self, name: &str) -> Option<u64> {
        self.downloads.with(|all| match all.get(name) {
            Some(DownloadState::Open { promised }) => Some(*promised),
            Some(DownloadState::Closed(_)) | None => None,
        })
    }

    fn idle(&self, name: &str) -> Duration {
        let since = self.downloads.with(|all| match all.get(name) {
            Some(DownloadState::Closed(when)) => *when,
            Some(DownloadState::Open { .. }) | None => self.since,
        });
        since.elapsed()
    }
}

fn is_closed(all: &HashMap<String, DownloadState>, name: &str) -> bool {
    !matches!(all.get(name), Some(DownloadState::Open { .. }))
}

fn open(all: &mut HashMap<String, DownloadState>, name: &str) {
    all.insert(name.to_owned(), DownloadState::Open { promised: 0 });
}

fn oldest(all: &HashMap<String, DownloadState>) -> Option<String> {
    let closed = all.iter().filter_map(|(name, state)| match state {
        DownloadState::Closed(when) => Some((when, name)),
        DownloadState::Open { .. } => None,
    });
    closed.min().map(|(_, name)| name.clone())
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.open.downloads.with(|all| {
            // When the older ones were closed does not matter any more.
            all.retain(|_, state| match state {
                DownloadState::Open { .. } => true,
                DownloadState::Closed(when) => when.elapsed() < FRESH,
            });
            while all.len() >= REMEMBERED
                && let Some(oldest) = oldest(all)
            {
                all.remove(&oldest);
            }
            all.insert(self.name.clone(), DownloadState::Closed(Instant::now()));
        });
    }
}

/// A download that is not complete, as the store sees it from outside.
pub(super) struct Unfinished {
    name: String,
    /// Bytes that it takes, or was promised.
    pub(super) size: u64,
    is_open: bool,
}

impl Store {
    /// Every download that is not complete.
    pub(super) fn partials(&self) -> Result<Vec<Unfinished>, Error> {
        let mut all = Vec::new();
        for dir in list(&self.bucket("partial"))? {
            let Some(name) = dir.file_name().and_then(|n| n.to_str()) else {
                continue;
            };
            // Space that is reserved behind its end is taken, too.
            let taken = fs::symlink_metadata(dir.join("data"))
                .map_or(0, |meta| meta.len().max(meta.blocks() * 512));
            let promised = self.open.promised(name);
            all.push(Unfinished {
                name: name.to_owned(),
                size: taken.max(promised.unwrap_or(0)),
                is_open: promised.is_some(),
            });
        }
        Ok(all)
    }

    /// Those that nobody has open.
    pub(super) fn idle_partials(&self) -> Result<Vec<Idle>, Error> {
        let idle = self.partials()?.into_iter().filter(|p| !p.is_open);
        Ok(idle
            .map(|p| Idle {
                idle: self.open.idle(&p.name),
                name: p.name,
                size: p.size,
            })
            .collect())
    }

    /// Removes the oldest of the downloads that were broken off, where there are too many of them.
    pub(super) fn drop_surplus_partials(&self) -> Result<(), Error> {
        let mut idle = self.idle_partials()?;
        idle.sort_by(|a, b| a.idle.cmp(&b.idle).then_with(|| a.name.cmp(&b.name)));
        for surplus in idle.iter().skip(KEPT) {
            self.remove_idle(&surplus.name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_downloads_were_closed_is_remembered_of_so_many_and_no_more() {
        let open = Arc::new(Open::default());
        let held = open.claim("held");
        open.promise("held", 7);
        for n in 0..10 * REMEMBERED {
            drop(open.claim(&n.to_string()));
        }
        let remembered = open.downloads.with(|all| all.len());
        assert!(
            (REMEMBERED - 1..=REMEMBERED).contains(&remembered),
            "{remembered}"
        );
        assert_eq!(open.promised("held"), Some(7));
        assert!(open.try_claim("held").is_none());
        drop(held);
        assert_eq!(open.promised("held"), None);
        assert!(open.try_claim("held").is_some());
    }
}
