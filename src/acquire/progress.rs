//! How far a download is, and who still wants it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::artifact::{ArtifactUrl, Bytes};
use crate::lock::{Guard, Short};
use crate::policy::Limit;

/// How long an interest lasts after the last call that showed it: kubelet asks again within 2 m 2 s.
const INTEREST: Duration = Duration::from_secs(600);

/// What a download is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Others have the places.
    Queued,
    /// The origin has been asked.
    Asking,
    /// Bytes come.
    Downloading,
    /// It failed and is tried again.
    Pausing {
        /// Why.
        why: String,
        /// After how long.
        pause: Duration,
    },
    /// What a former process left is hashed.
    Rereading,
    /// The disk or the cache is full, and what is unused is removed first.
    MakingRoom,
    /// What is to be downloaded is not known yet; the reason stands in place of the URL.
    Waiting,
    /// It is over.
    Completed,
}

/// How far a download is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// What is downloaded, redacted.
    pub url: String,
    /// What it is doing.
    pub phase: Phase,
    /// How many bytes are there.
    pub done: u64,
    /// Of how many, where that is known.
    pub total: Option<u64>,
    /// Bytes a second since it last began.
    pub speed: u64,
}

/// Shared by a flight, which moves it, and those who watch.
#[derive(Debug)]
pub struct Progress {
    url: String,
    state: Short<ProgressState>,
    changed: Notify,
}

#[derive(Debug)]
struct ProgressState {
    phase: Phase,
    done: u64,
    total: Option<u64>,
    began: (Instant, u64),
    /// By whom, up to which size, and since when; without a time for as long as it takes.
    wanted: BTreeMap<String, (Limit, Option<Instant>)>,
    stopped: bool,
}

impl Progress {
    /// Nobody wants it yet.
    pub fn new(url: &ArtifactUrl) -> Self {
        Self::of(url.to_string(), Phase::Queued)
    }

    fn of(url: String, phase: Phase) -> Self {
        let state = ProgressState {
            phase,
            done: 0,
            total: None,
            began: (Instant::now(), 0),
            wanted: BTreeMap::new(),
            stopped: false,
        };
        Self {
            url,
            state: Short::new(state),
            changed: Notify::new(),
        }
    }

    /// Of one that can only begin once there is room for it.
    pub fn making_room(url: &ArtifactUrl) -> Self {
        let this = Self::new(url);
        this.enter(Phase::MakingRoom);
        this
    }

    /// Of one that nobody can begin yet, for this reason.
    pub fn waiting(why: String) -> Self {
        Self::of(why, Phase::Waiting)
    }

    fn state(&self) -> Guard<'_, ProgressState> {
        self.state.lock()
    }

    /// Registers or renews an interest. False if it is too late: the flight has ended or was stopped.
    pub fn want(&self, who: &str, limit: Limit) -> bool {
        let mut state = self.state();
        if state.stopped || state.phase == Phase::Completed {
            return false;
        }
        let since = Some(Instant::now());
        state.wanted.insert(who.to_owned(), (limit, since));
        true
    }

    /// Registers an interest that does not expire: of one who does not go away before the end.
    pub(super) fn hold(&self, who: &str, limit: Limit) {
        self.state().wanted.insert(who.to_owned(), (limit, None));
    }

    /// Withdraws an interest.
    pub fn unwant(&self, who: &str) {
        self.state().wanted.remove(who);
        self.changed.notify_one();
    }

    /// Ends the flight at its next chunk.
    pub fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_one();
    }

    /// The largest limit among those who want it; none if nobody does and the flight is to stop. From then on nobody
    /// can join it any more.
    pub(super) fn limit(&self) -> Option<Limit> {
        let mut state = self.state();
        state
            .wanted
            .retain(|_, (_, since)| since.is_none_or(|s| s.elapsed() < INTEREST));
        let largest = state
            .wanted
            .values()
            .map(|(limit, _)| *limit)
            .max_by_key(Limit::bytes);
        state.stopped |= largest.is_none();
        largest.filter(|_| !state.stopped)
    }

    /// Returns when the flight is to stop; never otherwise.
    pub(super) async fn stopped(&self) {
        while self.limit().is_some() {
            let _ = tokio::time::timeout(INTEREST / 10, self.changed.notified()).await;
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.state().phase = phase;
    }

    /// Bytes come, from `done` on, of `total`.
    pub(super) fn begin(&self, done: u64, total: Option<u64>) {
        let mut state = self.state();
        state.phase = Phase::Downloading;
        (state.done, state.total) = (done, total);
        state.began = (Instant::now(), done);
    }

    pub(super) fn reached(&self, done: u64) {
        self.state().done = done;
    }

    /// How far it is now.
    pub fn snapshot(&self) -> Snapshot {
        let state = self.state();
        let (since, from) = state.began;
        let micros = u64::try_from(since.elapsed().as_micros())
            .unwrap_or(u64::MAX)
            .max(1);
        let speed = (state.done.saturating_sub(from)).saturating_mul(1_000_000) / micros;
        Snapshot {
            url: self.url.clone(),
            phase: state.phase.clone(),
            done: state.done,
            total: state.total,
            speed,
        }
    }
}

impl Snapshot {
    /// In steps of 5 %, and in two digits where no share is known: events of Kubernetes that say the same are shown as
    /// one.
    pub fn rounded(&self) -> Self {
        let done = match self.total {
            Some(total) if total > 0 => {
                let twentieths = u128::from(self.done) * 20 / u128::from(total);
                u64::try_from(u128::from(total) * twentieths / 20).unwrap_or(self.done)
            }
            Some(_) | None => two_digits(self.done),
        };
        Self {
            done,
            speed: two_digits(self.speed),
            ..self.clone()
        }
    }
}

/// Rounded down to two binary digits.
fn two_digits(n: u64) -> u64 {
    n & !(u64::MAX >> 2).checked_shr(n.leading_zeros()).unwrap_or(0)
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.url;
        let (done, speed) = (Bytes(self.done), Bytes(self.speed));
        match &self.phase {
            Phase::Queued => write!(
                f,
                "waiting to download {url}: queued behind other downloads"
            ),
            Phase::Asking => write!(f, "requesting {url}"),
            Phase::Waiting => f.write_str(url),
            Phase::Rereading => write!(
                f,
                "downloading {url}: verifying the {done} downloaded so far"
            ),
            Phase::MakingRoom => write!(
                f,
                "freeing space on the node's disk for {url}: removing unused artifacts"
            ),
            Phase::Pausing { why, pause } => {
                let pause = humantime::format_duration(rounded(*pause));
                write!(f, "{why}; retrying in {pause}")
            }
            Phase::Downloading | Phase::Completed => match self.total {
                Some(total) if total > 0 => write!(
                    f,
                    "downloading {url}: {done} of {} ({} percent), {speed}/s",
                    Bytes(total),
                    u128::from(self.done) * 100 / u128::from(total)
                ),
                Some(_) | None => write!(f, "downloading {url}: {done}, {speed}/s"),
            },
        }
    }
}

fn rounded(pause: Duration) -> Duration {
    Duration::from_millis(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX) / 100 * 100)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::policy::{Policy, PullPolicy, Request, Subject};
    use crate::source::Credentials;

    pub(in crate::acquire) fn limit(bytes: u64) -> Limit {
        let subject = Subject {
            volume: "v".to_owned(),
            pod: None,
            of_claim: false,
        };
        let request = Request {
            url: "https://example.com/a".parse().unwrap(),
            promise: None,
            checksum_file: None,
            maven: None,
            said_by: None,
            pull: PullPolicy::Always,
            max_size: None,
            credentials: Credentials::default(),
        };
        Policy::new(bytes).check(subject, request).unwrap().limit()
    }

    #[test]
    fn a_flight_goes_to_the_largest_limit_and_ends_with_the_last_interest() {
        let progress = Progress::new(&"https://example.com/a?canary".parse().unwrap());
        assert!(progress.want("a", limit(10)) && progress.want("b", limit(20)));
        assert_eq!(progress.limit().map(|l| l.bytes()), Some(20));
        progress.unwant("b");
        assert_eq!(progress.limit().map(|l| l.bytes()), Some(10));
        progress.unwant("a");
        assert_eq!(progress.limit(), None);
        assert!(
            !progress.want("c", limit(10)),
            "a flight that is stopping cannot be joined"
        );
        assert!(!progress.snapshot().to_string().contains("canary"));
    }

    #[test]
    fn what_an_event_says_changes_in_steps() {
        let mut s = Progress::new(&"https://example.com/model.bin".parse().unwrap()).snapshot();
        s.phase = Phase::Downloading;
        let mut said = std::collections::BTreeSet::new();
        for done in 0..=1000 {
            (s.done, s.total, s.speed) = (done << 20, Some(1000 << 20), (40 << 20) + done);
            said.insert(s.rounded().to_string());
            assert!(s.rounded().done <= s.done);
        }
        assert_eq!(said.len(), 21, "{said:?}");
        let digits = [0, 1, 2, 3, 4, 6, 1000, u64::MAX].map(two_digits);
        assert_eq!(digits, [0, 1, 2, 3, 4, 6, 768, 3 << 62]);
    }

    #[test]
    fn progress_reads_as_people_write_it() {
        let mut s = Progress::new(&"https://example.com/model.bin".parse().unwrap()).snapshot();
        (s.phase, s.done, s.total, s.speed) =
            (Phase::Downloading, 230 << 20, Some(512 << 20), 12 << 20);
        assert_eq!(
            s.to_string(),
            "downloading https://example.com/model.bin: 230.0 MiB of 512.0 MiB (44 percent), 12.0 MiB/s"
        );
    }
}
