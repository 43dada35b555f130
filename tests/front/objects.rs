//! Volumes whose version is a label or an annotation of a pod or a claim (docs/upgrade.md). What a real API server says of
//! them is seen on a cluster (tests/e2e/cases/upgrade.sh).

use std::collections::BTreeMap;
use std::fs;

use war_vol::fault::Fault;
use war_vol::volume::objects::{Metadata, Object, Objects, WatchScope};
use war_vol::volume::{Claim, Pod, PublishRequest};

use crate::node::{Node, RequestExt, bytes, failed, until};
use crate::origin::{self, Origin};
use crate::sandbox::Sandbox;

struct Scene {
    node: Node,
    objects: Objects,
    origin: Origin,
    _sandbox: Sandbox,
}

impl Scene {
    fn watching(watched: WatchScope) -> Self {
        let sandbox = Sandbox::new();
        let (origin, objects) = (Origin::start(), Objects::new(watched));
        for version in [1, 2, 3] {
            origin.put(
                &format!("/v{version}/a.bin"),
                origin::Object::new(content(version)),
            );
        }
        Self {
            node: Node::told_by(&sandbox, objects.clone()),
            objects,
            origin,
            _sandbox: sandbox,
        }
    }

    /// A volume of the pod shop/web with the claim shop/data.
    fn request(&self, variable: &str) -> PublishRequest {
        let url = self.origin.url(&format!("/v${{{variable}}}/a.bin"));
        let mut request = self.node.request("pod", &url).with("settle", "0s");
        let text = |text: &str| text.to_owned();
        request.pod = Some(Pod {
            namespace: text("shop"),
            name: text("web"),
            uid: text("1"),
            ..Pod::default()
        });
        request.claim = Some(Claim {
            namespace: text("shop"),
            name: text("data"),
        });
        request.node = Some(text("node-1"));
        request
    }

    fn says(&self, object: &Object, uid: &str, version: u64) {
        let said = BTreeMap::from([("version".to_owned(), version.to_string())]);
        let metadata = Metadata {
            uid: uid.to_owned(),
            labels: said.clone(),
            annotations: said,
            class: None,
        };
        self.objects.set(object.clone(), Some(metadata));
    }

    fn shows(&self, version: u64) {
        let file = self.node.target("pod").join("a.bin");
        let what = format!("version {version} is shown");
        until(&what, || {
            fs::read(&file).is_ok_and(|is| is == content(version))
        });
    }
}

fn content(version: u64) -> Vec<u8> {
    bytes(version, 1000 + usize::try_from(version).unwrap())
}

fn pod() -> Object {
    Object::Pod {
        namespace: "shop".to_owned(),
        name: "web".to_owned(),
    }
}

fn claim() -> Object {
    Object::Claim {
        namespace: "shop".to_owned(),
        name: "data".to_owned(),
    }
}

/// Neither a call of kubelet's nor anything else than the change itself.
#[test]
fn a_change_of_a_label_or_an_annotation_changes_what_is_shown() {
    for (variable, object) in [
        ("pod.labels['version']", pod()),
        ("pod.annotations['version']", pod()),
        ("pvc.labels['version']", claim()),
        ("pvc.annotations['version']", claim()),
    ] {
        let scene = Scene::watching(WatchScope::Everything);
        let request = scene.request(variable);
        scene.says(&object, "1", 1);
        scene.node.publish(&request).unwrap();
        scene.shows(1);
        scene.says(&object, "1", 2);
        scene.shows(2);
        // What is not known any more changes nothing.
        scene.objects.set(object.clone(), None);
        scene.says(&object, "1", 3);
        scene.shows(3);
        let wanted = scene.objects.wanted();
        assert!(wanted.borrow().pods || !wanted.borrow().claims.is_empty());
        // What is shown is noted a moment later, and an unpublish meanwhile is told to come again.
        until("the change is through", || {
            scene.node.volumes.contents()["current"] == 1
        });
        scene.node.unpublish(&request).unwrap();
        until("nobody wants to know anything", || {
            !wanted.borrow().pods && wanted.borrow().claims.is_empty()
        });
    }
}

#[test]
fn a_pod_waits_until_the_api_server_has_said_what_it_asks_for() {
    let scene = Scene::watching(WatchScope::Everything);
    let request = scene.request("pod.labels['version']");
    // Another pod of the same name, which is gone by now.
    scene.says(&pod(), "0", 2);
    let call = scene.node.begin(&request);
    let waits =
        "waiting for the API server to report the labels and annotations of the pod shop/web";
    until("it says what it waits for", || {
        let progress = scene
            .node
            .volumes
            .progress(&request.volume, &request.target);
        progress.is_some_and(|p| p.to_string() == waits)
    });
    scene.says(&pod(), "1", 1);
    scene.node.wait(call).unwrap().unwrap();
    scene.shows(1);
    // One that is still waiting ends with its pod.
    let other = scene.node.request(
        "other",
        &scene.origin.url("/v${pod.labels['version']}/a.bin"),
    );
    let other = PublishRequest {
        pod: Some(Pod {
            name: "other".to_owned(),
            ..request.pod.clone().unwrap()
        }),
        node: request.node,
        ..other
    };
    let call = scene.node.begin(&other);
    until("it waits", || {
        scene
            .node
            .volumes
            .progress(&other.volume, &other.target)
            .is_some()
    });
    scene.node.unpublish(&other).unwrap();
    let (fault, words) = failed(scene.node.wait(call).unwrap());
    assert_eq!(fault, Fault::Pending, "{words}");
}

#[test]
fn what_objects_say_needs_somebody_who_tells() {
    let elsewhere = WatchScope::Namespaces(["blog".to_owned()].into());
    for watched in [WatchScope::Nothing, elsewhere] {
        let scene = Scene::watching(watched);
        let (fault, words) = failed(scene.node.publish(&scene.request("pod.labels['version']")));
        assert_eq!(fault, Fault::Invalid);
        assert!(
            words.contains("set node.upgrade.enabled: true in the chart"),
            "{words}"
        );
    }
    let scene = Scene::watching(WatchScope::Everything);
    let mut request = scene.request("pvc.labels['version']");
    request.claim = None;
    let (fault, words) = failed(scene.node.publish(&request));
    assert_eq!(fault, Fault::Invalid);
    assert!(words.contains("works only in volumes of claims"), "{words}");
    scene.says(&pod(), "1", 1);
    let (fault, words) = failed(scene.node.publish(&scene.request("pod.labels['other']")));
    assert_eq!(fault, Fault::Invalid);
    assert!(words.contains("the pod has no such label"), "{words}");
}

/// What it is asked for is what was asked for last, however often that changes meanwhile.
#[test]
fn of_a_thousand_changes_the_last_one_is_shown() {
    let scene = Scene::watching(WatchScope::Everything);
    let request = scene.request("pod.annotations['version']");
    scene.says(&pod(), "1", 1);
    scene.node.publish(&request).unwrap();
    for n in 0..1000 {
        scene.says(&pod(), "1", 1 + n % 3);
    }
    scene.says(&pod(), "1", 3);
    scene.shows(3);
}

/// The annotation says when; whoever has no `refresh` is not asked to ask.
#[test]
fn an_annotation_makes_a_volume_ask_now() {
    let scene = Scene::watching(WatchScope::Everything);
    let mut request = scene.request("pod.name");
    let url = scene.origin.url("/v1/a.bin");
    request = request.with("downloadURL", &url).with("refresh", "1h");
    let says = |value: &str| {
        let metadata = Metadata {
            uid: "1".to_owned(),
            annotations: BTreeMap::from([(
                "war-vol.geektime.org/refresh-at".to_owned(),
                value.to_owned(),
            )]),
            ..Metadata::default()
        };
        scene.objects.set(pod(), Some(metadata));
    };
    says("before");
    scene.node.publish(&request).unwrap();
    scene.shows(1);
    until("somebody looks after it", || {
        scene.node.volumes.contents()["current"] == 1
    });
    scene
        .origin
        .put("/v1/a.bin", origin::Object::new(content(2)));
    says("now");
    scene.shows(2);
    assert_eq!(scene.origin.gets("/v1/a.bin"), 2);
}
