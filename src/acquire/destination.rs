//! Where a fetched file goes: looked at before anything is asked of an origin.
//!
//! A regular file, or nothing, is replaced in one step. What is not a file but takes bytes (a pipe, a device, an open
//! descriptor) is written to and stays what it is. Everything else is refused.
//!
//! Invariant: no entry of a directory that is not a regular file is ever replaced.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Seek};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, OFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;

use super::Error;
use super::error::io_error;

/// How many symlinks in a row are followed: as many as the kernel follows (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// What is at the place that somebody named for a file.
#[derive(Debug)]
pub enum Destination {
    /// A regular file or nothing: replaced in one step.
    File(FileTarget),
    /// Something that takes bytes and stays.
    Stream(Stream),
}

/// The place of a file in a directory.
#[derive(Debug)]
pub struct FileTarget {
    /// As it was named.
    pub(super) named: PathBuf,
    /// The directory.
    pub(super) dir: PathBuf,
    /// The file's own path, behind every symlink.
    pub(super) path: PathBuf,
    /// What a file that was there keeps.
    pub(super) kept: Option<KeptOwner>,
    /// Whether an earlier download is continued, and this one left for a later one if it fails.
    pub(super) resume: bool,
}

/// What stays of a file when its bytes are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeptOwner {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// The permissions, without set-user-ID and set-group-ID: those were given to other bytes.
    pub(super) mode: u32,
}

/// Something that bytes are written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stream {
    /// This process's standard output.
    Stdout,
    /// This process's standard error.
    Stderr,
    /// A pipe or a device.
    Special(PathBuf),
    /// A regular file that this process, or another one, has open: named by the descriptor.
    Open(PathBuf),
}

impl Destination {
    /// Looks at what is at a path. Nothing is changed and nothing is opened.
    ///
    /// Errors: [`Error::Target`] for what is neither replaced nor written to.
    pub fn look(named: &Path) -> Result<Self, Error> {
        let mut at = named.to_owned();
        for _ in 0..=MOST_LINKS {
            let meta = match fs::symlink_metadata(&at) {
                Ok(meta) => meta,
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Self::nothing(named, at),
                Err(e) => return Err(io_error("access", named, e)),
            };
            if !meta.is_symlink() {
                return Self::of(named, at, &meta);
            }
            // The kernel has rules of its own about who may follow which link (fs.protected_symlinks): they hold for
            // whoever reads the link by hand, too.
            match fs::metadata(&at) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error("access", named, e));
                }
                Ok(meta) if is_of_proc(&at) => return Self::descriptor(named, at, &meta),
                Ok(_) | Err(_) => {}
            }
            let to = fs::read_link(&at).map_err(|e| io_error("access", named, e))?;
            at = directory(&at).join(to);
        }
        Err(Error::target(named, "too many symlinks"))
    }

    fn nothing(named: &Path, path: PathBuf) -> Result<Self, Error> {
        if path.as_os_str().as_bytes().ends_with(b"/") {
            return Err(io_error("access", named, Errno::NOENT.into()));
        }
        Ok(Self::File(FileTarget::new(named, path, None)))
    }

    fn of(named: &Path, path: PathBuf, meta: &Metadata) -> Result<Self, Error> {
        let kind = meta.file_type();
        if kind.is_file() {
            may_write(named, &path)?;
            if is_mount(&path) {
                return Err(Error::target(
                    named,
                    "a file is mounted there and cannot be replaced; mount its directory instead",
                ));
            }
            let kept = Some(KeptOwner {
                uid: meta.uid(),
                gid: meta.gid(),
                mode: meta.mode() & 0o1777,
            });
            return Ok(Self::File(FileTarget::new(named, path, kept)));
        }
        if kind.is_fifo() || kind.is_char_device() || kind.is_block_device() {
            may_write(named, &path)?;
            return Ok(Self::Stream(Stream::Special(path)));
        }
        Err(Error::target(named, what_it_is(meta)))
    }

    /// A link in `/proc/<process>/fd`: what is open there is meant, and not the name that it once was opened by.
    fn descriptor(named: &Path, path: PathBuf, meta: &Metadata) -> Result<Self, Error> {
        let own = format!("/proc/{}/fd", std::process::id());
        let is_own = fs::canonicalize(directory(&path)).is_ok_and(|dir| dir == Path::new(&own));
        let name = path.file_name().and_then(|name| name.to_str());
        let kind = meta.file_type();
        match name {
            Some("1") if is_own => Ok(Self::Stream(Stream::Stdout)),
            Some("2") if is_own => Ok(Self::Stream(Stream::Stderr)),
            Some(_) | None if kind.is_file() => {
                may_write(named, &path)?;
                Ok(Self::Stream(Stream::Open(path)))
            }
            Some(_) | None => Self::of(named, path, meta),
        }
    }

    /// Continues what an earlier download to the same place left, and leaves what came if this one fails.
    ///
    /// Errors: [`Error::Target`] for what is written to, because that cannot be continued.
    pub fn resumed(self) -> Result<Self, Error> {
        match self {
            Self::File(place) => Ok(Self::File(FileTarget {
                resume: true,
                ..place
            })),
            Self::Stream(stream) => Err(Error::target(
                stream.name(),
                "only a regular file can be resumed",
            )),
        }
    }

    /// Whether the bytes go to standard output.
    pub fn is_stdout(&self) -> bool {
        matches!(self, Self::Stream(Stream::Stdout))
    }
}

impl FileTarget {
    fn new(named: &Path, path: PathBuf, kept: Option<KeptOwner>) -> Self {
        Self {
            named: named.to_owned(),
            dir: directory(&path).to_owned(),
            path,
            kept,
            resume: false,
        }
    }

    /// Looks once more, right before the file is replaced: a download takes its time.
    pub(super) fn still_takes_a_file(&self) -> Result<(), Error> {
        match fs::symlink_metadata(&self.path) {
            Ok(meta) if meta.is_file() => Ok(()),
            Ok(meta) => Err(Error::target(&self.named, what_it_is(&meta))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(io_error("access", &self.named, e)),
        }
    }
}

impl Stream {
    /// What it is called.
    pub fn name(&self) -> &Path {
        match self {
            Self::Stdout => Path::new("-"),
            Self::Stderr => Path::new("/dev/stderr"),
            Self::Special(path) | Self::Open(path) => path,
        }
    }

    /// Writes a whole file to it. Waits as long as the other side takes.
    pub(super) fn write(&self, mut from: fs::File) -> Result<(), Error> {
        let failed = |e| io_error("write to", self.name(), e);
        let mut to = self.open().map_err(failed)?;
        from.rewind().map_err(failed)?;
        io::copy(&mut from, &mut to).map_err(failed)?;
        match to.sync_all() {
            // A pipe or a terminal has nothing to sync.
            Err(e) if matches!(Errno::from_io_error(&e), Some(Errno::INVAL | Errno::ROFS)) => {
                Ok(())
            }
            synced => synced.map_err(failed),
        }
    }

    fn open(&self) -> io::Result<fs::File> {
        match self {
            Self::Stdout => Ok(io::stdout().as_fd().try_clone_to_owned()?.into()),
            Self::Stderr => Ok(io::stderr().as_fd().try_clone_to_owned()?.into()),
            Self::Special(path) => special(path),
            // Opened anew it would begin at its first byte, whatever its owner has written before.
            Self::Open(path) => OpenOptions::new().append(true).open(path),
        }
    }
}

/// Opens what was no file when it was looked at, and gives a file that has taken its place meanwhile not a byte.
fn special(path: &Path) -> io::Result<fs::File> {
    let mut flags = OFlags::NOCTTY;
    if !is_of_proc(path) {
        flags |= OFlags::NOFOLLOW;
    }
    let mut options = OpenOptions::new();
    let flags = flags.bits().cast_signed();
    let file = options.write(true).custom_flags(flags).open(path)?;
    match file.metadata()?.is_file() {
        true => Err(io::Error::other("it became a regular file in the meantime")),
        false => Ok(file),
    }
}

fn what_it_is(meta: &Metadata) -> &'static str {
    let kind = meta.file_type();
    if kind.is_dir() {
        "it is a directory"
    } else if kind.is_socket() {
        "it is a socket"
    } else if kind.is_symlink() {
        "it became a symlink"
    } else {
        "it is not a regular file"
    }
}

/// The directory that a path's last name is in.
fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) => Path::new("."),
        // The root has no parent, and is its own.
        None => path,
    }
}

fn may_write(named: &Path, path: &Path) -> Result<(), Error> {
    rustix::fs::accessat(CWD, path, Access::WRITE_OK, AtFlags::empty())
        .map_err(|e| io_error("write to", named, e.into()))
}

/// Whether a path is the root of a mount: of a single file that is bound there (`docker run -v FILE:FILE`). A kernel
/// that does not tell (before 5.8) says so at the end.
fn is_mount(path: &Path) -> bool {
    rustix::fs::statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::TYPE)
        .is_ok_and(|stat| stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Whether a link is one of the kernel's own, which leads to an open file and not to a name.
fn is_of_proc(link: &Path) -> bool {
    rustix::fs::statfs(directory(link)).is_ok_and(|fs| fs.f_type == rustix::fs::PROC_SUPER_MAGIC)
}
