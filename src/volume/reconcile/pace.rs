//! When a task looks, and when it may swap. Pure, but for the dice.

use std::time::Duration;

use rand::RngExt;
use sha2::{Digest as _, Sha256};

/// The first pause after a failure; it doubles.
const FIRST: Duration = Duration::from_secs(5);

/// The longest: once its cause is fixed, a failed change succeeds within two minutes.
const LONGEST: Duration = Duration::from_secs(90);

/// How long after so many failures in a row the next try is; spread, because a thousand nodes may fail together.
pub(super) fn pause(failures: u32) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10));
    doubled
        .min(LONGEST)
        .mul_f64(rand::rng().random_range(0.75..1.25))
}

/// How long until an origin is asked for the first time: anywhere within the period, so that those who began together do
/// not ask together.
pub(super) fn first_refresh(period: Duration) -> Duration {
    period.mul_f64(rand::rng().random_range(0.0..1.0))
}

/// The place of a volume in the window over which those of the same name change: the same at each change, and another
/// for each pod.
pub(super) fn place(id: &str, window: Duration) -> Duration {
    let digest = Sha256::digest(id);
    let part = digest
        .iter()
        .take(4)
        .fold(0_u32, |n, byte| n << 8 | u32::from(*byte));
    window.mul_f64(f64::from(part) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_cause_is_noticed_within_two_minutes() {
        assert!(pause(1) < 2 * FIRST);
        for failures in 0..100 {
            assert!(pause(failures) <= Duration::from_secs(120), "{failures}");
        }
    }

    #[test]
    fn a_thousand_nodes_do_not_ask_in_one_second() {
        let period = Duration::from_secs(60);
        let mut seconds = [0_usize; 60];
        for _ in 0..1000 {
            seconds[first_refresh(period).as_secs() as usize] += 1;
        }
        let most = seconds.iter().max().unwrap();
        assert!(*most <= 3 * 1000 / 60, "{seconds:?}");
    }

    #[test]
    fn each_pod_has_a_place_of_its_own_in_the_window() {
        let window = Duration::from_secs(120);
        let places: Vec<_> = (0..100)
            .map(|n| place(&format!("{n:032x}"), window))
            .collect();
        assert!(places.iter().all(|p| *p <= window));
        let early = places.iter().filter(|p| **p < window / 2).count();
        assert!((30..70).contains(&early), "{early}");
        assert_eq!(place("a", Duration::ZERO), Duration::ZERO);
    }
}
