//! From a request to verified bytes in the store: permit → have it? → resolve → fetch → verify → store.
//!
//! Owns the flights: one download per artifact and trust context, however many ask, on a thread of its own that no
//! caller's deadline ends. Owns the decision whether what is cached may be used (`decide.rs`).
//!
//! Invariants. Nothing is acquired without a [`Permit`]. A blob is given only to a request whose own URL, in its own
//! trust context, delivered it (docs/design/laws.md, law 7). Bytes that do not have the promised digest are never in
//! the store.

mod body;
mod decide;
mod destination;
mod document;
mod download;
mod error;
mod fetch;
mod flight;
mod joint;
mod leftover;
mod lookup;
mod maven;
mod negative_cache;
mod plan;
mod progress;
mod promises;
mod retries;
mod sidecars;
mod staging;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

pub use self::body::budget::ByteBudget;
pub use self::destination::{Destination, FileTarget, Stream};
pub use self::error::Error;
pub use self::fetch::{Fetched, fetch};
pub use self::flight::Flight;
pub use self::progress::{Phase, Progress, Snapshot};

use self::lookup::{Lookup, Names};
use self::negative_cache::NegativeCache;
use self::plan::{Plan, Stage};
use self::sidecars::Sidecars;
use crate::lock::Short;
use crate::metrics::Downloads;
use crate::policy::Permit;
use crate::source::Factory;
use crate::store::{Artifact, Name, Store};

/// How long a download bears with an origin.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// How often in a row it is asked in vain before that is an error.
    pub tries: usize,
    /// The first pause between two tries; it doubles.
    pub pause: Duration,
    /// The longest pause, whatever `Retry-After` says.
    pub longest_pause: Duration,
    /// Over how long the speed is judged.
    pub stall_time: Duration,
    /// The least speed, in bytes a second.
    pub stall_speed: u64,
}

/// The answer to a request, given at once and without asking the network.
pub enum Joined {
    /// It is here.
    Have(Artifact),
    /// It is on its way.
    Flying(Waiting),
}

/// A place in a flight, for one who wants its artifact.
pub struct Waiting {
    flight: Arc<Flight>,
    permit: Box<Permit>,
}

impl Joined {
    fn waiting(flight: Arc<Flight>, permit: Permit) -> Self {
        let permit = Box::new(permit);
        Self::Flying(Waiting { flight, permit })
    }
}

impl Waiting {
    /// How far it is, now and later.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(self.flight.progress())
    }

    /// Waits for the end of the flight. Whoever stops waiting does not stop the flight.
    pub async fn completed(&self) -> Result<Artifact, Arc<Error>> {
        let artifact = self.flight.completed(&self.permit).await?;
        Ok(within(artifact, &self.permit)?)
    }
}

/// What every flight of this process shares.
#[derive(Clone)]
pub struct Parts {
    /// Where the bytes go.
    pub store: Arc<Store>,
    /// How origins are asked.
    pub sources: Factory,
    /// How long they are borne with.
    pub retry_policy: RetryPolicy,
    /// How many downloads run at a time; others wait.
    pub flights: usize,
    /// Counts what is downloaded, and what need not be.
    pub metrics: Downloads,
}

/// Gets artifacts.
pub struct Acquire {
    parts: Parts,
    slots: Arc<Semaphore>,
    budget: ByteBudget,
    flights: Arc<Short<HashMap<Name, Arc<Flight>>>>,
    negative_cache: Arc<NegativeCache>,
    sidecars: Sidecars,
}

impl Acquire {
    /// No download runs yet.
    pub fn new(parts: Parts) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(parts.flights)),
            budget: ByteBudget::default(),
            flights: Arc::default(),
            negative_cache: Arc::default(),
            sidecars: Sidecars::default(),
            parts,
        }
    }

    /// Not faster than so many bytes a second, all downloads together.
    #[must_use]
    pub fn limited(mut self, bytes: u64) -> Self {
        self.budget = self.budget.limited(bytes);
        self
    }

    /// Gives what is cached and may be used, or a place in the flight that gets it, which goes on as long as the
    /// volume of a subject wants that. Must be called within a tokio runtime.
    pub fn join(&self, permit: Permit) -> Result<Joined, Error> {
        let names = Names::of(&self.parts, &permit);
        let (request, who) = (permit.request(), permit.subject().volume.as_str());
        // A flight looks once more before it asks, and leaves the map only after its bytes are in the store. So whoever
        // finds neither those nor a flight is the first, and the origin is asked once; and no lock is held over the disk.
        if let Lookup::Cached(artifact) = lookup::find(&self.parts.store, &names, request)? {
            self.parts.metrics.hit();
            return Ok(Joined::Have(within(artifact, &permit)?));
        }
        let mut flights = self.flights.lock();
        let flying = flights.get(&names.flight);
        if let Some(flight) = flying.filter(|f| f.progress().want(who, permit.limit())) {
            return Ok(Joined::waiting(Arc::clone(flight), permit));
        }
        self.negative_cache.allow(&names.memory)?;
        self.parts.metrics.missed();
        let progress = Arc::new(Progress::new(&request.url));
        progress.want(who, permit.limit());
        let plan = Plan {
            parts: self.parts.clone(),
            budget: self.budget.clone(),
            permit: permit.clone(),
            names: names.clone(),
            negative_cache: Arc::clone(&self.negative_cache),
            stage: Stage::Requested,
            requested: None,
            sidecars: self.sidecars.clone(),
        };
        let flight = Flight::spawn(
            plan,
            progress,
            Arc::clone(&self.slots),
            self.removal(&names.flight),
        );
        let flight = Arc::new(flight);
        flights.insert(names.flight, Arc::clone(&flight));
        Ok(Joined::waiting(flight, permit))
    }

    /// Takes a flight out of the map: that one, and not the next of the same name that may be there by then.
    fn removal(&self, name: &Name) -> impl FnOnce(&Arc<Progress>) + Send + 'static {
        let (flights, name) = (Arc::clone(&self.flights), name.clone());
        move |progress| {
            let mut flights = flights.lock();
            if flights.get(&name).is_some_and(|f| f.is_of(progress)) {
                flights.remove(&name);
            }
        }
    }

    /// Withdraws an interest: a flight that nobody wants any more stops at its next chunk.
    pub fn leave(&self, who: &str) {
        for flight in self.flights.lock().values() {
            flight.progress().unwant(who);
        }
    }

    /// Ends every flight at its next chunk; what came stays for a resume.
    pub fn stop(&self) {
        for flight in self.flights.lock().values() {
            flight.progress().stop();
        }
    }
}

/// The limit is each request's own, never the flight's: a small limit must not fail another pod's download.
fn within(artifact: Artifact, permit: &Permit) -> Result<Artifact, Error> {
    if artifact.size() > permit.limit().bytes() {
        let url = &permit.request().url;
        return Err(Error::too_large(url, artifact.size(), permit.limit()));
    }
    Ok(artifact)
}
