//! Bytes that came in more than one answer: whether they belong together, and what a wrong whole says of them.

use crate::artifact::{Facts, Promise, Validator};
use crate::source::Object;
use crate::store::{Completed, Partial};

/// Whether an answer goes on with what is there: at the right place, of an object of the same length. Whether it is
/// the same object the source has looked at, or a digest will prove.
pub(super) fn continues(partial: &Partial, object: &Object) -> bool {
    object.offset == partial.length()
        && partial
            .facts()
            .is_some_and(|was| was.length.is_none() || was.length == object.facts.length)
}

/// Whether a part has the names of what it is joined to, so that these name the whole.
pub(super) fn has_same_names(partial: &Partial, object: &Object) -> bool {
    let names = |facts: &Facts| (facts.validator.etag.clone(), facts.modified.clone());
    partial.facts().map(names) == Some(names(&object.facts))
}

/// Whether a wrong digest may be the way's fault: of a joint, or of a cut that looks like the end. Otherwise it is the
/// object's.
pub(super) fn is_doubtful(partial: &Partial, joined: bool) -> bool {
    joined || partial.facts().is_some_and(|facts| !facts.framed)
}

/// What of wrong bytes may be remembered as what the URL gives. If the way may have made them, nothing; if it made the
/// same ones twice (`refuted` is what came the first time) they are the object's, but no name of it is trusted to say
/// so for ever.
pub(super) fn blamed(
    mut completed: Completed,
    actual: &Promise,
    doubtful: bool,
    refuted: Option<&Promise>,
) -> Option<Box<Completed>> {
    if doubtful && refuted != Some(actual) {
        return None;
    }
    if doubtful {
        completed.facts.validator = Validator::default();
    }
    Some(Box::new(completed))
}
