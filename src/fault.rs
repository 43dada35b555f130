//! The causes of failure for which somebody acts differently.
//!
//! Every module has an error type of its own that says *what was asked, what happened, what to do*; this
//! enum says only *who has to act*. The command line turns it into an exit code, the CSI service into a
//! gRPC code, the metrics into a label: three tables, each in one place.
//!
//! Invariant: nothing here knows a protocol, and no variant exists without a reader who acts on it.

mod reader;

use std::{fmt, io};

use rustix::io::Errno;

pub use self::reader::{Credentials, Flag, Reader, Setting};

/// Who has to act after a failure, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// The request itself is wrong; the same request can never succeed.
    Invalid,
    /// The source says that there is no such thing.
    NotFound,
    /// The source wants credentials, or refuses the ones it got.
    Unauthenticated,
    /// The source, or our own rules, forbid it.
    Denied,
    /// The bytes are not those that the checksum promises.
    Mismatch,
    /// Larger than a limit allows.
    TooLarge,
    /// Something of this name exists and was made from other attributes.
    Differs,
    /// The place is taken by something that is not ours.
    Occupied,
    /// No space or no inodes are left.
    NoSpace,
    /// A passing condition: the same request may succeed later.
    Unavailable,
    /// Work for this request goes on; ask again.
    Pending,
    /// An error of this program.
    Bug,
}

impl Fault {
    /// Every cause once, for tables that must be complete.
    pub const ALL: [Self; 12] = [
        Self::Invalid,
        Self::NotFound,
        Self::Unauthenticated,
        Self::Denied,
        Self::Mismatch,
        Self::TooLarge,
        Self::Differs,
        Self::Occupied,
        Self::NoSpace,
        Self::Unavailable,
        Self::Pending,
        Self::Bug,
    ];

    /// The name that programs read: in `--output json` and as a metric's label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not-found",
            Self::Unauthenticated => "unauthenticated",
            Self::Denied => "denied",
            Self::Mismatch => "mismatch",
            Self::TooLarge => "too-large",
            Self::Differs => "differs",
            Self::Occupied => "occupied",
            Self::NoSpace => "no-space",
            Self::Unavailable => "unavailable",
            Self::Pending => "pending",
            Self::Bug => "bug",
        }
    }

    /// The cause behind an error of the operating system, for a path that is our own.
    ///
    /// A full disk is somebody's to clean up; whatever else a disk answers (EIO, EROFS, EMFILE, …) may pass,
    /// and must never be reported as final to a caller that would then forget the volume.
    pub fn of_io(error: &io::Error) -> Self {
        match Errno::from_io_error(error) {
            Some(Errno::NOSPC | Errno::DQUOT) => Self::NoSpace,
            Some(_) | None => Self::Unavailable,
        }
    }
}

/// The longest message in bytes: an event of Kubernetes holds 1,024.
const LONGEST_LINE: usize = 1000;

/// An error as one line that a user reads: control characters escaped, and cut where an event would cut it.
pub fn line(error: &dyn fmt::Display) -> String {
    let mut line = String::new();
    for c in error.to_string().chars() {
        if c.is_control() {
            line.extend(c.escape_debug());
        } else {
            line.push(c);
        }
    }
    if line.len() > LONGEST_LINE {
        let end = (0..=LONGEST_LINE - '…'.len_utf8())
            .rev()
            .find(|i| line.is_char_boundary(*i));
        line.truncate(end.unwrap_or_default());
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_kebab_case() {
        let names: std::collections::BTreeSet<_> = Fault::ALL.iter().map(|f| f.name()).collect();
        assert_eq!(names.len(), Fault::ALL.len());
        assert!(
            names
                .iter()
                .all(|n| n.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'))
        );
    }

    #[test]
    fn a_message_is_one_line_of_at_most_a_thousand_bytes() {
        assert_eq!(line(&"a\nb\u{1b}[0m"), "a\\nb\\u{1b}[0m");
        let long = line(&"é".repeat(5000));
        assert!(long.len() <= 1000 && long.ends_with('…'), "{}", long.len());
    }

    #[test]
    fn a_full_disk_and_a_full_quota_are_no_space() {
        let of = |e: Errno| Fault::of_io(&io::Error::from(e));
        assert_eq!(of(Errno::NOSPC), Fault::NoSpace);
        assert_eq!(of(Errno::DQUOT), Fault::NoSpace);
        assert_eq!(of(Errno::ROFS), Fault::Unavailable);
        assert_eq!(of(Errno::IO), Fault::Unavailable);
    }
}
