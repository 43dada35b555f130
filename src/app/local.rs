//! The volumes of this machine for one command, in the command's own process.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;

use super::{Error, http, mounter, open_store, patience};
use crate::acquire::{Acquire, Parts, Snapshot};
use crate::config::{Downloading, Secrets, Storing};
use crate::metrics::Downloads;
use crate::mount::{Linux, Target};
use crate::policy::Policy;
use crate::source::Credentials;
use crate::volume::{Listed, Owner, Publish, Sharing, Volumes, Writable};

/// The volumes of this machine, for one command.
pub struct Local {
    volumes: Volumes<Linux>,
    secrets: BTreeMap<String, SecretString>,
}

impl Local {
    /// Opens the store and finds out what is mounted. Must be called within a tokio runtime.
    pub fn open(
        storing: &Storing,
        (downloading, secrets): (&Downloading, &Secrets),
        says: impl FnOnce(&str),
    ) -> Result<Self, Error> {
        let http = http(downloading)?;
        let secrets = self::secrets(secrets)?;
        let store = Arc::new(open_store(storing, says)?);
        let mounter = mounter(&store)?;
        let parts = Parts {
            store: Arc::clone(&store),
            http,
            patience: patience(downloading),
            flights: usize::from(storing.downloads),
            metrics: Downloads::default(),
        };
        let policy = Policy::new(downloading.max_size);
        let volumes = Volumes::open(store, Acquire::new(parts), policy, mounter)?;
        Ok(Self { volumes, secrets })
    }

    /// For a command that downloads nothing, and that no wrong setting of downloads may keep from its work.
    pub fn open_idle(storing: &Storing, says: impl FnOnce(&str)) -> Result<Self, Error> {
        Self::open(storing, (&Downloading::none(), &Secrets::default()), says)
    }

    /// Shows an artifact in a directory. Dropped before its end it leaves what was downloaded for the next time.
    pub async fn mount(
        &self,
        attributes: BTreeMap<String, String>,
        dir: &Path,
        read_only: bool,
    ) -> Result<(), Error> {
        let target = target(dir)?;
        // Found out now, and not after the download.
        let path = target.path();
        if !path.parent().is_some_and(Path::is_dir) {
            return Err(Error::Setting(format!(
                "the directory \"{}\": its parent is not there, or is no directory; make it first",
                path.display()
            )));
        }
        let publish = Publish {
            volume: volume_name(&target),
            attributes,
            secrets: self.secrets.clone(),
            // Nobody below keeps a mount of ours read-only, so that has to be an overlay of our own.
            readonly: false,
            writable: if read_only {
                Writable::No
            } else {
                Writable::Yes
            },
            sharing: Sharing::ManyTargets,
            group: None,
            owner: Owner::CommandLine,
            target,
        };
        let published = self.volumes.publish(publish).await;
        // A command has no background: what a failure discarded is deleted before it ends.
        if published.is_err() {
            self.volumes.clean_up();
        }
        Ok(published?)
    }

    /// How far the artifact for a directory is.
    pub fn progress(&self, dir: &Path) -> Option<Snapshot> {
        let target = target(dir).ok()?;
        self.volumes.progress(&volume_name(&target), &target)
    }

    /// Takes away what was mounted on a directory. False if there was nothing of ours.
    pub async fn unmount(&self, dir: &Path) -> Result<bool, Error> {
        let target = target(dir)?;
        let path = target.path();
        let known = self
            .volumes
            .list()?
            .into_iter()
            .find(|v| v.record.as_ref().is_some_and(|r| r.target == path));
        let volume = match known.and_then(|v| v.record) {
            Some(record) if record.owner != Owner::CommandLine => {
                return Err(Error::Setting(format!(
                    "{} is a volume of kubelet's; delete its pod, and kubelet unmounts it",
                    path.display()
                )));
            }
            Some(record) => record.volume,
            None => volume_name(&target),
        };
        let was_there = self.volumes.list()?.len();
        self.volumes.unmount(&volume, &target).await?;
        self.volumes.clean_up();
        Ok(self.volumes.list()?.len() < was_there)
    }

    /// Every volume.
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        Ok(self.volumes.list()?)
    }
}

/// A volume of the command line is named by where it is.
fn volume_name(target: &Target) -> String {
    format!("cli:{}", target.path().display())
}

fn target(dir: &Path) -> Result<Target, Error> {
    let absolute = std::path::absolute(dir)
        .map_err(|e| Error::Setting(format!("the directory \"{}\": {e}", dir.display())))?;
    // A record is text, as all that kubelet says is.
    if absolute.to_str().is_none() {
        let dir = dir.display();
        return Err(Error::Setting(format!(
            "the directory \"{dir}\": its path is not UTF-8; choose another name"
        )));
    }
    Ok(Target::within(Path::new("/"), &absolute)?)
}

/// The credentials of a command: a file's lines, or the environment.
pub(super) fn secrets(settings: &Secrets) -> Result<BTreeMap<String, SecretString>, Error> {
    let Some(path) = &settings.credentials else {
        let named = |key: &&str| {
            let value = std::env::var(format!("WAR_VOL_{}", key.to_uppercase())).ok()?;
            Some(((*key).to_owned(), SecretString::from(value)))
        };
        return Ok(Credentials::KEYS.iter().filter_map(named).collect());
    };
    let wrong = |why: String| {
        Error::Setting(format!(
            "the credentials file {}: {why}; allowed are lines of token=…, or username=… and password=…",
            path.display()
        ))
    };
    let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .enumerate()
        .map(|(i, line)| {
            let (key, value) = line
                .split_once('=')
                .ok_or_else(|| wrong(format!("line {} has no =", i + 1)))?;
            Ok((key.trim().to_owned(), SecretString::from(value.to_owned())))
        })
        .collect()
}
