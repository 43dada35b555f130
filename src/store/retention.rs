//! What is removed first where room is needed. Pure: lists in, a list out.
//!
//! The order of artifacts is by last use, and the wall clock is only ever compared with itself, never with now: a clock
//! that jumps ten years reorders at worst, and evicts nothing. How long a download has been idle is measured by a clock
//! that never jumps.

use std::time::Duration;

use super::artifact::Cached;

/// How long a download that was broken off counts as one that is likely to be continued.
pub const FRESH: Duration = Duration::from_secs(3600);

/// A download that nobody has open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idle {
    /// The name of its directory.
    pub name: String,
    /// Bytes that it takes on disk.
    pub size: u64,
    /// How long nobody has had it open, or since when this process has had the store, if that is less.
    pub idle: Duration,
}

/// Something that may be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Victim {
    /// An artifact that no volume uses.
    Artifact(Cached),
    /// A download that was broken off.
    Partial(Idle),
}

impl Victim {
    fn size(&self) -> u64 {
        match self {
            Self::Artifact(cached) => cached.size,
            Self::Partial(idle) => idle.size,
        }
    }
}

/// What to remove so that at least `bytes` go: downloads that have been idle for an hour, the oldest first; then
/// artifacts that no volume uses, the least recently used first; then the other idle downloads. All of that if it is
/// not enough.
pub fn choose(blobs: Vec<Cached>, mut partials: Vec<Idle>, bytes: u64) -> Vec<Victim> {
    let mut unused: Vec<_> = blobs.into_iter().filter(|b| b.leases == 0).collect();
    unused.sort_by(|a, b| a.used.cmp(&b.used).then_with(|| a.sha256.cmp(&b.sha256)));
    partials.sort_by(|a, b| b.idle.cmp(&a.idle).then_with(|| a.name.cmp(&b.name)));
    let (stale, fresh): (Vec<_>, Vec<_>) = partials.into_iter().partition(|p| p.idle >= FRESH);
    let mut gone = 0_u64;
    stale
        .into_iter()
        .map(Victim::Partial)
        .chain(unused.into_iter().map(Victim::Artifact))
        .chain(fresh.into_iter().map(Victim::Partial))
        .take_while(|victim| {
            let wanted = gone < bytes;
            gone = gone.saturating_add(victim.size());
            wanted
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::*;
    use crate::artifact::Digest;

    fn blobs() -> impl Strategy<Value = Vec<Cached>> {
        let one = (0_u64..1000, 0_u64..3, 0_u64..100);
        proptest::collection::vec(one, 0..20).prop_map(|list| {
            list.into_iter()
                .enumerate()
                .map(|(i, (size, leases, used))| Cached {
                    sha256: Digest::sha256([u8::try_from(i).unwrap(); 32]),
                    size,
                    leases,
                    used: SystemTime::UNIX_EPOCH + Duration::from_secs(used),
                })
                .collect()
        })
    }

    fn partials() -> impl Strategy<Value = Vec<Idle>> {
        proptest::collection::vec((0_u64..1000, 0_u64..7200), 0..10).prop_map(|list| {
            list.into_iter()
                .enumerate()
                .map(|(i, (size, idle))| Idle {
                    name: i.to_string(),
                    size,
                    idle: Duration::from_secs(idle),
                })
                .collect()
        })
    }

    /// The place in the order: smaller goes first.
    fn rank(victim: &Victim) -> (u8, Duration) {
        match victim {
            Victim::Partial(p) if p.idle >= FRESH => (0, Duration::MAX - p.idle),
            Victim::Artifact(b) => (1, b.used.duration_since(SystemTime::UNIX_EPOCH).unwrap()),
            Victim::Partial(p) => (2, Duration::MAX - p.idle),
        }
    }

    proptest! {
        #[test]
        fn what_is_in_use_stays_and_the_rest_goes_in_order_until_it_is_enough(
            blobs in blobs(), partials in partials(), bytes in 0_u64..10_000
        ) {
            let chosen = choose(blobs.clone(), partials.clone(), bytes);
            let in_use = |v: &Victim| matches!(v, Victim::Artifact(b) if b.leases > 0);
            prop_assert!(!chosen.iter().any(in_use));
            prop_assert!(chosen.is_sorted_by_key(rank));
            let freed: u64 = chosen.iter().map(Victim::size).sum();
            let all: Vec<Victim> = blobs.into_iter().map(Victim::Artifact)
                .chain(partials.into_iter().map(Victim::Partial))
                .filter(|v| !in_use(v))
                .collect();
            let most: u64 = all.iter().map(Victim::size).sum();
            prop_assert!(freed >= bytes.min(most));
            if let Some(last) = chosen.last() {
                prop_assert!(freed - last.size() < bytes, "one less would have done");
                let left = all.iter().filter(|v| !chosen.contains(v));
                prop_assert!(left.map(rank).all(|r| r >= rank(last)), "something else was first");
            }
        }
    }
}
