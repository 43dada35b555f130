//! Every way in which an origin of ours misbehaves, or is only unusual.

use super::object::Validator;

/// One thing that goes another way than a client would like.
///
/// A byte `at` counts from the beginning of the body that is being sent, not of the object: a client that goes on
/// at the byte where it was cut off is cut off again so many bytes later. Where a body has no such byte,
/// or a request has nothing to be wrong about (no range, no TLS), the behaviour waits for the next request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    // --- The connection, before a request is read; whichever path is asked.
    /// Closes at once.
    ClosedOnAccept,
    /// Takes its time to say hello.
    SlowAccept { ms: u64 },

    // --- What is told about the object.
    /// Honest, but with such validators only.
    Offers(Validator),

    // --- Something else instead of the artifact.
    /// Bytes that are no HTTP, then FIN.
    Garbage,
    /// Nothing, until the client gives up.
    Silence,
    /// Headers without end.
    EndlessHead,
    /// A status that may pass: 408, 425, 429, 500, 502, 503, 504.
    Busy {
        status: u16,
        retry_after: RetryAfter,
    },
    /// A status that is final: 401, 403, 404, 410.
    Refused { status: u16 },
    /// 200 with `Content-Length: 0`.
    Empty,
    /// 204.
    NoContent,
    /// 206 with the first half, to a request without a range.
    UnaskedPart,
    /// So many redirects, and then the artifact.
    RedirectChain { hops: u32 },
    /// A redirect to itself, or each time to a place never seen before.
    RedirectForever { fresh: bool },
    /// 302 without `Location`.
    RedirectNowhere,
    /// To a scheme that is not HTTP.
    RedirectToScheme { scheme: &'static str },
    /// To another origin, at this URL.
    RedirectElsewhere { to: String },
    /// From https to this http URL.
    Downgrade { to: String },
    /// To the metadata service of a cloud, written in one of several ways.
    RedirectToLinkLocal { form: usize },

    // --- Wrong answers to a ranged request.
    /// 200 with everything.
    IgnoresRange,
    /// 206 with a range that begins elsewhere, and says so.
    OtherOffset { by: u64 },
    /// 206 that speaks of another total.
    OtherTotal { more: u64 },
    /// 206 with the right header and bytes from another place.
    OtherBytes,
    /// 206 as multipart/byteranges.
    Multipart,
    /// 416 to a range that exists.
    Unsatisfiable,
    /// 206 whatever `If-Range` says, as Jetty does; it tells the new object's own validators.
    IgnoresIfRange,
    /// 206 without the validators that a 200 has.
    BareParts,

    // --- Where the body ends, and how it is coded.
    /// Chunked, without a length.
    Chunked,
    /// Neither length nor chunks: the connection closes.
    CloseDelimited,
    /// `Transfer-Encoding` in lines like these, beside a `Content-Length` or not; in chunks only where `chunked` is the
    /// last coding, and the bytes are coded in no other way.
    Codings {
        lines: &'static [&'static str],
        length: bool,
    },
    /// HTTP/1.0, with a `Content-Length` or without.
    OldVersion { length: bool },
    /// `Content-Length` says fewer bytes than are sent.
    TooShort { less: u64 },
    /// `Content-Length` says more bytes than there are; FIN after the last.
    TooLong { more: u64 },
    /// `Content-Length` twice, with different values.
    TwoLengths,
    /// `Content-Encoding: gzip`, and really so.
    Gzipped,
    /// Such a `Content-Encoding` on bytes that are not coded.
    EncodingLabel { coding: &'static str },
    /// The bytes again and again, chunked.
    Endless,

    // --- How fast the body goes.
    /// One byte each so many milliseconds.
    Trickle { ms: u64 },
    /// A pause in the middle.
    Pause { at: u64, ms: u64 },

    // --- A body that stops before its end.
    /// RST.
    ResetAt { at: u64 },
    /// FIN.
    FinAt { at: u64 },
    /// FIN in a chunked body, without the last chunk.
    ChunkedCut { at: u64 },
    /// FIN without close_notify; only under TLS.
    TlsCut { at: u64 },
    /// Nothing more, until the client gives up.
    SilenceAt { at: u64 },
    /// RST (at the last byte, if there are fewer), and from then on the object has other bytes behind such a
    /// validator.
    Changes { at: u64, behind: Validator },

    // --- Unusual, but right.
    /// 100 or 103 before the answer.
    Interim { status: u16 },
    /// Takes its time before the head.
    SlowHead { ms: u64 },
    /// Another `Content-Type`.
    ContentType { name: &'static str },
    /// So many KiB of headers.
    HugeHead { kib: usize },
    /// So many header fields more.
    ManyFields { count: usize },
    /// A line in the head that is no header field, or not one by the book.
    OddLine { line: &'static str },
}

/// When a client is asked to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryAfter {
    /// It is not told.
    Unsaid,
    /// In so many seconds.
    Seconds(u64),
    /// At the date that is so many seconds away.
    Date(u64),
}

/// The part of an answer that a behaviour takes; they act in this order, and at most one in each part of one
/// answer, save the first of the two that are not exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    Accept,
    /// Not exclusive.
    View,
    Instead,
    Range,
    Frame,
    Pace,
    End,
    /// Not exclusive.
    Dress,
}

impl Behaviour {
    /// What it does, in words that go on after "an origin that".
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::ClosedOnAccept => "closes on accept",
            Self::SlowAccept { .. } => "is slow to accept",
            Self::Offers(Validator::Strong) => "has strong validators",
            Self::Offers(Validator::Weak) => "has weak validators",
            Self::Offers(Validator::None) => "has no validators",
            Self::Offers(Validator::Second) => "has validators of a second",
            Self::Offers(Validator::Ripening) => "has validators that ripen",
            Self::Offers(Validator::Mirrored) => "is two mirrors",
            Self::Garbage => "sends garbage",
            Self::Silence => "says nothing",
            Self::EndlessHead => "sends headers without end",
            Self::Busy { .. } => "is busy",
            Self::Refused { .. } => "refuses",
            Self::Empty => "answers 200 with nothing",
            Self::NoContent => "answers 204",
            Self::UnaskedPart => "sends a part nobody asked for",
            Self::RedirectChain { .. } => "redirects several times",
            Self::RedirectForever { .. } => "redirects for ever",
            Self::RedirectNowhere => "redirects nowhere",
            Self::RedirectToScheme { .. } => "redirects to another scheme",
            Self::RedirectElsewhere { .. } => "redirects to another origin",
            Self::Downgrade { .. } => "redirects from https to http",
            Self::RedirectToLinkLocal { .. } => "redirects to a link-local address",
            Self::IgnoresRange => "ignores the range",
            Self::OtherOffset { .. } => "sends another range",
            Self::OtherTotal { .. } => "speaks of another total",
            Self::OtherBytes => "sends other bytes than the range it says",
            Self::Multipart => "sends several parts",
            Self::Unsatisfiable => "has no such range",
            Self::IgnoresIfRange => "ignores the range's condition",
            Self::BareParts => "sends parts without validators",
            Self::Chunked => "sends chunks",
            Self::CloseDelimited => "ends the body by closing",
            Self::Codings { .. } => "names transfer codings",
            Self::OldVersion { .. } => "speaks HTTP/1.0",
            Self::TooShort { .. } => "declares too few bytes",
            Self::TooLong { .. } => "declares too many bytes",
            Self::TwoLengths => "declares two lengths",
            Self::Gzipped => "compresses",
            Self::EncodingLabel { .. } => "labels a coding",
            Self::Endless => "sends bytes without end",
            Self::Trickle { .. } => "sends a byte at a time",
            Self::Pause { .. } => "pauses",
            Self::ResetAt { .. } => "resets",
            Self::FinAt { .. } => "closes early",
            Self::ChunkedCut { .. } => "truncates chunks",
            Self::TlsCut { .. } => "closes without close_notify",
            Self::SilenceAt { .. } => "falls silent",
            Self::Changes { .. } => "changes the object half-way",
            Self::Interim { .. } => "hints before it answers",
            Self::SlowHead { .. } => "is slow to answer",
            Self::ContentType { .. } => "has another content type",
            Self::HugeHead { .. } => "sends huge headers",
            Self::ManyFields { .. } => "sends many headers",
            Self::OddLine { .. } => "sends an odd line in its head",
        }
    }

    pub(super) fn slot(&self) -> Slot {
        match self {
            Self::ClosedOnAccept | Self::SlowAccept { .. } => Slot::Accept,
            Self::Offers(_) => Slot::View,
            Self::Garbage
            | Self::Silence
            | Self::EndlessHead
            | Self::Busy { .. }
            | Self::Refused { .. }
            | Self::Empty
            | Self::NoContent
            | Self::UnaskedPart
            | Self::RedirectChain { .. }
            | Self::RedirectForever { .. }
            | Self::RedirectNowhere
            | Self::RedirectToScheme { .. }
            | Self::RedirectElsewhere { .. }
            | Self::Downgrade { .. }
            | Self::RedirectToLinkLocal { .. } => Slot::Instead,
            Self::IgnoresRange
            | Self::OtherOffset { .. }
            | Self::OtherTotal { .. }
            | Self::OtherBytes
            | Self::Multipart
            | Self::Unsatisfiable
            | Self::IgnoresIfRange
            | Self::BareParts => Slot::Range,
            Self::Chunked
            | Self::CloseDelimited
            | Self::Codings { .. }
            | Self::OldVersion { .. }
            | Self::TooShort { .. }
            | Self::TooLong { .. }
            | Self::TwoLengths
            | Self::Gzipped
            | Self::EncodingLabel { .. }
            | Self::Endless => Slot::Frame,
            Self::Trickle { .. } | Self::Pause { .. } => Slot::Pace,
            Self::ResetAt { .. }
            | Self::FinAt { .. }
            | Self::ChunkedCut { .. }
            | Self::TlsCut { .. }
            | Self::SilenceAt { .. }
            | Self::Changes { .. } => Slot::End,
            Self::Interim { .. }
            | Self::SlowHead { .. }
            | Self::ContentType { .. }
            | Self::HugeHead { .. }
            | Self::ManyFields { .. }
            | Self::OddLine { .. } => Slot::Dress,
        }
    }

    /// The validators that the origin shows because of it.
    pub(super) fn validator(&self) -> Option<Validator> {
        if let Self::Offers(validator)
        | Self::Changes {
            behind: validator, ..
        } = self
        {
            Some(*validator)
        } else {
            None
        }
    }
}
