//! How volumes change while they are shown.

use prometheus_client::registry::Registry;

use super::{Outcome, Outcomes};
use crate::fault::Fault;

/// What only a swap can come to.
const ROLLED_BACK: Outcome = Outcome {
    outcome: "rolled-back",
};

/// Swaps of what a volume shows.
#[derive(Clone, Debug)]
pub struct Swaps {
    count: Outcomes,
}

impl Default for Swaps {
    fn default() -> Self {
        let count = Outcomes::default();
        drop(count.0.get_or_create(&ROLLED_BACK));
        Self { count }
    }
}

impl Swaps {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "swaps",
            "Changes of a mounted volume's content by outcome; after a failure the old content stays",
            self.count.0.clone(),
        );
    }

    /// One ended, or did not come about.
    pub fn ended(&self, how: Result<(), Fault>) {
        self.count.ended(how);
    }

    /// A pod got back what it had.
    pub fn rolled_back(&self) {
        self.count.0.get_or_create(&ROLLED_BACK).inc();
    }
}
