//! What a URL gave.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use super::error::{Error, IoContext};
use super::key::{Name, write_durably};
use super::{Parsed, Store, Version, list, remove, sync_dir};
use crate::artifact::{Digest, Digests, Promise, Sha1, Validator};

/// Most entries. Each is a file of half a kilobyte.
const MOST: usize = 10_000;

/// Most entries whose bytes are gone: the memory of wrong checksums.
const ORPHANS: usize = 1000;

/// After how many new entries their number is looked at.
const LOOK: usize = 100;

/// Of how many URLs an entry remembers that the origin let them in.
const ADMITTED: usize = 16;

/// What one URL gave in one trust context, the last time that it was downloaded there.
///
/// It entitles whoever asks in that context at that URL to those bytes, if they are still cached, and nobody else.
/// It is written too when the bytes were not those that a checksum promised: then nothing is cached, and the entry
/// is the memory by which the same wrong object is not downloaded again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The format.
    #[serde(default)]
    pub version: Version,
    /// The URL, redacted, for people.
    pub url: String,
    /// What the bytes hash to.
    pub sha256: Digest,
    /// The same, where it was asked for.
    #[serde(default)]
    pub sha512: Option<Digest>,
    /// The same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha1: Option<Sha1>,
    /// How many bytes.
    pub size: u64,
    /// What the origin named this state of the object by.
    #[serde(default)]
    pub validator: Validator,
    /// Whether these were not the bytes that a file at a server promised: then the entry is the memory of that, and
    /// entitles nobody who has no promise to compare with.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refuted: bool,
    /// Where the entry is one of an object that has ever new signed URLs: those that the origin let in, by the names
    /// that they have in the index, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub admitted: Vec<Name>,
}

impl Entry {
    /// Remembers that the origin let a URL in, and forgets the oldest where there are many.
    pub fn admit(&mut self, url: &Name) {
        self.admitted.retain(|other| other != url);
        self.admitted.push(url.clone());
        let surplus = self.admitted.len().saturating_sub(ADMITTED);
        self.admitted.drain(..surplus);
    }

    /// Whether the bytes are the promised ones; `None` if that was never computed.
    pub fn matches(&self, promise: &Promise) -> Option<bool> {
        self.digests()
            .like(promise)
            .map(|actual| actual == *promise)
    }

    /// What the bytes hash to, as far as that was computed.
    pub fn digests(&self) -> Digests {
        Digests {
            sha256: self.sha256.clone(),
            sha512: self.sha512.clone(),
            sha1: self.sha1,
        }
    }
}

impl Store {
    /// What a URL gave, by the name that the URL and its context have. An entry that cannot be read, or that a newer
    /// program wrote in its own way, is no entry.
    pub fn entry(&self, name: &Name) -> Result<Option<Entry>, Error> {
        let path = self.bucket("index").join(name.as_str());
        let bytes = fs::read(&path).if_there("read", &path)?;
        Ok(bytes.and_then(|bytes| Parsed::of(&bytes).known()))
    }

    /// Every entry that can be read, for people.
    pub fn entries(&self) -> Result<Vec<Entry>, Error> {
        let all = list(&self.bucket("index"))?;
        Ok(all.iter().filter_map(|path| read(path)).collect())
    }

    /// Remembers durably what a URL gave.
    pub fn remember(&self, name: &Name, entry: &Entry) -> Result<(), Error> {
        let dir = self.bucket("index");
        let bytes = serde_json::to_vec(entry).map_err(|e| Error::Record {
            path: dir.join(name.as_str()),
            why: e.to_string(),
        })?;
        write_durably(&dir, name.as_str(), &bytes)?;
        sync_dir(&dir)?;
        let before = self.remembered.fetch_add(1, Ordering::Relaxed);
        if before.is_multiple_of(LOOK)
            && let Err(error) = list(&dir).and_then(|all| keep_youngest(all, MOST))
        {
            tracing::warn!(%error, "cannot compact the index");
        }
        Ok(())
    }

    /// Forgets what URLs gave once the bytes are collected, so that the index does not grow for ever. Young entries
    /// without bytes stay: they are the memory of wrong checksums. No harm if one is lost: it is a miss.
    pub(super) fn forget_collected(&self) -> Result<(), Error> {
        let mut orphans = list(&self.bucket("index"))?;
        orphans.retain(|path| read(path).is_none_or(|entry| !self.has(&entry)));
        keep_youngest(orphans, ORPHANS)
    }
}

fn read(path: &Path) -> Option<Entry> {
    Parsed::of(&fs::read(path).ok()?).known()
}

/// Removes what URLs gave longest ago, where it is more than so many entries.
fn keep_youngest(entries: Vec<PathBuf>, most: usize) -> Result<(), Error> {
    // By the wall clock: an order, never an age.
    let modified = |path: &PathBuf| fs::symlink_metadata(path).and_then(|m| m.modified()).ok();
    let all = entries.into_iter().map(|path| (modified(&path), path));
    let mut all: Vec<_> = all.collect();
    all.sort_by(|a, b| b.cmp(a));
    all.iter().skip(most).try_for_each(|(_, path)| remove(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::trash::tests::store;

    /// As the first released version wrote it.
    const FIRST: &[u8] = include_bytes!("../../tests/front/records/entry.json");

    #[test]
    fn entries_of_the_first_version_are_read() {
        let entry: Entry = Parsed::of(FIRST).known().expect("it can be read");
        assert_eq!(entry.size, 100_000);
        assert!(entry.validator.strong_tag().is_some() && entry.admitted.is_empty());
        let ours = serde_json::to_string(&entry).unwrap();
        assert!(!ours.contains("admitted"), "{ours}");
    }

    #[test]
    fn the_index_has_a_bound_and_the_oldest_go_first() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let entry: Entry = Parsed::of(FIRST).known().unwrap();
        let index = store.bucket("index");
        for n in 0..10 * MOST {
            fs::write(index.join(format!("{n:064x}")), FIRST).unwrap();
        }
        let name = store.key().name("test", &[]);
        store.remember(&name, &entry).unwrap();
        assert_eq!(list(&index).unwrap().len(), MOST);
        assert_eq!(store.entry(&name).unwrap(), Some(entry));
    }

    #[test]
    fn the_signed_urls_of_an_object_have_a_bound() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let mut entry: Entry = Parsed::of(FIRST).known().unwrap();
        for n in 0..10 * ADMITTED {
            entry.admit(&store.key().name("url", &[&n.to_be_bytes()]));
        }
        assert_eq!(entry.admitted.len(), ADMITTED);
        let newest = store
            .key()
            .name("url", &[&(10 * ADMITTED - 1).to_be_bytes()]);
        assert_eq!(entry.admitted.last(), Some(&newest));
    }
}
