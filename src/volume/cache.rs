//! The cached artifacts, for the one who looks after them.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Error, Volumes};
use crate::mount::Mounter;
pub use crate::store::{Cached, Verdict};

use crate::store::Store;

/// What is cached. Cheap to clone; every call reads the disk and may block.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Store>);

/// A cached artifact as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The bytes.
    pub cached: Cached,
    /// The URLs that gave them, redacted.
    pub from: Vec<String>,
}

impl Cache {
    /// The cache of a store.
    pub fn of(store: Arc<Store>) -> Self {
        Self(store)
    }

    /// Every artifact.
    pub fn list(&self) -> Result<Vec<Held>, Error> {
        let mut from: HashMap<_, Vec<String>> = HashMap::new();
        for entry in self.0.entries()? {
            from.entry(entry.sha256).or_default().push(entry.url);
        }
        let held = |cached: Cached| Held {
            from: from.remove(&cached.sha256).unwrap_or_default(),
            cached,
        };
        Ok(self.0.cached()?.into_iter().map(held).collect())
    }

    /// Reads every artifact again, sets aside what is damaged, and says what it found, one by one: first without a
    /// verdict, when it begins with one. Ends early where `says` breaks off.
    pub fn verify(
        &self,
        mut says: impl FnMut(&Cached, Option<Verdict>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        for cached in self.0.cached()? {
            if says(&cached, None).is_break() {
                break;
            }
            let verdict = self.0.verify(&cached.sha256)?;
            if says(&cached, Some(verdict)).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Removes all that no volume uses, and the downloads that were broken off. Returns how many artifacts and bytes
    /// went.
    pub fn prune(&self) -> Result<(usize, u64), Error> {
        Ok(self.0.prune()?)
    }
}

impl<M: Mounter> Volumes<M> {
    /// The artifacts that the volumes are made of.
    pub fn cache(&self) -> Cache {
        Cache::of(Arc::clone(&self.shared.store))
    }
}
