//! Which source a URL is asked for at: said here, and nowhere else.

use super::{Answer, Credentials, Error, Source, Start, http};
use crate::artifact::{ArtifactUrl, Reach};

/// Makes the sources.
#[derive(Clone)]
pub struct Factory {
    http: http::Factory,
}

/// The source of one request.
pub enum AnySource {
    /// `http` and `https`, the only schemes that an [`ArtifactUrl`] has so far.
    Http(http::Http),
}

impl Factory {
    /// Sources that ask over HTTP in this way.
    pub fn new(http: http::Factory) -> Self {
        Self { http }
    }

    /// What of the settings decides whose bytes are believed: part of the trust context (law 7).
    pub fn identity(&self) -> &[u8] {
        self.http.identity()
    }

    /// The source for one request, whose connections live in the runtime that first uses it.
    pub fn source(&self, reach: Reach, credentials: Credentials) -> Result<AnySource, Error> {
        Ok(AnySource::Http(self.http.client(reach, credentials)?))
    }
}

impl Source for AnySource {
    async fn open(&self, url: &ArtifactUrl, start: &Start) -> Result<Answer, Error> {
        match self {
            Self::Http(http) => http.open(url, start).await,
        }
    }
}
