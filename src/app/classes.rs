//! Which VolumeAttributesClass each PersistentVolume has that a volume of this node follows, and what that class sets.
//!
//! A class is asked for once, whoever has it: its parameters never change. As soon as nobody has it any more it is forgotten,
//! because only then another one of its name can be made.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::Mutex;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::seen::{KEPT, Outage, known};
use crate::cluster::{self, Seen, Watcher};
use crate::volume::objects::{Class, Metadata, Object, Objects};

/// How long after a failure a class is asked for again; it doubles, up to the other one.
const AGAIN: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_secs(60);

/// A watch of each PersistentVolume that is followed.
pub(super) struct ClassWatch {
    watches: BTreeMap<String, AbortOnDropHandle<()>>,
    classes: Classes,
    objects: Objects,
}

impl ClassWatch {
    /// Nothing is asked yet.
    pub(super) fn new(watcher: Watcher, objects: Objects, outage: Outage) -> Self {
        Self {
            watches: BTreeMap::new(),
            classes: Classes {
                watcher,
                outage,
                known: Arc::default(),
            },
            objects,
        }
    }

    /// Follows these from now on, and no others. Must be called within a tokio runtime.
    pub(super) fn follow(&mut self, these: BTreeSet<String>) {
        let objects = &self.objects;
        self.watches.retain(|name, _| {
            let goes_on = these.contains(name);
            if !goes_on {
                objects.set(Object::Volume(name.clone()), None);
            }
            goes_on
        });
        for name in these {
            let (classes, objects) = (self.classes.clone(), self.objects.clone());
            self.watches.entry(name).or_insert_with_key(|name| {
                let name = name.clone();
                AbortOnDropHandle::new(tokio::spawn(volume_seen(name, classes, objects)))
            });
        }
    }
}

/// Tells which class a PersistentVolume has, once it is known what that sets: until then what was seen last stays.
async fn volume_seen(name: String, classes: Classes, objects: Objects) {
    let mut asker = classes.outage.asker();
    let mut seen = Box::pin(classes.watcher.volume(&name));
    let mut unread: Option<cluster::Metadata> = None;
    loop {
        let event = tokio::select! {
            event = seen.next() => event,
            volume = classes.of(unread.clone()) => {
                unread = None;
                objects.set(Object::Volume(name.clone()), Some(volume));
                continue;
            }
        };
        match event {
            Some(Seen::Object(volume)) => unread = Some(volume),
            // The volume outlives it: what was seen last stays.
            Some(Seen::Gone(_)) => {}
            Some(Seen::All(_)) => asker.answered(),
            Some(Seen::Failed(error)) => asker.failed(KEPT, &error),
            None => return,
        }
    }
}

/// The classes that are read. Clones share them.
#[derive(Clone)]
struct Classes {
    watcher: Watcher,
    outage: Outage,
    /// Held while one is asked for, so that nobody else asks for the same.
    known: Arc<Mutex<HashMap<String, Weak<Class>>>>,
}

impl Classes {
    /// What a PersistentVolume says of itself with its class, however long it takes to read that; without one for ever.
    async fn of(&self, volume: Option<cluster::Metadata>) -> Metadata {
        let Some(volume) = volume else {
            return std::future::pending().await;
        };
        let class = match volume.class.clone() {
            Some(name) => Some(self.read(name).await),
            None => None,
        };
        Metadata {
            class,
            ..known(volume)
        }
    }

    async fn read(&self, name: String) -> Arc<Class> {
        let (mut asker, mut pause) = (self.outage.asker(), AGAIN);
        loop {
            match self.try_read(&name).await {
                Ok(class) => {
                    asker.answered();
                    return class;
                }
                Err(error) => asker.failed(KEPT, &error),
            }
            sleep(pause).await;
            pause = (2 * pause).min(SELDOM);
        }
    }

    async fn try_read(&self, name: &str) -> Result<Arc<Class>, cluster::Error> {
        let mut known = self.known.lock().await;
        if let Some(class) = known.get(name).and_then(Weak::upgrade) {
            return Ok(class);
        }
        known.retain(|_, class| class.strong_count() > 0);
        let class = Arc::new(Class {
            parameters: self.watcher.class(name).await?,
            name: name.to_owned(),
        });
        known.insert(name.to_owned(), Arc::downgrade(&class));
        Ok(class)
    }
}
