//! Another content for a volume that is shown.
//!
//! Everything is staged in the volume's directory, outside of what a pod sees: whoever watches a directory would take a
//! helper file for an artifact. A pod sees one rename.
//!
//! What a volume shows, and what it showed before, also lies in its directory `k`, by digest: so going back needs no
//! origin and no cache, and a volume whose mount is gone shows what was last swapped in.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::io::Errno;

use super::blobs::hash;
use super::error::{Error, IoContext};
use super::volumes::mkdir;
use super::{Artifact, Layers, Store, VolumeDir, list, name, remove};
use crate::artifact::{Digest, VolumePath};

/// Application servers keep a file's time in whole seconds, some of them.
const APART: Duration = Duration::from_secs(1);

/// Copied at a time; in between a copy can be broken off.
const CHUNK: u64 = 16 << 20;

/// Where the bytes of a new content are.
#[derive(Clone, Copy, Debug)]
pub enum Incoming<'a> {
    /// In the cache.
    Cached(&'a Artifact),
    /// In the volume's own directory, since it showed them last.
    Kept(&'a Digest),
}

impl<'a> Incoming<'a> {
    /// What names them.
    pub fn digest(self) -> &'a Digest {
        match self {
            Self::Cached(artifact) => artifact.digest(),
            Self::Kept(sha256) => sha256,
        }
    }
}

/// Which time a staged file gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// Nobody looks at it.
    Any,
    /// One that is newer than that of the file that it replaces, if there is one, and not in the future.
    Newer {
        /// That of the file that is replaced.
        than: Option<SystemTime>,
        /// The moment.
        now: SystemTime,
    },
}

/// Whether a file with the time `has` can follow one with the time `than`: strictly newer, a second apart, and not in
/// the future. A container that restarts over an old unpacked tree compares times and nothing else, and a time in the
/// future is not looked at before it has come (Tomcat, HostConfig).
fn may_follow(has: SystemTime, than: Option<SystemTime>, now: SystemTime) -> bool {
    has <= now && than.is_none_or(|than| than + APART <= has)
}

/// How long it is until a file may follow one with the time `than`. Nothing if that time
/// lies in the future, because the clock was set back: then any other time will do.
pub fn too_early(than: Option<SystemTime>, now: SystemTime) -> Duration {
    let apart = than.and_then(|than| now.duration_since(than).ok());
    apart.map_or(Duration::ZERO, |apart| APART.saturating_sub(apart))
}

impl VolumeDir {
    /// What is about to be shown.
    pub fn staged(&self) -> PathBuf {
        self.path.join("s")
    }

    /// What is shown and what was shown before, by their digests.
    fn kept(&self) -> PathBuf {
        self.path.join("k")
    }

    fn kept_file(&self, sha256: &Digest) -> PathBuf {
        self.kept().join(sha256.hex())
    }

    /// The file at a place; none where there is no file.
    pub fn open_shown(&self, place: &VolumePath) -> Result<Option<File>, Error> {
        let path = self.file(place);
        File::open(&path).if_there("open", &path)
    }

    /// Which of the contents that are kept an open file holds; none where it is another one. Read only where a size says
    /// that it may be one.
    pub fn identify(&self, file: &File) -> Result<Option<(Digest, u64)>, Error> {
        let path = self.kept();
        if !path.exists() {
            return Ok(None);
        }
        let size = file.metadata().at("access", &path)?.len();
        let mut hashed = None;
        for kept in list(&path)? {
            if fs::symlink_metadata(&kept).is_ok_and(|meta| meta.len() == size) {
                let digest = match &hashed {
                    Some(digest) => digest,
                    None => hashed.insert(hash(file).at("read", &path)?),
                };
                if digest.hex() == name(&kept) {
                    return Ok(Some((digest.clone(), size)));
                }
            }
        }
        Ok(None)
    }

    /// Keeps what lies at a place, for going back to it and for the next mount.
    pub fn keep(&self, place: &VolumePath, sha256: &Digest) -> Result<(), Error> {
        self.link_kept(&self.file(place), sha256)
    }

    fn link_kept(&self, from: &Path, sha256: &Digest) -> Result<(), Error> {
        let to = self.kept_file(sha256);
        if to.exists() {
            return Ok(());
        }
        if !self.kept().exists() {
            mkdir(&self.kept(), 0o700)?;
        }
        match fs::hard_link(from, &to) {
            Err(e) if e.raw_os_error() == Some(Errno::MLINK.raw_os_error()) => {
                fs::copy(from, &to).map(drop)
            }
            linked => linked,
        }
        .at("link", from)
    }

    pub(super) fn is_kept(&self, sha256: &Digest, file: &Metadata) -> bool {
        is_at(&self.kept_file(sha256), file)
    }

    /// Whether the bytes of this digest are kept.
    pub fn keeps(&self, sha256: &Digest) -> bool {
        self.kept_file(sha256).exists()
    }
}

impl Store {
    fn bytes_of(&self, dir: &VolumeDir, incoming: Incoming<'_>) -> PathBuf {
        match incoming {
            Incoming::Cached(artifact) => self.blob_path(artifact.digest()),
            Incoming::Kept(sha256) => dir.kept_file(sha256),
        }
    }

    /// Puts the bytes beside what is shown, and keeps them: a link, where the time of the file is as it must be, can be
    /// made so without anybody seeing that, or does not matter; else a copy. `goes_on` is asked between its pieces.
    ///
    /// Errors: [`Error::Gone`] where the bytes were collected meanwhile.
    pub fn stage_file(
        &self,
        dir: &VolumeDir,
        incoming: Incoming<'_>,
        stamp: Stamp,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<(), Error> {
        let (from, to) = (self.bytes_of(dir, incoming), dir.staged());
        remove(&to)?;
        let gone = || Error::Gone(incoming.digest().clone());
        let found = fs::symlink_metadata(&from).if_there("access", &from)?;
        let found = found.ok_or_else(gone)?;
        let linked = match stamp {
            Stamp::Any => true,
            Stamp::Newer { than, now } => {
                let follows = found.modified().is_ok_and(|has| may_follow(has, than, now));
                let is_free = !follows && self.is_only_ours(dir, incoming, &found);
                if is_free {
                    touch(&from, now)?;
                }
                follows || is_free
            }
        };
        if linked {
            match fs::hard_link(&from, &to) {
                Ok(()) => return dir.link_kept(&to, incoming.digest()),
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(gone()),
                Err(e) if e.raw_os_error() == Some(Errno::MLINK.raw_os_error()) => {}
                Err(e) => return Err(e).at("link", &from),
            }
        }
        self.make_room(found.len(), "another copy of the artifact")?;
        copy(&from, &to, 0o444, goes_on)?;
        chown(&to, Some(self.owner), Some(self.owner)).at("set the owner of", &to)?;
        if let Stamp::Newer { now, .. } = stamp {
            touch(&to, now)?;
        }
        dir.link_kept(&from, incoming.digest())
    }

    /// Whether nobody else shows this file: what links it has beside its name in the cache are this volume's own.
    fn is_only_ours(&self, dir: &VolumeDir, incoming: Incoming<'_>, found: &Metadata) -> bool {
        let sha256 = incoming.digest();
        let names = [self.blob_path(sha256), dir.kept_file(sha256)];
        let own = names.iter().filter(|path| is_at(path, found));
        found.nlink() == own.count() as u64
    }

    /// Opens bytes to be looked at.
    ///
    /// Errors: [`Error::Gone`] where they were collected meanwhile.
    pub fn open_bytes(&self, dir: &VolumeDir, incoming: Incoming<'_>) -> Result<File, Error> {
        let path = self.bytes_of(dir, incoming);
        let opened = File::open(&path).if_there("open", &path)?;
        opened.ok_or_else(|| Error::Gone(incoming.digest().clone()))
    }

    /// Gives what lies at a place another time; returns its inode then. Where others have the same file it becomes a
    /// copy.
    pub fn restamp(
        &self,
        dir: &VolumeDir,
        place: &VolumePath,
        sha256: &Digest,
        now: SystemTime,
    ) -> Result<u64, Error> {
        let path = dir.file(place);
        let found = fs::symlink_metadata(&path).at("access", &path)?;
        let names = [self.blob_path(sha256), dir.kept_file(sha256), path.clone()];
        let own = names.iter().filter(|path| is_at(path, &found));
        if found.nlink() == own.count() as u64 {
            touch(&path, now)?;
            return Ok(found.ino());
        }
        let than = found.modified().ok();
        dir.keep(place, sha256)?;
        let stamp = Stamp::Newer { than, now };
        self.stage_file(dir, Incoming::Kept(sha256), stamp, &|| true)?;
        self.show_staged(dir, place)
    }

    /// Shows what is staged at a place of the content, in one step. Returns its inode.
    pub fn show_staged(&self, dir: &VolumeDir, place: &VolumePath) -> Result<u64, Error> {
        let staged = dir.staged();
        let inode = fs::symlink_metadata(&staged).at("access", &staged)?.ino();
        let mut at = dir.content();
        for name in place.directories() {
            at.push(name);
            if !at.is_dir() {
                mkdir(&at, 0o755)?;
            }
        }
        let to = dir.file(place);
        fs::rename(&staged, &to).at("replace", &to)?;
        Ok(inode)
    }

    /// Makes a private copy of what is kept, outside of what a pod sees, as [`VolumeDir::copy_content`] would.
    pub fn stage_copy(
        &self,
        dir: &VolumeDir,
        sha256: &Digest,
        layers: Layers,
        now: SystemTime,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<PathBuf, Error> {
        let (from, to) = (dir.kept_file(sha256), dir.staged());
        remove(&to)?;
        let size = fs::symlink_metadata(&from).at("access", &from)?.len();
        self.make_room(size, "a private copy")?;
        copy(&from, &to, 0o600, goes_on)?;
        layers
            .own(&File::open(&to).at("open", &to)?)
            .at("set the owner of", &to)?;
        touch(&to, now)?;
        Ok(to)
    }

    /// Opens what is kept, to be copied elsewhere.
    pub fn open_kept(&self, dir: &VolumeDir, sha256: &Digest) -> Result<File, Error> {
        let path = dir.kept_file(sha256);
        let file = File::open(&path).at("open", &path)?;
        let size = file.metadata().at("access", &path)?.len();
        self.make_room(size, "the volume's own copy")?;
        Ok(file)
    }

    /// Lets go of all that is kept but these.
    pub fn keep_only(&self, dir: &VolumeDir, these: &[&Digest]) -> Result<(), Error> {
        if !dir.kept().exists() {
            return Ok(());
        }
        for path in list(&dir.kept())? {
            if !these.iter().any(|sha256| sha256.hex() == name(&path)) {
                if let Ok(sha256) = format!("sha256:{}", name(&path)).parse() {
                    self.touch(&sha256);
                }
                remove(&path)?;
            }
        }
        remove(&dir.staged())
    }

    /// Removes a file of the content whose name is not wanted any more.
    pub fn remove_shown(&self, dir: &VolumeDir, place: &VolumePath) -> Result<(), Error> {
        remove(&dir.file(place))
    }

    /// Puts what is kept back into the content of a volume that is not mounted.
    pub fn restore(
        &self,
        dir: &VolumeDir,
        place: &VolumePath,
        sha256: &Digest,
    ) -> Result<(), Error> {
        let kept = dir.kept_file(sha256);
        let inode = |path: &Path| fs::symlink_metadata(path).ok().map(|meta| meta.ino());
        if !kept.exists() || inode(&kept) == inode(&dir.file(place)) {
            return Ok(());
        }
        self.stage_file(dir, Incoming::Kept(sha256), Stamp::Any, &|| true)?;
        self.show_staged(dir, place).map(drop)
    }
}

/// Whether a file is what lies at a path.
fn is_at(path: &Path, file: &Metadata) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.ino() == file.ino())
}

/// Copies a file, shared extents where the file system can.
fn copy(from: &Path, to: &Path, mode: u32, goes_on: &dyn Fn() -> bool) -> Result<(), Error> {
    let source = File::open(from).at("open", from)?;
    let mut options = fs::OpenOptions::new();
    let target = options.write(true).create_new(true).mode(mode).open(to);
    let target = target.at("create", to)?;
    target
        .set_permissions(Permissions::from_mode(mode))
        .at("set the mode of", to)?;
    copy_bytes(&source, &target, goes_on).at("copy", from)
}

/// Copies what a file holds, piece by piece.
///
/// Errors: [`io::ErrorKind::Interrupted`] where it does not go on.
pub(super) fn copy_bytes(
    source: &File,
    target: &File,
    goes_on: &dyn Fn() -> bool,
) -> io::Result<()> {
    use std::io::Read;
    let mut target = target;
    loop {
        if !goes_on() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let mut piece = source.take(CHUNK);
        if io::copy(&mut piece, &mut target)? < CHUNK {
            return Ok(());
        }
    }
}

fn touch(path: &Path, now: SystemTime) -> Result<(), Error> {
    set_time(&File::open(path).at("open", path)?, path, now)
}

/// Sets the time of a file that is open; `path` is what an error calls it.
pub fn set_time(file: &File, path: &Path, now: SystemTime) -> Result<(), Error> {
    file.set_modified(now).at("set the time of", path)
}

impl Layers {
    /// Gives a file to those who may write to the volume.
    pub(super) fn own(self, file: &File) -> io::Result<()> {
        let gid = self
            .group
            .unwrap_or_else(|| rustix::process::getgid().as_raw());
        fchown(file, Some(0), Some(gid))?;
        let mode = if self.group.is_some() { 0o664 } else { 0o644 };
        file.set_permissions(Permissions::from_mode(mode))
    }
}
