//! Where a volume is shown.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Error;
use super::error::LONGEST_PATH;

/// The longest name of one directory, in bytes: NAME_MAX of every file system that Kubernetes runs on.
const LONGEST_NAME: usize = 255;

/// An absolute path below a directory, by its words; that no symlink leads elsewhere is for
/// [`Mounter`](super::Mounter) to see to at each call.
///
/// Repeated and trailing slashes are dropped: two spellings of one path are one target. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target(Arc<Parts>);

#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Parts {
    base: PathBuf,
    /// From `base` to the parent directory; `.` where they are the same.
    parent: PathBuf,
    name: OsString,
}

impl Target {
    /// The target at `path`, which must lie below `base` and be no longer than the kernel takes.
    ///
    /// Errors: [`Error::NotATarget`] says what is wrong and what is allowed.
    pub fn within(base: &Path, path: &Path) -> Result<Self, Error> {
        let wrong = |why| Error::NotATarget {
            path: path.into(),
            base: base.into(),
            why,
        };
        let base_names = names(base).map_err(|_| wrong("the base directory is not such a path"))?;
        let mut names = names(path).map_err(wrong)?.into_iter();
        if !base_names.iter().all(|name| names.next() == Some(name)) {
            return Err(wrong("outside the allowed directory"));
        }
        let name = names
            .next_back()
            .ok_or_else(|| wrong("outside the allowed directory"))?;
        let parent: PathBuf = names.collect();
        Ok(Self(Arc::new(Parts {
            base: Path::new("/").join(base_names.iter().collect::<PathBuf>()),
            parent: if parent.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                parent
            },
            name: name.to_owned(),
        })))
    }

    /// The whole path.
    pub fn path(&self) -> PathBuf {
        let Parts { base, parent, name } = &*self.0;
        if parent.as_os_str() == "." {
            base.join(name)
        } else {
            base.join(parent).join(name)
        }
    }

    /// The directory that it was said to be below.
    pub fn base(&self) -> &Path {
        &self.0.base
    }

    /// The way from [`base`](Self::base) to the directory that holds the target; `.` if it is `base` itself.
    pub fn parent(&self) -> &Path {
        &self.0.parent
    }

    /// The target's own name.
    pub fn name(&self) -> &OsStr {
        &self.0.name
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path().display().fmt(f)
    }
}

/// The names on the way from `/` to a path, or what is wrong with it.
///
/// [`Path::components`] would drop a `.` in the middle in silence; here it is refused, as is `..`.
fn names(path: &Path) -> Result<Vec<&OsStr>, &'static str> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.len() > LONGEST_PATH {
        return Err("too long");
    }
    if bytes.first() != Some(&b'/') {
        return Err("not absolute");
    }
    if bytes.contains(&0) {
        return Err("contains a NUL");
    }
    let names: Vec<&OsStr> = bytes
        .split(|b| *b == b'/')
        .filter(|name| !name.is_empty())
        .map(OsStr::from_bytes)
        .collect();
    if names.iter().any(|name| *name == "." || *name == "..") {
        return Err("contains . or ..");
    }
    if names.iter().any(|name| name.len() > LONGEST_NAME) {
        return Err("contains a name of more than 255 bytes");
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;

    #[test]
    fn a_path_that_is_not_below_the_base_is_refused() {
        let base = Path::new("/var/lib/kubelet");
        let name = format!("/var/lib/kubelet/{}", "n".repeat(256));
        let long = format!("/var/lib/kubelet{}", "/n".repeat(2048));
        for bad in [
            "",
            "pods/x",
            "/",
            "/var/lib/kubelet",
            "/var/lib/kubelet/",
            "/var/lib/kubelet/.",
            "/var/lib/kubelet/./x",
            "/var/lib/kubelet/x/..",
            "/var/lib/kubelet/../../../etc",
            "/var/lib/kubelet2/x",
            "/var/lib",
            "/etc/cron.d",
            "/var/lib/kubelet/\0",
            name.as_str(),
            long.as_str(),
        ] {
            let error = Target::within(base, Path::new(bad)).unwrap_err();
            assert_eq!(error.fault(), Fault::Invalid);
            let text = error.to_string();
            assert!(
                text.contains("use an absolute path below /var/lib/kubelet"),
                "{text}"
            );
            assert!(text.len() < 300, "{text}");
        }
        Target::within(Path::new("var"), Path::new("/var/x")).unwrap_err();
    }

    #[test]
    fn a_target_is_its_base_its_parent_and_its_name() {
        let target =
            |base: &str, path: &str| Target::within(Path::new(base), Path::new(path)).unwrap();
        let one = target("/var/lib/kubelet/", "/var/lib/kubelet//pods/a b/\u{fc}/");
        assert_eq!(one.path(), Path::new("/var/lib/kubelet/pods/a b/\u{fc}"));
        assert_eq!(one.parent(), Path::new("pods/a b"));
        assert_eq!(one.name(), "\u{fc}");
        assert_eq!(
            one,
            target("/var/lib/kubelet", "/var/lib/kubelet/pods/a b/\u{fc}")
        );
        assert_eq!(one.to_string(), "/var/lib/kubelet/pods/a b/\u{fc}");
        let flat = target("/", "/mnt");
        assert_eq!(
            (flat.parent(), flat.path()),
            (Path::new("."), PathBuf::from("/mnt"))
        );
        let longest = format!("/{}", "n".repeat(255));
        assert_eq!(target("/", &longest).path(), Path::new(&longest));
    }
}
