//! What asks the disk or the kernel, so that it never stops the threads that answer calls, nor an answer.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::runtime::{Handle, RuntimeFlavor};

use super::{Error, Shared, Target, Volumes};

/// How long work takes as a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// A fraction of a millisecond, unless the disk is sick.
    Microseconds,
    /// As long as a file is large, or longer.
    Long,
}

impl<M: Send + Sync + 'static> Volumes<M> {
    /// Runs work on the volume at `target` that nothing cuts in two, and least of all a caller that hangs up.
    ///
    /// Errors: those of the work; [`Error::Bug`] with what it panicked with.
    ///
    /// Short work takes a fraction of a millisecond, and to hand it to another thread and back takes as long again, on
    /// a busy machine ten times as long. So it runs on the thread that asks for it, whose other tasks go on elsewhere.
    /// Whoever wants to give up meanwhile has to be another task: see [`Volumes::spawn`]. What may take longer, and what
    /// comes while others are held up by the disk, goes to the threads for that: however sick the disk, the runtime goes
    /// on.
    pub(super) async fn run_blocking<T: Send + 'static>(
        &self,
        takes: Takes,
        target: &Target,
        work: impl FnOnce(&Shared<M>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let can_stay = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
        let permit = match takes {
            Takes::Microseconds if can_stay => self.pool.in_place(),
            Takes::Microseconds | Takes::Long => None,
        };
        let (shared, span) = (Arc::clone(&self.shared), tracing::Span::current());
        let run = move || {
            let _in = span.enter();
            work(&shared)
        };
        let ended = match permit {
            Some(permit) => catch_unwind(AssertUnwindSafe(|| permit.work(run))).map_err(words),
            None => self.pool.run(run).await,
        };
        ended.unwrap_or_else(|what| Err(Error::bug(target, what)))
    }
}

fn words(panic: Box<dyn Any + Send>) -> String {
    let panic = match panic.downcast::<&'static str>() {
        Ok(words) => return (*words).to_owned(),
        Err(panic) => panic,
    };
    panic
        .downcast::<String>()
        .map_or_else(|_| "a panic without a message".to_owned(), |words| *words)
}
