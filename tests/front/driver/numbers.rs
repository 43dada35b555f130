//! What is counted, as a scrape sees it.

use tonic::Code;

use super::Driver;
use super::ops::{ANY, get};
use crate::node::{bytes, digest, until};
use crate::origin::{Behaviour, Object, Origin};
use crate::sandbox::Sandbox;

/// The value of a series; nothing if there is none.
pub(super) fn value(text: &str, series: &str) -> Option<f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut values = lines.filter_map(|line| {
        let (name, value) = line.rsplit_once(' ')?;
        (name == series).then(|| value.parse().unwrap())
    });
    values.next()
}

#[test]
fn the_numbers_move_as_volumes_come_and_go() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(61, 300_000)));
    let driver = Driver::begin(&sandbox, &ANY);
    driver.is_ready();
    let http = driver.http();
    let is = |series: &str, expected: f64| {
        let (status, text) = get(http, "/metrics").unwrap();
        assert_eq!(status, 200);
        assert_eq!(value(&text, series), Some(expected), "{series}\n{text}");
    };
    for zero in [
        "war_vol_publishes_total{outcome=\"ok\"}",
        "war_vol_publishes_total{outcome=\"not-found\"}",
        "war_vol_unpublishes_total{outcome=\"ok\"}",
        "war_vol_downloads_total{outcome=\"ok\"}",
        "war_vol_downloaded_bytes_total",
        "war_vol_volumes{layout=\"overlay\"}",
        "war_vol_cache_objects",
        "war_vol_evictions_total",
    ] {
        is(zero, 0.0);
    }
    let pinned = digest(&bytes(61, 300_000));
    let of = |pod| {
        let call = driver.inline(pod, &origin.url("/a.war"));
        call.context(&[("checksum", &pinned)])
    };
    let (first, second) = (of("first"), of("second").read_only());
    driver.publish(&first).unwrap();
    driver.publish(&first).unwrap();
    driver.publish(&second).unwrap();
    let wrong = driver.inline("wrong", &origin.url("/none.war"));
    assert_eq!(driver.publish(&wrong).unwrap_err().0, Code::NotFound);
    let mut none = first.clone();
    none.request.volume_id.clear();
    assert_eq!(driver.publish(&none).unwrap_err().0, Code::InvalidArgument);
    for (series, expected) in [
        ("war_vol_publishes_total{outcome=\"ok\"}", 3.0),
        ("war_vol_publishes_total{outcome=\"not-found\"}", 1.0),
        ("war_vol_publishes_total{outcome=\"invalid\"}", 1.0),
        (
            "war_vol_publish_duration_seconds_count{outcome=\"ok\"}",
            3.0,
        ),
        ("war_vol_downloads_total{outcome=\"ok\"}", 1.0),
        ("war_vol_downloads_total{outcome=\"not-found\"}", 1.0),
        ("war_vol_downloaded_bytes_total", 300_000.0),
        ("war_vol_downloads_in_flight", 0.0),
        ("war_vol_downloads_waiting", 0.0),
        ("war_vol_cache_hits_total", 1.0),
        ("war_vol_cache_misses_total", 2.0),
        ("war_vol_cache_objects", 1.0),
        ("war_vol_cache_bytes", 300_000.0),
        ("war_vol_volumes{layout=\"overlay\"}", 1.0),
        ("war_vol_volumes{layout=\"bind\"}", 1.0),
        ("war_vol_volumes{layout=\"copy\"}", 0.0),
        ("war_vol_disk_low_watermark_bytes", 0.0),
    ] {
        is(series, expected);
    }
    driver.unpublish(&first).unwrap();
    is("war_vol_unpublishes_total{outcome=\"ok\"}", 1.0);
    is("war_vol_volumes{layout=\"overlay\"}", 0.0);
    is("war_vol_volumes{layout=\"bind\"}", 1.0);
    let (_, text) = get(http, "/metrics").unwrap();
    let disk = |series| value(&text, series).unwrap();
    let (free, size) = (
        disk("war_vol_disk_free_bytes"),
        disk("war_vol_disk_size_bytes"),
    );
    assert!(0.0 < free && free < size, "{text}");
    let version = format!(
        "war_vol_build_info{{version=\"{}\"}}",
        env!("CARGO_PKG_VERSION")
    );
    is(&version, 1.0);

    let document = include_str!("../../../docs/metrics.md");
    for line in text.lines().filter(|line| line.starts_with("# TYPE ")) {
        let name = line.split(' ').nth(2).unwrap();
        assert!(document.contains(&format!("| `{name}")), "{name}");
    }

    // A restart knows what is shown, and begins to count anew.
    assert!(driver.stop().success());
    let driver = Driver::begin(&sandbox, &ANY);
    driver.is_ready();
    let (_, text) = get(driver.http(), "/metrics").unwrap();
    assert_eq!(value(&text, "war_vol_volumes{layout=\"bind\"}"), Some(1.0));
    assert_eq!(
        value(&text, "war_vol_publishes_total{outcome=\"ok\"}"),
        Some(0.0)
    );
    driver.unpublish(&second).unwrap();
}

#[test]
fn what_was_removed_to_make_room_is_counted() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    let limit = ["--cache-size", "500000"];
    let driver = Driver::begin(&sandbox, &[&ANY[..], &limit[..]].concat());
    driver.is_ready();
    for (seed, name) in [(62, "/a.war"), (63, "/b.war")] {
        origin.put(name, Object::new(bytes(seed, 300_000)));
        let call = driver.inline("pod", &origin.url(name));
        driver.publish(&call).unwrap();
        driver.unpublish(&call).unwrap();
    }
    let (_, text) = get(driver.http(), "/metrics").unwrap();
    assert_eq!(value(&text, "war_vol_evictions_total"), Some(1.0), "{text}");
    assert_eq!(
        value(&text, "war_vol_evicted_bytes_total"),
        Some(300_000.0),
        "{text}"
    );
    assert_eq!(value(&text, "war_vol_cache_objects"), Some(1.0), "{text}");
}

/// Canary secrets (docs/design/faults.md, 44).
#[test]
fn nothing_that_a_user_wrote_is_said() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    origin.put("/canary.war", Object::new(bytes(64, 1000)));
    let driver = Driver::begin(&sandbox, &ANY);
    driver.is_ready();
    let http = driver.http();
    let url = |path: &str| origin.url(&format!("{path}?sig=canary-query"));
    let asked = |pod: &str, path: &str| {
        let call = driver.inline(pod, &url(path));
        call.secret("token", "canary-token")
            .context(&[("fileName", "canary.txt")])
    };
    driver.publish(&asked("canary-pod", "/canary.war")).unwrap();
    for bad in [
        asked("canary-none", "/canary-none"),
        asked("canary-key", "/canary.war").context(&[("canary-attribute", "canary-value")]),
        asked("canary-mode", "/canary.war").mounted(|m| m.mount_flags = vec!["canary".into()]),
    ] {
        driver.publish(&bad).unwrap_err();
    }
    for path in ["/metrics", "/readyz", "/healthz", "/canary"] {
        let (_, text) = get(http, path).unwrap();
        let host = origin.address().to_string();
        for said in ["canary", &host, "http:", "csi-"] {
            assert!(!text.contains(said), "{path} says {said}: {text}");
        }
    }
    // The counters have heard of all that.
    let (_, text) = get(http, "/metrics").unwrap();
    let failed = "war_vol_publishes_total{outcome=\"invalid\"}";
    assert_eq!(value(&text, failed), Some(2.0), "{text}");
}

#[test]
fn downloads_are_counted_while_they_run_and_while_they_wait() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    for name in ["/a.war", "/b.war"] {
        origin.put(name, Object::new(bytes(66, 100_000)));
        let silence = Behaviour::SilenceAt { at: 50_000 };
        origin.behave(name, vec![silence.always()]);
    }
    let driver = Driver::begin(&sandbox, &[&ANY[..], &["--downloads", "1"]].concat());
    driver.is_ready();
    let http = driver.http();
    let are = |expected: [(&str, f64); 3]| {
        let (_, text) = get(http, "/metrics").unwrap();
        expected
            .iter()
            .all(|(series, n)| value(&text, series) == Some(*n))
    };
    let second = std::time::Duration::from_secs(1);
    let calls = [("one", "/a.war"), ("two", "/b.war")]
        .map(|(pod, name)| driver.inline(pod, &origin.url(name)));
    for call in &calls {
        let (code, words) = driver.publish_within(call, second).unwrap_err();
        assert_eq!(code, Code::Aborted, "{words}");
    }
    until("one runs and one waits", || {
        are([
            ("war_vol_downloads_in_flight", 1.0),
            ("war_vol_downloads_waiting", 1.0),
            ("war_vol_downloaded_bytes_total", 50_000.0),
        ])
    });
    driver.wait(async {
        let gone = driver.publishing(&calls[0], 60 * second);
        assert!(tokio::time::timeout(second / 2, gone).await.is_err());
    });
    until("a caller that hangs up counts, too", || {
        are([
            ("war_vol_publishes_total{outcome=\"pending\"}", 3.0),
            ("war_vol_publishes_total{outcome=\"ok\"}", 0.0),
            ("war_vol_cache_misses_total", 2.0),
        ])
    });
    for call in &calls {
        driver.unpublish(call).unwrap();
    }
    until("both are over", || {
        are([
            ("war_vol_downloads_in_flight", 0.0),
            ("war_vol_downloads_waiting", 0.0),
            ("war_vol_downloads_total{outcome=\"unavailable\"}", 2.0),
        ])
    });
}
