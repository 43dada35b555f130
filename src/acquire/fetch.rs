//! A download without a store: to a file beside its final name, then a rename; or to what is no file, once it is
//! verified.

use std::env;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::beside::Beside;
use super::destination::{Destination, Place, Stream};
use super::download::{Download, Outcome};
use super::gauge::Phase;
use super::{Budget, Error, Gauge, Patience, Request};
use crate::artifact::Digest;
use crate::metrics::Downloads;
use crate::policy::Permit;
use crate::source::http::Factory;
use crate::store::{Landed, Partial};

/// What was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Where it is, as it was named; `-` is standard output.
    pub path: PathBuf,
    /// What its bytes hash to.
    pub sha256: Digest,
    /// How many bytes.
    pub size: u64,
}

/// How an artifact is fetched.
struct Fetch<'a> {
    http: &'a Factory,
    patience: &'a Patience,
    permit: &'a Permit,
    request: &'a Request,
    gauge: &'a Gauge,
}

/// Downloads to a destination. Nothing that is not verified is ever seen there: what was at a file's place is replaced
/// by the complete file in one step, or stays; what is no file is written to after the last byte was checked. Needs no
/// rights but those to write there. Dropped or killed before its end it leaves nothing where the file system has files
/// without a name.
pub async fn fetch(
    http: &Factory,
    patience: &Patience,
    permit: &Permit,
    request: &Request,
    destination: &Destination,
    gauge: &Gauge,
) -> Result<Fetched, Error> {
    gauge.hold("fetch", permit.limit());
    let fetch = Fetch {
        http,
        patience,
        permit,
        request,
        gauge,
    };
    let (path, landed) = match destination {
        Destination::File(place) => (&*place.named, fetch.to_file(place).await?),
        Destination::Stream(stream) => (stream.name(), fetch.to_stream(stream).await?),
    };
    gauge.enter(Phase::Landed);
    Ok(Fetched {
        path: path.to_owned(),
        sha256: landed.sha256,
        size: landed.size,
    })
}

impl Fetch<'_> {
    async fn to_file(&self, place: &Place) -> Result<Landed, Error> {
        let beside = Beside::new(&place.dir)?;
        if let Some(kept) = &place.kept {
            beside.may_belong_to(kept, place)?;
        }
        let mut partial = Partial::into_file(beside.reopen()?, &place.path);
        let landed = self.download(&mut partial).await?;
        partial.settle()?;
        beside.become_visible(place)?;
        File::open(&place.dir)
            .and_then(|d| d.sync_all())
            .map_err(|e| io_error("make durable", &place.dir, e))?;
        Ok(landed)
    }

    /// A byte that was written cannot be taken back, so what is no file gets its first one after the last was verified:
    /// until then they lie in a file without a name, in the directory for temporary files.
    async fn to_stream(&self, stream: &Stream) -> Result<Landed, Error> {
        let dir = env::temp_dir();
        let failed = |e| io_error("create a file in", &dir, e);
        let file = tempfile::tempfile_in(&dir).map_err(failed)?;
        let mut partial = Partial::into_file(file.try_clone().map_err(failed)?, &dir);
        let landed = self.download(&mut partial).await?;
        let to = stream.clone();
        // Whoever reads a pipe may take his time: a signal is heard meanwhile.
        let written = tokio::task::spawn_blocking(move || to.write(file)).await;
        written.map_err(|e| Error::Bug {
            url: self.request.url.to_string(),
            what: e.to_string(),
        })??;
        Ok(landed)
    }

    async fn download(&self, partial: &mut Partial) -> Result<Landed, Error> {
        let (reach, credentials) = (self.permit.reach(), &self.request.credentials);
        let source = self.http.client(reach.clone(), credentials.clone())?;
        let download = Download {
            source: &source,
            request: self.request,
            known: None,
            patience: self.patience,
            gauge: self.gauge,
            budget: &Budget::default(),
            boot: "",
            // A file of the user's own may fill the disk if the user wants it to; the write says so.
            room: &|_| Ok(()),
            metrics: &Downloads::default(),
        };
        match download.run(partial).await? {
            Outcome::Landed(landed) => Ok(landed),
            Outcome::Unchanged => Err(Error::Changed {
                url: self.request.url.to_string(),
            }),
        }
    }
}

pub(super) fn io_error(act: &'static str, path: &Path, source: io::Error) -> Error {
    Error::File {
        act,
        path: path.to_owned(),
        source,
    }
}
