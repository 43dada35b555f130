//! What is seen of objects, for volumes, and what is said where nothing is.

use crate::cluster;
use crate::fault;
use crate::volume::objects::Metadata;

/// What follows for volumes where nothing is seen.
pub(super) const KEPT: &str = "volumes keep their content";

/// What volumes know of an object.
pub(super) fn known(seen: cluster::Metadata) -> Metadata {
    Metadata {
        uid: seen.uid,
        labels: seen.labels,
        annotations: seen.annotations,
        class: None,
    }
}

/// Once for each reason.
pub(super) fn say(said: &mut Option<String>, what: &str, error: &cluster::Error) {
    let words = fault::line(error);
    if said.as_ref() != Some(&words) {
        tracing::warn!("{what}: {words}");
        *said = Some(words);
    }
}

pub(super) fn answers_again(said: &mut Option<String>) {
    if said.take().is_some() {
        tracing::info!("the API server answers again");
    }
}
