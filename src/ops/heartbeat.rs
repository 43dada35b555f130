//! Whether a loop still runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often the loop is to show that it runs: often enough for a limit of half a minute, and seldom enough for a
/// driver that is idle.
const BEAT: Duration = Duration::from_secs(5);

/// Beats as long as the loop runs that it is part of.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    began: Instant,
    /// Milliseconds from then on.
    last: Arc<AtomicU64>,
}

impl Heartbeat {
    /// Beats for the first time.
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            last: Arc::default(),
        }
    }

    /// Beats for ever: a task of the loop that is watched.
    pub async fn beat(self) {
        loop {
            self.last.store(self.now(), Ordering::Relaxed);
            tokio::time::sleep(BEAT).await;
        }
    }

    /// How long ago the last beat was.
    pub(super) fn still(&self) -> Duration {
        let last = self.last.load(Ordering::Relaxed);
        Duration::from_millis(self.now().saturating_sub(last))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    #[cfg(test)]
    pub(super) fn silent_for(time: Duration) -> Self {
        Self {
            began: Instant::now() - time,
            last: Arc::default(),
        }
    }
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_runs_beats() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let minute = Duration::from_secs(60);
        let heartbeat = Heartbeat::silent_for(minute);
        assert!(heartbeat.still() >= minute);
        runtime.block_on(async {
            let beating = tokio::spawn(heartbeat.clone().beat());
            tokio::task::yield_now().await;
            beating.abort();
        });
        assert!(heartbeat.still() < minute);
    }
}
