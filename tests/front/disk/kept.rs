//! What goes first, and what is kept, where the cache has a limit.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tonic::Code;

use super::only;
use crate::driver::Driver;
use crate::node::bytes;
use crate::origin::{Behaviour, Object, Origin};
use crate::sandbox::Sandbox;

/// The cache's own limit counts like the disk's, and names itself.
#[test]
fn the_limit_of_the_cache_takes_what_is_unused_and_then_refuses() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    for (seed, name) in ["/a.war", "/b.war", "/c.war"].into_iter().enumerate() {
        origin.put(name, Object::new(bytes(seed as u64, 1 << 20)));
    }
    let limit = ["--cache-size", "1500Ki"];
    sandbox.mount(&origin.url("/a.war"), "a", &limit);
    sandbox.run(["unmount", "a"]).must(0);
    sandbox.mount(&origin.url("/b.war"), "b", &limit);
    let kept = only(sandbox.bucket("blobs"));
    sandbox
        .run(["mount", &origin.url("/c.war"), "c", limit[0], limit[1]])
        .must(10)
        .says("the cache is limited to 1.5 MiB");
    assert_eq!(only(sandbox.bucket("blobs")), kept);
    assert_eq!(
        fs::read(sandbox.path("b/b.war")).unwrap(),
        bytes(1, 1 << 20)
    );
}

/// A download that was broken off a moment ago is worth more than an artifact that nobody uses.
#[test]
fn an_unused_artifact_goes_before_a_download_that_will_be_continued() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    for (seed, name) in ["/a.war", "/b.war", "/c.war"].into_iter().enumerate() {
        origin.put(name, Object::new(bytes(seed as u64, 1 << 20)));
    }
    let limit = ["--cache-size", "2500Ki"];
    sandbox.mount(&origin.url("/a.war"), "a", &limit);
    sandbox.run(["unmount", "a"]).must(0);
    let unused = only(sandbox.bucket("blobs"));
    origin.behave("/b.war", vec![Behaviour::ResetAt { at: 700_000 }.always()]);
    let once = ["--tries", "1"];
    sandbox
        .run([
            "mount",
            &origin.url("/b.war"),
            "b",
            limit[0],
            limit[1],
            once[0],
            once[1],
        ])
        .must(11);
    let broken = only(sandbox.bucket("partial"));
    sandbox.mount(&origin.url("/c.war"), "c", &limit);
    assert!(!unused.exists(), "it was to go first");
    assert!(broken.exists(), "it was to stay");
    origin.behave("/b.war", vec![]);
    let sent = origin.bytes_sent("/b.war");
    // The rest of it, and nothing twice: what is in use stays, so there is room for just this.
    sandbox.mount(&origin.url("/b.war"), "b", &limit);
    assert!(origin.bytes_sent("/b.war") - sent < 400_000);
}

/// Each of them alone would fit.
#[test]
fn downloads_at_the_same_time_do_not_exceed_the_limit_together() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    let names = ["/a.war", "/b.war", "/c.war", "/d.war"];
    for (seed, name) in names.into_iter().enumerate() {
        origin.put(name, Object::new(bytes(seed as u64, 1 << 20)));
        let (at, ms) = (500_000, 2000);
        origin.behave(name, vec![Behaviour::Pause { at, ms }.always()]);
    }
    let driver = Driver::begin(&sandbox, &["--cache-size", "2500Ki"]);
    driver.is_ready();
    let calls: Vec<_> = names
        .iter()
        .map(|name| driver.inline(&name[1..2], &origin.url(name)))
        .collect();
    let over = AtomicBool::new(false);
    let answers: Vec<_> = thread::scope(|threads| {
        let publishes: Vec<_> = calls
            .iter()
            .map(|call| threads.spawn(|| driver.publish(call)))
            .collect();
        while !publishes.iter().all(thread::ScopedJoinHandle::is_finished) {
            let sizes = |bucket: &str| -> u64 {
                let files = sandbox.bucket(bucket).into_iter();
                let data = files.map(|path| {
                    if path.is_dir() {
                        path.join("data")
                    } else {
                        path
                    }
                });
                data.filter_map(|path| Some(fs::metadata(path).ok()?.len()))
                    .sum()
            };
            // A rename between the two looks counts once, at least.
            over.fetch_or(
                sizes("blobs") + sizes("partial") > 2500 << 10,
                Ordering::SeqCst,
            );
        }
        publishes.into_iter().map(|p| p.join().unwrap()).collect()
    });
    assert!(!over.load(Ordering::SeqCst));
    let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(done.len(), 2, "{refused:?}");
    for answer in refused {
        let (code, words) = answer.unwrap_err();
        assert_eq!(code, Code::ResourceExhausted, "{words}");
        assert!(words.contains("and partial downloads"), "{words}");
    }
}
