//! Calls that come twice, at once, too late, on what is not ours, as kubelet makes them (docs/design/faults.md, 21 to
//! 25 and 31).

use std::fs;
use std::io::Read;
use std::time::Duration;

use rustix::mount::mount_bind;
use tonic::Code;

use super::read;
use super::scene::Scene;
use crate::life::ends::foreign;
use crate::node::{bytes, detach, digest, mounts_at, until};
use crate::origin::{Behaviour, Object};

/// The origin takes its time in the middle.
fn slowly(scene: &Scene, ms: u64) {
    let pause = Behaviour::Pause { at: 100_000, ms };
    scene.origin.behave("/a.war", vec![pause.always()]);
}

#[test]
fn thirty_pods_at_once_share_one_download_and_never_notice_that_one_call_was_cancelled() {
    let scene = Scene::new();
    slowly(&scene, 1500);
    let calls: Vec<_> = (0..30)
        .map(|i| scene.driver.inline(&format!("pod{i}"), &scene.url))
        .collect();
    std::thread::scope(|threads| {
        let (cancelled, others) = calls.split_first().unwrap();
        let gone = threads.spawn(|| {
            let work = scene.driver.publishing(cancelled, Duration::from_secs(120));
            scene.driver.wait(async {
                tokio::time::timeout(Duration::from_millis(700), work)
                    .await
                    .is_err()
            })
        });
        let answers: Vec<_> = others
            .iter()
            .map(|call| threads.spawn(|| scene.driver.publish(call)))
            .collect();
        for answer in answers {
            answer.join().unwrap().unwrap();
        }
        assert!(gone.join().unwrap(), "it hung up");
    });
    for call in &calls[1..] {
        scene.shows(call);
    }
    assert!(!calls[0].target().exists());
    assert_eq!(scene.origin.gets("/a.war"), 1);
    for call in &calls {
        scene.driver.unpublish(call).unwrap();
    }
    scene.nothing_left();
}

#[test]
fn the_same_publish_many_times_at_once_is_one_mount() {
    let scene = Scene::new();
    slowly(&scene, 300);
    let call = scene.driver.inline("pod", &scene.url);
    std::thread::scope(|threads| {
        let calls: Vec<_> = (0..8)
            .map(|_| threads.spawn(|| scene.driver.publish(&call)))
            .collect();
        let answers: Vec<_> = calls.into_iter().map(|c| c.join().unwrap()).collect();
        assert!(answers.iter().any(Result::is_ok));
        for (code, words) in answers.into_iter().filter_map(Result::err) {
            assert_eq!(code, Code::Aborted, "{words}");
        }
    });
    scene.shows(&call);
    assert_eq!(scene.sandbox.bucket("volumes").len(), 1);
    assert_eq!(scene.origin.gets("/a.war"), 1);
    scene.driver.unpublish(&call).unwrap();
    scene.nothing_left();
}

#[test]
fn a_foreign_mount_is_refused_and_nothing_is_unmounted() {
    let scene = Scene::new();
    let call = scene.driver.inline("pod", &scene.url);
    fs::create_dir(call.target()).unwrap();
    foreign(&call.target());
    let before = mounts_at(&call.target());
    let (code, words) = scene.driver.publish(&call).unwrap_err();
    assert_eq!(code, Code::FailedPrecondition, "{words}");
    assert!(words.contains("something else is mounted there"), "{words}");
    let (code, words) = scene.driver.unpublish(&call).unwrap_err();
    assert_eq!(code, Code::FailedPrecondition, "{words}");
    assert_eq!(mounts_at(&call.target()), before);
    assert_eq!(fs::read(call.target().join("theirs")).unwrap(), b"kept");
    assert_eq!(scene.origin.gets("/a.war"), 0);
    detach(&call.target());
    scene.driver.unpublish(&call).unwrap();
    scene.nothing_left();
}

#[test]
fn an_unpublish_is_ok_whatever_is_there_of_the_volume() {
    let scene = Scene::new();
    let gone = |call: &super::Call| {
        for _ in 0..2 {
            scene.driver.unpublish(call).unwrap();
            assert!(!call.target().exists());
        }
    };
    gone(&scene.driver.inline("unknown", &scene.url));
    let call = scene.published("without-target");
    detach(&call.target());
    fs::remove_dir_all(call.target().parent().unwrap()).unwrap();
    gone(&call);
    let call = scene.published("not-mounted");
    detach(&call.target());
    gone(&call);
    let call = scene.published("mounted-twice");
    let target = call.target();
    mount_bind(&target, &target).unwrap();
    gone(&call);
    let call = scene.published("at-once");
    std::thread::scope(|threads| {
        let calls = [(); 4].map(|()| threads.spawn(|| scene.driver.unpublish(&call)));
        for (code, words) in calls.into_iter().filter_map(|c| c.join().unwrap().err()) {
            assert_eq!(code, Code::Aborted, "{words}");
        }
    });
    gone(&call);
    scene.nothing_left();
}

#[test]
fn a_busy_target_is_detached_and_holds_nobody_up() {
    let scene = Scene::new();
    let call = scene.published("pod");
    let mut open = fs::File::open(call.target().join("a.war")).unwrap();
    scene.driver.unpublish(&call).unwrap();
    assert!(!call.target().exists());
    scene.driver.publish(&call).unwrap();
    let mut seen = Vec::new();
    open.read_to_end(&mut seen).unwrap();
    assert!(seen == scene.content);
    scene.driver.unpublish(&call).unwrap();
    drop(open);
    scene.nothing_left();
}

/// The origin is gone, or says something else (docs/design/laws.md, law 3).
#[test]
fn a_republish_of_what_is_healthy_asks_nobody() {
    let scene = Scene::new();
    let call = scene
        .driver
        .inline("pod", &scene.url)
        .context(&[("pullPolicy", "Always")]);
    scene.driver.publish(&call).unwrap();
    let before = mounts_at(&call.target());
    let pin = digest(&scene.content);
    let pinned = scene.driver.inline("pinned", &scene.url);
    let pinned = pinned.context(&[("checksum", &pin)]);
    scene.driver.publish(&pinned).unwrap();
    let asked = scene.origin.gets("/a.war");
    // Other bytes than the promised ones, and then none at all.
    scene.origin.put("/a.war", Object::new(bytes(99, 1000)));
    scene.driver.publish(&call).unwrap();
    scene.driver.publish(&pinned).unwrap();
    scene
        .origin
        .behave("/a.war", vec![Behaviour::Refused { status: 404 }.always()]);
    scene.driver.publish(&call).unwrap();
    let secret = call.clone().secret("token", "another");
    scene.driver.publish(&secret).unwrap();
    let unknown = call.clone().secret("of-a-newer-driver", "x");
    scene.driver.publish(&unknown).unwrap();
    scene.driver.publish(&pinned).unwrap();
    assert_eq!(mounts_at(&call.target()), before);
    assert_eq!(scene.origin.gets("/a.war"), asked);
    assert!(read(&call.target()) == scene.content);
    assert!(read(&pinned.target()) == scene.content);
    let other = call.clone().context(&[("fileName", "b.war")]);
    let (code, words) = scene.driver.publish(&other).unwrap_err();
    assert_eq!(code, Code::AlreadyExists, "{words}");
    until("nothing was touched", || {
        mounts_at(&call.target()) == before
    });
}
