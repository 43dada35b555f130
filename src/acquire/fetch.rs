//! A download without a store: to a file beside its final name, then a rename.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::download::{Download, Outcome};
use super::gauge::Phase;
use super::{Budget, Error, Gauge, Patience, Request};
use crate::artifact::Digest;
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
/// rights but those to write there. Dropped before its end it leaves nothing.
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
    let beside = tempfile::Builder::new()
        .prefix(".war-vol-")
        .suffix(".partial")
        .tempfile_in(dir)
        .map_err(|e| io_error("create a file in", dir, e))?;
    let file = beside
        .reopen()
        .map_err(|e| io_error("open", beside.path(), e))?;
    let mut partial = Partial::into_file(file, beside.path());
    let source = http.client(permit.reach().clone(), request.credentials.clone())?;
    let download = Download {
        source: &source,
        request,
        known: None,
        patience,
        gauge,
        budget: &Budget::default(),
        boot: "",
        // A file of the user's own may fill the disk if the user wants it to; the write says so.
        room: &|_| Ok(()),
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
    // A temporary file is private; a fetched one is as readable as any other new file.
    let mode = Permissions::from_mode(0o666 & !umask());
    fs::set_permissions(beside.path(), mode)
        .map_err(|e| io_error("set the mode of", beside.path(), e))?;
    beside
        .persist(path)
        .map_err(|e| io_error("replace", path, e.error))?;
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
