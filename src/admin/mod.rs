//! The second socket: the command line talks to a running driver.
//!
//! Owns the protocol (`warvol.admin.v1`, proto/admin.proto), and both of its ends: a command that finds the store in a
//! use by a driver ([`Client`]) gets from that driver what it would have found out or done by itself ([`serve()`]).
//!
//! Invariants: a request is never printed, because it carries secrets. A failure arrives with the fault and the words
//! that it had in the driver. Whoever hangs up leaves nothing half done.
//!
//! Left out on purpose: what a volume or the cache is ([`volume`](crate::volume)'s), and any right but root's.

mod client;
mod convert;
mod error;
mod serve;
mod server;
mod space;

#[expect(
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated from proto/, where the meaning of each field is written"
)]
mod proto {
    //! What goes over the wire.
    tonic::include_proto!("warvol.admin.v1");
}

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

pub use self::client::Client;
pub use self::error::Error;
pub use self::serve::serve;

/// The longest message in bytes. Lists are sent item by item, so no message grows with what there is.
const LONGEST_MESSAGE: usize = 1 << 20;

/// The directory of the socket. A root may be longer than the path of a socket, and need not be UTF-8; through an open
/// directory every path is short.
#[derive(Debug)]
struct SocketDir(File);

impl SocketDir {
    const NAME: &str = "admin.sock";

    fn at(root: &Path) -> io::Result<Self> {
        let flags = (OFlags::PATH | OFlags::DIRECTORY).bits().cast_signed();
        let mut options = OpenOptions::new();
        Ok(Self(options.read(true).custom_flags(flags).open(root)?))
    }

    /// Good for as long as this lives.
    fn socket(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd())).join(Self::NAME)
    }
}
