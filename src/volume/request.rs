//! A request for a volume, from its call to its end.

use secrecy::ExposeSecret;

use super::interests::{Facts, Interests};
use super::locks::Busy;
use super::objects::Object;
use super::{Error, Id, PublishRequest, Target};

impl PublishRequest {
    /// Whether another request for the same volume means the same.
    pub(super) fn asks_the_same(&self, other: &Self) -> bool {
        let secrets = self.secrets.iter().zip(&other.secrets);
        self.secrets.len() == other.secrets.len()
            && secrets.into_iter().all(|((name, secret), (also, again))| {
                name == also && secret.expose_secret() == again.expose_secret()
            })
            && self.attributes == other.attributes
            && self.readonly == other.readonly
            && self.writable == other.writable
            && self.sharing == other.sharing
            && self.group == other.group
            && self.pod == other.pod
            && self.claim == other.claim
            && self.persistent_volume == other.persistent_volume
            && self.node == other.node
    }
}

/// A request, and what it is called here.
pub(super) struct KeyedRequest {
    pub(super) id: Id,
    pub(super) request: PublishRequest,
    /// What its attributes compare by.
    pub(super) fingerprint: String,
    /// The objects that its variables name, followed as long as this is there.
    pub(super) interests: Interests,
}

impl KeyedRequest {
    pub(super) fn target(&self) -> &Target {
        &self.request.target
    }

    /// What is known of those objects, or of which nothing is.
    pub(super) fn facts(&self) -> Result<Facts, Object> {
        let uid = self.request.pod.as_ref().map_or("", |pod| &pod.uid);
        self.interests.facts(uid)
    }

    /// Returns once all of them are known.
    pub(super) async fn seen(&self) {
        let mut changes = self.interests.listen();
        while self.facts().is_err() {
            changes.next().await;
        }
    }

    pub(super) fn bug(&self, what: impl Into<String>) -> Error {
        Error::bug(self.target(), what)
    }

    pub(super) fn busy(&self, busy: Busy) -> Error {
        Error::of_busy(busy, self.target().path())
    }
}
