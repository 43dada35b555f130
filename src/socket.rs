//! Sockets that only root may talk to.
//!
//! A socket has its mode before it has a name, and gets its name by one rename: nobody ever finds it half made, and
//! kubelet, which watches the directory of registrations, sees one event.

mod authority;
mod fields;
mod frames;

use std::fmt;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use futures_util::Stream;
use rustix::fs::{Mode, fchmod};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};
use rustix::process::geteuid;
use tokio::net::{UnixListener, UnixStream};

pub use self::authority::Caller;

/// The longest path of a socket, in bytes (`sun_path` without the NUL at its end).
const LONGEST: usize = 107;

/// How many connections wait to be accepted at most (SOMAXCONN).
const BACKLOG: i32 = 4096;

/// How long an answer on a socket that is there may take before it counts as somebody's.
const ANSWER: Duration = Duration::from_secs(1);

/// A socket that cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("the socket {path}: {why}")]
pub struct Error {
    /// Which.
    pub path: String,
    /// What is wrong, and what to do.
    pub why: String,
}

impl Error {
    fn new(path: &Path, why: impl Into<String>) -> Self {
        Self {
            path: path.display().to_string(),
            why: why.into(),
        }
    }
}

/// Where a service is to be had: `unix:///run/war-vol/csi.sock`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(PathBuf);

impl Endpoint {
    /// The path of its socket.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix://{}", self.0.display())
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = format!(
            "use unix:// and an absolute path of at most {LONGEST} bytes, such as unix:///csi/csi.sock"
        );
        let path = text.strip_prefix("unix://").unwrap_or(text);
        let path = PathBuf::from(path);
        let is_plain = path.is_absolute() && path.file_name().is_some() && !text.ends_with('/');
        // Under the name that it has first there is a dot more.
        if !is_plain || path.as_os_str().len() >= LONGEST || text.contains('\0') {
            return Err(allowed);
        }
        Ok(Self(path))
    }
}

/// What may make way for a new socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaces {
    /// A socket that nobody listens at.
    Stale,
    /// Any socket: the name is ours alone.
    Any,
}

/// A socket with a name.
#[derive(Debug)]
pub struct Bound {
    listener: UnixListener,
    name: Name,
}

/// The name of a socket of ours.
#[derive(Clone, Debug)]
pub struct Name {
    path: PathBuf,
    identity: (u64, u64),
}

impl Bound {
    /// Binds at a path in a directory that exists. Must be called within a tokio runtime.
    pub async fn at(path: &Path, replaces: Replaces) -> Result<Self, Error> {
        make_way(path, replaces).await?;
        let failed = |e: io::Error| {
            let why =
                format!("cannot be created: {e}; check that its directory exists and is writable");
            Error::new(path, why)
        };
        let name = path.file_name().unwrap_or_default();
        let first = path.with_file_name(format!(".{}", name.to_string_lossy()));
        // Left by a kill, and nobody else's.
        if is_socket(&first) {
            fs::remove_file(&first).map_err(failed)?;
        }
        let listener = bound(&first).map_err(failed)?;
        let meta = fs::symlink_metadata(&first).map_err(failed)?;
        fs::rename(&first, path).map_err(failed)?;
        Ok(Self {
            listener: UnixListener::from_std(listener).map_err(failed)?,
            name: Name {
                path: path.to_owned(),
                identity: (meta.dev(), meta.ino()),
            },
        })
    }

    /// The name, to be taken away in the end.
    pub fn name(&self) -> Name {
        self.name.clone()
    }

    /// Who connects, if that is root or the user of this process.
    pub fn callers(self) -> impl Stream<Item = io::Result<Caller>> {
        futures_util::stream::unfold(self.listener, |listener| async {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) if may_call(&stream) => {
                        return Some((Ok(Caller::new(stream)), listener));
                    }
                    Ok(_) => {}
                    // No descriptors are left, as a rule: those who end give some back.
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        })
    }
}

impl Name {
    /// Whether it is there, and the socket's still.
    pub fn is_there(&self) -> bool {
        let ours = |meta: fs::Metadata| (meta.dev(), meta.ino()) == self.identity;
        fs::symlink_metadata(&self.path).is_ok_and(ours)
    }

    /// Takes the name away, unless somebody else has it by now.
    pub fn unlink(&self) {
        if self.is_there()
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(socket = %self.path.display(), %error, "cannot remove a socket");
        }
    }
}

fn may_call(stream: &UnixStream) -> bool {
    let own = geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == 0 || peer.uid() == own => true,
        Ok(peer) => {
            tracing::warn!(uid = peer.uid(), "rejected a caller that is not root");
            false
        }
        Err(error) => {
            tracing::warn!(%error, "rejected a caller of unknown identity");
            false
        }
    }
}

fn bound(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // The name takes over the mode that the socket has now; a mode given after would be too late.
    fchmod(&fd, Mode::RUSR | Mode::WUSR)?;
    bind(&fd, &SocketAddrUnix::new(path)?)?;
    listen(&fd, BACKLOG)?;
    Ok(fd.into())
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
}

/// Finds out whether what stands at a path may be replaced.
async fn make_way(path: &Path, replaces: Replaces) -> Result<(), Error> {
    let wrong = |why: &str| Error::new(path, why);
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(wrong(&e.to_string())),
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(wrong(
                "something that is not a socket is there; remove it, or choose another path",
            ));
        }
        Ok(_) if replaces == Replaces::Any => return Ok(()),
        Ok(_) => {}
    }
    match tokio::time::timeout(ANSWER, UnixStream::connect(path)).await {
        Ok(Err(e)) if e.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Ok(Err(e)) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(Err(e)) => Err(wrong(&format!(
            "a socket is there, but it cannot be probed: {e}"
        ))),
        Ok(Ok(_)) | Err(_) => Err(wrong(
            "another process serves it; stop that one, or choose another path",
        )),
    }
}

/// Makes sure that only its owner enters the directory of a socket, and makes it if it is missing.
pub fn private_directory(socket: &Path) -> Result<(), Error> {
    let dir = socket.parent().unwrap_or(Path::new("/"));
    let wrong = |why: String| Error::new(socket, why);
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => return Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => {
            return Err(wrong(format!(
                "its directory {} cannot be created: {e}",
                dir.display()
            )));
        }
    }
    let failed = |e: io::Error| wrong(format!("its directory {}: {e}", dir.display()));
    let meta = fs::metadata(dir).map_err(failed)?;
    if !meta.is_dir() {
        return Err(wrong(format!("{} is not a directory", dir.display())));
    }
    if meta.mode() & 0o077 == 0 {
        return Ok(());
    }
    // kubelet makes such a directory with 0755 (hostPath, DirectoryOrCreate). One that holds other things is not ours.
    let others = fs::read_dir(dir).map_err(failed)?.flatten().any(|entry| {
        let name = entry.file_name();
        Some(name.as_os_str()) != socket.file_name() && !is_socket(&entry.path())
    });
    if others || meta.uid() != geteuid().as_raw() {
        return Err(wrong(format!(
            "its directory {} is accessible to others (mode {:o}); give the socket a directory of its own, with mode \
             0700",
            dir.display(),
            meta.mode() & 0o7777
        )));
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(failed)
}
