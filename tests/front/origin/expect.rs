//! What must become of a download from an origin that misbehaves.

use super::behaviour::{Behaviour, RetryAfter, Slot};
use super::plan::is_chunked;

/// A behaviour, and how often it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spell {
    pub(crate) behaviour: Behaviour,
    pub(crate) times: Times,
}

/// How often a behaviour shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// At the first so many requests where it can.
    First(u32),
    /// At every request.
    Always,
}

/// What must become of a download. Wrong bytes and hangs are never right, whatever is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Expect {
    /// The right bytes.
    MustSucceed,
    /// The right bytes or a clear error.
    MayFail,
    /// A clear error.
    MustFail,
}

/// So many attempts in one download may fail for a reason that passes, and it must still succeed.
pub(crate) const PATIENCE: u32 = 4;

/// The longest wait in seconds that a client must grant to whoever asks for it.
const LONGEST_WAIT: u64 = 2;

use Expect::{MayFail, MustFail, MustSucceed};

impl Behaviour {
    /// This behaviour at the first `n` requests where it can show.
    pub(crate) fn times(self, n: u32) -> Spell {
        Spell {
            behaviour: self,
            times: Times::First(n),
        }
    }

    /// This behaviour at every request.
    pub(crate) fn always(self) -> Spell {
        Spell {
            behaviour: self,
            times: Times::Always,
        }
    }

    /// Whether an attempt that meets it comes to nothing.
    pub(super) fn breaks(&self) -> bool {
        matches!(self.slot(), Slot::End)
            || matches!(
                self,
                Self::ClosedOnAccept
                    | Self::Silence
                    | Self::Busy { .. }
                    | Self::TooLong { .. }
                    | Self::Trickle { .. }
            )
    }

    /// Whether it shows only at a request that goes on with a download.
    pub(super) fn needs_resume(&self) -> bool {
        self.slot() == Slot::Range
    }

    /// Whether the end of its bodies looks like that of a connection that breaks.
    fn unframed(&self) -> bool {
        let closes = matches!(
            self,
            Self::CloseDelimited | Self::OldVersion { length: false }
        );
        closes || matches!(self, Self::Codings { lines, .. } if !is_chunked(lines))
    }

    /// Whether it claims that the bytes are coded in another way than in chunks.
    fn coded(&self) -> bool {
        matches!(self, Self::Codings { lines, .. } if lines.concat().contains("gzip"))
    }

    /// Whether without a checksum nobody could notice: HTTP itself says that these bytes are right.
    fn deceives(&self) -> bool {
        matches!(self, Self::OtherBytes | Self::TooShort { .. } | Self::Empty)
    }
}

impl Spell {
    /// What it is called.
    pub(crate) fn name(&self) -> &'static str {
        self.behaviour.name()
    }

    /// What must become of a download that meets this and nothing else, from an object with a strong validator.
    ///
    /// Pinned means that a checksum of the object as it is at the beginning was given.
    pub(crate) fn outcome(&self, pinned: bool) -> Expect {
        use Behaviour as B;
        // What passes is tried again, what is final is not; what never passes is a failure, unless each attempt
        // may bring the download a bit further.
        let passes = |at: u64| match self.times {
            Times::First(n) if n * self.cost() <= PATIENCE => MustSucceed,
            Times::First(_) => MayFail,
            Times::Always if at == 0 => MustFail,
            Times::Always => MayFail,
        };
        let is_final = match self.times {
            Times::First(_) => MayFail,
            Times::Always => MustFail,
        };
        let only_if = |condition: bool| if condition { MustSucceed } else { MayFail };
        match &self.behaviour {
            B::SlowAccept { .. }
            | B::Offers(_)
            | B::RedirectElsewhere { .. }
            | B::IgnoresRange
            | B::OtherOffset { .. }
            | B::OtherTotal { .. }
            | B::Multipart
            | B::Unsatisfiable
            | B::IgnoresIfRange
            | B::BareParts
            | B::Chunked
            | B::Pause { .. }
            | B::Interim { .. }
            | B::SlowHead { .. }
            | B::ContentType { .. }
            | B::OddLine { .. } => MustSucceed,

            B::ClosedOnAccept | B::Silence => passes(0),
            B::Busy { retry_after, .. } => match retry_after {
                RetryAfter::Unsaid => passes(0),
                RetryAfter::Seconds(n) | RetryAfter::Date(n) if *n <= LONGEST_WAIT => passes(0),
                RetryAfter::Seconds(_) | RetryAfter::Date(_) => passes(0).max(MayFail),
            },
            B::ResetAt { at } | B::FinAt { at } | B::ChunkedCut { at } => passes(*at),
            B::TlsCut { at } | B::SilenceAt { at } => passes(*at),
            B::TooLong { .. } | B::Trickle { .. } => passes(1),

            B::Garbage
            | B::EndlessHead
            | B::Refused { .. }
            | B::NoContent
            | B::RedirectForever { .. }
            | B::RedirectNowhere
            | B::RedirectToScheme { .. }
            | B::Downgrade { .. }
            | B::RedirectToLinkLocal { .. }
            | B::TwoLengths
            | B::Gzipped
            | B::Endless => is_final,
            B::RedirectChain { hops } if *hops > 10 => is_final,
            B::RedirectChain { .. } => MustSucceed,

            // The other bytes come, whole, to whoever did not ask for the old ones.
            B::Changes { .. } if pinned => MustFail,
            B::Changes { .. } => passes(1),
            // An end that nothing announced may be that of a connection that broke.
            b if !pinned && (b.unframed() || b.coded()) => is_final,
            B::CloseDelimited | B::Codings { .. } | B::OldVersion { .. } => MustSucceed,
            // A mismatch after a resume is tried once more, from zero.
            B::OtherBytes => only_if(pinned && self.times == Times::First(1)),
            B::TooShort { .. } | B::Empty if pinned => is_final,
            B::TooShort { .. } | B::Empty => MayFail,
            B::EncodingLabel { coding } => only_if(*coding == "identity"),
            B::UnaskedPart => MayFail,
            // What curl takes, and what it does not.
            B::HugeHead { kib } if *kib <= 290 => MustSucceed,
            B::ManyFields { count } if *count < 4990 => MustSucceed,
            B::HugeHead { .. } | B::ManyFields { .. } => is_final,
        }
    }

    /// How many attempts are lost each time it shows.
    fn cost(&self) -> u32 {
        if matches!(self.behaviour, Behaviour::TooLong { .. }) {
            return 2; // the range that goes on where the bytes ended is answered with 416
        }
        u32::from(self.behaviour.breaks())
    }

    fn lost(&self) -> u32 {
        match self.times {
            Times::First(n) => n * self.cost(),
            Times::Always => self.cost(),
        }
    }
}

/// What must become of a download that meets all of these, or nothing where the combination makes no sense.
pub(crate) fn outcome(spells: &[Spell], pinned: bool) -> Option<Expect> {
    let has = |what: fn(&Behaviour) -> bool| spells.iter().any(|s| what(&s.behaviour));
    // A body that ends where the connection closes, and a connection that closes too early.
    let unnoticed = has(Behaviour::unframed) && has(|b| matches!(b, Behaviour::FinAt { .. }));
    if !pinned && has(Behaviour::deceives) {
        return None;
    }
    let mut pairs = spells
        .iter()
        .enumerate()
        .flat_map(|(n, a)| spells[n + 1..].iter().map(move |b| (a, b)));
    if pairs.any(|(a, b)| clash(a, b) || clash(b, a)) {
        return None;
    }
    let worst = spells.iter().map(|s| s.outcome(pinned)).max();
    let worst = worst.unwrap_or(MustSucceed);
    if worst != MustSucceed && has(|b| matches!(b, Behaviour::RedirectElsewhere { .. })) {
        return None; // the other origin knows nothing of them
    }
    // Each attempt that is cut off may be followed by one that goes on and is answered wrongly.
    let mut lost: u32 = spells.iter().map(Spell::lost).sum();
    if has(Behaviour::needs_resume) {
        lost *= 2;
    }
    Some(if lost > PATIENCE || unnoticed {
        worst.max(MayFail)
    } else {
        worst
    })
}

/// Whether two make no sense together; asked in both orders.
fn clash(a: &Spell, b: &Spell) -> bool {
    use Behaviour as B;
    let (slot, other) = (a.behaviour.slot(), b.behaviour.slot());
    // The second of two that never end in one place would never show.
    let shadows = slot == other
        && !matches!(slot, Slot::View | Slot::Dress)
        && (a.times, b.times) == (Times::Always, Times::Always);
    let same = std::mem::discriminant(&a.behaviour) == std::mem::discriminant(&b.behaviour);
    // Both choose the framing.
    let frames = matches!(a.behaviour, B::ChunkedCut { .. }) && other == Slot::Frame;
    // Both choose the validators.
    let views = slot == Slot::View && b.behaviour.validator().is_some();
    // Each may be as large as it can be.
    let heads =
        matches!(a.behaviour, B::HugeHead { .. }) && matches!(b.behaviour, B::ManyFields { .. });
    shadows || same || frames || views || heads
}
