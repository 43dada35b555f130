//! Hashing beside the download, on a thread of its own, so that bytes are never read again.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use sha2::{Digest as _, Sha256, Sha512};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::Error;
use crate::artifact::Digest;

/// How many chunks may wait to be hashed, per download. More does not make it faster (ENGINE §4).
const DEPTH: usize = 8;

/// How many chunks may be on their way from an origin through the disk to their hash, over all downloads of the
/// process.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Semaphore>);

/// The right to hold one chunk; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// Of 408 KiB each: so large is the buffer that a body is read into, however little of it a chunk fills.
    const CHUNKS: usize = 24;

    /// Waits until one more is allowed.
    pub(super) async fn share(&self) -> Share {
        Share {
            _permit: Arc::clone(&self.0).acquire_owned().await.ok(),
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(Self::CHUNKS)))
    }
}

/// What the bytes hash to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Digests {
    pub(super) sha256: Digest,
    pub(super) sha512: Option<Digest>,
}

type Chunk = (Bytes, Share);

/// A running computation. Dropped before its end it is forgotten.
pub(super) struct Hasher {
    chunks: mpsc::Sender<Chunk>,
    thread: JoinHandle<Digests>,
}

impl Hasher {
    pub(super) fn start(sha512: bool) -> std::io::Result<Self> {
        let (chunks, waiting) = mpsc::channel(DEPTH);
        let thread = thread::Builder::new()
            .name("hash".into())
            .spawn(move || run(waiting, sha512))?;
        Ok(Self { chunks, thread })
    }

    /// Hands over the next bytes; waits while too many wait already.
    pub(super) async fn update(&self, bytes: Bytes, share: Share) {
        // A thread that is gone has panicked; `finish` reports it.
        let _ = self.chunks.send((bytes, share)).await;
    }

    /// Waits for what is left, and blocks this thread while it does: it is a download's own.
    pub(super) fn finish(self, url: &str) -> Result<Digests, Error> {
        drop(self.chunks);
        self.thread.join().map_err(|_| Error::Bug {
            url: url.to_owned(),
            what: "the hash thread panicked".into(),
        })
    }
}

fn run(mut chunks: mpsc::Receiver<Chunk>, sha512: bool) -> Digests {
    let mut short = Sha256::new();
    let mut long = sha512.then(Sha512::new);
    while let Some((bytes, _share)) = chunks.blocking_recv() {
        short.update(&bytes);
        if let Some(long) = &mut long {
            long.update(&bytes);
        }
    }
    Digests {
        sha256: Digest::sha256(short.finalize().into()),
        sha512: long.map(|l| Digest::sha512(l.finalize().into())),
    }
}
