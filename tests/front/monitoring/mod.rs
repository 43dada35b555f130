//! What the chart gives to Prometheus and Grafana: it names metrics that are there, Prometheus' own reader takes it, each
//! alert fires when it should, and has its page of the runbook.
//!
//! Left out on purpose: the schemas of the Prometheus operator's kinds and Grafana's reading of the dashboard; neither
//! can be had here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use war_vol::fault::Fault;

use crate::chart::rendered;
use crate::tools::tool;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

const ALERTS: &str = "deploy/charts/war-vol/files/alerts.yaml";

/// The names of the alerts.
fn alerts() -> BTreeSet<String> {
    let text = read(ALERTS);
    let names = text
        .lines()
        .filter_map(|l| l.trim().strip_prefix("- alert: "));
    let names: BTreeSet<String> = names.map(str::to_owned).collect();
    assert!(names.len() > 8, "{names:?}");
    names
}

/// The queries of the dashboard, with values in place of what Grafana fills in.
fn queries() -> Vec<String> {
    let text = read("deploy/charts/war-vol/files/dashboard.json");
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            queries.push(target["expr"].as_str().unwrap().to_owned());
        }
    }
    assert!(queries.len() > 15, "{queries:?}");
    let filled = |q: String| {
        q.replace("$__rate_interval", "5m")
            .replace("$node", "node-.*")
    };
    queries.into_iter().map(filled).collect()
}

/// The metrics of docs/metrics.md, which a test of its own holds to the code: each with its type and its labels.
fn exported() -> Vec<(String, String, String)> {
    let text = read("docs/metrics.md");
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split('|');
        let name = cells.next()?.trim().trim_matches('`').to_owned();
        let kind = cells.next()?.trim().to_owned();
        Some((name, kind, cells.next()?.to_owned()))
    });
    rows.collect()
}

/// Each word of ours, with what stands in its braces.
fn named(text: &str) -> Vec<(String, String)> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in text.match_indices("war_vol_") {
        let end = text[at..].find(|c| !word(c)).map_or(text.len(), |n| at + n);
        let rest = text[end..].strip_prefix('{');
        let braces = rest.and_then(|r| r.split_once('}')).map_or("", |(b, _)| b);
        found.push((text[at..end].to_owned(), braces.to_owned()));
    }
    found
}

#[test]
fn every_metric_that_an_alert_or_the_dashboard_names_is_exported() {
    let exported = exported();
    let outcomes: Vec<&str> = Fault::ALL.iter().map(|f| f.name()).chain(["ok"]).collect();
    let mut named_by = vec![(ALERTS.to_owned(), read(ALERTS))];
    named_by.extend(
        queries()
            .into_iter()
            .map(|q| ("the dashboard".to_owned(), q)),
    );
    for (who, text) in named_by {
        let found = named(&text);
        assert!(!found.is_empty(), "{who} asks for nothing of ours: {text}");
        for (name, braces) in found {
            let histogram = ["_bucket", "_count", "_sum"]
                .iter()
                .find_map(|end| name.strip_suffix(end));
            let known = exported.iter().find(|(exported, kind, _)| match &**kind {
                "histogram" => Some(&**exported) == histogram,
                _ => *exported == name,
            });
            let Some((_, _, labels)) = known else {
                panic!("{who} names {name}, which is no metric of docs/metrics.md")
            };
            let Some((_, outcome)) = braces.split_once("outcome") else {
                continue;
            };
            assert!(labels.contains("`outcome`"), "{who}: {name} has no outcome");
            let values = outcome.split('"').nth(1).unwrap();
            for value in values.split('|') {
                assert!(outcomes.contains(&value), "{who}: no outcome is {value}");
            }
        }
    }
}

#[test]
fn each_alert_has_its_page_of_the_runbook_and_each_page_its_alert() {
    let pages: BTreeSet<String> = fs::read_dir(path("docs/runbook"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.strip_suffix(".md").unwrap().to_owned())
        .collect();
    assert_eq!(pages, alerts());
    let (rules, tests) = (
        read(ALERTS),
        read("tests/front/monitoring/alerts.test.yaml"),
    );
    for name in pages {
        let page = read(&format!("docs/runbook/{name}.md"));
        assert!(page.starts_with(&format!("# {name}\n")), "{name}: {page}");
        for part in [
            "## What users see",
            "## How to investigate",
            "## What to do",
        ] {
            assert!(page.contains(&format!("\n{part}\n")), "{name}: {part}");
        }
        for line in page.lines() {
            assert!(line.chars().count() <= 120, "{name}: {line}");
        }
        for other in page.split('`').filter(|w| w.starts_with("WarVol")) {
            assert!(alerts().contains(other), "{name} names {other}");
        }
        let (_, rule) = rules.split_once(&format!("alert: {name}\n")).unwrap();
        let rule = rule.split("- alert: ").next().unwrap();
        let link = format!("runbook_url: \"@runbook@/{name}.md\"");
        assert!(rule.contains(&link), "{name} links elsewhere: {rule}");
        assert!(
            tests.contains(&format!("\"{name}\"")),
            "nobody has seen {name} fire"
        );
    }
}

/// The rules as the chart renders them, as a file of Prometheus.
fn rules(more: &str) -> String {
    let values = format!("monitoring.prometheusRule.enabled=true{more}");
    let only = "templates/monitoring.yaml";
    let text = rendered(&["--set", &values, "--show-only", only]).unwrap();
    let (_, spec) = text.split_once("\nspec:\n").unwrap();
    let lines = spec.lines().map(|l| l.strip_prefix("  ").unwrap_or(l));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

fn promtool(directory: &Path, arguments: &[&str]) {
    let ran = Command::new(tool("promtool"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
}

#[test]
fn prometheus_reads_the_alerts_and_each_fires_when_it_should() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    fs::write(at.join("alerts.yaml"), rules("")).unwrap();
    let tests = path("tests/front/monitoring/alerts.test.yaml");
    fs::copy(tests, at.join("test.yaml")).unwrap();
    promtool(
        at,
        &[
            "check",
            "rules",
            "--lint=all",
            "--lint-fatal",
            "alerts.yaml",
        ],
    );
    promtool(at, &["test", "rules", "test.yaml"]);
}

#[test]
fn prometheus_reads_every_query_of_the_dashboard() {
    let mut rules = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    for (n, query) in queries().iter().enumerate() {
        // What is JSON is YAML too.
        let query = serde_json::to_string(query).unwrap();
        rules += &format!("  - {{ record: 'dashboard:query:{n}', expr: {query} }}\n");
    }
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("queries.yaml"), rules).unwrap();
    promtool(directory.path(), &["check", "rules", "queries.yaml"]);
}

#[test]
fn the_alerts_are_those_of_the_release_and_link_to_the_runbook_where_one_is_served() {
    let plain = rules("");
    assert!(
        !plain.contains("runbook") && !plain.contains('@'),
        "{plain}"
    );
    assert!(plain.contains("daemonset=\"war-vol-node\""), "{plain}");
    let linked = rules(",monitoring.prometheusRule.runbookURL=https://example.com/war-vol/");
    for name in alerts() {
        let link = format!("runbook_url: \"https://example.com/war-vol/{name}.md\"\n");
        assert!(linked.contains(&link), "{linked}");
    }
}

/// What is off by default, and what it adds.
#[test]
fn what_operators_add_comes_when_it_is_asked_for() {
    let added = [
        ("monitoring.podMonitor.enabled", "PodMonitor", 1),
        ("monitoring.serviceMonitor.enabled", "ServiceMonitor", 1),
        ("monitoring.serviceMonitor.enabled", "Service", 1),
        ("monitoring.prometheusRule.enabled", "PrometheusRule", 1),
        ("monitoring.dashboard.enabled", "ConfigMap", 1),
        ("networkPolicy.enabled", "NetworkPolicy", 2),
    ];
    let count = |text: &str, kind: &str| {
        let line = format!("kind: {kind}");
        text.lines().filter(|l| **l == *line).count()
    };
    let plain = rendered(&[]).unwrap();
    for (value, kind, times) in added {
        // The policy is always there.
        let before = usize::from(kind == "ConfigMap");
        assert_eq!(count(&plain, kind), before, "{kind}");
        let asked = rendered(&["--set", &format!("{value}=true")]).unwrap();
        assert_eq!(count(&asked, kind), before + times, "{kind}: {asked}");
    }
    let both = "monitoring.podMonitor.enabled=true,monitoring.serviceMonitor.enabled=true";
    let said = rendered(&["--set", both]).unwrap_err();
    assert!(said.contains("enable only one of them"), "{said}");
}
