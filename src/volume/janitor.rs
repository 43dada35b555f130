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
    bell: SyncSender<()>,
}

impl Janitor {
    /// Starts the thread; it does nothing until it is woken.
    pub(super) fn start(store: Arc<Store>) -> io::Result<Self> {
        let (bell, rung) = sync_channel(1);
        thread::Builder::new()
            .name("janitor".into())
            .spawn(move || work(&store, &rung))?;
        Ok(Self { bell })
    }

    /// Something was discarded. Never waits: one that is sent already serves for this, too.
    pub(super) fn wake(&self) {
        let _ = self.bell.try_send(());
    }
}

fn work(store: &Store, rung: &Receiver<()>) {
    while rung.recv().is_ok() {
        store.try_to_empty_trash();
    }
}
