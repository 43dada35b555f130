//! What overlays can do on this machine, found by trying.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FsWord, Mode, OFlags, open, statfs};
use rustix::io::Errno;

use super::{Linux, look, selinux, view};
use crate::mount::{Error, Features, Mounter, Overlay, Target, Upper};

/// What statfs(2) calls an overlay; rustix 1.1 has no name for it.
const OVERLAYFS_SUPER_MAGIC: FsWord = 0x794c_7630;

/// The directory of the self-test, of which there is one at a time.
const NAME: &str = ".mount-test";

/// What the lower file holds: enough that a copy of it shows in the blocks of the upper one.
static CONTENT: [u8; 64 << 10] = [0x57; 64 << 10];

/// Runs the self-test in a directory of its own below `scratch`.
pub(super) fn run(scratch: &Path) -> Result<Features, Error> {
    let unsupported = |why| Error::Unsupported {
        path: scratch.into(),
        why,
    };
    if !Path::new("/proc/thread-self/fd").is_dir() {
        return Err(unsupported("there is no /proc; mount it"));
    }
    let seen = statfs(scratch).map_err(|e| Error::system("access store", scratch, e))?;
    if seen.f_type == OVERLAYFS_SUPER_MAGIC {
        return Err(Error::OnOverlay(scratch.into()));
    }
    let directory = open(scratch, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| Error::system("access store", scratch, e))?;
    if !look::tells_mounts(&directory) {
        return Err(unsupported(
            "the kernel is too old; Linux 5.8 or later is needed",
        ));
    }
    Bench::new(scratch)?.features()
}

/// The directories of one self-test; goes with all that is mounted in it.
struct Bench {
    root: PathBuf,
    target: Target,
}

impl Drop for Bench {
    fn drop(&mut self) {
        // What cannot be removed is removed by the next start, or named by its error.
        drop(self.clear());
    }
}

impl Bench {
    fn new(scratch: &Path) -> Result<Self, Error> {
        let root = scratch.join(NAME);
        let target = Target::within(scratch, &root.join("shown"))?;
        let bench = Self { root, target };
        bench.clear()?;
        for name in ["lower", "empty", "shown"] {
            bench.directory(name)?;
        }
        let file = bench.root.join("lower/file");
        fs::write(&file, CONTENT).map_err(|e| Error::io("write", &file, &e))?;
        Ok(bench)
    }

    fn clear(&self) -> Result<(), Error> {
        view::unmount_all(&self.root.join("shown"))?;
        match fs::remove_dir_all(&self.root) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove", &self.root, &e))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn directory(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.root.join(name);
        view::make_private(&path)?;
        Ok(path)
    }

    fn features(&self) -> Result<Features, Error> {
        let plain = Features {
            selinux: selinux::is_on()?,
            ..Features::default()
        };
        self.read_only(plain)
            .and_then(|()| self.writable("plain", plain))
            .map_err(|e| self.why(e))?;
        let metacopy = Features {
            metacopy: true,
            ..plain
        };
        let volatile = Features {
            volatile: true,
            ..plain
        };
        Ok(Features {
            metacopy: self
                .offered("metacopy", metacopy)?
                .is_some_and(|copied| !copied),
            volatile: self.offered("volatile", volatile)?.is_some(),
            selinux: plain.selinux,
        })
    }

    /// As [`writable`](Self::writable); `None` if this kernel has no such option.
    fn offered(&self, name: &str, features: Features) -> Result<Option<bool>, Error> {
        match self.writable(name, features) {
            Ok(copied) => Ok(Some(copied)),
            Err(Error::Mount {
                errno: Errno::INVAL,
                ..
            }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    fn read_only(&self, features: Features) -> Result<(), Error> {
        let overlay = Overlay {
            volume: "self-test",
            lower: &[self.root.join("lower"), self.root.join("empty")],
            upper: None,
        };
        let linux = Linux { features };
        linux.overlay(&overlay, &linux.parent(&self.target)?, &self.target)?;
        linux.unmount(&self.target).map(drop)
    }

    /// Changes a shared file's mode through a writable overlay; says whether its data was copied.
    fn writable(&self, name: &str, features: Features) -> Result<bool, Error> {
        let upper = self.directory(&format!("{name}/upper"))?;
        let work = self.directory(&format!("{name}/work"))?;
        let overlay = Overlay {
            volume: "self-test",
            lower: &[self.root.join("lower")],
            upper: Some(Upper {
                upper: &upper,
                work: &work,
            }),
        };
        let linux = Linux { features };
        linux.overlay(&overlay, &linux.parent(&self.target)?, &self.target)?;
        let shown = self.target.path().join("file");
        let copied = fs::set_permissions(&shown, Permissions::from_mode(0o600))
            .and_then(|()| fs::metadata(upper.join("file")))
            .map(|made| made.blocks() * 512 >= CONTENT.len() as u64)
            .map_err(|e| Error::io("write through overlay", &shown, &e));
        linux.unmount(&self.target)?;
        copied
    }

    /// What a refusal of the plainest overlay means.
    fn why(&self, error: Error) -> Error {
        let Error::Mount { errno, .. } = error else {
            return error;
        };
        let why = if errno == Errno::NODEV {
            "this kernel has no overlayfs; load its module (modprobe overlay)"
        } else if errno == Errno::INVAL {
            "the kernel cannot mount an overlay on this file system (see the kernel log); put the store on ext4 or xfs \
             (ftype=1)"
        } else {
            return error;
        };
        Error::Unsupported {
            path: self.root.as_path().into(),
            why,
        }
    }
}
