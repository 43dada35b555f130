//! How much memory all downloads together take, and how fast they may come.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Body;
use super::rate::Rate;
use crate::acquire::Error;

/// How many chunks may be on their way from an origin through the disk to their hash, over all downloads of the
/// process, and how fast they may come.
#[derive(Clone, Debug)]
pub struct ByteBudget {
    chunks: Arc<Semaphore>,
    pub(super) downloads: Arc<AtomicUsize>,
    rate: Option<Arc<Rate>>,
}

/// The right to hold one chunk; given back when dropped.
#[derive(Debug)]
pub(in crate::acquire) struct BudgetShare {
    _permit: Option<OwnedSemaphorePermit>,
}

impl ByteBudget {
    /// Of 128 KiB each: so large is the buffer that a body is read into, however little of it a chunk fills.
    pub(super) const CHUNKS: usize = 24;

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
    pub(super) async fn share(&self) -> BudgetShare {
        BudgetShare {
            _permit: Arc::clone(&self.chunks).acquire_owned().await.ok(),
        }
    }
}

impl Default for ByteBudget {
    fn default() -> Self {
        Self {
            chunks: Arc::new(Semaphore::new(Self::CHUNKS)),
            downloads: Arc::default(),
            rate: None,
        }
    }
}

/// Each chunk with its share, which is taken before the chunk is read, or many fast downloads would each hold one that
/// has none. But not while it is waited for: slow origins must not keep the fast ones from it.
pub(in crate::acquire) fn shared<'a>(
    body: Body<'a>,
    budget: &'a ByteBudget,
) -> BoxStream<'a, Result<(Bytes, BudgetShare), Error>> {
    let next = async move |mut body: Body<'a>| {
        let share = budget.share().await;
        let (chunk, share) = match body.try_next().now_or_never() {
            Some(chunk) => (chunk?, Some(share)),
            None => {
                drop(share);
                (body.try_next().await?, None)
            }
        };
        let Some(chunk) = chunk else { return Ok(None) };
        let share = match share {
            Some(share) => share,
            None => budget.share().await,
        };
        Ok(Some(((chunk, share), body)))
    };
    stream::try_unfold(body, next).boxed()
}

#[cfg(test)]
mod tests {
    use super::super::tests::of;
    use super::*;

    impl ByteBudget {
        pub(in super::super) fn left(&self) -> usize {
            self.chunks.available_permits()
        }
    }

    #[tokio::test]
    async fn a_chunk_has_a_share_and_who_waits_for_one_has_none() {
        let budget = ByteBudget::default();
        let slow = stream::pending().boxed();
        let mut body = shared(of([b"a", b"b"]).chain(slow).boxed(), &budget);
        let (first, second) = (
            body.try_next().await.unwrap(),
            body.try_next().await.unwrap(),
        );
        assert_eq!(budget.left(), ByteBudget::CHUNKS - 2);
        drop(first);
        assert!(body.try_next().now_or_never().is_none());
        assert_eq!(budget.left(), ByteBudget::CHUNKS - 1);
        drop(second);
        assert_eq!(budget.left(), ByteBudget::CHUNKS);
    }

    #[tokio::test]
    async fn no_chunk_is_read_beyond_the_budget() {
        let budget = ByteBudget::default();
        let all = Arc::clone(&budget.chunks);
        let all = all.acquire_many_owned(ByteBudget::CHUNKS as u32).await;
        let mut body = shared(stream::poll_fn(|_| panic!("it was read")).boxed(), &budget);
        assert!(body.next().now_or_never().is_none());
        drop(all);
    }
}
