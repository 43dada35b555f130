//! The policy that is in force, which its reader may replace at any time.

use std::net::IpAddr;
use std::sync::Arc;

use super::document::{Asker, Document, Grant, Refusal};
use super::request::Subject;
use crate::lock::Short;

/// The rules of a policy file. Clones share them, so that whoever reads the file again changes them for all. The default
/// has none: everything is allowed that is not always refused.
#[derive(Clone, Debug)]
pub struct Rules {
    state: Arc<Short<State>>,
    /// The addresses of nodes and of the API server.
    own: Arc<[IpAddr]>,
}

#[derive(Clone, Debug)]
enum State {
    /// There is no file.
    Open,
    Document(Arc<Document>),
    /// There is one, and none of it was ever understood.
    Unreadable(Arc<str>),
}

/// Why somebody gets no grant.
pub(super) enum NoGrant {
    Refused(Refusal),
    /// Nobody knows what the policy says.
    Unreadable(Arc<str>),
}

impl Default for Rules {
    fn default() -> Self {
        Self::new([].into())
    }
}

impl Rules {
    /// Without a file. `own` are addresses that presets refuse: those of nodes and of the API server.
    pub fn new(own: Arc<[IpAddr]>) -> Self {
        Self {
            state: Arc::new(Short::new(State::Open)),
            own,
        }
    }

    /// From now on these are in force.
    pub fn set(&self, document: Document) {
        *self.state.lock() = State::Document(Arc::new(document));
    }

    /// The file cannot be used. What was in force stays; without anything, nothing is allowed.
    pub fn unreadable(&self, why: &str) {
        let mut state = self.state.lock();
        if !matches!(*state, State::Document(_)) {
            *state = State::Unreadable(why.into());
        }
    }

    /// What somebody may do; nothing where there are no rules.
    pub(super) fn judge(&self, subject: &Subject) -> Result<Option<Grant>, NoGrant> {
        let document = match &*self.state.lock() {
            State::Open => return Ok(None),
            State::Unreadable(why) => return Err(NoGrant::Unreadable(Arc::clone(why))),
            State::Document(document) => Arc::clone(document),
        };
        let asker = match &subject.pod {
            None => Asker::CommandLine,
            Some(pod) if subject.of_claim => Asker::Claim {
                storage_class: None,
                pod,
                namespace_labels: None,
            },
            Some(pod) => Asker::Inline {
                pod,
                namespace_labels: None,
            },
        };
        let granted = document.judge(&asker, &self.own);
        granted.map(Some).map_err(NoGrant::Refused)
    }
}
