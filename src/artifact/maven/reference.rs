//! A file in a repository, as it is asked for.

use super::coordinates::Coordinates;
use super::layout::join;
use super::resolution::{Resolution, Step};
use crate::artifact::{ArtifactUrl, Error, HashFunction};

/// Coordinates, and the repository that they are looked up in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    coordinates: Coordinates,
    repository: ArtifactUrl,
    /// The hash function of the checksum file that counts; without it the strongest one that the repository has.
    pub sidecar: Option<HashFunction>,
}

impl Reference {
    /// A file in the repository at a URL.
    ///
    /// Errors: the URL of the file would be none, because it is too long.
    pub fn new(coordinates: Coordinates, repository: ArtifactUrl) -> Result<Self, Error> {
        let reference = Self {
            coordinates,
            repository,
            sidecar: None,
        };
        reference.url().map(|_| reference)
    }

    /// The coordinates.
    pub fn coordinates(&self) -> &Coordinates {
        &self.coordinates
    }

    /// The repository.
    pub fn repository(&self) -> &ArtifactUrl {
        &self.repository
    }

    /// Where the file would be under the version as it is written. For a version that is no placeholder it is there.
    pub fn url(&self) -> Result<ArtifactUrl, Error> {
        let version = self.coordinates.version();
        join(&self.repository, &self.coordinates.file_path(version))
    }

    /// Begins to look for the file.
    pub fn start(&self) -> Result<Step, Error> {
        Resolution::start(self.coordinates.clone(), self.repository.clone())
    }
}
