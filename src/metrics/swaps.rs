//! How volumes change while they are shown.

use prometheus_client::registry::Registry;

use super::Outcomes;
use crate::fault::Fault;

/// Swaps of what a volume shows.
#[derive(Clone, Debug, Default)]
pub struct Swaps {
    count: Outcomes,
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
}
