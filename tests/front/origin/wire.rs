//! A connection under exact control: plain or TLS, and closed in the way that was asked for.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::sockopt::{set_socket_linger, set_socket_send_buffer_size};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::plan::Ending;

/// How long a connection may be idle, and a silence may last, at most.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

/// A socket that the origin can shut down from outside while a thread uses it.
pub(super) struct Socket(pub(super) Arc<TcpStream>);

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buf)
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self.0).write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection to a client.
pub(super) struct Wire {
    link: Link,
    /// How many bytes were put on it.
    sent: usize,
}

enum Link {
    Plain(Socket),
    Tls(Box<StreamOwned<ServerConnection, Socket>>),
}

impl Wire {
    pub(super) fn new(socket: Socket, tls: Option<&Arc<ServerConfig>>) -> io::Result<Self> {
        // Segments must leave as they are written, and what the kernel holds back must be little, or the
        // log's count of bytes says nothing about what the client got.
        socket.0.set_nodelay(true)?;
        set_socket_send_buffer_size(&*socket.0, 256 << 10)?;
        socket.0.set_read_timeout(Some(LONGEST))?;
        socket.0.set_write_timeout(Some(LONGEST))?;
        let link = match tls {
            None => Link::Plain(socket),
            Some(config) => {
                let session = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
                Link::Tls(Box::new(StreamOwned::new(session, socket)))
            }
        };
        Ok(Self { link, sent: 0 })
    }

    fn socket(&self) -> &TcpStream {
        match &self.link {
            Link::Plain(socket) => &socket.0,
            Link::Tls(stream) => &stream.sock.0,
        }
    }

    /// Sends all of it now.
    pub(super) fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sent += bytes.len();
        match &mut self.link {
            Link::Plain(socket) => socket.write_all(bytes),
            Link::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    /// Reads something; 0 at the end.
    pub(super) fn get(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.link {
            Link::Plain(socket) => socket.read(buf),
            Link::Tls(stream) => stream.read(buf),
        }
    }

    /// Sends nothing for so long; an error where the client goes away meanwhile.
    ///
    /// What the client sends meanwhile is dropped: no client of ours asks twice at once.
    pub(super) fn rest(&mut self, length: Duration) -> io::Result<()> {
        let end = Instant::now() + length;
        let outcome = loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break Ok(());
            }
            self.socket().set_read_timeout(Some(left))?;
            match self.get(&mut [0; 1024]) {
                Ok(0) => break Err(ErrorKind::ConnectionAborted.into()),
                Ok(_) => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(e) => break Err(e),
            }
        };
        self.socket().set_read_timeout(Some(LONGEST))?;
        outcome
    }

    /// Ends the connection.
    pub(super) fn close(mut self, ending: Ending) {
        // Errors mean that the client was faster; then there is nothing left to end.
        match ending {
            Ending::Fin => {
                if let Link::Tls(stream) = &mut self.link {
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                }
                self.part();
            }
            Ending::NoCloseNotify => self.part(),
            Ending::Silence => {
                let _ = self.rest(LONGEST);
            }
            Ending::Reset => {
                // So little is there as soon as it is sent, and /proc is slow.
                if self.sent > 32 << 10 {
                    delivered(self.socket());
                }
                let _ = set_socket_linger(self.socket(), Some(Duration::ZERO));
            }
        }
    }

    /// FIN, and then what the client still says is read: a socket that is closed with unread bytes sends RST.
    fn part(&self) {
        let mut socket = self.socket();
        let _ = socket.shutdown(Shutdown::Write);
        let _ = socket.set_read_timeout(Some(Duration::from_millis(300)));
        while matches!(socket.read(&mut [0; 1024]), Ok(1..)) {}
    }
}

/// Waits, not long, until the client's kernel has what was sent: a reset throws away what is still on the way,
/// and "at byte N" would be a guess. The length of the queue is only to be had from /proc without unsafe code.
fn delivered(socket: &TcpStream) {
    let (Ok(ours), Ok(theirs)) = (socket.local_addr(), socket.peer_addr()) else {
        return;
    };
    let ends = (
        format!(":{:04X}", ours.port()),
        format!(":{:04X}", theirs.port()),
    );
    let delivered = || -> Option<bool> {
        let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
        let line = table
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .find(|w| w.len() > 4 && w[1].ends_with(&ends.0) && w[2].ends_with(&ends.1))?;
        Some(line[4].starts_with("00000000:"))
    };
    let end = Instant::now() + Duration::from_millis(200);
    while Instant::now() < end && delivered() == Some(false) {
        std::thread::sleep(Duration::from_millis(1));
    }
}
