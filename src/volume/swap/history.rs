//! What a volume remembers of its contents after each change.

use super::{Cause, Swap};
use crate::artifact::{Digest, VolumePath};
use crate::volume::Record;
use crate::volume::clock::{now, seconds};
use crate::volume::record::{Before, Draining, History, Rejected};

pub(super) fn with_history(record: &mut Record, change: impl FnOnce(&mut History)) {
    change(record.history.get_or_insert_default());
}

/// What a volume remembers after a swap.
pub(super) fn changed(record: &Record, swap: &Swap, (old, inode): (&VolumePath, u64)) -> Record {
    let (was, place) = (record.history.clone().unwrap_or_default(), &swap.place);
    let at = seconds(now());
    let directories = |place: &VolumePath| place.directories().collect::<Vec<_>>().join("/");
    let mut draining = was.draining;
    if old != place {
        draining.push(Draining {
            path: directories(old),
            name: old.name().to_string(),
            since: at,
        });
    }
    draining.retain(|file| file.place().as_ref() != Ok(place));
    let (on_trial, rejected) = match &swap.cause {
        Cause::Wanted { on_trial } => (*on_trial, None),
        Cause::RolledBack(rejected) => (false, Some(rejected.clone())),
    };
    Record {
        url: swap.bytes.url().to_owned(),
        sha256: swap.bytes.digest().clone(),
        size: swap.bytes.size(),
        path: directories(place),
        name: place.name().to_string(),
        history: Some(History {
            asked: swap.asked.clone(),
            swap: was.swap + 1,
            // Only the first content, or one that was taken back, can have come so shortly before: see the pace.
            restamp: at.saturating_sub(was.changed) < swap.settle.as_secs(),
            changed: at,
            inode,
            before: Some(Before {
                asked: was.asked,
                url: record.url.clone(),
                sha256: record.sha256.clone(),
                size: record.size,
                path: directories(old),
                name: old.name().to_string(),
            }),
            draining,
            on_trial,
            rejected,
        }),
        ..record.clone()
    }
}

/// What a volume remembers of content that a driver showed and could not note: it was killed in between. What was there
/// before is kept since before that.
pub(super) fn found(record: &mut Record, (sha256, size): (Digest, u64)) {
    let was = record.history.take().unwrap_or_default();
    let shown = Before {
        asked: was.asked,
        url: record.url.clone(),
        sha256: std::mem::replace(&mut record.sha256, sha256),
        size: std::mem::replace(&mut record.size, size),
        path: record.path.clone(),
        name: record.name.clone(),
    };
    // Before the verdict only a rollback goes back.
    let back = was.before.filter(|b| b.sha256 == record.sha256);
    let rejected = back.as_ref().filter(|_| was.on_trial).map(|_| Rejected {
        asked: shown.asked.clone(),
        url: shown.url.clone(),
        sha256: shown.sha256.clone(),
        why: "the pod was not Ready after the change".to_owned(),
    });
    if let Some(back) = &back {
        record.url.clone_from(&back.url);
    }
    record.history = Some(History {
        // Of what is new it is not known; the next look finds out.
        asked: back.map(|back| back.asked).unwrap_or_default(),
        changed: seconds(now()),
        before: Some(shown),
        on_trial: rejected.is_none(),
        rejected,
        swap: was.swap,
        inode: was.inode,
        draining: was.draining,
        restamp: was.restamp,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(digit: char) -> Digest {
        digit.to_string().repeat(64).parse().unwrap()
    }

    /// Shows `1`, on trial; before that it showed `0`.
    fn record() -> Record {
        let bytes = include_bytes!("../../../tests/front/records/want.json");
        let record = Record::read(bytes).unwrap();
        let before = Before {
            asked: "zero".to_owned(),
            url: "https://example.com/0".to_owned(),
            sha256: digest('0'),
            size: 10,
            path: String::new(),
            name: "a.war".to_owned(),
        };
        Record {
            url: "https://example.com/1".to_owned(),
            sha256: digest('1'),
            history: Some(History {
                asked: "one".to_owned(),
                swap: 2,
                before: Some(before),
                on_trial: true,
                ..History::default()
            }),
            ..record
        }
    }

    #[test]
    fn a_rollback_that_was_not_noted_is_one() {
        let mut record = record();
        found(&mut record, (digest('0'), 10));
        let history = record.history.unwrap();
        assert_eq!(
            (record.sha256, record.url.as_str(), history.asked.as_str()),
            (digest('0'), "https://example.com/0", "zero")
        );
        let rejected = history.rejected.unwrap();
        assert_eq!(
            (rejected.asked.as_str(), rejected.sha256),
            ("one", digest('1'))
        );
        assert!(!history.on_trial);
        assert_eq!(history.before.unwrap().sha256, digest('1'));
    }

    #[test]
    fn new_content_that_was_not_noted_is_on_trial_and_can_go_back() {
        let mut record = record();
        found(&mut record, (digest('2'), 30));
        let history = record.history.unwrap();
        assert_eq!((record.sha256, record.size), (digest('2'), 30));
        assert_eq!((history.asked.as_str(), history.swap), ("", 2));
        assert!(history.on_trial && history.rejected.is_none());
        assert_eq!(history.before.unwrap().asked, "one");
    }
}
