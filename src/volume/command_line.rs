//! Volumes that have no id: each is named by where it is, and belongs to whoever asked for it: somebody at a command
//! line, or kubelet through its older interface (FlexVolume).
//!
//! The same whether the command has the store itself or asks the driver that has it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;

use super::blocking::Takes;
use super::ours::is_ours;
use super::{
    Caller, Error, Id, Owner, Pod, PublishRequest, Record, Shared, Sharing, Target, Volumes,
    Writable,
};
use crate::acquire::Snapshot;
use crate::mount::{self, MountId, Mounter};

/// How often a command looks whether it is its turn. A commit takes milliseconds.
const TURN: Duration = Duration::from_millis(20);

/// An artifact that somebody wants to see in a directory.
#[derive(Clone)]
pub struct Mount {
    /// Where.
    pub target: Target,
    /// What.
    pub attributes: BTreeMap<String, String>,
    /// What the origin wants to see.
    pub secrets: BTreeMap<String, SecretString>,
    /// Whether nobody may write to it.
    pub read_only: bool,
    /// The group that may write to it.
    pub group: Option<u32>,
    /// The pod that it is for; nothing at a command line.
    pub pod: Option<Pod>,
}

/// A directory as somebody typed it: seen from the working directory of this process.
///
/// Errors: [`Error::Directory`] and [`Error::Mount`] say what is wrong with it.
pub fn directory(dir: &Path) -> Result<Target, Error> {
    let wrong = |why: String| Error::Directory {
        dir: dir.to_owned(),
        why,
    };
    let absolute = std::path::absolute(dir).map_err(|e| wrong(e.to_string()))?;
    // A record is text, as all that kubelet says is.
    if absolute.to_str().is_none() {
        return Err(wrong(
            "its path is not UTF-8; choose another name".to_owned(),
        ));
    }
    Ok(Target::within(Path::new("/"), &absolute)?)
}

impl<M: Mounter> Volumes<M> {
    /// Shows an artifact in a directory for its owner, and says what it shows. Dropped before its end it leaves what was
    /// downloaded for the next time; one who will not come again says so with [`give_up`](Self::give_up).
    pub async fn mount(
        &self,
        mount: Mount,
        owner: Owner,
        caller: &Caller,
    ) -> Result<Record, Error> {
        let target = mount.target.clone();
        // Found out now, and not after the download.
        let path = target.path();
        let has_parent = self
            .run_blocking(Takes::Microseconds, &target, move |_| {
                Ok(path.parent().is_some_and(Path::is_dir))
            })
            .await?;
        if !has_parent {
            return Err(Error::Directory {
                dir: target.path(),
                why: "its parent does not exist or is not a directory; create it first".to_owned(),
            });
        }
        let volume = name(&mount.target);
        let id = Id::of(&volume, &mount.target);
        let publish = PublishRequest {
            volume,
            attributes: mount.attributes,
            secrets: mount.secrets,
            // At a command line nobody below keeps a mount of ours read-only, so that has to be an overlay of our own.
            readonly: mount.read_only && owner != Owner::CommandLine,
            writable: if mount.read_only {
                Writable::No
            } else {
                Writable::Yes
            },
            sharing: Sharing::ManyTargets,
            group: mount.group,
            pod: mount.pod,
            claim: None,
            persistent_volume: None,
            node: None,
            owner,
            target: mount.target,
        };
        while let Err(error) = self.publish(publish.clone(), caller).await {
            unless_busy(error).await?;
        }
        let record = self.run_blocking(Takes::Microseconds, &target, move |shared| {
            let dir = shared.store.volume(id.as_str()).ok().flatten();
            Ok(dir.and_then(|dir| Record::read(&shared.store.record(&dir))))
        });
        record.await?.ok_or(Error::GoneAgain(target.path()))
    }

    /// How far the artifact for a directory is.
    pub fn mounting(&self, target: &Target) -> Option<Snapshot> {
        self.progress(&name(target), target)
    }

    /// For one who waited for a mount and will not come again: a download that nobody else wants stops at its next
    /// chunk, and what came stays for a resume.
    pub fn give_up(&self, target: &Target) {
        self.want_no_more(&Id::of(&name(target), target));
    }

    /// Takes away what was mounted on a directory. False if there was nothing of ours.
    ///
    /// Errors: a volume of kubelet's is [`Error::Kubelets`].
    pub async fn unmount(&self, target: &Target) -> Result<bool, Error> {
        let path = target.path();
        let listed = self.run_blocking(Takes::Long, target, Shared::list);
        let known = listed
            .await?
            .into_iter()
            .filter_map(|v| v.record)
            .find(|r| r.target == path);
        let volume = match known {
            Some(record) if record.owner != Owner::CommandLine => {
                return Err(Error::Kubelets(path));
            }
            Some(record) => record.volume,
            None => name(target),
        };
        // Without a record that says that the directory was made for the volume, it is somebody's own and stays.
        self.unmounted(&volume, target, false).await
    }

    /// Takes away what kubelet had mounted on a directory through its older interface, and the directory with it. False
    /// if there was nothing of ours.
    pub async fn unmount_for_pod(&self, target: &Target) -> Result<bool, Error> {
        self.unmounted(&name(target), target, true).await
    }

    async fn unmounted(&self, volume: &str, target: &Target, ours: bool) -> Result<bool, Error> {
        let id = Id::of(volume, target);
        let was_there = self
            .run_blocking(Takes::Microseconds, target, move |shared| {
                Ok(shared.store.volume(id.as_str())?.is_some())
            })
            .await?;
        while let Err(error) = self.end(volume, target, ours).await {
            unless_busy(error).await?;
        }
        Ok(was_there)
    }
}

/// kubelet asks again where another call is at work; a command waits for its turn, as it would for the store.
async fn unless_busy(error: Error) -> Result<(), Error> {
    if !matches!(error, Error::Busy(_)) {
        return Err(error);
    }
    tokio::time::sleep(TURN).await;
    Ok(())
}

/// Whether the mount at a directory is the volume that belongs there, for one who has no store.
pub fn is_shown(
    mounter: &impl Mounter,
    target: &Target,
    mount: MountId,
) -> Result<bool, mount::Error> {
    is_ours(mounter, mount, &Id::of(&name(target), target), None)
}

/// A volume without an id is named by where it is.
fn name(target: &Target) -> String {
    format!("cli:{}", target.path().display())
}
