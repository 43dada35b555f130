//! Requests that cannot be taken as they are.

use crate::artifact;
use crate::fault::Fault;
use crate::{socket, volume};

/// The mount options that a bind and an overlay keep in a container too; a runtime drops others, such as noexec.
pub(super) const FLAGS: [&str; 5] = ["ro", "rw", "nosuid", "nodev", "relatime"];

/// A request that was refused before anything was looked at, or a socket that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A required field is empty.
    #[error("{0} is missing from the request")]
    Missing(&'static str),
    /// A field is longer than the specification allows.
    #[error("{field} has {bytes} bytes; at most {most} are allowed")]
    TooLong {
        /// Which.
        field: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
    /// Not below kubelet's directory, or no path at all.
    #[error("{0}")]
    Target(volume::TargetError),
    /// A raw block device.
    #[error("block volumes are not supported: an artifact is a file; set volumeMode: Filesystem")]
    Block,
    /// An access mode that promises what one node's copy cannot keep.
    #[error(
        "the access mode {0} is not supported: each node has its own copy, so writes on one node are invisible on \
         others; use ReadWriteOnce, ReadWriteOncePod or ReadOnlyMany"
    )]
    MultiWriter(&'static str),
    /// An access mode of a newer specification.
    #[error("unknown access mode {0}; use ReadWriteOnce, ReadWriteOncePod or ReadOnlyMany")]
    Mode(i32),
    /// A mount option of the PersistentVolume.
    #[error("the mount option {} is not supported; supported options: {}", artifact::shown(.0), FLAGS.join(", "))]
    Flag(String),
    /// The group to own the volume.
    #[error("{} is not a group ID; set fsGroup to one", artifact::shown(.0))]
    Group(String),
    /// A key that only Kubernetes writes, in a volume where it cannot have.
    #[error(
        "the attribute {} is reserved for Kubernetes and cannot be set in an inline volume; remove it",
        artifact::shown(.0)
    )]
    Forged(String),
    /// A size below zero.
    #[error("{field} is {bytes}; it must not be negative")]
    Negative {
        /// Which.
        field: &'static str,
        /// What it says.
        bytes: i64,
    },
    /// A size that nothing can have.
    #[error(
        "the claim requests {required} bytes, more than its limit of {limit}; lower the request or raise the limit"
    )]
    NoSize {
        /// At least.
        required: u64,
        /// At most.
        limit: u64,
    },
    /// A snapshot or a volume to begin with.
    #[error(
        "a volume cannot be created from a snapshot or another volume: downloadURL defines its content; remove the \
         claim's dataSource"
    )]
    Content,
    /// Parameters that may change while the volume lives.
    #[error(
        "VolumeAttributesClass is not enabled; set node.upgrade.classes: true in the chart, or remove the claim's \
         volumeAttributesClassName"
    )]
    Mutable,
    /// A parameter that external-provisioner reads, without the prefix by which it knows its own.
    #[error(
        "unknown parameter {}; its name is csi.storage.k8s.io/fstype, and it has no effect here: remove it",
        artifact::shown(.0)
    )]
    FsType(String),
    /// The volume is not here.
    #[error("no volume {} is published at {}", artifact::shown(.volume), artifact::shown(.path))]
    Unknown {
        /// Which.
        volume: String,
        /// Where it should be.
        path: String,
    },
    /// It is not done yet; what is done instead.
    #[error("{0}; continuing in the background")]
    Pending(String),
    /// The driver ends.
    #[error(
        "the driver is shutting down; the partial download is kept, and the next driver resumes it"
    )]
    Stopping,
    /// A socket.
    #[error("the socket {}: {}", .0.path, .0.why)]
    Socket(#[from] socket::Error),
}

impl Error {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Missing(_)
            | Self::TooLong { .. }
            | Self::Target(_)
            | Self::Block
            | Self::MultiWriter(_)
            | Self::Mode(_)
            | Self::Flag(_)
            | Self::Group(_)
            | Self::Forged(_)
            | Self::Negative { .. }
            | Self::Content
            | Self::Mutable
            | Self::FsType(_)
            | Self::Socket(_) => Fault::Invalid,
            Self::NoSize { .. } => Fault::TooLarge,
            Self::Unknown { .. } => Fault::NotFound,
            Self::Pending(_) => Fault::Pending,
            Self::Stopping => Fault::Unavailable,
        }
    }
}
