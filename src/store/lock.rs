//! One process at a time.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::error::{Error, IoContext};

/// The store's lock: the kernel holds it for the open file, so it ends with the process, however that ends.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held, never looked at")] Flock<File>);

impl Lock {
    pub(super) fn try_take(root: &Path) -> Result<Self, Error> {
        let path = root.join("lock");
        let (file, pen) = open(&path)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => Self::signed(held, pen, &path),
            Err((mut file, Errno::EWOULDBLOCK)) => {
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
            Err((_, errno)) => Err(errno).at("lock", &path),
        }
    }

    /// Waits as long as it takes.
    pub(super) fn take(root: &Path) -> Result<Self, Error> {
        let path = root.join("lock");
        let (mut file, pen) = open(&path)?;
        loop {
            match Flock::lock(file, FlockArg::LockExclusive) {
                Ok(held) => return Self::signed(held, pen, &path),
                Err((back, Errno::EINTR)) => file = back,
                Err((_, errno)) => return Err(errno).at("lock", &path),
            }
        }
    }

    fn signed(mut held: Flock<File>, pen: Pen, path: &Path) -> Result<Self, Error> {
        if pen == Pen::Missing {
            return Ok(Self(held));
        }
        let what = std::env::args()
            .nth(1)
            .filter(|a| a.bytes().all(|b| b.is_ascii_alphabetic()));
        let holder = format!(
            "process {} (war-vol {})",
            std::process::id(),
            what.unwrap_or_default()
        );
        held.set_len(0)
            .and_then(|()| held.rewind())
            .at("write", path)?;
        held.write_all(holder.as_bytes()).at("write", path)?;
        Ok(Self(held))
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
        Err(e) if e.raw_os_error() == Some(Errno::EROFS as i32) => {
            Ok((File::open(path).at("open", path)?, Pen::Missing))
        }
        other => Ok((other.at("open", path)?, Pen::Here)),
    }
}
