//! How often an origin is asked once more, and after which pause.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use super::progress::{Phase, Progress};
use super::{Error, RetryPolicy};
use crate::source::Retry;

/// The tries that are left.
pub(super) struct Retries<'a> {
    policy: &'a RetryPolicy,
    progress: &'a Progress,
    pauses: ExponentialBackoff,
}

impl<'a> Retries<'a> {
    pub(super) fn new(policy: &'a RetryPolicy, progress: &'a Progress) -> Self {
        Self {
            pauses: pauses(policy),
            policy,
            progress,
        }
    }

    /// As at the beginning.
    pub(super) fn renew(&mut self) {
        self.pauses = pauses(self.policy);
    }

    /// Waits before another try. The error itself where there is none.
    pub(super) async fn pause(&mut self, error: Error) -> Result<(), Error> {
        let asked = match error.retry() {
            Retry::Never => return Err(error),
            Retry::Soon => Duration::ZERO,
            Retry::After(time) => time,
        };
        let Some(usual) = self.pauses.next() else {
            return Err(error);
        };
        // An origin that asks for longer than that is asked too early rather than never again.
        let pause = usual.max(asked.min(self.policy.longest_pause));
        tracing::info!(%error, ?pause, "retrying the download");
        self.progress.enter(Phase::Pausing {
            why: error.to_string(),
            pause,
        });
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

fn pauses(policy: &RetryPolicy) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(policy.pause)
        .with_max_delay(policy.longest_pause)
        .with_max_times(policy.tries.saturating_sub(1))
        .build()
}
