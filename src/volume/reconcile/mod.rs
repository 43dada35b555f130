//! What is shown is brought to what is wanted, beside the calls.
//!
//! kubelet publishes a volume again and again, and waits for nothing but the answer. So a republish only wakes the task
//! of its volume, which compares what is wanted now with what is shown, gets the artifact, and swaps it in. There is one
//! task for each volume that may change, and none for the others; it ends when the volume is unpublished.
//!
//! Level-triggered: nothing that woke the task is remembered, only what is wanted now.
//!
//! Invariants: no error of this is one of a call (law 3); whatever fails, what is shown stays; an unpublish waits for no
//! more than one rename.

mod due;
mod get;
mod pace;
mod state;
mod task;
mod trial;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;
use tracing::Instrument;

use self::task::Task;
use super::locks::VolumeLocks;
use super::request::KeyedRequest;
use super::{Id, Pool, PublishRequest, Shared};
use crate::lock::Short;
use crate::metrics::Swaps;
use crate::mount::Mounter;

/// What wakes a task: the latest request of its volume.
type Wakes = HashMap<String, watch::Sender<Arc<KeyedRequest>>>;

/// The tasks of the volumes that may change.
pub(super) struct Reconciler<M> {
    shared: Arc<Shared<M>>,
    locks: VolumeLocks,
    pool: Pool,
    tasks: Arc<Short<Wakes>>,
    /// Where swaps are counted.
    pub(super) counted: Swaps,
}

impl<M: Mounter> Reconciler<M> {
    pub(super) fn new(shared: Arc<Shared<M>>, locks: VolumeLocks, pool: Pool) -> Self {
        Self {
            shared,
            locks,
            pool,
            tasks: Arc::default(),
            counted: Swaps::default(),
        }
    }

    /// Whether a task may change what a volume shows.
    pub(super) fn looks_after(&self, id: &Id) -> bool {
        self.tasks.lock().contains_key(id.as_str())
    }

    /// The same request as it is known already, where all that it wants is shown.
    pub(super) fn settled(&self, id: &Id, request: &PublishRequest) -> Option<Arc<KeyedRequest>> {
        let known = {
            let tasks = self.tasks.lock();
            let task = tasks.get(id.as_str()).filter(|task| !task.is_closed())?;
            Arc::clone(&task.borrow())
        };
        let is_settled =
            known.request.asks_the_same(request) && self.shared.is_current(id.as_str());
        is_settled.then_some(known)
    }

    /// Looks at a volume that is shown, soon and behind the caller's back. Must be called within a tokio runtime.
    pub(super) fn wake(&self, request: Arc<KeyedRequest>) {
        let id = request.id.as_str().to_owned();
        let mut tasks = self.tasks.lock();
        if let Some(task) = tasks.get(&id).filter(|task| !task.is_closed()) {
            task.send_replace(request);
            return;
        }
        let target = request.target().path();
        let span = tracing::info_span!("reconcile", volume = id, target = %target.display());
        // Before the task begins: an unpublish that comes now ends it.
        let wait = Arc::new(self.locks.wait(&id));
        let (sender, requests) = watch::channel(request);
        tasks.insert(id.clone(), sender.clone());
        drop(tasks);
        let task = Task::new(
            (Arc::clone(&self.shared), self.pool.clone()),
            (requests, Arc::clone(&wait)),
            self.counted.clone(),
        );
        let (tasks, locks, shared) = (
            Arc::clone(&self.tasks),
            self.locks.clone(),
            Arc::clone(&self.shared),
        );
        let ends = async move {
            tokio::select! {
                () = wait.ended() => {}
                () = task.run() => {}
            }
            drop(wait);
            let mut tasks = tasks.lock();
            if tasks.get(&id).is_some_and(|now| now.same_channel(&sender)) {
                tasks.remove(&id);
                shared.unmark(&id);
            }
            drop(tasks);
            // What it asked for after the unpublish had withdrawn the volume's interest.
            locks.unless_in_use(&id, || shared.acquire.leave(&id));
        };
        tokio::spawn(ends.instrument(span));
    }
}
