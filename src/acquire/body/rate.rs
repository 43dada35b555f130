//! Not faster than allowed.

use std::time::{Duration, Instant};

use crate::lock::Short;

/// So many bytes a second, over all downloads that share it.
#[derive(Debug)]
pub(super) struct Rate {
    bytes: u64,
    /// When what was received so far may have come.
    paid: Short<Option<Instant>>,
}

impl Rate {
    pub(super) fn new(bytes: u64) -> Self {
        Self {
            bytes: bytes.max(1),
            paid: Short::default(),
        }
    }

    /// Waits until so many more bytes may have come. What is not read is not sent either, once the buffers between
    /// here and the origin are full.
    pub(super) async fn pace(&self, bytes: usize) {
        let until = self.after(bytes, Instant::now());
        tokio::time::sleep_until(until.into()).await;
    }

    /// When so many more bytes may have come. Time in which nothing came is not saved up.
    fn after(&self, bytes: usize, now: Instant) -> Instant {
        let nanos = (bytes as u128) * 1_000_000_000 / u128::from(self.bytes);
        let time = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let mut paid = self.paid.lock();
        let from = paid.map_or(now, |paid| paid.max(now));
        // Further away than a clock reaches is never: a century does.
        let until = from.checked_add(time).unwrap_or(from);
        *paid = Some(until);
        until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_share_a_rate_together_are_not_faster() {
        let rate = Rate::new(1000);
        let began = Instant::now();
        let seconds = |until: Instant| until.duration_since(began).as_secs_f64();
        assert_eq!(seconds(rate.after(500, began)), 0.5);
        assert_eq!(seconds(rate.after(1000, began)), 1.5, "another download's");
        // Two seconds of silence are not made up for.
        let later = began + Duration::from_secs(2);
        assert_eq!(seconds(rate.after(1000, later)), 3.0);
        assert_eq!(seconds(rate.after(0, later)), 3.0);
    }

    #[test]
    fn no_number_of_bytes_overflows() {
        let now = Instant::now();
        for bytes in [1, u64::MAX] {
            let rate = Rate::new(bytes);
            rate.after(usize::MAX, now);
            rate.after(usize::MAX, now);
        }
        assert!(Rate::new(0).after(1, now) > now);
    }
}
