//! What the store keeps, and what volumes show of it.
//!
//! A file lies in a volume as a hard link of its blob, and that link is the volume's lease: nothing is written to take
//! it, so nothing can leak. Trees, unpacked or as an image, will be further variants of [`Artifact`] and [`Placement`],
//! with leases of their own; the compiler names the places that have to know.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use crate::artifact::{Digest, VolumePath};

/// What is in the store: complete, verified when it came, durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Artifact {
    /// One file.
    File(Blob),
}

/// Bytes in the store that were verified when they came. There is no other way to get one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    pub(super) sha256: Digest,
    pub(super) size: u64,
    pub(super) url: String,
}

impl Artifact {
    /// What names it in the store.
    pub fn digest(&self) -> &Digest {
        match self {
            Self::File(blob) => &blob.sha256,
        }
    }

    /// How many bytes it takes.
    pub fn size(&self) -> u64 {
        match self {
            Self::File(blob) => blob.size,
        }
    }

    /// The URL that gave it to whoever asks, redacted. Where something else is asked for than a URL, that is where it was
    /// found.
    pub fn url(&self) -> &str {
        match self {
            Self::File(blob) => &blob.url,
        }
    }
}

/// What a volume shows, and where in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// One file at a place.
    File(VolumePath),
}

/// How many volumes hold a file: its hard links beside its own name, and foreign ones (a backup's).
pub(super) fn leases(file: &Metadata) -> u64 {
    file.nlink().saturating_sub(1)
}

/// An artifact as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// What names it.
    pub sha256: Digest,
    /// How many bytes.
    pub size: u64,
    /// How many volumes hold it; foreign hard links (a backup's) count, too.
    pub leases: u64,
    /// When a volume last let go of it, or when it came. By the wall clock: an order, never an age.
    pub used: SystemTime,
}
