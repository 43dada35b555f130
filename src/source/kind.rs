//! What is wrong with a source, whatever it speaks, and what follows from that.

use std::time::Duration;

use crate::fault::Fault;

/// Why an object does not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What the source was to be asked with cannot be used.
    Invalid,
    /// A rule on the way forbids it: one of ours, or a proxy's.
    Blocked,
    /// A proxy on the way wants credentials, or other ones.
    ProxyUnauthenticated,
    /// The source does not have it.
    Missing,
    /// The source wants credentials, or other ones.
    Unauthenticated,
    /// The source does not give it to whoever asks.
    Forbidden,
    /// The source does not give it, for no reason that is known here.
    Refused,
    /// It is no longer what the download began with.
    Changed,
    /// There is no connection.
    Unreachable,
    /// The source has a problem that passes; after this time, where it says so.
    Busy(Option<Duration>),
    /// It comes too slowly.
    Slow,
    /// It broke off.
    Broken,
    /// The other side did not prove that it is the source.
    Untrusted,
    /// The source sent what nobody can use.
    Unusable,
}

/// Whether the same question may get another answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Asking again cannot help.
    Never,
    /// It may, after the usual pause.
    Soon,
    /// It may, and the origin says when.
    After(Duration),
}

impl Kind {
    /// The one table: who has to act, whether asking again may help, and whether this is the source's own no.
    fn consequences(self) -> (Fault, Retry, bool) {
        match self {
            Self::Invalid => (Fault::Invalid, Retry::Never, false),
            Self::Blocked => (Fault::Denied, Retry::Never, false),
            Self::ProxyUnauthenticated => (Fault::Unauthenticated, Retry::Never, false),
            Self::Missing => (Fault::NotFound, Retry::Never, true),
            Self::Unauthenticated => (Fault::Unauthenticated, Retry::Never, true),
            Self::Forbidden => (Fault::Denied, Retry::Never, true),
            Self::Refused => (Fault::Unavailable, Retry::Never, true),
            Self::Busy(Some(time)) => (Fault::Unavailable, Retry::After(time), false),
            Self::Busy(None) | Self::Slow => (Fault::Unavailable, Retry::Soon, false),
            Self::Changed | Self::Broken => (Fault::Unavailable, Retry::Soon, false),
            Self::Unreachable => (Fault::Unavailable, Retry::Soon, false),
            Self::Untrusted | Self::Unusable => (Fault::Unavailable, Retry::Never, false),
        }
    }

    /// Who has to act.
    pub fn fault(self) -> Fault {
        self.consequences().0
    }

    /// Whether asking again may help.
    pub fn retry(self) -> Retry {
        self.consequences().1
    }

    /// Whether the source itself has said no, and will say it again.
    pub fn is_no(self) -> bool {
        self.consequences().2
    }
}
