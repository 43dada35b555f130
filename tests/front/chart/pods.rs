//! The values that the charts of other drivers have, too: what goes into a pod, a workload or an object's name.

use super::{has, rendered};

#[test]
fn the_image_is_named_by_registry_tag_or_digest() {
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    has(
        &["image.repository=r.example.com/war-vol"],
        &["image: r.example.com/war-vol:0.1.0\n"],
    );
    has(
        &["image.registry=r.example.com/", "image.tag=v9"],
        &["image: r.example.com/war-vol:v9\n"],
    );
    has(
        &[
            "image.registry=r.example.com",
            "image.repository=old.example.com:5000/a/war-vol",
        ],
        &["image: r.example.com/a/war-vol:0.1.0\n"],
    );
    has(
        &[&format!("image.digest={digest}"), "image.tag=v9"],
        &[&format!("image: war-vol@{digest}\n")],
    );
}

/// Each value, and what is rendered of it.
const FIELDS: [(&str, &str); 16] = [
    ("hostNetwork=true", "hostNetwork: true\n"),
    ("hostNetwork=true", "dnsPolicy: ClusterFirstWithHostNet\n"),
    ("dnsPolicy=Default", "dnsPolicy: Default\n"),
    (
        r#"dnsConfig={"nameservers":["2001:db8::53"]}"#,
        "      dnsConfig:\n        nameservers:\n        - 2001:db8::53\n",
    ),
    (
        r#"hostAliases=[{"ip":"192.0.2.7","hostnames":["a.example.com"]}]"#,
        "      hostAliases:\n        - hostnames:\n          - a.example.com\n          ip: 192.0.2.7\n",
    ),
    (
        r#"extraVolumes=[{"name":"more","emptyDir":{}}]"#,
        "      - emptyDir: {}\n        name: more\n",
    ),
    (
        r#"extraVolumeMounts=[{"name":"more","mountPath":"/more"}]"#,
        "        - mountPath: /more\n          name: more\n",
    ),
    (
        r#"env=[{"name":"A","value":"b"}]"#,
        "        - name: A\n          value: b\n",
    ),
    (
        r#"extraArgs=["--stall-time=9s"]"#,
        "        - \"--stall-time=9s\"\n",
    ),
    (
        r#"topologySpreadConstraints=[{"maxSkew":1}]"#,
        "topologySpreadConstraints:\n        - maxSkew: 1\n",
    ),
    (
        r#"annotations={"a.example.com/b":"c"}"#,
        "\n  annotations:\n    a.example.com/b: c\n",
    ),
    (
        r#"podAnnotations={"a.example.com/b":"c"}"#,
        "      annotations:\n        a.example.com/b: c\n",
    ),
    (
        r#"podLabels={"a.example.com/b":"c"}"#,
        "        a.example.com/b: c\n",
    ),
    ("revisionHistoryLimit=3", "  revisionHistoryLimit: 3\n"),
    ("priorityClassName=mine", "priorityClassName: mine\n"),
    (
        r#"serviceAccount.annotations={"a.example.com/b":"c"}"#,
        "  annotations:\n    a.example.com/b: c\n",
    ),
];

#[test]
fn what_pods_may_have_in_other_charts_they_may_have_here() {
    for part in ["node", "controller"] {
        for (value, line) in FIELDS {
            has(&[&format!("{part}.{value}")], &[line]);
        }
    }
}

#[test]
fn a_service_account_may_be_one_that_is_there() {
    for part in ["node", "controller"] {
        let name = format!("{part}.serviceAccount.name=own");
        let named = "serviceAccountName: own\n";
        let made = "kind: ServiceAccount\nmetadata:\n  name: own\n";
        has(&[&name], &[named, made]);
        let without = format!("{name},{part}.serviceAccount.create=false");
        let text = rendered(&["--set", &without]).unwrap();
        assert!(text.contains(named) && !text.contains(made), "{text}");
    }
}

#[test]
fn updates_follow_the_strategy_that_is_asked_for_and_never_surge() {
    has(
        &[],
        &[
            "    rollingUpdate:\n      maxSurge: 0\n      maxUnavailable: 1\n    type: RollingUpdate\n",
        ],
    );
    has(
        &["node.updateStrategy.rollingUpdate.maxUnavailable=10%"],
        &["      maxSurge: 0\n      maxUnavailable: 10%\n"],
    );
    let text = rendered(&["--set", "node.updateStrategy.type=OnDelete"]).unwrap();
    assert!(text.contains("    type: OnDelete\n"), "{text}");
    assert!(!text.contains("rollingUpdate"), "{text}");
    has(
        &["controller.strategy.type=Recreate"],
        &["  strategy:\n    type: Recreate\n"],
    );
    has(
        &[
            "controller.strategy.type=RollingUpdate",
            "controller.persistence.existingClaim=c",
        ],
        &["  strategy: { type: Recreate }\n"],
    );
}

#[test]
fn names_labels_and_roles_are_the_installers_choice() {
    has(
        &["fullnameOverride=artifacts"],
        &["name: artifacts-node\n", "name: artifacts-controller\n"],
    );
    has(&["namespaceOverride=storage"], &["  namespace: storage\n"]);
    has(
        &[r#"commonLabels={"a.example.com/b":"c"}"#],
        &[
            "\n    a.example.com/b: c\n",
            "\n        a.example.com/b: c\n",
        ],
    );
    let without = "rbac.create=false,node.startupTaint.enabled=true";
    let text = rendered(&["--set", without]).unwrap();
    assert!(text.contains("kind: ServiceAccount\n"), "{text}");
    assert!(!text.contains("rbac.authorization.k8s.io"), "{text}");
}

/// Probes and metrics are to be had by IPv6 and by IPv4, whatever the cluster has.
#[test]
fn nothing_that_is_rendered_is_of_one_family_of_addresses() {
    let everything = "networkPolicy.enabled=true,monitoring.serviceMonitor.enabled=true,\
                      monitoring.dashboard.enabled=true,monitoring.prometheusRule.enabled=true,\
                      flexVolume.enabled=true,node.startupTaint.enabled=true";
    let text = rendered(&["--set", everything]).unwrap();
    let anywhere = text.matches("- \"--http-addr=[::]:9808\"\n").count();
    assert_eq!(anywhere, 2, "{text}");
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.'));
    let dotted = words.filter(|word| {
        let parts: Vec<_> = word.trim_matches('.').split('.').collect();
        parts.len() == 4 && parts.iter().all(|part| part.parse::<u8>().is_ok())
    });
    assert_eq!(dotted.collect::<Vec<_>>(), [""; 0]);
    assert!(!text.contains("ipFamil"), "{text}");
}
