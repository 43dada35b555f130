//! The cached artifacts for one command, whether this process has the store or a driver.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::Error;
use super::access::{Backend, find};
use crate::config::Storing;
use crate::volume::{self, Cached, Held, Verdict};

/// The cache of this machine, for one command. It needs no mounts, so none are looked at.
pub struct CacheAccess(Backend<volume::Cache>);

impl CacheAccess {
    /// Finds out who has the cache; `says` is told if another process has it and this one waits. Must be called within
    /// a tokio runtime.
    pub async fn open(storing: &Storing, says: impl FnOnce(&str)) -> Result<Self, Error> {
        Ok(Self(match find(storing, says).await? {
            Backend::Local(store) => Backend::Local(volume::Cache::of(Arc::new(store))),
            Backend::Remote(driver) => Backend::Remote(driver),
        }))
    }

    /// Every artifact.
    pub async fn list(&self) -> Result<Vec<Held>, Error> {
        match &self.0 {
            Backend::Local(cache) => Ok(cache.list()?),
            Backend::Remote(driver) => Ok(driver.cached().await?),
        }
    }

    /// Reads every artifact again, sets aside what is damaged, and says what it found. `begins` is told with which one
    /// it begins.
    pub async fn verify(
        &self,
        mut begins: impl FnMut(&Cached),
    ) -> Result<Vec<(Verdict, Cached)>, Error> {
        let mut seen = Vec::new();
        let says = |cached: &Cached, verdict: Option<Verdict>| {
            match verdict {
                None => begins(cached),
                Some(verdict) => seen.push((verdict, cached.clone())),
            }
            ControlFlow::Continue(())
        };
        match &self.0 {
            Backend::Local(cache) => cache.verify(says)?,
            Backend::Remote(driver) => driver.verify(says).await?,
        }
        Ok(seen)
    }

    /// Removes all that no volume uses, and the downloads that were broken off. Returns how many artifacts and bytes
    /// went.
    pub async fn prune(&self) -> Result<(usize, u64), Error> {
        match &self.0 {
            Backend::Local(cache) => Ok(cache.prune()?),
            Backend::Remote(driver) => Ok(driver.prune().await?),
        }
    }
}
