//! From a request to verified bytes in the store: permit → resolve → have it? → fetch → verify → store.
//!
//! Owns the flights: one download per artifact and trust context, however many ask, on a thread of its own that no
//! caller's patience ends. Owns the decision whether what is cached may be used (`decide.rs`).
//!
//! Invariants. Nothing is acquired without a [`Permit`]. A blob is given only to a request whose own URL, in its own
//! trust context, delivered it (docs/design/laws.md, law 7). Bytes that do not have the promised digest are never in
//! the store.

mod beside;
mod body;
mod decide;
mod destination;
mod download;
mod error;
mod fetch;
mod flight;
mod gauge;
mod joint;
mod leftover;
mod lookup;
mod setback;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

pub use self::body::budget::Budget;
pub use self::destination::{Destination, Place, Stream};
pub use self::error::Error;
pub use self::fetch::{Fetched, fetch};
pub use self::flight::Flight;
pub use self::gauge::{Gauge, Phase, Snapshot};

use self::lookup::{Found, Names};
use self::setback::Setbacks;
use crate::lock::Short;
use crate::metrics::Downloads;
use crate::policy::Permit;
use crate::source::Factory;
use crate::store::{Artifact, Name, Store};

/// How long a download bears with an origin.
#[derive(Clone, Debug)]
pub struct Patience {
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

impl Waiting {
    /// How far it is, now and later.
    pub fn gauge(&self) -> Arc<Gauge> {
        Arc::clone(self.flight.gauge())
    }

    /// Waits for the end of the flight. Whoever stops waiting does not stop the flight.
    pub async fn landed(&self) -> Result<Artifact, Arc<Error>> {
        let artifact = self.flight.landed(&self.permit).await?;
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
    pub patience: Patience,
    /// How many downloads run at a time; others wait.
    pub flights: usize,
    /// Counts what is downloaded, and what need not be.
    pub metrics: Downloads,
}

/// Gets artifacts.
pub struct Acquire {
    parts: Parts,
    slots: Arc<Semaphore>,
    budget: Budget,
    flights: Arc<Short<HashMap<Name, Arc<Flight>>>>,
    setbacks: Arc<Setbacks>,
}

impl Acquire {
    /// Nothing flies yet.
    pub fn new(parts: Parts) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(parts.flights)),
            budget: Budget::default(),
            flights: Arc::default(),
            setbacks: Arc::default(),
            parts,
        }
    }

    /// Not faster than so many bytes a second, all downloads together.
    #[must_use]
    pub fn limited(mut self, bytes: u64) -> Self {
        self.budget = self.budget.limited(bytes);
        self
    }

    /// Gives what is cached and may be used, or a place in the flight that gets it, which is in the air as long as the
    /// volume of a subject wants that. Must be called within a tokio runtime.
    pub fn join(&self, permit: Permit) -> Result<Joined, Error> {
        let names = Names::of(&self.parts, &permit);
        let (request, who) = (permit.request(), permit.subject().volume.as_str());
        // A flight looks once more before it asks, and leaves the map only after its bytes are in the store. So whoever
        // finds neither those nor a flight is the first, and the origin is asked once; and no lock is held over the disk.
        if let Found::Here(artifact) = lookup::find(&self.parts.store, &names, request)? {
            self.parts.metrics.hit();
            return Ok(Joined::Have(within(artifact, &permit)?));
        }
        let mut flights = self.flights.lock();
        if let Some(flight) = flights
            .get(&names.flight)
            .filter(|f| f.gauge().want(who, permit.limit()))
        {
            return Ok(Joined::Flying(Waiting {
                flight: Arc::clone(flight),
                permit: Box::new(permit),
            }));
        }
        self.setbacks.allow(&names.flight)?;
        self.parts.metrics.missed();
        let gauge = Arc::new(Gauge::new(&request.url));
        gauge.want(who, permit.limit());
        let plan = flight::Plan {
            parts: self.parts.clone(),
            budget: self.budget.clone(),
            permit: permit.clone(),
            names: names.clone(),
            setbacks: Arc::clone(&self.setbacks),
        };
        let flight = Flight::take_off(
            plan,
            gauge,
            Arc::clone(&self.slots),
            self.removal(&names.flight),
        );
        let flight = Arc::new(flight);
        flights.insert(names.flight, Arc::clone(&flight));
        Ok(Joined::Flying(Waiting {
            flight,
            permit: Box::new(permit),
        }))
    }

    /// Takes a flight out of the map: that one, and not the next of the same name that may be there by then.
    fn removal(&self, name: &Name) -> impl FnOnce(&Arc<Gauge>) + Send + 'static {
        let (flights, name) = (Arc::clone(&self.flights), name.clone());
        move |gauge| {
            let mut flights = flights.lock();
            if flights.get(&name).is_some_and(|f| f.is_of(gauge)) {
                flights.remove(&name);
            }
        }
    }

    /// Withdraws an interest: a flight that nobody wants any more stops at its next chunk.
    pub fn leave(&self, who: &str) {
        for flight in self.flights.lock().values() {
            flight.gauge().unwant(who);
        }
    }

    /// Ends every flight at its next chunk; what came stays for a resume.
    pub fn stop(&self) {
        for flight in self.flights.lock().values() {
            flight.gauge().stop();
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
