//! What becomes of the taint that keeps pods away from a node until the driver is there.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{Outcome, by_outcome};
use crate::fault::Fault;

/// Start-up taints that were removed, or not.
#[derive(Clone, Debug)]
pub struct StartupTaints(Family<Outcome, Counter>);

impl Default for StartupTaints {
    fn default() -> Self {
        Self(by_outcome())
    }
}

impl StartupTaints {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "startup_taints",
            "Attempts to remove the node's startup taint (--startup-taint) by outcome; those that found no taint do \
             not count",
            self.0.clone(),
        );
    }

    /// One was removed, or by whose fault it is not known or still there.
    pub fn ended(&self, how: Result<(), Fault>) {
        self.0.get_or_create(&Outcome::of(how)).inc();
    }
}
