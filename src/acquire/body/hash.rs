//! Hashing beside the download, on a thread of its own, of the bytes that are written without a gap from the first on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use tokio::sync::mpsc;

use super::budget::{BudgetShare, ByteBudget};
use crate::acquire::Error;
use crate::artifact::{self, Digest, Digests, HashFunction};
use crate::lock::{Guard, Short};
use crate::store::{self, Partial};

/// How many chunks may wait to be hashed, per download. More does not make it faster: 4, 16 and 64 are alike.
const DEPTH: usize = 8;

/// With more downloads than these each hashes for itself: all of them together keep the processors busy anyhow, and
/// whoever reads on while the last chunk is hashed needs a second buffer.
const CROWD: usize = 8;

/// How many bytes are read at a time where they are hashed from the disk.
pub(in crate::acquire) const BUFFER: usize = 256 << 10;

type Chunk = (Bytes, BudgetShare);

/// A running computation. Dropped before its end it is forgotten.
///
/// It is told which bytes are written, in any order, and follows the file's beginning that has no gap: what comes next is
/// hashed from memory, and only what was written ahead is read again once the gap before it is filled.
pub(in crate::acquire) struct Hasher {
    /// How many bytes are hashed, or handed over for that.
    position: u64,
    chunks: mpsc::Sender<Chunk>,
    thread: JoinHandle<()>,
    state: Arc<State>,
    budget: ByteBudget,
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

/// What bytes hash to, so far.
#[derive(Default)]
pub(in crate::acquire) struct Hashes {
    short: Sha256,
    long: Option<Sha512>,
    weak: Option<Sha1>,
}

impl Hasher {
    /// `also` is what they are hashed by beside SHA-256.
    pub(in crate::acquire) fn start(
        budget: &ByteBudget,
        also: Option<HashFunction>,
    ) -> std::io::Result<Self> {
        let (chunks, waiting) = mpsc::channel(DEPTH);
        let state = Arc::new(State::default());
        *state.hashes() = Hashes::new(also);
        let thread = thread::Builder::new().name("hash".into()).spawn({
            let state = Arc::clone(&state);
            move || state.run(waiting)
        })?;
        budget.downloads.fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            position: 0,
            chunks,
            thread,
            state,
            here: Here(Arc::clone(&budget.downloads)),
            budget: budget.clone(),
        })
    }

    /// These bytes are written in `file` at `offset`. Waits while too many wait already.
    pub(in crate::acquire) async fn written(
        &mut self,
        offset: u64,
        bytes: Bytes,
        share: BudgetShare,
        file: &Partial,
    ) -> Result<(), store::Error> {
        if offset == self.position {
            self.update(bytes, share).await;
        } else {
            drop((bytes, share));
        }
        self.catch_up(file).await
    }

    /// Reads and hashes what the file has without a gap and did not come from memory.
    pub(in crate::acquire) async fn catch_up(
        &mut self,
        file: &Partial,
    ) -> Result<(), store::Error> {
        while self.position < file.length() {
            let share = self.budget.share().await;
            let left = usize::try_from(file.length() - self.position).unwrap_or(BUFFER);
            let mut buffer = vec![0; BUFFER.min(left)];
            let count = file.read_at(&mut buffer, self.position)?;
            if count == 0 {
                break;
            }
            buffer.truncate(count);
            self.update(buffer.into(), share).await;
        }
        Ok(())
    }

    /// Hands over the next bytes.
    async fn update(&mut self, bytes: Bytes, share: BudgetShare) {
        self.position += bytes.len() as u64;
        let crowded = self.here.0.load(Ordering::Relaxed) > CROWD;
        if crowded && self.state.behind.load(Ordering::Acquire) == 0 {
            self.state.hashes().update(&bytes);
            return;
        }
        self.state.behind.fetch_add(1, Ordering::Relaxed);
        // A thread that is gone has panicked; `finish` reports it.
        let _ = self.chunks.send((bytes, share)).await;
    }

    /// Waits for what is left of `length` bytes, and blocks this thread while it does: it is a download's own.
    pub(in crate::acquire) fn finish(self, url: &str, length: u64) -> Result<Digests, Error> {
        drop(self.chunks);
        let joined = self.thread.join();
        joined.map_err(|_| Error::bug(&url, "the hash thread panicked"))?;
        if self.position != length {
            let what = format!("{} of {length} bytes were hashed", self.position);
            return Err(Error::bug(&url, what));
        }
        Ok(std::mem::take(&mut *self.state.hashes()).finish())
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
    /// `also` is what they are hashed by beside SHA-256.
    pub(in crate::acquire) fn new(also: Option<HashFunction>) -> Self {
        Self {
            long: (also == Some(HashFunction::Sha512)).then(Sha512::new),
            weak: (also == Some(HashFunction::Sha1)).then(Sha1::new),
            ..Self::default()
        }
    }

    pub(in crate::acquire) fn update(&mut self, bytes: &[u8]) {
        self.short.update(bytes);
        if let Some(long) = &mut self.long {
            long.update(bytes);
        }
        if let Some(weak) = &mut self.weak {
            weak.update(bytes);
        }
    }

    pub(in crate::acquire) fn finish(self) -> Digests {
        Digests {
            sha256: Digest::sha256(self.short.finalize().into()),
            sha512: self.long.map(|l| Digest::sha512(l.finalize().into())),
            sha1: self.weak.map(|w| artifact::Sha1::of(w.finalize().into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    const MIB: u64 = 1 << 20;

    /// Hashes 1 MiB of a file by what `write` does, and compares.
    async fn hash(write: impl AsyncFnOnce(&[u8], &mut Hasher, Partial, &ByteBudget)) {
        let bytes: Vec<u8> = (0..1 << 20).map(|n: u32| n.to_le_bytes()[1]).collect();
        let budget = ByteBudget::default();
        let mut hasher = Hasher::start(&budget, Some(HashFunction::Sha512)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = tempfile::tempfile_in(dir.path()).unwrap();
        let file = Partial::into_file(file, dir.path());
        write(&bytes, &mut hasher, file, &budget).await;
        let digests = hasher.finish("https://example.com/a", MIB).unwrap();
        let (sha256, sha512) = (Sha256::digest(&bytes), Sha512::digest(&bytes));
        assert_eq!(digests.sha256, Digest::sha256(sha256.into()));
        assert_eq!(digests.sha512, Some(Digest::sha512(sha512.into())));
        assert_eq!(budget.downloads.load(Ordering::Relaxed), 0);
        assert_eq!(budget.left(), ByteBudget::CHUNKS);
    }

    #[tokio::test]
    async fn bytes_in_their_order_are_hashed_from_memory_whether_it_is_crowded_or_not() {
        // The file stays empty.
        hash(async |bytes, hasher, file, budget| {
            let mut others = Vec::new();
            for (n, chunk) in bytes.chunks(1000).enumerate() {
                // Others come and go, so that both ways are taken in turn.
                if n % 20 == 0 {
                    others = (0..CROWD)
                        .map(|_| Hasher::start(budget, None).unwrap())
                        .collect();
                } else if n % 20 == 10 {
                    others.clear();
                }
                let (offset, chunk) = (n as u64 * 1000, Bytes::copy_from_slice(chunk));
                let share = budget.share().await;
                hasher.written(offset, chunk, share, &file).await.unwrap();
            }
        })
        .await;
    }

    #[tokio::test]
    async fn what_is_written_ahead_is_read_once_the_gap_is_filled() {
        hash(async |bytes, hasher, mut file, budget| {
            let (first, ahead) = bytes.split_at(100_000);
            file.file().write_all_at(ahead, 100_000).unwrap();
            let (share, chunk) = (budget.share().await, Bytes::copy_from_slice(ahead));
            hasher.written(100_000, chunk, share, &file).await.unwrap();
            assert_eq!(hasher.position, 0);
            // The file is told of no gap once there is none.
            file.append(bytes).unwrap();
            let (share, chunk) = (budget.share().await, Bytes::copy_from_slice(first));
            hasher.written(0, chunk, share, &file).await.unwrap();
            assert_eq!(hasher.position, MIB);
        })
        .await;
    }

    #[test]
    fn a_gap_that_stays_is_no_digest() {
        let hasher = Hasher::start(&ByteBudget::default(), None).unwrap();
        assert!(hasher.finish("https://example.com/a", 9).is_err());
    }
}
