//! How watches ask an API server that cannot be reached: one of them for all.
//!
//! Each watch begins again by itself. With hundreds of them on a node, and thousands of nodes, that would be the load that
//! keeps an API server from coming back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::sleep;

/// Open as long as the API server can be reached.
pub(super) struct Gate {
    is_shut: AtomicBool,
    /// Held by whoever tries meanwhile. How long the next pause is.
    pause: Mutex<Duration>,
    shortest: Duration,
    longest: Duration,
}

impl Gate {
    /// The pause between two tries doubles, from the one to the other.
    pub(super) fn new(shortest: Duration, longest: Duration) -> Self {
        Self {
            is_shut: AtomicBool::new(false),
            pause: Mutex::new(shortest),
            shortest,
            longest,
        }
    }

    /// Asks when it is open, or when it is this one's turn; `is_unreachable` says which errors shut it.
    pub(super) async fn pass<T, E>(
        &self,
        ask: impl Future<Output = Result<T, E>>,
        is_unreachable: impl FnOnce(&E) -> bool,
    ) -> Result<T, E> {
        let mut turn = None;
        if self.is_shut.load(Ordering::SeqCst) {
            let pause = self.pause.lock().await;
            // While it waited, another one may have got an answer.
            turn = Some(pause).filter(|_| self.is_shut.load(Ordering::SeqCst));
        }
        let answer = ask.await;
        let is_shut = answer.as_ref().is_err_and(is_unreachable);
        self.is_shut.store(is_shut, Ordering::SeqCst);
        if let Some(pause) = &mut turn {
            if is_shut {
                sleep(**pause).await;
                **pause = (2 * **pause).min(self.longest);
            } else {
                **pause = self.shortest;
            }
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test]
    async fn one_asks_for_all_until_there_is_an_answer() {
        let millisecond = Duration::from_millis(1);
        let gate = Arc::new(Gate::new(20 * millisecond, 40 * millisecond));
        let (asked, is_up) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let watch = || {
            let (gate, asked, is_up) = (Arc::clone(&gate), Arc::clone(&asked), Arc::clone(&is_up));
            tokio::spawn(async move {
                loop {
                    let ask = async {
                        asked.fetch_add(1, Ordering::SeqCst);
                        is_up.load(Ordering::SeqCst).then_some(()).ok_or(())
                    };
                    if gate.pass(ask, |()| true).await.is_ok() {
                        return;
                    }
                    // Each has a pause of its own, which is much shorter here.
                    sleep(millisecond).await;
                }
            })
        };
        let watches: Vec<_> = (0..200).map(|_| watch()).collect();
        sleep(400 * millisecond).await;
        is_up.store(true, Ordering::SeqCst);
        for watch in watches {
            watch.await.unwrap();
        }
        // The first one, a few while it was shut, and each once when it was open again.
        let asked = asked.load(Ordering::SeqCst);
        assert!((201..230).contains(&asked), "asked {asked} times");
        assert_eq!(*gate.pause.lock().await, 20 * millisecond);
    }

    /// An answer of the API server itself opens it: each watch then knows better what to do.
    #[tokio::test]
    async fn other_errors_do_not_shut_it() {
        let gate = Gate::new(Duration::ZERO, Duration::ZERO);
        for unreachable in [true, false] {
            let ask = async { Err::<(), _>(unreachable) };
            assert_eq!(gate.pass(ask, |e| *e).await, Err(unreachable));
            assert_eq!(gate.is_shut.load(Ordering::SeqCst), unreachable);
        }
    }
}
