//! Why a call of kubelet's older interface comes to nothing.

use std::io;
use std::path::PathBuf;

use crate::fault::Fault;
use crate::{admin, mount};

/// A call that failed, or an installation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call that kubelet never makes.
    #[error("{0}; valid calls are init, mount DIR OPTIONS and unmount DIR")]
    Call(&'static str),
    /// A directory that kubelet never names.
    #[error(
        "the directory {dir}: {why}; kubelet uses …/pods/<uid>/volumes/<vendor>~<driver>/<volume>"
    )]
    Directory {
        /// Which, escaped.
        dir: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Options that cannot be read. What is in them is not said: they hold secrets.
    #[error(
        "the options are not a JSON object of strings (line {line}, column {column}); write each value as a string"
    )]
    Options {
        /// Where.
        line: usize,
        /// Where in it.
        column: usize,
    },
    /// One of kubelet's own options.
    #[error("the option {name}: {why}")]
    Option {
        /// Its name, escaped.
        name: String,
        /// What is wrong, and what is allowed.
        why: &'static str,
    },
    /// No driver of this store.
    #[error(
        "no war-vol driver answers on this node ({}); check that its pod runs here: kubectl get pods -A -l \
         app.kubernetes.io/name=war-vol -o wide",
        .0.join("admin.sock").display()
    )]
    Away(PathBuf),
    /// It has stood still for too long.
    #[error(
        "no progress for {minutes} minutes ({at}); the partial download is kept, and kubelet retries; see the driver's \
         log"
    )]
    Still {
        /// How long.
        minutes: u64,
        /// How far it was.
        at: String,
    },
    /// The driver mounts here, and nobody sees it.
    #[error(
        "the driver's mount on {} is not visible on this node; its pod needs kubelet's directory with \
         mountPropagation: Bidirectional",
        .0.display()
    )]
    Unseen(PathBuf),
    /// What is mounted here is not ours to take away.
    #[error("something other than a war-vol volume is mounted on {}; unmount it", .0.display())]
    Foreign(PathBuf),
    /// What `install` has written beside the program.
    #[error("{}: {why}; reinstall the program: war-vol flexvolume install DIR", path.display())]
    Settings {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A root that is no place on every node.
    #[error("--root {}: not an absolute UTF-8 path; use the driver's --root", .0.display())]
    Root(PathBuf),
    /// The installation.
    #[error("cannot {act} {}: {source}", path.display())]
    Install {
        /// What was done.
        act: &'static str,
        /// To what.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// The mounts.
    #[error(transparent)]
    Mount(#[from] mount::Error),
    /// The driver.
    #[error(transparent)]
    Admin(#[from] admin::Error),
}

impl Error {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Call(_)
            | Self::Directory { .. }
            | Self::Options { .. }
            | Self::Option { .. }
            | Self::Unseen(_)
            | Self::Settings { .. }
            | Self::Root(_) => Fault::Invalid,
            Self::Away(_) | Self::Still { .. } => Fault::Unavailable,
            Self::Foreign(_) => Fault::Occupied,
            Self::Install { source, .. } => Fault::of_io(source),
            Self::Mount(e) => e.fault(),
            Self::Admin(e) => e.fault(),
        }
    }
}
