//! A node for one test: the library's volumes over the real kernel, in a sandbox. For what takes more than one call
//! in one process: calls at the same time, a call that is given up, what is remembered between two calls.

use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::mount::{UnmountFlags, unmount};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;
use war_vol::acquire::{Acquire, Parts, RetryPolicy};
use war_vol::fault::Fault;
use war_vol::metrics::Downloads;
use war_vol::mount::{Linux, Target};
use war_vol::policy::Policy;
use war_vol::source::Factory as Sources;
use war_vol::source::http::{Factory, Settings as HttpSettings};
use war_vol::store::{Limits, Settings, Store};
use war_vol::volume::objects::{Objects, WatchScope};
use war_vol::volume::{Caller, Context, Error, Owner, PublishRequest, Sharing, Volumes, Writable};

use crate::sandbox::Sandbox;

/// A started driver, as far as it is built: `serve` without its socket.
pub(crate) struct Node {
    pub(crate) volumes: Arc<Volumes<Linux>>,
    pub(crate) store: Arc<Store>,
    kubelet: PathBuf,
    runtime: Runtime,
}

impl Node {
    /// Starts on the sandbox's root. The threads of its runtime share the sandbox's mounts.
    pub(crate) fn start(sandbox: &Sandbox) -> Self {
        Self::told_by(sandbox, Objects::new(WatchScope::Nothing))
    }

    /// With a policy.
    pub(crate) fn under(sandbox: &Sandbox, policy: Policy) -> Self {
        Self::with(sandbox, Objects::new(WatchScope::Nothing), policy)
    }

    /// With somebody who tells what objects say of themselves.
    pub(crate) fn told_by(sandbox: &Sandbox, objects: Objects) -> Self {
        Self::with(sandbox, objects, Policy::new(1 << 40))
    }

    fn with(sandbox: &Sandbox, objects: Objects, policy: Policy) -> Self {
        let kubelet = sandbox.path("kubelet");
        fs::create_dir_all(&kubelet).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(war_vol::volume::WORKERS)
            .enable_all()
            .build()
            .unwrap();
        let settings = Settings {
            root: sandbox.root(),
            limits: Limits {
                cache: None,
                free: "0".parse().unwrap(),
            },
            owner: Settings::OWNER,
        };
        // A download of the one before may still be on its way out.
        let store = Arc::new(Store::wait_for(&settings, |_| {}).unwrap());
        let second = Duration::from_secs(1);
        let http = Factory::new(&HttpSettings {
            ca_file: None,
            connect_timeout: 30 * second,
        });
        let parts = Parts {
            store: Arc::clone(&store),
            sources: Sources::new(http.unwrap()),
            retry_policy: RetryPolicy {
                tries: 5,
                pause: second / 100,
                longest_pause: second / 10,
                stall_time: 30 * second,
                stall_speed: 1,
            },
            flights: 4,
            metrics: Downloads::default(),
        };
        let mounter = Linux::new(store.root()).unwrap();
        let volumes = runtime.block_on(async {
            Volumes::open(
                Arc::clone(&store),
                Acquire::new(parts),
                policy,
                mounter,
                Context {
                    objects,
                    ..Context::default()
                },
            )
        });
        Self {
            volumes: Arc::new(volumes.unwrap()),
            store,
            kubelet,
            runtime,
        }
    }

    /// Where a pod's volume is shown.
    pub(crate) fn target(&self, pod: &str) -> PathBuf {
        self.kubelet.join("pods").join(pod).join("volume/mount")
    }

    /// What kubelet asks for a pod with an inline volume: its directory is there, the target is not.
    pub(crate) fn request(&self, pod: &str, url: &str) -> PublishRequest {
        let path = self.target(pod);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        PublishRequest {
            volume: format!("csi-{pod}"),
            target: Target::within(&self.kubelet, &path).unwrap(),
            attributes: BTreeMap::from([("downloadURL".to_owned(), url.to_owned())]),
            secrets: BTreeMap::new(),
            readonly: false,
            writable: Writable::Yes,
            sharing: Sharing::ManyTargets,
            group: None,
            pod: None,
            claim: None,
            persistent_volume: None,
            node: None,
            owner: Owner::Kubelet {
                dir: self.kubelet.clone(),
                inode: fs::metadata(&self.kubelet).unwrap().ino(),
            },
        }
    }

    /// Publishes and waits for the end.
    pub(crate) fn publish(&self, request: &PublishRequest) -> Result<(), Error> {
        self.wait(self.volumes.publish(request.clone(), &Caller::stays()))
    }

    /// Unpublishes and waits for the end, also of what goes on behind the answer.
    pub(crate) fn unpublish(&self, request: &PublishRequest) -> Result<(), Error> {
        let ended = self.wait(self.volumes.unpublish(&request.volume, &request.target));
        self.volumes.clean_up();
        ended
    }

    /// Begins to publish, as a call of its own.
    pub(crate) fn begin(
        &self,
        request: &PublishRequest,
    ) -> tokio::task::JoinHandle<Result<(), Error>> {
        let (volumes, request) = (Arc::clone(&self.volumes), request.clone());
        let call =
            async move |volumes: Arc<Volumes<_>>, caller| volumes.publish(request, &caller).await;
        self.runtime.spawn(async move { volumes.spawn(call).await })
    }

    /// Waits until the bytes of a volume come.
    pub(crate) fn downloads(&self, request: &PublishRequest) {
        until("its download has begun", || {
            let progress = self.volumes.progress(&request.volume, &request.target);
            progress.is_some_and(|p| p.done > 0)
        });
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

/// More of a request than [`Node::request`] says.
pub(crate) trait RequestExt: Sized {
    /// With this checksum.
    fn pinned(self, digest: &str) -> Self;
    /// With this attribute.
    fn with(self, name: &str, value: &str) -> Self;
    /// With this key in the secret.
    fn secret(self, key: &str, value: &str) -> Self;
}

impl RequestExt for PublishRequest {
    fn pinned(self, digest: &str) -> Self {
        self.with("checksum", digest)
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.attributes.insert(name.to_owned(), value.to_owned());
        self
    }

    fn secret(mut self, key: &str, value: &str) -> Self {
        self.secrets
            .insert(key.to_owned(), SecretString::from(value));
        self
    }
}

/// What somebody has to act on, and the words.
pub(crate) fn failed(result: Result<(), Error>) -> (Fault, String) {
    let error = result.expect_err("it must fail");
    (error.fault(), error.to_string())
}

/// The checksum of these bytes as it is written in attributes.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// So many bytes that do not compress and differ from those of another seed.
pub(crate) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut all = Vec::with_capacity(length + 8);
    while all.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        all.extend(state.to_le_bytes());
    }
    all.truncate(length);
    all
}

/// The mounts at a path, the topmost last: the ids that the kernel's table gives them.
pub(crate) fn mounts_at(path: &Path) -> Vec<u64> {
    let table = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let fields = table.lines().map(|line| line.split(' '));
    fields
        .filter_map(|mut f| Some((f.next()?.parse().ok()?, PathBuf::from(f.nth(3)?))))
        .filter_map(|(id, target)| (target == path).then_some(id))
        .collect()
}

/// Takes the topmost mount away as a reboot or a careless hand does: without a word to the driver.
pub(crate) fn detach(path: &Path) {
    unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).unwrap();
}

/// Waits for a condition; fails if it does not come in a minute.
#[expect(
    clippy::disallowed_methods,
    reason = "a test that waits for another process"
)]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(60), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
