//! A model of a machine's mounts, on which the tests of other layers run without root. It is compiled for tests alone:
//! those outside of the crate switch on the feature `model`.
//!
//! It is a model and no stub: it passes the contract suite of the real one. Targets, and the directories,
//! files and symlinks around them, are the model's own and touch no disk; what is *shown* there lies on the
//! real disk, because the store is real, and [`Memory::read`] and [`Memory::write`] go through the model's
//! mounts to it as a container would.
//!
//! Not modelled: deletion through an overlay, targets below a mount, and the flags of real mounts.

mod state;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, MutexGuard};

use rustix::io::Errno;

use self::state::{KernelState, Layer, Node, What};
use super::options::options;
use super::{Error, Features, MountId, Mounted, Mounter, Overlay, Parent, Probe, Target};
use crate::lock::Turn;

/// The model. Starts with no directory but `/`. A clone is the same machine: a driver that is started again finds in
/// it what it left.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    state: Arc<Turn<KernelState>>,
}

/// What a call of [`Mounter`] does to a target, for [`Memory::refuse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// [`Mounter::create`].
    Create,
    /// [`Mounter::remove`].
    Remove,
    /// [`Mounter::probe`].
    Probe,
    /// [`Mounter::bind`].
    Bind,
    /// [`Mounter::overlay`].
    Overlay,
    /// [`Mounter::unmount`].
    Unmount,
}

/// The flags of a mount that matter to a volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `ro`, of the mount or of its superblock.
    pub read_only: bool,
    /// `nosuid`.
    pub nosuid: bool,
    /// `nodev`.
    pub nodev: bool,
}

/// What the fixture of a test places, and asks.
impl Memory {
    /// Places a directory, and those above it.
    pub fn directory(&self, path: &Path) {
        let mut state = self.state();
        for above in path.ancestors() {
            state.nodes.insert(above.to_owned(), Node::Directory);
        }
    }

    /// Places a file.
    pub fn file(&self, path: &Path) {
        self.state().nodes.insert(path.to_owned(), Node::File);
    }

    /// Places a symlink; where it leads does not matter, because nobody may follow it.
    pub fn symlink(&self, path: &Path) {
        self.state().nodes.insert(path.to_owned(), Node::Symlink);
    }

    /// Removes what stands at a path and below it, as kubelet does with the directory of a pod that is gone.
    pub fn forget(&self, path: &Path) {
        self.state().nodes.retain(|at, _| !at.starts_with(path));
    }

    /// Keeps the topmost mount at a path busy for good.
    pub fn hold(&self, path: &Path) {
        let mut state = self.state();
        if let Some(layer) = state.mounts.iter_mut().rev().find(|l| l.target == path) {
            layer.busy = true;
        }
    }

    /// Mounts something at a path whose server is gone.
    pub fn dead(&self, path: &Path) {
        self.state()
            .push(path.to_owned(), What::Dead, Flags::default());
    }

    /// Binds a directory at a path without any flag, as somebody else may.
    pub fn foreign(&self, source: &Path, path: &Path) {
        let root = source.to_owned();
        self.state()
            .push(path.to_owned(), What::Bind { root }, Flags::default());
    }

    /// Takes all mounts away at once and leaves the directories, as a reboot does.
    pub fn reboot(&self) {
        self.state().mounts.clear();
    }

    /// Answers the next such call with an error of the system; several are used up in their order.
    pub fn refuse(&self, act: Act, errno: Errno) {
        self.state().refusals.push((act, errno));
    }

    /// How many mounts were made, ever: a call that must not touch a mount does not change it.
    pub fn made(&self) -> u64 {
        self.state().made
    }

    /// How many busy mounts were detached.
    pub fn detached(&self) -> usize {
        self.state().detached
    }

    /// The flags of the mount that a path lies on; `None` if it lies on none of the model's.
    pub fn flags(&self, path: &Path) -> Option<Flags> {
        self.state().over(path).map(|(layer, _)| layer.flags)
    }

    /// Reads a file as a container would that sees the mounts.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let Some((layer, rest)) = self.state().over(path) else {
            return fs::read(path);
        };
        let sides = match layer.what {
            What::Bind { root } => vec![root],
            What::Overlay { lower, upper, .. } => upper.into_iter().chain(lower).collect(),
            What::Dead => return Err(Errno::NOTCONN.into()),
        };
        let found = sides
            .iter()
            .map(|side| side.join(&rest))
            .find(|p| p.exists());
        fs::read(found.ok_or(Errno::NOENT)?)
    }

    /// Writes a file as a container would that sees the mounts.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let Some((layer, rest)) = self.state().over(path) else {
            return fs::write(path, bytes);
        };
        if layer.flags.read_only {
            return Err(Errno::ROFS.into());
        }
        let side = match layer.what {
            What::Bind { root } => root,
            What::Overlay { upper, .. } => upper.ok_or(Errno::ROFS)?,
            What::Dead => return Err(Errno::NOTCONN.into()),
        };
        let file = side.join(rest);
        file.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(file, bytes)
    }

    fn state(&self) -> MutexGuard<'_, KernelState> {
        self.state.take()
    }
}

impl Mounter for Memory {
    fn parent(&self, target: &Target) -> Result<Parent, Error> {
        let missing = || Error::NoParent(target.path().as_path().into());
        let is_there = self.state().has_parent(target)?;
        is_there.then_some(Parent(None)).ok_or_else(missing)
    }

    fn create(&self, _: &Parent, target: &Target) -> Result<bool, Error> {
        let mut state = self.state();
        state.refused(Act::Create, target)?;
        match state.ready(target) {
            Ok(_) => Ok(false),
            Err(Error::Gone(_)) => {
                state.nodes.insert(target.path(), Node::Directory);
                Ok(true)
            }
            Err(other) => Err(other),
        }
    }

    fn remove(&self, target: &Target) -> Result<(), Error> {
        let mut state = self.state();
        state.refused(Act::Remove, target)?;
        if !state.has_parent(target)? {
            return Ok(());
        }
        let path = target.path();
        let not_removable = |why| Error::NotRemovable {
            path: path.as_path().into(),
            why,
        };
        match state.at(&path) {
            Probe::Missing => Ok(()),
            Probe::Directory { empty: true } => {
                state.nodes.remove(&path);
                Ok(())
            }
            Probe::Directory { empty: false } => Err(not_removable("it contains files")),
            Probe::Mount(_) | Probe::Stale => Err(not_removable("something is mounted there")),
            Probe::NotADirectory => Err(Error::NotADirectory(path.as_path().into())),
        }
    }

    fn probe(&self, _: &Parent, target: &Target) -> Result<Probe, Error> {
        let mut state = self.state();
        state.refused(Act::Probe, target)?;
        Ok(state.at(&target.path()))
    }

    /// Of an overlay its upper layer, where all that is written to it goes.
    fn open(&self, target: &Target, mount: MountId) -> Result<OwnedFd, Error> {
        let path = target.path();
        let root = match self.state().top(&path).filter(|layer| layer.id == mount) {
            Some(Layer {
                what: What::Bind { root },
                ..
            }) => Some(root.clone()),
            Some(Layer {
                what: What::Overlay { upper, .. },
                ..
            }) => upper.clone(),
            Some(Layer {
                what: What::Dead, ..
            })
            | None => None,
        };
        let root = root.ok_or_else(|| Error::Gone(path.as_path().into()))?;
        let open = fs::File::open(&root).map_err(|e| Error::io("open target", &root, &e))?;
        Ok(open.into())
    }

    fn bind(&self, source: &Path, _: &Parent, target: &Target) -> Result<MountId, Error> {
        let mut state = self.state();
        let path = state.ready(target)?;
        state.refused(Act::Bind, target)?;
        let (root, flags) = match state.over(source) {
            Some((
                Layer {
                    what: What::Bind { root },
                    flags,
                    ..
                },
                rest,
            )) => (root.join(rest), flags),
            Some(_) | None => (source.to_owned(), Flags::default()),
        };
        if !root.is_dir() {
            return Err(Error::mount("bind-mount at target", &path, Errno::NOENT));
        }
        Ok(state.push(path, What::Bind { root }, flags))
    }

    fn overlay(
        &self,
        overlay: &Overlay<'_>,
        _: &Parent,
        target: &Target,
    ) -> Result<MountId, Error> {
        options(overlay, Features::default(), &target.path())?;
        let mut state = self.state();
        let path = state.ready(target)?;
        state.refused(Act::Overlay, target)?;
        let refused = |errno| Error::mount("mount overlay at target", &path, errno);
        if !overlay.lower.iter().all(|lower| lower.is_dir()) {
            return Err(refused(Errno::NOENT));
        }
        if let Some(upper) = overlay.upper {
            // The kernel's own mark: a volatile layer is good for one mount.
            let used = upper.work.join("work/incompat/volatile");
            if !upper.upper.is_dir() || !upper.work.is_dir() {
                return Err(refused(Errno::NOENT));
            }
            if used.exists() {
                return Err(refused(Errno::INVAL));
            }
            fs::create_dir_all(&used).map_err(|e| Error::io("create directory", &used, &e))?;
        }
        let what = What::Overlay {
            volume: overlay.volume.to_owned(),
            lower: overlay.lower.to_vec(),
            upper: overlay.upper.map(|upper| upper.upper.to_owned()),
        };
        let flags = Flags {
            read_only: overlay.upper.is_none(),
            nosuid: true,
            nodev: true,
        };
        Ok(state.push(path.clone(), what, flags))
    }

    fn unmount(&self, target: &Target) -> Result<bool, Error> {
        let mut state = self.state();
        state.refused(Act::Unmount, target)?;
        Ok(state.has_parent(target)? && state.pop(&target.path()))
    }

    fn table(&self) -> Result<Vec<Mounted>, Error> {
        let state = self.state();
        Ok(state
            .mounts
            .iter()
            .filter_map(|layer| {
                let topmost = state
                    .top(&layer.target)
                    .is_some_and(|top| top.id == layer.id);
                Mounted::of(layer.line()).map(|mounted| Mounted {
                    id: topmost.then_some(layer.id),
                    ..mounted
                })
            })
            .collect())
    }

    fn relabels(&self) -> bool {
        false
    }

    fn view(&self, source: &Path, view: &Path) -> Result<bool, Error> {
        let flags = Flags {
            read_only: true,
            nosuid: true,
            nodev: true,
        };
        let mut state = self.state();
        let right = state.top(view).is_some_and(|layer| {
            layer.flags == flags && matches!(&layer.what, What::Bind { root } if root == source)
        });
        if right {
            return Ok(false);
        }
        if !source.is_dir() {
            return Err(Error::system("access the volumes in", source, Errno::NOENT));
        }
        while state.pop(view) {}
        let root = source.to_owned();
        state.push(view.to_owned(), What::Bind { root }, flags);
        Ok(true)
    }

    fn unview(&self, view: &Path) -> Result<(), Error> {
        let mut state = self.state();
        while state.pop(view) {}
        Ok(())
    }
}
