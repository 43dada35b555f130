//! Files in Maven repositories: which one coordinates mean now, and the checksum beside it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Error;
use super::document::{Documents, Kinds};
use crate::artifact::maven::{self, Answer, Reference, Resolved, Step};
use crate::artifact::{ArtifactUrl, HashFunction, Promise};
use crate::lock::Short;
use crate::policy::Permit;

/// How long a repository is taken to have the same checksum files as it had.
const KNOWN: Duration = Duration::from_secs(3600);

/// Of how many repositories that is remembered.
const MOST: usize = 1000;

const METADATA: Kinds = Kinds {
    longest: maven::LONGEST_METADATA as u64,
    wrong: |url, why| Error::Maven(format!("{url} {why}")),
};

const SIDECAR: Kinds = Kinds {
    longest: 4 << 10,
    wrong: |url, why| Error::sidecar(url, why),
};

/// Which checksum files repositories have, so that each of their artifacts costs one question and not three. Clones
/// share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Sidecars(Arc<Short<HashMap<String, (HashFunction, Instant)>>>);

impl Sidecars {
    /// In the order in which they are asked for: what the repository had the last time, then by strength.
    fn order(&self, maven: &Reference) -> Vec<HashFunction> {
        if let Some(chosen) = maven.sidecar {
            return vec![chosen];
        }
        let known = self.0.lock().get(maven.repository().canonical()).copied();
        let known = known.filter(|(_, at)| at.elapsed() < KNOWN).map(|(f, _)| f);
        let others = HashFunction::ALL.into_iter().filter(|f| Some(*f) != known);
        known.into_iter().chain(others).collect()
    }

    /// What somebody has chosen says nothing of the others.
    fn has(&self, maven: &Reference, function: HashFunction) {
        if maven.sidecar.is_some() {
            return;
        }
        let mut all = self.0.lock();
        if all.len() >= MOST {
            all.clear();
        }
        let repository = maven.repository().canonical().to_owned();
        let (known, at) = all.entry(repository).or_insert((function, Instant::now()));
        // The time counts from when the stronger ones were asked for in vain.
        if *known != function || at.elapsed() >= KNOWN {
            (*known, *at) = (function, Instant::now());
        }
    }
}

impl Documents<'_> {
    /// Asks the repository, where the version does not say it by itself.
    pub(super) async fn found(&self, maven: &Reference) -> Result<Permit, Error> {
        let coordinates = maven.coordinates();
        let mut was_asked = false;
        let mut step = maven.start();
        let Resolved { url, version } = loop {
            match step.map_err(|e| Error::Maven(e.to_string()))? {
                Step::Found(found) => break found,
                Step::Fetch(question) => {
                    was_asked = true;
                    let content = self.read_if_there(question.url(), METADATA).await?;
                    step =
                        question.feed(content.as_deref().map_or(Answer::Missing, Answer::Content));
                }
            }
        };
        if was_asked {
            tracing::info!(%coordinates, %version, "asked the Maven repository");
        }
        let stays = was_asked && version.is_fixed();
        Ok(self.permit.clone().located(url, stays))
    }

    /// The permit with the checksum that the repository has beside the file; nothing where it has none.
    pub(super) async fn beside(&self, maven: &Reference) -> Result<Option<Permit>, Error> {
        let file = &self.permit.request().url;
        let urls = maven::sidecar_urls(file).map_err(|e| Error::Maven(e.to_string()))?;
        for function in self.sidecars.order(maven) {
            let Some((_, url)) = urls.iter().find(|(f, _)| *f == function) else {
                continue;
            };
            if let Some(bytes) = self.read_if_there(url, SIDECAR).await? {
                self.sidecars.has(maven, function);
                return self.said(url, function, &bytes).map(Some);
            }
            if maven.sidecar.is_some() {
                return Err(Error::sidecar(url, "does not exist"));
            }
        }
        tracing::warn!(%file, "the Maven repository has no checksum beside the file: it is not verified");
        Ok(None)
    }

    fn said(
        &self,
        url: &ArtifactUrl,
        function: HashFunction,
        bytes: &[u8],
    ) -> Result<Permit, Error> {
        let promise = maven::sidecar(function, bytes);
        let promise = promise.map_err(|why| Error::sidecar(url, why.to_string()))?;
        match &promise {
            Promise::Digest(digest) => tracing::info!(%url, %digest, "read the checksum"),
            Promise::Sha1(_) => {
                tracing::info!(%url, "the Maven repository has only a SHA-1, which is weak: it can be forged");
            }
        }
        Ok(self.permit.clone().promised(promise, url.clone()))
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
