//! What is wrong with a driver, or with what it was asked.

use std::path::PathBuf;

use tonic::{Code, Status};

use crate::artifact;
use crate::fault::{self, Fault};
use crate::{socket, volume};

/// The metadata with the name of a failure's fault.
const FAULT: &str = "war-vol-fault";

/// A command that a driver could not do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What the driver itself says.
    #[error("{words}")]
    Told {
        /// Who has to act.
        fault: Fault,
        /// The words.
        words: String,
    },
    /// No answer, or not all of it.
    #[error(
        "the driver (process {pid}) did not answer the request to {asked}: {why}; it may have exited, so try again"
    )]
    Lost {
        /// What it was asked.
        asked: &'static str,
        /// Its process.
        pid: u32,
        /// What happened instead.
        why: String,
    },
    /// More than one message holds.
    #[error(
        "the request to the driver (process {pid}) is too large: {}, with a limit of {}; shorten the credentials or \
         the attributes",
        artifact::Bytes(*bytes),
        artifact::Bytes(super::LONGEST_MESSAGE as u64)
    )]
    TooLong {
        /// Its process.
        pid: u32,
        /// How long it is.
        bytes: u64,
    },
    /// An answer of another version.
    #[error(
        "the driver (process {pid}) sent an invalid answer to the request to {asked}: {what}; use the driver's own \
         version of this program"
    )]
    Unreadable {
        /// What it was asked.
        asked: &'static str,
        /// Its process.
        pid: u32,
        /// What cannot be read.
        what: String,
    },
    /// What it mounts is not seen where the command runs.
    #[error(
        "the driver (process {pid}) that uses the store {} runs in another mount namespace; choose another --root, or \
         run this where the driver runs",
        root.display()
    )]
    Elsewhere {
        /// Its process.
        pid: u32,
        /// Its store.
        root: PathBuf,
    },
    /// A request that is none.
    #[error("the directory {} is not an absolute path", artifact::shown(.0))]
    Relative(String),
    /// The driver ends.
    #[error("the driver is shutting down; the partial download is kept, so try again")]
    Stopping,
    /// What the driver was doing ended as it never should.
    #[error("an internal error ended the work ({0}); please report it")]
    Bug(String),
    /// The socket.
    #[error(transparent)]
    Socket(#[from] socket::Error),
    /// The volumes.
    #[error(transparent)]
    Volume(#[from] volume::Error),
}

impl Error {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Told { fault, .. } => *fault,
            Self::Lost { .. } | Self::Stopping => Fault::Unavailable,
            Self::TooLong { .. } | Self::Elsewhere { .. } | Self::Relative(_) | Self::Socket(_) => {
                Fault::Invalid
            }
            Self::Unreadable { .. } | Self::Bug(_) => Fault::Bug,
            Self::Volume(e) => e.fault(),
        }
    }

    /// Whether the driver went in the middle of it: the next one can be asked.
    pub fn is_end_of_driver(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Stopping)
    }

    /// What a call ended with that was not answered.
    pub(super) fn of(status: &Status, asked: &'static str, pid: u32) -> Self {
        if status.code() == Code::Aborted {
            return Self::Stopping;
        }
        let named = status.metadata().get(FAULT).and_then(|v| v.to_str().ok());
        if let Some(fault) = named.and_then(|n| Fault::ALL.into_iter().find(|f| f.name() == n)) {
            return Self::Told {
                fault,
                words: status.message().to_owned(),
            };
        }
        let why = status.message().to_owned();
        Self::Lost { asked, pid, why }
    }
}

/// One code for all, because whoever reads this acts on the fault; but who waits for a pod waits for the next driver.
impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let code = match error.is_end_of_driver() {
            true => Code::Aborted,
            false => Code::Unknown,
        };
        let mut status = Self::new(code, fault::line(&error));
        // A fault's name is plain letters.
        if let Ok(name) = error.fault().name().parse() {
            status.metadata_mut().insert(FAULT, name);
        }
        status
    }
}
