//! The node's key, and names that tell nothing to whoever reads a directory.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::error::{Error, IoContext};

const LENGTH: usize = 32;

/// A random key that never leaves the node.
///
/// Names made from secrets are HMACs under it and not plain hashes, because a password can be guessed offline from
/// a plain hash on a disk.
pub struct Key([u8; LENGTH]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// A name of the store: 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Key {
    /// Reads the key, or makes it: written beside, durable, then given its name, so that no half key is ever read.
    pub(super) fn load(root: &Path) -> Result<Self, Error> {
        let path = root.join("key");
        match fs::read(&path).if_there("read", &path)? {
            Some(bytes) => {
                let found = bytes.len();
                bytes
                    .try_into()
                    .map(Self)
                    .map_err(|_| Error::Key { path, found })
            }
            None => Self::make(root, &path),
        }
    }

    fn make(root: &Path, path: &Path) -> Result<Self, Error> {
        let bytes: [u8; LENGTH] = rand::random();
        let new = root.join("key.new");
        let mut file = create_private(&new)?;
        file.write_all(&bytes)
            .and_then(|()| file.sync_all())
            .at("write", &new)?;
        fs::rename(&new, path).at("write", path)?;
        super::sync_dir(root)?;
        Ok(Self(bytes))
    }

    /// A name for a list of parts under this key. Each part counts with its length, so that no two different lists
    /// share a name; `purpose` keeps names of different kinds apart.
    pub fn name(&self, purpose: &str, parts: &[&[u8]]) -> Name {
        // HMAC takes a key of any length, so this cannot fail; an empty name would be refused everywhere.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return Name(String::new());
        };
        for part in std::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Name(hex::encode(mac.finalize().into_bytes()))
    }
}

/// A new, empty file that only root may open.
fn create_private(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .at("create", path)
}

/// A name that nothing else has.
pub(super) fn random_name() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

/// Writes a small file durably under its name: whole or absent, whatever happens.
pub(super) fn write_durably(dir: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
    let (new, path) = (
        dir.join(format!("{}{}", super::NEW, random_name())),
        dir.join(name),
    );
    let mut file = create_private(&new)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .at("write", &new)
        .and_then(|()| fs::rename(&new, &path).at("write", &path));
    if written.is_err() {
        // On a full disk even a few bytes count; what cannot be removed goes at the next start.
        let _ = fs::remove_file(&new);
    }
    written.map(|()| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_depend_on_the_key_the_purpose_and_every_part() {
        let (a, b) = (Key([1; 32]), Key([2; 32]));
        let name = a.name("p", &[b"x", b"y"]);
        assert_eq!(name, a.name("p", &[b"x", b"y"]));
        assert_ne!(name, b.name("p", &[b"x", b"y"]));
        assert_ne!(name, a.name("q", &[b"x", b"y"]));
        assert_ne!(name, a.name("p", &[b"xy", b""]));
        assert_ne!(name, a.name("p", &[b"xy"]));
    }

    #[test]
    fn a_key_is_kept_and_a_damaged_one_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let first = Key::load(dir.path()).unwrap().name("p", &[]);
        assert_eq!(first, Key::load(dir.path()).unwrap().name("p", &[]));
        fs::write(dir.path().join("key"), b"short").unwrap();
        assert!(
            Key::load(dir.path())
                .unwrap_err()
                .to_string()
                .contains("5 bytes instead of 32")
        );
    }
}
