//! One download, from the first question to the last byte: asks, resumes, tries again, hashes on the way.

use futures_util::{StreamExt, TryStreamExt};

use super::body;
use super::body::budget::{ByteBudget, shared};
use super::body::hash::Hasher;
use super::body::limit::limited;
use super::body::meter::metered;
use super::body::room::{self, with_room};
use super::body::speed::not_stalled;
use super::lookup::Query;
use super::progress::{Phase, Progress};
use super::retries::Retries;
use super::{Error, RetryPolicy, joint};
use crate::artifact::{Facts, Promise};
use crate::metrics::Downloads;
use crate::policy::{Limit, Permit, Request};
use crate::source::{self, Answer, Factory, Object, Source, Start};
use crate::store::{self, Completed, Partial};

/// A try that moved as much was not in vain: the count of failures starts anew.
const WORTHWHILE: u64 = 64 << 10;

/// What a download needs to know; it owns nothing.
#[derive(Clone, Copy)]
pub(super) struct Download<'a> {
    pub(super) sources: &'a Factory,
    pub(super) permit: &'a Permit,
    /// What the origin is asked for.
    pub(super) query: &'a Query,
    pub(super) retry_policy: &'a RetryPolicy,
    pub(super) progress: &'a Progress,
    pub(super) budget: &'a ByteBudget,
    /// This boot of the machine.
    pub(super) boot: &'a str,
    /// Makes sure that there is room for so many bytes in all, of which the disk still has to take the second number.
    pub(super) promise: &'a (dyn Fn(u64, u64) -> Result<(), store::Error> + Sync),
    /// Counts the bytes that come.
    pub(super) metrics: &'a Downloads,
}

/// How a download ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The object is the one that is known.
    Unchanged,
    /// The origin lets this URL have the object that is known.
    LetIn,
    /// All of it is there, and it is what was promised.
    Completed(Box<Completed>),
}

/// What one download remembers from try to try.
#[derive(Default)]
struct Attempts {
    /// Hashes the bytes that are there.
    hasher: Option<Hasher>,
    /// Whether the bytes came in more than one answer.
    joined: bool,
    /// A wrong digest that may have been the way's fault, after which it was tried from zero.
    refuted: Option<Promise>,
}

impl Download<'_> {
    /// Runs to its end. What came stays in `partial`, whatever the outcome.
    pub(super) async fn run(&self, partial: &mut Partial) -> Result<Outcome, Error> {
        tokio::select! {
            biased;
            ended = self.attempts(partial) => ended,
            () = self.progress.stopped() => Err(self.stop()),
        }
    }

    pub(super) fn request(&self) -> &Request {
        self.permit.request()
    }

    async fn attempts(&self, partial: &mut Partial) -> Result<Outcome, Error> {
        let Request {
            url, credentials, ..
        } = self.request();
        let source = self
            .sources
            .source(url, self.permit.address_rule(), credentials);
        let mut attempts = Attempts::default();
        if !self.may_resume(partial) {
            partial.forget()?;
        }
        let mut retries = Retries::new(self.retry_policy, self.progress);
        // Further than ever: starting again from zero is no progress, however many bytes that moves.
        let mut furthest = partial.length();
        loop {
            let error = match self.attempt(&source, partial, &mut attempts).await {
                Err(Error::Mismatch { actual, .. })
                    if joint::is_doubtful(partial, attempts.joined)
                        && attempts.refuted.is_none() =>
                {
                    partial.forget()?;
                    attempts = Attempts {
                        refuted: Some(*actual),
                        ..Attempts::default()
                    };
                    continue;
                }
                Err(error) => error,
                ended => return ended,
            };
            if partial.length() >= furthest.saturating_add(WORTHWHILE) {
                furthest = partial.length();
                retries.renew();
            }
            retries.pause(error).await?;
            if !self.may_resume(partial) {
                partial.forget()?;
            }
        }
    }

    fn stop(&self) -> Error {
        Error::stopped(&self.request().url)
    }

    /// Whether what is there may be gone on with. A promised digest proves a joint of any parts. Without one it takes
    /// a state that has a name, and this boot of the machine: another one may have lost bytes that were never made
    /// durable.
    fn may_resume(&self, partial: &Partial) -> bool {
        partial.facts().is_some_and(|facts| {
            self.request().pin().is_some()
                || facts.revision().is_some() && partial.is_of_boot(self.boot)
        })
    }

    async fn attempt(
        &self,
        source: &Source,
        partial: &mut Partial,
        attempts: &mut Attempts,
    ) -> Result<Outcome, Error> {
        self.catch_up(partial, attempts).await?;
        self.progress.enter(Phase::Asking);
        let start = match (self.query, partial.length()) {
            (Query::Admission { known, .. }, 0) => Start::IfChanged(known.clone()),
            (Query::Object { known: Some(known) }, 0) if attempts.refuted.is_none() => {
                Start::IfChanged(known.clone())
            }
            (Query::Object { .. }, 0) => Start::Beginning,
            // With a promised digest the names do not matter: two mirrors in turn have one each.
            (Query::Object { .. } | Query::Admission { .. }, offset) => Start::At {
                offset,
                of: match self.request().pin() {
                    Some(_) => None,
                    None => partial.facts().and_then(Facts::revision),
                },
            },
        };
        let answer = source.open(&start).await?;
        if self.query.is_let_in(&answer) {
            return Ok(Outcome::LetIn);
        }
        let object = match answer {
            Answer::Unchanged(_) => return Ok(Outcome::Unchanged),
            Answer::Object(object) => object,
        };
        self.fits(&object.facts)?;
        if object.offset == 0 {
            self.begin_anew(partial, attempts, &object.facts)?;
        } else if !joint::continues(partial, &object) {
            partial.forget()?;
            *attempts = Attempts {
                refuted: attempts.refuted.take(),
                ..Attempts::default()
            };
            return Err(source::Error::changed(&self.request().url).into());
        } else {
            attempts.joined = true;
            if !joint::has_same_names(partial, &object) {
                partial.unname()?;
            }
            // The disk has reserved it already; the cache's limit may have been given to others since.
            let length = partial.length();
            (self.promise)(object.facts.length.unwrap_or(length), 0)?;
        }
        self.receive(partial, attempts, object).await?;
        self.finish(partial, attempts)
    }

    /// Hashes what a former process left.
    async fn catch_up(&self, partial: &Partial, attempts: &mut Attempts) -> Result<(), Error> {
        if partial.length() == 0 || attempts.hasher.is_some() {
            return Ok(());
        }
        self.progress
            .begin(partial.length(), partial.facts().and_then(|f| f.length));
        self.progress.enter(Phase::Rereading);
        let hasher = attempts.hasher.insert(self.hasher()?);
        Ok(hasher.catch_up(partial).await?)
    }

    fn hasher(&self) -> Result<Hasher, Error> {
        let also = self.request().promise.as_ref().map(Promise::function);
        let hasher = Hasher::start(self.budget, also);
        hasher.map_err(|e| self.bug(format!("cannot start a thread: {e}")))
    }

    pub(super) fn bug(&self, what: impl Into<String>) -> Error {
        Error::bug(&self.request().url, what)
    }

    /// The largest limit of those who wait at this moment.
    fn limit(&self) -> Result<Limit, Error> {
        self.progress.limit().ok_or_else(|| self.stop())
    }

    /// Whether an object of these facts can be taken at all: judged before its first byte.
    fn fits(&self, facts: &Facts) -> Result<(), Error> {
        let url = &self.request().url;
        let limit = self.limit()?;
        if let Some(length) = facts.length.filter(|l| *l > limit.bytes()) {
            return Err(Error::too_large(url, length, limit));
        }
        // What only a promised digest can prove is taken only under one.
        match (self.request().pin(), &facts.coding) {
            (None, Some(coding)) => Err(Error::Coded {
                url: url.to_string(),
                coding: shortened(coding),
            }),
            (None, None) if !facts.framed => Err(Error::Unframed {
                url: url.to_string(),
            }),
            _ => Ok(()),
        }
    }

    fn begin_anew(
        &self,
        partial: &mut Partial,
        attempts: &mut Attempts,
        facts: &Facts,
    ) -> Result<(), Error> {
        attempts.hasher = Some(self.hasher()?);
        attempts.joined = false;
        partial.forget()?;
        self.progress.begin(0, facts.length);
        let expected = facts.length.unwrap_or(room::STEP);
        (self.promise)(expected, expected)?;
        Ok(partial.restart(facts, self.boot)?)
    }

    /// Takes what comes, through all that is asked of it, to where it belongs.
    async fn receive(
        &self,
        partial: &mut Partial,
        attempts: &mut Attempts,
        object: Object,
    ) -> Result<(), Error> {
        let (url, from, total) = (&self.request().url, partial.length(), object.facts.length);
        let hasher = attempts.hasher.as_mut();
        let hasher = hasher.ok_or_else(|| self.bug("nothing is hashed"))?;
        self.progress.begin(from, total);
        let body = not_stalled(object.body.err_into().boxed(), url, self.retry_policy);
        let body = metered(body, from, (self.progress, self.budget, self.metrics));
        let body = limited(body, url, (from, total), || self.limit());
        let body = match total {
            Some(_) => body,
            None => with_room(body, from, |all| {
                (self.promise)(all, room::STEP)?;
                self.progress.enter(Phase::Downloading);
                Ok(())
            }),
        };
        body::write(shared(body, self.budget), partial, hasher).await
    }

    fn finish(&self, partial: &Partial, attempts: &mut Attempts) -> Result<Outcome, Error> {
        let hasher = attempts.hasher.take();
        let (Some(hasher), Some(facts)) = (hasher, partial.facts().cloned()) else {
            return Err(self.bug("nothing is known about the file"));
        };
        let (url, size) = (self.request().url.to_string(), partial.length());
        let digests = hasher.finish(&url, size)?;
        let expected = self.request().promise.as_ref();
        let wrong = expected.map(|promise| (promise, digests.like(promise)));
        let wrong = wrong.filter(|(promise, actual)| actual.as_ref() != Some(promise));
        let completed = Completed {
            digests,
            size,
            facts,
        };
        let (expected, actual) = match wrong {
            None => return Ok(Outcome::Completed(Box::new(completed))),
            Some((promise, Some(actual))) => (Box::new(promise.clone()), actual),
            Some((promise, None)) => {
                return Err(self.bug(format!("no {} was computed", promise.function())));
            }
        };
        let doubtful = joint::is_doubtful(partial, attempts.joined);
        Err(Error::Mismatch {
            url: url.into(),
            expected,
            from: self.request().said_by.clone().map(Box::new),
            beside: self.request().maven.is_some() && self.request().said_by.is_some(),
            size,
            remembered: false,
            completed: joint::blamed(completed, &actual, doubtful, attempts.refuted.as_ref()),
            actual: Box::new(actual),
        })
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}
