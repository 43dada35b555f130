//! What people who use Helm are used to: an umbrella chart, `null` for a default that is not wanted, paths and sizes in
//! each usual form.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{chart, every_option, has, helm_at, rendered};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

/// A chart of somebody's platform, which has this one among its own.
fn umbrella(values: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let about = "apiVersion: v2\nname: platform\nversion: 1.0.0\ndependencies:\n\
                 - { name: war-vol, version: 0.1.0, condition: war-vol.enabled }\n";
    fs::write(at.join("Chart.yaml"), about).unwrap();
    fs::write(at.join("values.yaml"), values).unwrap();
    copy(&chart(), &at.join("charts/war-vol"));
    dir
}

fn of_umbrella(values: &str) -> String {
    let dir = umbrella(values);
    let arguments = ["template", "platform", "--kube-version", "1.34.0"];
    helm_at(dir.path(), &arguments).unwrap_or_else(|said| panic!("{values}: {said}"))
}

#[test]
fn an_umbrella_chart_says_whether_it_wants_the_driver() {
    let with = of_umbrella("war-vol: { enabled: true }\n");
    for line in [
        "kind: DaemonSet\n",
        "kind: CSIDriver\n",
        "kind: Deployment\n",
    ] {
        assert!(with.contains(line), "{line}: {with}");
    }
    let without = of_umbrella("war-vol: { enabled: false }\n");
    assert!(!without.contains("kind:"), "{without}");
}

/// Others of the release's charts have a node and a controller as well.
#[test]
fn in_an_umbrella_chart_the_objects_are_named_after_this_one() {
    let all = of_umbrella(
        "global: { imageRegistry: mirror.example.com, imagePullSecrets: [{ name: mirror }] }\n",
    );
    for line in [
        "name: platform-war-vol-node\n",
        "name: platform-war-vol-controller\n",
        "image: mirror.example.com/war-vol:0.1.0\n",
        "image: mirror.example.com/sig-storage/csi-provisioner:v",
        "imagePullSecrets:\n        - name: mirror\n",
    ] {
        assert!(all.contains(line), "{line}: {all}");
    }
    assert!(!all.contains("name: platform-node"), "{all}");
    assert!(!all.contains("registry.k8s.io"), "{all}");
}

/// Nothing of it is a field without a value, or one with a template's word for that.
fn is_whole(text: &str, what: &str) {
    let lines = text.lines();
    for line in lines.filter(|line| !line.trim_start().starts_with('#')) {
        let odd = ["<nil>", "%!", "<no value>", "map[", "null"];
        let odd = odd.iter().any(|word| line.contains(word));
        let ends = line.ends_with('=') && !line.ends_with("--default-fstype=");
        assert!(!odd && !ends, "{what}: {line:?} in {text}");
    }
}

#[test]
fn each_default_can_be_dropped_and_all_of_them_at_once() {
    let everything = "controller.enabled=true,node.startupTaint.enabled=true,flexVolume.enabled=true,\
                      networkPolicy.enabled=true,monitoring.podMonitor.enabled=true";
    let mut all = everything.to_owned();
    for option in every_option() {
        let name = option.trim_start_matches('/').replace('/', ".");
        let dropped = format!("{name}=null");
        let text = rendered(&["--set", &dropped]).unwrap_or_else(|said| panic!("{name}: {said}"));
        is_whole(&text, &name);
        if !everything.contains(&format!("{name}=true")) {
            all += &format!(",{dropped}");
        }
    }
    let text = rendered(&["--set", &all]).unwrap();
    is_whole(&text, "all");
    for line in [
        "image: war-vol:0.1.0\n",
        "- --driver-name=war-vol.geektime.org\n",
        "- --kubelet-dir=/var/lib/kubelet\n",
        "- --root=/var/lib/war-vol\n",
        "- \"--http-addr=[::]:9808\"\n",
        "--startup-taint=war-vol.geektime.org/agent-not-ready\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    for flag in ["--downloads", "--max-size", "--log-level"] {
        assert!(!text.contains(flag), "{flag}: {text}");
    }
}

#[test]
fn an_umbrella_chart_drops_defaults_too() {
    let text = of_umbrella(
        "war-vol:\n  logLevel: null\n  image: { pullPolicy: null }\n  monitoring: null\n  node: { downloads: null, \
         tolerations: null, nodeSelector: null, resources: null }\n  controller: { enabled: false, tolerations: null }\n",
    );
    is_whole(&text, "umbrella");
    for part in ["--downloads", "tolerations:", "--log-level", "nodeSelector"] {
        assert!(!text.contains(part), "{part}: {text}");
    }
}

#[test]
fn directories_may_end_in_a_slash_and_the_program_gets_none() {
    let values = [
        "kubeletDir=/opt/kubelet/",
        "node.root=/data/war-vol//",
        "flexVolume.enabled=true",
        "flexVolume.pluginDir=/opt/exec/",
    ];
    has(
        &values,
        &[
            "- --kubelet-dir=/opt/kubelet\n",
            "- --registration-dir=/opt/kubelet/plugins_registry\n",
            "mountPath: /opt/kubelet\n",
            "hostPath: { path: /opt/kubelet, type: Directory }\n",
            "- --root=/data/war-vol\n",
            "path: /opt/exec\n",
        ],
    );
}

/// As a file of values has them, where a number is a number.
#[test]
fn sizes_and_shares_come_through_as_they_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("values.yaml");
    for (written, given) in [
        ("cacheSize: 1.5Gi", "--cache-size=1.5Gi"),
        ("cacheSize: 20GiB", "--cache-size=20GiB"),
        ("cacheSize: 500M", "--cache-size=500M"),
        ("cacheSize: 10k", "--cache-size=10k"),
        ("maxSize: 68719476736", "--max-size=68719476736"),
        ("maxSize: 1099511627776", "--max-size=1099511627776"),
        ("keepFree: 20", "--keep-free=20"),
        ("keepFree: 0", "--keep-free=0"),
        ("keepFree: 20%", "--keep-free=20%"),
    ] {
        fs::write(&file, format!("node: {{ {written} }}\n")).unwrap();
        let text = rendered(&["--values", file.to_str().unwrap()]).unwrap();
        assert!(text.contains(&format!("- {given}\n")), "{written}: {text}");
    }
}
