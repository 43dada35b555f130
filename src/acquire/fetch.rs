//! A download without a store: to a file beside its final name, then a rename; or to what is no file, once it is
//! verified.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::body::hash::{BUFFER, Hashes};
use super::destination::{Destination, FileTarget, Stream};
use super::document::Documents;
use super::download::{Download, Outcome};
use super::error::io_error;
use super::leftover::{Leftover, origin_of};
use super::lookup::Query;
use super::progress::Phase;
use super::sidecars::Sidecars;
use super::staging::StagingFile;
use super::{ByteBudget, Error, Progress, RetryPolicy};
use crate::artifact::{Digest, Promise};
use crate::metrics::Downloads;
use crate::policy::Permit;
use crate::source::{self, Factory};
use crate::store::{Completed, Partial};

/// What was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Where it is, as it was named; `-` is standard output.
    pub path: PathBuf,
    /// What its bytes hash to.
    pub sha256: Digest,
    /// How many bytes.
    pub size: u64,
    /// Whether they were there already.
    pub was_there: bool,
}

/// Downloads to a destination. Nothing that is not verified is ever seen there: what was at a file's place is replaced
/// by the complete file in one step, or stays; what is no file is written to after the last byte was checked. Needs no
/// rights but those to write there. Dropped or killed before its end it leaves nothing where the file system has files
/// without a name.
pub async fn fetch(
    sources: &Factory,
    retry_policy: &RetryPolicy,
    permit: &Permit,
    destination: &Destination,
    (progress, budget): (&Progress, &ByteBudget),
) -> Result<Fetched, Error> {
    progress.hold(&permit.subject().volume, permit.limit());
    let documents = Documents {
        sources,
        permit,
        retry_policy,
        progress,
        sidecars: &Sidecars::default(),
    };
    let located = documents.located().await?;
    let documents = Documents {
        permit: located.as_ref().unwrap_or(permit),
        ..documents
    };
    let promised = documents.promised().await?;
    let download = Download {
        sources,
        permit: promised.as_ref().unwrap_or(documents.permit),
        query: &Query::Object { known: None },
        retry_policy,
        progress,
        budget,
        boot: "",
        // A file of the user's own may fill the disk if the user wants it to; the write says so.
        promise: &|_, _| Ok(()),
        metrics: &Downloads::default(),
    };
    let fetched = match destination {
        Destination::File(place) if place.resume => on_with(&download, place).await?,
        Destination::File(place) => to_file(&download, place).await?,
        Destination::Stream(stream) => to_stream(&download, stream).await?,
    };
    progress.enter(Phase::Completed);
    Ok(fetched)
}

impl Fetched {
    fn new(path: &Path, completed: Completed) -> Self {
        Self {
            path: path.to_owned(),
            sha256: completed.digests.sha256,
            size: completed.size,
            was_there: false,
        }
    }
}

async fn to_file(download: &Download<'_>, place: &FileTarget) -> Result<Fetched, Error> {
    let staging = StagingFile::new(&place.dir)?;
    if let Some(kept) = &place.kept {
        staging.may_belong_to(kept, place)?;
    }
    let mut partial = Partial::into_file(staging.reopen()?, &place.path);
    let completed = complete(download, &mut partial).await?;
    show(&partial, staging, place)?;
    Ok(Fetched::new(&place.named, completed))
}

/// The same, but goes on with what an earlier one left, and leaves what came if it fails. What is there already and
/// has the promised digest is not asked for.
async fn on_with(download: &Download<'_>, place: &FileTarget) -> Result<Fetched, Error> {
    if let Some(there) = is_there(download, place).await? {
        if let Err(left) = Leftover::remove_of(place) {
            tracing::warn!(error = %left, "cannot remove an earlier partial download");
        }
        return Ok(there);
    }
    let mut leftover = Leftover::open(place)?;
    let (file, path) = leftover.file();
    let file = file.try_clone().map_err(|e| io_error("open", path, e))?;
    let staging = StagingFile::Kept(file, path.to_owned());
    if let Some(kept) = &place.kept {
        staging.may_belong_to(kept, place)?;
    }
    let origin = origin_of(&download.request().url)?;
    // What bytes must be of to be gone on with where no checksum proves them.
    let download = Download {
        boot: &origin,
        ..*download
    };
    match complete(&download, leftover.partial()).await {
        Ok(completed) => {
            show(leftover.partial(), staging, place)?;
            leftover.remove()?;
            Ok(Fetched::new(&place.named, completed))
        }
        Err(error) => {
            if (error.refutes_partial() || leftover.partial().length() == 0)
                && let Err(left) = leftover.remove()
            {
                tracing::warn!(error = %left, "cannot remove a partial download");
            }
            Err(error)
        }
    }
}

/// What is at the place, if that has the promised digest.
async fn is_there(download: &Download<'_>, place: &FileTarget) -> Result<Option<Fetched>, Error> {
    let (Some(pin), Some(_)) = (download.request().pin(), &place.kept) else {
        return Ok(None);
    };
    let (pin, path) = (pin.clone(), place.path.clone());
    let hashed = run_blocking(move || has(&path, &pin)).await;
    let hashed = hashed.map_err(|e| download.bug(e.to_string()))?;
    let found = hashed.map_err(|e| io_error("read", &place.named, e))?;
    Ok(found.map(|(sha256, size)| Fetched {
        path: place.named.clone(),
        sha256,
        size,
        was_there: true,
    }))
}

/// A byte that was written cannot be taken back, so what is no file gets its first one after the last was verified:
/// until then they lie in a file without a name, in the directory for temporary files.
async fn to_stream(download: &Download<'_>, stream: &Stream) -> Result<Fetched, Error> {
    let dir = env::temp_dir();
    let failed = |e| io_error("create a file in", &dir, e);
    let file = tempfile::tempfile_in(&dir).map_err(failed)?;
    let mut partial = Partial::into_file(file.try_clone().map_err(failed)?, &dir);
    let completed = complete(download, &mut partial).await?;
    let to = stream.clone();
    // Whoever reads a pipe may take his time: a signal is heard meanwhile.
    let written = run_blocking(move || to.write(file)).await;
    written.map_err(|e| download.bug(e.to_string()))??;
    Ok(Fetched::new(stream.name(), completed))
}

async fn complete(download: &Download<'_>, partial: &mut Partial) -> Result<Completed, Error> {
    match download.run(partial).await? {
        Outcome::Completed(completed) => Ok(*completed),
        Outcome::Unchanged | Outcome::LetIn => {
            Err(source::Error::changed(&download.request().url).into())
        }
    }
}

/// Makes what is complete durable, and gives it its place.
fn show(partial: &Partial, staging: StagingFile, place: &FileTarget) -> Result<(), Error> {
    partial.settle()?;
    staging.become_visible(place)?;
    File::open(&place.dir)
        .and_then(|d| d.sync_all())
        .map_err(|e| io_error("sync", &place.dir, e))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a command of its own: nobody else waits for these threads"
)]
fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::task::spawn_blocking(work)
}

/// Reads a whole file: its digest and size; nothing if it is not what was promised.
fn has(path: &Path, pin: &Digest) -> io::Result<Option<(Digest, u64)>> {
    let mut file = File::open(path)?;
    let pin = Promise::from(pin.clone());
    let mut hashes = Hashes::new(Some(pin.function()));
    let mut buffer = vec![0; BUFFER];
    let mut size = 0;
    loop {
        let count = file.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..count).filter(|b| !b.is_empty()) else {
            break;
        };
        size += count as u64;
        hashes.update(bytes);
    }
    let digests = hashes.finish();
    let is_promised = digests.like(&pin) == Some(pin);
    Ok(is_promised.then_some((digests.sha256, size)))
}
