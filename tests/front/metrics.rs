//! The document of the metrics says what the code says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use war_vol::fault::Fault;
use war_vol::metrics::{CacheUsage, Disk, Metrics, Seen};
use war_vol::volume::plan::View;

#[test]
fn the_document_lists_every_metric() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let written = fs::read_to_string(&path).unwrap_or_default();
    let right = document(&everything());
    if std::env::var_os("WAR_VOL_WRITE").is_some() {
        fs::write(&path, right).unwrap();
        return;
    }
    assert!(
        written == right,
        "docs/metrics.md is out of date; regenerate it with WAR_VOL_WRITE=1 cargo test --test front -- metrics::"
    );
}

/// A scrape in which nothing is missing.
fn everything() -> String {
    let metrics = Metrics::new();
    metrics.node.set(Seen {
        ready: true,
        registered: Some(true),
        contents: Some(BTreeMap::from([("current", 1)])),
        volumes: Some(BTreeMap::from([(View::Bind.name(), 1)])),
        disk: Some(Disk {
            total: 1,
            free: 1,
            low: 1,
        }),
        cache: Some(CacheUsage {
            objects: 1,
            bytes: 1,
        }),
    });
    metrics.text().unwrap()
}

fn document(text: &str) -> String {
    let mut document = "\
# Metrics

`war-vol serve --http-addr ADDR` serves these metrics at `/metrics` in the OpenMetrics text format. A test compares this
page with the source.

A metric is missing as long as its value is unknown; there are no disk metrics before the store is open, for example. If the
disk hangs, its metrics keep their last values. A histogram has the suffixes `_bucket`, `_sum` and `_count`; of its
outcomes, only `ok` is present from the start.

| metric | type | labels | meaning |
|---|---|---|---|
"
    .to_owned();
    for family in families(text) {
        let labels: Vec<String> = family.labels.iter().map(|l| format!("`{l}`")).collect();
        let labels = labels.join(", ");
        let (name, kind, help) = (&family.name, &family.kind, &family.help);
        writeln!(document, "| `{name}` | {kind} | {labels} | {help} |").unwrap();
    }
    let outcomes: Vec<&str> = Fault::ALL.iter().map(|f| f.name()).collect();
    let layouts: Vec<&str> = View::ALL.iter().map(|v| v.name()).collect();
    write!(
        document,
        "
## Labels

- `outcome`: `ok`, or the kind of error, which says who has to act: `{}`. `war_vol_swaps_total` also has `rolled-back`.
- `layout`: `{}`, or `unknown` if the record of a volume cannot be read.
- `state`: `current`, `behind` or `failed`; see above.
- `verb`: `get`, `watch`, `create` or `patch`.
- `version`: the version of the driver.

No label contains a URL, a volume or a pod.
",
        outcomes.join("`, `"),
        layouts.join("`, `"),
    )
    .unwrap();
    document
}

/// A metric, as its text says.
#[derive(Default)]
struct Family {
    name: String,
    kind: String,
    help: String,
    labels: BTreeSet<String>,
}

fn families(text: &str) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next()) {
            (Some("#"), Some("HELP")) => families.push(Family {
                name: words.next().unwrap().to_owned(),
                help: words.next().unwrap().to_owned(),
                ..Family::default()
            }),
            (Some("#"), Some("TYPE")) => {
                let family = families.last_mut().unwrap();
                assert_eq!(words.next(), Some(&*family.name));
                family.kind = words.next().unwrap().to_owned();
                // The names that a query needs; those of a histogram have three ends.
                family.name += match &*family.kind {
                    "counter" => "_total",
                    "info" => "_info",
                    "gauge" | "histogram" => "",
                    other => panic!("no word for {other}"),
                };
            }
            (Some("#"), _) => {}
            _ => {
                let family = families.last_mut().unwrap();
                assert!(line.starts_with(&family.name), "{line}");
                // No value of a label has a comma, which would hide the next name.
                let labels = line.split_once('{').and_then(|(_, l)| l.split_once('}'));
                for label in labels.iter().flat_map(|(labels, _)| labels.split(',')) {
                    let (name, _) = label.split_once('=').unwrap();
                    family.labels.insert(name.to_owned());
                }
                family.labels.remove("le");
            }
        }
    }
    assert!(families.len() > 10, "{text}");
    families
}
