//! Downloads that failed in a way that the next try would only repeat.
//!
//! kubelet asks again every two minutes for ever; without this memory each of its calls would download the same wrong
//! bytes, or fill the same disk, anew. It lives as long as the process; wrong bytes that have a validator are
//! remembered better, in the index.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Error;
use crate::lock::{Guard, Short};
use crate::store::Name;

/// How long wrong bytes are taken for still wrong where the origin gives nothing to ask with.
const WRONG: Duration = Duration::from_secs(600);

/// How long an origin's no is taken for its answer: thirty pods that start at once ask once, and whoever mends the
/// cause does not wait for it.
const REFUSED: Duration = Duration::from_secs(5);

/// Of how many downloads it is remembered.
const MOST: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct NegativeCache(Short<All>);

#[derive(Debug, Default)]
struct All {
    /// Each with its number, in the order in which they came.
    by_name: HashMap<Name, (u64, Failure)>,
    newest: u64,
}

#[derive(Clone, Debug)]
enum Failure {
    /// The disk was full, and so many bytes must have room before it is worth a try; or the origin is asked again, where
    /// it had told the length before any byte came.
    Full { needed: u64, told: Option<Instant> },
    /// The origin said no, or the bytes were not the promised ones; it is asked again after a while.
    Ended { until: Instant, error: Arc<Error> },
}

impl NegativeCache {
    fn all(&self) -> Guard<'_, All> {
        self.0.lock()
    }

    fn get(&self, name: &Name) -> Option<Failure> {
        Some(self.all().by_name.get(name)?.1.clone())
    }

    /// Whether a download is worth a try as far as is known without a look at the disk; the same error as before if
    /// not.
    pub(super) fn allow(&self, name: &Name) -> Result<(), Error> {
        match self.get(name) {
            Some(Failure::Ended { until, error }) if Instant::now() < until => {
                error.again().map_or(Ok(()), Err)
            }
            Some(Failure::Full { .. } | Failure::Ended { .. }) | None => Ok(()),
        }
    }

    /// How many bytes must have room before a download is worth a try, where the disk was full the last time.
    pub(super) fn needs(&self, name: &Name) -> Option<u64> {
        match self.get(name) {
            Some(Failure::Full {
                told: Some(since), ..
            }) if since.elapsed() >= REFUSED => None,
            Some(Failure::Full { needed, .. }) => Some(needed),
            Some(Failure::Ended { .. }) | None => None,
        }
    }

    /// Bounded: where there are too many the one goes that was there first. Then a download is tried that is known to
    /// fail, which costs time and nothing else.
    fn add(&self, name: &Name, failure: Failure) {
        let mut all = self.all();
        all.newest += 1;
        let newest = all.newest;
        all.by_name.insert(name.clone(), (newest, failure));
        while all.by_name.len() > MOST
            && let Some(oldest) = oldest(&all.by_name)
        {
            all.by_name.remove(&oldest);
        }
    }

    /// It went well.
    pub(super) fn forget(&self, name: &Name) {
        self.all().by_name.remove(name);
    }

    /// It found the disk full when bytes had come.
    pub(super) fn full(&self, name: &Name, needed: u64) {
        let failure = Failure::Full { needed, told: None };
        self.add(name, failure);
    }

    /// It was told that so many bytes would come, more than the disk has room for.
    pub(super) fn too_long(&self, name: &Name, needed: u64) {
        let told = Some(Instant::now());
        self.add(name, Failure::Full { needed, told });
    }

    /// The origin said no.
    pub(super) fn refused(&self, name: &Name, error: &Error) {
        self.ended(name, error, REFUSED);
    }

    /// It brought other bytes than the promised ones.
    pub(super) fn wrong(&self, name: &Name, error: &Error) {
        self.ended(name, error, WRONG);
    }

    fn ended(&self, name: &Name, error: &Error, time: Duration) {
        if let Some(error) = error.again().map(Arc::new) {
            let until = Instant::now() + time;
            self.add(name, Failure::Ended { until, error });
        }
    }
}

fn oldest(all: &HashMap<Name, (u64, Failure)>) -> Option<Name> {
    let numbered = all.iter().map(|(name, (number, _))| (*number, name));
    numbered.min().map(|(_, name)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_remembered_and_the_newest_stay() {
        let negative_cache = NegativeCache::default();
        let name = |n: usize| -> Name { serde_json::from_value(n.to_string().into()).unwrap() };
        for n in 0..10 * MOST {
            negative_cache.full(&name(n), n as u64);
        }
        assert_eq!(negative_cache.all().by_name.len(), MOST);
        let newest = 10 * MOST - 1;
        assert_eq!(negative_cache.needs(&name(newest)), Some(newest as u64));
        assert_eq!(negative_cache.needs(&name(newest - MOST)), None);
        negative_cache.forget(&name(newest));
        assert_eq!(negative_cache.needs(&name(newest)), None);
    }
}
