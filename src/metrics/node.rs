//! What is not counted as it happens but looked up when somebody asks.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use crate::lock::Short;

/// What was found at the last look. What is not known is not shown: a 0 would be a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether the driver is ready.
    pub ready: bool,
    /// Whether kubelet knows the driver; not known where that is another program's business.
    pub registered: Option<bool>,
    /// How many volumes are shown, by the name of the layout.
    pub volumes: Option<BTreeMap<&'static str, u64>>,
    /// How many volumes whose content may change show what is wanted, by the name of the state.
    pub contents: Option<BTreeMap<&'static str, u64>>,
    /// The file system of the store.
    pub disk: Option<Disk>,
    /// What is cached.
    pub cache: Option<CacheUsage>,
}

/// A file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// What it holds.
    pub total: u64,
    /// What is free there.
    pub free: u64,
    /// What is to stay free.
    pub low: u64,
}

/// What is cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheUsage {
    /// How many artifacts.
    pub objects: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

/// Shows what was found at the last look.
#[derive(Clone, Debug, Default)]
pub struct Node(Arc<Short<Seen>>);

impl Node {
    /// Replaces what was found before.
    pub fn set(&self, seen: Seen) {
        *self.0.lock() = seen;
    }
}

impl Collector for Node {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let seen = self.0.lock();
        let mut show = |name: &str, help: &str, unit: Option<Unit>, value: u64| {
            let encoder =
                encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
            gauge(value).encode(encoder)
        };
        show(
            "ready",
            "Whether the driver is ready (1) or not (0); /readyz says why not.",
            None,
            seen.ready.into(),
        )?;
        if let Some(registered) = seen.registered {
            show(
                "registered",
                "Whether kubelet has registered the driver; only if the driver registers itself.",
                None,
                registered.into(),
            )?;
        }
        if let Some(disk) = seen.disk {
            let bytes = Some(Unit::Bytes);
            show(
                "disk_size",
                "Size of the file system of the store.",
                bytes.clone(),
                disk.total,
            )?;
            show(
                "disk_free",
                "Free space on the file system of the store.",
                bytes.clone(),
                disk.free,
            )?;
            show(
                "disk_low_watermark",
                "Space to keep free there (--keep-free): below it, unused artifacts are removed, then new ones are \
                 refused.",
                bytes,
                disk.low,
            )?;
        }
        if let Some(cache) = seen.cache {
            show(
                "cache_objects",
                "Cached artifacts, including those in use.",
                None,
                cache.objects,
            )?;
            show(
                "cache",
                "Size of the cached artifacts.",
                Some(Unit::Bytes),
                cache.bytes,
            )?;
        }
        if let Some(volumes) = &seen.volumes {
            let mut family = encoder.encode_descriptor(
                "volumes",
                "Mounted volumes by layout.",
                None,
                MetricType::Gauge,
            )?;
            for (layout, count) in volumes {
                gauge(*count).encode(family.encode_family(&[("layout", *layout)])?)?;
            }
        }
        if let Some(contents) = &seen.contents {
            let mut family = encoder.encode_descriptor(
                "changeable_volumes",
                "Mounted volumes whose content may change: current, behind (a change is on its way) or failed (the old \
                 content stays; war-vol volumes says why).",
                None,
                MetricType::Gauge,
            )?;
            for (state, count) in contents {
                gauge(*count).encode(family.encode_family(&[("state", *state)])?)?;
            }
        }
        Ok(())
    }
}

fn gauge(value: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;

    #[test]
    fn what_is_not_known_is_not_shown() {
        let metrics = Metrics::new();
        let text = metrics.text().unwrap();
        assert!(text.contains("war_vol_ready 0\n"), "{text}");
        for name in ["registered", "disk", "cache_bytes", "war_vol_volumes"] {
            assert!(!text.contains(name), "{name}: {text}");
        }
        metrics.node.set(Seen {
            ready: true,
            registered: Some(false),
            volumes: Some(BTreeMap::from([("bind", 2), ("overlay", 0)])),
            contents: Some(BTreeMap::from([("current", 1), ("failed", 1)])),
            disk: Some(Disk {
                total: u64::MAX,
                free: 50,
                low: 12,
            }),
            cache: Some(CacheUsage {
                objects: 3,
                bytes: 30,
            }),
        });
        let text = metrics.text().unwrap();
        for line in [
            "war_vol_ready 1\n",
            "war_vol_registered 0\n",
            "war_vol_volumes{layout=\"bind\"} 2\n",
            "war_vol_volumes{layout=\"overlay\"} 0\n",
            "war_vol_changeable_volumes{state=\"current\"} 1\n",
            "war_vol_changeable_volumes{state=\"failed\"} 1\n",
            "war_vol_disk_size_bytes 9223372036854775807\n",
            "war_vol_disk_free_bytes 50\n",
            "war_vol_disk_low_watermark_bytes 12\n",
            "war_vol_cache_objects 3\n",
            "war_vol_cache_bytes 30\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }
}
