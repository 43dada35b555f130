//! What a request is called in the store, and what is there of it.

use super::decide::{Decision, decide};
use super::{Error, Parts};
use crate::artifact::{ArtifactUrl, HashFunction, Validator};
use crate::policy::{Permit, Request};
use crate::source::{Answer, Responder};
use crate::store::{Artifact, Entry, Name, Store};

/// The names that a request has in the store.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// What its URL gave in its trust context.
    pub(super) entry: Name,
    /// The object that it and other signed URLs name; see [`object`](Self::object).
    pub(super) object: Option<Name>,
    /// Its download: the same URL, context, promise and address rule share one.
    pub(super) flight: Name,
    /// What failed of it is remembered under this: not of one promise for another one.
    pub(super) memory: Name,
}

impl Names {
    pub(super) fn of(parts: &Parts, permit: &Permit) -> Self {
        let request = permit.request();
        let key = parts.store.key();
        let mut inputs = request.credentials.parts();
        inputs.push(parts.sources.identity());
        let context = key.name("context", &inputs);
        let url = request.url.canonical().as_bytes();
        let pin = request.promise.as_ref().map(ToString::to_string);
        let pin = pin.as_deref().unwrap_or_default().as_bytes();
        let file = promiser(request);
        let rule = permit.address_rule().identity();
        let rule = rule.as_slice();
        let context = context.as_str().as_bytes();
        // A signed URL names the same object with another query each time. With a checksum it is known to be the same,
        // and one entry serves them all; without one another query may be another object.
        let object = request
            .url
            .without_query()
            .filter(|_| request.pin().is_some());
        // What a file promised is not what somebody had of the URL without a promise.
        let (entry, flight, memory) = match file.as_bytes() {
            b"" => {
                let flight = key.name("flight", &[url, context, pin, rule]);
                (key.name("entry", &[url, context]), flight.clone(), flight)
            }
            file => (
                key.name("entry", &[url, context, file]),
                key.name("flight", &[url, context, file, rule, pin]),
                key.name("memory", &[url, context, file, rule, pin]),
            ),
        };
        Self {
            entry,
            object: object.map(|o| key.name("object", &[o.as_bytes(), context, pin])),
            flight,
            memory,
        }
    }

    /// Where it is written down that the URL gave what was promised.
    pub(super) fn of_success(&self) -> &Name {
        self.object.as_ref().unwrap_or(&self.entry)
    }
}

/// What says what a request must hash to, where it does not say so itself: an entry is of that, too.
fn promiser(request: &Request) -> String {
    let file = request.checksum_file.as_ref();
    let file = file.map_or("", ArtifactUrl::canonical);
    match &request.maven {
        None => file.to_owned(),
        Some(maven) => {
            let sidecar = maven.sidecar.map_or("", HashFunction::name);
            format!("maven {sidecar} {file}")
        }
    }
}

/// What a look into the store found.
pub(super) enum Lookup {
    /// What is wanted, and the origin need not be asked.
    Cached(Artifact),
    /// The origin has to be asked.
    Ask(Query),
}

/// What an origin is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Query {
    /// The object; with a validator only for what is not the object that it names.
    Object { known: Option<Validator> },
    /// Whether it lets this URL have the object, whose bytes are here and proven by their checksum. The URL is a new
    /// signed one, and the signature is the login: the origin has to let it in before the bytes are given, and need not
    /// send them, as long as it names them by a strong tag. The body is not read if the answer names that very object;
    /// any other one is taken for what it is.
    Admission { known: Validator, size: u64 },
}

impl Query {
    /// Whether an answer lets a new signed URL have the object that is known. Its own origin must say so: elsewhere an
    /// open redirect may lead. And it must name the object by its strong tag and length: to a query that it does not
    /// like an origin may answer 200 with some page, and another query may be another object of the same path.
    pub(super) fn is_let_in(&self, answer: &Answer) -> bool {
        let Self::Admission { known, size } = self else {
            return false;
        };
        match answer {
            Answer::Unchanged(by) => *by == Responder::Origin,
            Answer::Object(object) => {
                let tag = object.facts.validator.strong_tag();
                object.by == Responder::Origin
                    && object.facts.length == Some(*size)
                    && tag.is_some()
                    && tag == known.strong_tag()
            }
        }
    }
}

/// Looks for what a request wants. Reads the disk.
pub(super) fn find(store: &Store, names: &Names, request: &Request) -> Result<Lookup, Error> {
    let entry = store.entry(&names.entry)?;
    let promised = |entry: &Entry| {
        let promise = request.promise.as_ref();
        promise.is_some_and(|promise| entry.matches(promise) == Some(true))
    };
    // What the URL itself once gave counts only if it is what is promised now.
    if let Some(object) = &names.object
        && !entry.as_ref().is_some_and(promised)
        && let Some(entry) = store.entry(object)?
    {
        return of_object(store, names, request, &entry);
    }
    let cached = match &entry {
        Some(entry) => store.artifact(entry)?,
        None => None,
    };
    decided(request, entry.as_ref(), cached)
}

fn of_object(
    store: &Store,
    names: &Names,
    request: &Request,
    entry: &Entry,
) -> Result<Lookup, Error> {
    let cached = store.artifact(entry)?;
    if entry.admitted.contains(&names.entry) {
        return decided(request, Some(entry), cached);
    }
    match decided(request, Some(entry), cached)? {
        Lookup::Cached(_) if request.pull.asks() => {
            Ok(Lookup::Ask(match entry.validator.strong_tag() {
                Some(_) => Query::Admission {
                    known: entry.validator.clone(),
                    size: entry.size,
                },
                // Nothing tells the object from a page that asks for a login.
                None => Query::Object { known: None },
            }))
        }
        Lookup::Cached(_) => Err(Error::NotCached {
            url: request.url.to_string(),
        }),
        // Asked conditionally anyhow.
        ask @ Lookup::Ask(_) => Ok(ask),
    }
}

fn decided(
    request: &Request,
    entry: Option<&Entry>,
    cached: Option<Artifact>,
) -> Result<Lookup, Error> {
    let known = match (decide(request, entry, cached.is_some()), cached) {
        (Decision::Have, Some(artifact)) => return Ok(Lookup::Cached(artifact)),
        (Decision::Have, None) => None,
        (Decision::Fetch { known }, _) => known,
        (Decision::Refuse, _) => {
            let url = request.url.to_string();
            return Err(Error::NotCached { url });
        }
    };
    Ok(Lookup::Ask(Query::Object { known }))
}
