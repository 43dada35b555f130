//! Going back by itself: a pod that does not bear new content gets what it had (docs/upgrade.md). What a real pod's status
//! says is seen on a cluster (tests/e2e/cases/upgrade.sh).

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use war_vol::fault::Fault;
use war_vol::volume::objects::{Metadata, Object, Objects, WatchScope};
use war_vol::volume::readiness::{Answer, AskPods, Readiness};
use war_vol::volume::{Behind, Pod, PublishRequest};

use crate::node::{Node, RequestExt, bytes, failed, until};
use crate::origin::{self, Origin};
use crate::sandbox::Sandbox;

/// How long a pod has to be Ready again.
const ROLLBACK: &str = "5s";

/// What the API server says of the pod.
#[derive(Debug)]
struct Pods(Mutex<Result<Readiness, String>>);

impl AskPods for Pods {
    fn readiness(&self, pod: &Pod) -> Answer {
        assert_eq!((pod.namespace.as_str(), pod.name.as_str()), ("shop", "web"));
        let says = self.0.lock().unwrap().clone();
        Box::pin(async { says })
    }
}

struct Scene {
    node: Option<Node>,
    objects: Objects,
    pods: Arc<Pods>,
    origin: Origin,
    sandbox: Sandbox,
}

impl Scene {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let origin = Origin::start();
        for version in 1..=3 {
            let object = origin::Object::new(content(version));
            origin.put(&format!("/v{version}/a.bin"), object);
        }
        let pods = Arc::new(Pods(Mutex::new(Ok(Readiness::Ready))));
        let objects = Objects::asking(WatchScope::Everything, Some(pods.clone()), false);
        Self {
            node: Some(Node::told_by(&sandbox, objects.clone())),
            objects,
            pods,
            origin,
            sandbox,
        }
    }

    fn node(&self) -> &Node {
        self.node.as_ref().unwrap()
    }

    fn request(&self) -> PublishRequest {
        let url = self.origin.url("/v${pod.labels['version']}/a.bin");
        let mut request = self.node().request("pod", &url).with("settle", "0s");
        request.pod = Some(Pod {
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
            uid: "1".to_owned(),
            ..Pod::default()
        });
        request.node = Some("node-1".to_owned());
        request.with("rollback", ROLLBACK)
    }

    fn wants(&self, version: u64) {
        let pod = Object::Pod {
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
        };
        let metadata = Metadata {
            uid: "1".to_owned(),
            labels: [("version".to_owned(), version.to_string())].into(),
            ..Metadata::default()
        };
        self.objects.set(pod, Some(metadata));
    }

    fn pod_is(&self, says: Result<Readiness, &str>) {
        *self.pods.0.lock().unwrap() = says.map_err(str::to_owned);
    }

    /// From now on it is not.
    #[expect(
        clippy::disallowed_methods,
        reason = "a pod's status says a time of day"
    )]
    fn pod_is_not_ready(&self) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        self.pod_is(Ok(Readiness::Unready {
            since: now.unwrap().as_secs(),
            why: "containers with unready status: [tomcat]".to_owned(),
        }));
    }

    fn file(&self) -> PathBuf {
        self.node().target("pod").join("a.bin")
    }

    fn shows(&self, version: u64) {
        let what = format!("version {version} is shown");
        until(&what, || {
            fs::read(self.file()).is_ok_and(|is| is == content(version))
        });
    }

    fn behind(&self) -> Option<Behind> {
        let listed = self.node().volumes.list().unwrap();
        listed.into_iter().next().unwrap().behind
    }

    fn says(&self, words: &str) {
        until(&format!("the list says: {words}"), || {
            self.behind()
                .is_some_and(|behind| behind.why.contains(words))
        });
    }
}

fn content(version: u64) -> Vec<u8> {
    bytes(version, 1000 + usize::try_from(version).unwrap())
}

#[test]
fn a_pod_that_does_not_bear_new_content_gets_back_what_it_had() {
    for layout in [("layout", "auto"), ("layout", "copy")] {
        let scene = Scene::new();
        let request = scene.request().with(layout.0, layout.1);
        scene.wants(1);
        scene.node().publish(&request).unwrap();
        scene.shows(1);
        scene.wants(2);
        scene.shows(2);
        scene.pod_is_not_ready();
        scene.shows(1);
        scene.says("the pod was not Ready within 5s (containers with unready status: [tomcat])");
        let wanted = scene.behind().unwrap().url;
        assert!(wanted.ends_with("/v2/a.bin"), "{wanted}");
        assert_eq!(scene.origin.gets("/v1/a.bin"), 1);
        // Whatever else wakes it, that version is not tried again.
        scene.pod_is(Ok(Readiness::Ready));
        scene.node().publish(&request).unwrap();
        scene.says("the pod was not Ready");
        scene.shows(1);
        // Another one is, and then the same again: somebody wants it anew.
        scene.wants(3);
        scene.shows(3);
        scene.wants(2);
        scene.shows(2);
        until("nothing is wrong", || scene.behind().is_none());
    }
}

/// One that was wanted before a rollback is wanted by itself, and the other is not rejected any more.
#[test]
fn to_want_what_is_shown_again_ends_the_rejection() {
    let scene = Scene::new();
    let request = scene.request();
    scene.wants(1);
    scene.node().publish(&request).unwrap();
    scene.wants(2);
    scene.shows(2);
    scene.pod_is_not_ready();
    scene.shows(1);
    scene.says("the pod was not Ready");
    scene.pod_is(Ok(Readiness::Ready));
    scene.wants(1);
    until("nothing is wrong", || scene.behind().is_none());
    scene.wants(2);
    scene.shows(2);
}

/// A Tomcat deletes the file of a version whose number is lower.
#[test]
fn a_number_in_the_name_grows_when_it_goes_back() {
    let scene = Scene::new();
    let request = scene.request().with("fileName", "ROOT##${swap}.bin");
    let shows = |number: u64, version: u64| {
        let file = format!("ROOT##{number:08}.bin");
        let file = scene.node().target("pod").join(file);
        until(&format!("number {number} is version {version}"), || {
            fs::read(&file).is_ok_and(|is| is == content(version))
        });
    };
    scene.wants(1);
    scene.node().publish(&request).unwrap();
    shows(1, 1);
    scene.wants(2);
    shows(2, 2);
    scene.pod_is_not_ready();
    shows(3, 1);
}

#[test]
fn a_killed_driver_and_a_silent_api_server_only_put_it_off() {
    let mut scene = Scene::new();
    let request = scene.request();
    scene.wants(1);
    scene.node().publish(&request).unwrap();
    scene.wants(2);
    scene.shows(2);
    scene.pod_is_not_ready();
    let says = scene.pods.0.lock().unwrap().clone();
    scene.pod_is(Err("no answer in 15 s"));
    drop(scene.node.take());
    scene.node = Some(Node::told_by(&scene.sandbox, scene.objects.clone()));
    scene.node().publish(&request).unwrap();
    scene.shows(2);
    *scene.pods.0.lock().unwrap() = says;
    scene.shows(1);
}

/// Of one URL whatever comes next is new, and what was taken back is not.
#[test]
fn a_refresh_does_not_bring_back_what_was_taken_back() {
    let scene = Scene::new();
    let path = "/v1/a.bin";
    let request = scene.request();
    let request = request.with("downloadURL", &scene.origin.url(path));
    let request = request.with("refresh", "10s");
    scene.node().publish(&request).unwrap();
    scene.shows(1);
    scene.origin.put(path, origin::Object::new(content(2)));
    scene.shows(2);
    scene.pod_is_not_ready();
    scene.shows(1);
    let asked = scene.origin.log().len();
    until("the origin is asked again", || {
        scene.origin.log().len() > asked
    });
    scene.says("the pod was not Ready");
    scene.shows(1);
    scene.pod_is(Ok(Readiness::Ready));
    scene.origin.put(path, origin::Object::new(content(3)));
    scene.shows(3);
}

#[test]
fn a_rollback_needs_somebody_who_knows_the_pod() {
    let scene = Scene::new();
    let sandbox = Sandbox::new();
    let deaf = Node::start(&sandbox);
    let url = scene.origin.url("/v1/a.bin");
    let mut request = deaf.request("pod", &url).with("rollback", "1m");
    request.node = Some("node-1".to_owned());
    let (fault, words) = failed(deaf.publish(&request));
    assert_eq!(fault, Fault::Invalid);
    assert!(
        words.contains("set node.upgrade.enabled: true in the chart"),
        "{words}"
    );
    let (_, words) = failed(deaf.publish(&request.with("rollback", "1s")));
    assert!(words.contains("use a time from 5s to 1h"), "{words}");
}
