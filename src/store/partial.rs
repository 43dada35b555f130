//! Downloads that are not complete.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::error::{Error, IoContext};
use super::key::Name;
use super::open::Claim;
use super::{Entry, Parsed, Store, Version, list, remove};
use crate::artifact::{ArtifactUrl, Digests, Facts, Validator};
use crate::fault::Fault;

/// After how many bytes the kernel is asked to start writing them back, so that the last fsync finds nothing to do.
/// It decides whether a durable download is faster or slower than one that is not (docs/design/durability.md).
const WRITE_BEHIND: u64 = 8 << 20;

/// The bytes of an object from its first on, as far as they came. They only ever grow, or start again from none.
///
/// Invariant: the file's length is how many bytes are there; space reserved beyond it does not count.
#[derive(Debug)]
pub struct Partial {
    file: File,
    path: PathBuf,
    length: u64,
    started: u64,
    /// Where what is known about the object is kept; a download outside a store keeps it in memory only.
    meta: Option<PathBuf>,
    note: Option<Note>,
    _claim: Option<Claim>,
}

/// What a later process must know to go on.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Note {
    #[serde(default)]
    version: Version,
    facts: Facts,
    boot: String,
}

/// A download that is complete: what its bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// What they hash to.
    pub digests: Digests,
    /// How many.
    pub size: u64,
    /// What the origin said about them.
    pub facts: Facts,
}

impl Completed {
    /// What the URL gave, for the index.
    pub fn entry(&self, url: &ArtifactUrl) -> Entry {
        Entry {
            version: Version::CURRENT,
            url: url.to_string(),
            sha256: self.digests.sha256.clone(),
            sha512: self.digests.sha512.clone(),
            sha1: self.digests.sha1,
            size: self.size,
            validator: self.facts.validator.clone(),
            refuted: false,
            admitted: Vec::new(),
        }
    }
}

impl Store {
    /// The partial download of this name, with what a former process left of it. Waits while another one in this
    /// process has it open.
    pub fn partial(&self, name: &Name) -> Result<Partial, Error> {
        let claim = self.open.claim(name.as_str());
        self.drop_surplus_partials()?;
        let dir = self.bucket("partial").join(name.as_str());
        match DirBuilder::new().mode(0o700).create(&dir) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.at("create", &dir)?,
        }
        let mut partial = Partial::in_directory(&dir).map_err(|error| {
            let error = self.explain(error, "a download");
            if error.fault() == Fault::NoSpace {
                // Even an empty directory takes an inode of those that are missing. Nobody else has claimed it yet.
                let _ = remove(&dir);
            }
            error
        })?;
        partial._claim = Some(claim);
        Ok(partial)
    }

    /// Removes the directories of downloads that have no bytes to go on with: of one that a kill found between its
    /// rename into `blobs/` and its end, and of one that never began.
    pub(super) fn drop_empty_partials(&self) -> Result<(), Error> {
        for dir in list(&self.bucket("partial"))? {
            let data = fs::symlink_metadata(dir.join("data"));
            if data.map_or(true, |meta| meta.len() == 0) {
                self.discard(&dir)?;
            }
        }
        Ok(())
    }

    /// Removes a partial download.
    pub fn drop_partial(&self, partial: Partial) -> Result<(), Error> {
        let dir = partial.meta.as_deref().and_then(Path::parent);
        dir.map_or(Ok(()), remove)
    }
}

impl Partial {
    /// A download into an empty file of somebody else's.
    pub fn into_file(file: File, path: &Path) -> Self {
        Self {
            file,
            path: path.to_owned(),
            length: 0,
            started: 0,
            meta: None,
            note: None,
            _claim: None,
        }
    }

    /// A download into a directory that is its own, with what a former process left of it. That nobody else has it open
    /// is the caller's to see to.
    pub fn in_directory(dir: &Path) -> Result<Self, Error> {
        let (path, meta) = (dir.join("data"), dir.join("meta"));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .at("open", &path)?;
        let length = file.metadata().at("read", &path)?.size();
        let note = fs::read(&meta)
            .ok()
            .and_then(|bytes| Parsed::of(&bytes).known());
        Ok(Self {
            file,
            path,
            length,
            started: length,
            meta: Some(meta),
            note,
            _claim: None,
        })
    }

    /// How many bytes are there.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// What the origin said about the object that these bytes are of; nothing if they are of no known object.
    pub fn facts(&self) -> Option<&Facts> {
        self.note.as_ref().map(|n| &n.facts)
    }

    /// Whether the bytes were written in this boot of the machine: another boot may have lost some.
    pub fn is_of_boot(&self, boot: &str) -> bool {
        self.note.as_ref().is_some_and(|n| n.boot == boot)
    }

    /// Starts from none, with what is known now about the object. Reserves its space, where its length is known, so
    /// that a full disk shows before the download and not at its end.
    pub fn restart(&mut self, facts: &Facts, boot: &str) -> Result<(), Error> {
        self.forget()?;
        self.write(Note {
            version: Version::CURRENT,
            facts: facts.clone(),
            boot: boot.to_owned(),
        })?;
        let length = facts.length.filter(|length| *length > 0);
        length.map_or(Ok(()), |length| self.reserve(length))
    }

    /// Parts of different names were joined: from now on none of them names the whole.
    pub fn unname(&mut self) -> Result<(), Error> {
        let Some(mut note) = self.note.take() else {
            return Ok(());
        };
        note.facts.validator = Validator::default();
        (note.facts.modified, note.facts.settled) = (None, false);
        self.write(note)
    }

    fn write(&mut self, note: Note) -> Result<(), Error> {
        if let Some(meta) = &self.meta {
            // A plain write: after a power loss an unreadable note means no more than "from the beginning".
            let bytes = serde_json::to_vec(&note).unwrap_or_default();
            fs::write(meta, bytes).at("write", meta)?;
        }
        self.note = Some(note);
        Ok(())
    }

    /// With KEEP_SIZE, so that the file's length never runs ahead of its bytes: otherwise a crash leaves zeros that
    /// look like data.
    fn reserve(&self, length: u64) -> Result<(), Error> {
        // No file is longer; what is beyond would be taken for a negative length.
        let length = length.min(i64::MAX.cast_unsigned());
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, length) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR) => Ok(()),
            other => other.at("reserve space for", &self.path),
        }
    }

    /// Throws away what is there.
    pub fn forget(&mut self) -> Result<(), Error> {
        self.file.set_len(0).at("empty", &self.path)?;
        (self.length, self.started) = (0, 0);
        self.note = None;
        self.meta.as_deref().map_or(Ok(()), remove)
    }

    /// Appends.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file
            .write_all_at(bytes, self.length)
            .at("write", &self.path)?;
        self.length += bytes.len() as u64;
        if self.length - self.started >= WRITE_BEHIND {
            self.start_write_back();
        }
        Ok(())
    }

    /// For dirty pages this advice only starts their write-back (they stay cached), which is all that is wanted; if
    /// it fails nothing is lost but time.
    fn start_write_back(&mut self) {
        let count = NonZeroU64::new(self.length - self.started);
        let _ = fadvise(&self.file, self.started, count, Advice::DontNeed);
        self.started = self.length;
    }

    /// Reads what is there, from `offset` on; 0 at its end.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Error> {
        self.file.read_at(buffer, offset).at("read", &self.path)
    }

    /// Gives reserved space back and makes the bytes durable. After an error they are not to be believed, not even
    /// if asked again: a second fsync forgets what the first one reported.
    pub(crate) fn settle(&self) -> Result<(), Error> {
        self.file.set_len(self.length).at("write", &self.path)?;
        self.file.sync_all().at("sync", &self.path)
    }

    /// The bytes.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where they are.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::trash::tests::store;

    #[test]
    fn a_download_that_the_first_version_left_is_gone_on_with_and_a_newer_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let first = include_str!("../../tests/front/records/meta.json");
        let newer = first.replacen('{', "{\"version\":2,", 1);
        for (note, is_known) in [(first, true), (newer.as_str(), false)] {
            let name = store.key().name("test", &[note.as_bytes()]);
            let path = store.bucket("partial").join(name.as_str());
            fs::create_dir(&path).unwrap();
            fs::write(path.join("data"), "some").unwrap();
            fs::write(path.join("meta"), note).unwrap();
            let partial = store.partial(&name).unwrap();
            assert_eq!(partial.length(), 4);
            assert_eq!(partial.facts().is_some(), is_known, "{note}");
        }
    }
}
