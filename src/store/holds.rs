//! Blobs that somebody is about to link.

use std::collections::HashMap;
use std::sync::Arc;

use super::Store;
use crate::artifact::Digest;
use crate::lock::{Guard, Short};

/// How many keep a blob, by its digest.
#[derive(Debug, Default)]
pub(super) struct Holds(Short<HashMap<Digest, usize>>);

impl Holds {
    fn all(&self) -> Guard<'_, HashMap<Digest, usize>> {
        self.0.lock()
    }

    pub(super) fn holds(&self, sha256: &Digest) -> bool {
        self.all().contains_key(sha256)
    }
}

/// While this lives no collection takes the blob.
#[derive(Debug)]
pub struct Hold {
    holds: Arc<Holds>,
    sha256: Digest,
}

impl Store {
    /// For one who has lost a race against a collection, and must not lose the next.
    pub fn hold(&self, sha256: &Digest) -> Hold {
        *self.holds.all().entry(sha256.clone()).or_default() += 1;
        Hold {
            holds: Arc::clone(&self.holds),
            sha256: sha256.clone(),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut all = self.holds.all();
        if let Some(count) = all.get_mut(&self.sha256) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.sha256);
            }
        }
    }
}
