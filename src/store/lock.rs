//! One process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::error::{Error, IoContext};

/// The store's lock: the kernel holds it for the open file, so it ends with the process, however that ends.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    /// Closing the file is not enough: a child that is just being started has it open too.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl Lock {
    pub(super) fn try_take(root: &Path) -> Result<Self, Error> {
        let path = root.join("lock");
        let (mut file, pen) = open(&path)?;
        match file.try_lock() {
            Ok(()) => Self::signed(file, pen, &path),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // What a holder that is just starting has not written yet is not worth an error.
                let _ = file.read_to_string(&mut holder);
                let holder = if holder.is_empty() {
                    "another process".to_owned()
                } else {
                    holder
                };
                Err(Error::Locked {
                    root: root.to_owned(),
                    holder,
                })
            }
            Err(TryLockError::Error(e)) => Err(e).at("lock", &path),
        }
    }

    /// Waits as long as it takes.
    pub(super) fn take(root: &Path) -> Result<Self, Error> {
        let path = root.join("lock");
        let (file, pen) = open(&path)?;
        loop {
            match file.lock() {
                Ok(()) => return Self::signed(file, pen, &path),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e).at("lock", &path),
            }
        }
    }

    fn signed(file: File, pen: Pen, path: &Path) -> Result<Self, Error> {
        let mut held = Self(file);
        if pen == Pen::Missing {
            return Ok(held);
        }
        let what = std::env::args()
            .nth(1)
            .filter(|a| a.bytes().all(|b| b.is_ascii_alphabetic()));
        let holder = format!(
            "process {} (war-vol {})",
            std::process::id(),
            what.unwrap_or_default()
        );
        let file = &mut held.0;
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(holder.as_bytes()))
            .at("write", path)?;
        Ok(held)
    }
}

/// Whether the holder can write down who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pen {
    Here,
    /// On a file system that takes no writes; the lock holds all the same.
    Missing,
}

fn open(path: &Path) -> Result<(File, Pen), Error> {
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path);
    match opened {
        Err(e) if e.kind() == io::ErrorKind::ReadOnlyFilesystem => {
            Ok((File::open(path).at("open", path)?, Pen::Missing))
        }
        other => Ok((other.at("open", path)?, Pen::Here)),
    }
}
