//! What becomes of the taint that keeps pods away from a node until the driver is there.

use prometheus_client::registry::Registry;

use super::Outcomes;
use crate::fault::Fault;

/// Start-up taints that were removed, or not.
#[derive(Clone, Debug, Default)]
pub struct StartupTaints(Outcomes);

impl StartupTaints {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "startup_taints",
            "Attempts to remove the node's startup taint (--startup-taint) by outcome; those that found no taint do \
             not count",
            self.0.0.clone(),
        );
    }

    /// One was removed, or by whose fault it is not known or still there.
    pub fn ended(&self, how: Result<(), Fault>) {
        self.0.ended(how);
    }
}
