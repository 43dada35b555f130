//! Puts a plan on the wire.

use std::fmt::Write as _;
use std::io;

use super::plan::{Ending, Framing, Head, Pace, Plan};
use super::wire::Wire;

/// The body goes out in pieces of this size.
const PIECE: u64 = 16 << 10;
/// What has no end ends here with a reset, lest a client without limits fill a disk.
const ENDLESS_BODY: u64 = 256 << 20;
const ENDLESS_HEAD: usize = 8 << 20;

/// Sends the answer and tells `sent` about each piece of the body; the ending that is due, or nothing where the
/// connection stays open.
pub(super) fn send(
    plan: &Plan,
    wire: &mut Wire,
    sent: &mut dyn FnMut(u64),
) -> io::Result<Option<Ending>> {
    wire.rest(plan.delay)?;
    match plan.head {
        Head::Honest => {}
        Head::Never => return Ok(Some(Ending::Silence)),
        Head::Garbage => {
            wire.put(b"\x15\x03\x01\x00\x02\x02\x50 this is no HTTP\n\n")?;
            return Ok(Some(Ending::Fin));
        }
        Head::Endless => {
            wire.put(b"HTTP/1.1 200 OK\r\n")?;
            let line = format!("X-Filler: {}\r\n", "x".repeat(4000));
            for _ in 0..ENDLESS_HEAD / line.len() {
                wire.put(line.as_bytes())?;
            }
            return Ok(Some(Ending::Reset));
        }
    }
    for status in &plan.interim {
        let link = match status {
            103 => "Link: </style.css>; rel=preload\r\n",
            _other_status => "",
        };
        wire.put(format!("HTTP/1.1 {status} {}\r\n{link}\r\n", reason(*status)).as_bytes())?;
    }
    wire.put(&octets(&head(plan)))?;
    if plan.head_only || plan.framing == Framing::None {
        return Ok(None);
    }
    body(plan, wire, sent)?;
    Ok(ending(plan))
}

/// Each character as the byte of its number.
fn octets(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).unwrap()).collect()
}

fn head(plan: &Plan) -> String {
    let minor = u8::from(!matches!(plan.framing, Framing::Old(_)));
    let mut text = format!("HTTP/1.{minor} {} {}\r\n", plan.status, reason(plan.status));
    for (name, value) in &plan.headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    for line in &plan.odd {
        let _ = write!(text, "{line}\r\n");
    }
    if let Framing::Codings(lines, _) = plan.framing {
        for line in lines {
            let _ = write!(text, "Transfer-Encoding: {line}\r\n");
        }
    }
    let _ = match plan.framing {
        Framing::Length(n) | Framing::Codings(_, Some(n)) | Framing::Old(Some(n)) => {
            write!(text, "Content-Length: {n}\r\n")
        }
        Framing::Lengths(n, m) => write!(text, "Content-Length: {n}\r\nContent-Length: {m}\r\n"),
        Framing::Chunked => write!(text, "Transfer-Encoding: chunked\r\n"),
        Framing::Close => write!(text, "Connection: close\r\n"),
        Framing::Codings(_, None) | Framing::Old(None) | Framing::None => Ok(()),
    };
    text + "\r\n"
}

fn body(plan: &Plan, wire: &mut Wire, sent: &mut dyn FnMut(u64)) -> io::Result<()> {
    let limit = plan.limit().min(ENDLESS_BODY);
    let mut at = 0;
    while at < limit {
        let mut piece = PIECE.min(limit - at);
        match plan.pace {
            Pace::Full => {}
            Pace::Trickle(interval) => {
                piece = 1;
                wire.rest(interval)?;
            }
            Pace::Pause(here, length) if at == here => wire.rest(length)?,
            Pace::Pause(here, _) if at < here => piece = piece.min(here - at),
            Pace::Pause(..) => {}
        }
        let bytes = bytes(plan, at, piece);
        if plan.framing.chunks() {
            let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
            wire.put(&chunk)?;
        } else {
            wire.put(bytes)?;
        }
        at += bytes.len() as u64;
        sent(bytes.len() as u64);
    }
    if plan.framing.chunks() && plan.cut.is_none() && !plan.body.endless {
        wire.put(b"0\r\n\r\n")?;
    }
    Ok(())
}

/// The bytes from `at` on, no more than `most`; an endless body begins again where its bytes end.
fn bytes(plan: &Plan, at: u64, most: u64) -> &[u8] {
    let all = &plan.body.bytes[plan.body.from..plan.body.to];
    if all.is_empty() {
        return &[0; 64];
    }
    let from = usize::try_from(at % all.len() as u64).unwrap();
    let to = all.len().min(from + usize::try_from(most).unwrap());
    &all[from..to]
}

fn ending(plan: &Plan) -> Option<Ending> {
    if let Some(cut) = plan.cut {
        return Some(cut.ending);
    }
    if plan.body.endless {
        return Some(Ending::Reset);
    }
    match plan.framing {
        Framing::Length(n) if n == plan.body.len() => None,
        Framing::Codings(..) if plan.framing.chunks() => None,
        Framing::Length(_)
        | Framing::Lengths(..)
        | Framing::Codings(..)
        | Framing::Old(_)
        | Framing::Close => Some(Ending::Fin),
        Framing::Chunked | Framing::None => None,
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        103 => "Early Hints",
        200 => "OK",
        206 => "Partial Content",
        404 => "Not Found",
        503 => "Service Unavailable",
        _rare_status => "As The Number Says",
    }
}
