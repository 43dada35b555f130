//! Which checksum files Maven repositories have beside their artifacts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::artifact::HashFunction;
use crate::artifact::maven::Reference;
use crate::lock::Short;

/// How long a repository is taken to have the same checksum files as it had.
const KNOWN: Duration = Duration::from_secs(3600);

/// Of how many repositories that is remembered.
const MOST: usize = 1000;

/// Which checksum files repositories have, so that each of their artifacts costs one question and not three. Clones
/// share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Sidecars(Arc<Short<HashMap<String, (HashFunction, Instant)>>>);

impl Sidecars {
    /// In the order in which they are asked for: what the repository had the last time, then by strength.
    pub(super) fn order(&self, maven: &Reference) -> Vec<HashFunction> {
        if let Some(chosen) = maven.sidecar {
            return vec![chosen];
        }
        let known = self.0.lock().get(maven.repository().canonical()).copied();
        let known = known.filter(|(_, at)| at.elapsed() < KNOWN).map(|(f, _)| f);
        let others = HashFunction::ALL.into_iter().filter(|f| Some(*f) != known);
        known.into_iter().chain(others).collect()
    }

    /// What somebody has chosen says nothing of the others.
    pub(super) fn has(&self, maven: &Reference, function: HashFunction) {
        if maven.sidecar.is_some() {
            return;
        }
        let mut all = self.0.lock();
        if all.len() >= MOST {
            all.clear();
        }
        let repository = maven.repository().canonical().to_owned();
        let (known, at) = all.entry(repository).or_insert((function, Instant::now()));
        // The hour begins when the stronger ones were found missing.
        if *known != function || at.elapsed() >= KNOWN {
            (*known, *at) = (function, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(repository: &str) -> Reference {
        let coordinates = "maven:com.example:sample:2.0:war".parse().unwrap();
        Reference::new(coordinates, repository.parse().unwrap()).unwrap()
    }

    #[test]
    fn what_a_repository_had_is_asked_for_first_and_what_is_chosen_alone() {
        use HashFunction::{Sha1, Sha256, Sha512};
        let sidecars = Sidecars::default();
        let (one, mut other) = (
            reference("https://example.com/1"),
            reference("https://example.com/2"),
        );
        assert_eq!(sidecars.order(&one), [Sha512, Sha256, Sha1]);
        sidecars.has(&one, Sha1);
        assert_eq!(sidecars.order(&one), [Sha1, Sha512, Sha256]);
        assert_eq!(sidecars.order(&other), [Sha512, Sha256, Sha1]);
        other.sidecar = Some(Sha256);
        assert_eq!(sidecars.order(&other), [Sha256]);
        sidecars.has(&other, Sha256);
        other.sidecar = None;
        assert_eq!(sidecars.order(&other), [Sha512, Sha256, Sha1]);
        for n in 0..10 * MOST {
            sidecars.has(&reference(&format!("https://example.com/{n}")), Sha1);
        }
        assert!(sidecars.0.lock().len() <= MOST);
    }
}
