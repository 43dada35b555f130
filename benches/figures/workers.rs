//! What this program is started for by itself.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Subcommand;

use crate::measured::{self, pin};
use crate::outcome::Outcome;
use crate::worker::hash;
use crate::{against, cached, called, changing, idle, many, storm, synced};

#[derive(Subcommand, Clone, Debug)]
#[command(hide = true)]
pub(crate) enum Worker {
    /// Runs a program and says what it used
    #[command(name = "worker-measured")]
    Measured {
        #[arg(long)]
        core: Option<usize>,
        #[arg(last = true)]
        program: Vec<OsString>,
    },
    /// Says how long the SHA-256 of a file takes
    #[command(name = "worker-hash")]
    Hash {
        #[arg(long)]
        core: Option<usize>,
        file: PathBuf,
    },
    /// Downloads all at once
    #[command(name = "worker-many")]
    Many {
        dir: PathBuf,
        /// SHA-256 and URL of each
        #[arg(num_args = 1..)]
        objects: Vec<String>,
    },
    /// Publishes one cached artifact many times, and its bare parts beside it
    #[command(name = "worker-warm")]
    Warm(cached::Asked),
    /// Has a driver publish one cached artifact many times, and makes its bare parts beside it
    #[command(name = "worker-called")]
    Called(called::Asked),
    /// Has a driver change what a volume shows, and links and renames beside it
    #[command(name = "worker-changing")]
    Changing(changing::Asked),
    /// Has drivers of two builds publish one cached artifact in turn
    #[command(name = "worker-against")]
    Against(against::Asked),
    /// Has a driver publish one artifact for many pods at once
    #[command(name = "worker-storm")]
    Storm {
        dir: PathBuf,
        object: String,
        /// kill -9 in the middle
        #[arg(long)]
        kill: bool,
    },
    /// Watches a driver that has nothing to do
    #[command(name = "worker-idle")]
    Idle { dir: PathBuf, object: String },
    /// Publishes a cached artifact, under strace
    #[command(name = "worker-synced")]
    Synced { dir: PathBuf, object: String },
}

impl Worker {
    pub(crate) fn run(&self) -> Outcome {
        match self {
            Self::Measured { core, program } => measured::wrap(*core, program),
            Self::Hash { core, file } => {
                pin(*core)?;
                println!("{}", hash(file)?);
                Ok(())
            }
            Self::Many { dir, objects } => many::work(dir, objects),
            Self::Warm(asked) => cached::work(asked),
            Self::Called(asked) => called::work(asked),
            Self::Changing(asked) => changing::work(asked),
            Self::Against(asked) => against::work(asked),
            Self::Storm { dir, object, kill } => storm::work(dir, object, *kill),
            Self::Idle { dir, object } => idle::work(dir, object),
            Self::Synced { dir, object } => synced::work(dir, object),
        }
    }
}
