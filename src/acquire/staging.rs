//! A new file beside the place that it is to have, until it is complete.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, OFlags, linkat};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use super::Error;
use super::destination::{FileTarget, KeptOwner};
use super::error::io_error;

/// The file that the bytes go to, before it has its name.
pub(super) enum StagingFile {
    /// Without any name: gone with the process, however that ends. /proc gives it one.
    Unnamed(File),
    /// Where the file system has no such files (NFS, some overlays): left behind by a kill.
    Named(NamedTempFile),
    /// Under a name that a later download finds.
    Kept(File, PathBuf),
}

impl StagingFile {
    pub(super) fn new(dir: &Path) -> Result<Self, Error> {
        if !Path::new("/proc/self/fd").exists() {
            return Self::named(dir);
        }
        let unnamed = OpenOptions::new()
            .read(true)
            .write(true)
            .mode(0o600)
            .custom_flags(OFlags::TMPFILE.bits().cast_signed())
            .open(dir);
        match unnamed {
            Ok(file) => Ok(Self::Unnamed(file)),
            Err(e) if is_unknown(&e) => Self::named(dir),
            Err(e) => Err(io_error("create a file in", dir, e)),
        }
    }

    fn named(dir: &Path) -> Result<Self, Error> {
        let file = tempfile::Builder::new()
            .prefix(".war-vol-")
            .suffix(".partial")
            .tempfile_in(dir);
        file.map(Self::Named)
            .map_err(|e| io_error("create a file in", dir, e))
    }

    fn file(&self) -> &File {
        match self {
            Self::Unnamed(file) | Self::Kept(file, _) => file,
            Self::Named(file) => file.as_file(),
        }
    }

    /// By which it can be reached, as long as it is open.
    fn path(&self) -> PathBuf {
        match self {
            Self::Unnamed(file) => PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())),
            Self::Named(file) => file.path().to_owned(),
            Self::Kept(_, path) => path.clone(),
        }
    }

    pub(super) fn reopen(&self) -> Result<File, Error> {
        let file = self.file().try_clone();
        file.map_err(|e| io_error("open", &self.path(), e))
    }

    /// Whether it can get the owner of the file that it is to replace: found out before the download, because not
    /// everybody may give a file away. Until its end it stays this process's own, or that owner could write to it.
    pub(super) fn may_belong_to(&self, kept: &KeptOwner, place: &FileTarget) -> Result<(), Error> {
        let failed = |e| io_error("keep the owner of", &place.named, e);
        let own = self.file().metadata().map_err(failed)?;
        match self.give(kept) {
            Err(e) if Errno::from_io_error(&e) == Some(Errno::PERM) => {
                let KeptOwner { uid, gid, .. } = kept;
                let why = format!(
                    "it belongs to user {uid} and group {gid}, and only root can preserve that"
                );
                Err(Error::target(&place.named, why))
            }
            Err(e) => Err(failed(e)),
            Ok(()) => fchown(self.file(), Some(own.uid()), Some(own.gid())).map_err(failed),
        }
    }

    fn give(&self, kept: &KeptOwner) -> io::Result<()> {
        let own = self.file().metadata()?;
        if (own.uid(), own.gid()) == (kept.uid, kept.gid) {
            return Ok(());
        }
        fchown(self.file(), Some(kept.uid), Some(kept.gid))
    }

    /// Takes the place of what is there, in one step.
    pub(super) fn become_visible(self, place: &FileTarget) -> Result<(), Error> {
        let (dir, path) = (&*place.dir, &*place.path);
        // A temporary file is private; a fetched one is as readable as the one before, or as any other new file.
        let mode = match &place.kept {
            Some(kept) => {
                let given = self.give(kept);
                given.map_err(|e| io_error("keep the owner of", path, e))?;
                kept.mode
            }
            None => 0o666 & !umask(),
        };
        self.file()
            .set_permissions(Permissions::from_mode(mode))
            .map_err(|e| io_error("set the mode of", path, e))?;
        place.still_takes_a_file()?;
        let replace = |e| io_error("replace", path, e);
        let from = self.path();
        match self {
            Self::Kept(_, from) => fs::rename(from, path).map_err(replace),
            Self::Named(file) => file.persist(path).map(drop).map_err(|e| replace(e.error)),
            Self::Unnamed(_open) => {
                let link = |to: &Path| linkat(CWD, &from, CWD, to, AtFlags::SYMLINK_FOLLOW);
                match link(path) {
                    Ok(()) => return Ok(()),
                    Err(Errno::EXIST) => {}
                    Err(e) => return Err(replace(e.into())),
                }
                // Only a rename replaces, and it needs a name to begin with: for one call's time.
                let named = tempfile::Builder::new()
                    .prefix(".war-vol-")
                    .suffix(".partial")
                    .make_in(dir, |name| Ok(link(name)?))
                    .map_err(replace)?;
                named.persist(path).map(drop).map_err(|e| replace(e.error))
            }
        }
    }
}

/// Whether a file system has no files without a name: each says it in its own way.
fn is_unknown(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL)
    )
}

/// Reads the process's umask. It can only be read by setting it; /proc tells it without that race.
fn umask() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("Umask:"));
    line.and_then(|l| u32::from_str_radix(l.trim(), 8).ok())
        .unwrap_or(0o022)
}
