//! A request for a volume, from its call to its end.

use super::guard::Busy;
use super::{Error, Id, Publish, Target};

/// A request, and what it is called here.
pub(super) struct Ask {
    pub(super) id: Id,
    pub(super) want: Publish,
    /// What its attributes compare by.
    pub(super) print: String,
}

impl Ask {
    pub(super) fn target(&self) -> &Target {
        &self.want.target
    }

    pub(super) fn bug(&self, what: impl Into<String>) -> Error {
        Error::Bug {
            target: self.target().path(),
            what: what.into(),
        }
    }

    pub(super) fn busy(&self, busy: Busy) -> Error {
        Error::of_busy(busy, self.target().path())
    }
}
