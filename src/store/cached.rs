//! What a list of the cache shows.

use std::time::SystemTime;

use crate::artifact::Digest;

/// A blob as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// What the bytes hash to.
    pub sha256: Digest,
    /// How many bytes.
    pub size: u64,
    /// How many hard links beside its own name: one for each volume, and foreign ones (a backup's).
    pub links: u64,
    /// When a volume last let go of it, or when it came. By the wall clock: an order, never an age.
    pub used: SystemTime,
}
