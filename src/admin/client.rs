//! The command's end.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use prost::Message as _;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

use super::proto::admin_client::AdminClient;
use super::proto::mount_event::Event;
use super::proto::{
    HelloRequest, ListCachedRequest, ListVolumesRequest, Pod, PruneCachedRequest, UnmountRequest,
    VerifyCachedRequest,
};
use super::space::Space;
use super::{Error, LONGEST_MESSAGE, SocketDir, convert};
use crate::lock::Short;
use crate::volume::{Cached, Held, Listed, Mount, Record, Snapshot, Target, Verdict};

/// How long a driver may take to say that it is there. One that needs longer hangs.
const ANSWER: Duration = Duration::from_secs(5);

/// A driver that answers.
pub struct Client {
    service: AdminClient<Channel>,
    root: PathBuf,
    /// By which the connection is made again.
    _place: SocketDir,
    pid: u32,
    space: Space,
    /// How far the mount is that is waited for.
    latest: Short<Option<Snapshot>>,
}

impl Client {
    /// The driver that serves the store in `root`; none where none answers, or one of another version. Must be called
    /// within a tokio runtime.
    pub async fn find(root: &Path) -> Option<Self> {
        let place = SocketDir::at(root).ok()?;
        let endpoint = format!("unix://{}", place.socket().display());
        let met = timeout(ANSWER, async {
            let channel = Endpoint::from_shared(endpoint).ok()?.connect().await.ok()?;
            let mut service = AdminClient::new(channel)
                .max_decoding_message_size(LONGEST_MESSAGE)
                .max_encoding_message_size(LONGEST_MESSAGE);
            let met = service.meet(HelloRequest {}).await.ok()?.into_inner();
            Some((service, met))
        });
        let (service, met) = met.await.ok()??;
        Some(Self {
            service,
            root: root.to_owned(),
            _place: place,
            pid: met.pid,
            space: Space {
                device: met.mounts_device,
                inode: met.mounts_inode,
            },
            latest: Short::default(),
        })
    }

    /// Every volume.
    pub async fn list(&self) -> Result<Vec<Listed>, Error> {
        let asked = self.asks("list the volumes");
        let answer = self
            .service
            .clone()
            .list_volumes(ListVolumesRequest {})
            .await;
        let mut volumes = asked.answered(answer)?;
        let mut all = Vec::new();
        while let Some(volume) = asked.next(&mut volumes).await? {
            all.push(convert::listed(volume));
        }
        Ok(all)
    }

    /// Shows an artifact in a directory, and says what it shows. May wait as long as the driver does. Dropped before its
    /// end it leaves what was downloaded for the next time.
    ///
    /// Errors: [`Error::Elsewhere`] where it would not be seen by this process. What is mounted for a pod is in a
    /// directory of kubelet's, and seen everywhere.
    pub async fn mount(&self, mount: Mount) -> Result<Record, Error> {
        if mount.pod.is_none() {
            self.must_share_mounts()?;
        }
        let request = convert::mount_request(mount);
        let asked = self.asks("mount");
        // Told here, because a message that is cut off tells nobody why.
        let bytes = request.encoded_len();
        if bytes > LONGEST_MESSAGE {
            return Err(Error::TooLong {
                pid: self.pid,
                bytes: bytes as u64,
            });
        }
        let mut events = asked.answered(self.service.clone().mount(request).await)?;
        while let Some(next) = asked.next(&mut events).await? {
            match next.event {
                Some(Event::Progress(progress)) => {
                    *self.latest.lock() = Some(convert::snapshot(progress));
                }
                Some(Event::Shown(json)) => {
                    return Record::read(&json).ok_or_else(|| asked.unreadable("invalid record"));
                }
                // News of a newer driver.
                None => {}
            }
        }
        Err(asked.unreadable("no result"))
    }

    /// How far the mount is that is waited for.
    pub fn progress(&self) -> Option<Snapshot> {
        self.latest.lock().clone()
    }

    /// Takes away what was mounted on a directory. False if there was nothing of the driver's.
    ///
    /// Errors: [`Error::Elsewhere`] where it is not seen by this process.
    pub async fn unmount(&self, target: &Target) -> Result<bool, Error> {
        self.must_share_mounts()?;
        self.unmounted(target, None).await
    }

    /// The same for a pod, in a directory of kubelet's.
    pub async fn unmount_for_pod(&self, target: &Target) -> Result<bool, Error> {
        self.unmounted(target, Some(Pod::default())).await
    }

    async fn unmounted(&self, target: &Target, pod: Option<Pod>) -> Result<bool, Error> {
        let dir = target.path().display().to_string();
        let request = UnmountRequest { dir, pod };
        let answer = self.service.clone().unmount(request).await;
        Ok(self.asks("unmount").answered(answer)?.was_there)
    }

    /// Every cached artifact.
    pub async fn cached(&self) -> Result<Vec<Held>, Error> {
        let asked = self.asks("list the cache");
        let answer = self.service.clone().list_cached(ListCachedRequest {}).await;
        let mut artifacts = asked.answered(answer)?;
        let mut all = Vec::new();
        while let Some(artifact) = asked.next(&mut artifacts).await? {
            all.push(convert::held(artifact).map_err(|what| asked.unreadable(&what))?);
        }
        Ok(all)
    }

    /// Reads every artifact again, sets aside what is damaged, and says what it found, one by one: first without a
    /// verdict, when it begins with one. Ends early where `says` breaks off.
    pub async fn verify(
        &self,
        mut says: impl FnMut(&Cached, Option<Verdict>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let asked = self.asks("verify the cache");
        let answer = self
            .service
            .clone()
            .verify_cached(VerifyCachedRequest {})
            .await;
        let mut events = asked.answered(answer)?;
        while let Some(next) = asked.next(&mut events).await? {
            let seen = convert::verdict(next).map_err(|what| asked.unreadable(&what))?;
            if says(&seen.0, seen.1).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Removes all that no volume uses, and the downloads that were broken off. Returns how many artifacts and bytes
    /// went.
    pub async fn prune(&self) -> Result<(usize, u64), Error> {
        let answer = self
            .service
            .clone()
            .prune_cached(PruneCachedRequest {})
            .await;
        let pruned = self.asks("prune the cache").answered(answer)?;
        let artifacts = usize::try_from(pruned.artifacts).unwrap_or(usize::MAX);
        Ok((artifacts, pruned.bytes))
    }

    fn must_share_mounts(&self) -> Result<(), Error> {
        match Space::own() {
            Ok(own) if own == self.space => Ok(()),
            // Where it cannot be told it may be another one.
            Ok(_) | Err(_) => Err(Error::Elsewhere {
                pid: self.pid,
                root: self.root.clone(),
            }),
        }
    }

    fn asks(&self, what: &'static str) -> Asked {
        Asked {
            what,
            pid: self.pid,
        }
    }
}

/// What a driver was asked, for the words where it does not answer.
#[derive(Clone, Copy)]
struct Asked {
    what: &'static str,
    pid: u32,
}

impl Asked {
    fn answered<T>(self, answer: Result<tonic::Response<T>, Status>) -> Result<T, Error> {
        let answer = answer.map_err(|status| Error::of(&status, self.what, self.pid))?;
        Ok(answer.into_inner())
    }

    async fn next<T>(self, answers: &mut Streaming<T>) -> Result<Option<T>, Error> {
        let next = answers.message().await;
        next.map_err(|status| Error::of(&status, self.what, self.pid))
    }

    fn unreadable(self, what: &str) -> Error {
        Error::Unreadable {
            asked: self.what,
            pid: self.pid,
            what: what.to_owned(),
        }
    }
}
