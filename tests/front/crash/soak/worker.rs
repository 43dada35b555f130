//! The process that does the operations, and is killed.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use war_vol::acquire::{Acquire, Parts, RetryPolicy};
use war_vol::fault::Fault;
use war_vol::metrics::Downloads;
use war_vol::mount::{Linux, Target};
use war_vol::policy::Policy;
use war_vol::source::Factory as Sources;
use war_vol::source::http::{Factory, Settings as HttpSettings};
use war_vol::store::{Limits, Settings, Store};
use war_vol::volume::{
    CallTask, Context, Error, Owner, PublishRequest, Sharing, Volumes, Writable,
};

use super::super::Random;
use super::super::origin::{Artifact, Origin};

pub(super) const VOLUMES: usize = 30;

pub(super) const ARTIFACTS: usize = 6;

/// What is done at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Publish,
    Republish,
    /// Somebody takes the mount away, as a reboot does, and it is published again.
    LoseMount,
    /// Two of the same at once.
    Twice,
    Unpublish,
    /// A publish that is given up after a moment.
    Cancel,
    /// An unpublish comes while a publish waits.
    Overtake,
    Collect,
    /// The process ends in order, and begins again.
    Restart,
}

impl Kind {
    pub(super) const ALL: [Self; 9] = [
        Self::Publish,
        Self::Republish,
        Self::LoseMount,
        Self::Twice,
        Self::Unpublish,
        Self::Cancel,
        Self::Overtake,
        Self::Collect,
        Self::Restart,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Republish => "republish",
            Self::LoseMount => "lose-mount",
            Self::Twice => "twice",
            Self::Unpublish => "unpublish",
            Self::Cancel => "cancel",
            Self::Overtake => "overtake",
            Self::Collect => "collect",
            Self::Restart => "restart",
        }
    }

    fn random(random: &mut Random) -> Self {
        match random.below(100) {
            0..25 => Self::Publish,
            25..40 => Self::Republish,
            40..47 => Self::LoseMount,
            47..55 => Self::Twice,
            55..78 => Self::Unpublish,
            78..86 => Self::Cancel,
            86..92 => Self::Overtake,
            92..98 => Self::Collect,
            _ => Self::Restart,
        }
    }
}

/// The n-th of the artifacts, of some thousand bytes.
pub(super) fn artifact(origin: &Origin, n: usize) -> Artifact {
    origin.artifact(&format!("soak{n}"), 5000 * (n + 1))
}

/// Does nothing unless the soak starts it: what runs here is killed.
#[test]
fn works_where_it_is_told_to() {
    let Ok(task) = std::env::var("WAR_VOL_SOAK") else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(war_vol::volume::WORKERS)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut worker = Worker::new();
        match task.as_str() {
            "work" => loop {
                let kind = Kind::random(&mut worker.random);
                worker.operate(kind).await;
                worker
                    .done
                    .write_all(format!("{}\n", kind.name()).as_bytes())
                    .unwrap();
            },
            "end" => worker.end().await,
            other => panic!("WAR_VOL_SOAK={other}"),
        }
    });
}

struct Worker {
    dir: PathBuf,
    origin: String,
    random: Random,
    done: File,
    /// None while it begins again.
    parts: Option<(Arc<Store>, Arc<Volumes<Linux>>)>,
}

impl Worker {
    fn new() -> Self {
        let dir = PathBuf::from(std::env::var_os("WAR_VOL_SOAK_DIR").unwrap());
        let done = OpenOptions::new()
            .append(true)
            .create(true)
            .open(dir.join("done"));
        let parts = Some(open(&dir));
        Self {
            done: done.unwrap(),
            origin: std::env::var("WAR_VOL_SOAK_ORIGIN").unwrap(),
            random: Random::new("worker"),
            dir,
            parts,
        }
    }

    async fn operate(&mut self, kind: Kind) {
        let n = self.random.below(VOLUMES);
        let request = self.request(n);
        match kind {
            Kind::Publish => self.publish(n).await,
            Kind::Republish => {
                self.publish(n).await;
                self.publish(n).await;
            }
            Kind::LoseMount => {
                self.publish(n).await;
                let target = self.target(n).path();
                rustix::mount::unmount(&target, rustix::mount::UnmountFlags::DETACH).unwrap();
                self.publish(n).await;
            }
            Kind::Twice => {
                let (a, b) = tokio::join!(self.begin(request.clone()), self.begin(request));
                // The second joins, or is told to come back.
                assert!(a.is_ok() || b.is_ok(), "{a:?} {b:?}");
                [a, b]
                    .into_iter()
                    .filter_map(Result::err)
                    .for_each(|e| only(&e, Fault::Pending));
                self.assert_shown(n);
            }
            Kind::Unpublish => self.unpublish(n).await,
            Kind::Cancel => {
                let patience = Duration::from_micros(self.random.below(6000) as u64);
                match tokio::time::timeout(patience, self.begin(request)).await {
                    Ok(published) => published.unwrap(),
                    // What it has begun to commit it finishes; whoever comes before that is told to come back.
                    Err(_) if self.random.below(2) == 0 => self.publish(n).await,
                    Err(_) => self.unpublish(n).await,
                }
            }
            Kind::Overtake => {
                let publish = self.begin(request);
                tokio::time::sleep(Duration::from_micros(self.random.below(4000) as u64)).await;
                self.unpublish_beside_others(n).await;
                if let Err(error) = publish.await {
                    only(&error, Fault::Pending);
                }
                self.unpublish(n).await;
            }
            Kind::Collect => {
                let bytes = [1, 20_000, u64::MAX][self.random.below(3)];
                self.store().collect(bytes).unwrap();
            }
            Kind::Restart => self.restart().await,
        }
    }

    /// In order: calls that were given up hold the volumes until they have their answer from the disk, and downloads that
    /// go on hold the store until their next chunk.
    async fn restart(&mut self) {
        let (store, volumes) = self.parts.take().unwrap();
        is_last(&volumes, "a call").await;
        volumes.close().unwrap();
        drop(volumes);
        is_last(&store, "a download").await;
        drop(store);
        self.parts = Some(open(&self.dir));
    }

    fn volumes(&self) -> &Arc<Volumes<Linux>> {
        &self.parts.as_ref().unwrap().1
    }

    fn store(&self) -> &Store {
        &self.parts.as_ref().unwrap().0
    }

    /// As a call comes to the driver.
    fn begin(&self, request: PublishRequest) -> CallTask<Result<(), Error>> {
        self.volumes()
            .spawn(async move |volumes, caller| volumes.publish(request, &caller).await)
    }

    async fn publish(&self, n: usize) {
        loop {
            match self.begin(self.request(n)).await {
                Ok(()) => return self.assert_shown(n),
                // A commit that nobody waited for any more.
                Err(error) => only(&error, Fault::Pending),
            }
        }
    }

    async fn unpublish(&self, n: usize) {
        self.unpublish_beside_others(n).await;
        assert!(!self.target(n).path().exists(), "the target of {n} is left");
    }

    async fn unpublish_beside_others(&self, n: usize) {
        while let Err(error) = self.volumes().unpublish(&name(n), &self.target(n)).await {
            only(&error, Fault::Pending);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn target(&self, n: usize) -> Target {
        Target::within(&self.dir, &self.dir.join("targets").join(name(n))).unwrap()
    }

    fn request(&self, n: usize) -> PublishRequest {
        let url = format!("{}{}", self.origin, path(n));
        let mut attributes = BTreeMap::from([("downloadURL".to_owned(), url)]);
        attributes.insert("pullPolicy".to_owned(), "IfNotPresent".to_owned());
        if n % 4 == 3 {
            attributes.insert("layout".to_owned(), "copy".to_owned());
        }
        PublishRequest {
            volume: name(n),
            target: self.target(n),
            attributes,
            secrets: BTreeMap::new(),
            readonly: n.is_multiple_of(4),
            writable: if n % 4 == 1 {
                Writable::No
            } else {
                Writable::Yes
            },
            sharing: Sharing::ManyTargets,
            group: n.is_multiple_of(3).then_some(4711),
            pod: None,
            claim: None,
            persistent_volume: None,
            node: None,
            owner: Owner::Kubelet {
                dir: self.dir.clone(),
                inode: 0,
            },
        }
    }

    fn assert_shown(&self, n: usize) {
        let file = self.target(n).path().join(&path(n)[1..]);
        let size = fs::metadata(&file)
            .unwrap_or_else(|e| panic!("{}: {e}", file.display()))
            .len();
        assert_eq!(size, 5000 * (n % ARTIFACTS + 1) as u64);
    }

    /// All volumes go, and what downloads left.
    async fn end(&self) {
        for n in 0..VOLUMES {
            self.unpublish(n).await;
        }
        self.volumes().clean_up();
        self.store().prune().unwrap();
        self.volumes().close().unwrap();
        assert!(self.volumes().list().unwrap().is_empty());
    }
}

fn name(n: usize) -> String {
    format!("volume{n}")
}

fn path(n: usize) -> String {
    let n = n % ARTIFACTS;
    format!("/soak{n}-{}.bin", 5000 * (n + 1))
}

fn only(error: &Error, fault: Fault) {
    assert_eq!(error.fault(), fault, "{error}");
}

fn open(dir: &Path) -> (Arc<Store>, Arc<Volumes<Linux>>) {
    let settings = Settings {
        root: dir.join("root"),
        limits: Limits {
            cache: None,
            free: "0".parse().unwrap(),
        },
        owner: Settings::OWNER,
    };
    let store = Arc::new(Store::wait_for(&settings, |_| ()).unwrap());
    let stall = Duration::from_secs(5);
    let http = Factory::new(&HttpSettings {
        ca_file: None,
        connect_timeout: stall,
    });
    let parts = Parts {
        store: Arc::clone(&store),
        sources: Sources::new(http.unwrap()),
        retry_policy: RetryPolicy {
            tries: 5,
            pause: Duration::from_millis(1),
            longest_pause: Duration::from_millis(10),
            stall_time: stall,
            stall_speed: 1,
        },
        flights: 4,
        metrics: Downloads::default(),
    };
    let mounter = Linux::new(store.root()).unwrap();
    let acquire = Acquire::new(parts);
    let volumes = Volumes::open(
        Arc::clone(&store),
        acquire,
        Policy::new(1 << 30),
        mounter,
        Context::default(),
    );
    (store, Arc::new(volumes.unwrap()))
}

async fn is_last<T>(parts: &Arc<T>, who: &str) {
    let end = Instant::now() + Duration::from_secs(10);
    while Arc::strong_count(parts) > 1 {
        assert!(Instant::now() < end, "{who} does not end");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
