//! Complete and verified bytes.

use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rustix::fs::{
    AtFlags, CWD, OFlags, RenameFlags, Timespec, Timestamps, UTIME_OMIT, renameat_with, utimensat,
};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::artifact::{Blob, leases};
use super::error::{Error, IoContext};
use super::key::Name;
use super::{Artifact, Cached, Completed, Entry, Partial, Store, list, name, remove, sync_dir};
use crate::artifact::Digest;
use crate::fault::Fault;

/// What a second look at a blob found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The bytes are what their name says.
    Whole,
    /// They are not. The blob was set aside; volumes that hold it still show it.
    Damaged {
        /// What they hash to now.
        found: Digest,
    },
    /// It was collected in the meantime, or cannot be opened now.
    Skipped,
}

impl Store {
    /// The artifact that an entry names, if it is here and has the size it should have. One of another size is damaged
    /// (a crash of the file system, a careless hand): it is set aside and counts as missing.
    pub fn artifact(&self, entry: &Entry) -> Result<Option<Artifact>, Error> {
        let path = self.blob_path(&entry.sha256);
        match fs::symlink_metadata(&path).if_there("access", &path)? {
            Some(meta) if meta.is_file() && meta.len() == entry.size => {
                Ok(Some(Artifact::File(Blob {
                    sha256: entry.sha256.clone(),
                    size: entry.size,
                    url: entry.url.clone(),
                })))
            }
            Some(_) => self.discard(&path).map(|()| None),
            None => Ok(None),
        }
    }

    /// Turns a complete download into an artifact, durably, together with the entry that says which URL gave it.
    ///
    /// The entry comes first: an entry without its blob is a miss, a blob without its entry would be downloaded
    /// again although it was acknowledged. If making the bytes durable fails they are thrown away.
    pub fn commit(
        &self,
        partial: Partial,
        completed: &Completed,
        name: &Name,
        entry: &Entry,
    ) -> Result<Artifact, Error> {
        let settled = self.own(&partial).and_then(|()| partial.settle());
        if let Err(error) = settled {
            self.drop_partial(partial)?;
            return Err(error);
        }
        if let Err(error) = self.remember(name, entry) {
            // Said while it is full, and before it is not.
            let error = self.explain(error, &entry.url);
            if error.fault() == Fault::NoSpace {
                self.drop_partial(partial)?;
            }
            return Err(error);
        }
        let path = self.blob_path(&completed.digests.sha256);
        // Under the lock of the collection: between here and the answer it must not be taken as unused.
        let guard = self.collecting.take();
        let mut is_new = false;
        if self.artifact(entry)?.is_none() {
            match renameat_with(CWD, partial.path(), CWD, &path, RenameFlags::NOREPLACE) {
                Ok(()) => is_new = true,
                Err(Errno::EXIST) => {}
                // A file system without RENAME_NOREPLACE; replacing the same content by itself is as good.
                Err(Errno::INVAL | Errno::NOSYS) => {
                    fs::rename(partial.path(), &path).at("create", &path)?;
                    is_new = true;
                }
                Err(e) => return Err(e).at("create", &path),
            }
        }
        if let Err(error) = sync_dir(&self.bucket("blobs")) {
            // Nobody was told of it yet. A name that may be gone after a power loss is no name, and the next fsync
            // would not say so again.
            if is_new {
                self.discard(&path)?;
                self.drop_partial(partial)?;
            }
            return Err(error);
        }
        drop(guard);
        self.drop_partial(partial)?;
        Ok(Artifact::File(Blob {
            sha256: completed.digests.sha256.clone(),
            size: completed.size,
            url: entry.url.clone(),
        }))
    }

    /// Takes the bytes out of everybody's reach: read-only, and owned by nobody who exists.
    fn own(&self, partial: &Partial) -> Result<(), Error> {
        fchown(partial.file(), Some(self.owner), Some(self.owner))
            .at("set the owner of", partial.path())?;
        partial
            .file()
            .set_permissions(Permissions::from_mode(0o444))
            .at("set the mode of", partial.path())
    }

    pub(super) fn blob_path(&self, sha256: &Digest) -> PathBuf {
        self.bucket("blobs").join(sha256.hex())
    }

    /// Every artifact.
    pub fn cached(&self) -> Result<Vec<Cached>, Error> {
        let mut all = Vec::new();
        for path in list(&self.bucket("blobs"))? {
            let Ok(sha256) = format!("sha256:{}", name(&path)).parse() else {
                continue;
            };
            if let Some(meta) = fs::symlink_metadata(&path).if_there("access", &path)? {
                all.push(Cached {
                    sha256,
                    size: meta.len(),
                    leases: leases(&meta),
                    used: meta.accessed().unwrap_or(SystemTime::UNIX_EPOCH),
                });
            }
        }
        Ok(all)
    }

    /// Notes that a volume let go of a blob: the order in which unused ones are collected. Lost after a power loss,
    /// which costs at most a worse choice.
    #[expect(
        clippy::disallowed_methods,
        reason = "the edge that reads the clock: written down as an order, never an age"
    )]
    pub fn touch(&self, sha256: &Digest) {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        let times = Timestamps {
            last_access: now.try_into().unwrap_or_default(),
            last_modification: Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_OMIT,
            },
        };
        let _ = utimensat(
            CWD,
            self.blob_path(sha256),
            &times,
            AtFlags::SYMLINK_NOFOLLOW,
        );
    }

    /// Removes an artifact that nobody uses; false where somebody does.
    pub(super) fn remove_cached(&self, cached: &Cached) -> Result<bool, Error> {
        let _turn = self.collecting.take();
        let path = self.blob_path(&cached.sha256);
        // A link that comes between the look and the unlink keeps its bytes; only the name is gone.
        let unused = fs::symlink_metadata(&path).is_ok_and(|meta| leases(&meta) == 0);
        if !unused || self.holds.holds(&cached.sha256) {
            return Ok(false);
        }
        remove(&path)?;
        self.evictions.evicted(cached.size);
        Ok(true)
    }

    /// Removes all that no volume uses, and the downloads that nobody has open. Returns how many artifacts and bytes
    /// of them went.
    pub fn prune(&self) -> Result<(usize, u64), Error> {
        // A volume that is on its way out still has its lease.
        self.empty_trash()?;
        let removed = self.collect(u64::MAX)?;
        self.empty_trash()?;
        Ok(removed)
    }

    /// Removes so many bytes of what is unused, in the order of [`retention`](super::retention). Returns how many
    /// artifacts and bytes of them went.
    pub fn collect(&self, bytes: u64) -> Result<(usize, u64), Error> {
        let removed = self.remove_unused(bytes)?;
        Ok((removed.artifacts, removed.artifact_bytes))
    }

    /// Reads a blob again and compares it with its name; sets it aside if it is damaged.
    pub fn verify(&self, sha256: &Digest) -> Result<Verdict, Error> {
        let path = self.blob_path(sha256);
        match hash_file(&path) {
            Ok(found) if found == *sha256 => Ok(Verdict::Whole),
            Ok(found) => self.discard(&path).map(|()| Verdict::Damaged { found }),
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::WouldBlock
                ) =>
            {
                Ok(Verdict::Skipped)
            }
            Err(e) => Err(e).at("read", &path),
        }
    }
}

/// Hashes a file. Opened without blocking: somebody's lease on a shared inode must not hold up the driver. And without
/// a trace: the access time says when a volume last let go of a blob.
pub(super) fn hash_file(path: &std::path::Path) -> io::Result<Digest> {
    let open = |more: OFlags| {
        let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | more;
        fs::OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(path)
    };
    // Only the owner and root may leave no trace.
    let file = match open(OFlags::NOATIME) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => open(OFlags::empty())?,
        opened => opened?,
    };
    hash(&file)
}

/// Hashes what an open file holds from where it stands.
pub(super) fn hash(mut file: &fs::File) -> io::Result<Digest> {
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Digest::sha256(hasher.finalize().into())),
            n => hasher.update(&buffer[..n]),
        }
    }
}
