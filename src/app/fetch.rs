//! `fetch`: artifacts to files, without a store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Error, credentials, http_of_command, policy, retry_policy};
use crate::acquire::{self, ByteBudget, Destination, Fetched, Progress, RetryPolicy, Stream};
use crate::artifact::FileName;
use crate::artifact::maven::Coordinates;
use crate::config::{Downloading, Secrets};
use crate::fault::Setting;
use crate::policy::{Policy, PullPolicy, Request, Subject};
use crate::source::{self, Credentials, Factory};
use crate::volume::attributes;
use crate::volume::spec::{self, ArtifactRef};

/// What is to be fetched.
pub struct Order {
    artifact: ArtifactRef,
    name: Option<FileName>,
}

impl Order {
    /// As it was typed: a URL, or Maven coordinates, which are looked up in `repository`; a URL has no use for that. `name`
    /// is that of the file in a directory, if it is not the URL's.
    pub fn new(
        url: &str,
        repository: Option<&str>,
        checksum: Option<&str>,
        name: Option<&str>,
    ) -> Result<Self, Error> {
        let repository = repository.filter(|_| Coordinates::are_in(url));
        let repository = repository.map(|text| spec::value(Setting::Repository, text));
        let name = name.map(|text| spec::value(Setting::FileName, text));
        Ok(Self {
            artifact: ArtifactRef::read(url, repository.transpose()?.as_ref(), checksum)?,
            name: name.transpose()?,
        })
    }

    /// Refuses a repository that none of these is looked up in.
    pub fn check_repository(orders: &[Self], repository: Option<&str>) -> Result<(), Error> {
        match repository.is_some() && orders.iter().all(|order| order.artifact.maven.is_none()) {
            true => Err(attributes::Error::NotMaven.into()),
            false => Ok(()),
        }
    }

    /// What is asked for, by whoever shows no credentials.
    pub(super) fn request(&self) -> Request {
        self.artifact.request(PullPolicy::Always, None)
    }

    /// The URL, redacted.
    pub fn url(&self) -> String {
        self.artifact.url.to_string()
    }

    /// What the file is called in a directory.
    pub fn name(&self) -> Result<FileName, Error> {
        match &self.name {
            Some(name) => Ok(name.clone()),
            None => Ok(attributes::file_name(&self.artifact.url)?),
        }
    }

    /// Finds out where it goes: `output` is a file, a directory that gets a file of the URL's name, or `-` for standard
    /// output; without it the file lies in this directory. Nothing is asked and nothing is touched.
    fn destination(&self, output: Option<&Path>) -> Result<Destination, Error> {
        let in_directory = |dir: &Path| Ok::<_, Error>(dir.join(self.name()?.as_str()));
        Ok(match output {
            Some(path) if is_dash(path) => Destination::Stream(Stream::Stdout),
            Some(dir) if dir.is_dir() => Destination::look(&in_directory(dir)?)?,
            Some(path) => Destination::look(path)?,
            None => Destination::look(&PathBuf::from(self.name()?.as_str()))?,
        })
    }
}

/// Whether standard output is meant; a file of that name is `./-`.
fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

/// Whether what is fetched to a path goes to standard output, so that nothing else may.
pub fn is_stdout(path: &Path) -> bool {
    is_dash(path) || Destination::look(path).is_ok_and(|found| found.is_stdout())
}

/// Downloads to files, one after the other.
pub struct Fetcher {
    sources: Factory,
    retry_policy: RetryPolicy,
    policy: Policy,
    credentials: Credentials,
    budget: ByteBudget,
    resume: bool,
    /// Whether origins are shown who asks.
    proves: bool,
}

impl Fetcher {
    /// Reads what all of them share. `resume` is whether each goes on with what an earlier one left.
    pub fn new(settings: &Downloading, secrets: &Secrets, resume: bool) -> Result<Self, Error> {
        let budget = ByteBudget::default();
        let keys = credentials::secrets(secrets)?;
        Ok(Self {
            proves: !keys.is_empty() || secrets.cert.is_some(),
            sources: Factory::new(http_of_command(settings, secrets)?),
            retry_policy: retry_policy(settings),
            policy: policy::of_command(settings)?,
            credentials: Credentials::read(keys).map_err(source::Error::from)?,
            budget: match settings.limit_rate {
                Some(bytes) => budget.limited(bytes),
                None => budget,
            },
            resume,
        })
    }

    /// Whether these may be fetched together: what proves who asks is for one origin, and a list may name others'.
    ///
    /// Errors: there are credentials or a client certificate, and more than one origin.
    pub fn suits(&self, orders: &[Order]) -> Result<(), Error> {
        let mut origins = orders
            .iter()
            .map(|order| order.artifact.url.as_url().origin());
        let first = origins.next();
        match origins.find(|other| Some(other) != first.as_ref()) {
            Some(other) if self.proves => Err(Error::Setting(format!(
                "the credentials are for one origin, but the URLs have several ({} and {}); fetch the URLs of one \
                 origin at a time",
                first.map(|o| o.ascii_serialization()).unwrap_or_default(),
                other.ascii_serialization()
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// Downloads one; `show` is told how far it is.
    pub async fn fetch(
        &self,
        order: &Order,
        output: Option<&Path>,
        show: impl FnOnce(&Arc<Progress>),
    ) -> Result<Fetched, Error> {
        let mut destination = order.destination(output)?;
        if self.resume {
            destination = destination.resumed()?;
        }
        let request = Request {
            credentials: self.credentials.clone(),
            ..order.request()
        };
        let subject = Subject {
            volume: "fetch".to_owned(),
            pod: None,
            of_claim: false,
        };
        let permit = self
            .policy
            .check(subject, request)
            .map_err(acquire::Error::from)?;
        let progress = Arc::new(Progress::new(&order.artifact.url));
        show(&progress);
        let watched = (&*progress, &self.budget);
        let (sources, retry_policy) = (&self.sources, &self.retry_policy);
        let fetched = acquire::fetch(sources, retry_policy, &permit, &destination, watched);
        Ok(fetched.await?)
    }
}
