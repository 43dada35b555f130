//! What will be sent: a plan that an honest origin makes and that behaviours bend, before the first byte goes out.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::date::http_date;

/// Everything about one answer.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// How long nothing is sent.
    pub(super) delay: Duration,
    /// What goes out as the head.
    pub(super) head: Head,
    /// Status codes of 1xx that go out first.
    pub(super) interim: Vec<u16>,
    pub(super) status: u16,
    /// Without those that say where the body ends. Each character is one byte on the wire (ISO-8859-1).
    pub(super) headers: Vec<(String, String)>,
    /// Lines of the head that are no header fields.
    pub(super) odd: Vec<&'static str>,
    pub(super) framing: Framing,
    /// Whether a behaviour chose the framing or the coding of the body.
    pub(super) framed: bool,
    pub(super) body: Body,
    pub(super) pace: Pace,
    /// The body stops here, before its end, and ends badly.
    pub(super) cut: Option<Cut>,
    /// Whether the body is the object or a part of it; behaviours of bodies leave other answers alone.
    pub(super) artifact: bool,
    /// The range that a 206 sends: first byte, last byte, all bytes.
    pub(super) part: Option<(u64, u64, u64)>,
    /// Whether only the head is sent, as a HEAD asks.
    pub(super) head_only: bool,
    /// Whether a behaviour answers instead of the origin.
    pub(super) usurped: bool,
}

/// What stands where the head belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// Status line and headers.
    Honest,
    /// Bytes that are no HTTP.
    Garbage,
    /// A status line and headers without end.
    Endless,
    /// Nothing, until the client gives up.
    Never,
}

/// How the client learns where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// `Content-Length`, which may be a lie.
    Length(u64),
    /// `Content-Length` twice, with different values.
    Lengths(u64, u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// `Transfer-Encoding`, a line each, beside a length or not. In chunks only where `chunked` is the last coding.
    Codings(&'static [&'static str], Option<u64>),
    /// HTTP/1.0, with a length or without.
    Old(Option<u64>),
    /// The connection closes.
    Close,
    /// There is no body: 204 and 304.
    None,
}

/// Which bytes the body has.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) bytes: Arc<[u8]>,
    pub(super) from: usize,
    pub(super) to: usize,
    /// Whether it starts over and over again.
    pub(super) endless: bool,
}

/// How fast the body goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    Full,
    /// One byte, and then so long nothing.
    Trickle(Duration),
    /// At this byte of the body once so long nothing.
    Pause(u64, Duration),
}

/// A body that stops too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) at: u64,
    pub(super) ending: Ending,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// In good order: close_notify under TLS, then FIN.
    Fin,
    /// RST.
    Reset,
    /// FIN without close_notify; without TLS the same as `Fin`.
    NoCloseNotify,
    /// Nothing more, until the client gives up.
    Silence,
}

impl Framing {
    /// Whether the body goes out in chunks.
    pub(super) fn chunks(self) -> bool {
        match self {
            Self::Chunked => true,
            Self::Codings(lines, _) => is_chunked(lines),
            Self::Length(_) | Self::Lengths(..) | Self::Old(_) | Self::Close | Self::None => false,
        }
    }
}

/// Whether `chunked` is the last coding of these lines of `Transfer-Encoding` (RFC 9112, 6.3).
pub(super) fn is_chunked(lines: &[&str]) -> bool {
    lines
        .last()
        .and_then(|line| line.rsplit(',').next())
        .is_some_and(|last| last.trim().eq_ignore_ascii_case("chunked"))
}

impl Body {
    /// The whole of these bytes.
    pub(super) fn of(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self {
            from: 0,
            to: bytes.len(),
            bytes,
            endless: false,
        }
    }

    pub(super) fn len(&self) -> u64 {
        (self.to - self.from) as u64
    }
}

impl Plan {
    /// An honest answer that is not the artifact.
    pub(super) fn text(status: u16, text: &str) -> Self {
        let body = Body::of(text.as_bytes());
        Self {
            delay: Duration::ZERO,
            head: Head::Honest,
            interim: Vec::new(),
            status,
            headers: vec![("Date".to_owned(), http_date(SystemTime::now()))],
            odd: Vec::new(),
            framing: match status {
                204 | 304 => Framing::None,
                _other_status => Framing::Length(body.len()),
            },
            framed: false,
            body,
            pace: Pace::Full,
            cut: None,
            artifact: false,
            part: None,
            head_only: false,
            usurped: false,
        }
    }

    /// Adds a header.
    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sets a header that must be there only once.
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.headers.retain(|(k, _)| !k.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
    }

    /// How many bytes of the body will be tried to send.
    pub(super) fn limit(&self) -> u64 {
        match (self.cut, self.body.endless) {
            (Some(cut), _) => cut.at,
            (None, true) => u64::MAX,
            (None, false) => self.body.len(),
        }
    }
}
