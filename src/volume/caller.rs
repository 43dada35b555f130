//! Who waits for a call, and how one stops waiting while a disk holds up the thread that works on it.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use tokio::task::JoinHandle;
use tracing::Instrument;

use super::Volumes;

/// Who waits for a call.
#[derive(Clone, Debug)]
pub struct Caller(Option<Weak<()>>);

impl Caller {
    /// One that waits to the end, and cannot do anything else: its thread is the one that works.
    pub const fn stays() -> Self {
        Self(None)
    }

    /// Whether nobody waits any more.
    pub(super) fn is_gone(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|waits| waits.strong_count() == 0)
    }
}

/// A call that runs as a task of its own. Dropped before its end it stops at its next wait, and shows nothing new.
pub struct CallTask<T> {
    task: JoinHandle<T>,
    waits: Option<Arc<()>>,
}

impl<M: Send + Sync + 'static> Volumes<M> {
    /// Begins a call whose caller may stop waiting at any time. What asks the disk keeps the thread that it is on, so
    /// a call that is polled by its caller's own task could be given up only when the disk has answered.
    pub fn spawn<T, F>(self: &Arc<Self>, call: impl FnOnce(Arc<Self>, Caller) -> F) -> CallTask<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let waits = Arc::new(());
        let call = call(Arc::clone(self), Caller(Some(Arc::downgrade(&waits))));
        let call = async {
            // From one task to the next a thread goes on at once only three times in a row; then what comes next is
            // offered to all threads. The way of an answer back to its connection takes two of them: begun here, they
            // are the first, and no thread is woken to take half of the answer away from this one.
            tokio::task::yield_now().await;
            call.await
        };
        CallTask {
            task: tokio::spawn(call.in_current_span()),
            waits: Some(waits),
        }
    }
}

impl<T> CallTask<T> {
    /// Stops it at its next wait, and returns once it has stopped.
    pub async fn stop(mut self) {
        self.waits = None;
        self.task.abort();
        // However it ended, that was its end.
        let _ = (&mut self.task).await;
    }
}

impl<T> Future for CallTask<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match Pin::new(&mut self.task).poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(done)) => Poll::Ready(done),
            Poll::Ready(Err(error)) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // The runtime ends, and whoever waits here with it.
                Err(_) => Poll::Pending,
            },
        }
    }
}

impl<T> Drop for CallTask<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
