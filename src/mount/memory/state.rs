//! What the model remembers: what was placed, and what is mounted where.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::{Act, Flags};
use crate::mount::{Error, Inode, MountId, Probe, SOURCE, Target, table};

#[derive(Debug, Default)]
pub(super) struct KernelState {
    pub(super) nodes: BTreeMap<PathBuf, Node>,
    /// In the order in which they were made: the last one at a path is the topmost.
    pub(super) mounts: Vec<Layer>,
    pub(super) made: u64,
    pub(super) detached: usize,
    pub(super) refusals: Vec<(Act, Errno)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Directory,
    File,
    Symlink,
}

#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) id: MountId,
    pub(super) target: PathBuf,
    pub(super) what: What,
    pub(super) flags: Flags,
    pub(super) busy: bool,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Bind {
        root: PathBuf,
    },
    Overlay {
        volume: String,
        lower: Vec<PathBuf>,
        upper: Option<PathBuf>,
    },
    Dead,
}

impl KernelState {
    pub(super) fn refused(&mut self, act: Act, target: &Target) -> Result<(), Error> {
        let Some(at) = self.refusals.iter().position(|(of, _)| *of == act) else {
            return Ok(());
        };
        let (_, errno) = self.refusals.remove(at);
        let path = target.path();
        Err(match act {
            Act::Create => Error::system("create target", &path, errno),
            Act::Remove => Error::system("remove target", &path, errno),
            Act::Probe => Error::system("access target", &path, errno),
            Act::Bind => Error::mount("bind-mount at target", &path, errno),
            Act::Overlay => Error::mount("mount overlay at target", &path, errno),
            Act::Unmount => Error::mount("unmount target", &path, errno),
        })
    }

    /// Whether the target's parent is there, on a way without symlinks.
    pub(super) fn has_parent(&self, target: &Target) -> Result<bool, Error> {
        let mut way = target.base().to_owned();
        if self.nodes.get(&way) != Some(&Node::Directory) {
            return Ok(false);
        }
        for name in target.parent().iter().filter(|name| *name != ".") {
            way.push(name);
            match self.nodes.get(&way) {
                Some(Node::Directory) => {}
                Some(Node::Symlink) => {
                    return Err(Error::Symlink(target.path().as_path().into()));
                }
                Some(Node::File) | None => return Ok(false),
            }
        }
        Ok(true)
    }

    pub(super) fn at(&self, path: &Path) -> Probe {
        match (self.top(path), self.nodes.get(path)) {
            (
                Some(Layer {
                    what: What::Dead, ..
                }),
                _,
            ) => Probe::Stale,
            (Some(layer), _) => Probe::Mount(layer.id),
            (None, None) => Probe::Missing,
            (None, Some(Node::File | Node::Symlink)) => Probe::NotADirectory,
            (None, Some(Node::Directory)) => Probe::Directory {
                empty: !self.nodes.keys().any(|node| node.parent() == Some(path)),
            },
        }
    }

    pub(super) fn top(&self, path: &Path) -> Option<&Layer> {
        self.mounts.iter().rev().find(|layer| layer.target == path)
    }

    /// The mount that a path lies on, and the way from its root.
    pub(super) fn over(&self, path: &Path) -> Option<(Layer, PathBuf)> {
        path.ancestors().find_map(|above| {
            let rest = path.strip_prefix(above).ok()?;
            Some((self.top(above)?.clone(), rest.to_owned()))
        })
    }

    pub(super) fn push(&mut self, target: PathBuf, what: What, flags: Flags) -> MountId {
        self.made += 1;
        let shown = match &what {
            What::Bind { root } => Inode::of(root).ok(),
            What::Overlay { .. } | What::Dead => None,
        };
        let id = MountId {
            id: self.made,
            root: shown.unwrap_or(Inode {
                device: u64::MAX - self.made,
                number: 1,
            }),
        };
        self.mounts.push(Layer {
            id,
            target,
            what,
            flags,
            busy: false,
        });
        id
    }

    /// Whether something can be mounted on the target.
    pub(super) fn ready(&self, target: &Target) -> Result<PathBuf, Error> {
        let path = target.path();
        let shown = path.as_path().into();
        if !self.has_parent(target)? {
            return Err(Error::NoParent(shown));
        }
        match self.at(&path) {
            Probe::Directory { .. } | Probe::Mount(_) | Probe::Stale => Ok(path),
            Probe::NotADirectory => Err(Error::NotADirectory(shown)),
            Probe::Missing => Err(Error::Gone(shown)),
        }
    }

    pub(super) fn pop(&mut self, path: &Path) -> bool {
        let Some(at) = self.mounts.iter().rposition(|layer| layer.target == path) else {
            return false;
        };
        if self.mounts.remove(at).busy {
            self.detached += 1;
        }
        true
    }
}

impl Layer {
    /// Where a directory is said to be; one that was removed is said to have been.
    fn told(&self, root: &Path) -> PathBuf {
        if Inode::of(root).is_ok_and(|now| now == self.id.root) {
            return root.to_owned();
        }
        let mut gone = OsString::from(root);
        gone.push("//deleted");
        gone.into()
    }

    /// As the kernel's table would show it.
    pub(super) fn line(&self) -> table::Entry {
        let (root, fs_type, source) = match &self.what {
            What::Bind { root } => (self.told(root), "ext4", OsString::from("/dev/vda")),
            What::Overlay { volume, .. } => (
                PathBuf::from("/"),
                "overlay",
                format!("{SOURCE}{volume}").into(),
            ),
            What::Dead => (PathBuf::from("/"), "fuse", OsString::from("dead")),
        };
        table::Entry {
            id: self.id.id,
            root,
            target: self.target.clone(),
            options: Vec::new(),
            shared: false,
            fs_type: fs_type.into(),
            source,
        }
    }
}
