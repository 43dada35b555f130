//! A request for a volume, from its call to its end.

use super::locks::Busy;
use super::{Error, Id, PublishRequest, Target};

/// A request, and what it is called here.
pub(super) struct KeyedRequest {
    pub(super) id: Id,
    pub(super) request: PublishRequest,
    /// What its attributes compare by.
    pub(super) fingerprint: String,
}

impl KeyedRequest {
    pub(super) fn target(&self) -> &Target {
        &self.request.target
    }

    pub(super) fn bug(&self, what: impl Into<String>) -> Error {
        Error::bug(self.target(), what)
    }

    pub(super) fn busy(&self, busy: Busy) -> Error {
        Error::of_busy(busy, self.target().path())
    }
}
