//! What a volume remembers of its contents after each change.

use super::{Cause, Swap};
use crate::artifact::VolumePath;
use crate::volume::Record;
use crate::volume::clock::{now, seconds};
use crate::volume::record::{Before, Draining, History};

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
        url: swap.url.clone(),
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
