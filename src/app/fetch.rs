//! `fetch`: an artifact to a file, without a store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Error, http, local, patience};
use crate::acquire::{self, Destination, Fetched, Gauge, PullPolicy, Request, Stream};
use crate::artifact::{ArtifactUrl, Digest};
use crate::config::{Downloading, Secrets};
use crate::fault::Setting;
use crate::policy::Policy;
use crate::source::Credentials;
use crate::volume::attributes;

/// One download, looked at and not begun.
pub struct Fetch {
    url: ArtifactUrl,
    pin: Option<Digest>,
    destination: Destination,
}

impl Fetch {
    /// Finds out what is to be fetched and where it goes: `output` is a file, a directory that gets a file of the URL's
    /// name, or `-` for standard output; without it the file lies in this directory. Nothing is asked and nothing is
    /// touched.
    pub fn new(url: &str, checksum: Option<&str>, output: Option<&Path>) -> Result<Self, Error> {
        let url: ArtifactUrl = attributes::value(Setting::Url, url)?;
        let pin = checksum.map(|text| attributes::value(Setting::Checksum, text));
        let pin = pin.transpose()?;
        let name = || {
            let name = attributes::file_name(&url)?;
            Ok::<_, Error>(PathBuf::from(name.as_str()))
        };
        let destination = match output {
            Some(path) if path == Path::new("-") => Destination::Stream(Stream::Stdout),
            Some(dir) if dir.is_dir() => Destination::look(&dir.join(name()?))?,
            Some(path) => Destination::look(path)?,
            None => Destination::look(&name()?)?,
        };
        Ok(Self {
            url,
            pin,
            destination,
        })
    }
}

/// Whether what is fetched to a path goes to standard output, so that nothing else may.
pub fn is_stdout(path: &Path) -> bool {
    path == Path::new("-") || Destination::look(path).is_ok_and(|found| found.is_stdout())
}

/// Downloads to a file, without a store; `show` is told how far it is.
pub async fn fetch(
    (settings, secrets): (&Downloading, &Secrets),
    what: &Fetch,
    show: impl FnOnce(&Arc<Gauge>),
) -> Result<Fetched, Error> {
    let request = Request {
        url: what.url.clone(),
        pin: what.pin.clone(),
        pull: PullPolicy::Always,
        credentials: Credentials::from_keys(local::secrets(secrets)?)?,
    };
    let gauge = Arc::new(Gauge::new(&what.url));
    show(&gauge);
    let permit = Policy::new(settings.max_size).check(&what.url, None);
    let (http, patience) = (http(settings)?, patience(settings));
    let fetched = acquire::fetch(
        &http,
        &patience,
        &permit,
        &request,
        &what.destination,
        &gauge,
    );
    Ok(fetched.await?)
}
