//! What is seen of objects, for volumes, and what is said where nothing is.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cluster;
use crate::fault;
use crate::lock::Short;
use crate::volume::objects::Metadata;

/// What follows for volumes where nothing is seen.
pub(super) const KEPT: &str = "volumes keep their content";

/// How many different reasons are said until the API server answers again.
const MOST_REASONS: usize = 8;

/// What volumes know of an object.
pub(super) fn known(seen: cluster::Metadata) -> Metadata {
    Metadata {
        uid: seen.uid,
        labels: seen.labels,
        annotations: seen.annotations,
        class: None,
    }
}

/// What the log has of an API server that does not answer: each reason once, however many ask it. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Outage(Arc<Short<Said>>);

#[derive(Debug, Default)]
struct Said {
    /// How many get no answer.
    unanswered: usize,
    reasons: BTreeSet<String>,
}

/// One of those who ask.
#[derive(Debug)]
pub(super) struct Asker {
    outage: Outage,
    is_unanswered: bool,
}

impl Outage {
    /// Whoever asks one thing after another.
    pub(super) fn asker(&self) -> Asker {
        Asker {
            outage: self.clone(),
            is_unanswered: false,
        }
    }
}

impl Asker {
    /// `what` is not as it should be, because it got no answer.
    pub(super) fn failed(&mut self, what: &str, error: &cluster::Error) {
        let words = format!("{what}: {}", fault::line(error));
        let mut said = self.outage.0.lock();
        if !std::mem::replace(&mut self.is_unanswered, true) {
            said.unanswered += 1;
        }
        if said.reasons.len() < MOST_REASONS && said.reasons.insert(words.clone()) {
            drop(said);
            tracing::warn!("{words}");
        }
    }

    /// It got an answer.
    pub(super) fn answered(&mut self) {
        if self.is_over() {
            tracing::info!("the API server answers again");
        }
    }

    /// Whether it was the last one that had no answer.
    fn is_over(&mut self) -> bool {
        if !std::mem::take(&mut self.is_unanswered) {
            return false;
        }
        let mut said = self.outage.0.lock();
        said.unanswered -= 1;
        if said.unanswered == 0 {
            said.reasons.clear();
        }
        said.unanswered == 0
    }
}

impl Drop for Asker {
    /// Whoever asks no more waits for nothing.
    fn drop(&mut self) {
        self.is_over();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(outage: &Outage) -> usize {
        outage.0.lock().reasons.len()
    }

    #[test]
    fn a_reason_is_said_once_for_all_until_everybody_has_an_answer() {
        let outage = Outage::default();
        let (mut one, mut two) = (outage.asker(), outage.asker());
        let error = cluster::Error::Unreachable {
            asked: "watch the claim",
            server: String::new(),
            why: String::new(),
        };
        for asker in [&mut one, &mut two] {
            asker.failed(KEPT, &error);
            asker.failed(KEPT, &error);
        }
        assert_eq!(reasons(&outage), 1);
        assert!(!one.is_over());
        assert_eq!(reasons(&outage), 1);
        assert!(two.is_over() && !two.is_over());
        assert_eq!(reasons(&outage), 0);
        two.failed(KEPT, &error);
        drop(two);
        assert_eq!(reasons(&outage), 0);
        for n in 0..1000 {
            one.failed(&n.to_string(), &error);
        }
        assert_eq!(reasons(&outage), MOST_REASONS);
    }
}
