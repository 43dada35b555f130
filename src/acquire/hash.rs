//! Hashing beside the download, on a thread of its own, so that bytes are never read again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use sha2::{Digest as _, Sha256, Sha512};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::Error;
use super::rate::Rate;
use crate::artifact::Digest;
use crate::lock::{Guard, Short};

/// How many chunks may wait to be hashed, per download. More does not make it faster: 4, 16 and 64 are alike.
const DEPTH: usize = 8;

/// With more downloads than these each hashes for itself: all of them together keep the processors busy anyhow, and
/// whoever reads on while the last chunk is hashed needs a second buffer.
const CROWD: usize = 8;

/// How many chunks may be on their way from an origin through the disk to their hash, over all downloads of the
/// process, and how fast they may come.
#[derive(Clone, Debug)]
pub struct Budget {
    chunks: Arc<Semaphore>,
    downloads: Arc<AtomicUsize>,
    rate: Option<Arc<Rate>>,
}

/// The right to hold one chunk; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// Of 128 KiB each: so large is the buffer that a body is read into, however little of it a chunk fills.
    const CHUNKS: usize = 24;

    /// The same, and not more than so many bytes a second.
    pub fn limited(self, bytes: u64) -> Self {
        Self {
            rate: Some(Arc::new(Rate::new(bytes))),
            ..self
        }
    }

    /// Waits until so many more bytes may have come.
    pub(super) async fn pace(&self, bytes: usize) {
        if let Some(rate) = &self.rate {
            rate.pace(bytes).await;
        }
    }

    /// Waits until one more is allowed.
    pub(super) async fn share(&self) -> Share {
        Share {
            _permit: Arc::clone(&self.chunks).acquire_owned().await.ok(),
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            chunks: Arc::new(Semaphore::new(Self::CHUNKS)),
            downloads: Arc::default(),
            rate: None,
        }
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
    thread: JoinHandle<()>,
    state: Arc<State>,
    here: Here,
}

/// Counts a download for as long as it is hashed.
struct Here(Arc<AtomicUsize>);

impl Drop for Here {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is hashed so far, and how many chunks have been handed over and are not in it.
#[derive(Default)]
struct State {
    hashes: Short<Hashes>,
    behind: AtomicUsize,
}

#[derive(Default)]
struct Hashes {
    short: Sha256,
    long: Option<Sha512>,
}

impl Hasher {
    pub(super) fn start(budget: &Budget, sha512: bool) -> std::io::Result<Self> {
        let (chunks, waiting) = mpsc::channel(DEPTH);
        let state = Arc::new(State::default());
        state.hashes().long = sha512.then(Sha512::new);
        let thread = thread::Builder::new().name("hash".into()).spawn({
            let state = Arc::clone(&state);
            move || state.run(waiting)
        })?;
        budget.downloads.fetch_add(1, Ordering::Relaxed);
        let here = Here(Arc::clone(&budget.downloads));
        Ok(Self {
            chunks,
            thread,
            state,
            here,
        })
    }

    /// Hands over the next bytes; waits while too many wait already.
    pub(super) async fn update(&self, bytes: Bytes, share: Share) {
        let crowded = self.here.0.load(Ordering::Relaxed) > CROWD;
        if crowded && self.state.behind.load(Ordering::Acquire) == 0 {
            self.state.hashes().update(&bytes);
            return;
        }
        self.state.behind.fetch_add(1, Ordering::Relaxed);
        // A thread that is gone has panicked; `finish` reports it.
        let _ = self.chunks.send((bytes, share)).await;
    }

    /// Waits for what is left, and blocks this thread while it does: it is a download's own.
    pub(super) fn finish(self, url: &str) -> Result<Digests, Error> {
        drop(self.chunks);
        self.thread.join().map_err(|_| Error::Bug {
            url: url.to_owned(),
            what: "the hash thread panicked".into(),
        })?;
        let Hashes { short, long } = std::mem::take(&mut *self.state.hashes());
        Ok(Digests {
            sha256: Digest::sha256(short.finalize().into()),
            sha512: long.map(|l| Digest::sha512(l.finalize().into())),
        })
    }
}

impl State {
    fn hashes(&self) -> Guard<'_, Hashes> {
        self.hashes.lock()
    }

    fn run(&self, mut chunks: mpsc::Receiver<Chunk>) {
        while let Some((bytes, share)) = chunks.blocking_recv() {
            self.hashes().update(&bytes);
            drop((bytes, share));
            self.behind.fetch_sub(1, Ordering::Release);
        }
    }
}

impl Hashes {
    fn update(&mut self, bytes: &[u8]) {
        self.short.update(bytes);
        if let Some(long) = &mut self.long {
            long.update(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_are_hashed_in_their_order_whether_it_is_crowded_or_not() {
        let budget = Budget::default();
        let bytes: Vec<u8> = (0..1 << 20).map(|n: u32| n.to_le_bytes()[1]).collect();
        let hasher = Hasher::start(&budget, true).unwrap();
        let mut others = Vec::new();
        for (n, chunk) in bytes.chunks(1000).enumerate() {
            // Others come and go, so that both ways are taken in turn.
            if n % 20 == 0 {
                others = (0..CROWD)
                    .map(|_| Hasher::start(&budget, false).unwrap())
                    .collect();
            } else if n % 20 == 10 {
                others.clear();
            }
            let share = budget.share().await;
            hasher.update(Bytes::copy_from_slice(chunk), share).await;
        }
        let digests = hasher.finish("https://example.com/a").unwrap();
        assert_eq!(
            digests.sha256,
            Digest::sha256(Sha256::digest(&bytes).into())
        );
        let long = Digest::sha512(Sha512::digest(&bytes).into());
        assert_eq!(digests.sha512, Some(long));
        drop(others);
        assert_eq!(budget.downloads.load(Ordering::Relaxed), 0);
        assert_eq!(budget.chunks.available_permits(), Budget::CHUNKS);
    }
}
