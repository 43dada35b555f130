//! The chart renders, and the plain manifests are what it renders.
//!
//! `WAR_VOL_WRITE=1` writes the manifests anew.

mod customs;
mod pods;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use war_vol::app;

use crate::tools::tool;

const MANIFESTS: &str = "deploy/kubernetes/war-vol.yaml";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn chart() -> PathBuf {
    root().join("deploy/charts/war-vol")
}

fn helm(arguments: &[&str]) -> Result<String, String> {
    helm_at(&chart(), arguments)
}

/// Helm, of some chart.
pub(crate) fn helm_at(chart: &Path, arguments: &[&str]) -> Result<String, String> {
    let home = tempfile::tempdir().unwrap();
    let ran = Command::new(tool("helm"))
        .args(arguments)
        .arg(chart)
        .env("HELM_CACHE_HOME", home.path())
        .env("HELM_CONFIG_HOME", home.path())
        .env("HELM_DATA_HOME", home.path())
        .output()
        .expect("helm is there");
    let words = String::from_utf8_lossy(&ran.stdout).into_owned();
    if ran.status.success() {
        return Ok(words);
    }
    Err(words + &String::from_utf8_lossy(&ran.stderr))
}

/// As for a cluster of today: without one Helm thinks of a very old one.
pub(crate) fn rendered(more: &[&str]) -> Result<String, String> {
    let mut arguments = vec!["template", "war-vol", "--kube-version", "1.34.0"];
    arguments.extend(["--namespace", "war-vol"]);
    arguments.extend(more);
    helm(&arguments)
}

/// What is rendered with these values has these lines.
fn has(values: &[&str], lines: &[&str]) {
    let mut arguments = Vec::new();
    for value in values {
        let is_json = value.contains("=[") || value.contains("={");
        arguments.extend([if is_json { "--set-json" } else { "--set" }, value]);
    }
    let text = rendered(&arguments).unwrap_or_else(|said| panic!("{values:?}: {said}"));
    for line in lines {
        assert!(text.contains(line), "{values:?}: {line:?} is not in {text}");
    }
}

#[test]
fn helm_has_nothing_to_say_against_the_chart() {
    helm(&["lint", "--strict", "--quiet"]).unwrap();
}

#[test]
fn the_plain_manifests_are_what_the_chart_renders() {
    let rendered = rendered(&[]).unwrap();
    let head = "# Rendered from deploy/charts/war-vol, for installations without Helm: first run `kubectl create namespace war-vol`,\n\
                # and push the image to a registry that your cluster can reach.\n";
    let expected = format!("{head}{rendered}");
    let path = root().join(MANIFESTS);
    if std::env::var_os("WAR_VOL_WRITE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{MANIFESTS} is not what the chart renders; regenerate it with \
         WAR_VOL_WRITE=1 cargo test --test front -- chart::"
    );
}

/// The chart that is shown to a real API server has all that it can have.
#[test]
fn every_option_is_set_for_the_dry_run() {
    let text = fs::read_to_string(root().join("tests/e2e/everything.json")).unwrap();
    let everything: Value = serde_json::from_str(&text).unwrap();
    for option in every_option() {
        let value = everything.pointer(&option);
        assert!(value.is_some(), "everything.json has no {option}");
        // It stands for the other one, which it excludes.
        if option.ends_with("/enabled") && option != "/monitoring/serviceMonitor/enabled" {
            assert_eq!(value, Some(&Value::Bool(true)), "{option}");
        }
    }
    rendered(&["--values", "tests/e2e/everything.json"]).unwrap();
}

/// Where each option is, such as `/node/root`.
fn every_option() -> Vec<String> {
    let text = fs::read_to_string(chart().join("values.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let options = options(&schema, &schema, "");
    assert!(options.len() > 80, "{options:?}");
    options
}

/// Where the options are that a part of the schema allows.
fn options(schema: &Value, part: &Value, path: &str) -> Vec<String> {
    let named = part.get("$ref").and_then(Value::as_str);
    let part = named.map_or(part, |name| schema.pointer(&name[1..]).unwrap());
    match part.get("properties").and_then(Value::as_object) {
        Some(inner) => inner
            .iter()
            .flat_map(|(name, part)| options(schema, part, &format!("{path}/{name}")))
            .collect(),
        None => vec![path.to_owned()],
    }
}

#[test]
fn a_value_that_cannot_be_is_refused_by_the_schema() {
    let wrong = [
        "driverName=-x",
        "driverName=War_Vol",
        "kubeletDir=relative",
        "kubeletDir=/",
        "node.root=/a:b",
        "node.downloads=0",
        "node.keepFree=much",
        "node.maxSize=12XB",
        "node.maxSize=0",
        "node.cacheSize=1.5.5Gi",
        "node.dnsPolicy=Sometimes",
        "node.hostNetwork=maybe",
        "node.updateStrategy.rollingUpdate.maxSurge=1",
        "node.updateStrategy.type=Recreate",
        "image.digest=v2",
        "enabled=maybe",
        "fullnameOverride=War_Vol",
        "node.unknown=1",
        "unknown=1",
        "logLevel=loud",
        "controller.replicas=0",
        "flexVolume.pluginDir=relative",
        "flexVolume.enabled=maybe",
        "node.upgrade.enabled=maybe",
        "node.upgrade.namespaces=shop",
        "node.upgrade.classes=maybe",
        "node.startupTaint.enabled=yes please",
        "node.startupTaint.key=agent-not-ready",
        "node.startupTaint.key=example.com/a:NoSchedule",
        "monitoring.podMonitor.interval=often",
        "monitoring.serviceMonitor.enabled=maybe",
        "monitoring.prometheusRule.runbookURL=docs/runbook",
        "monitoring.alerts=1",
        "networkPolicy.enabled=yes",
    ];
    for value in wrong {
        let said = rendered(&["--set", value]).expect_err(value);
        assert!(said.contains("don't meet the specifications"), "{said}");
    }
}

/// Who asks nothing of the API server has no token for it. The account is there all the same: a DaemonSet that once
/// named one goes on naming it in `serviceAccount`, and would have no pods.
#[test]
fn the_node_has_a_token_and_rights_only_for_its_startup_taint() {
    let without = rendered(&[]).unwrap();
    let named = "serviceAccountName: war-vol-node\n";
    for part in [named, "automountServiceAccountToken: false\n"] {
        assert!(without.contains(part), "{part}: {without}");
    }
    for part in ["name: war-vol-startup-taint", "--startup-taint"] {
        assert!(!without.contains(part), "{part}: {without}");
    }
    let with = rendered(&["--set", "node.startupTaint.enabled=true"]).unwrap();
    for part in [
        named,
        "automountServiceAccountToken: true\n",
        "- --startup-taint=war-vol.geektime.org/agent-not-ready\n",
        "resources: [nodes]\n  verbs: [get, patch]\n",
        "resources: [csinodes]\n  verbs: [get]\n",
    ] {
        assert!(with.contains(part), "{part}: {with}");
    }
}

/// The same for the labels and annotations of pods and claims, everywhere or in some namespaces.
#[test]
fn the_node_may_watch_objects_only_where_content_may_change() {
    let without = rendered(&[]).unwrap();
    for part in ["name: war-vol-upgrade", "--watch-objects"] {
        assert!(!without.contains(part), "{part}: {without}");
    }
    let with = rendered(&["--set", "node.upgrade.enabled=true,controller.enabled=true"]).unwrap();
    for part in [
        "automountServiceAccountToken: true\n",
        "- --watch-objects\n",
        "- --extra-create-metadata\n",
        "kind: ClusterRole\nmetadata:\n  name: war-vol-upgrade\n",
    ] {
        assert!(with.contains(part), "{part}: {with}");
    }
    let some = "node.upgrade.enabled=true,node.upgrade.namespaces={shop,blog}";
    let some = rendered(&["--set", some]).unwrap();
    for part in [
        "- --watch-namespace=shop\n",
        "- --watch-namespace=blog\n",
        "kind: Role\nmetadata:\n  name: war-vol-upgrade\n  namespace: shop\n",
        "kind: RoleBinding\nmetadata:\n  name: war-vol-upgrade\n  namespace: blog\n",
    ] {
        assert!(some.contains(part), "{part}: {some}");
    }
    assert!(
        !some.contains("kind: ClusterRole\nmetadata:\n  name: war-vol-upgrade"),
        "{some}"
    );
}

/// The same for the classes of volumes, which need more rights, and somebody who asks the controller.
#[test]
fn classes_are_followed_only_where_that_is_asked_for() {
    let parts = [
        "- --volume-attributes-classes\n",
        "volumeattributesclasses",
        "csi-resizer",
        "persistentvolumeclaims/status",
    ];
    for without in ["node.upgrade.enabled=true", "node.upgrade.classes=true"] {
        let without = rendered(&["--set", without]).unwrap();
        for part in parts {
            assert!(!without.contains(part), "{part}: {without}");
        }
    }
    let both = "node.upgrade.enabled=true,node.upgrade.classes=true";
    let with = rendered(&["--set", both]).unwrap();
    for part in parts.into_iter().chain([
        "name: war-vol-node-classes\n",
        "name: war-vol-controller-classes\n",
    ]) {
        assert!(with.contains(part), "{part}: {with}");
    }
    assert_eq!(with.matches(parts[0]).count(), 2, "node and controller");
    // Without a controller nobody asks it, and volumes made by hand may have a class all the same.
    let alone = format!("{both},controller.enabled=false");
    let alone = rendered(&["--set", &alone]).unwrap();
    assert!(alone.contains("name: war-vol-node-classes\n"), "{alone}");
    assert!(!alone.contains("war-vol-controller"), "{alone}");
}

/// The documents and the chart say what the driver warns of.
#[test]
fn the_least_versions_are_the_same_everywhere() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let (needs, chart) = (
        read("docs/install.md"),
        read("deploy/charts/war-vol/Chart.yaml"),
    );
    let shown = |(major, minor): (u32, u32)| format!("{major}.{minor}");
    for (name, version) in [
        ("Kubernetes", shown(app::KUBERNETES)),
        ("Linux", shown(app::KERNEL)),
        ("containerd", shown(app::CONTAINERD)),
    ] {
        let row = format!("| {name} | {version}");
        assert!(needs.contains(&row), "{row}");
    }
    let constraint = format!("kubeVersion: \">={}.0-0\"\n", shown(app::KUBERNETES));
    assert!(chart.contains(&constraint), "{chart}");
}

/// What the chart starts must be what the program takes: flags, and values in their form.
#[test]
fn the_program_takes_the_arguments_that_the_chart_gives() {
    let values = "node.cacheSize=20Gi,node.caConfigMap.name=ca,node.startupTaint.enabled=true";
    let rendered = rendered(&["--set", values]).unwrap();
    let help = Command::new(env!("CARGO_BIN_EXE_war-vol"))
        .args(["serve", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let arguments = rendered.lines().map(|line| line.trim().replace('"', ""));
    let flags: Vec<String> = arguments
        .filter_map(|line| Some(line.strip_prefix("- --")?.split_once('=')?.0.to_owned()))
        .collect();
    assert!(flags.len() > 15, "{flags:?}");
    for flag in flags {
        let provisioners = [
            "csi-address",
            "leader-election-namespace",
            "default-fstype",
            "retry-interval-max",
        ];
        assert!(
            provisioners.contains(&&*flag) || help.contains(&format!("--{flag} ")),
            "--{flag} is no flag of serve"
        );
    }
}

/// The init container of a DaemonSet is the only one who puts it on a node.
#[test]
fn flex_volume_is_installed_where_the_values_say_and_nowhere_by_default() {
    assert!(!rendered(&[]).unwrap().contains("flexvolume"));
    let values = "flexVolume.enabled=true,flexVolume.pluginDir=/opt/exec,node.root=/data/war-vol";
    let rendered = rendered(&["--set", values]).unwrap();
    for line in [
        "args: [flexvolume, install, /flexvolume, --root=/data/war-vol]",
        "hostPath:\n          path: /opt/exec\n          type: DirectoryOrCreate\n",
    ] {
        assert!(rendered.contains(line), "{line} is not in {rendered}");
    }
}
