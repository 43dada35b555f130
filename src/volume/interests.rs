//! The objects that one volume follows, and what they say.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::select_all;
use tokio::sync::watch;

use super::objects::{Class, Metadata, Object, Objects};

/// An object that a volume follows.
#[derive(Debug)]
struct Followed {
    object: Object,
    seen: watch::Sender<Option<Arc<Metadata>>>,
    /// Whether the volume cannot be shown without it.
    required: bool,
}

/// Objects that a volume follows, until this is dropped.
#[derive(Debug)]
pub(super) struct Interests {
    followed: Vec<Followed>,
    objects: Objects,
}

/// What is known of the objects that a volume follows.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Of its pod.
    pub pod: Option<Arc<Metadata>>,
    /// Of its claim.
    pub claim: Option<Arc<Metadata>>,
    /// Of its PersistentVolume, where that is followed.
    pub volume: Option<Arc<Metadata>>,
}

impl Interests {
    /// Begins to follow what is required, and what is good to know.
    pub(super) fn new(
        objects: &Objects,
        required: &BTreeSet<Object>,
        useful: &BTreeSet<Object>,
    ) -> Self {
        let follow = |object: &Object| Followed {
            object: object.clone(),
            seen: objects.follow(object),
            required: required.contains(object),
        };
        Self {
            followed: required.union(useful).map(follow).collect(),
            objects: objects.clone(),
        }
    }

    /// What is known now, or of which required object nothing is. `uid` is that of the pod: another one of its name is
    /// another pod.
    pub(super) fn facts(&self, uid: &str) -> Result<Facts, Object> {
        let mut facts = Facts::default();
        for Followed {
            object,
            seen,
            required,
        } in &self.followed
        {
            let is_it = |seen: &Arc<Metadata>| match object {
                Object::Pod { .. } => uid.is_empty() || seen.uid == uid,
                Object::Claim { .. } | Object::Volume(_) => true,
            };
            let seen = seen.borrow().clone().filter(is_it);
            if seen.is_none() && *required {
                return Err(object.clone());
            }
            match object {
                Object::Pod { .. } => facts.pod = seen,
                Object::Claim { .. } => facts.claim = seen,
                Object::Volume(_) => facts.volume = seen,
            }
        }
        Ok(facts)
    }

    /// A call needs them once more.
    pub(super) fn look_again(&self) {
        for followed in &self.followed {
            self.objects.look_again(&followed.object);
        }
    }

    /// Begins to listen. What is seen from now on is not missed.
    pub(super) fn listen(&self) -> Changes {
        let followed = self.followed.iter();
        Changes(followed.map(|followed| followed.seen.subscribe()).collect())
    }
}

impl Facts {
    /// What the objects say under a name among their annotations.
    pub(super) fn annotations(&self, name: &str) -> [Option<String>; 2] {
        let said = |of: &Option<Arc<Metadata>>| of.as_ref()?.annotations.get(name).cloned();
        [said(&self.pod), said(&self.claim)]
    }

    /// The class of the volume, if it has one.
    pub(super) fn class(&self) -> Option<&Class> {
        self.volume.as_ref()?.class.as_deref()
    }
}

impl Drop for Interests {
    fn drop(&mut self) {
        for followed in &self.followed {
            self.objects.unfollow(&followed.object);
        }
    }
}

/// What changes of the objects that a volume follows.
pub(super) struct Changes(Vec<watch::Receiver<Option<Arc<Metadata>>>>);

impl Changes {
    /// Returns when something else was seen; never where nothing is followed.
    pub(super) async fn next(&mut self) {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        let all = self.0.iter_mut().map(|seen| Box::pin(seen.changed()));
        // A sender that is gone tells nothing more.
        if let (Err(_), _, _) = select_all(all).await {
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::objects::{WantedObjects, WatchScope};
    use std::collections::BTreeMap;

    use super::*;

    fn follow<const N: usize>(objects: &Objects, these: [Object; N]) -> Interests {
        Interests::new(objects, &BTreeSet::from(these), &BTreeSet::new())
    }

    fn pod(name: &str) -> Object {
        Object::Pod {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
        }
    }

    fn claim(name: &str) -> Object {
        Object::Claim {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
        }
    }

    fn version(uid: &str, version: &str) -> Option<Metadata> {
        Some(Metadata {
            uid: uid.to_owned(),
            labels: BTreeMap::from([("version".to_owned(), version.to_owned())]),
            ..Metadata::default()
        })
    }

    #[tokio::test]
    async fn what_is_seen_is_told_to_those_who_follow() {
        let objects = Objects::new(WatchScope::Everything);
        let interests = follow(&objects, [pod("a"), claim("c")]);
        assert_eq!(interests.facts("1").unwrap_err(), pod("a"));
        let mut changes = interests.listen();
        objects.set(pod("a"), version("1", "v1"));
        objects.set(claim("c"), version("2", "v2"));
        changes.next().await;
        let facts = interests.facts("1").unwrap();
        assert_eq!(facts.pod.unwrap().labels["version"], "v1");
        assert_eq!(facts.claim.unwrap().labels["version"], "v2");
        // Another pod of the same name.
        assert_eq!(interests.facts("3").unwrap_err(), pod("a"));
        let mut changes = interests.listen();
        objects.set(pod("a"), version("1", "v1"));
        objects.set(claim("c"), version("2", "v3"));
        changes.next().await;
        assert_eq!(
            interests.facts("1").unwrap().claim.unwrap().labels["version"],
            "v3"
        );
    }

    #[test]
    fn what_nobody_follows_is_not_watched() {
        let objects = Objects::new(WatchScope::Everything);
        let wanted = objects.wanted();
        assert_eq!(*wanted.borrow(), WantedObjects::default());
        let one = follow(&objects, [pod("a"), claim("c")]);
        let two = follow(&objects, [claim("c")]);
        let claims = BTreeSet::from([("shop".to_owned(), "c".to_owned())]);
        assert_eq!(
            *wanted.borrow(),
            WantedObjects {
                pods: true,
                claims: claims.clone(),
                ..WantedObjects::default()
            }
        );
        drop(one);
        assert_eq!(
            *wanted.borrow(),
            WantedObjects {
                claims,
                ..WantedObjects::default()
            }
        );
        drop(two);
        assert_eq!(*wanted.borrow(), WantedObjects::default());
    }

    #[test]
    fn pods_are_kept_for_those_who_come_later_and_forgotten_when_they_are_gone() {
        let objects = Objects::new(WatchScope::Everything);
        objects.set(pod("a"), version("1", "v1"));
        objects.set(pod("b"), version("2", "v2"));
        let interests = follow(&objects, [pod("a")]);
        assert!(interests.facts("1").is_ok());
        objects.keep_pods(None, &BTreeSet::from([("shop".to_owned(), "b".to_owned())]));
        assert!(interests.facts("1").is_err());
        drop(interests);
        objects.keep_pods(None, &BTreeSet::new());
        assert_eq!(objects.known(), 0);
    }

    /// Whoever watches may not have noticed that nobody followed it for a moment.
    #[test]
    fn what_is_followed_again_is_known_as_long_as_it_is_watched() {
        let objects = Objects::new(WatchScope::Everything);
        let volume = Object::Volume("pvc-1".to_owned());
        for object in [claim("c"), volume] {
            drop(follow(&objects, [object.clone()]));
            objects.set(object.clone(), version("2", "v1"));
            drop(follow(&objects, [object.clone()]));
            assert!(follow(&objects, [object.clone()]).facts("1").is_ok());
            objects.set(object.clone(), None);
            assert!(follow(&objects, [object.clone()]).facts("1").is_err());
            assert_eq!(objects.known(), 1);
            objects.set(object, None);
            assert_eq!(objects.known(), 0);
        }
    }

    #[tokio::test]
    async fn of_too_many_claims_the_rest_is_read_by_each_call_that_needs_it() {
        let objects = Objects::new(WatchScope::Everything);
        let wanted = objects.wanted();
        let mut watched: Vec<_> = (0..200)
            .map(|n| follow(&objects, [claim(&n.to_string())]))
            .collect();
        let name = |name: &str| ("shop".to_owned(), name.to_owned());
        let read = follow(&objects, [claim("read")]);
        let _again = follow(&objects, [claim("read")]);
        let _other = follow(&objects, [claim("other")]);
        assert_eq!(wanted.borrow().claims.len(), 200);
        assert!(!wanted.borrow().claims.contains(&name("read")));
        // Once for both calls, and in the order of the calls.
        assert_eq!(objects.to_read().await, name("read"));
        assert_eq!(objects.to_read().await, name("other"));
        let another = tokio::spawn({
            let objects = objects.clone();
            async move { objects.to_read().await }
        });
        objects.set_read(name("read"), version("2", "v1").unwrap());
        let known = |of: &Interests| of.facts("").unwrap().claim.unwrap().labels["version"].clone();
        assert_eq!(known(&read), "v1");
        let later = follow(&objects, [claim("read")]);
        assert_eq!(another.await.unwrap(), name("read"));
        later.look_again();
        assert_eq!(objects.to_read().await, name("read"));
        // What is watched is not read.
        objects.set_read(name("0"), version("1", "v1").unwrap());
        assert!(watched[0].facts("").is_err());

        // A watch that ends makes room for another one.
        watched.remove(0);
        assert_eq!(wanted.borrow().claims.len(), 199);
        objects.set(claim("0"), None);
        assert_eq!(wanted.borrow().claims.len(), 200);
        let is_watched = |name: (String, String)| wanted.borrow().claims.contains(&name);
        assert!(is_watched(name("read")) != is_watched(name("other")));
        drop((read, later));
    }

    #[test]
    fn what_is_only_good_to_know_is_not_waited_for() {
        let objects = Objects::new(WatchScope::Everything);
        let useful = BTreeSet::from([pod("a")]);
        let interests = Interests::new(&objects, &BTreeSet::new(), &useful);
        assert!(interests.facts("1").unwrap().pod.is_none());
        objects.set(pod("a"), version("1", "v1"));
        assert!(interests.facts("1").unwrap().pod.is_some());
    }
}
