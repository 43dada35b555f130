//! The volumes of this machine for one command, whether this process has the store or a driver.
//!
//! Whoever has the store's lock has the volumes: a command that gets it, or a driver. A command that does not get it
//! asks the driver that has it, if that answers; else it waits.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::{Error, credentials, http_of_command, policy, store_settings, volumes, wait_for_store};
use crate::admin::Client;
use crate::config::{Downloading, Secrets, Storing};
use crate::metrics::Downloads;
use crate::mount::Linux;
use crate::source;
use crate::source::http::Factory;
use crate::store::{self, Store};
use crate::volume::{self, Caller, Context, Listed, Mount, Owner, Pool, Record, Snapshot, Volumes};

/// How often one who waits for the store looks whether a driver that has it answers by now.
const LOOK: Duration = Duration::from_millis(100);

/// Who has the store, and so does the work.
pub(super) enum Backend<T> {
    /// This process.
    Local(T),
    /// A driver.
    Remote(Box<Client>),
}

/// Opens the store for one command, or finds the driver that has it; `says` is told if another process has it and
/// this one waits.
pub(super) async fn find(
    storing: &Storing,
    says: impl FnOnce(&str),
) -> Result<Backend<Store>, Error> {
    let found = match Store::open(&store_settings(storing)?) {
        Err(locked @ store::Error::Locked { .. }) => match Client::find(&storing.at.root).await {
            Some(driver) => Backend::Remote(Box::new(driver)),
            None => {
                says(&locked.to_string());
                wait(storing).await?
            }
        },
        opened => Backend::Local(opened?),
    };
    if let Backend::Local(store) = &found {
        // A command has no background.
        store.try_to_empty_trash();
    }
    Ok(found)
}

/// Waits for the lock, and for a driver that was still starting when it took it.
async fn wait(storing: &Storing) -> Result<Backend<Store>, Error> {
    let its = storing.clone();
    // If a driver answers first, the lock may still be got once that has ended; then it is given back at once.
    let pool = Pool::default();
    let lock = pool.run(move || wait_for_store(&its, |_| ()));
    let driver = async {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Some(driver) = Client::find(&storing.at.root).await {
                return driver;
            }
        }
    };
    tokio::select! {
        store = lock => Ok(Backend::Local(store.map_err(Error::Bug)??)),
        driver = driver => Ok(Backend::Remote(Box::new(driver))),
    }
}

/// The volumes of this machine, for one command.
pub struct VolumeAccess {
    volumes: Backend<Box<Volumes<Linux>>>,
    /// What origins want to see.
    secrets: BTreeMap<String, SecretString>,
}

impl VolumeAccess {
    /// Finds out who has the volumes. Must be called within a tokio runtime.
    ///
    /// No command goes on with wrong settings, also where they do not count.
    pub async fn open(
        storing: &Storing,
        (downloading, secrets): (&Downloading, &Secrets),
        says: impl FnOnce(&str),
    ) -> Result<Self, Error> {
        let http = http_of_command(downloading, secrets)?;
        let secrets = credentials::secrets(secrets)?;
        Self::with(http, secrets, (storing, downloading), says).await
    }

    /// For a command that downloads nothing, and that no wrong setting of downloads may keep from its work.
    pub async fn open_idle(storing: &Storing, says: impl FnOnce(&str)) -> Result<Self, Error> {
        let http = Factory::idle().map_err(source::Error::from)?;
        let none = Downloading::none();
        Self::with(http, BTreeMap::new(), (storing, &none), says).await
    }

    async fn with(
        http: Factory,
        secrets: BTreeMap<String, SecretString>,
        (storing, downloading): (&Storing, &Downloading),
        says: impl FnOnce(&str),
    ) -> Result<Self, Error> {
        let volumes = match find(storing, says).await? {
            Backend::Local(store) => {
                let (settings, nobody) = ((storing, downloading), Context::default());
                let store = Arc::new(store);
                let policy = policy::of_command(downloading)?;
                let counted = (Downloads::default(), nobody);
                let volumes = volumes(&store, http, settings, policy, counted)?;
                Backend::Local(Box::new(volumes))
            }
            Backend::Remote(driver) => Backend::Remote(driver),
        };
        Ok(Self { volumes, secrets })
    }

    /// Whether the settings count that this was opened with. A driver downloads and stores as its own say.
    pub fn heeds_settings(&self) -> bool {
        matches!(self.volumes, Backend::Local(_))
    }

    /// Shows an artifact in a directory, and says what it shows. Dropped before its end it leaves what was downloaded
    /// for the next time.
    pub async fn mount(
        &self,
        attributes: BTreeMap<String, String>,
        dir: &Path,
        read_only: bool,
    ) -> Result<Record, Error> {
        let mount = Mount {
            target: volume::directory(dir)?,
            attributes,
            secrets: self.secrets.clone(),
            read_only,
            group: None,
            pod: None,
        };
        match &self.volumes {
            Backend::Local(volumes) => {
                let caller = Caller::stays();
                let mounted = volumes.mount(mount, Owner::CommandLine, &caller).await;
                // A command has no background: what a failure discarded is deleted before it ends.
                if mounted.is_err() {
                    volumes.clean_up();
                }
                Ok(mounted?)
            }
            Backend::Remote(driver) => Ok(driver.mount(mount).await?),
        }
    }

    /// How far the artifact for a directory is.
    pub fn progress(&self, dir: &Path) -> Option<Snapshot> {
        match &self.volumes {
            Backend::Local(volumes) => volumes.mounting(&volume::directory(dir).ok()?),
            Backend::Remote(driver) => driver.progress(),
        }
    }

    /// Takes away what was mounted on a directory. False if there was nothing of ours.
    pub async fn unmount(&self, dir: &Path) -> Result<bool, Error> {
        let target = volume::directory(dir)?;
        match &self.volumes {
            Backend::Local(volumes) => {
                let was_there = volumes.unmount(&target).await?;
                volumes.clean_up();
                Ok(was_there)
            }
            Backend::Remote(driver) => Ok(driver.unmount(&target).await?),
        }
    }

    /// Every volume.
    pub async fn list(&self) -> Result<Vec<Listed>, Error> {
        match &self.volumes {
            Backend::Local(volumes) => Ok(volumes.list()?),
            Backend::Remote(driver) => Ok(driver.list().await?),
        }
    }
}
