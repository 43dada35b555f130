//! Whether the driver can do its work, found in one place for all who ask.

use std::fmt;
use std::sync::Arc;

/// One thing that has to be so, or why it is not: a line for people. Asked often, and by those who must not wait: it
/// looks at what is known, and at no disk.
pub type Condition = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What has to be so.
#[derive(Clone)]
pub struct Readiness(Arc<[Condition]>);

impl Readiness {
    /// All of these.
    pub fn new(conditions: Vec<Condition>) -> Self {
        Self(conditions.into())
    }

    /// A line for each thing that is missing; none if the driver is ready.
    pub fn missing(&self) -> Vec<String> {
        self.0.iter().filter_map(|c| c().err()).collect()
    }

    /// Whether nothing is missing.
    pub fn is_ready(&self) -> bool {
        self.0.iter().all(|c| c().is_ok())
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Readiness").field(&self.missing()).finish()
    }
}
