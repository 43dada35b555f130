//! The disk of the store, looked at by a thread that may wait for it.
//!
//! A disk can hang, and who asks the driver how it does must have an answer all the same: what was found at the last
//! look, and that the next one takes its time.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Error;
use crate::fault::{self, Fault};
use crate::lock::Short;
use crate::metrics::{CacheUsage, Disk};
use crate::mount::Linux;
use crate::volume::{Volumes, VolumesHandle};

/// How often it is looked whether the disk can be written to while nobody asks.
const EVERY: Duration = Duration::from_secs(10);

/// How long one who asks waits for a new look.
const WAIT: Duration = Duration::from_secs(1);

/// How long a look may take before the disk counts as hanging.
const HANGS: Duration = Duration::from_secs(10);

/// What was found at the last look.
#[derive(Clone, Debug, Default)]
pub(super) struct DiskReport {
    pub(super) disk: Option<Disk>,
    pub(super) cache: Option<CacheUsage>,
    /// Whether there was a look.
    looked: bool,
    /// Why nothing can be written.
    refuses: Option<String>,
    /// Since when the next look takes.
    since: Option<Instant>,
}

/// Looks at the disk until it is dropped.
pub(super) struct DiskWatch {
    handle: Arc<VolumesHandle<Linux>>,
    found: Arc<Short<DiskReport>>,
    wake: SyncSender<()>,
    looked: watch::Receiver<()>,
}

impl DiskWatch {
    /// Looks at the disk of these volumes, once they are there.
    pub(super) fn start(handle: Arc<VolumesHandle<Linux>>) -> Result<Self, Error> {
        // A look that is asked for while another one is asked for is the same.
        let (wake, woken) = sync_channel(1);
        let (tell, looked) = watch::channel(());
        let found = Arc::new(Short::new(DiskReport::default()));
        let (shared, volumes) = (Arc::clone(&found), Arc::clone(&handle));
        thread::Builder::new()
            .name("disk".into())
            .spawn(move || look_on(&volumes, &shared, &woken, &tell))
            .map_err(|e| Error::Bug(format!("cannot start a thread: {e}")))?;
        Ok(Self {
            handle,
            found,
            wake,
            looked,
        })
    }

    /// What is known. Waits a moment for something newer, and no longer.
    pub(super) async fn fresh(&self) -> DiskReport {
        let mut looked = self.looked.clone();
        looked.mark_unchanged();
        // A wake that is under way serves this caller, too.
        let _ = self.wake.try_send(());
        let _ = tokio::time::timeout(WAIT, looked.changed()).await;
        self.found.lock().clone()
    }

    /// Whether the disk takes what is written, as far as is known. Where there are no volumes it does not matter.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.handle.get().is_err() {
            return Ok(());
        }
        let found = self.found.lock().clone();
        if !found.looked {
            let _ = self.wake.try_send(());
        }
        found.check()
    }
}

impl DiskReport {
    fn check(&self) -> Result<(), String> {
        let taken = self.since.map(|since| since.elapsed());
        if let Some(taken) = taken.filter(|taken| *taken >= HANGS) {
            let seconds = taken.as_secs();
            return Err(format!(
                "the store's disk has not responded for {seconds} s; check the node's disk"
            ));
        }
        match &self.refuses {
            Some(why) => Err(why.clone()),
            None if !self.looked => Err("checking the store's disk".to_owned()),
            None => Ok(()),
        }
    }

    /// Says once what has changed.
    fn log(&self, before: &Self) {
        match (&before.refuses, &self.refuses) {
            (was, Some(why)) if was.as_ref() != Some(why) => tracing::error!("not ready: {why}"),
            (Some(_), None) => tracing::info!("the store's disk accepts writes again"),
            (None, None) | (_, Some(_)) => {}
        }
    }

    fn look(&mut self, volumes: &Volumes<Linux>, asked: bool) {
        self.looked = true;
        self.refuses = match volumes.check_writable() {
            // A full disk is no reason: what is there goes on, and makes room.
            Err(error) if error.fault() != Fault::NoSpace => Some(fault::line(&error)),
            Ok(()) | Err(_) => None,
        };
        if !asked {
            return;
        }
        self.disk = volumes.disk().ok();
        self.cache = volumes.cached().ok();
    }
}

fn look_on(
    handle: &VolumesHandle<Linux>,
    shared: &Short<DiskReport>,
    woken: &Receiver<()>,
    tell: &watch::Sender<()>,
) {
    loop {
        let asked = match woken.recv_timeout(EVERY) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if let Ok(volumes) = handle.get() {
            shared.lock().since = Some(Instant::now());
            // Looked at without the lock: whoever asks meanwhile gets what was found before.
            let before = shared.lock().clone();
            let mut found = before.clone();
            found.look(&volumes, asked);
            found.since = None;
            found.log(&before);
            *shared.lock() = found;
        }
        if asked {
            tell.send_replace(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::Pool;

    #[test]
    fn a_disk_that_hangs_is_said_after_a_while_and_before_what_was_found_last() {
        let mut found = DiskReport::default();
        assert!(found.check().is_err(), "nothing is known yet");
        found.looked = true;
        assert_eq!(found.check(), Ok(()));
        found.refuses = Some("read-only".to_owned());
        found.since = Some(Instant::now());
        assert_eq!(found.check(), Err("read-only".to_owned()));
        found.since = Some(Instant::now() - HANGS);
        let words = found.check().unwrap_err();
        assert!(words.contains("has not responded for 10 s"), "{words}");
    }

    #[test]
    fn without_volumes_there_is_nothing_to_look_at_and_nobody_waits() {
        let watch = DiskWatch::start(Arc::new(VolumesHandle::shut(
            Linux::untested(),
            Pool::default(),
        )))
        .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let began = Instant::now();
        let found = runtime.block_on(watch.fresh());
        assert!(began.elapsed() < WAIT, "it is woken");
        assert!(found.disk.is_none() && found.cache.is_none());
        assert_eq!(watch.check(), Ok(()));
    }
}
