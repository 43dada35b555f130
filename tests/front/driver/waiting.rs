//! A volume whose artifact takes longer than a call may (docs/design/faults.md, 9 and 26).

use std::fs;
use std::time::Duration;

use tonic::Code;

use super::{Driver, read};
use crate::node::{bytes, until};
use crate::origin::{Behaviour, Object, Origin};
use crate::sandbox::Sandbox;

const LENGTH: usize = 1_000_000;

/// An origin that takes some seconds in the middle of `/a.war`.
fn slow(seconds: u64) -> Origin {
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(52, LENGTH)));
    let (at, ms) = (LENGTH as u64 / 2, seconds * 1000);
    origin.behave("/a.war", vec![Behaviour::Pause { at, ms }.always()]);
    origin
}

#[test]
fn a_download_longer_than_many_calls_is_one_download() {
    let sandbox = Sandbox::new();
    let origin = slow(5);
    let driver = Driver::start(&sandbox);
    let call = driver.inline("pod", &origin.url("/a.war"));
    let mut refused = 0;
    while let Err((code, words)) = driver.publish_within(&call, Duration::from_secs(2)) {
        assert_eq!(code, Code::Aborted, "{words}");
        assert!(words.contains("continuing in the background"), "{words}");
        assert!(
            !call.target().exists(),
            "nothing is seen before it is whole"
        );
        refused += 1;
    }
    assert!(refused >= 2, "{refused} calls had to wait");
    assert!(read(&call.target()) == bytes(52, LENGTH));
    assert_eq!(origin.gets("/a.war"), 1);
}

/// The wait ends at once (docs/design/laws.md, law 2).
#[test]
fn an_unpublish_ends_the_wait_and_no_mount_appears_later() {
    let sandbox = Sandbox::new();
    let origin = slow(20);
    let driver = Driver::start(&sandbox);
    let call = driver.inline("pod", &origin.url("/a.war"));
    let waiting = std::thread::scope(|threads| {
        let waiting = threads.spawn(|| driver.publish(&call));
        until("its download has begun", || origin.gets("/a.war") == 1);
        driver.unpublish(&call).unwrap();
        waiting.join().unwrap()
    });
    let (code, words) = waiting.unwrap_err();
    assert_eq!(code, Code::Aborted, "{words}");
    until("the partial download goes", || !call.target().exists());
    assert_eq!(sandbox.bucket("volumes").len(), 0);
}

/// A caller that hangs up stops nothing.
#[test]
fn a_caller_that_hangs_up_leaves_the_download_to_the_next() {
    let sandbox = Sandbox::new();
    let origin = slow(2);
    let driver = Driver::start(&sandbox);
    let call = driver.inline("pod", &origin.url("/a.war"));
    driver.wait(async {
        let gone = driver.publishing(&call, Duration::from_secs(120));
        assert!(
            tokio::time::timeout(Duration::from_millis(500), gone)
                .await
                .is_err()
        );
    });
    driver.publish(&call).unwrap();
    assert!(read(&call.target()) == bytes(52, LENGTH));
    assert_eq!(origin.gets("/a.war"), 1);
}

/// SIGTERM: who waits is told to come back, and what was downloaded is kept.
#[test]
fn a_driver_that_stops_answers_who_waits_and_the_next_one_goes_on() {
    let sandbox = Sandbox::new();
    let origin = slow(30);
    let driver = Driver::start(&sandbox);
    let call = driver.inline("pod", &origin.url("/a.war"));
    let answer = std::thread::scope(|threads| {
        let waiting = threads.spawn(|| driver.publish(&call));
        until("half of it is on disk", || {
            let partial = sandbox.bucket("partial").into_iter().next();
            partial.is_some_and(|p| fs::metadata(p.join("data")).is_ok_and(|m| m.len() > 0))
        });
        rustix::process::kill_process(driver.pid(), rustix::process::Signal::TERM).unwrap();
        waiting.join().unwrap()
    });
    let (code, words) = answer.unwrap_err();
    assert_eq!(code, Code::Unavailable, "{words}");
    assert!(driver.stop().success());
    assert!(
        !sandbox.path("csi/csi.sock").exists(),
        "its socket goes with it"
    );
    origin.behave("/a.war", Vec::new());
    let driver = Driver::start(&sandbox);
    driver.publish(&call).unwrap();
    assert!(read(&call.target()) == bytes(52, LENGTH));
    assert_eq!(origin.gets("/a.war"), 2);
}
