//! A download without a store: to a file beside its final name, then a rename.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::unistd::linkat;
use tempfile::NamedTempFile;

use super::download::{Download, Outcome};
use super::gauge::Phase;
use super::lookup::Ask;
use super::{Budget, Error, Gauge, Patience, Request};
use crate::artifact::Digest;
use crate::metrics::Downloads;
use crate::policy::Permit;
use crate::source::http::Factory;
use crate::store::{self, Partial};

/// What was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Where it is.
    pub path: PathBuf,
    /// What its bytes hash to.
    pub sha256: Digest,
    /// How many bytes.
    pub size: u64,
}

/// Downloads to `path`: what was there is replaced by the complete and verified file in one step, or stays. Needs no
/// rights but those to write there. Dropped or killed before its end it leaves nothing where the file system has files
/// without a name.
pub async fn fetch(
    http: &Factory,
    patience: &Patience,
    permit: &Permit,
    request: &Request,
    path: &Path,
    gauge: &Arc<Gauge>,
) -> Result<Fetched, Error> {
    gauge.hold("fetch", permit.limit());
    let dir = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let beside = Beside::new(dir)?;
    let file = beside.reopen()?;
    let mut partial = Partial::into_file(file, path);
    let source = http.client(permit.reach().clone(), request.credentials.clone())?;
    let download = Download {
        source: &source,
        request,
        ask: &Ask::Object { known: None },
        patience,
        gauge,
        budget: &Budget::default(),
        boot: "",
        // A file of the user's own may fill the disk if the user wants it to; the write says so.
        promise: &|_, _| Ok(()),
        metrics: &Downloads::default(),
    };
    let landed = match download.run(&mut partial).await? {
        Outcome::Landed(landed) => landed,
        Outcome::Unchanged => {
            return Err(Error::Changed {
                url: request.url.to_string(),
            });
        }
    };
    partial.settle()?;
    beside.become_visible(dir, path)?;
    fs::File::open(dir)
        .and_then(|d| d.sync_all())
        .map_err(|e| io_error("make durable", dir, e))?;
    gauge.enter(Phase::Landed);
    Ok(Fetched {
        path: path.to_owned(),
        sha256: landed.sha256,
        size: landed.size,
    })
}

/// The file that the bytes go to, before it has its name.
enum Beside {
    /// Without any name: gone with the process, however that ends. /proc gives it one.
    Unnamed(File),
    /// Where the file system has no such files (NFS, some overlays): left behind by a kill.
    Named(NamedTempFile),
}

impl Beside {
    fn new(dir: &Path) -> Result<Self, Error> {
        if !Path::new("/proc/self/fd").exists() {
            return Self::named(dir);
        }
        let unnamed = OpenOptions::new()
            .read(true)
            .write(true)
            .mode(0o600)
            .custom_flags(OFlag::O_TMPFILE.bits())
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
            Self::Unnamed(file) => file,
            Self::Named(file) => file.as_file(),
        }
    }

    /// By which it can be reached, as long as it is open.
    fn path(&self) -> PathBuf {
        match self {
            Self::Unnamed(file) => PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())),
            Self::Named(file) => file.path().to_owned(),
        }
    }

    fn reopen(&self) -> Result<File, Error> {
        let file = self.file().try_clone();
        file.map_err(|e| io_error("open", &self.path(), e))
    }

    /// Takes the place of what is at `path`, in one step.
    fn become_visible(self, dir: &Path, path: &Path) -> Result<(), Error> {
        // A temporary file is private; a fetched one is as readable as any other new file.
        let mode = Permissions::from_mode(0o666 & !umask());
        self.file()
            .set_permissions(mode)
            .map_err(|e| io_error("set the mode of", path, e))?;
        let replace = |e| io_error("replace", path, e);
        let from = self.path();
        match self {
            Self::Named(file) => file.persist(path).map(drop).map_err(|e| replace(e.error)),
            Self::Unnamed(_open) => {
                let link =
                    |to: &Path| linkat(AT_FDCWD, &from, AT_FDCWD, to, AtFlags::AT_SYMLINK_FOLLOW);
                match link(path) {
                    Ok(()) => return Ok(()),
                    Err(Errno::EEXIST) => {}
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
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(
        errno,
        Some(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::EINVAL)
    )
}

fn io_error(act: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Store(store::Error::Io {
        act,
        path: path.to_owned(),
        source,
    })
}

/// Reads the process's umask. It can only be read by setting it; /proc tells it without that race.
fn umask() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("Umask:"));
    line.and_then(|l| u32::from_str_radix(l.trim(), 8).ok())
        .unwrap_or(0o022)
}
