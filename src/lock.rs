//! Locks, by what may be done while they are held.
//!
//! A disk can hang. Whoever waits for a lock that is held over a disk call hangs with it, and if that is a thread that
//! answers calls, every call, timer and probe of the driver hangs too. So there are two kinds of lock and no others
//! (`clippy.toml` bans those of the standard library elsewhere), and ARCHITECTURE.md lists each of them.
//!
//! Invariant: a thread that holds a [`Short`] lock makes no call that may wait for a disk, a mount or a [`Turn`].
//! Builds with debug assertions, and so all tests, check it at every such call: [`may_wait`].
#![expect(
    clippy::disallowed_types,
    reason = "the one place where locks are made"
)]

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Guards data in memory for as long as it takes to read or change it. May be taken by any thread.
#[derive(Debug, Default)]
pub struct Short<T>(Mutex<T>);

/// A [`Short`] lock that is held.
#[derive(Debug)]
pub struct Guard<'a, T> {
    guard: MutexGuard<'a, T>,
    _counted: held::Counted,
}

impl<T> Short<T> {
    /// A lock around `data`.
    pub fn new(data: T) -> Self {
        Self(Mutex::new(data))
    }

    /// Takes the lock. After a panic of its holder the data is taken as it is: each change is one step.
    pub fn lock(&self) -> Guard<'_, T> {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Guard {
            guard,
            _counted: held::Counted::new(),
        }
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

/// Lets one thread at a time do work that takes as long as the disk does. Only threads that may wait for a disk take
/// it: never one that answers calls.
#[derive(Debug, Default)]
pub struct Turn<T = ()>(Mutex<T>);

impl<T> Turn<T> {
    /// Waits for its turn.
    pub fn take(&self) -> MutexGuard<'_, T> {
        may_wait();
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Data that a thread may wait to see change. Only threads that may wait for a disk do that.
#[derive(Debug, Default)]
pub struct Watched<T> {
    data: Short<T>,
    changed: Condvar,
}

impl<T> Watched<T> {
    /// Reads or changes the data, and wakes those who wait for a change.
    pub fn with<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let changed = change(&mut self.data.lock());
        self.changed.notify_all();
        changed
    }

    /// Waits until `change` finds the data ready for it.
    pub fn wait_for<R>(&self, mut change: impl FnMut(&mut T) -> Option<R>) -> R {
        may_wait();
        let mut guard = self.data.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(done) = change(&mut guard) {
                return done;
            }
            guard = self
                .changed
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Says that what follows may wait for a disk. In a build with debug assertions this ends the thread if it holds a
/// [`Short`] lock.
pub fn may_wait() {
    debug_assert!(
        !held::any(),
        "this thread holds a lock that others need at once, and is about to wait for a disk"
    );
}

/// How many [`Short`] locks this thread holds. Nothing is counted where nothing is checked.
mod held {
    use std::cell::Cell;

    thread_local! {
        static HELD: Cell<usize> = const { Cell::new(0) };
    }

    /// One more, for as long as it lives. A guard is never sent to another thread.
    #[derive(Debug)]
    pub(super) struct Counted;

    impl Counted {
        pub(super) fn new() -> Self {
            if cfg!(debug_assertions) {
                HELD.set(HELD.get() + 1);
            }
            Self
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            if cfg!(debug_assertions) {
                HELD.set(HELD.get() - 1);
            }
        }
    }

    pub(super) fn any() -> bool {
        HELD.get() > 0
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_that_holds_a_short_lock_may_not_wait_for_a_disk() {
        let (short, turn) = (Short::new(1), Turn::<()>::default());
        let (first, second) = (short.lock(), Short::new(2));
        assert_eq!(*first + *second.lock(), 3);
        assert!(catch_unwind(AssertUnwindSafe(may_wait)).is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| drop(turn.take()))).is_err());
        drop(first);
        may_wait();
        let _turn = turn.take();
        // Data may be looked at while a turn is held, and afterwards the disk again.
        drop(short.lock());
        may_wait();
    }

    #[test]
    fn who_waits_for_a_change_is_woken_by_it() {
        let watched = Arc::new(Watched::<Vec<u32>>::default());
        let other = Arc::clone(&watched);
        let waits = thread::spawn(move || other.wait_for(|all| all.pop()));
        watched.with(|all| all.push(7));
        assert_eq!(waits.join().unwrap(), 7);
    }
}
