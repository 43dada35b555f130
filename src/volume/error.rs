//! Why a volume is not there, or does not go.

use std::path::PathBuf;
use std::sync::Arc;

use super::attributes;
use super::classes;
use super::locks::Busy;
use super::objects::Object;
use super::plan::{Refusal, TargetState};
use crate::fault::Fault;
use crate::mount::Target;
use crate::unpack::zip;
use crate::{acquire, artifact, mount, store};

/// A publish or unpublish that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The attributes.
    #[error(transparent)]
    Attributes(#[from] attributes::Error),
    /// What the volume's VolumeAttributesClass sets.
    #[error("the VolumeAttributesClass {}: {error}", artifact::shown(name))]
    Class {
        /// Its name.
        name: String,
        /// What is wrong.
        error: classes::Error,
    },
    /// The artifact.
    #[error(transparent)]
    Acquire(#[from] Arc<acquire::Error>),
    /// The disk.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The mounts.
    #[error(transparent)]
    Mount(#[from] mount::Error),
    /// No safe way to show it.
    #[error(
        "the attribute layout: copy is not supported for a volume that the driver makes read-only; set \
         persistentVolumeClaim.readOnly: true in the pod, or writable: scratch in the StorageClass"
    )]
    NoSafeForm,
    /// What it shows is to change, and the way that it is shown does not allow that.
    #[error(
        "the content of this volume may change (refresh, a variable or a VolumeAttributesClass), but a read-only overlay \
         cannot change while it is mounted; {}",
        if *relabels {
            "on a node with SELinux only writable volumes can: remove readOnly: true, or set writable: scratch in the \
             StorageClass"
        } else {
            "set persistentVolumeClaim.readOnly: true in the pod, writable: scratch in the StorageClass, or readOnly: true \
             without layout: overlay"
        }
    )]
    Fixed {
        /// Whether that is because of the labels of files.
        relabels: bool,
    },
    /// What is to be shown is no archive, although its name says so.
    #[error("{url} is not a zip archive: {error}; fix the artifact on the server, or the URL")]
    Archive {
        /// Where it is from, redacted.
        url: String,
        /// What is wrong.
        error: zip::Error,
    },
    /// Published at this target before, from other attributes.
    #[error(
        "{} already has this volume with other attributes or another readonly flag; unpublish it first, or repeat the \
         same request",
        .0.display()
    )]
    Differs(PathBuf),
    /// Something in the way.
    #[error("{}: {}; nothing was changed", target.display(), in_the_way(*state))]
    Occupied {
        /// Where.
        target: PathBuf,
        /// What it is.
        state: TargetState,
    },
    /// Seen elsewhere, and made for one place.
    #[error(
        "the volume at {} is also mounted at {}, but its access mode allows one pod at a time; delete the other pod \
         first, or use ReadOnlyMany",
        target.display(),
        other.display()
    )]
    SecondTarget {
        /// Where it was wanted.
        target: PathBuf,
        /// Where it is.
        other: PathBuf,
    },
    /// Nothing can be shown yet.
    #[error("the driver is not ready: {0}")]
    NotReady(String),
    /// The API server has not said yet what the volume needs to know.
    #[error("waiting for the API server to report {0}")]
    Unseen(Object),
    /// Another call has it locked.
    #[error("another operation on the volume at {} is in progress; try again", .0.display())]
    Busy(PathBuf),
    /// An unpublish came while the artifact was waited for.
    #[error("the volume at {} was unpublished while it was waiting for its artifact", .0.display())]
    Ended(PathBuf),
    /// A directory that was typed.
    #[error("the directory \"{}\": {why}", dir.display())]
    Directory {
        /// Which.
        dir: PathBuf,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// Not the command line's to take away.
    #[error("{} is the volume of a pod; delete the pod, and kubelet unmounts it", .0.display())]
    Kubelets(PathBuf),
    /// An unmount came right after.
    #[error("{} was unmounted in the meantime", .0.display())]
    GoneAgain(PathBuf),
    /// What the volume showed before cannot be shown again.
    #[error("the content of the volume at {} is damaged ({why}); delete the pod, so that it is downloaded again", target.display())]
    Damaged {
        /// Where.
        target: PathBuf,
        /// How.
        why: String,
    },
    /// An error that would be final for a volume that was never published, but this one was: the caller must not
    /// forget it (law 1).
    #[error("{0}")]
    Published(Box<Error>),
    /// The system gives us no thread.
    #[error("cannot start a thread: {0}; raise this program's limit on processes or memory")]
    Thread(std::io::Error),
    /// A thread of ours ended as it never should.
    #[error("an internal error at the volume {}: {what}; please report it", target.display())]
    Bug {
        /// Where.
        target: PathBuf,
        /// What happened.
        what: String,
    },
}

impl From<acquire::Error> for Error {
    fn from(error: acquire::Error) -> Self {
        Self::Acquire(Arc::new(error))
    }
}

impl Error {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Attributes(e) => e.fault(),
            Self::Class { error, .. } => error.fault(),
            Self::Acquire(e) => e.fault(),
            Self::Store(e) => e.fault(),
            Self::Mount(e) => e.fault(),
            Self::Archive { .. } => Fault::Mismatch,
            Self::NoSafeForm
            | Self::Fixed { .. }
            | Self::Directory { .. }
            | Self::Kubelets(_)
            | Self::GoneAgain(_) => Fault::Invalid,
            Self::Differs(_) => Fault::Differs,
            Self::Occupied { .. } | Self::SecondTarget { .. } => Fault::Occupied,
            Self::Busy(_) | Self::Ended(_) | Self::Unseen(_) => Fault::Pending,
            Self::Damaged { .. } | Self::Published(_) | Self::NotReady(_) | Self::Thread(_) => {
                Fault::Unavailable
            }
            Self::Bug { .. } => Fault::Bug,
        }
    }

    pub(super) fn bug(target: &Target, what: impl Into<String>) -> Self {
        Self::Bug {
            target: target.path(),
            what: what.into(),
        }
    }

    pub(super) fn of_busy(busy: Busy, target: PathBuf) -> Self {
        match busy {
            Busy::Committing => Self::Busy(target),
            Busy::Ended => Self::Ended(target),
        }
    }

    pub(super) fn of_refusal(refusal: Refusal, target: PathBuf) -> Self {
        match refusal {
            Refusal::Differs => Self::Differs(target),
            Refusal::Occupied(state) => Self::Occupied { target, state },
        }
    }

    pub(super) fn unreadable(target: PathBuf, error: &artifact::Error) -> Self {
        Self::Damaged {
            target,
            why: format!("its record: {error}"),
        }
    }

    /// Law 1: of a volume that was published before, no error is final, save that its attributes differ.
    pub(super) fn of_published(self) -> Self {
        match self.fault() {
            Fault::Differs | Fault::NoSpace | Fault::Unavailable | Fault::Pending => self,
            Fault::Invalid
            | Fault::NotFound
            | Fault::Unauthenticated
            | Fault::Denied
            | Fault::Mismatch
            | Fault::TooLarge
            | Fault::Occupied
            | Fault::Bug => Self::Published(Box::new(self)),
        }
    }
}

fn in_the_way(state: TargetState) -> &'static str {
    match state {
        TargetState::Full => "the directory is not empty; choose an empty one",
        TargetState::NoDirectory => "not a directory; choose a directory, not a file or a symlink",
        TargetState::Foreign => {
            "something else is mounted there; unmount it, or choose another directory"
        }
        // Never in the way; said all the same if it ever is.
        TargetState::Free | TargetState::Empty | TargetState::Ours => "unexpected state",
    }
}
