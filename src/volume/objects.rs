//! What the objects of Kubernetes say of themselves: the labels and annotations that variables name, and classes.
//!
//! Owns who wants to know what. Nobody here speaks to the API server: whoever does learns from [`Objects::wanted`] what to
//! watch, and tells with [`Objects::set`] what is seen. Where nobody does, variables of objects are refused.
//!
//! The API server can watch claims only one by one, so no more than 200 of them are; each of the rest is read
//! whenever kubelet publishes a volume that needs it ([`Objects::to_read`]).
//!
//! Invariant: what was seen stays until something else is seen. An API server that is gone changes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::watch;

use super::readiness::{Answer, AskPods};
use crate::lock::{Guard, Short};
use crate::policy::Pod;

/// How many claims are watched at the same time.
const MOST_WATCHED: usize = 200;

/// A claim, by namespace and name.
pub type ClaimName = (String, String);

/// An object of the API server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// A pod of this node.
    Pod {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A PersistentVolumeClaim.
    Claim {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A PersistentVolume, by its name.
    Volume(String),
}

/// What is wanted of it.
impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = "the labels and annotations of";
        match self {
            Self::Pod { namespace, name } => write!(f, "{said} the pod {namespace}/{name}"),
            Self::Claim { namespace, name } => write!(f, "{said} the claim {namespace}/{name}"),
            Self::Volume(name) => write!(f, "the class of the PersistentVolume {name}"),
        }
    }
}

/// What an object says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Tells it from another one of the same name.
    pub uid: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The class of a PersistentVolume, if it has one.
    pub class: Option<Arc<Class>>,
}

/// A VolumeAttributesClass (storage.k8s.io/v1). Its parameters never change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// What it sets.
    pub parameters: BTreeMap<String, String>,
}

/// Of which objects somebody tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WatchScope {
    /// Of none.
    #[default]
    Nothing,
    /// Of those in these namespaces.
    Namespaces(BTreeSet<String>),
    /// Of all.
    Everything,
}

/// What is to be watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedObjects {
    /// Whether any pod of this node is.
    pub pods: bool,
    /// The claims; of those that are too many, none.
    pub claims: BTreeSet<ClaimName>,
    /// The PersistentVolumes, by name.
    pub volumes: BTreeSet<String>,
}

/// What is known of objects. Cheap to clone; clones share it.
#[derive(Clone, Debug)]
pub struct Objects(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    entries: Short<HashMap<Object, Entry>>,
    wanted: watch::Sender<WantedObjects>,
    to_read: watch::Sender<VecDeque<ClaimName>>,
    watched: WatchScope,
    pods: Option<Arc<dyn AskPods>>,
    tells_classes: bool,
}

#[derive(Debug, Default)]
struct Entry {
    users: usize,
    /// Whether a claim is read when a call needs it, and not watched.
    only_read: bool,
    seen: watch::Sender<Option<Arc<Metadata>>>,
}

impl Default for Objects {
    fn default() -> Self {
        Self::new(WatchScope::Nothing)
    }
}

impl Objects {
    /// Nothing is known yet. `watched`: of what somebody will tell.
    pub fn new(watched: WatchScope) -> Self {
        Self::asking(watched, None, false)
    }

    /// The same, and somebody will tell which class each PersistentVolume has.
    pub fn with_classes(watched: WatchScope) -> Self {
        Self::asking(watched, None, true)
    }

    /// With somebody who can be asked for pods, and perhaps with classes.
    pub fn asking(watched: WatchScope, pods: Option<Arc<dyn AskPods>>, classes: bool) -> Self {
        Self(Arc::new(Shared {
            entries: Short::default(),
            wanted: watch::Sender::default(),
            to_read: watch::Sender::default(),
            watched,
            pods,
            tells_classes: classes,
        }))
    }

    /// Asks whether a pod is Ready; nothing where nobody knows.
    pub(super) fn readiness(&self, pod: &Pod) -> Option<Answer> {
        self.0.pods.as_ref().map(|pods| pods.readiness(pod))
    }

    /// Whether anybody tells which classes PersistentVolumes have.
    pub fn tell_classes(&self) -> bool {
        self.0.tells_classes
    }

    /// Whether anybody tells what the objects of a namespace say.
    pub fn are_watched(&self, namespace: &str) -> bool {
        match &self.0.watched {
            WatchScope::Nothing => false,
            WatchScope::Namespaces(these) => these.contains(namespace),
            WatchScope::Everything => true,
        }
    }

    /// What is to be watched, now and later.
    pub fn wanted(&self) -> watch::Receiver<WantedObjects> {
        self.0.wanted.subscribe()
    }

    fn entries(&self) -> Guard<'_, HashMap<Object, Entry>> {
        self.0.entries.lock()
    }

    /// What was seen of an object; nothing once it is gone, or is watched no more.
    pub fn set(&self, object: Object, seen: Option<Metadata>) {
        let mut entries = self.entries();
        // Of pods all are kept that the one watch of the node shows: somebody may want one of them later.
        if seen.is_none() && entries.get(&object).is_none_or(|entry| entry.users == 0) {
            if entries.remove(&object).is_some() && matches!(object, Object::Claim { .. }) {
                self.watch_another(&mut entries);
            }
            return;
        }
        entries.entry(object).or_default().set(seen);
    }

    /// What was read of a claim, unless it is watched by now, and known better.
    pub fn set_read(&self, (namespace, name): ClaimName, read: Metadata) {
        let mut entries = self.entries();
        if let Some(entry) = entries.get_mut(&Object::Claim { namespace, name })
            && entry.only_read
        {
            entry.set(Some(read));
        }
    }

    /// The next claim that is to be read, once for all the calls that have needed it since. One at a time waits here.
    pub async fn to_read(&self) -> ClaimName {
        let mut added = self.0.to_read.subscribe();
        loop {
            let mut next = None;
            self.0.to_read.send_if_modified(|claims| {
                next = claims.pop_front();
                false
            });
            if let Some(claim) = next {
                return claim;
            }
            // Whoever adds is there as long as this is.
            let _ = added.changed().await;
        }
    }

    /// Forgets the pods of a namespace, or of all of them, that are not among these, by namespace and name.
    pub fn keep_pods(&self, of: Option<&str>, these: &BTreeSet<(String, String)>) {
        let is_gone = |object: &&Object| match object {
            Object::Pod { namespace, name } => {
                of.is_none_or(|of| of == namespace)
                    && !these.contains(&(namespace.clone(), name.clone()))
            }
            Object::Claim { .. } | Object::Volume(_) => false,
        };
        let gone: Vec<Object> = self.entries().keys().filter(is_gone).cloned().collect();
        for object in gone {
            self.set(object, None);
        }
    }

    /// How many objects anything is known of.
    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.entries().len()
    }

    /// Begins to follow an object. Each call is to be followed by one of [`unfollow`](Self::unfollow).
    pub(super) fn follow(&self, object: &Object) -> watch::Sender<Option<Arc<Metadata>>> {
        let mut entries = self.entries();
        let only_read = matches!(object, Object::Claim { .. })
            && !entries.contains_key(object)
            && watched_claims(&entries) >= MOST_WATCHED;
        let entry = entries.entry(object.clone()).or_insert_with(|| Entry {
            only_read,
            ..Entry::default()
        });
        entry.users += 1;
        let seen = entry.seen.clone();
        self.tell(&entries);
        drop(entries);
        self.look_again(object);
        seen
    }

    /// Reads a claim that is followed already, if it is one that is only read.
    pub(super) fn look_again(&self, object: &Object) {
        if let Object::Claim { namespace, name } = object
            && self
                .entries()
                .get(object)
                .is_some_and(|entry| entry.only_read)
        {
            self.read((namespace.clone(), name.clone()));
        }
    }

    fn read(&self, claim: ClaimName) {
        self.0.to_read.send_if_modified(|claims| {
            let is_new = !claims.contains(&claim);
            if is_new {
                claims.push_back(claim);
            }
            is_new
        });
    }

    /// There is room for one more watch.
    fn watch_another(&self, entries: &mut HashMap<Object, Entry>) {
        if let Some(entry) = entries.values_mut().find(|entry| entry.only_read) {
            entry.only_read = false;
            self.tell(entries);
        }
    }

    /// Ends to follow an object. What was seen of it stays until whoever watches ends that too: who follows it again before
    /// then gets no other watch, which would begin with what is there. What was only read goes at once.
    pub(super) fn unfollow(&self, object: &Object) {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(object) else {
            return;
        };
        entry.users -= 1;
        if entry.users == 0 && entry.only_read {
            entries.remove(object);
            return;
        }
        self.tell(&entries);
    }

    fn tell(&self, entries: &HashMap<Object, Entry>) {
        let mut now = WantedObjects::default();
        let watched = entries.iter().filter(|(_, e)| e.users > 0 && !e.only_read);
        for (object, _) in watched {
            match object {
                Object::Pod { .. } => now.pods = true,
                Object::Claim { namespace, name } => {
                    now.claims.insert((namespace.clone(), name.clone()));
                }
                Object::Volume(name) => drop(now.volumes.insert(name.clone())),
            }
        }
        self.0.wanted.send_if_modified(|known| {
            let is_new = *known != now;
            *known = now;
            is_new
        });
    }
}

impl Entry {
    fn set(&mut self, seen: Option<Metadata>) {
        self.seen.send_if_modified(|known| {
            let is_new = known.as_deref() != seen.as_ref();
            if is_new {
                *known = seen.map(Arc::new);
            }
            is_new
        });
    }
}

/// Those that nobody needs any more, but whose watch has not ended yet, count too.
fn watched_claims(entries: &HashMap<Object, Entry>) -> usize {
    let claims = entries
        .iter()
        .filter(|(object, entry)| matches!(object, Object::Claim { .. }) && !entry.only_read);
    claims.count()
}
