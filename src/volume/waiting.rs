//! What volumes wait for, so that a caller whose time is up can be told.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Id, Shared, Volumes};
use crate::acquire::Progress;

/// What one volume waits for, and how many calls wait.
pub(super) struct Waited {
    pub(super) progress: Arc<Progress>,
    calls: usize,
}

/// By the names of the volumes' directories.
pub(super) type Waits = HashMap<String, Waited>;

/// One call that waits, until this is dropped.
pub(super) struct Shows<'a, M> {
    shared: &'a Shared<M>,
    id: String,
}

impl<M> Volumes<M> {
    /// Withdraws the interest of a volume that no call is at work on.
    pub(super) fn want_no_more(&self, id: &Id) {
        let leave = || self.shared.acquire.leave(id.as_str());
        self.locks.unless_in_use(id.as_str(), leave);
    }
}

impl<M> Shared<M> {
    /// Lets others see what a volume waits for, for as long as somebody waits.
    pub(super) fn shows(&self, id: &str, progress: Arc<Progress>) -> Shows<'_, M> {
        let mut all = self.waiting.lock();
        let calls = all.get(id).map_or(0, |waited| waited.calls) + 1;
        all.insert(id.to_owned(), Waited { progress, calls });
        Shows {
            shared: self,
            id: id.to_owned(),
        }
    }
}

impl<M> Drop for Shows<'_, M> {
    fn drop(&mut self) {
        let mut all = self.shared.waiting.lock();
        if let Some(waited) = all.get_mut(&self.id) {
            waited.calls -= 1;
            if waited.calls == 0 {
                all.remove(&self.id);
            }
        }
    }
}
