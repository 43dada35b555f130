//! `kill -9`, power loss and a sick disk: what was acknowledged stays, the rest is complete or absent, nothing leaks.
//!
//! - [`kills`]: the program is killed at random moments, and at calls of the phases that are too short to hit.
//! - [`every_call`]: it is killed at each call that changes something.
//! - [`power`]: the file system is shut down under it.
//! - [`sick`]: single calls fail.
//! - [`soak`]: thousands of random operations and kills.
//!
//! These are the faults 11 to 13, 15 and 35 of docs/design/faults.md. What each step leaves is in
//! docs/design/durability.md.
//!
//! `WAR_VOL_SEED` repeats a run with the seed that it printed; `WAR_VOL_FAULTS=all` goes through every point where
//! otherwise a sample is taken (`make faults`).

mod every_call;
mod kills;
mod origin;
mod power;
mod rig;
mod sick;
mod soak;
pub(crate) mod strace;

use std::time::{Duration, Instant};

/// Numbers that look random and are the same for the same seed (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    /// Seeded from the environment or the clock; the seed is printed, with whose it is.
    pub(crate) fn new(whose: &str) -> Self {
        let seed = match std::env::var("WAR_VOL_SEED") {
            Ok(text) => text.parse().expect("WAR_VOL_SEED is a number"),
            Err(_) => u64::from(std::process::id()) ^ (clock() << 20),
        };
        println!("{whose}: WAR_VOL_SEED={seed}");
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub(crate) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a seed: any number does, and it is printed"
)]
fn clock() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_micros() as u64 & 0xffff_ffff
}

/// Whether every point is gone through, or a sample.
pub(crate) fn exhaustive() -> bool {
    match std::env::var("WAR_VOL_FAULTS").as_deref() {
        Ok("all") => true,
        Ok(other) => panic!("WAR_VOL_FAULTS={other}: only `all` is known"),
        Err(_) => false,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "chooses the moment of a kill, or polls what tells nobody that it changed; nothing is asserted by it"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Waits until something is so; fails after half a minute.
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < end, "in vain waited for: {what}");
        pause(Duration::from_millis(1));
    }
}
