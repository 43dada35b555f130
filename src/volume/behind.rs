//! Volumes that do not show what is wanted.

use std::collections::{BTreeMap, HashMap};

use super::clock::{now, seconds};
use super::{Shared, Volumes};
use crate::mount::Mounter;

/// What a volume should show, and does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// From where, redacted; empty where not even that is known.
    pub url: String,
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// Why it could not be shown so far; empty while it is on its way.
    pub why: String,
}

/// By the names of the volumes' directories; nothing of one that shows what is wanted.
pub(super) type Behinds = HashMap<String, Option<Behind>>;

impl<M> Shared<M> {
    /// A volume whose content may change shows what is wanted.
    pub(super) fn mark_current(&self, id: &str) {
        self.behind.lock().insert(id.to_owned(), None);
    }

    pub(super) fn is_current(&self, id: &str) -> bool {
        matches!(self.behind.lock().get(id), Some(None))
    }

    /// It should show something else.
    pub(super) fn mark_behind(&self, id: &str, url: &str) {
        let mut all = self.behind.lock();
        let known = all.entry(id.to_owned()).or_default();
        if known.as_ref().is_none_or(|known| known.url != url) {
            *known = Some(Behind {
                url: url.to_owned(),
                since: seconds(now()),
                why: String::new(),
            });
        }
    }

    /// It still does not, for this reason.
    pub(super) fn mark_failed(&self, id: &str, why: &str) {
        let mut all = self.behind.lock();
        let unknown = || Behind {
            url: String::new(),
            since: seconds(now()),
            why: String::new(),
        };
        let behind = all.entry(id.to_owned()).or_default();
        why.clone_into(&mut behind.get_or_insert_with(unknown).why);
    }

    /// Nobody looks after it any more.
    pub(super) fn unmark(&self, id: &str) {
        self.behind.lock().remove(id);
    }

    pub(super) fn behind_of(&self, id: &str) -> Option<Behind> {
        self.behind.lock().get(id).cloned().flatten()
    }
}

impl<M: Mounter> Volumes<M> {
    /// How many volumes whose content may change show what is wanted, are on their way to it, or failed; every state is
    /// there. Asks neither disk nor kernel.
    pub fn contents(&self) -> BTreeMap<&'static str, u64> {
        let mut all = BTreeMap::from([("behind", 0), ("current", 0), ("failed", 0)]);
        for behind in self.shared.behind.lock().values() {
            let state = match behind {
                None => "current",
                Some(behind) if behind.why.is_empty() => "behind",
                Some(_) => "failed",
            };
            *all.entry(state).or_default() += 1;
        }
        all
    }
}
