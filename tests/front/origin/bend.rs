//! What each behaviour does to an answer.

use std::time::{Duration, SystemTime};

use super::behaviour::{Behaviour, RetryAfter};
use super::date::http_date;
use super::gzip::gzip;
use super::honest;
use super::object::Object;
use super::plan::{Body, Ending, Framing, Head, Pace, Plan};
use super::turn::Turn;

/// Link-local addresses as attackers write them.
const LINK_LOCAL: [&str; 4] = [
    "169.254.169.254",
    "[::ffff:169.254.169.254]",
    "2852039166",
    "[fe80::1]",
];

impl Behaviour {
    /// Bends the answer; false where there is nothing to bend.
    pub(super) fn bend(&self, turn: &mut Turn<'_>) -> bool {
        let ms = Duration::from_millis;
        match self {
            // Done before there is a request, and before there is a plan.
            Self::ClosedOnAccept | Self::SlowAccept { .. } | Self::Offers(_) => false,

            Self::Garbage => turn.headless(Head::Garbage),
            Self::Silence => turn.headless(Head::Never),
            Self::EndlessHead => turn.headless(Head::Endless),
            Self::Busy {
                status,
                retry_after,
            } => turn.instead(busy(*status, *retry_after)),
            Self::Refused { status: 401 } => turn.instead(honest::unauthorized()),
            Self::Refused { status } => turn.instead(Plan::text(*status, "no\n")),
            Self::Empty => turn.instead(Plan::text(200, "")),
            Self::NoContent => turn.instead(Plan::text(204, "")),
            Self::UnaskedPart => turn.unasked_part(),
            Self::RedirectChain { hops } => turn.request.hop() < *hops && turn.next_hop(),
            Self::RedirectForever { fresh: true } => turn.next_hop(),
            Self::RedirectForever { fresh: false } => turn.redirect(&turn.request.path),
            Self::RedirectNowhere => turn.instead(Plan::text(302, "not here\n")),
            Self::RedirectToScheme { scheme } => {
                turn.redirect(&format!("{scheme}://127.0.0.1{}", turn.request.path))
            }
            Self::RedirectElsewhere { to } => turn.redirect(to),
            Self::Downgrade { to } => turn.tls && turn.redirect(to),
            Self::RedirectToLinkLocal { form } => {
                // In the scheme of the origin, or it would be a downgrade too.
                let scheme = if turn.tls { "https" } else { "http" };
                let host = LINK_LOCAL[form % LINK_LOCAL.len()];
                turn.redirect(&format!("{scheme}://{host}/latest/meta-data/"))
            }

            Self::IgnoresRange => turn.range(|plan, object, _| {
                *plan = honest::whole(object);
                true
            }),
            Self::Unsatisfiable => turn.range(|plan, object, _| {
                *plan = honest::unsatisfiable(object);
                true
            }),
            Self::OtherOffset { by } => turn.range(|plan, object, part| {
                let other = other_offset(object, part, *by);
                other.is_some_and(|other| {
                    *plan = other;
                    true
                })
            }),
            Self::OtherTotal { more } => turn.range(|plan, _, (first, last, total)| {
                let range = format!("bytes {first}-{last}/{}", total + more);
                plan.set("Content-Range", range);
                true
            }),
            Self::OtherBytes => turn.range(|plan, _, (first, ..)| {
                (plan.body.from, plan.body.to) = (0, plan.body.to - plan.body.from);
                first > 0
            }),
            Self::Multipart => turn.range(|plan, _, part| {
                multipart(plan, part);
                true
            }),
            Self::IgnoresIfRange => turn.insist(),
            Self::BareParts => turn.range(|plan, _, _| {
                let validator = |name: &str| matches!(name, "ETag" | "Last-Modified");
                plan.headers.retain(|(name, _)| !validator(name));
                true
            }),

            Self::Chunked => turn.frame(|_| Framing::Chunked),
            Self::CloseDelimited => turn.frame(|_| Framing::Close),
            Self::Codings { lines, length } => {
                turn.frame(|n| Framing::Codings(lines, length.then_some(n)))
            }
            Self::OldVersion { length } => turn.frame(|n| Framing::Old(length.then_some(n))),
            Self::TooShort { less } => turn.frame(|n| Framing::Length(n.saturating_sub(*less))),
            Self::TooLong { more } => turn.frame(|n| Framing::Length(n + more)),
            Self::TwoLengths => turn.frame(|n| Framing::Lengths(n, n + 1)),
            Self::Gzipped => turn.code("gzip", gzip),
            Self::EncodingLabel { coding } => {
                turn.frame(Framing::Length)
                    && turn.dress(|plan| plan.set("Content-Encoding", *coding))
            }
            Self::Endless => {
                turn.frame(|_| Framing::Chunked) && turn.dress(|plan| plan.body.endless = true)
            }

            Self::Trickle { ms: each } => turn.pace(Pace::Trickle(ms(*each))),
            Self::Pause { at, ms: length } => turn.pace(Pace::Pause(*at, ms(*length))),

            Self::ResetAt { at } => turn.cut(*at, Ending::Reset),
            Self::FinAt { at } => turn.cut(*at, Ending::Fin),
            Self::ChunkedCut { at } => {
                turn.cut(*at, Ending::Fin) && turn.dress(|plan| plan.framing = Framing::Chunked)
            }
            Self::TlsCut { at } => turn.tls && turn.cut(*at, Ending::NoCloseNotify),
            Self::SilenceAt { at } => turn.cut(*at, Ending::Silence),
            Self::Changes { at, behind } => {
                let at = (*at).min(turn.length().saturating_sub(1));
                let cut = turn.cut(at, Ending::Reset);
                turn.change = cut.then_some(*behind).or(turn.change);
                cut
            }

            Self::Interim { status } => turn.dress(|plan| plan.interim.push(*status)),
            Self::SlowHead { ms: length } => turn.dress(|plan| plan.delay += ms(*length)),
            Self::ContentType { name } => turn.dress(|plan| plan.set("Content-Type", *name)),
            Self::HugeHead { kib } => turn.dress(|plan| {
                for n in 0..*kib {
                    plan.set(&format!("X-Filler-{n}"), "x".repeat(1024));
                }
            }),
            Self::ManyFields { count } => turn.dress(|plan| {
                let fields = (0..*count).map(|n| (format!("X-{n}"), "x".to_owned()));
                plan.headers.extend(fields);
            }),
            Self::OddLine { line } => turn.dress(|plan| plan.odd.push(line)),
        }
    }
}

fn busy(status: u16, retry_after: RetryAfter) -> Plan {
    let plan = Plan::text(status, "come again\n");
    match retry_after {
        RetryAfter::Unsaid => plan,
        RetryAfter::Seconds(n) => plan.with("Retry-After", n.to_string()),
        RetryAfter::Date(n) => {
            let then = SystemTime::now() + Duration::from_secs(n);
            plan.with("Retry-After", http_date(then))
        }
    }
}

/// A range that begins later, or sooner where it would begin behind the end; none where it is the same.
fn other_offset(object: &Object, (first, last, total): (u64, u64, u64), by: u64) -> Option<Plan> {
    let there = if first + by < total {
        first + by
    } else {
        first.saturating_sub(by)
    };
    (there != first).then(|| honest::part(object, there, last.max(there)))
}

/// The range as the only part of several.
fn multipart(plan: &mut Plan, (first, last, total): (u64, u64, u64)) {
    let bytes = &plan.body.bytes[plan.body.from..plan.body.to];
    let head = format!("--part\r\nContent-Range: bytes {first}-{last}/{total}\r\n\r\n");
    let body = Body::of([head.as_bytes(), bytes, b"\r\n--part--\r\n"].concat());
    plan.headers.retain(|(name, _)| name != "Content-Range");
    plan.set("Content-Type", "multipart/byteranges; boundary=part");
    plan.framing = Framing::Length(body.len());
    plan.body = body;
    plan.artifact = false;
}
