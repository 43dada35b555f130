//! The volumes of this machine for one command, in the command's own process.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;

use super::{Error, http, mounter, open_store, patience};
use crate::acquire::{Acquire, Parts, Snapshot};
use crate::config::{Downloading, Secrets, Storing};
use crate::metrics::Downloads;
use crate::mount::Linux;
use crate::policy::Policy;
use crate::source::Credentials;
use crate::volume::{self, Listed, Mount, Volumes};

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
        let mount = Mount {
            target: volume::directory(dir)?,
            attributes,
            secrets: self.secrets.clone(),
            read_only,
        };
        let mounted = self.volumes.mount(mount).await;
        // A command has no background: what a failure discarded is deleted before it ends.
        if mounted.is_err() {
            self.volumes.clean_up();
        }
        mounted?;
        Ok(())
    }

    /// How far the artifact for a directory is.
    pub fn progress(&self, dir: &Path) -> Option<Snapshot> {
        self.volumes.mounting(&volume::directory(dir).ok()?)
    }

    /// Takes away what was mounted on a directory. False if there was nothing of ours.
    pub async fn unmount(&self, dir: &Path) -> Result<bool, Error> {
        let was_there = self.volumes.unmount(&volume::directory(dir)?).await?;
        self.volumes.clean_up();
        Ok(was_there)
    }

    /// Every volume.
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        Ok(self.volumes.list()?)
    }
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
