//! The wall clock, as far as volumes need it: for the times of files, and for what must outlive a restart.

use std::time::{Duration, SystemTime};

#[expect(
    clippy::disallowed_methods,
    reason = "the edge that reads the clock: a file's time is a time of day"
)]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

/// Whole seconds since 1970.
pub(super) fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_secs()
}

/// How long it is until `wait` has passed since a time; nothing once it has. A clock that was set back does not make
/// anybody wait longer than that.
pub(super) fn remaining(since: u64, wait: Duration, now: SystemTime) -> Duration {
    let passed = seconds(now).saturating_sub(since);
    wait.saturating_sub(Duration::from_secs(passed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_wait() {
        let at = |s| SystemTime::UNIX_EPOCH + Duration::from_secs(s);
        let minute = Duration::from_secs(60);
        assert_eq!(remaining(100, minute, at(100)), minute);
        assert_eq!(remaining(100, minute, at(130)), Duration::from_secs(30));
        assert_eq!(remaining(100, minute, at(500)), Duration::ZERO);
        assert_eq!(remaining(100, minute, at(50)), minute);
    }
}
