//! What kubelet asks for, how it ends, and how long that takes.

use std::time::Instant;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{Outcome, Outcomes};
use crate::fault::Fault;

/// From a cached artifact that is shown at once to a call that waits as long as kubelet lets it.
const SECONDS: [f64; 10] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 30.0, 60.0, 120.0];

/// Calls that show a volume, and that take it away.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    /// NodePublishVolume.
    pub publishes: Ended,
    /// NodeUnpublishVolume.
    pub unpublishes: Ended,
}

impl Calls {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "publishes",
            "NodePublishVolume calls by outcome; a call whose caller disconnected is pending",
            self.publishes.count.0.clone(),
        );
        registry.register_with_unit(
            "publish_duration",
            "Duration of NodePublishVolume calls, including the wait for a download",
            Unit::Seconds,
            self.publishes.duration.clone(),
        );
        registry.register(
            "unpublishes",
            "NodeUnpublishVolume calls by outcome",
            self.unpublishes.count.0.clone(),
        );
        registry.register_with_unit(
            "unpublish_duration",
            "Duration of NodeUnpublishVolume calls",
            Unit::Seconds,
            self.unpublishes.duration.clone(),
        );
    }
}

/// Calls of one kind.
#[derive(Clone, Debug)]
pub struct Ended {
    count: Outcomes,
    duration: Family<Outcome, Histogram>,
}

impl Default for Ended {
    fn default() -> Self {
        let duration: Family<_, _> = Family::new_with_constructor(histogram as fn() -> Histogram);
        // The others come with their first call: each is a dozen lines in every scrape.
        drop(duration.get_or_create(&Outcome::of(Ok(()))));
        Self {
            count: Outcomes::default(),
            duration,
        }
    }
}

fn histogram() -> Histogram {
    Histogram::new(SECONDS)
}

impl Ended {
    /// A call has come.
    pub fn begin(&self) -> Running<'_> {
        Running {
            kind: self,
            began: Instant::now(),
            outcome: Outcome::of(Err(Fault::Pending)),
        }
    }
}

/// A call that is being answered. Dropped without its end it counts as pending: its caller has hung up.
#[derive(Debug)]
pub struct Running<'a> {
    kind: &'a Ended,
    began: Instant,
    outcome: Outcome,
}

impl Running<'_> {
    /// The call is answered.
    pub fn end(mut self, how: Result<(), Fault>) {
        self.outcome = Outcome::of(how);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.outcome = Outcome::of(Err(Fault::Bug));
        }
        let seconds = self.began.elapsed().as_secs_f64();
        self.kind.count.0.get_or_create(&self.outcome).inc();
        self.kind
            .duration
            .get_or_create(&self.outcome)
            .observe(seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;

    #[test]
    fn a_call_that_panics_is_a_bug() {
        let metrics = Metrics::new();
        let calls = metrics.calls.clone();
        let ended = std::thread::spawn(move || {
            let _running = calls.unpublishes.begin();
            panic!("ended unexpectedly");
        });
        assert!(ended.join().is_err());
        let text = metrics.text().unwrap();
        let line = "war_vol_unpublishes_total{outcome=\"bug\"} 1\n";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn a_call_whose_caller_hangs_up_is_pending() {
        let metrics = Metrics::new();
        drop(metrics.calls.publishes.begin());
        let text = metrics.text().unwrap();
        for line in [
            "war_vol_publishes_total{outcome=\"pending\"} 1\n",
            "war_vol_publish_duration_seconds_count{outcome=\"pending\"} 1\n",
            "war_vol_publish_duration_seconds_count{outcome=\"ok\"} 0\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }
}
