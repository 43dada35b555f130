//! How volumes change while they are shown.

use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{Outcome, Outcomes};
use crate::fault::Fault;

/// From a link at once to pods that take turns over an hour.
const SECONDS: [f64; 9] = [0.1, 1.0, 5.0, 15.0, 60.0, 120.0, 300.0, 900.0, 3600.0];

/// What only a swap can come to.
const ROLLED_BACK: Outcome = Outcome {
    outcome: "rolled-back",
};

/// Swaps of what a volume shows.
#[derive(Clone, Debug)]
pub struct Swaps {
    count: Outcomes,
    duration: Histogram,
}

impl Default for Swaps {
    fn default() -> Self {
        let count = Outcomes::default();
        drop(count.0.get_or_create(&ROLLED_BACK));
        Self {
            count,
            duration: Histogram::new(SECONDS),
        }
    }
}

impl Swaps {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "swaps",
            "Changes of a mounted volume's content by outcome; after a failure the old content stays",
            self.count.0.clone(),
        );
        registry.register_with_unit(
            "swap_duration",
            "Time from the moment another content is wanted until it is shown, with the download, settle and spread",
            Unit::Seconds,
            self.duration.clone(),
        );
    }

    /// What was wanted that long ago is shown.
    pub fn shown(&self, wanted: Duration) {
        self.count.ended(Ok(()));
        self.duration.observe(wanted.as_secs_f64());
    }

    /// One did not come about.
    pub fn failed(&self, why: Fault) {
        self.count.ended(Err(why));
    }

    /// A pod got back what it had.
    pub fn rolled_back(&self) {
        self.count.0.get_or_create(&ROLLED_BACK).inc();
    }
}
