//! What was provisioned, by the ids of those volumes.
//!
//! The one bucket that a controller needs, so it is made by whoever provisions and by nobody else.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::error::{Error, IoContext};
use super::key::write_durably;
use super::{FORMAT, NEW, Store, list, make_private, name, remove, sync_dir};

impl Store {
    /// Makes the bucket where it is missing, and durable what a killed process left in it under a name. Needed once
    /// before the calls below.
    pub fn prepare_claims(&self) -> Result<(), Error> {
        let dir = self.claims();
        make_private(&dir)?;
        for path in list(&dir)? {
            if name(&path).starts_with(NEW) {
                remove(&path)?;
            }
        }
        sync_dir(&dir)?;
        sync_dir(&self.root.join(FORMAT))
    }

    /// The bytes of a claim's record, if there is one; empty if it cannot be read.
    pub fn claim(&self, id: &str) -> Option<Vec<u8>> {
        match fs::read(self.claims().join(id)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            read => Some(read.unwrap_or_default()),
        }
    }

    /// Writes a claim's record durably: whole or not at all.
    pub fn write_claim(&self, id: &str, bytes: &[u8]) -> Result<(), Error> {
        let dir = self.claims();
        let path = write_durably(&dir, id, bytes)?;
        sync_dir(&dir).inspect_err(|_| {
            // Nobody was told of it yet, and the next fsync would not say so again. If it cannot be removed either, it
            // is found by the next call and compares as it should.
            let _ = fs::remove_file(&path);
        })
    }

    /// Removes a claim's record durably, if there is one.
    pub fn remove_claim(&self, id: &str) -> Result<(), Error> {
        let dir = self.claims();
        let path = dir.join(id);
        let removed = fs::remove_file(&path).if_there("remove", &path)?;
        removed.map_or(Ok(()), |()| sync_dir(&dir))
    }

    fn claims(&self) -> PathBuf {
        self.bucket("claims")
    }
}
