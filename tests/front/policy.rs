//! A policy file decides who may have what: before anything is asked, at each redirect, at each connection.

use std::fs;

use war_vol::fault::Fault;
use war_vol::policy::document::Document;
use war_vol::policy::{Pod, Policy, Rules};
use war_vol::volume::PublishRequest;

use crate::node::{Node, RequestExt, bytes, digest, failed};
use crate::origin::{Behaviour, Object, Origin};
use crate::sandbox::Sandbox;

const WAR: &str = "/releases/sample.war";
const OTHER: &str = "/snapshots/sample.war";
const LENGTH: usize = 100_000;

struct Scene {
    _sandbox: Sandbox,
    origin: Origin,
    node: Node,
    rules: Rules,
}

impl Scene {
    fn new() -> Self {
        let (sandbox, origin) = (Sandbox::new(), Origin::start());
        for path in [WAR, OTHER] {
            origin.put(path, Object::new(bytes(1, LENGTH)));
        }
        let rules = Rules::default();
        let node = Node::under(&sandbox, Policy::with_rules(1 << 40, rules.clone()));
        Self {
            _sandbox: sandbox,
            origin,
            node,
            rules,
        }
    }

    /// From now on this is the policy; ORIGIN stands for the origin's URL.
    fn policy(&self, text: &str) {
        let text = text.replace("ORIGIN", &self.origin.url(""));
        self.rules.set(Document::parse(text.as_bytes()).unwrap());
    }

    fn request(&self, pod: &str, path: &str, namespace: &str) -> PublishRequest {
        PublishRequest {
            pod: Some(Pod {
                namespace: namespace.to_owned(),
                service_account: "default".to_owned(),
                ..Pod::default()
            }),
            ..self.node.request(pod, &self.origin.url(path))
        }
    }

    fn refused(&self, request: &PublishRequest) -> String {
        let (fault, words) = failed(self.node.publish(request));
        assert_eq!(fault, Fault::Denied, "{words}");
        words
    }
}

#[test]
fn the_first_rule_that_matches_decides_and_is_named() {
    let scene = Scene::new();
    scene.policy(
        "contact: the platform team\nrules:\n- name: team-a\n  namespaces: [team-a-*]\n  allow:\n    urls: [ORIGIN/releases/]\n    \
         addresses: [127.0.0.1]\n- name: nobody-else\n  deny: ask for a rule first\n",
    );
    scene
        .node
        .publish(&scene.request("allowed", WAR, "team-a-test"))
        .unwrap();
    let words = scene.refused(&scene.request("path", OTHER, "team-a-test"));
    for says in [
        "not among the URLs that rule \"team-a\", line 3 of the policy allows",
        "ask the platform team",
    ] {
        assert!(words.contains(says), "{words}");
    }
    let words = scene.refused(&scene.request("namespace", WAR, "team-b"));
    assert!(
        words.contains("rule \"nobody-else\", line 8 of the policy: ask for a rule first"),
        "{words}"
    );
    // What one namespace has in the cache is not there for the other.
    let never = scene
        .request("never", WAR, "team-b")
        .with("pullPolicy", "Never");
    scene.refused(&never);
    assert_eq!((scene.origin.gets(WAR), scene.origin.gets(OTHER)), (1, 0));
    // Another policy counts from now on, and what is mounted stays.
    scene.policy("preset: open\n");
    scene
        .node
        .publish(&scene.request("path", OTHER, "team-a-test"))
        .unwrap();
}

#[test]
fn claims_have_rules_of_their_own() {
    let scene = Scene::new();
    scene.policy("preset: open\nrules:\n- name: nothing\n  deny: use a claim\n");
    scene.refused(&scene.request("inline", WAR, "team-a"));
    let claim = PublishRequest {
        persistent_volume: Some("pv".to_owned()),
        ..scene.request("claim", WAR, "team-a")
    };
    scene.node.publish(&claim).unwrap();
}

#[test]
fn a_redirect_is_judged_like_the_url_itself() {
    let scene = Scene::new();
    scene
        .policy("preset: open\nrules:\n- name: releases\n  allow:\n    urls: [ORIGIN/releases/]\n");
    let to = scene.origin.url(OTHER);
    scene
        .origin
        .behave(WAR, vec![Behaviour::RedirectElsewhere { to }.always()]);
    let words = scene.refused(&scene.request("pod", WAR, "team-a"));
    assert!(
        words.contains("/snapshots/sample.war: not among the URLs that rule \"releases\""),
        "{words}"
    );
    assert_eq!(scene.origin.gets(OTHER), 0);
}

#[test]
fn the_address_of_a_name_is_judged_and_not_the_name() {
    let scene = Scene::new();
    scene.policy("preset: internal\n");
    let port = scene.origin.address().port();
    let url = format!("http://localhost:{port}{WAR}");
    let request = scene
        .request("pod", WAR, "team-a")
        .with("downloadURL", &url);
    let words = scene.refused(&request);
    assert!(
        words.contains(
            "a loopback address, and blocked because the policy's preset internal does not allow it"
        ),
        "{words}"
    );
    let words = scene.refused(&scene.request("number", WAR, "team-a"));
    assert!(words.contains("127.0.0.1 is a loopback address"), "{words}");
    assert!(scene.origin.log().is_empty());
}

#[test]
fn a_checksum_can_be_required_and_a_size_limited() {
    let scene = Scene::new();
    scene.policy("preset: open\nrules:\n- name: proven\n  require: checksum\n  maxSize: 10k\n");
    let request = scene.request("pod", WAR, "team-a");
    let words = scene.refused(&request);
    assert!(
        words.contains("rule \"proven\", line 3 of the policy requires a checksum; set checksum"),
        "{words}"
    );
    let pinned = request.pinned(&digest(&bytes(1, LENGTH)));
    let (fault, words) = failed(scene.node.publish(&pinned));
    assert_eq!(fault, Fault::TooLarge, "{words}");
    assert!(words.contains("the policy's maxSize of"), "{words}");
}

#[test]
fn a_policy_that_was_never_understood_allows_nothing_new() {
    let scene = Scene::new();
    scene.rules.unreadable("line 1: is not YAML");
    let (fault, words) = failed(scene.node.publish(&scene.request("pod", WAR, "team-a")));
    assert_eq!(fault, Fault::Unavailable, "{words}");
    assert!(
        words.contains("the policy cannot be read: line 1: is not YAML"),
        "{words}"
    );
    scene.policy("preset: open\n");
    scene
        .node
        .publish(&scene.request("pod", WAR, "team-a"))
        .unwrap();
    // What is in force stays in force.
    scene.rules.unreadable("line 1: is not YAML");
    scene
        .node
        .publish(&scene.request("two", WAR, "team-a"))
        .unwrap();
}

#[test]
fn the_command_line_heeds_a_file_and_says_what_it_says() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    origin.put(WAR, Object::new(bytes(1, LENGTH)));
    let file = sandbox.path("policy.yaml");
    let text = format!(
        "preset: open\nrules:\n- name: team-a\n  namespaces: [team-a]\n  allow:\n    urls: [{}]\n- name: rest\n  deny: no\n",
        origin.url("/releases/")
    );
    fs::write(&file, text).unwrap();
    let (file, url) = (file.to_str().unwrap(), origin.url(WAR));
    let run = |arguments: &[&str]| sandbox.run(arguments.iter().chain(&["--policy", file]));
    run(&["fetch", &url])
        .must(5)
        .says("refused by the policy: denied for the command line by rule \"rest\"");
    assert!(origin.log().is_empty());
    let check = |more: &[&str]| run(&[&["policy", "check"], more].concat());
    let said = check(&[&url, "--namespace", "team-a"]).must(0);
    assert!(
        said.stdout
            .contains("by rule \"team-a\", line 3 of the policy"),
        "{}",
        said.stdout
    );
    let said = check(&[&url, "--namespace", "team-b", "--output", "json"])
        .must(5)
        .json();
    assert_eq!(said["judged"][0]["allowed"], false);
    check(&[
        "maven:com.example:sample:2.0:war",
        "--repository",
        &origin.url("/releases"),
        "--namespace",
        "team-a",
    ])
    .must(0);
    let valid = check(&[]).must(0);
    assert!(
        valid.stdout.contains("is a valid policy"),
        "{}",
        valid.stdout
    );
    fs::write(file, "rules:\n- name: a\n  alow: {}\n").unwrap();
    check(&[])
        .must(2)
        .says("policy.yaml: line 3, column 3: rules[0].alow");
    fs::write(file, "rules:\n- name: a\n  cacheSize: 1Gi\n").unwrap();
    check(&[])
        .must(2)
        .says("cacheSize in the rule \"a\" is not supported yet");
    run(&["fetch", &url]).must(2).says("policy.yaml");
    let serve = [
        "serve",
        "--check",
        "--mode",
        "controller",
        "--endpoint",
        "unix:///run/csi.sock",
    ];
    run(&serve).must(2).says("policy.yaml");
    fs::write(file, "preset: listed\n").unwrap();
    run(&serve).must(0);
}
