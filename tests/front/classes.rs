//! Volumes whose VolumeAttributesClass says what they show (docs/upgrade.md). What a real API server and external-resizer
//! make of it is seen on a cluster (tests/e2e/cases/full/classes.sh).

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use war_vol::fault::Fault;
use war_vol::volume::objects::{Class, Metadata, Object, Objects, WatchScope};
use war_vol::volume::{Claim, Pod, PublishRequest, Writable};

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
    /// With rights in no namespace: PersistentVolumes have none.
    fn new() -> Self {
        Self::told_by(Objects::with_classes(WatchScope::Namespaces(
            ["blog".to_owned()].into(),
        )))
    }

    fn told_by(objects: Objects) -> Self {
        let sandbox = Sandbox::new();
        let origin = Origin::start();
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

    fn url(&self, version: u64) -> String {
        self.origin.url(&format!("/v{version}/a.bin"))
    }

    /// What kubelet asks for the claim of a pod: the volume pvc-1, which shows the first version.
    fn request(&self) -> PublishRequest {
        let request = self.node.request("pod", &self.url(1));
        PublishRequest {
            readonly: true,
            writable: Writable::IfScratch,
            pod: Some(Pod {
                namespace: "shop".to_owned(),
                name: "web".to_owned(),
                uid: "1".to_owned(),
                ..Pod::default()
            }),
            claim: Some(Claim {
                namespace: "shop".to_owned(),
                name: "2".to_owned(),
            }),
            node: Some("node-1".to_owned()),
            persistent_volume: Some("pvc-1".to_owned()),
            ..request
        }
        .with("settle", "0s")
    }

    /// The API server says that the volume has this class, or none.
    fn says(&self, class: Option<(&str, &[(&str, &str)])>) {
        let text = |text: &str| text.to_owned();
        let class = class.map(|(name, pairs)| {
            let parameters = pairs.iter().map(|(k, v)| (text(k), text(v)));
            Arc::new(Class {
                name: text(name),
                parameters: parameters.collect(),
            })
        });
        let metadata = Metadata {
            class,
            ..Metadata::default()
        };
        self.objects
            .set(Object::Volume(text("pvc-1")), Some(metadata));
    }

    fn republishes(&self, request: &PublishRequest) -> bool {
        let volumes = &self.node.volumes;
        self.node.wait(async { volumes.republish(request) })
    }

    fn shows(&self, version: u64) {
        let file = self.node.target("pod").join("a.bin");
        until(&format!("version {version} is shown"), || {
            fs::read(&file).is_ok_and(|is| is == content(version))
        });
    }

    /// Says why it shows something else than what is wanted.
    fn fails(&self, why: &str) {
        until(&format!("it says: {why}"), || {
            let listed = self.node.volumes.list().unwrap();
            let behind = listed.into_iter().find_map(|volume| volume.behind);
            behind.is_some_and(|behind| behind.why.contains(why))
        });
    }

    fn is_current(&self) {
        until("it shows what is wanted", || {
            self.node.volumes.contents()
                == BTreeMap::from([("behind", 0), ("current", 1), ("failed", 0)])
        });
    }
}

fn content(version: u64) -> Vec<u8> {
    bytes(version, 1000 + usize::try_from(version).unwrap())
}

/// Neither a call of kubelet's nor anything else than the change itself.
#[test]
fn another_class_changes_what_is_shown() {
    let scene = Scene::new();
    let request = scene.request();
    scene.says(Some(("v2", &[("downloadURL", &scene.url(2))])));
    scene.node.publish(&request).unwrap();
    scene.shows(2);
    assert_eq!(
        scene.origin.gets("/v1/a.bin"),
        0,
        "the class says what is shown"
    );
    scene.says(Some(("v3", &[("downloadURL", &scene.url(3))])));
    scene.shows(3);
    // One class for many claims, by their names.
    let named = scene.origin.url("/v${pvc.name}/a.bin");
    scene.says(Some(("named", &[("downloadURL", &named)])));
    scene.shows(2);
    // What is not known any more changes nothing.
    let volume = Object::Volume("pvc-1".to_owned());
    scene.objects.set(volume, None);
    assert!(scene.republishes(&request));
    scene.says(Some(("v1", &[])));
    scene.shows(1);
    scene.is_current();
    let wanted = scene.objects.wanted();
    let one = ["pvc-1".to_owned()].into();
    assert!(wanted.borrow().volumes == one && wanted.borrow().claims.is_empty());
    scene.node.unpublish(&request).unwrap();
    until("nobody wants to know anything", || {
        wanted.borrow().volumes.is_empty()
    });
}

#[test]
fn a_pod_waits_until_the_class_of_its_volume_is_known() {
    let scene = Scene::new();
    let mut request = scene.request();
    // Only the class says from where.
    request.attributes.remove("downloadURL");
    let call = scene.node.begin(&request);
    let waits = "waiting for the API server to report the class of the PersistentVolume pvc-1";
    until("it says what it waits for", || {
        let progress = scene
            .node
            .volumes
            .progress(&request.volume, &request.target);
        progress.is_some_and(|p| p.to_string() == waits)
    });
    scene.says(Some(("v2", &[("downloadURL", &scene.url(2))])));
    scene.node.wait(call).unwrap().unwrap();
    scene.shows(2);
}

#[test]
fn a_class_that_cannot_be_used_changes_nothing() {
    let scene = Scene::new();
    let request = scene.request();
    scene.says(Some(("v2", &[("downloadURL", &scene.url(2))])));
    scene.node.publish(&request).unwrap();
    scene.shows(2);
    let gone = scene.origin.url("/gone/a.bin");
    for (class, pairs, why) in [
        (
            "odd",
            [("downloadUrl", &*gone)],
            "\"odd\": unknown attribute \"downloadUrl\" (did you mean downloadURL?)",
        ),
        (
            "deep",
            [("layout", "copy")],
            "\"deep\": the attribute layout cannot be set",
        ),
        ("gone", [("downloadURL", &*gone)], "404"),
    ] {
        scene.says(Some((class, &pairs)));
        scene.fails(why);
        assert!(scene.republishes(&request), "{class}");
        scene.shows(2);
    }
    scene.says(Some(("v3", &[("downloadURL", &scene.url(3))])));
    scene.shows(3);
    scene.is_current();
    // A pod that is new has nothing to keep.
    scene.node.unpublish(&request).unwrap();
    scene.says(Some(("deep", &[("layout", "copy")])));
    let (fault, words) = failed(scene.node.publish(&request));
    assert_eq!(fault, Fault::Invalid, "{words}");
    assert!(words.contains("set it in the StorageClass"), "{words}");
}

/// The server has a newer file under the same URL, and nobody has asked for it.
#[test]
fn a_volume_without_a_class_keeps_what_it_shows_until_it_has_one() {
    // Mounted by a driver that follows no classes.
    let scene = Scene::told_by(Objects::new(WatchScope::Nothing));
    let request = scene.request();
    scene.node.publish(&request).unwrap();
    scene.shows(1);
    scene
        .origin
        .put("/v1/a.bin", origin::Object::new(content(3)));
    let Scene {
        node,
        origin,
        _sandbox: sandbox,
        ..
    } = scene;
    drop(node);
    let objects = Objects::with_classes(WatchScope::Everything);
    let scene = Scene {
        node: Node::told_by(&sandbox, objects.clone()),
        objects,
        origin,
        _sandbox: sandbox,
    };
    assert!(scene.republishes(&request));
    scene.says(None);
    scene.is_current();
    scene.shows(1);
    assert_eq!(scene.origin.gets("/v1/a.bin"), 1);
    scene.says(Some(("v2", &[("downloadURL", &scene.url(2))])));
    scene.shows(2);
}

/// Such volumes of claims are the most; without a class they are what they were.
#[test]
fn a_read_only_overlay_gets_no_class_and_stays_what_it_is() {
    let scene = Scene::new();
    let request = PublishRequest {
        readonly: false,
        ..scene.request()
    };
    scene.says(None);
    scene.node.publish(&request).unwrap();
    scene.shows(1);
    scene.is_current();
    let class = [("downloadURL", &*scene.url(2))];
    scene.says(Some(("v2", &class)));
    let advice = "set persistentVolumeClaim.readOnly: true in the pod";
    scene.fails(advice);
    scene.shows(1);
    scene.node.unpublish(&request).unwrap();
    scene.says(Some(("v2", &class)));
    let (fault, words) = failed(scene.node.publish(&request));
    assert_eq!(fault, Fault::Invalid, "{words}");
    assert!(
        words.contains("VolumeAttributesClass") && words.contains(advice),
        "{words}"
    );
}

/// What a class does not set is as the volume has it.
#[test]
fn a_class_says_only_what_it_sets() {
    let scene = Scene::new();
    let request = scene.request().with("fileName", "shown.bin");
    scene.says(Some(("v2", &[("downloadURL", &scene.url(2))])));
    scene.node.publish(&request).unwrap();
    let at = scene.node.target("pod");
    assert!(fs::read(at.join("shown.bin")).unwrap() == content(2));
    let other = [("path", "there"), ("drain", "0s")];
    scene.says(Some(("there", &other)));
    until("it is there", || {
        fs::read(at.join("there/shown.bin")).is_ok_and(|is| is == content(1))
    });
    until("it is there alone", || !at.join("shown.bin").exists());
}

/// The class says from where, and the pod which name it has.
#[test]
fn labels_of_the_pod_stand_in_the_attributes_beside_a_class() {
    let scene = Scene::told_by(Objects::with_classes(WatchScope::Everything));
    let mut request = scene
        .request()
        .with("fileName", "${pod.labels['name']}.bin");
    request.attributes.remove("downloadURL");
    let call = scene.node.begin(&request);
    scene.says(Some(("v2", &[("downloadURL", &scene.url(2))])));
    let waits = "the labels and annotations of the pod shop/web";
    until("it waits for its pod", || {
        let progress = scene
            .node
            .volumes
            .progress(&request.volume, &request.target);
        progress.is_some_and(|p| p.to_string().contains(waits))
    });
    let pod = Object::Pod {
        namespace: "shop".to_owned(),
        name: "web".to_owned(),
    };
    let labels = BTreeMap::from([("name".to_owned(), "shop".to_owned())]);
    let metadata = Metadata {
        uid: "1".to_owned(),
        labels,
        ..Metadata::default()
    };
    scene.objects.set(pod, Some(metadata));
    scene.node.wait(call).unwrap().unwrap();
    let file = scene.node.target("pod").join("shop.bin");
    assert!(fs::read(file).unwrap() == content(2));
}
