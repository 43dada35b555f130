//! What volumes want to know of pods, claims and classes, where the driver was told that it may ask the API server.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc::Receiver;
use tokio_util::task::AbortOnDropHandle;

use super::Error;
use super::classes::ClassWatch;
use super::seen::{Asker, KEPT, Outage, known};
use crate::cluster::{self, Account, Events, Note, PodReadiness, Seen, Watcher};
use crate::config::Serving;
use crate::fault;
use crate::metrics::Metrics;
use crate::source::http;
use crate::volume::notices::{Notice, Notices};
use crate::volume::objects::{Object, Objects, WatchScope};
use crate::volume::readiness::{Answer, AskPods, Readiness};
use crate::volume::{Context, Pod};

/// So many nodes with too many claims to watch them all must not be a load for the API server.
const BETWEEN_READS: Duration = Duration::from_millis(200);

/// Who is asked, for which namespaces, and what for.
pub(super) struct ObjectWatch {
    account: Account,
    watcher: Watcher,
    node: String,
    namespaces: BTreeSet<String>,
    objects: Objects,
    notices: Receiver<Notice>,
}

impl ObjectWatch {
    /// As it was asked for, if it was, with what volumes know of it. Nothing is asked yet.
    pub(super) fn new(
        serving: &Serving,
        node: &str,
        metrics: &Metrics,
    ) -> Result<Option<(Self, Context)>, Error> {
        let classes = serving.volume_attributes_classes && serving.mode.node();
        if !serving.watch_objects {
            return match classes {
                true => Err(Error::Setting(
                    "--volume-attributes-classes: nodes also need --watch-objects; add it"
                        .to_owned(),
                )),
                false => Ok(None),
            };
        }
        let wrong = |e: cluster::Error| Error::Setting(format!("--watch-objects: {e}"));
        let account = Account::of_this_pod().map_err(wrong)?;
        let account = account.counting(metrics.api_requests.clone());
        let namespaces: BTreeSet<String> = serving.watch_namespaces.iter().cloned().collect();
        let scope = match namespaces.is_empty() {
            true => WatchScope::Everything,
            false => WatchScope::Namespaces(namespaces.clone()),
        };
        let watcher = Watcher::new(account.clone(), http::names());
        let pods = ApiPods {
            watcher: watcher.clone(),
            node: node.to_owned(),
        };
        let objects = Objects::asking(scope, Some(Arc::new(pods)), classes);
        let (told, notices) = Notices::channel();
        let context = Context {
            objects: objects.clone(),
            notices: told,
            ..Context::default()
        };
        let watch = Self {
            account,
            watcher,
            node: node.to_owned(),
            namespaces,
            objects,
            notices,
        };
        Ok(Some((watch, context)))
    }

    /// Watches what volumes want to know, and tells pods of their volumes, as long as the runtime runs. Without a volume
    /// whose content may change nothing is asked.
    pub(super) fn begin(self, driver: &str) {
        let (of, outage) = ((self.node.clone(), self.namespaces), Outage::default());
        let (watcher, objects) = (self.watcher.clone(), self.objects.clone());
        tokio::spawn(read_claims(watcher, objects, outage.asker()));
        let (driver, node) = (driver.to_owned(), self.node);
        let events = Events::new(self.account, http::names(), driver, node);
        tokio::spawn(tell(events, self.notices, outage.asker()));
        tokio::spawn(follow(self.watcher, of, self.objects, outage));
    }
}

/// The pods of this node, as the API server knows them.
struct ApiPods {
    watcher: Watcher,
    node: String,
}

impl fmt::Debug for ApiPods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiPods").finish_non_exhaustive()
    }
}

impl AskPods for ApiPods {
    fn readiness(&self, pod: &Pod) -> Answer {
        let (watcher, node, pod) = (self.watcher.clone(), self.node.clone(), pod.clone());
        Box::pin(async move {
            let asked = watcher.readiness(&node, (&pod.namespace, &pod.name, &pod.uid));
            match asked.await {
                Ok(PodReadiness::Ready) => Ok(Readiness::Ready),
                Ok(PodReadiness::Unready { since, why }) => Ok(Readiness::Unready { since, why }),
                Ok(PodReadiness::Ending) => Ok(Readiness::Ending),
                Err(error) => Err(fault::line(&error)),
            }
        })
    }
}

/// Brings notices to their pods, one after another.
async fn tell(mut events: Events, mut notices: Receiver<Notice>, mut asker: Asker) {
    while let Some(Notice {
        pod,
        happened,
        words,
    }) = notices.recv().await
    {
        let note = Note {
            namespace: pod.namespace,
            name: pod.name,
            uid: pod.uid,
            reason: happened.reason(),
            is_warning: happened.is_warning(),
            words,
        };
        match events.say(note).await {
            Ok(()) => asker.answered(),
            Err(error) => asker.failed("a pod is not told of its volume", &error),
        }
    }
}

async fn follow(
    watcher: Watcher,
    (node, namespaces): (String, BTreeSet<String>),
    objects: Objects,
    outage: Outage,
) {
    let mut wanted = objects.wanted();
    let mut pods: Vec<AbortOnDropHandle<()>> = Vec::new();
    let mut claims: BTreeMap<(String, String), AbortOnDropHandle<()>> = BTreeMap::new();
    let mut volumes = ClassWatch::new(watcher.clone(), objects.clone(), outage.clone());
    loop {
        let now = wanted.borrow_and_update().clone();
        if now.pods && pods.is_empty() {
            let one = |namespace: Option<&String>| {
                let seen = watcher.pods(&node, namespace.map(String::as_str));
                AbortOnDropHandle::new(tokio::spawn(pods_seen(
                    seen,
                    namespace.cloned(),
                    objects.clone(),
                    outage.asker(),
                )))
            };
            pods = match namespaces.is_empty() {
                true => vec![one(None)],
                false => namespaces
                    .iter()
                    .map(|namespace| one(Some(namespace)))
                    .collect(),
            };
        }
        if !now.pods {
            pods.clear();
            objects.keep_pods(None, &BTreeSet::new());
        }
        claims.retain(|claim, _| {
            let goes_on = now.claims.contains(claim);
            if !goes_on {
                let (namespace, name) = claim.clone();
                objects.set(Object::Claim { namespace, name }, None);
            }
            goes_on
        });
        for claim in now.claims {
            claims.entry(claim).or_insert_with_key(|(namespace, name)| {
                let claim = Object::Claim {
                    namespace: namespace.clone(),
                    name: name.clone(),
                };
                AbortOnDropHandle::new(tokio::spawn(claim_seen(
                    watcher.claim(namespace, name),
                    claim,
                    objects.clone(),
                    outage.asker(),
                )))
            });
        }
        volumes.follow(now.volumes);
        if wanted.changed().await.is_err() {
            return;
        }
    }
}

async fn pods_seen(
    seen: impl Stream<Item = Seen>,
    of: Option<String>,
    objects: Objects,
    mut asker: Asker,
) {
    let mut seen = Box::pin(seen);
    while let Some(seen) = seen.next().await {
        match seen {
            Seen::Object(pod) => {
                let (namespace, name) = (pod.namespace.clone(), pod.name.clone());
                objects.set(Object::Pod { namespace, name }, Some(known(pod)));
            }
            Seen::Gone((namespace, name)) => objects.set(Object::Pod { namespace, name }, None),
            Seen::All(these) => {
                objects.keep_pods(of.as_deref(), &these);
                asker.answered();
            }
            Seen::Failed(error) => asker.failed(KEPT, &error),
        }
    }
}

async fn claim_seen(
    seen: impl Stream<Item = Seen>,
    claim: Object,
    objects: Objects,
    mut asker: Asker,
) {
    let mut seen = Box::pin(seen);
    while let Some(seen) = seen.next().await {
        match seen {
            Seen::Object(found) => objects.set(claim.clone(), Some(known(found))),
            // The volume outlives the claim: what was seen last stays.
            Seen::Gone(_) => {}
            Seen::All(_) => asker.answered(),
            Seen::Failed(error) => asker.failed(KEPT, &error),
        }
    }
}

/// Reads the claims that are not watched, when calls need them.
async fn read_claims(watcher: Watcher, objects: Objects, mut asker: Asker) {
    loop {
        let (namespace, name) = objects.to_read().await;
        match watcher.read_claim(&namespace, &name).await {
            Ok(found) => {
                asker.answered();
                // The volume outlives the claim.
                if let Some(found) = found {
                    objects.set_read((namespace, name), known(found));
                }
            }
            Err(error) => asker.failed(KEPT, &error),
        }
        tokio::time::sleep(BETWEEN_READS).await;
    }
}
