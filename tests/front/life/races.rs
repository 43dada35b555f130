//! Those who collect, against those who publish (docs/design/faults.md, 33).

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::node::{Node, RequestExt, bytes, digest};
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

/// The lease wins, or the object is fetched again; a publish never fails for it and never shows less than all.
#[test]
fn a_collection_that_races_a_publish_costs_at_most_a_download() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    let content = bytes(33, 20_000);
    origin.put("/a.war", Object::new(content.clone()));
    let node = Node::start(&sandbox);
    let (stop, pruned) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let collector = {
        let (store, stop, pruned) = (Arc::clone(&node.store), stop.clone(), pruned.clone());
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let (objects, _) = store.prune().unwrap();
                pruned.fetch_add(objects, Ordering::Relaxed);
            }
        })
    };
    let wants = [0, 1, 2].map(|i| node.request(&format!("pod{i}"), &origin.url("/a.war")));
    let wants = wants.map(|request| request.pinned(&digest(&content)));
    let mut rounds = 0;
    // Until both have happened often enough to have met.
    while rounds < 30 || pruned.load(Ordering::Relaxed) < 10 {
        let calls: Vec<_> = wants.iter().map(|request| node.begin(request)).collect();
        for (call, request) in calls.into_iter().zip(&wants) {
            node.wait(call).unwrap().unwrap();
            let shown = fs::read(request.target.path().join("a.war")).unwrap();
            assert!(shown == content);
        }
        for request in &wants {
            node.unpublish(request).unwrap();
        }
        rounds += 1;
    }
    stop.store(true, Ordering::Relaxed);
    collector.join().unwrap();
    node.volumes.clean_up();
    sandbox.assert_nothing_left();
    assert!(origin.gets("/a.war") <= 1 + pruned.load(Ordering::Relaxed));
}

#[test]
fn a_collection_takes_nothing_that_a_volume_uses() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(1, 10_000)));
    origin.put("/b.war", Object::new(bytes(2, 10_000)));
    for layout in ["overlay", "copy"] {
        sandbox.mount(&origin.url("/a.war"), "used", &["--layout", layout]);
        sandbox.mount(&origin.url("/b.war"), "unused", &[]);
        sandbox.run(["unmount", "unused"]).must(0);
        let pruned = sandbox.run(["cache", "prune", "--output", "json"]).must(0);
        assert_eq!(pruned.json()["removed"], 1);
        assert!(fs::read(sandbox.path("used/a.war")).unwrap() == bytes(1, 10_000));
        sandbox.run(["unmount", "used"]).must(0);
    }
    assert_eq!(origin.gets("/a.war"), 2, "the second time only to ask");
}
