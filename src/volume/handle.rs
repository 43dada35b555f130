//! The volumes once they are there, and until then the reason why not.

use std::sync::Arc;

use super::claims::Claims;
use super::ours::is_ours;
use super::plan::TargetState;
use super::{Error, Id, Pool, Volumes};
use crate::lock::Short;
use crate::mount::{Mounter, Probe, Target};

/// Shut at first: the store may be another's, and what the machine can is still to be found out.
pub struct VolumesHandle<M> {
    state: Short<HandleState<M>>,
    /// For the little that can be done while it is shut.
    mounter: M,
    pool: Pool,
    claims: Arc<Claims>,
}

enum HandleState<M> {
    /// Nothing is known yet, not even whether the mounts that are seen here are those that kubelet sees.
    Blind(String),
    /// Mounts are seen, and the store cannot be used.
    Shut(String),
    Open(Arc<Volumes<M>>),
}

impl<M: Mounter> VolumesHandle<M> {
    /// Shut; `mounter` need not have been tried out.
    pub fn shut(mounter: M, pool: Pool) -> Self {
        Self {
            state: Short::new(HandleState::Blind("starting".to_owned())),
            mounter,
            claims: Arc::new(Claims::shut(pool.clone())),
            pool,
        }
    }

    /// The threads that may wait for a disk.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The volumes that are provisioned; shut as long as this is, and opened apart.
    pub fn claims(&self) -> &Arc<Claims> {
        &self.claims
    }

    fn set(&self, state: HandleState<M>) {
        if let HandleState::Blind(why) | HandleState::Shut(why) = &state {
            self.claims.without_store(why.as_str());
        }
        *self.state.lock() = state;
    }

    /// Says why nothing can be done at all.
    pub fn blind(&self, why: impl Into<String>) {
        self.set(HandleState::Blind(why.into()));
    }

    /// Says why the store cannot be used.
    pub fn without_store(&self, why: impl Into<String>) {
        self.set(HandleState::Shut(why.into()));
    }

    /// From now on the volumes are there.
    pub fn open(&self, volumes: Arc<Volumes<M>>) {
        self.set(HandleState::Open(volumes));
    }

    /// Whether the volumes are there, or why not.
    pub fn check(&self) -> Result<(), String> {
        self.volumes().map(drop)
    }

    /// The volumes, or [`Error::NotReady`].
    pub fn get(&self) -> Result<Arc<Volumes<M>>, Error> {
        self.volumes().map_err(Error::NotReady)
    }

    fn volumes(&self) -> Result<Arc<Volumes<M>>, String> {
        match &*self.state.lock() {
            HandleState::Open(volumes) => Ok(Arc::clone(volumes)),
            HandleState::Shut(why) | HandleState::Blind(why) => Err(why.clone()),
        }
    }

    fn is_blind(&self) -> bool {
        matches!(&*self.state.lock(), HandleState::Blind(_))
    }

    /// Takes a volume away. Where the store cannot be used its directory there stays, for the sweep of a driver that
    /// can: a pod must be able to end whatever is wrong with this driver.
    pub async fn unpublish(self: &Arc<Self>, volume: &str, target: &Target) -> Result<(), Error> {
        match self.get() {
            Ok(volumes) => volumes.unpublish(volume, target).await,
            Err(not_ready) if self.is_blind() => Err(not_ready),
            Err(not_ready) => {
                tracing::warn!(target = %target.path().display(), %not_ready, "unpublishing without the store");
                let (handle, at, id) = (Arc::clone(self), target.clone(), Id::of(volume, target));
                let taken = self.pool.run(move || handle.take_away(&id, &at)).await;
                taken.unwrap_or_else(|what| Err(Error::bug(target, what)))
            }
        }
    }

    fn take_away(&self, id: &Id, target: &Target) -> Result<(), Error> {
        loop {
            let is_ours = match self.mounter.probe_at(target)? {
                Probe::Missing | Probe::NotADirectory | Probe::Directory { empty: false } => {
                    return Ok(());
                }
                Probe::Directory { empty: true } => return Ok(self.mounter.remove(target)?),
                Probe::Mount(mount) => is_ours(&self.mounter, mount, id, None)?,
                Probe::Stale => false,
            };
            if !is_ours {
                return Err(Error::Occupied {
                    target: target.path(),
                    state: TargetState::Foreign,
                });
            }
            self.mounter.unmount(target)?;
        }
    }
}
