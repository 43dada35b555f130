//! What is counted, for those who watch the driver.
//!
//! Owns the name, the type, the labels and the meaning of every metric. Each module is given the struct that is its own
//! and counts into it; the same struct by itself, without a registry, counts for nobody.
//!
//! Invariants: a label has few values, all known at compile time, and never one that a user wrote: no URL, no volume,
//! no pod. Every clone counts into the same numbers.
//!
//! Left out on purpose: when the numbers are read, and by whom.

mod api;
mod calls;
mod downloads;
mod node;
mod startup;
mod swaps;

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

pub use self::api::{ApiRequests, Verb};
pub use self::calls::{Calls, Ended, Running};
pub use self::downloads::{Downloads, Held};
pub use self::node::{CacheUsage, Disk, Node, Seen};
pub use self::startup::StartupTaints;
pub use self::swaps::Swaps;

use crate::fault::Fault;

/// How the text of [`Metrics::text`] is announced (OpenMetrics 1.0.0).
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics of one driver.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// What kubelet asks for.
    pub calls: Calls,
    /// What origins are asked for.
    pub downloads: Downloads,
    /// What the store removes to make room.
    pub evictions: Evictions,
    /// What becomes of the start-up taint.
    pub startup_taints: StartupTaints,
    /// What the API server is asked for.
    pub api_requests: ApiRequests,
    /// How volumes change while they are shown.
    pub swaps: Swaps,
    /// What is looked up when somebody asks.
    pub node: Node,
    registry: Arc<Registry>,
}

impl Metrics {
    /// Nothing has happened yet.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("war_vol");
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        registry.register(
            "build",
            "The version of the driver, as a label",
            Info::new(version),
        );
        let (calls, downloads) = (Calls::default(), Downloads::default());
        let (evictions, node) = (Evictions::default(), Node::default());
        let (startup_taints, swaps) = (StartupTaints::default(), Swaps::default());
        let api_requests = ApiRequests::default();
        calls.register(&mut registry);
        downloads.register(&mut registry);
        evictions.register(&mut registry);
        startup_taints.register(&mut registry);
        api_requests.register(&mut registry);
        swaps.register(&mut registry);
        registry.register_collector(Box::new(node.clone()));
        Self {
            calls,
            downloads,
            evictions,
            startup_taints,
            api_requests,
            swaps,
            node,
            registry: Arc::new(registry),
        }
    }

    /// All that is known now, as text of [`CONTENT_TYPE`].
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// How something ended: well, or by whose fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

impl Outcome {
    fn of(ended: Result<(), Fault>) -> Self {
        Self {
            outcome: ended.err().map_or("ok", Fault::name),
        }
    }

    /// Every one there is.
    fn all() -> impl Iterator<Item = Self> {
        [Ok(())]
            .into_iter()
            .chain(Fault::ALL.map(Err))
            .map(Self::of)
    }
}

/// How often something ended, by outcome. None is missing from the first scrape on, because the first failure of a kind is no
/// increase to one who has never seen its counter at 0.
#[derive(Clone, Debug)]
struct Outcomes(Family<Outcome, Counter>);

impl Default for Outcomes {
    fn default() -> Self {
        let family = Family::default();
        for outcome in Outcome::all() {
            drop(family.get_or_create(&outcome));
        }
        Self(family)
    }
}

impl Outcomes {
    fn ended(&self, how: Result<(), Fault>) {
        self.0.get_or_create(&Outcome::of(how)).inc();
    }
}

/// What was removed to make room.
#[derive(Clone, Debug, Default)]
pub struct Evictions {
    objects: Counter,
    bytes: Counter,
}

impl Evictions {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "evictions",
            "Cached artifacts removed to free space, or by a prune",
            self.objects.clone(),
        );
        registry.register_with_unit(
            "evicted",
            "Size of the cached artifacts removed to free space, or by a prune",
            Unit::Bytes,
            self.bytes.clone(),
        );
    }

    /// An artifact of so many bytes is gone.
    pub fn evicted(&self, bytes: u64) {
        self.objects.inc();
        self.bytes.inc_by(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_outcomes_are_there_from_the_start_and_count_apart() {
        let metrics = Metrics::new();
        metrics.downloads.ended(Err(Fault::TooLarge));
        metrics.calls.publishes.begin().end(Ok(()));
        let text = metrics.text().unwrap();
        for fault in Fault::ALL {
            let count = u8::from(fault == Fault::TooLarge);
            let line = format!(
                "war_vol_downloads_total{{outcome=\"{}\"}} {count}\n",
                fault.name()
            );
            assert!(text.contains(&line), "{line}{text}");
        }
        assert!(
            text.contains("war_vol_publishes_total{outcome=\"ok\"} 1\n"),
            "{text}"
        );
        assert!(
            text.contains("war_vol_unpublishes_total{outcome=\"ok\"} 0\n"),
            "{text}"
        );
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn a_struct_without_a_registry_counts_for_nobody() {
        Downloads::default().ended(Ok(()));
        Evictions::default().evicted(7);
        let text = Metrics::new().text().unwrap();
        assert!(
            text.contains("war_vol_downloads_total{outcome=\"ok\"} 0\n"),
            "{text}"
        );
        assert!(text.contains("war_vol_evicted_bytes_total 0\n"), "{text}");
    }
}
