//! What is to be downloaded, as it is written: in attributes, at a command line, in a list.

use super::read::value;
use crate::artifact::maven::{Coordinates, Reference};
use crate::artifact::{ArtifactUrl, Checksum, Digest, Promise};
use crate::fault::Setting;
use crate::policy::{PullPolicy, Request};
use crate::volume::attributes::Error;

/// An artifact, and what it must hash to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactRef {
    /// Where it is; of Maven coordinates, under the version as it is written.
    pub url: ArtifactUrl,
    /// The coordinates, where it is named by those.
    pub maven: Option<Box<Reference>>,
    /// What it must hash to, where that is written out.
    pub pin: Option<Digest>,
    /// The file that says it.
    pub checksum_file: Option<ArtifactUrl>,
}

impl ArtifactRef {
    /// Reads a URL or Maven coordinates, and a checksum.
    pub fn read(
        url: &str,
        repository: Option<&ArtifactUrl>,
        checksum: Option<&str>,
    ) -> Result<Self, Error> {
        let maven = maven(url, repository)?;
        let url = match &maven {
            Some(maven) => maven.url().map_err(|e| Error::value(Setting::Url, e))?,
            None => value(Setting::Url, url)?,
        };
        let mut read = Self {
            url,
            maven: maven.map(Box::new),
            pin: None,
            checksum_file: None,
        };
        if let Some(text) = checksum {
            read.set_checksum(value(Setting::Checksum, text)?)?;
        }
        Ok(read)
    }

    fn set_checksum(&mut self, checksum: Checksum) -> Result<(), Error> {
        match (checksum, &mut self.maven) {
            (Checksum::Digest(digest), _) => self.pin = Some(digest),
            (Checksum::File(file), _) => {
                let beside = file.beside(&self.url);
                let url = beside.map_err(|e| Error::value(Setting::Checksum, e))?;
                // By its name it is looked for.
                let name = self.url.file_name();
                name.map_err(|e| Error::value(Setting::Url, e))?;
                self.checksum_file = Some(url);
            }
            (Checksum::Sidecar(function), Some(maven)) => maven.sidecar = Some(function),
            (Checksum::Sidecar(_), None) => {
                let why =
                    "sidecar: is for Maven coordinates; use file: and the URL of the checksum file";
                return Err(Error::value(Setting::Checksum, why));
            }
        }
        Ok(())
    }

    /// When the origin is asked where nobody has said it: what cannot be another one later need not be asked for again.
    pub(super) fn pull(&self) -> PullPolicy {
        let version = self
            .maven
            .as_ref()
            .map(|maven| maven.coordinates().version());
        match self.pin.is_some() || version.is_some_and(|version| version.is_fixed()) {
            true => PullPolicy::IfNotPresent,
            false => PullPolicy::Always,
        }
    }

    /// What is asked for, by whoever shows no credentials.
    pub fn request(&self, pull: PullPolicy, max_size: Option<u64>) -> Request {
        Request {
            url: self.url.clone(),
            maven: self.maven.clone(),
            promise: self.pin.clone().map(Promise::from),
            checksum_file: self.checksum_file.clone(),
            said_by: None,
            pull,
            max_size,
            credentials: Default::default(),
        }
    }
}

/// Coordinates need a repository, and nothing else may have one.
fn maven(url: &str, repository: Option<&ArtifactUrl>) -> Result<Option<Reference>, Error> {
    match (Coordinates::are_in(url), repository) {
        (false, None) => Ok(None),
        (false, Some(_)) => Err(Error::NotMaven),
        (true, None) => Err(Error::NoRepository),
        (true, Some(repository)) => {
            let reference = Reference::new(value(Setting::Url, url)?, repository.clone());
            let reference = reference.map_err(|e| Error::value(Setting::Url, e))?;
            Ok(Some(reference))
        }
    }
}
