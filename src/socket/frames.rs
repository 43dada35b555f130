//! The frames of one direction of an HTTP/2 connection (RFC 9113), of which those with headers are changed.

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;

use super::fields::with_plain_authority;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD: usize = 9;

/// The longest frame before a connection agrees on more (§4.2), which ours do not.
const LONGEST: usize = 16_384;

/// The most bytes of one block of headers that are kept; longer ones are handed on as they are.
const MOST: usize = 1 << 16;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// What came, and what is handed on.
#[derive(Debug, Default)]
pub(super) struct Frames {
    input: BytesMut,
    output: BytesMut,
    state: FrameState,
    /// The frames of a block of headers whose end has not come.
    begun: BytesMut,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum FrameState {
    #[default]
    Preface,
    Head,
    /// So many bytes of a frame without headers.
    Passing(usize),
    /// No HTTP/2 that we know.
    Raw,
}

/// The head of a frame (§4.1).
#[derive(Clone, Copy, Debug)]
struct Head {
    length: usize,
    kind: u8,
    flags: u8,
    stream: [u8; 4],
}

impl Head {
    fn of(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, stream @ ..] = *bytes.first_chunk::<HEAD>()?;
        let length = u32::from_be_bytes([0, a, b, c]);
        Some(Self {
            length: usize::try_from(length).ok()?,
            kind,
            flags,
            stream,
        })
    }

    fn write(self, to: &mut BytesMut) {
        let length = u32::try_from(self.length).unwrap_or_default().to_be_bytes();
        to.extend_from_slice(length.get(1..).unwrap_or_default());
        to.extend_from_slice(&[self.kind, self.flags]);
        to.extend_from_slice(&self.stream);
    }
}

impl Frames {
    /// Some bytes came.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while self.step() {}
    }

    /// No more will come.
    pub(super) fn end(&mut self) {
        self.state = FrameState::Raw;
        self.output.unsplit(self.begun.split());
        self.output.unsplit(self.input.split());
    }

    /// Hands on what is ready; false if nothing is.
    pub(super) fn take(&mut self, to: &mut ReadBuf<'_>) -> bool {
        let count = self.output.len().min(to.remaining());
        to.put_slice(self.output.get(..count).unwrap_or_default());
        self.output.advance(count);
        count > 0
    }

    /// False if there is not enough for one more.
    fn step(&mut self) -> bool {
        match self.state {
            FrameState::Preface => {
                let known = self.input.len().min(PREFACE.len());
                if self.input.get(..known) != PREFACE.get(..known) {
                    self.state = FrameState::Raw;
                    return true;
                }
                if known < PREFACE.len() {
                    return false;
                }
                self.pass(known);
                self.state = FrameState::Head;
                true
            }
            FrameState::Head => self.frame(),
            FrameState::Passing(left) => {
                let count = left.min(self.input.len());
                self.pass(count);
                self.state = match left - count {
                    0 => FrameState::Head,
                    left => FrameState::Passing(left),
                };
                count > 0
            }
            FrameState::Raw => {
                self.pass(self.input.len());
                false
            }
        }
    }

    fn pass(&mut self, count: usize) {
        self.output.unsplit(self.input.split_to(count));
    }

    fn frame(&mut self) -> bool {
        let Some(head) = Head::of(&self.input) else {
            return false;
        };
        let begins = head.kind == HEADERS && self.begun.is_empty();
        let continues = head.kind == CONTINUATION && !self.begun.is_empty();
        if head.length > LONGEST
            || self.begun.len() > MOST
            || !begins && !self.begun.is_empty() && !continues
        {
            // The parser refuses it, or somebody tries how much is kept.
            self.end();
            return true;
        }
        if !begins && !continues {
            self.state = FrameState::Passing(HEAD + head.length);
            return true;
        }
        if self.input.len() < HEAD + head.length {
            return false;
        }
        self.begun.unsplit(self.input.split_to(HEAD + head.length));
        if head.flags & END_HEADERS != 0 {
            let frames = self.begun.split();
            self.output.unsplit(changed(&frames).unwrap_or(frames));
        }
        true
    }
}

/// The frames of one block of headers with a name that the parser takes; nothing where they can stay as they are.
fn changed(mut frames: &[u8]) -> Option<BytesMut> {
    let (mut block, mut priority, mut first) = (Vec::new(), None, None);
    while let Some(head) = Head::of(frames) {
        let mut payload = frames.get(HEAD..HEAD + head.length)?;
        frames = frames.get(HEAD + head.length..)?;
        if first.is_none() {
            if head.flags & PADDED != 0 {
                let (padding, rest) = payload.split_first()?;
                payload = rest.get(..rest.len().checked_sub(usize::from(*padding))?)?;
            }
            if head.flags & PRIORITY != 0 {
                let (weight, rest) = payload.split_at_checked(5)?;
                (priority, payload) = (Some(weight.to_vec()), rest);
            }
            first = Some(head);
        }
        block.extend_from_slice(payload);
    }
    let block = with_plain_authority(&block)?;
    Some(framed(first?, &priority.unwrap_or_default(), &block))
}

/// A block of headers as frames, in as few as it takes.
fn framed(first: Head, priority: &[u8], block: &[u8]) -> BytesMut {
    let mut frames = BytesMut::new();
    let (begin, mut rest) = block.split_at(block.len().min(LONGEST - priority.len()));
    let last = |rest: &[u8]| if rest.is_empty() { END_HEADERS } else { 0 };
    Head {
        length: priority.len() + begin.len(),
        flags: first.flags & (END_STREAM | PRIORITY) | last(rest),
        ..first
    }
    .write(&mut frames);
    frames.extend_from_slice(priority);
    frames.extend_from_slice(begin);
    while !rest.is_empty() {
        let (next, after) = rest.split_at(rest.len().min(LONGEST));
        rest = after;
        Head {
            length: next.len(),
            kind: CONTINUATION,
            flags: last(rest),
            ..first
        }
        .write(&mut frames);
        frames.extend_from_slice(next);
    }
    frames
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = BytesMut::new();
        Head {
            length: payload.len(),
            kind,
            flags,
            stream: [0, 0, 0, 1],
        }
        .write(&mut frame);
        frame.extend_from_slice(payload);
        frame.to_vec()
    }

    /// What is handed on of bytes that come in pieces of this size.
    fn through(bytes: &[u8], piece: usize) -> Vec<u8> {
        let (mut frames, mut all) = (Frames::default(), Vec::new());
        let take = |frames: &mut Frames, all: &mut Vec<u8>| {
            let mut space = [0; 100];
            let mut buffer = ReadBuf::new(&mut space);
            while frames.take(&mut buffer) {
                all.extend_from_slice(buffer.filled());
                buffer.clear();
            }
        };
        for piece in bytes.chunks(piece) {
            frames.add(piece);
            take(&mut frames, &mut all);
        }
        frames.end();
        take(&mut frames, &mut all);
        all
    }

    const PATH: &[u8] = b"\x82\x41\x0f%2Frun%2Fa.sock";
    const PLAIN: &[u8] = b"\x82\x41\x0fxxxxxxxxxxxxxxx";

    #[test]
    fn headers_are_changed_however_they_are_framed_and_nothing_else_is() {
        let settings = frame(4, 0, &[0; 6]);
        let data = frame(0, END_STREAM, PATH);
        let padded = [&[3][..], &[0, 0, 0, 0, 7], PATH, &[0; 3]].concat();
        let prioritized = [&[0, 0, 0, 0, 7][..], PLAIN].concat();
        let came = [
            PREFACE.to_vec(),
            settings.clone(),
            frame(HEADERS, END_HEADERS, PATH),
            data.clone(),
            frame(
                HEADERS,
                PADDED | PRIORITY | END_HEADERS | END_STREAM,
                &padded,
            ),
            frame(HEADERS, 0, &PATH[..5]),
            frame(CONTINUATION, 0, &[]),
            frame(CONTINUATION, END_HEADERS, &PATH[5..]),
        ]
        .concat();
        let expected = [
            PREFACE.to_vec(),
            settings,
            frame(HEADERS, END_HEADERS, PLAIN),
            data,
            frame(HEADERS, PRIORITY | END_HEADERS | END_STREAM, &prioritized),
            frame(HEADERS, END_HEADERS, PLAIN),
        ]
        .concat();
        for piece in [1, 2, 7, 1000] {
            assert_eq!(through(&came, piece), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_block_that_becomes_longer_than_a_frame_is_continued() {
        let frames = framed(
            Head::of(&frame(HEADERS, END_HEADERS, &[])).unwrap(),
            &[0; 5],
            &vec![0x82; LONGEST + 10],
        );
        let first = Head::of(&frames).unwrap();
        assert_eq!((first.length, first.flags & END_HEADERS), (LONGEST, 0));
        let second = Head::of(&frames[HEAD + LONGEST..]).unwrap();
        assert_eq!((second.kind, second.length), (CONTINUATION, 15));
        assert_eq!(second.flags, END_HEADERS);
    }

    proptest! {
        #[test]
        fn what_is_no_http_2_is_handed_on_as_it_is(bytes in proptest::collection::vec(any::<u8>(), 0..200), piece in 1_usize..50) {
            prop_assert_eq!(through(&bytes, piece), bytes);
        }

        #[test]
        fn no_frame_is_lost_or_held_back_whatever_is_in_it(
            kinds in proptest::collection::vec((0_u8..12, any::<u8>(), proptest::collection::vec(any::<u8>(), 0..60)), 0..10),
            piece in 1_usize..50
        ) {
            let mut came = PREFACE.to_vec();
            for (kind, flags, payload) in kinds {
                came.extend(frame(kind, flags, &payload));
            }
            let handed_on = through(&came, piece);
            prop_assert!(handed_on.starts_with(PREFACE));
            // A block may be framed anew, and a coded name be written out.
            prop_assert!(handed_on.len() + 200 > came.len());
        }
    }
}
