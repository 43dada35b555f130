//! What a client reads from and writes to, whatever lies below.

use std::io::{Error, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection as Tells};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, Take};

/// How much is read at once. A client makes its buffer twice as large whenever a read fills it, up to the longest head
/// that it takes, and 40 downloads have 40 of them; more than this makes none of them faster. A little less than the
/// 128 KiB at which it then stays.
const AT_ONCE: u64 = 120 << 10;

/// A connection of whatever layers.
pub(super) type Stream = Box<dyn Io>;

/// Whatever can be one.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection that requests can be sent over.
pub(in super::super) struct Connection {
    stream: Take<Stream>,
    to_proxy: bool,
}

impl Connection {
    /// `to_proxy` says that a proxy reads the requests and has to be told their whole URL.
    pub(super) fn new(stream: Stream, to_proxy: bool) -> Self {
        Self {
            stream: stream.take(AT_ONCE),
            to_proxy,
        }
    }

    fn io(&mut self) -> TokioIo<&mut Stream> {
        TokioIo::new(self.stream.get_mut())
    }
}

impl Tells for Connection {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.to_proxy)
    }
}

impl Read for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<Result<(), Error>> {
        self.stream.set_limit(AT_ONCE);
        Pin::new(&mut TokioIo::new(&mut self.stream)).poll_read(context, buffer)
    }
}

impl Write for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Error>> {
        Pin::new(&mut self.io()).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.io()).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.io()).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.get_ref().is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Error>> {
        Pin::new(&mut self.io()).poll_write_vectored(context, slices)
    }
}
