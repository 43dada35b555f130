//! What a URL gave.

use std::fs;

use serde::{Deserialize, Serialize};

use super::error::{Error, IoContext};
use super::key::{Name, write_durably};
use super::{Store, sync_dir};
use crate::artifact::{Algorithm, Digest, Validator};

/// What one URL gave in one trust context, the last time that it was downloaded there.
///
/// It entitles whoever asks in that context at that URL to those bytes, if they are still cached, and nobody else.
/// It is written too when the bytes were not those that a checksum promised: then nothing is cached, and the entry
/// is the memory by which the same wrong object is not downloaded again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The URL, redacted, for people.
    pub url: String,
    /// What the bytes hash to.
    pub sha256: Digest,
    /// The same, where it was asked for.
    pub sha512: Option<Digest>,
    /// How many bytes.
    pub size: u64,
    /// What the origin named this state of the object by.
    pub validator: Validator,
}

impl Entry {
    /// Whether the bytes are the promised ones; `None` if that was never computed.
    pub fn matches(&self, promised: &Digest) -> Option<bool> {
        match promised.algorithm() {
            Algorithm::Sha256 => Some(self.sha256 == *promised),
            Algorithm::Sha512 => self.sha512.as_ref().map(|d| d == promised),
        }
    }
}

impl Store {
    /// What a URL gave, by the name that the URL and its context have. An entry that cannot be read is no entry.
    pub fn entry(&self, name: &Name) -> Result<Option<Entry>, Error> {
        let path = self.bucket("index").join(name.as_str());
        match fs::read(&path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).at("read", &path),
        }
    }

    /// Every entry that can be read, for people.
    pub fn entries(&self) -> Result<Vec<Entry>, Error> {
        let read = |path: &std::path::PathBuf| serde_json::from_slice(&fs::read(path).ok()?).ok();
        Ok(super::list(&self.bucket("index"))?
            .iter()
            .filter_map(read)
            .collect())
    }

    /// Remembers durably what a URL gave.
    pub fn remember(&self, name: &Name, entry: &Entry) -> Result<(), Error> {
        let dir = self.bucket("index");
        let bytes = serde_json::to_vec(entry).map_err(|e| Error::Record {
            path: dir.join(name.as_str()),
            why: e.to_string(),
        })?;
        write_durably(&dir, name.as_str(), &bytes)?;
        sync_dir(&dir)
    }
}
