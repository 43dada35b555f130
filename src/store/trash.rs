//! What is on its way out.
//!
//! Pods made it: it may be deeper than any stack and any table of open files, and hold anything. So no directory is
//! walked into: one that is not empty gives its own directories to the trash itself, and can go then.

use std::ffi::CStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::Store;
use super::error::{Error, IoContext};
use super::key::random_name;

impl Store {
    /// Takes something out of sight in one step.
    pub(super) fn discard(&self, path: &Path) -> Result<(), Error> {
        let trash = self.bucket("trash").join(random_name());
        let renamed = fs::rename(path, &trash);
        renamed.if_there("discard", path).map(drop)
    }

    /// Deletes what was discarded. Takes as long as it takes: never under a lock, never in a call's way. What cannot
    /// be deleted keeps nothing else from being deleted; the error names the first of it.
    pub fn empty_trash(&self) -> Result<(), Error> {
        let _alone = self.emptying.take();
        let path = self.bucket("trash");
        let trash = openat(CWD, &path, DIRECTORY, Mode::empty()).at("open", &path)?;
        // Each pass takes away at least one level of all that is there.
        loop {
            let pass = pass(&trash).at("list", &path)?;
            if pass.gone == 0 {
                return match pass.left {
                    None => Ok(()),
                    Some((name, errno)) => Err(errno).at("remove", &path.join(name)),
                };
            }
        }
    }

    /// The same for one who has other things to do: what cannot be deleted is said, and in nobody's way.
    pub fn try_to_empty_trash(&self) {
        if let Err(error) = self.empty_trash() {
            tracing::warn!(%error, "cannot delete discarded files; the next start will retry");
        }
    }
}

/// Follows no link, and hands no handle down to a child.
pub(super) const DIRECTORY: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

#[derive(Default)]
struct Pass {
    /// How many entries of the trash went.
    gone: usize,
    /// The first that did not, and why.
    left: Option<(String, Errno)>,
}

fn pass(trash: &OwnedFd) -> rustix::io::Result<Pass> {
    let mut pass = Pass::default();
    each(trash, |name| match remove(trash, name) {
        Ok(()) => pass.gone += 1,
        Err(errno) => {
            // The names in the trash are ours, and fit to be shown.
            let named = || (name.to_string_lossy().into_owned(), errno);
            pass.left.get_or_insert_with(named);
        }
    })?;
    Ok(pass)
}

/// Removes an entry of the trash; the directories in it become entries of the trash themselves.
fn remove(trash: &OwnedFd, name: &CStr) -> rustix::io::Result<()> {
    if unlinked(trash, name)? {
        return Ok(());
    }
    let inside = openat(trash, name, DIRECTORY, Mode::empty())?;
    let mut left = Ok(());
    each(&inside, |name| {
        let gone = unlinked(&inside, name).and_then(|gone| match gone {
            true => Ok(()),
            false => renameat(&inside, name, trash, random_name().as_str()),
        });
        left = left.and(gone);
    })?;
    left?;
    unlinkat(trash, name, AtFlags::REMOVEDIR)
}

/// Removes an entry of a directory; false if it is a directory that is not empty.
fn unlinked(parent: &OwnedFd, name: &CStr) -> rustix::io::Result<bool> {
    let removed = match unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => unlinkat(parent, name, AtFlags::REMOVEDIR),
        other => other,
    };
    match removed {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Calls `act` with every entry; those that are made or moved meanwhile may be among them.
pub(super) fn each(dir: &OwnedFd, mut act: impl FnMut(&CStr)) -> rustix::io::Result<()> {
    for entry in Dir::new(openat(dir, c".", DIRECTORY, Mode::empty())?)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            act(name);
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::store::Settings;

    pub(in crate::store) fn store(root: &Path) -> Store {
        let limits = crate::store::Limits {
            cache: None,
            free: "0".parse().unwrap(),
        };
        let owner = rustix::process::geteuid().as_raw();
        let root = root.to_owned();
        Store::open(&Settings {
            root,
            limits,
            owner,
        })
        .unwrap()
    }

    /// More levels than a thread's stack has room for frames, or a process for open files.
    fn nest(dir: &Path, levels: usize) {
        let mut at = openat(CWD, dir, DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..levels {
            rustix::fs::mkdirat(&at, c"d", Mode::RWXU).unwrap();
            at = openat(&at, c"d", DIRECTORY, Mode::empty()).unwrap();
        }
        openat(&at, c"file", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU).unwrap();
    }

    #[test]
    fn a_tree_of_any_depth_and_width_is_deleted_and_links_lead_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir.path().join("root"));
        let outside = dir.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "").unwrap();
        let given = dir.path().join("root/given");
        for i in 0..100 {
            fs::create_dir_all(given.join(format!("wide/{i}/sub"))).unwrap();
            fs::write(given.join(format!("wide/{i}/sub/file")), "").unwrap();
        }
        for link in ["/", "../..", outside.to_str().unwrap()] {
            let name = link.replace('/', "-");
            std::os::unix::fs::symlink(link, given.join(&name)).unwrap();
            std::os::unix::fs::symlink(link, given.join("wide").join(&name)).unwrap();
        }
        nest(&given, 20_000);
        store.discard(&given).unwrap();
        store.empty_trash().unwrap();
        assert_eq!(fs::read_dir(store.bucket("trash")).unwrap().count(), 0);
        assert!(outside.join("file").exists());
    }
}
