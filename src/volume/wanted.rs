//! What a request means at a moment, with what the objects that it names say then.

use std::collections::BTreeSet;

use super::changes::Changes;
use super::classes;
use super::content::{self, Moment, NewVolume};
use super::interests::Interests;
use super::objects::Object;
use super::request::KeyedRequest;
use super::spec::{VolumeTemplate, may_change, may_have_variables_or_refresh};
use super::template::Source;
use super::{Error, PublishRequest, Shared};
use crate::artifact::ArtifactUrl;
use crate::mount::Mounter;

impl<M: Mounter> Shared<M> {
    /// What a request means for the content with the number `swap`, counted from 1.
    pub(super) fn new_volume(&self, keyed: &KeyedRequest, swap: u64) -> Result<NewVolume, Error> {
        let facts = keyed.facts();
        let follows_class = self.followed(&keyed.request).is_some();
        // Without its class nothing is known of it, not even whether it has a URL.
        if let (Err(unseen), true) = (&facts, follows_class) {
            return Err(Error::Unseen(unseen.clone()));
        }
        let at = Moment {
            relabels: self.mounter.relabels(),
            watched: self.are_watched(&keyed.request),
            follows_class,
            facts,
            swap,
        };
        NewVolume::of(&keyed.request, at)
    }

    /// When and how the content of a volume changes; nothing where that is not known, or cannot be read.
    pub(super) fn changes(&self, keyed: &KeyedRequest) -> Option<Changes> {
        let is_known = self.followed(&keyed.request).is_none() || keyed.facts().is_ok();
        template(keyed).ok().filter(|_| is_known).map(|t| t.changes)
    }

    /// Whether the name of its file is another one after each change.
    pub(super) fn names_swap(&self, keyed: &KeyedRequest) -> bool {
        template(keyed).is_ok_and(|t| t.names_swap())
    }

    /// Whether a volume may show something else later.
    pub(super) fn may_change(&self, request: &PublishRequest) -> bool {
        request.node.is_some()
            && (self.followed(request).is_some() || may_change(&request.attributes))
    }

    /// The PersistentVolume whose class a volume follows.
    fn followed(&self, request: &PublishRequest) -> Option<Object> {
        let name = request.persistent_volume.clone();
        let name = name.filter(|_| self.objects.tell_classes() && request.node.is_some());
        name.map(Object::Volume)
    }

    fn are_watched(&self, request: &PublishRequest) -> bool {
        let pod = request.pod.as_ref();
        pod.is_some_and(|pod| self.objects.are_watched(&pod.namespace))
    }

    /// Begins to follow the objects that a request takes values from. Where its origin is asked every so often, the pod and
    /// the claim may say that it is to be asked now.
    pub(super) fn interests(&self, request: &PublishRequest) -> Interests {
        let (mut required, mut useful) = (BTreeSet::new(), BTreeSet::new());
        let followed = self.followed(request);
        // Nearly all have neither.
        if may_have_variables_or_refresh(&request.attributes)
            && self.are_watched(request)
            && let Ok(template) = match &followed {
                Some(_) => VolumeTemplate::parse(&classes::without_class(&request.attributes)),
                None => VolumeTemplate::parse(&request.attributes),
            }
        {
            let sources = template.of_objects().map(|(_, _, source)| source);
            required.extend(sources.filter_map(|source| object(request, source)));
            if template.changes.refresh.is_some() {
                let both = [Source::Pod, Source::Claim].into_iter();
                useful.extend(both.filter_map(|source| object(request, source)));
            }
        }
        required.extend(followed);
        Interests::new(&self.objects, &required, &useful)
    }

    /// Names what is asked for: a URL and a checksum. Credentials do not count: with others a volume wants nothing else.
    /// Empty where that does not matter, because whatever is shown is right.
    pub(super) fn asked(&self, new: &NewVolume) -> String {
        if !new.names_content {
            return String::new();
        }
        let request = &new.artifact_request;
        let pin = request.promise.as_ref().map(ToString::to_string);
        let mut parts = vec![request.url.canonical(), pin.as_deref().unwrap_or_default()];
        parts.extend(request.checksum_file.as_ref().map(ArtifactUrl::canonical));
        let parts: Vec<_> = parts.into_iter().map(str::as_bytes).collect();
        let name = self.store.key().name("asked", &parts);
        name.as_str().to_owned()
    }
}

fn template(keyed: &KeyedRequest) -> Result<VolumeTemplate, Error> {
    let facts = keyed.facts().unwrap_or_default();
    content::read(&keyed.request, facts.class())
}

fn object(request: &PublishRequest, source: Source) -> Option<Object> {
    match source {
        Source::Pod => request.pod.as_ref().map(|pod| Object::Pod {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
        }),
        Source::Claim => request.claim.as_ref().map(|claim| Object::Claim {
            namespace: claim.namespace.clone(),
            name: claim.name.clone(),
        }),
    }
}
