//! What an error says of the next try.

use std::time::Duration;

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
