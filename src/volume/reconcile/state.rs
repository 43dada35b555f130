//! What the task of a volume remembers from one look to the next.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::due::NotDue;
use super::pace;
use crate::store::Hold;
use crate::volume::Record;
use crate::volume::swap::Bytes;

/// How soon after a failure a republish makes it try again.
const AGAIN: Duration = Duration::from_secs(10);

/// What it remembers.
#[derive(Default)]
pub(super) struct State {
    pub(super) record: Option<Record>,
    /// What is wanted.
    pub(super) wanted: Option<String>,
    /// Since when, or when the origin was asked again.
    pub(super) since: Option<Instant>,
    /// When the origin is to be asked again, although nothing else is wanted.
    pub(super) refresh: Option<Instant>,
    /// What the pod and the claim said last of when it is to be asked; nothing before the first look.
    pub(super) refresh_at: Option<[Option<String>; 2]>,
    /// Whether it is about to be asked for that reason.
    pub(super) refreshes: bool,
    /// What was got, until it may be shown: another republish is no reason to ask for it again.
    pub(super) got: Option<Got>,
    /// How often in a row it failed, and when it last did.
    pub(super) failed: Option<(u32, Instant)>,
    /// Not before this moment is it tried again.
    pub(super) retry: Option<Instant>,
    /// What was said last of what failed.
    pub(super) said: String,
    /// Not before this moment is what is due tried again.
    pub(super) due_after: Option<Instant>,
}

/// What was got for what is asked for.
pub(super) struct Got {
    pub(super) asked: String,
    pub(super) bytes: Bytes,
    /// Until it is shown nothing else keeps it.
    pub(super) hold: Hold,
    pub(super) since: Instant,
}

impl State {
    /// A republish is a reason to try what failed again.
    pub(super) fn woken(&mut self) {
        if self.failed.is_some_and(|(_, at)| at.elapsed() >= AGAIN) {
            self.retry = None;
        }
    }

    pub(super) fn wanted_again(&mut self) {
        if !self.said.is_empty() && !self.refreshes {
            tracing::info!("the volume shows what is wanted again");
            self.said.clear();
        }
    }

    /// How long it has been wanted.
    pub(super) fn wanted_for(&self) -> Duration {
        self.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// Where the pod or the claim says something else than before, the origin is to be asked now.
    pub(super) fn note_refresh(&mut self, said: [Option<String>; 2]) {
        let is_new = self.refresh_at.as_ref().is_some_and(|known| *known != said);
        if is_new && self.refresh.is_some() {
            self.refresh = Some(Instant::now());
        }
        self.refresh_at = Some(said);
    }

    /// When the origin is to be asked again, where that is to be done every so often.
    pub(super) fn next_refresh(&mut self, period: Option<Duration>) -> Option<Instant> {
        let first = || Instant::now() + pace::first_refresh(period.unwrap_or_default());
        self.refresh = period.map(|_| self.refresh.unwrap_or_else(first));
        self.refresh
    }

    pub(super) fn succeeded(&mut self, record: Record, refresh: Option<Duration>) {
        self.record = Some(record);
        (self.failed, self.retry, self.got) = (None, None, None);
        self.due_after = None;
        if std::mem::take(&mut self.refreshes) {
            self.said.clear();
            // From here on at even distances: when the first one was is chance.
            self.refresh = refresh.map(|period| Instant::now() + period);
        }
    }

    /// Returns once what failed may be tried again.
    pub(super) async fn retried(&self) {
        if let Some(retry) = self.retry {
            sleep_until(retry).await;
        }
    }

    /// What is not due now, although its time has come.
    pub(super) fn not_due(&self) -> NotDue {
        let wait = self
            .due_after
            .map(|at| at.saturating_duration_since(Instant::now()));
        NotDue {
            restamp: self.got.is_some(),
            wait: wait.unwrap_or_default(),
        }
    }

    /// Nobody knows whether the pod is Ready.
    pub(super) fn unjudged(&mut self, why: &str) {
        if self.due_after.is_none() {
            tracing::warn!(
                "cannot tell whether the pod is Ready after the change: {why}; trying again"
            );
        }
        self.due_after = Some(Instant::now() + AGAIN);
    }

    /// What was due failed.
    pub(super) fn due_later(&mut self) {
        self.due_after = self.retry;
    }

    pub(super) fn failed(&mut self) {
        // Whatever became of it, it is looked at anew.
        (self.record, self.got) = (None, None);
        let failures = self.failed.map_or(0, |(failures, _)| failures) + 1;
        self.failed = Some((failures, Instant::now()));
        self.retry = Some(Instant::now() + pace::pause(failures));
    }
}
