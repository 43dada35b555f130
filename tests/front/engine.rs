//! The engine without a command line: a store, and downloads into it, in this process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use war_vol::acquire::{Acquire, Error, Joined, Parts, RetryPolicy};
use war_vol::artifact::Digest;
use war_vol::metrics::Downloads;
use war_vol::policy::{Permit, Policy, PullPolicy, Request, Subject};
use war_vol::source::http::{Factory, Settings as HttpSettings};
use war_vol::source::{Credentials, Factory as Sources};
use war_vol::store::{Artifact, Limits, Settings, Store};

use sha2::{Digest as _, Sha256};

/// Where each test's engine may reach: a megabyte, and little patience.
pub(crate) struct Engine {
    pub(crate) store: Arc<Store>,
    pub(crate) acquire: Acquire,
    pub(crate) policy: Policy,
}

/// So impatient that a test with several lost attempts takes a fraction of a second. Some tries more than the universe
/// of bad origins takes away, because a loaded machine may let an honest answer come too late.
pub(crate) fn impatient() -> RetryPolicy {
    RetryPolicy {
        tries: 12,
        pause: Duration::from_millis(2),
        longest_pause: Duration::from_millis(50),
        stall_time: Duration::from_millis(400),
        stall_speed: 1024,
    }
}

impl Engine {
    /// Needs root, because what is cached is given to an id that nobody has.
    pub(crate) fn open(root: &Path, ca_file: Option<&Path>) -> Self {
        Self::with(root, ca_file, impatient())
    }

    /// The same with another patience.
    pub(crate) fn with(root: &Path, ca_file: Option<&Path>, retry_policy: RetryPolicy) -> Self {
        let settings = Settings {
            root: root.to_owned(),
            limits: Limits {
                cache: None,
                free: "0".parse().unwrap(),
            },
            owner: Settings::OWNER,
        };
        // The one before may still be deleting something in the background.
        let store = Store::wait_for(&settings, |_| {}).expect("a store (needs root)");
        let store = Arc::new(store);
        let http = HttpSettings {
            ca_file: ca_file.map(Path::to_owned),
            connect_timeout: retry_policy.stall_time,
        };
        let parts = Parts {
            store: Arc::clone(&store),
            sources: Sources::new(Factory::new(&http).unwrap()),
            retry_policy,
            flights: 4,
            metrics: Downloads::default(),
        };
        Self {
            store,
            acquire: Acquire::new(parts),
            policy: Policy::new(1 << 20),
        }
    }

    /// Gets an artifact into the store. Hangs nowhere: whoever waits for a minute fails the test.
    pub(crate) async fn get(&self, request: &Request) -> Result<Artifact, Arc<Error>> {
        let flying = match self.acquire.join(permit(&self.policy, request)?)? {
            Joined::Have(artifact) => return Ok(artifact),
            Joined::Flying(waiting) => waiting,
        };
        let completed = tokio::time::timeout(Duration::from_secs(60), flying.completed()).await;
        completed.expect("the download hangs")
    }

    /// The bytes of a blob, as they lie in the store.
    pub(crate) fn bytes(&self, artifact: &Artifact) -> Vec<u8> {
        std::fs::read(
            self.store
                .root()
                .join("v1/blobs")
                .join(artifact.digest().hex()),
        )
        .unwrap()
    }
}

/// For somebody at a command line.
pub(crate) fn permit(policy: &Policy, request: &Request) -> Result<Permit, Error> {
    let subject = Subject {
        volume: "test".to_owned(),
        pod: None,
        of_claim: false,
    };
    Ok(policy.check(subject, request.clone())?)
}

/// A request without credentials.
pub(crate) fn request(url: &str, pin: Option<Digest>) -> Request {
    let pull = if pin.is_some() {
        PullPolicy::IfNotPresent
    } else {
        PullPolicy::Always
    };
    Request {
        url: url.parse().unwrap(),
        promise: pin.map(Into::into),
        checksum_file: None,
        maven: None,
        said_by: None,
        pull,
        max_size: None,
        credentials: Credentials::default(),
    }
}

/// What bytes hash to.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Digest::sha256(Sha256::digest(bytes).into())
}
