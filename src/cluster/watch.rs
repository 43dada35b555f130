//! What objects say of themselves, as it changes: of pods and claims their labels and annotations, of a PersistentVolume
//! which class it has, and nothing else of them.
//!
//! Watches pods and claims with metadata alone (`PartialObjectMetadata`). kube's watcher begins again where it was cut, from
//! the start where the API server has forgotten that place, and waits longer after each failure.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;

use futures_util::{Stream, StreamExt};
use kube::Api;
use kube::core::ObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::time::timeout;

use super::api::{TIMEOUT, explained, silent};
use super::client::{self, Names};
use super::watched::{Watched, core};
use super::{Account, Error, class};

/// How many objects are asked for at a time. Each may be as long as the API server lets it be.
const PAGE: u32 = 100;

/// The longest value that anybody can use, and one byte more: that it is too long must still be seen.
const LONGEST: usize = 254;

/// What an object says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Tells it from another one of the same name.
    pub uid: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations; long ones are cut.
    pub annotations: BTreeMap<String, String>,
    /// The name of its class; only a PersistentVolume has one.
    pub class: Option<String>,
}

/// What a watch sees.
#[derive(Debug)]
pub enum Seen {
    /// An object, new or changed.
    Object(Metadata),
    /// One that is gone, by namespace and name.
    Gone((String, String)),
    /// There are these, and no others.
    All(BTreeSet<(String, String)>),
    /// Nothing, for this reason. It goes on by itself.
    Failed(Error),
}

/// Whoever watches, over one connection.
#[derive(Clone)]
pub struct Watcher {
    pub(super) account: Account,
    pub(super) client: kube::Client,
}

impl Watcher {
    /// Nothing is asked yet.
    pub fn new(account: Account, names: Names) -> Self {
        Self {
            client: client::client(&account, names),
            account,
        }
    }

    /// The pods of a node, in one namespace or in all of them.
    pub fn pods(
        &self,
        node: &str,
        namespace: Option<&str>,
    ) -> impl Stream<Item = Seen> + Send + use<> {
        let client = self.client.clone();
        let pods = core("Pod", "pods");
        let api: Api<Watched> = match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &pods),
            None => Api::all_with(client, &pods),
        };
        let config = watcher::Config::default()
            .fields(&format!("spec.nodeName={node}"))
            .page_size(PAGE);
        let events = watcher(api, config).default_backoff();
        seen(self.account.clone(), events, "watch the pods of this node")
    }

    /// One claim.
    pub fn claim(&self, namespace: &str, name: &str) -> impl Stream<Item = Seen> + Send + use<> {
        let claims = core("PersistentVolumeClaim", "persistentvolumeclaims");
        let api: Api<Watched> = Api::namespaced_with(self.client.clone(), namespace, &claims);
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let events = watcher(api, config).default_backoff();
        seen(self.account.clone(), events, "watch the claim")
    }

    /// Reads one claim, if it is there.
    pub async fn read_claim(&self, namespace: &str, name: &str) -> Result<Option<Metadata>, Error> {
        let asked = "get the claim";
        let claims = core("PersistentVolumeClaim", "persistentvolumeclaims");
        let api: Api<Watched> = Api::namespaced_with(self.client.clone(), namespace, &claims);
        match timeout(TIMEOUT, api.get_metadata_opt(name)).await {
            Ok(Ok(claim)) => Ok(claim.map(|claim| metadata(claim.metadata))),
            Ok(Err(error)) => Err(explained(&self.account, (asked, name), error)),
            Err(_) => Err(silent(&self.account, asked)),
        }
    }

    /// One PersistentVolume.
    pub fn volume(&self, name: &str) -> impl Stream<Item = Seen> + Send + use<> {
        let volumes = core("PersistentVolume", "persistentvolumes");
        let api: Api<Watched> = Api::all_with(self.client.clone(), &volumes);
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let events = watcher(api, config).default_backoff();
        seen(self.account.clone(), events, "watch the persistentvolume")
    }

    /// The parameters of a VolumeAttributesClass.
    pub async fn class(&self, name: &str) -> Result<BTreeMap<String, String>, Error> {
        class::get(&self.account, &self.client, name).await
    }
}

fn seen(
    account: Account,
    events: impl Stream<Item = Result<Event<Watched>, watcher::Error>> + Send,
    asked: &'static str,
) -> impl Stream<Item = Seen> + Send {
    let mut listed = BTreeSet::new();
    events.filter_map(move |event| {
        ready(match event {
            Ok(Event::Init) => {
                listed.clear();
                None
            }
            Ok(Event::InitApply(object)) => {
                let seen: Metadata = object.into();
                listed.insert((seen.namespace.clone(), seen.name.clone()));
                Some(Seen::Object(seen))
            }
            Ok(Event::InitDone) => Some(Seen::All(std::mem::take(&mut listed))),
            Ok(Event::Apply(object)) => Some(Seen::Object(object.into())),
            Ok(Event::Delete(object)) => {
                let gone: Metadata = object.into();
                Some(Seen::Gone((gone.namespace, gone.name)))
            }
            Err(error) => failed(&account, asked, error).map(Seen::Failed),
        })
    })
}

/// Nothing where it only has to begin again: the place in the history is forgotten (410).
fn failed(account: &Account, asked: &'static str, error: watcher::Error) -> Option<Error> {
    let inner = match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => error,
        watcher::Error::WatchError(status) => kube::Error::Api(status),
        watcher::Error::NoResourceVersion => {
            let why = "without a resource version".to_owned();
            return Some(Error::Answer {
                asked,
                status: 200,
                why,
            });
        }
    };
    if matches!(&inner, kube::Error::Api(status) if status.code == 410) {
        return None;
    }
    Some(explained(account, (asked, ""), inner))
}

impl From<Watched> for Metadata {
    fn from(object: Watched) -> Self {
        Self {
            class: object.class(),
            ..metadata(object.metadata)
        }
    }
}

fn metadata(of: ObjectMeta) -> Metadata {
    let cut = |all: Option<BTreeMap<String, String>>| {
        let mut all = all.unwrap_or_default();
        for value in all.values_mut() {
            let end = value.floor_char_boundary(LONGEST);
            value.truncate(end);
            value.shrink_to_fit();
        }
        all
    };
    Metadata {
        namespace: of.namespace.unwrap_or_default(),
        name: of.name.unwrap_or_default(),
        uid: of.uid.unwrap_or_default(),
        labels: cut(of.labels),
        annotations: cut(of.annotations),
        class: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_to_be_used_is_cut_and_still_too_long() {
        let long = "ä".repeat(100_000);
        let seen = metadata(ObjectMeta {
            annotations: Some(BTreeMap::from([("a".to_owned(), long)])),
            ..ObjectMeta::default()
        });
        let value = &seen.annotations["a"];
        assert!(value.len() > 253 && value.len() <= 254, "{}", value.len());
    }
}
