//! The threads of an origin: one accepts, one serves each connection.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread;
use std::time::Duration;

use rustls::ServerConfig;

use super::behaviour::Behaviour;
use super::plan::Ending;
use super::request::Request;
use super::send::send;
use super::state::State;
use super::wire::{Socket, Wire};

/// No more connections than these are served at once; the others wait to be accepted.
const MOST: usize = 128;

/// What the threads share.
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) tls: Option<Arc<ServerConfig>>,
    stop: AtomicBool,
    live: Mutex<HashMap<usize, Weak<TcpStream>>>,
    left: Condvar,
}

impl Shared {
    pub(super) fn new(tls: Option<Arc<ServerConfig>>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            tls,
            stop: AtomicBool::new(false),
            live: Mutex::default(),
            left: Condvar::new(),
        })
    }

    /// Accepts until it is stopped.
    pub(super) fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for id in 0.. {
            let live = self.live.lock().unwrap();
            drop(
                self.left
                    .wait_while(live, |live| live.len() >= MOST)
                    .unwrap(),
            );
            let Ok((stream, _)) = listener.accept() else {
                thread::sleep(Duration::from_millis(10)); // no descriptors are left; some will be
                continue;
            };
            let stream = Arc::new(stream);
            let mut live = self.live.lock().unwrap();
            // Under the lock, so that a connection is either refused here or seen by `stop`.
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            live.insert(id, Arc::downgrade(&stream));
            drop(live);
            let shared = self.clone();
            thread::spawn(move || {
                // The guard goes last: when no connection is live, no thread is.
                let _live = Live {
                    shared: &shared,
                    id,
                };
                shared.connection(Socket(stream));
            });
        }
    }

    /// Ends every connection, waits for their threads, but not for ever.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
        let live = self.live.lock().unwrap();
        for stream in live.values().filter_map(Weak::upgrade) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let limit = Duration::from_secs(2);
        drop(
            self.left
                .wait_timeout_while(live, limit, |live| !live.is_empty()),
        );
    }

    pub(super) fn is_idle(&self) -> bool {
        self.live.lock().unwrap().is_empty()
    }

    fn connection(&self, socket: Socket) {
        let greeting = self.state.lock().unwrap().greet();
        if greeting == Some(Behaviour::ClosedOnAccept) {
            return;
        }
        if let Some(Behaviour::SlowAccept { ms }) = greeting {
            thread::sleep(Duration::from_millis(ms));
        }
        // An error says that the client is gone; what it got is in the log.
        if let Ok(mut wire) = Wire::new(socket, self.tls.as_ref())
            && let Ok(ending) = self.requests(&mut wire)
        {
            wire.close(ending);
        }
    }

    /// Answers one request after another, until one answer says how the connection ends.
    fn requests(&self, wire: &mut Wire) -> io::Result<Ending> {
        let mut rest = Vec::new();
        while let Some(request) = Request::read(wire, &mut rest)? {
            let (plan, seen) = self
                .state
                .lock()
                .unwrap()
                .answer(&request, self.tls.is_some());
            let count = &mut |n| self.state.lock().unwrap().log[seen].sent += n;
            if let Some(ending) = send(&plan, wire, count)? {
                return Ok(ending);
            }
            if request
                .header("connection")
                .is_some_and(|v| v.eq_ignore_ascii_case("close"))
            {
                break;
            }
        }
        Ok(Ending::Fin)
    }
}

struct Live<'a> {
    shared: &'a Shared,
    id: usize,
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        self.shared.live.lock().unwrap().remove(&self.id);
        self.shared.left.notify_all();
    }
}
