//! What origins are asked for, and what need not be asked for.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::Outcomes;
use crate::fault::Fault;

/// Downloads into the store, and the requests that needed none.
#[derive(Clone, Debug, Default)]
pub struct Downloads {
    count: Outcomes,
    bytes: Counter,
    waiting: Gauge,
    in_flight: Gauge,
    hits: Counter,
    misses: Counter,
}

impl Downloads {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "downloads",
            "Downloads by outcome; a download that several pods wait for counts once",
            self.count.0.clone(),
        );
        registry.register_with_unit(
            "downloaded",
            "Bytes of artifacts received over the network, including failed downloads",
            Unit::Bytes,
            self.bytes.clone(),
        );
        registry.register(
            "downloads_in_flight",
            "Downloads in progress",
            self.in_flight.clone(),
        );
        registry.register(
            "downloads_waiting",
            "Downloads waiting for another one to finish (--downloads)",
            self.waiting.clone(),
        );
        registry.register(
            "cache_hits",
            "Requests for an artifact that the cache could serve",
            self.hits.clone(),
        );
        registry.register(
            "cache_misses",
            "Requests for an artifact for which the server had to be asked",
            self.misses.clone(),
        );
    }

    /// One ended.
    pub fn ended(&self, how: Result<(), Fault>) {
        self.count.ended(how);
    }

    /// So many bytes came.
    pub fn received(&self, bytes: u64) {
        self.bytes.inc_by(bytes);
    }

    /// What was wanted is cached.
    pub fn hit(&self) {
        self.hits.inc();
    }

    /// What was wanted has to be asked for.
    pub fn missed(&self) {
        self.misses.inc();
    }

    /// One waits for its place, until the answer is dropped.
    pub fn waits(&self) -> Held {
        Held::by(&self.waiting)
    }

    /// One runs, until the answer is dropped.
    pub fn flies(&self) -> Held {
        Held::by(&self.in_flight)
    }
}

/// One of those that are counted now.
#[derive(Debug)]
pub struct Held(Gauge);

impl Held {
    fn by(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}
