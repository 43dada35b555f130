//! `maven:` coordinates: the repository says which file they mean, and has a checksum beside it.

mod bad;
mod referee;

use sha1::{Digest as _, Sha1};
use sha2::{Sha256, Sha512};
use war_vol::fault::Fault;
use war_vol::policy::Pod;
use war_vol::volume::PublishRequest;

use crate::node::{Node, RequestExt, bytes, digest, failed};
use crate::origin::{Behaviour, Object, Origin};
use crate::sandbox::Sandbox;

const LENGTH: usize = 300_000;
const DIR: &str = "/maven/com/example/sample";
const RELEASE: &str = "2.0/sample-2.0.war";
const SNAPSHOT: &str = "maven:com.example:sample:1.0-SNAPSHOT:war";
/// What the repository says of the builds of 1.0-SNAPSHOT.
const BUILDS: &str = "1.0-SNAPSHOT/maven-metadata.xml";

struct Scene {
    sandbox: Sandbox,
    origin: Origin,
    node: Node,
}

fn at(path: &str) -> String {
    format!("{DIR}/{path}")
}

fn hash(function: &str, bytes: &[u8]) -> String {
    match function {
        "sha512" => hex::encode(Sha512::digest(bytes)),
        "sha256" => hex::encode(Sha256::digest(bytes)),
        _ => hex::encode(Sha1::digest(bytes)),
    }
}

/// The metadata of a snapshot whose newest build has this number.
fn builds(number: u32) -> String {
    format!(
        "<metadata><versioning><snapshotVersions><snapshotVersion><extension>war</extension>\
         <value>1.0-20260131.120000-{number}</value><updated>20260131120000</updated></snapshotVersion>\
         </snapshotVersions></versioning></metadata>"
    )
}

fn build(number: u32) -> String {
    format!("1.0-SNAPSHOT/sample-1.0-20260131.120000-{number}.war")
}

impl Scene {
    /// A repository with nothing in it.
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let node = Node::start(&sandbox);
        Self {
            origin: Origin::start(),
            node,
            sandbox,
        }
    }

    fn put(&self, path: &str, content: impl Into<Vec<u8>>) {
        self.origin.put(&at(path), Object::new(content.into()));
    }

    /// Deploys a file with the checksums of these functions.
    fn deploy(&self, path: &str, seed: u64, functions: &[&str]) {
        let content = bytes(seed, LENGTH);
        for function in functions {
            self.put(&format!("{path}.{function}"), hash(function, &content));
        }
        self.put(path, content);
    }

    /// Deploys a build of the snapshot.
    fn deploy_build(&self, number: u32, seed: u64) {
        self.deploy(&build(number), seed, &["sha512"]);
        self.put(BUILDS, builds(number));
    }

    fn request(&self, pod: &str, coordinates: &str) -> PublishRequest {
        let request = self.node.request(pod, coordinates);
        request.with("repository", &self.origin.url("/maven/"))
    }

    fn release(&self, pod: &str) -> PublishRequest {
        self.request(pod, "maven:com.example:sample:2.0:war")
    }

    /// The version that a Secret says.
    fn versioned(&self, pod: &str, version: &str) -> PublishRequest {
        let request = self.request(pod, "maven:com.example:sample:${secret['v']}:war");
        PublishRequest {
            node: Some("node".to_owned()),
            pod: Some(Pod::default()),
            ..request.secret("v", version)
        }
    }

    fn shows(&self, pod: &str, name: &str, seed: u64) {
        let shown = std::fs::read(self.node.target(pod).join(name)).unwrap();
        assert!(shown == bytes(seed, LENGTH), "{pod} shows something else");
    }

    /// How many requests came since the last time that it was asked.
    fn requests(&self, before: &mut usize) -> usize {
        let all = self.origin.log().len();
        all - std::mem::replace(before, all)
    }

    fn url_of(&self, pod: &str) -> String {
        let listed = self.node.volumes.list().unwrap();
        let of_pod = listed
            .into_iter()
            .filter_map(|listed| listed.record)
            .find(|record| record.volume == format!("csi-{pod}"));
        of_pod.unwrap().url
    }
}

#[test]
fn a_version_is_verified_by_the_strongest_checksum_beside_it_and_asked_for_once() {
    let scene = Scene::new();
    scene.deploy(RELEASE, 1, &["sha512", "sha256", "sha1"]);
    // What nobody reads may be wrong: Maven never looks at it.
    scene.put(&format!("{RELEASE}.sha1"), "0".repeat(40));
    scene.node.publish(&scene.release("one")).unwrap();
    let mut before = 0;
    assert_eq!(scene.requests(&mut before), 2, "checksum, file");
    scene.shows("one", "sample-2.0.war", 1);
    scene.node.publish(&scene.release("two")).unwrap();
    let never = scene.release("three").with("pullPolicy", "Never");
    scene.node.publish(&never).unwrap();
    assert_eq!(scene.requests(&mut before), 0);
    // Whoever wants to be sure asks for the checksum, which says it all.
    let always = scene.release("four").with("pullPolicy", "Always");
    scene.node.publish(&always).unwrap();
    assert_eq!(scene.requests(&mut before), 1);
}

#[test]
fn a_snapshot_costs_three_requests_and_one_where_it_is_unchanged() {
    let scene = Scene::new();
    scene.deploy_build(7, 1);
    let mut before = 0;
    let request = |pod: &str| scene.request(pod, SNAPSHOT);
    scene.node.publish(&request("cold")).unwrap();
    assert_eq!(scene.requests(&mut before), 3, "metadata, checksum, file");
    scene.shows("cold", "sample-1.0-SNAPSHOT.war", 1);
    scene.node.publish(&request("unchanged")).unwrap();
    assert_eq!(scene.requests(&mut before), 1, "metadata");
    let found = scene.origin.url(&at(&build(7)));
    assert_eq!(
        (scene.url_of("cold"), scene.url_of("unchanged")),
        (found.clone(), found)
    );
    scene.deploy_build(8, 2);
    scene.node.publish(&request("new")).unwrap();
    assert_eq!(scene.requests(&mut before), 3);
    scene.shows("new", "sample-1.0-SNAPSHOT.war", 2);
    // Whoever does not ask gets the newest that was found here, also without a network.
    scene.origin.behave(
        &at(BUILDS),
        vec![Behaviour::Refused { status: 403 }.always()],
    );
    for policy in ["Never", "IfNotPresent"] {
        let request = request(policy).with("pullPolicy", policy);
        scene.node.publish(&request).unwrap();
        scene.shows(policy, "sample-1.0-SNAPSHOT.war", 2);
        assert_eq!(scene.url_of(policy), scene.origin.url(&at(&build(8))));
    }
    assert_eq!(scene.requests(&mut before), 0);
}

#[test]
fn latest_and_release_are_what_the_metadata_says() {
    let scene = Scene::new();
    let metadata = "<metadata><versioning><latest>1.0-SNAPSHOT</latest><release>2.0</release><versions>\
                    <version>9.9</version></versions></versioning></metadata>";
    scene.put("maven-metadata.xml", metadata);
    scene.deploy(RELEASE, 1, &["sha256"]);
    scene.deploy_build(3, 2);
    let of = |word: &str| scene.request(word, &format!("maven:com.example:sample:{word}:war"));
    scene.node.publish(&of("RELEASE")).unwrap();
    scene.shows("RELEASE", "sample-RELEASE.war", 1);
    scene.node.publish(&of("LATEST")).unwrap();
    scene.shows("LATEST", "sample-LATEST.war", 2);
    assert_eq!(scene.url_of("RELEASE"), scene.origin.url(&at(RELEASE)));
    assert_eq!(scene.url_of("LATEST"), scene.origin.url(&at(&build(3))));
    // The same file by its own version is there already, and its checksum was seen.
    let mut before = scene.origin.log().len();
    scene.node.publish(&scene.release("by-version")).unwrap();
    assert_eq!(scene.requests(&mut before), 0);
}

#[test]
fn a_snapshot_that_no_metadata_lists_is_asked_for_under_its_own_name() {
    let scene = Scene::new();
    let literal = "1.0-SNAPSHOT/sample-1.0-SNAPSHOT.war";
    scene.deploy(literal, 1, &["sha1"]);
    scene.node.publish(&scene.request("one", SNAPSHOT)).unwrap();
    scene.shows("one", "sample-1.0-SNAPSHOT.war", 1);
    // Other bytes under the same name: the checksum says so.
    scene.deploy(literal, 2, &["sha1"]);
    scene.node.publish(&scene.request("two", SNAPSHOT)).unwrap();
    scene.shows("two", "sample-1.0-SNAPSHOT.war", 2);
    let mut before = scene.origin.log().len();
    scene
        .node
        .publish(&scene.request("three", SNAPSHOT))
        .unwrap();
    assert_eq!(scene.requests(&mut before), 2, "metadata, checksum");
}

#[test]
fn the_checksum_is_the_strongest_that_is_there_and_what_a_repository_lacks_is_not_asked_for_again()
{
    let scene = Scene::new();
    scene.deploy(RELEASE, 1, &["sha1"]);
    scene.deploy("2.1/sample-2.1.war", 2, &["sha1"]);
    let mut before = 0;
    scene.node.publish(&scene.release("one")).unwrap();
    assert_eq!(scene.requests(&mut before), 4);
    let next = scene.request("two", "maven:com.example:sample:2.1:war");
    scene.node.publish(&next).unwrap();
    assert_eq!(scene.requests(&mut before), 2);
    // A repository without any: as Maven does, it is taken, and the log says so.
    scene.deploy("2.2/sample-2.2.war", 3, &[]);
    let none = scene.request("three", "maven:com.example:sample:2.2:war");
    scene.node.publish(&none).unwrap();
    scene.shows("three", "sample-2.2.war", 3);
    // Unless one was asked for.
    let chosen = scene.request("four", "maven:com.example:sample:2.2:war");
    let (fault, words) = failed(
        scene
            .node
            .publish(&chosen.with("checksum", "sidecar:sha256")),
    );
    assert_eq!(fault, Fault::NotFound, "{words}");
    assert!(
        words.contains("sample-2.2.war.sha256: the checksum beside the file does not exist"),
        "{words}"
    );
}

#[test]
fn every_question_to_a_private_repository_has_the_login() {
    let scene = Scene::new();
    scene.deploy_build(1, 1);
    for path in [BUILDS.to_owned(), build(1), format!("{}.sha512", build(1))] {
        let content = scene.origin.contents(&at(&path)).pop().unwrap();
        let object = Object::new(content).guarded("Bearer canary");
        scene.origin.put(&at(&path), object);
    }
    let (fault, words) = failed(scene.node.publish(&scene.request("nobody", SNAPSHOT)));
    assert_eq!(fault, Fault::Unauthenticated, "{words}");
    let request = scene.request("pod", SNAPSHOT).secret("token", "canary");
    scene.node.publish(&request).unwrap();
    scene.shows("pod", "sample-1.0-SNAPSHOT.war", 1);
}

#[test]
fn the_command_line_takes_coordinates_too() {
    let scene = Scene::new();
    scene.deploy(RELEASE, 1, &["sha256"]);
    scene.deploy_build(4, 2);
    let repository = scene.origin.url("/maven");
    let run = |arguments: &[&str]| {
        scene
            .sandbox
            .run(arguments.iter().chain(&["--repository", &repository]))
    };
    let release = "maven:com.example:sample:2.0:war";
    run(&["fetch", release]).must(0);
    let fetched = |name: &str| std::fs::read(scene.sandbox.path(name)).unwrap();
    assert!(fetched("sample-2.0.war") == bytes(1, LENGTH));
    run(&["fetch", SNAPSHOT, release]).must(0);
    assert!(fetched("sample-1.0-SNAPSHOT.war") == bytes(2, LENGTH));
    run(&["fetch", release, "--checksum", "sidecar:sha1"])
        .must(3)
        .says("does not exist");
    run(&["fetch", &scene.origin.url(&at(RELEASE))])
        .must(2)
        .says("only for Maven coordinates");
    scene
        .sandbox
        .run(["fetch", release])
        .must(2)
        .says("--repository");
    // The node of the scene has the other store.
    let url = scene.origin.url(&at(RELEASE));
    run(&["fetch", &url, &url])
        .must(2)
        .says("only for Maven coordinates");
    let mount = ["mount", release, "dir", "--root", "root-of-its-own"];
    let wrong = [&mount[..], &["--checksum", "sidecar:sha1"]].concat();
    run(&wrong).must(3).says("does not exist");
}
