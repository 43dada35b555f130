//! Callers whose `:authority` is the path of the socket.
//!
//! A gRPC client that dials a Unix socket has no host to name. Some of them then name the socket's path, percent-encoded
//! (grpc-go with the `passthrough` scheme, as kubelet does; Python's grpcio), and the HTTP/2 parser takes that for a
//! malformed host and resets the stream without a word (hyperium/h2#487). On a Unix socket that name means nothing. So
//! in front of the parser each one is replaced by letters that are a host to it.
//!
//! Only the frames that carry headers are looked into, and in them only how the fields are delimited (RFC 7541 §6): no
//! header is decoded. The new name is as long as the old one, because its length counts in the table that both ends
//! keep (§4.1). What cannot be read is handed on as it is: to refuse it is the parser's business.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

use super::frames::Frames;

/// A connection whose caller may call itself what it likes.
#[derive(Debug)]
pub struct Caller {
    stream: UnixStream,
    frames: Frames,
    ended: bool,
}

impl Caller {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            frames: Frames::default(),
            ended: false,
        }
    }
}

impl AsyncRead for Caller {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while !this.frames.take(buf) && !this.ended {
            let mut bytes = [0; 4096];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut read))?;
            match read.filled() {
                [] => {
                    this.ended = true;
                    this.frames.end();
                    this.frames.take(buf);
                }
                filled => this.frames.add(filled),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Caller {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
