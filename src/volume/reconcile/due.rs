//! What is due of a volume whose content is as it should be.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::volume::changes::Changes;
use crate::volume::clock::{now, remaining};
use crate::volume::{Draining, History};

/// What is due whatever is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The file came too soon after the one before, so its time is set once more.
    Restamp,
    /// A file whose name is not wanted any more has stayed long enough.
    Drain,
    /// The pod has had its time to be Ready again.
    Verdict,
}

/// What of it has to wait for something else.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NotDue {
    /// Something else is about to be shown, and has a new time anyway.
    pub(super) restamp: bool,
    /// It failed, or nobody knew anything of the pod: it is tried again after that time.
    pub(super) wait: Duration,
}

/// The next of it, and how long it has until then.
pub(super) fn first(history: &History, changes: &Changes, not: NotDue) -> Option<(Duration, Due)> {
    let now = now();
    let restamp = (history.restamp && !not.restamp).then(|| {
        let wait = remaining(history.changed, changes.settle, now);
        (wait, Due::Restamp)
    });
    let drains = history.draining.iter().map(|file| {
        let wait = remaining(file.since, changes.drain, now);
        (wait, Due::Drain)
    });
    let rollback = changes.rollback.filter(|_| history.on_trial);
    let verdict = rollback.map(|time| {
        let wait = remaining(history.changed, time, now);
        (wait, Due::Verdict)
    });
    let others = restamp.into_iter().chain(verdict);
    others
        .chain(drains)
        .min_by_key(|(wait, _)| *wait)
        .map(|(wait, due)| (wait.max(not.wait), due))
}

/// Whether a file is over its time.
pub(super) fn is_over(file: &Draining, changes: &Changes) -> bool {
    remaining(file.since, changes.drain, now()).is_zero()
}

/// Waits until it is due; where nothing will be, for ever.
pub(super) async fn wait_for(first: Option<(Duration, Due)>) -> Due {
    match first {
        Some((wait, due)) => {
            tokio::time::sleep(wait).await;
            due
        }
        None => std::future::pending().await,
    }
}

/// Waits for a moment; without one for ever.
pub(super) async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::clock::seconds;

    #[test]
    fn what_comes_first_is_due_first() {
        let (settle, drain) = (Duration::from_secs(60), Duration::from_secs(600));
        let changes = Changes {
            settle,
            drain,
            ..Changes::default()
        };
        let at = seconds(now());
        let mut history = History {
            changed: at,
            ..History::default()
        };
        assert_eq!(first(&history, &changes, NotDue::default()), None);
        let old = |since| Draining {
            path: String::new(),
            name: "a.war".to_owned(),
            since,
        };
        history.draining = vec![old(at), old(at - 300)];
        let (wait, due) = first(&history, &changes, NotDue::default()).unwrap();
        assert!(
            due == Due::Drain && wait <= Duration::from_secs(300),
            "{wait:?}"
        );
        history.restamp = true;
        let due = |history: &History, not| first(history, &changes, not).unwrap().1;
        assert_eq!(due(&history, NotDue::default()), Due::Restamp);
        let not = NotDue {
            restamp: true,
            ..NotDue::default()
        };
        assert_eq!(due(&history, not), Due::Drain);
        assert!(is_over(&old(at - 600), &changes) && !is_over(&old(at - 500), &changes));
    }
}
