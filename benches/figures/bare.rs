//! What a publish cannot do without: the bare system calls, by the same crate, with the same options.

use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_change, mount_remount,
};
use war_vol::mount::Features;

use crate::outcome::Outcome;
use crate::worker::Layout;

/// Makes volumes of nothing but mkdir, link, rename and mount.
///
/// A yardstick stays as it is, so that figures of different builds compare: all layouts have an upper layer and a work
/// directory here, as volumes had them once, also where a volume needs none any more.
pub(crate) struct Bare {
    dir: PathBuf,
    blob: PathBuf,
    options: String,
}

impl Bare {
    pub(crate) fn new(dir: PathBuf, blob: PathBuf, features: Features) -> Outcome<Self> {
        for name in ["volumes", "view", "pods"] {
            fs::create_dir_all(dir.join(name))?;
        }
        let (volumes, view) = (dir.join("volumes"), dir.join("view"));
        mount_bind(&volumes, &view)?;
        mount_change(&view, MountPropagationFlags::PRIVATE)?;
        let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
        mount_remount(&view, MountFlags::BIND | flags, c"")?;
        let metacopy = if features.metacopy { "on" } else { "off" };
        let volatile = if features.volatile { ",volatile" } else { "" };
        Ok(Self {
            dir,
            blob,
            options: format!("redirect_dir=on,metacopy={metacopy}{volatile}"),
        })
    }

    /// What kubelet has made before it calls.
    pub(crate) fn prepare(&self, name: &str) -> Outcome {
        Ok(fs::create_dir_all(self.dir.join("pods").join(name))?)
    }

    pub(crate) fn publish(&self, name: &str, layout: Layout) -> Outcome {
        let volumes = self.dir.join("volumes");
        let new = volumes.join(format!(".new-{name}"));
        fs::create_dir(&new)?;
        let content = new.join("c");
        fs::create_dir(&content)?;
        fs::hard_link(&self.blob, content.join("artifact.bin"))?;
        fs::create_dir(new.join("u"))?;
        fs::create_dir(new.join("w"))?;
        let volume = volumes.join(name);
        fs::rename(&new, &volume)?;
        let target = self.dir.join("pods").join(name).join("mount");
        fs::create_dir(&target)?;
        self.mount(&volume, name, layout, &target)
    }

    fn mount(&self, volume: &Path, name: &str, layout: Layout, target: &Path) -> Outcome {
        let of = |name: &str| volume.join(name).display().to_string();
        let fixed = "index=off,xino=off,nfs_export=off";
        let overlay = |flags: MountFlags, options: String| -> Outcome {
            let flags = flags | MountFlags::NOSUID | MountFlags::NODEV;
            let (source, options) = (format!("bare:{name}"), CString::new(options)?);
            Ok(mount(source, target, "overlay", flags, options.as_c_str())?)
        };
        match layout {
            Layout::Bind => mount_bind(self.dir.join("view").join(name).join("c"), target)?,
            Layout::ReadOnly => overlay(
                MountFlags::RDONLY,
                format!(
                    "{fixed},redirect_dir=nofollow,metacopy=off,lowerdir={}:{}",
                    of("c"),
                    of("u")
                ),
            )?,
            Layout::Overlay => overlay(
                MountFlags::empty(),
                format!(
                    "{fixed},{},upperdir={},workdir={},lowerdir={}",
                    self.options,
                    of("u"),
                    of("w"),
                    of("c")
                ),
            )?,
        }
        Ok(())
    }
}
