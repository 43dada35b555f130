//! Why an object does not come, whatever the protocol.

use std::time::Duration;

use super::credentials::Wrong;
use super::http;
use super::http::host_of;
use super::kind::Kind;
use crate::artifact::{ArtifactUrl, Blocked, Bytes};
use crate::fault::Fault;

/// An object that does not come. What the protocol itself says is inside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Over HTTP.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// A secret that is not one.
    #[error(
        "the Secret: {0}; use the keys token, or username and password, and header.NAME for other headers"
    )]
    Secret(String),
    /// Too slow for too long.
    #[error("{url}: {host} sent less than {}/s for {}", Bytes(*.least), humantime::format_duration(*.time))]
    Stalled {
        /// What was asked.
        url: String,
        /// Who is slow.
        host: String,
        /// Least speed, in bytes a second.
        least: u64,
        /// Over how long.
        time: Duration,
    },
    /// A body that ended before the object did.
    #[error("{url}: the response from {host} was cut off: {got} of {total} bytes received")]
    Short {
        /// What was asked.
        url: String,
        /// Who answered.
        host: String,
        /// How many bytes came.
        got: u64,
        /// How many the object has.
        total: u64,
    },
    /// Another object than a moment ago.
    #[error("{url}: the artifact changed on the server during the download")]
    Changed {
        /// What was asked.
        url: String,
    },
}

impl From<Wrong> for Error {
    fn from(wrong: Wrong) -> Self {
        Self::Secret(wrong.to_string())
    }
}

impl Error {
    /// A URL whose host is never asked, as far as the URL alone tells.
    pub fn blocked(url: &ArtifactUrl, why: Blocked) -> Self {
        http::Error::blocked(url, why).into()
    }

    /// A body that was too slow; built by whoever reads it.
    pub(crate) fn stalled(url: &ArtifactUrl, least: u64, time: Duration) -> Self {
        Self::Stalled {
            url: url.to_string(),
            host: host_of(url.as_url()),
            least,
            time,
        }
    }

    /// A body that ended before the object did; built by whoever counts it.
    pub(crate) fn short(url: &ArtifactUrl, got: u64, total: u64) -> Self {
        Self::Short {
            url: url.to_string(),
            host: host_of(url.as_url()),
            got,
            total,
        }
    }

    /// What is not the object any more that was asked about; built by whoever remembers that.
    pub(crate) fn changed(url: &ArtifactUrl) -> Self {
        Self::Changed {
            url: url.to_string(),
        }
    }

    /// What is wrong, whatever the protocol.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Http(error) => error.kind(),
            Self::Secret(_) => Kind::Invalid,
            Self::Stalled { .. } => Kind::Slow,
            Self::Short { .. } => Kind::Broken,
            Self::Changed { .. } => Kind::Changed,
        }
    }

    /// Who has to act.
    pub fn fault(&self) -> Fault {
        self.kind().fault()
    }
}
