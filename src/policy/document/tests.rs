use std::collections::BTreeMap;

use url::Url;

use super::*;
use crate::fault::Fault;
use crate::policy::request::Pod;

const POLICY: &str = r#"
preset: internal
contact: "the platform team, https://example.com/help"
rules:
- name: team-a
  namespaces: [team-a, "team-a-*"]
  serviceAccounts: [deployer]
  allow:
    urls: ["https://repo.example.com/releases/", "http://10.0.0.1:8081/", "http://127.0.0.1/"]
    addresses: [127.0.0.1]
    denyAddresses: [10.1.0.0/16]
  require: checksum
  maxSize: 1Gi
  cacheSize: 20Gi
  credentials: [nexus, "mirror-*"]
- name: labelled
  namespaces: ["prod-*"]
  namespaceLabels: { tier: gold }
  allow: { plainHTTP: false }
  require: signature
- name: everybody-else
  namespaces: ["*"]
  deny: ask for a rule first
claims:
- name: approved
  storageClasses: ["war-*"]
  allow: { urls: ["https://*.example.com/"] }
- name: other classes
  deny: "use a StorageClass whose name begins with war-"
"#;

fn document(text: &str) -> Document {
    Document::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn pod(namespace: &str, service_account: &str) -> Pod {
    Pod {
        namespace: namespace.to_owned(),
        service_account: service_account.to_owned(),
        ..Pod::default()
    }
}

fn own() -> Arc<[IpAddr]> {
    Arc::new(["192.0.2.10".parse().unwrap()])
}

fn inline(of: &Document, namespace: &str, account: &str) -> Result<Grant, Refusal> {
    let asker = Asker::Inline {
        pod: &pod(namespace, account),
        namespace_labels: None,
    };
    of.judge(&asker, &own())
}

fn labelled(of: &Document, namespace: &str, labels: &[(&str, &str)]) -> Result<Grant, Refusal> {
    let labels = labels.iter().map(|(k, v)| ((*k).into(), (*v).into()));
    let asker = Asker::Inline {
        pod: &pod(namespace, "x"),
        namespace_labels: Some(&labels.collect::<BTreeMap<_, _>>()),
    };
    of.judge(&asker, &own())
}

fn claim(of: &Document, storage_class: Option<&str>) -> Result<Grant, Refusal> {
    let asker = Asker::Claim {
        storage_class,
        pod: &pod("team-a", "deployer"),
        namespace_labels: None,
    };
    of.judge(&asker, &own())
}

fn url(grant: &Grant, url: &str) -> Result<(), Refusal> {
    grant.allows_url(&Url::parse(url).unwrap())
}

fn rule(of: &Grant) -> &str {
    of.cited().rule().unwrap().0
}

#[test]
fn the_first_rule_that_matches_decides() {
    let policy = document(POLICY);
    for namespace in ["team-a", "team-a-1"] {
        assert_eq!(
            rule(&inline(&policy, namespace, "deployer").unwrap()),
            "team-a"
        );
    }
    for (namespace, account) in [("team-a", "default"), ("team-ab", "deployer"), ("x", "x")] {
        let refusal = inline(&policy, namespace, account).unwrap_err();
        assert_eq!(refusal.cited().rule(), Some(("everybody-else", 21)));
        assert_eq!(refusal.fault(), Fault::Denied);
    }
    let gold = [("tier", "gold"), ("more", "1")];
    assert_eq!(
        rule(&labelled(&policy, "prod-1", &gold).unwrap()),
        "labelled"
    );
    for labels in [&[][..], &[("tier", "lead")], &[("more", "gold")]] {
        let refusal = labelled(&policy, "prod-1", labels).unwrap_err();
        assert_eq!(refusal.cited().rule().unwrap().0, "everybody-else");
    }
    // Nothing but a condition on pods stands in the way of the command line.
    let grant = policy.judge(&Asker::CommandLine, &own()).unwrap();
    assert_eq!(grant.cited().rule(), None);
}

#[test]
fn claims_have_rules_of_their_own() {
    let policy = document(POLICY);
    assert_eq!(rule(&claim(&policy, Some("war-fast")).unwrap()), "approved");
    for class in ["", "fast"] {
        let refusal = claim(&policy, Some(class)).unwrap_err();
        assert_eq!(refusal.cited().rule().unwrap().0, "other classes");
    }
    let all = document("claims: [{name: all, storageClasses: ['*']}]");
    assert_eq!(rule(&claim(&all, None).unwrap()), "all");
}

#[test]
fn what_is_not_known_counts_against_the_asker() {
    let policy = document(POLICY);
    for (refusal, says) in [
        (
            inline(&policy, "prod-1", "x"),
            "labels of the namespace, which the driver cannot read; let the driver get namespaces",
        ),
        (
            inline(&policy, "", "deployer"),
            "depends on the namespace, which kubelet did not send",
        ),
        (
            inline(&policy, "team-a", ""),
            "depends on the service account",
        ),
        (
            claim(&policy, None),
            "depends on the StorageClass, which the driver does not know",
        ),
    ] {
        let text = refusal.unwrap_err().to_string();
        assert!(text.contains(says), "{text}");
    }
    // Unless another condition fails anyway, or every name fits.
    assert_eq!(
        inline(&policy, "x", "")
            .unwrap_err()
            .cited()
            .rule()
            .unwrap()
            .0,
        "everybody-else"
    );
    assert!(policy.needs_namespace_labels() && !Document::default().needs_namespace_labels());
}

#[test]
fn a_grant_holds_what_the_rule_says() {
    let grant = inline(&document(POLICY), "team-a", "deployer").unwrap();
    assert_eq!(grant.max_size(), Some(1 << 30));
    assert_eq!(grant.cache_size(), Some(20 << 30));
    assert_eq!(grant.require(), Proof::Checksum);
    for (proof, allowed) in [
        (Proof::Nothing, false),
        (Proof::Checksum, true),
        (Proof::Signature, true),
    ] {
        assert_eq!(grant.allows_proof(proof).is_ok(), allowed, "{proof:?}");
    }
    for (name, allowed) in [("nexus", true), ("mirror-1", true), ("other", false)] {
        assert_eq!(grant.allows_credentials(name).is_ok(), allowed, "{name}");
    }
    for good in [
        "https://repo.example.com/releases/a.war?x",
        "http://10.0.0.1:8081/a.war",
        "http://127.0.0.1/a.war",
    ] {
        assert_eq!(url(&grant, good), Ok(()), "{good}");
    }
    for bad in [
        "https://repo.example.com/snapshots/a.war",
        "https://repo.example.com/releases/..%2fsnapshots/a.war",
        "http://repo.example.com/releases/a.war",
        "http://169.254.169.254/",
        "http://metadata.google.internal/",
    ] {
        assert!(url(&grant, bad).is_err(), "{bad}");
    }
    let addr = |text: &str| grant.allows_addr(text.parse().unwrap()).is_ok();
    assert!(addr("127.0.0.1") && addr("10.0.0.1"));
    assert!(!addr("127.0.0.2") && !addr("10.1.0.1") && !addr("192.0.2.10"));
}

#[test]
fn presets_decide_where_no_rule_matches() {
    let anything = [
        "http://10.0.0.1/a",
        "https://example.com/a",
        "http://[fd00::1]/",
    ];
    let local = [
        "http://127.0.0.1/a",
        "http://0/",
        "http://[::1]/",
        "http://192.0.2.10/",
    ];
    for (text, allows_local) in [
        ("", false),
        ("preset: internal", false),
        ("preset: open", true),
    ] {
        let grant = inline(&document(text), "x", "x").unwrap();
        assert!(claim(&document(text), None).is_ok());
        assert_eq!((grant.max_size(), grant.require()), (None, Proof::Nothing));
        assert_eq!(grant.allows_credentials("nexus").is_ok(), allows_local);
        for good in anything {
            assert_eq!(url(&grant, good), Ok(()), "{text}: {good}");
        }
        for host in local {
            assert_eq!(url(&grant, host).is_ok(), allows_local, "{text}: {host}");
        }
        assert!(url(&grant, "http://169.254.169.254/").is_err());
    }
    let listed = document("preset: listed");
    assert!(inline(&listed, "x", "x").is_err() && claim(&listed, Some("x")).is_err());
    assert!(listed.judge(&Asker::CommandLine, &own()).is_err());
    // A rule without URLs allows any, but not there.
    let rules = "rules: [{name: a, maxSize: 1Gi}]";
    assert_eq!(
        url(&inline(&document(rules), "x", "x").unwrap(), anything[0]),
        Ok(())
    );
    let listed = document(&format!("preset: listed\n{rules}"));
    assert!(url(&inline(&listed, "x", "x").unwrap(), anything[0]).is_err());
}

#[test]
fn refusals_name_the_rule_its_line_and_whom_to_ask() {
    let policy = document(POLICY);
    let a = inline(&policy, "team-a", "deployer").unwrap();
    let gold = labelled(&policy, "prod-1", &[("tier", "gold")]).unwrap();
    let addr = |of: &Grant, text: &str| of.allows_addr(text.parse().unwrap());
    let listed = document("preset: listed\nrules: [{name: a, namespaces: [a]}]");
    let ask = "ask the platform team, https://example.com/help";
    let admin = "ask the administrator of the cluster";
    let by = r#"rule "team-a", line 5 of the policy"#;
    for (refused, text) in [
        (inline(&policy, "x", "y").map(drop), format!(r#"denied for namespace "x" with service account "y" by rule "everybody-else", line 21 of the policy: ask for a rule first; {ask}"#)),
        (claim(&policy, Some("fast")).map(drop), format!(r#"denied for StorageClass "fast" in namespace "team-a" with service account "deployer" by rule "other classes", line 28 of the policy: use a StorageClass whose name begins with war-; {ask}"#)),
        (inline(&policy, "prod-1", "").map(drop), format!(r#"not allowed for namespace "prod-1", because rule "labelled", line 16 of the policy depends on the labels of the namespace, which the driver cannot read; let the driver get namespaces, or {ask}"#)),
        (inline(&listed, "x", "y").map(drop), format!(r#"not allowed for namespace "x" with service account "y", because no rule matches, and the policy's preset listed allows only what rules list; {admin}"#)),
        (listed.judge(&Asker::CommandLine, &own()).map(drop), format!("not allowed for the command line, because no rule matches, and the policy's preset listed allows only what rules list; {admin}")),
        (url(&inline(&listed, "a", "y").unwrap(), "https://example.com/"), format!(r#"https://example.com/: not allowed, because rule "a", line 2 of the policy lists no URLs, and the preset listed allows only those; {admin}"#)),
        (url(&a, "https://example.com/a?secret"), format!("https://example.com/a?…: not among the URLs that {by} allows; use one of those, or {ask}")),
        (url(&a, "https://repo.example.com/releases/%2e%2e%2fx"), format!("https://repo.example.com/releases/%2e%2e%2fx: not allowed by {by}, because servers can read the encoded dots, slashes or control characters of its path in different ways; write it without them, or {ask}")),
        (url(&gold, "http://example.com/a"), format!(r#"http://example.com/a: plain HTTP is not allowed by rule "labelled", line 16 of the policy; use https, or {ask}"#)),
        (url(&a, "http://169.254.169.254/x"), "169.254.169.254 is a link-local address or cloud metadata, which no policy can allow; use another server".to_owned()),
        (addr(&a, "fd20:ce::254"), "fd20:ce::254 is a link-local address or cloud metadata, which no policy can allow; use another server".to_owned()),
        (addr(&a, "10.1.2.3"), format!("10.1.2.3 is blocked by {by}, which denies 10.1.0.0/16; use another server, or {ask}")),
        (addr(&a, "::1"), format!("::1 is a loopback address, and blocked because {by} does not allow it; use another server, or {ask}")),
        (addr(&inline(&Document::default(), "x", "y").unwrap(), "192.0.2.10"), format!("192.0.2.10 is an address of a node or of the API server, and blocked because the policy's preset internal does not allow it; use another server, or {admin}")),
        (a.allows_proof(Proof::Nothing), format!("{by} requires a checksum; set checksum, or {ask}")),
        (gold.allows_proof(Proof::Checksum), format!(r#"rule "labelled", line 16 of the policy requires a signature; add one, or {ask}"#)),
        (a.allows_credentials("other"), format!(r#"{by} does not allow the driver's own "other"; {ask}"#)),
    ] {
        assert_eq!(refused.unwrap_err().to_string(), text);
    }
}

#[test]
fn equal_rules_have_equal_identities() {
    let of = |rule: &str| {
        let policy = document(&format!("rules: [{{name: {rule}}}]"));
        inline(&policy, "x", "y").unwrap().identity()
    };
    let a = of(
        "a, allow: {urls: ['https://A.example.com', 'https://b.example.com/x/'], addresses: [127.0.0.1, 10.0.0.0/8]}, credentials: [p, q]",
    );
    assert_eq!(
        String::from_utf8(a.clone()).unwrap(),
        r#"["policy",["internal",["https://a.example.com:443","https://b.example.com:443/x"],true,["10.0.0.0/8","127.0.0.1/32"],[]],["p","q"]]"#
    );
    // Neither name, place, order, duplicates, limits nor proofs tell rules apart.
    assert_eq!(
        a,
        of(
            "other, namespaces: [x], maxSize: 1Gi, cacheSize: 1Gi, require: nothing, allow: {addresses: [10.0.0.0/8, 127.0.0.1/32, 10.0.0.0/8], urls: ['https://b.example.com:443/%78', 'https://a.example.com/']}, credentials: [q, p, p]"
        )
    );
    let all: Vec<Vec<u8>> = [
        "a",
        "a, allow: {plainHTTP: false}",
        "a, allow: {urls: ['https://a.example.com']}",
        "a, allow: {urls: ['https://a.example.com/x']}",
        "a, allow: {addresses: [10.0.0.0/8]}",
        "a, allow: {denyAddresses: [10.0.0.0/8]}",
        "a, credentials: [p]",
    ]
    .map(of)
    .into();
    let distinct: std::collections::BTreeSet<&Vec<u8>> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
    let preset = |text| inline(&document(text), "x", "y").unwrap().identity();
    assert_ne!(preset("preset: open"), preset("preset: internal"));
    // A rule that says what the preset says anyway is no other one.
    assert_eq!(preset(""), all[0]);
    let other = Asker::CommandLine;
    let nowhere: Arc<[IpAddr]> = Arc::new([]);
    let elsewhere = Document::default().judge(&other, &nowhere).unwrap();
    assert_eq!(elsewhere.identity(), all[0]);
}
