//! The threads for work that may wait for a disk, and how many of them there are.
//!
//! A runtime has a bounded number of threads of either kind: those that answer calls, and those that may block. If all of
//! one kind hang in a sick disk, every call, timer and probe stops. So whoever works on one takes a permit first, and
//! waits for that without a thread: its caller's deadline still counts.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many blocking threads the runtime of a driver has. More than all permits for them together.
pub const THREADS: usize = 16;

/// How many threads of a driver's runtime answer calls: as many as may hang in a disk, and two that go on.
pub const WORKERS: usize = IN_PLACE + 2;

/// How much work may wait for a disk at a time on threads of its own.
const BACKGROUND: usize = 8;

/// How much short work runs at a time on the threads that answer calls: each that hangs costs one of them.
const IN_PLACE: usize = 4;

const _: () = assert!(
    BACKGROUND < THREADS,
    "name resolution blocks a thread, too, and has no permit"
);

/// The permits of one runtime. Cheap to clone; clones share them.
#[derive(Clone, Debug)]
pub struct Pool {
    background: Arc<Semaphore>,
    in_place: Arc<Semaphore>,
}

/// The right to block a thread that answers calls; given back when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    _permit: OwnedSemaphorePermit,
}

impl Permit {
    /// Works on this thread, whose other tasks go on elsewhere: only in a runtime of [`WORKERS`].
    ///
    /// tokio's own `block_in_place` would give this thread's place to a blocking thread first, so that the answer has to
    /// be handed from thread to thread twice: a third of the time that a publish takes. What this task has woken is not
    /// taken over by another thread until it waits; so it wakes nobody before it works.
    pub(super) fn work<T>(self, work: impl FnOnce() -> T) -> T {
        work()
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            background: Arc::new(Semaphore::new(BACKGROUND)),
            in_place: Arc::new(Semaphore::new(IN_PLACE)),
        }
    }
}

impl Pool {
    /// Runs work on a thread of its own, once there is a permit for it. Work that has begun goes on to its end, whoever
    /// still waits for it. What it panicked with is the error.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let permit = Arc::clone(&self.background).acquire_owned().await;
        blocking(permit.ok(), work).await.map_err(|e| e.to_string())
    }

    /// The same for work that nobody waits for; not at all where there is no permit at once.
    pub fn try_begin(&self, work: impl FnOnce() + Send + 'static) {
        if let Ok(permit) = Arc::clone(&self.background).try_acquire_owned() {
            drop(blocking(Some(permit), work));
        }
    }

    /// The right to work on a thread that answers calls; nothing where others hold all of it.
    pub(super) fn in_place(&self) -> Option<Permit> {
        let permit = Arc::clone(&self.in_place).try_acquire_owned().ok()?;
        Some(Permit { _permit: permit })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the runtime's blocking threads are used; it has a permit"
)]
fn blocking<T: Send + 'static>(
    permit: Option<OwnedSemaphorePermit>,
    work: impl FnOnce() -> T + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work()
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::lock::Watched;

    #[test]
    fn however_much_work_hangs_the_runtime_goes_on() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .max_blocking_threads(THREADS)
            .enable_all()
            .build()
            .unwrap();
        let pool = Pool::default();
        let stuck = Arc::new(Watched::<bool>::default());
        runtime.block_on(async {
            let hung: Vec<_> = (0..10 * THREADS)
                .map(|_| {
                    let (pool, stuck) = (pool.clone(), Arc::clone(&stuck));
                    let hangs = move || stuck.wait_for(|free| free.then_some(()));
                    tokio::spawn(async move { pool.run(hangs).await })
                })
                .collect();
            while pool.background.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
            pool.try_begin(|| unreachable!("there is no permit"));
            let hung_in_place: Vec<_> = (0..IN_PLACE)
                .map(|_| {
                    let (permit, stuck) = (pool.in_place().unwrap(), Arc::clone(&stuck));
                    let hangs = move || stuck.wait_for(|free| free.then_some(()));
                    tokio::spawn(async move { permit.work(hangs) })
                })
                .collect();
            assert!(pool.in_place().is_none());
            // Timers go on, and so do tasks, also those that another one begins.
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(1)).await;
                tokio::spawn(async { tokio::spawn(async {}).await })
                    .await
                    .unwrap()
                    .unwrap();
            }
            stuck.with(|free| *free = true);
            for task in hung {
                task.await.unwrap().unwrap();
            }
            for task in hung_in_place {
                task.await.unwrap();
            }
            assert_eq!(pool.background.available_permits(), BACKGROUND);
        });
    }
}
