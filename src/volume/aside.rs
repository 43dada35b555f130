//! What asks the disk or the kernel, so that it never stops the threads that answer calls.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use tokio::runtime::{Handle, RuntimeFlavor};

use super::{Shared, Volumes};

/// How much work runs on the threads that answer calls, at most: each that hangs costs one of the threads that stand
/// in for them, of which the runtime has only so many.
pub(super) const IN_PLACE: usize = 4;

/// How long work takes as a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// A fraction of a millisecond, unless the disk is sick.
    Microseconds,
    /// As long as a file is large, or longer.
    Long,
}

impl<M: Send + Sync + 'static> Volumes<M> {
    /// Runs work that nothing cuts in two, and least of all a caller that hangs up; what it panicked with is the error.
    ///
    /// Short work takes a fraction of a millisecond, and to hand it to another thread and back takes as long again, on
    /// a busy machine ten times as long. So it runs where it is asked for, and the other calls of that thread move to
    /// another one. What may take longer, and what comes while others are held up by the disk, goes to the threads for
    /// that: however sick the disk, the runtime goes on.
    pub(super) async fn aside<T: Send + 'static>(
        &self,
        takes: Takes,
        work: impl FnOnce(&Shared<M>) -> T + Send + 'static,
    ) -> Result<T, String> {
        let can_stay = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
        let place = self
            .in_place
            .try_acquire()
            .ok()
            .filter(|_| takes == Takes::Microseconds && can_stay);
        let (shared, span) = (Arc::clone(&self.shared), tracing::Span::current());
        let run = move || {
            let _in = span.enter();
            work(&shared)
        };
        match place {
            Some(_place) => {
                panic::catch_unwind(AssertUnwindSafe(|| tokio::task::block_in_place(run)))
                    .map_err(|_| "it panicked".to_owned())
            }
            None => tokio::task::spawn_blocking(run)
                .await
                .map_err(|e| e.to_string()),
        }
    }
}
