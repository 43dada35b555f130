//! Which cached objects go first. Pure: a list in, a list out.
//!
//! The order is by last use and the wall clock is only ever compared with itself, never with now: a clock that jumps
//! ten years reorders at worst, and evicts nothing (FAULTS 20).

use super::Cached;

/// The unused objects to remove so that at least `bytes` go, least recently used first; all unused ones if they are
/// not enough. What a volume uses is never among them.
pub fn choose(objects: Vec<Cached>, bytes: u64) -> Vec<Cached> {
    let mut unused: Vec<_> = objects.into_iter().filter(|o| o.links == 0).collect();
    unused.sort_by(|a, b| a.used.cmp(&b.used).then_with(|| a.sha256.cmp(&b.sha256)));
    let mut gone = 0_u64;
    unused
        .into_iter()
        .take_while(|o| {
            let wanted = gone < bytes;
            gone = gone.saturating_add(o.size);
            wanted
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use proptest::prelude::*;

    use super::*;
    use crate::artifact::Digest;

    fn objects() -> impl Strategy<Value = Vec<Cached>> {
        let one = (0_u64..1000, 0_u64..3, 0_u64..100);
        proptest::collection::vec(one, 0..20).prop_map(|list| {
            list.into_iter()
                .enumerate()
                .map(|(i, (size, links, used))| Cached {
                    sha256: Digest::sha256([u8::try_from(i).unwrap(); 32]),
                    size,
                    links,
                    used: SystemTime::UNIX_EPOCH + Duration::from_secs(used),
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn used_objects_stay_and_the_rest_goes_in_order_until_it_is_enough(all in objects(), bytes in 0_u64..5000) {
            let chosen = choose(all.clone(), bytes);
            prop_assert!(chosen.iter().all(|o| o.links == 0));
            prop_assert!(chosen.is_sorted_by_key(|o| o.used));
            let freed: u64 = chosen.iter().map(|o| o.size).sum();
            let unused: u64 = all.iter().filter(|o| o.links == 0).map(|o| o.size).sum();
            prop_assert!(freed >= bytes.min(unused));
            if let Some(last) = chosen.last() {
                prop_assert!(freed - last.size < bytes, "one less would have done");
                let youngest = last.used;
                prop_assert!(all.iter().filter(|o| o.links == 0 && !chosen.contains(o)).all(|o| o.used >= youngest));
            }
        }
    }
}
