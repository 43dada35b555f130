//! When a volume's content may change while it is shown.

use std::time::Duration;

use super::attributes::Error;
use crate::fault::Setting;

/// The least time between two questions to an origin.
const LEAST_REFRESH: Duration = Duration::from_secs(10);

/// The time over which the pods of one volume swap that several nodes may show.
pub(super) const SPREAD: Duration = Duration::from_secs(120);

/// The longest that each may be.
const LONGEST_REFRESH: Duration = Duration::from_secs(30 * 24 * 3600);
const LONGEST_SETTLE: Duration = Duration::from_secs(600);
const LONGEST_SPREAD: Duration = Duration::from_secs(3600);
const LONGEST_DRAIN: Duration = Duration::from_secs(24 * 3600);

/// The bounds of the time after which a pod has to be Ready again.
const LEAST_ROLLBACK: Duration = Duration::from_secs(5);
const LONGEST_ROLLBACK: Duration = Duration::from_secs(3600);

/// When and how a volume changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changes {
    /// How often the origin is asked whether there is something newer; never without it.
    pub refresh: Option<Duration>,
    /// The shortest time from one swap to the next. A Tomcat that is just reloading does not see a file that comes
    /// meanwhile.
    pub settle: Duration,
    /// The time over which the pods of one volume swap, each at its own moment; without it two minutes where several
    /// pods are to be expected.
    pub spread: Option<Duration>,
    /// How long a file stays whose name is no longer wanted.
    pub drain: Duration,
    /// After which time a pod that is not Ready any more gets back what it had; never without it.
    pub rollback: Option<Duration>,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            refresh: None,
            settle: Duration::from_secs(60),
            spread: None,
            drain: Duration::from_secs(600),
            rollback: None,
        }
    }
}

impl Changes {
    /// Reads the attributes that say it.
    pub(super) fn read<'a>(get: impl Fn(Setting) -> Option<&'a str>) -> Result<Self, Error> {
        let time = |name: Setting, least, longest| {
            let time = get(name).map(|text| time(text, least, longest));
            time.transpose().map_err(|why| Error::value(name, why))
        };
        let (default, zero) = (Self::default(), Duration::ZERO);
        let refresh = match get(Setting::Refresh) {
            Some("never") => None,
            _ => time(Setting::Refresh, LEAST_REFRESH, LONGEST_REFRESH)?,
        };
        Ok(Self {
            refresh,
            settle: time(Setting::Settle, zero, LONGEST_SETTLE)?.unwrap_or(default.settle),
            spread: time(Setting::Spread, zero, LONGEST_SPREAD)?,
            drain: time(Setting::Drain, zero, LONGEST_DRAIN)?.unwrap_or(default.drain),
            rollback: match get(Setting::Rollback) {
                Some("never") => None,
                _ => time(Setting::Rollback, LEAST_ROLLBACK, LONGEST_ROLLBACK)?,
            },
        })
    }
}

/// Reads a time between two others; the error says what is allowed.
fn time(text: &str, least: Duration, longest: Duration) -> Result<Duration, String> {
    let shown = |time| humantime::format_duration(time);
    let wrong = |why: String| {
        format!(
            "{}{why}; use a time from {} to {}, such as 90s or 2m",
            crate::artifact::shown(text),
            shown(least),
            shown(longest)
        )
    };
    // A zero needs no unit.
    let time = match text {
        "0" => Duration::ZERO,
        text => humantime::parse_duration(text).map_err(|e| wrong(format!(": {e}")))?,
    };
    match (least..=longest).contains(&time) {
        true => Ok(time),
        false => Err(wrong(String::new())),
    }
}
