//! May what is cached be used? Pure: what is asked and what is known in, what to do out.

use crate::artifact::Validator;
use crate::policy::{PullPolicy, Request};
use crate::store::Entry;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Use the copy.
    Have,
    /// Ask the origin; with a validator only for what is not the object that it names.
    Fetch { known: Option<Validator> },
    /// There is no copy and the origin may not be asked.
    Refuse,
}

/// `entry` is what this URL gave in this context; `present` whether those bytes are still there.
pub(super) fn decide(request: &Request, entry: Option<&Entry>, present: bool) -> Decision {
    let fits = match (&request.promise, entry) {
        (_, None) => None,
        (None, Some(entry)) => (!entry.refuted).then_some(true),
        (Some(promise), Some(entry)) => entry.matches(promise),
    };
    let usable = fits == Some(true) && present;
    // Asking conditionally makes sense only if "unchanged" is an answer: these bytes, or the same wrong ones.
    let tells = usable || fits == Some(false);
    let known = entry
        .filter(|_| tells)
        .map(|e| e.validator.clone())
        .filter(|v| !v.is_empty());
    match request.pull {
        PullPolicy::IfNotPresent | PullPolicy::Never if usable => Decision::Have,
        PullPolicy::Never => Decision::Refuse,
        PullPolicy::Always | PullPolicy::IfNotPresent => Decision::Fetch { known },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::Digest;
    use crate::source::Credentials;
    use crate::store::Version;

    fn digest(byte: u8) -> Digest {
        Digest::sha256([byte; 32])
    }

    fn request(pull: PullPolicy, pin: Option<u8>) -> Request {
        Request {
            url: "https://example.com/a.war".parse().unwrap(),
            promise: pin.map(|pin| digest(pin).into()),
            checksum_file: None,
            maven: None,
            said_by: None,
            pull,
            max_size: None,
            credentials: Credentials::default(),
        }
    }

    fn entry(tag: Option<&str>) -> Entry {
        let validator = Validator {
            etag: tag.map(str::to_owned),
            last_modified: None,
        };
        Entry {
            version: Version::CURRENT,
            url: String::new(),
            sha256: digest(1),
            sha512: None,
            sha1: None,
            size: 1,
            validator,
            refuted: false,
            admitted: Vec::new(),
        }
    }

    #[test]
    fn the_table_of_pull_policies() {
        use PullPolicy::{Always, IfNotPresent, Never};
        let known = |tag: &str| Decision::Fetch {
            known: Some(entry(Some(tag)).validator),
        };
        let fetch = || Decision::Fetch { known: None };
        let tagged = entry(Some("\"t\""));
        let refuted = Entry {
            refuted: true,
            ..tagged.clone()
        };
        for (pull, pin, entry, present, expected) in [
            // Nothing known.
            (Always, None, None, false, fetch()),
            (IfNotPresent, Some(1), None, false, fetch()),
            (Never, Some(1), None, false, Decision::Refuse),
            // The copy is the right one.
            (Always, None, Some(&tagged), true, known("\"t\"")),
            (Always, Some(1), Some(&tagged), true, known("\"t\"")),
            (IfNotPresent, None, Some(&tagged), true, Decision::Have),
            (IfNotPresent, Some(1), Some(&tagged), true, Decision::Have),
            (Never, None, Some(&tagged), true, Decision::Have),
            // It was collected.
            (Always, None, Some(&tagged), false, fetch()),
            (IfNotPresent, Some(1), Some(&tagged), false, fetch()),
            (Never, None, Some(&tagged), false, Decision::Refuse),
            // The URL gave something else than what is promised: only ask whether that changed.
            (IfNotPresent, Some(2), Some(&tagged), false, known("\"t\"")),
            (IfNotPresent, Some(2), Some(&tagged), true, known("\"t\"")),
            (Never, Some(2), Some(&tagged), true, Decision::Refuse),
            // It was not what a file promised: without a promise nothing is known of it.
            (Always, None, Some(&refuted), true, fetch()),
            (IfNotPresent, None, Some(&refuted), true, fetch()),
            (Never, None, Some(&refuted), true, Decision::Refuse),
            (IfNotPresent, Some(1), Some(&refuted), true, Decision::Have),
            // Nothing to ask with.
            (Always, None, Some(&self::entry(None)), true, fetch()),
        ] {
            assert_eq!(
                decide(&request(pull, pin), entry, present),
                expected,
                "{pull:?} {pin:?} {present}"
            );
        }
    }

    #[test]
    fn a_digest_that_was_never_computed_proves_nothing() {
        let mut r = request(PullPolicy::IfNotPresent, None);
        r.promise = Some(Digest::sha512([1; 64]).into());
        assert_eq!(
            decide(&r, Some(&entry(Some("\"t\""))), true),
            Decision::Fetch { known: None }
        );
    }
}
