//! What a request means at a moment, with what the objects that it names say then.

use std::collections::BTreeSet;

use super::content::{Moment, NewVolume};
use super::interests::Interests;
use super::objects::Object;
use super::request::KeyedRequest;
use super::spec::{VolumeTemplate, may_have_variables_or_refresh};
use super::template::Source;
use super::{Error, PublishRequest, Shared};
use crate::mount::Mounter;
use crate::policy::Request;

impl<M: Mounter> Shared<M> {
    /// What a request means for the content with the number `swap`, counted from 1.
    pub(super) fn new_volume(&self, keyed: &KeyedRequest, swap: u64) -> Result<NewVolume, Error> {
        let at = Moment {
            relabels: self.mounter.relabels(),
            watched: self.are_watched(&keyed.request),
            facts: keyed.facts(),
            swap,
        };
        NewVolume::of(&keyed.request, at)
    }

    fn are_watched(&self, request: &PublishRequest) -> bool {
        let pod = request.pod.as_ref();
        pod.is_some_and(|pod| self.objects.are_watched(&pod.namespace))
    }

    /// Begins to follow the objects that a request takes values from. Where its origin is asked every so often, the pod and
    /// the claim may say that it is to be asked now.
    pub(super) fn interests(&self, request: &PublishRequest) -> Interests {
        let (mut required, mut useful) = (BTreeSet::new(), BTreeSet::new());
        // Nearly all have neither.
        if may_have_variables_or_refresh(&request.attributes)
            && self.are_watched(request)
            && let Ok(template) = VolumeTemplate::parse(&request.attributes)
        {
            let sources = template.of_objects().map(|(_, _, source)| source);
            required.extend(sources.filter_map(|source| object(request, source)));
            if template.changes.refresh.is_some() {
                let both = [Source::Pod, Source::Claim].into_iter();
                useful.extend(both.filter_map(|source| object(request, source)));
            }
        }
        Interests::new(&self.objects, &required, &useful)
    }

    /// Names what is asked for: a URL and a checksum. Credentials do not count: with others a volume wants nothing else.
    pub(super) fn asked(&self, request: &Request) -> String {
        let pin = request.pin.as_ref().map(ToString::to_string);
        let parts = [request.url.canonical(), pin.as_deref().unwrap_or_default()];
        let name = self.store.key().name("asked", &parts.map(str::as_bytes));
        name.as_str().to_owned()
    }
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
