//! Why a target could not be made, shown or taken away.

use std::fmt;
use std::io;
use std::path::Path;

use rustix::io::Errno;

use crate::fault::Fault;

/// The longest path, in bytes: PATH_MAX without the NUL at its end.
pub(super) const LONGEST_PATH: usize = 4095;

/// The most bytes of options that mount(2) takes: one page of the smallest size, without the NUL at its end.
/// It cuts off the rest without an error.
pub(super) const LONGEST_OPTIONS: usize = 4095;

/// A failure at one target, or in the self-test. Every message names the path and, where somebody can do
/// something, what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The path that was asked for cannot be a target, whatever stands there.
    #[error(
        "target {path}: {why}; use an absolute path below {base}, without . or .., of at most {} bytes",
        LONGEST_PATH
    )]
    NotATarget {
        /// The path.
        path: ShownPath,
        /// The directory that it has to be in.
        base: ShownPath,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A directory on the way to the target is a symlink.
    #[error("target {0}: leads through a symlink; use the real path")]
    Symlink(ShownPath),
    /// The directory in which the target should be made is not there.
    #[error(
        "target {0}: its parent directory does not exist; if the caller created it, the driver does not see the \
         same directory: check its hostPath and mount propagation"
    )]
    NoParent(ShownPath),
    /// The target is not there, or was moved while something was mounted on it.
    #[error("target {0}: missing, or moved in the meantime; publish again")]
    Gone(ShownPath),
    /// A file, a symlink or the like stands at the target.
    #[error("target {0}: not a directory; remove what is there")]
    NotADirectory(ShownPath),
    /// The target's directory cannot be removed because of what is in it or on it.
    #[error(
        "cannot remove target {path}: {why}; war-vol did not create that, so remove it and unpublish again"
    )]
    NotRemovable {
        /// The target.
        path: ShownPath,
        /// What is in it or on it.
        why: &'static str,
    },
    /// The caller asked for layers that no overlay can have.
    #[error("overlay at {path}: {why}")]
    Layers {
        /// The target.
        path: ShownPath,
        /// What is wrong with them.
        why: &'static str,
    },
    /// The kernel takes one page of options, and cuts the rest off in silence.
    #[error(
        "overlay at {path}: the mount options need {bytes} bytes, but the kernel accepts {}; put the store into a \
         directory with a shorter path",
        LONGEST_OPTIONS
    )]
    TooLong {
        /// The target.
        path: ShownPath,
        /// How many bytes the options take.
        bytes: usize,
    },
    /// This process may not mount.
    #[error(
        "cannot {act} {path}: {errno}; mounting needs root (CAP_SYS_ADMIN) and no AppArmor, SELinux or seccomp rule \
         against it, so run the container privileged"
    )]
    Privilege {
        /// What was tried.
        act: &'static str,
        /// Where.
        path: ShownPath,
        /// What the kernel answered.
        errno: Errno,
    },
    /// The store in this directory cannot hold writable layers.
    #[error(
        "store {0}: is on an overlay file system (a container's root?), which cannot hold a writable layer; put it \
         on a real one, such as a hostPath or a disk (ext4, xfs)"
    )]
    OnOverlay(ShownPath),
    /// This kernel, or the file system of the store, cannot do what every volume needs.
    #[error("self-test in {path} failed: {why}")]
    Unsupported {
        /// The directory of the self-test.
        path: ShownPath,
        /// What it cannot do, and what can.
        why: &'static str,
    },
    /// What is mounted below kubelet's directory stays in this mount namespace.
    #[error(
        "mounts below {0} are invisible outside the driver, because that mount is not shared; mount it with \
         mountPropagation: Bidirectional (on a host: mount --make-rshared)"
    )]
    NotShared(ShownPath),
    /// The kernel refused a mount.
    #[error("cannot {act} {path}: {errno}{}", hint(*errno))]
    Mount {
        /// What was tried.
        act: &'static str,
        /// Where.
        path: ShownPath,
        /// What the kernel answered.
        errno: Errno,
    },
    /// The operating system refused something else.
    #[error("cannot {act} {path}: {errno}")]
    System {
        /// What was tried.
        act: &'static str,
        /// Where.
        path: ShownPath,
        /// What the kernel answered.
        errno: Errno,
    },
}

impl Error {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NotATarget { .. } | Self::Symlink(_) => Fault::Invalid,
            Self::NotADirectory(_) | Self::NotRemovable { .. } => Fault::Occupied,
            Self::Layers { .. } => Fault::Bug,
            Self::Privilege { .. } => Fault::Denied,
            Self::NoParent(_)
            | Self::Gone(_)
            | Self::TooLong { .. }
            | Self::OnOverlay(_)
            | Self::NotShared(_)
            | Self::Unsupported { .. } => Fault::Unavailable,
            Self::Mount { errno, .. } | Self::System { errno, .. } => {
                Fault::of_io(&io::Error::from(*errno))
            }
        }
    }

    /// Whether the file system takes no writes.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::System { errno, .. } if *errno == Errno::ROFS)
    }

    pub(super) fn system(act: &'static str, path: &Path, errno: Errno) -> Self {
        Self::System {
            act,
            path: path.into(),
            errno,
        }
    }

    pub(super) fn io(act: &'static str, path: &Path, error: &io::Error) -> Self {
        let errno = Errno::from_io_error(error).unwrap_or(Errno::IO);
        Self::system(act, path, errno)
    }

    /// A refusal of mount(2) or umount(2).
    pub(super) fn mount(act: &'static str, path: &Path, errno: Errno) -> Self {
        let path = path.into();
        if matches!(errno, Errno::PERM | Errno::ACCESS) {
            Self::Privilege { act, path, errno }
        } else {
            Self::Mount { act, path, errno }
        }
    }
}

/// What an answer of mount(2) means beyond its own words.
fn hint(errno: Errno) -> &'static str {
    if errno == Errno::NOENT {
        "; what should be mounted is missing"
    } else if errno == Errno::INVAL {
        "; see the kernel log"
    } else if errno == Errno::NOSPC {
        "; no disk space or inodes left, or more mounts than sysctl fs.mount-max allows"
    } else {
        ""
    }
}

/// A path as it may be shown in a message: escaped, and cut in its middle where it is long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownPath(String);

impl From<&Path> for ShownPath {
    fn from(path: &Path) -> Self {
        const HEAD: usize = 48;
        const TAIL: usize = 96;
        // A path may be a megabyte of somebody's making: only its two ends are ever looked at.
        let text: Vec<char> = path
            .to_string_lossy()
            .chars()
            .flat_map(char::escape_debug)
            .collect();
        if text.len() <= HEAD + TAIL + 1 {
            return Self(text.into_iter().collect());
        }
        let (head, tail) = (&text[..HEAD], &text[text.len() - TAIL..]);
        Self(head.iter().chain(&['…']).chain(tail).collect())
    }
}

impl fmt::Display for ShownPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_keeps_its_ends_and_a_hostile_one_is_escaped() {
        let long = format!("/var/lib/kubelet/{}/webapps/mount", "x/".repeat(1 << 18));
        let shown = ShownPath::from(Path::new(&long)).to_string();
        assert!(shown.starts_with("/var/lib/kubelet/x/"), "{shown}");
        assert!(shown.ends_with("/webapps/mount"), "{shown}");
        assert!(shown.chars().count() < 150);
        assert_eq!(
            ShownPath::from(Path::new("/a\n\u{1b}[0m")).to_string(),
            "/a\\n\\u{1b}[0m"
        );
    }

    #[test]
    fn a_full_disk_is_no_space_and_a_missing_right_is_denied() {
        let of = |errno| Error::mount("mount overlay at", Path::new("/t"), errno).fault();
        assert_eq!(of(Errno::NOSPC), Fault::NoSpace);
        assert_eq!(of(Errno::PERM), Fault::Denied);
        assert_eq!(of(Errno::INVAL), Fault::Unavailable);
        assert_eq!(of(Errno::IO), Fault::Unavailable);
    }
}
