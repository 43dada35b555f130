//! One download, from the first question to the last byte: asks, resumes, tries again, hashes on the way.

use std::time::Duration;

use backon::ExponentialBackoff;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};

use super::gauge::{Gauge, Phase};
use super::hash::{Budget, Hasher, Share};
use super::lookup::Ask;
use super::pace::Speedometer;
use super::{Error, Patience, joint};
use crate::artifact::{Algorithm, Digest, Facts};
use crate::metrics::Downloads;
use crate::policy::Request;
use crate::source::{self, Answer, Object, Retry, Source, Start};
use crate::store::{self, Landed, Partial};

/// A try that moved as much was not in vain: the count of failures starts anew.
const WORTHWHILE: u64 = 64 << 10;

/// How often the room on the disk is looked at while the length is not known.
const ROOM_STEP: u64 = 8 << 20;

/// What a download needs to know; it owns nothing.
pub(super) struct Download<'a, S> {
    pub(super) source: &'a S,
    pub(super) request: &'a Request,
    /// What the origin is asked for.
    pub(super) ask: &'a Ask,
    pub(super) patience: &'a Patience,
    pub(super) gauge: &'a Gauge,
    pub(super) budget: &'a Budget,
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
    Landed(Landed),
}

/// What one download remembers from try to try.
#[derive(Default)]
struct Course {
    /// Has hashed just the bytes that are there.
    hasher: Option<Hasher>,
    /// Whether the bytes came in more than one answer.
    joined: bool,
    /// A wrong digest that may have been the way's fault, after which it was tried from zero.
    refuted: Option<Digest>,
}

impl<S: Source> Download<'_, S> {
    /// Runs to its end. What came stays in `partial`, whatever the outcome.
    pub(super) async fn run(&self, partial: &mut Partial) -> Result<Outcome, Error> {
        let mut course = Course::default();
        if !self.may_resume(partial) {
            partial.forget()?;
        }
        let mut pauses = self.patience.pauses();
        // Further than ever: starting again from zero is no progress, however many bytes that moves.
        let mut furthest = partial.length();
        loop {
            let error = match self.attempt(partial, &mut course).await {
                Err(Error::Mismatch { actual, .. })
                    if joint::is_doubtful(partial, course.joined) && course.refuted.is_none() =>
                {
                    partial.forget()?;
                    course = Course {
                        refuted: Some(actual),
                        ..Course::default()
                    };
                    continue;
                }
                Err(error) => error,
                ended => return ended,
            };
            if partial.length() >= furthest.saturating_add(WORTHWHILE) {
                furthest = partial.length();
                pauses = self.patience.pauses();
            }
            self.pause(&mut pauses, error).await?;
            if !self.may_resume(partial) {
                partial.forget()?;
            }
        }
    }

    /// Waits before the next try, or gives the error back if there is to be none.
    async fn pause(&self, pauses: &mut ExponentialBackoff, error: Error) -> Result<(), Error> {
        let asked = match error.retry() {
            Retry::Never => return Err(error),
            Retry::Soon => Duration::ZERO,
            Retry::After(time) => time,
        };
        let Some(usual) = pauses.next() else {
            return Err(error);
        };
        let pause = usual.max(asked.min(self.patience.longest_pause));
        tracing::info!(%error, ?pause, "retrying the download");
        self.gauge.enter(Phase::Pausing {
            why: error.to_string(),
            pause,
        });
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = self.gauge.stopped() => Err(self.stop()),
        }
    }

    fn stop(&self) -> Error {
        Error::Stopped {
            url: self.request.url.to_string(),
        }
    }

    /// Whether what is there may be gone on with. A promised digest proves a joint of any parts. Without one it takes
    /// a state that has a name, and this boot of the machine: another one may have lost bytes that were never made
    /// durable.
    fn may_resume(&self, partial: &Partial) -> bool {
        partial.facts().is_some_and(|facts| {
            self.request.pin.is_some() || facts.state().is_some() && partial.is_of_boot(self.boot)
        })
    }

    async fn attempt(&self, partial: &mut Partial, course: &mut Course) -> Result<Outcome, Error> {
        self.catch_up(partial, course).await?;
        self.gauge.enter(Phase::Asking);
        let start = match (self.ask, partial.length()) {
            (Ask::Admission { known, .. }, 0) => Start::IfChanged(known.clone()),
            (Ask::Object { known: Some(known) }, 0) if course.refuted.is_none() => {
                Start::IfChanged(known.clone())
            }
            (Ask::Object { .. }, 0) => Start::Beginning,
            // With a promised digest the names do not matter: two mirrors in turn have one each.
            (Ask::Object { .. } | Ask::Admission { .. }, offset) => Start::At {
                offset,
                of: match self.request.pin {
                    Some(_) => None,
                    None => partial.facts().and_then(Facts::state),
                },
            },
        };
        let answer = tokio::select! {
            answer = self.source.open(&self.request.url, &start) => answer?,
            () = self.gauge.stopped() => return Err(self.stop()),
        };
        if self.ask.is_let_in(&answer) {
            return Ok(Outcome::LetIn);
        }
        let object = match answer {
            Answer::Unchanged(_) => return Ok(Outcome::Unchanged),
            Answer::Object(object) => object,
        };
        self.fits(&object.facts)?;
        if object.offset == 0 {
            self.begin_anew(partial, course, &object.facts)?;
        } else if !joint::continues(partial, &object) {
            partial.forget()?;
            *course = Course {
                refuted: course.refuted.take(),
                ..Course::default()
            };
            return Err(Error::Changed {
                url: self.request.url.to_string(),
            });
        } else {
            course.joined = true;
            if !joint::has_same_names(partial, &object) {
                partial.unname()?;
            }
            // The disk has reserved it already; the cache's limit may have been given to others since.
            let length = partial.length();
            (self.promise)(object.facts.length.unwrap_or(length), 0)?;
        }
        self.receive(partial, course, object).await?;
        self.finish(partial, course)
    }

    /// Hashes what a former process left.
    async fn catch_up(&self, partial: &Partial, course: &mut Course) -> Result<(), Error> {
        if partial.length() == 0 || course.hasher.is_some() {
            return Ok(());
        }
        self.gauge
            .begin(partial.length(), partial.facts().and_then(|f| f.length));
        self.gauge.enter(Phase::Rereading);
        let hasher = self.hasher()?;
        let mut offset = 0;
        loop {
            let share = self.budget.share().await;
            let mut buffer = vec![0; 256 << 10];
            let count = partial.read_at(&mut buffer, offset)?;
            if count == 0 {
                break;
            }
            buffer.truncate(count);
            offset += count as u64;
            hasher.update(Bytes::from(buffer), share).await;
        }
        course.hasher = Some(hasher);
        Ok(())
    }

    fn hasher(&self) -> Result<Hasher, Error> {
        let sha512 = self
            .request
            .pin
            .as_ref()
            .is_some_and(|p| p.algorithm() == Algorithm::Sha512);
        Hasher::start(self.budget, sha512).map_err(|e| Error::Bug {
            url: self.request.url.to_string(),
            what: format!("cannot start a thread: {e}"),
        })
    }

    /// Whether an object of these facts can be taken at all: judged before its first byte.
    fn fits(&self, facts: &Facts) -> Result<(), Error> {
        let url = &self.request.url;
        let limit = self.gauge.limit().ok_or_else(|| self.stop())?;
        if let Some(length) = facts.length.filter(|l| *l > limit.bytes()) {
            return Err(Error::too_large(url, length, limit));
        }
        // What only a promised digest can prove is taken only under one.
        match (&self.request.pin, &facts.coding) {
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
        course: &mut Course,
        facts: &Facts,
    ) -> Result<(), Error> {
        course.hasher = Some(self.hasher()?);
        course.joined = false;
        partial.forget()?;
        self.gauge.begin(0, facts.length);
        let expected = facts.length.unwrap_or(ROOM_STEP);
        (self.promise)(expected, expected)?;
        Ok(partial.restart(facts, self.boot)?)
    }

    async fn receive(
        &self,
        partial: &mut Partial,
        course: &mut Course,
        object: Object,
    ) -> Result<(), Error> {
        let url = &self.request.url;
        let total = object.facts.length;
        self.gauge.begin(partial.length(), total);
        let mut body = object.body;
        let mut speed = Speedometer::new(self.patience);
        let mut looked = partial.length();
        while let Some((chunk, share)) = self.next(&mut body, &mut speed).await? {
            let length = partial.length() + chunk.len() as u64;
            self.metrics.received(chunk.len() as u64);
            let limit = self.gauge.limit().ok_or_else(|| self.stop())?;
            if length > limit.bytes() {
                return Err(Error::endless(url, limit));
            }
            if total.is_none() && length - looked >= ROOM_STEP {
                (self.promise)(length.saturating_add(ROOM_STEP), ROOM_STEP)?;
                self.gauge.enter(Phase::Downloading);
                looked = length;
            }
            partial.append(&chunk)?;
            let bytes = chunk.len();
            if let Some(hasher) = &course.hasher {
                hasher.update(chunk, share).await;
            }
            self.gauge.reached(partial.length());
            tokio::select! {
                () = self.budget.pace(bytes) => {}
                () = self.gauge.stopped() => return Err(self.stop()),
            }
        }
        match total {
            Some(total) if total != partial.length() => {
                Err(source::Error::short(url, partial.length(), total).into())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The next chunk; an error where the origin breaks off, or is too slow for too long.
    ///
    /// Its share of the budget is taken before it is read, or many fast downloads would each hold one that has none.
    /// But not while it is waited for: slow origins must not keep the fast ones from it.
    async fn next(
        &self,
        body: &mut BoxStream<'static, Result<Bytes, source::Error>>,
        speed: &mut Speedometer<'_>,
    ) -> Result<Option<(Bytes, Share)>, Error> {
        let url = &self.request.url;
        let stalled =
            || source::Error::stalled(url, self.patience.stall_speed, self.patience.stall_time);
        let share = self.budget.share().await;
        speed.resume();
        let (chunk, share) = if let Some(chunk) = body.next().now_or_never() {
            (chunk, Some(share))
        } else {
            drop(share);
            // A window ends between two chunks as a rule: what it brought decides, not that nothing comes at its end.
            let chunk = loop {
                tokio::select! {
                    biased;
                    chunk = body.next() => break chunk,
                    () = self.gauge.stopped() => return Err(self.stop()),
                    () = tokio::time::sleep(speed.left()) => if !speed.passed(0) {
                        return Err(stalled().into());
                    },
                }
            };
            (chunk, None)
        };
        let Some(chunk) = chunk else { return Ok(None) };
        let chunk = chunk?;
        if !speed.passed(chunk.len() as u64) {
            return Err(stalled().into());
        }
        speed.pause();
        let share = match share {
            Some(share) => share,
            None => self.budget.share().await,
        };
        Ok(Some((chunk, share)))
    }

    fn finish(&self, partial: &Partial, course: &mut Course) -> Result<Outcome, Error> {
        let url = self.request.url.to_string();
        let bug = |what: &str| Error::Bug {
            url: url.clone(),
            what: what.into(),
        };
        let hasher = course
            .hasher
            .take()
            .ok_or_else(|| bug("nothing was hashed"))?;
        let facts = partial
            .facts()
            .cloned()
            .ok_or_else(|| bug("nothing is known about the file"))?;
        let digests = hasher.finish(&url)?;
        let landed = Landed {
            sha256: digests.sha256,
            sha512: digests.sha512,
            size: partial.length(),
            facts,
        };
        let doubtful = joint::is_doubtful(partial, course.joined);
        let Some(expected) = &self.request.pin else {
            return Ok(Outcome::Landed(landed));
        };
        let actual = match expected.algorithm() {
            Algorithm::Sha256 => Some(&landed.sha256),
            Algorithm::Sha512 => landed.sha512.as_ref(),
        };
        let actual = actual
            .cloned()
            .ok_or_else(|| bug("no SHA-512 was computed"))?;
        if actual == *expected {
            return Ok(Outcome::Landed(landed));
        }
        Err(Error::Mismatch {
            url,
            expected: expected.clone(),
            size: landed.size,
            remembered: false,
            landed: joint::blamed(landed, &actual, doubtful, course.refuted.as_ref()),
            actual,
        })
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}
