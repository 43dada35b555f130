//! Is it fast enough?

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use super::Patience;

impl Patience {
    /// The pauses between tries; none is left when it is time to give up.
    pub(super) fn pauses(&self) -> ExponentialBackoff {
        ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(self.pause)
            .with_max_delay(self.longest_pause)
            .with_max_times(self.tries.saturating_sub(1))
            .build()
    }
}

/// Judges the speed over windows of the stall time.
pub(super) struct Speedometer<'a> {
    patience: &'a Patience,
    began: Instant,
    bytes: u64,
    /// Since when it is not the origin that is waited for, but this node: its disk, its hash, its `--limit-rate`.
    paused: Option<Instant>,
}

impl<'a> Speedometer<'a> {
    pub(super) fn new(patience: &'a Patience) -> Self {
        Self {
            patience,
            began: Instant::now(),
            bytes: 0,
            paused: None,
        }
    }

    /// From now on the origin has no part in how long it takes.
    pub(super) fn pause(&mut self) {
        self.paused.get_or_insert_with(Instant::now);
    }

    /// From now on the origin is waited for again.
    pub(super) fn resume(&mut self) {
        if let Some(since) = self.paused.take() {
            self.began += since.elapsed();
        }
    }

    pub(super) fn left(&self) -> Duration {
        self.patience
            .stall_time
            .saturating_sub(self.began.elapsed())
    }

    /// False where the window that just ended was too slow.
    pub(super) fn passed(&mut self, bytes: u64) -> bool {
        self.bytes += bytes;
        let time = self.began.elapsed();
        if time < self.patience.stall_time {
            return true;
        }
        let least = self
            .patience
            .stall_speed
            .saturating_mul(time.as_secs().max(1));
        let enough = self.bytes >= least;
        (self.began, self.bytes) = (Instant::now(), 0);
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience() -> Patience {
        Patience {
            tries: 1,
            pause: Duration::ZERO,
            longest_pause: Duration::ZERO,
            stall_time: Duration::from_secs(10),
            stall_speed: 100,
        }
    }

    #[test]
    fn a_window_that_is_too_slow_is_found_at_its_end_and_not_before() {
        let patience = patience();
        let mut speed = Speedometer::new(&patience);
        assert!(speed.passed(1), "the window is not over");
        speed.began -= Duration::from_secs(10);
        assert!(!speed.passed(1), "2 bytes in 10 s");
        speed.began -= Duration::from_secs(10);
        assert!(speed.passed(1000), "1,000 bytes in 10 s");
        assert!(speed.left() <= patience.stall_time);
    }

    #[test]
    fn what_this_node_takes_is_not_held_against_the_origin() {
        let patience = patience();
        let mut speed = Speedometer::new(&patience);
        speed.pause();
        speed.began -= Duration::from_secs(20);
        speed.paused = speed.paused.map(|since| since - Duration::from_secs(20));
        speed.resume();
        assert!(speed.passed(1), "the origin's window is not over");
    }
}
