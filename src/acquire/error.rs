//! What can go wrong between a request and its artifact.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use crate::artifact::{ArtifactUrl, Bytes, Promise};
use crate::fault::{Fault, Setting};
use crate::policy::{Denied, Limit};
use crate::source::{self, Retry};
use crate::store;

/// An artifact that was not acquired.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The policy.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The origin.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// The disk.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Other bytes than the promised ones.
    #[error(
        "{url}: checksum mismatch: expected {expected}{}, got {actual} ({}){}; correct the checksum, or the artifact at \
         the URL{}",
        .from.as_ref().map(|file| format!(" (from {file})")).unwrap_or_default(),
        Bytes(*.size),
        if *.remembered { ", which the server reports as unchanged since" } else { "" },
        .beside.then(other_sidecar).unwrap_or_default()
    )]
    Mismatch {
        /// What was asked for.
        url: Box<str>,
        /// What was promised.
        expected: Box<Promise>,
        /// The file that promised it.
        from: Option<Box<ArtifactUrl>>,
        /// Whether that file lies beside the artifact in a Maven repository, which may have others.
        beside: bool,
        /// What came.
        actual: Box<Promise>,
        /// How many bytes came.
        size: u64,
        /// Whether this is known from an earlier download.
        remembered: bool,
        /// All that is known of what came, for the memory; nothing where the memory itself answers.
        completed: Option<Box<store::Completed>>,
    },
    /// A checksum file in which there is no checksum for the artifact.
    #[error("{url}: the checksum file {why}; correct it, or {checksum:#}", checksum = Setting::Checksum)]
    ChecksumFile {
        /// Where it is.
        url: String,
        /// What it is instead.
        why: String,
    },
    /// A file beside an artifact in a Maven repository that is no checksum.
    #[error(
        "{url}: the checksum beside the file {why}; correct it{}",
        other_sidecar()
    )]
    Sidecar {
        /// Where it is.
        url: String,
        /// What it is instead.
        why: String,
    },
    /// A Maven repository that does not say which file is meant.
    #[error("the Maven repository does not say which file is meant: {0}")]
    Maven(String),
    /// More bytes than allowed.
    #[error(
        "{url}: too large: {size} exceeds {limit}; raise that limit, or publish a smaller artifact"
    )]
    TooLarge {
        /// What was asked for.
        url: String,
        /// How many bytes it has, in words.
        size: String,
        /// Which limit.
        limit: Limit,
    },
    /// An answer whose end cannot be told from a broken connection.
    #[error(
        "{url}: the server sends neither Content-Length nor chunks, so a truncated download cannot be detected; set \
         {}, or fix the server",
        Setting::Checksum
    )]
    Unframed {
        /// What was asked for.
        url: String,
    },
    /// An answer whose bytes are not the artifact's own.
    #[error(
        "{url}: the server sends it with {coding}, which was not requested; set {} to match the bytes as sent, or fix \
         the server",
        Setting::Checksum
    )]
    Coded {
        /// What was asked for.
        url: String,
        /// The coding, behind the header that names it.
        coding: String,
    },
    /// Nothing cached, and the origin may not be asked.
    #[error(
        "{url}: {} is Never and this node has no copy from this URL; use IfNotPresent",
        Setting::PullPolicy
    )]
    NotCached {
        /// What was asked for.
        url: String,
    },
    /// The flight was stopped, because nobody wants it or the program ends.
    #[error(
        "{url}: the download was stopped; the partial download is kept, and the next request resumes it"
    )]
    Stopped {
        /// What was asked for.
        url: String,
    },
    /// What is at the place that a file was to have cannot be replaced, and takes no bytes.
    #[error("cannot write to {path}: {why}; nothing was changed, choose another file with -o")]
    Target {
        /// The place, as it was named.
        path: String,
        /// What is there.
        why: String,
    },
    /// The operating system refused what a file of the user's own needs.
    #[error("cannot {act} {}: {source}", path.display())]
    File {
        /// What was attempted.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A thread of ours ended as it never should.
    #[error("{url}: an internal error ended the download ({what}); please report it")]
    Bug {
        /// What was asked for.
        url: String,
        /// What happened.
        what: String,
    },
}

impl Error {
    pub(super) fn too_large(url: &ArtifactUrl, size: u64, limit: Limit) -> Self {
        Self::TooLarge {
            url: url.to_string(),
            size: Bytes(size).to_string(),
            limit,
        }
    }

    /// For an object whose length is not known beforehand.
    pub(super) fn endless(url: &ArtifactUrl, limit: Limit) -> Self {
        Self::TooLarge {
            url: url.to_string(),
            size: "the download".into(),
            limit,
        }
    }

    pub(super) fn checksum_file(url: &ArtifactUrl, why: impl Into<String>) -> Self {
        Self::ChecksumFile {
            url: url.to_string(),
            why: why.into(),
        }
    }

    pub(super) fn sidecar(url: &ArtifactUrl, why: impl Into<String>) -> Self {
        Self::Sidecar {
            url: url.to_string(),
            why: why.into(),
        }
    }

    /// A download that nobody waits for any more.
    pub(super) fn stopped(url: &ArtifactUrl) -> Self {
        Self::Stopped {
            url: url.to_string(),
        }
    }

    /// What only a fault of ours explains.
    pub(super) fn bug(url: &impl Display, what: impl Into<String>) -> Self {
        Self::Bug {
            url: url.to_string(),
            what: what.into(),
        }
    }

    /// A file that is left as it is.
    pub(super) fn target(path: &Path, why: impl Into<String>) -> Self {
        Self::Target {
            path: path.display().to_string(),
            why: why.into(),
        }
    }

    /// The same once more, without a download: only of what the next one would come to again.
    pub(super) fn again(&self) -> Option<Self> {
        if let Self::Source(error) = self {
            return Some(error.clone().into());
        }
        let Self::Mismatch {
            url,
            expected,
            from,
            beside,
            actual,
            size,
            ..
        } = self
        else {
            return None;
        };
        Some(Self::Mismatch {
            url: url.clone(),
            expected: expected.clone(),
            from: from.clone(),
            beside: *beside,
            actual: actual.clone(),
            size: *size,
            remembered: true,
            completed: None,
        })
    }

    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Denied(e) => e.fault(),
            Self::Source(e) => e.fault(),
            Self::Store(e) => e.fault(),
            Self::Mismatch { .. } => Fault::Mismatch,
            Self::TooLarge { .. } => Fault::TooLarge,
            Self::Unframed { .. } | Self::Coded { .. } => Fault::Invalid,
            Self::NotCached { .. } | Self::Maven(_) => Fault::NotFound,
            Self::ChecksumFile { .. } | Self::Sidecar { .. } => Fault::NotFound,
            Self::Stopped { .. } => Fault::Unavailable,
            Self::Target { .. } => Fault::Occupied,
            Self::File { source, .. } => Fault::of_io(source),
            Self::Bug { .. } => Fault::Bug,
        }
    }

    /// Whether the same download may go better the next time.
    pub(super) fn retry(&self) -> Retry {
        if let Self::Source(error) = self {
            return error.kind().retry();
        }
        Retry::Never
    }

    /// Whether what came so far is of no use to anybody, whoever asks for it again and when.
    pub(super) fn refutes_partial(&self) -> bool {
        matches!(self.fault(), Fault::Mismatch | Fault::TooLarge)
    }

    /// Whether what came so far may be of use to a later download.
    pub(super) fn keeps_partial(&self) -> bool {
        matches!(
            self.fault(),
            Fault::Unavailable | Fault::Pending | Fault::Unauthenticated | Fault::Bug
        )
    }
}

/// What to do about a checksum that a repository has beside a file, and which is wrong.
fn other_sidecar() -> String {
    let checksum = Setting::Checksum;
    format!(
        ", or set {checksum} to another one that the repository has, sidecar:sha256 or sidecar:sha1"
    )
}

/// What the system said of a file of the user's own.
pub(super) fn io_error(act: &'static str, path: &Path, source: io::Error) -> Error {
    Error::File {
        act,
        path: path.to_owned(),
        source,
    }
}
