//! Origins at random, for property tests.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::behaviour::{Behaviour as B, RetryAfter};
use super::expect::{Expect, Spell, outcome};
use super::object::Validator;

/// Where a download takes place.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    /// Whether the client has a checksum.
    pub(crate) pinned: bool,
    /// Whether the origin speaks TLS.
    pub(crate) tls: bool,
    /// How many bytes the object has; at least two.
    pub(crate) size: u64,
    /// The same object at another origin that speaks TLS if this one does.
    pub(crate) elsewhere: Option<String>,
    /// Any http URL, if this origin speaks TLS.
    pub(crate) plain: Option<String>,
}

impl Scene {
    /// Every behaviour that is possible here, once or more, with parameters as good as any.
    pub(crate) fn examples(&self) -> Vec<Spell> {
        let at = self.size / 2;
        let mut all = vec![
            B::ClosedOnAccept.times(2),
            B::SlowAccept { ms: 20 }.always(),
            B::Garbage.always(),
            B::Silence.times(1),
            B::EndlessHead.always(),
            B::Empty.always(),
            B::NoContent.always(),
            B::UnaskedPart.always(),
            B::RedirectChain { hops: 10 }.always(),
            B::RedirectChain { hops: 11 }.always(),
            B::RedirectForever { fresh: true }.always(),
            B::RedirectForever { fresh: false }.always(),
            B::RedirectNowhere.always(),
            B::RedirectToScheme { scheme: "ftp" }.always(),
            B::IgnoresRange.always(),
            B::OtherOffset { by: 1 }.always(),
            B::OtherTotal { more: 1 }.always(),
            B::OtherBytes.times(1),
            B::Multipart.always(),
            B::Unsatisfiable.always(),
            B::IgnoresIfRange.always(),
            B::BareParts.always(),
            B::Chunked.always(),
            B::CloseDelimited.always(),
            B::TooShort { less: 1 }.always(),
            B::TooLong { more: 1 }.times(1),
            B::TwoLengths.always(),
            B::Gzipped.always(),
            B::EncodingLabel { coding: "gzip" }.always(),
            B::EncodingLabel { coding: "identity" }.always(),
            B::Endless.always(),
            B::Trickle { ms: 20 }.times(1),
            B::Pause { at, ms: 20 }.always(),
            B::ResetAt { at }.times(3),
            B::FinAt { at }.times(3),
            B::ChunkedCut { at }.times(2),
            B::SilenceAt { at }.times(1),
            B::Interim { status: 100 }.always(),
            B::Interim { status: 103 }.always(),
            B::SlowHead { ms: 20 }.always(),
            B::ContentType { name: "text/html" }.always(),
            B::HugeHead { kib: 290 }.always(),
            B::HugeHead { kib: 500 }.always(),
            B::ManyFields { count: 150 }.always(),
            B::ManyFields { count: 4900 }.always(),
            B::ManyFields { count: 5100 }.always(),
        ];
        all.extend(CODINGS.iter().flat_map(|lines| {
            let lines = *lines;
            [true, false].map(|length| B::Codings { lines, length }.always())
        }));
        all.extend([true, false].map(|length| B::OldVersion { length }.always()));
        all.extend(ODD_LINES.map(|line| B::OddLine { line }.always()));
        all.extend([401, 403, 404, 410].map(|status| B::Refused { status }.always()));
        all.extend((0..4).map(|form| B::RedirectToLinkLocal { form }.always()));
        all.extend(BUSY.map(|status| {
            B::Busy {
                status,
                retry_after: RetryAfter::Unsaid,
            }
            .times(2)
        }));
        all.extend(
            [RetryAfter::Seconds(1), RetryAfter::Date(1)].map(|retry_after| {
                B::Busy {
                    status: 503,
                    retry_after,
                }
                .times(1)
            }),
        );
        all.extend(VALIDATORS.map(|behind| B::Changes { at, behind }.times(1)));
        all.extend(VALIDATORS[1..].iter().map(|v| B::Offers(*v).always()));
        all.extend(
            self.elsewhere
                .clone()
                .map(|to| B::RedirectElsewhere { to }.always()),
        );
        if self.tls {
            all.push(B::TlsCut { at }.times(2));
            all.extend(self.plain.clone().map(|to| B::Downgrade { to }.always()));
        }
        all
    }

    /// One behaviour with parameters at random; most of them can be survived.
    pub(crate) fn spell(&self) -> BoxedStrategy<Spell> {
        let at = 0..self.size;
        let times = 1..=2u32;
        let now = [
            RetryAfter::Unsaid,
            RetryAfter::Seconds(0),
            RetryAfter::Date(0),
        ];
        let tls = self.tls;
        let cut =
            (at.clone(), 0..6u8, select(&VALIDATORS[..])).prop_map(move |(at, kind, behind)| {
                match kind {
                    0 => B::FinAt { at },
                    1 => B::ChunkedCut { at },
                    2 => B::Changes { at, behind },
                    3 if tls => B::TlsCut { at },
                    _most => B::ResetAt { at },
                }
            });
        let busy =
            (select(&BUSY[..]), select(now.to_vec())).prop_map(|(status, retry_after)| B::Busy {
                status,
                retry_after,
            });
        let stall = prop_oneof![
            at.clone().prop_map(|at| B::SilenceAt { at }),
            (10..50u64).prop_map(|ms| B::Trickle { ms }),
            Just(B::Silence),
        ];
        let range = prop_oneof![
            Just(B::IgnoresRange),
            (1..self.size).prop_map(|by| B::OtherOffset { by }),
            (1..self.size).prop_map(|more| B::OtherTotal { more }),
            Just(B::Multipart),
            Just(B::Unsatisfiable),
            Just(B::IgnoresIfRange),
            Just(B::BareParts),
            Just(B::OtherBytes),
        ];
        let body = prop_oneof![
            (1..self.size).prop_map(|more| B::TooLong { more }),
            Just(B::ClosedOnAccept),
        ];
        let harmless: Vec<Spell> = self
            .examples()
            .into_iter()
            .filter(|s| {
                s.outcome(self.pinned) == Expect::MustSucceed
                    && !s.behaviour.breaks()
                    && !s.behaviour.needs_resume()
            })
            .collect();
        let pause = (at, 1..50u64).prop_map(|(at, ms)| B::Pause { at, ms }.always());
        prop_oneof![
            6 => (cut, times.clone()).prop_map(|(b, n)| b.times(n)),
            2 => (busy, times.clone()).prop_map(|(b, n)| b.times(n)),
            1 => stall.prop_map(|b| b.times(1)),
            4 => (range.clone(), times.clone()).prop_map(|(b, n)| b.times(n)),
            2 => range.prop_map(B::always),
            1 => (body, times).prop_map(|(b, n)| b.times(n)),
            5 => select(harmless),
            1 => pause,
            5 => select(self.examples()),
        ]
        .boxed()
    }

    /// One to three behaviours that make sense together, with what must become of a download.
    pub(crate) fn spells(&self) -> BoxedStrategy<(Vec<Spell>, Expect)> {
        let pinned = self.pinned;
        let cut = (0..self.size).prop_map(|at| B::ResetAt { at }.times(1));
        (vec(self.spell(), 1..=3), cut)
            .prop_map(|(mut spells, cut)| {
                // A wrong answer to a range is only seen by a client that was cut off before.
                spells.sort_by_key(|s| !s.behaviour.needs_resume());
                let resumes = |s: &Spell| s.behaviour.slot() == cut.behaviour.slot();
                if spells[0].behaviour.needs_resume() && !spells.iter().any(resumes) {
                    spells.truncate(2);
                    spells.push(cut);
                }
                spells
            })
            .prop_filter_map("makes no sense", move |spells| {
                let expect = outcome(&spells, pinned)?;
                Some((spells, expect))
            })
            .boxed()
    }
}

const BUSY: [u16; 7] = [408, 425, 429, 500, 502, 503, 504];
const VALIDATORS: [Validator; 6] = [
    Validator::Strong,
    Validator::Weak,
    Validator::None,
    Validator::Second,
    Validator::Ripening,
    Validator::Mirrored,
];
/// `Transfer-Encoding` as it is, was and should not be.
const CODINGS: [&[&str]; 8] = [
    &["identity"],
    &["gzip"],
    &["chunked, identity"],
    &["chunked", "identity"],
    &["chunked;q=1"],
    &["gzip, chunked"],
    &["identity, chunked"],
    &["identity", "Chunked"],
];
/// Lines that RFC 9112 does not allow and that curl and browsers go on behind.
const ODD_LINES: [&str; 4] = [
    "X Y: a name with a space",
    "X-Folded: one\r\n two",
    "X-Spaced : before the colon",
    "X-Control: \u{1}",
];
