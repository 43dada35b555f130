//! A server whose answers are bytes and nothing else: for those that are no HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// A server that answers everybody with the same bytes, and counts them.
pub(crate) struct Raw {
    pub(crate) address: SocketAddr,
    pub(crate) asked: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Raw {
    pub(crate) fn start(answer: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, stop, answer) = (Arc::clone(&asked), Arc::clone(&over), answer.to_vec());
        let thread = std::thread::spawn(move || {
            while let Ok((mut peer, _)) = listener.accept() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let mut seen = Vec::new();
                while !seen.windows(4).any(|w| w == b"\r\n\r\n") {
                    let mut some = [0; 4096];
                    match peer.read(&mut some) {
                        Ok(n @ 1..) => seen.extend_from_slice(&some[..n]),
                        Ok(0) | Err(_) => break,
                    }
                }
                if seen.starts_with(b"GET ") {
                    count.fetch_add(1, Ordering::SeqCst);
                }
                // Who has read enough hangs up.
                let _ = peer.write_all(&answer);
            }
        });
        Self {
            address,
            asked,
            over,
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
