//! How many may ask at a time, and for how long.
//!
//! The port is open to the cluster. Whoever opens connections and says nothing must cost neither the files nor the
//! memory that volumes need, and must not keep a probe out, or kubelet ends a driver that is well. So there are so many
//! places and so much time, and where all places are taken the one who came first has to go.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::Sleep;

/// How many connections there are at a time: probes and scrapers are a handful.
const PLACES: usize = 16;

/// How long a connection may take from its first byte to its last: a scrape takes milliseconds.
const VISIT: Duration = Duration::from_secs(10);

/// Lets connections in.
pub(super) struct ConnectionLimiter {
    listener: TcpListener,
    /// Those who are in, the first first. Whose end is dropped has to go.
    inside: VecDeque<oneshot::Sender<()>>,
    visit: Duration,
}

impl ConnectionLimiter {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            inside: VecDeque::new(),
            visit: VISIT,
        }
    }
}

impl Listener for ConnectionLimiter {
    type Io = Visit;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visit, SocketAddr) {
        let (stream, from) = Listener::accept(&mut self.listener).await;
        self.inside.retain(|visit| !visit.is_closed());
        if self.inside.len() >= PLACES {
            drop(self.inside.pop_front());
        }
        let (stays, goes) = oneshot::channel();
        self.inside.push_back(stays);
        let visit = Visit {
            stream,
            ends: Box::pin(tokio::time::sleep(self.visit)),
            goes,
            is_over: false,
        };
        (visit, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends in time.
pub(super) struct Visit {
    stream: TcpStream,
    ends: Pin<Box<Sleep>>,
    goes: oneshot::Receiver<()>,
    is_over: bool,
}

impl Visit {
    /// The stream, or that the visit is over; wakes the task then, too.
    fn in_time(&mut self, cx: &mut Context<'_>) -> io::Result<Pin<&mut TcpStream>> {
        self.is_over = self.is_over
            || self.ends.as_mut().poll(cx).is_ready()
            || Pin::new(&mut self.goes).poll(cx).is_ready();
        if self.is_over {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(Pin::new(&mut self.stream))
    }
}

impl AsyncRead for Visit {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.in_time(cx)?.poll_read(cx, buf)
    }
}

impl AsyncWrite for Visit {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.in_time(cx)?.poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.in_time(cx)?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn limiter() -> (ConnectionLimiter, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let limiter = ConnectionLimiter::new(listener);
        let address = limiter.local_addr().unwrap();
        (limiter, address)
    }

    fn wait(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(test);
    }

    #[test]
    fn who_says_nothing_is_sent_away_in_time() {
        wait(async {
            let (mut limiter, address) = limiter().await;
            limiter.visit = Duration::from_millis(20);
            let _silent = TcpStream::connect(address).await.unwrap();
            let (mut visit, _) = limiter.accept().await;
            for _ in 0..2 {
                let error = visit.read_u8().await.unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            }
        });
    }

    #[test]
    fn one_more_than_there_are_places_is_let_in_and_the_first_has_to_go() {
        wait(async {
            let (mut limiter, address) = limiter().await;
            let mut visits = VecDeque::new();
            for _ in 0..=PLACES {
                // Who has left takes no place.
                let caller = TcpStream::connect(address).await.unwrap();
                drop((limiter.accept().await, caller));
                let caller = TcpStream::connect(address).await.unwrap();
                visits.push_back((limiter.accept().await.0, caller));
            }
            assert!(limiter.inside.len() <= PLACES);
            let (mut first, _caller) = visits.pop_front().unwrap();
            let error = first.read_u8().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            for (mut visit, mut caller) in visits {
                caller.write_u8(7).await.unwrap();
                assert_eq!(visit.read_u8().await.unwrap(), 7);
            }
        });
    }
}
