//! One thread that deletes what was discarded.
//!
//! A pod's layer may hold a million files, and nobody has to wait for them: unpublish takes the directory out of sight
//! and wakes this thread. However many wake it while it works, it looks once more and not as often.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::store::Store;

/// The thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct Janitor {
    wakes: SyncSender<()>,
}

impl Janitor {
    /// Starts the thread; it does nothing until it is woken.
    pub(super) fn start(store: Arc<Store>) -> io::Result<Self> {
        let (wakes, woken) = sync_channel(1);
        thread::Builder::new()
            .name("janitor".into())
            .spawn(move || work(&store, &woken))?;
        Ok(Self { wakes })
    }

    /// Something was discarded. Never waits: a wake that is under way serves for this, too.
    pub(super) fn wake(&self) {
        let _ = self.wakes.try_send(());
    }
}

fn work(store: &Store, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        store.try_to_empty_trash();
    }
}
