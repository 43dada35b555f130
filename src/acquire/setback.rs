//! Downloads that failed in a way that the next try would only repeat.
//!
//! kubelet asks again every two minutes for ever; without this memory each of its calls would download the same wrong
//! bytes, or fill the same disk, anew. It lives as long as the process; wrong bytes that have a validator are
//! remembered better, in the index.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Error;
use crate::artifact::{ArtifactUrl, Digest};
use crate::source;
use crate::store::{Name, Store};

/// How long wrong bytes are taken for still wrong where the origin gives nothing to ask with.
const WRONG: Duration = Duration::from_secs(600);

/// How long an origin's no is taken for its answer: thirty pods that start at once ask once, and whoever mends the
/// cause does not wait for it.
const REFUSED: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Setbacks(Mutex<HashMap<Name, Setback>>);

#[derive(Clone, Debug)]
enum Setback {
    /// The disk was full, and so many bytes must have room before it is worth a try; or the origin is asked again, where
    /// it had told the length before any byte came.
    Full { needed: u64, told: Option<Instant> },
    /// The origin said no.
    Refused {
        since: Instant,
        error: source::Error,
    },
    /// The bytes were not the promised ones.
    Wrong {
        since: Instant,
        url: String,
        expected: Digest,
        actual: Digest,
        size: u64,
    },
}

impl Setbacks {
    fn all(&self) -> MutexGuard<'_, HashMap<Name, Setback>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a download is worth a try; the same error as before if not.
    pub(super) fn allow(&self, name: &Name, store: &Store, url: &ArtifactUrl) -> Result<(), Error> {
        let setback = self.all().get(name).cloned();
        match setback {
            None => Ok(()),
            Some(Setback::Full {
                told: Some(since), ..
            }) if since.elapsed() >= REFUSED => Ok(()),
            Some(Setback::Full { needed, .. }) => Ok(store.make_room(needed, &url.to_string())?),
            Some(Setback::Wrong {
                since,
                url,
                expected,
                actual,
                size,
            }) if since.elapsed() < WRONG => Err(Error::Mismatch {
                url,
                expected,
                actual,
                size,
                remembered: true,
                landed: None,
            }),
            Some(Setback::Refused { since, error }) if since.elapsed() < REFUSED => {
                Err(error.into())
            }
            Some(Setback::Wrong { .. } | Setback::Refused { .. }) => Ok(()),
        }
    }

    /// It went well.
    pub(super) fn forget(&self, name: &Name) {
        self.all().remove(name);
    }

    /// It found the disk full when bytes had come.
    pub(super) fn full(&self, name: &Name, needed: u64) {
        let setback = Setback::Full { needed, told: None };
        self.all().insert(name.clone(), setback);
    }

    /// It was told that so many bytes would come, more than the disk has room for.
    pub(super) fn too_long(&self, name: &Name, needed: u64) {
        let told = Some(Instant::now());
        self.all()
            .insert(name.clone(), Setback::Full { needed, told });
    }

    /// The origin said no.
    pub(super) fn refused(&self, name: &Name, error: &source::Error) {
        let (since, error) = (Instant::now(), error.clone());
        self.all()
            .insert(name.clone(), Setback::Refused { since, error });
    }

    /// It brought other bytes than the promised ones.
    pub(super) fn wrong(&self, name: &Name, error: &Error) {
        if let Error::Mismatch {
            url,
            expected,
            actual,
            size,
            ..
        } = error
        {
            let (url, expected, actual, size) =
                (url.clone(), expected.clone(), actual.clone(), *size);
            let since = Instant::now();
            self.all().insert(
                name.clone(),
                Setback::Wrong {
                    since,
                    url,
                    expected,
                    actual,
                    size,
                },
            );
        }
    }
}
