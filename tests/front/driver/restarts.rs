//! The driver ends, the node restarts, versions change (docs/design/faults.md, 14, 27, 28 and 30).

use std::fs;

use tonic::Code;

use super::scene::Scene;
use super::{Driver, read};
use crate::disk::reboot::reboot;
use crate::node::{detach, mounts_at, until};
use crate::origin::Behaviour;

/// kill -9, and every mount lives.
#[test]
fn a_killed_driver_costs_no_mount_and_no_download() {
    let scene = Scene::new();
    let call = scene.published("pod");
    let before = mounts_at(&call.target());
    let scene = scene.killed();
    scene.driver.publish(&call).unwrap();
    assert_eq!(mounts_at(&call.target()), before);
    let other = scene
        .driver
        .inline("other", &scene.url)
        .context(&[("pullPolicy", "IfNotPresent")]);
    scene.driver.publish(&other).unwrap();
    assert_eq!(scene.origin.gets("/a.war"), 1);
    scene.driver.unpublish(&call).unwrap();
    scene.driver.unpublish(&other).unwrap();
    scene.nothing_left();
}

/// A restart in the middle costs nothing that was downloaded: one GET, and ranges that do not overlap.
#[test]
fn a_driver_killed_in_a_download_goes_on_where_it_was() {
    let scene = Scene::new();
    let silence = Behaviour::SilenceAt { at: 200_000 };
    scene.origin.behave("/a.war", vec![silence.always()]);
    let call = scene.driver.inline("pod", &scene.url);
    std::thread::scope(|threads| {
        let waiting = threads.spawn(|| {
            scene.driver.wait(async {
                let channel = scene.driver.dial().await.unwrap();
                let mut client = war_vol::csi::proto::node_client::NodeClient::new(channel);
                client
                    .node_publish_volume(call.request.clone())
                    .await
                    .map(drop)
            })
        });
        until("most of it is on disk", || {
            let partial = scene.sandbox.bucket("partial").into_iter().next();
            partial.is_some_and(|p| fs::metadata(p.join("data")).is_ok_and(|m| m.len() >= 200_000))
        });
        rustix::process::kill_process(scene.driver.pid(), rustix::process::Signal::KILL).unwrap();
        assert!(waiting.join().unwrap().is_err());
    });
    scene.origin.behave("/a.war", Vec::new());
    let scene = scene.killed();
    scene.driver.publish(&call).unwrap();
    scene.shows(&call);
    let log = scene.origin.log();
    assert_eq!(log.len(), 2, "{log:?}");
    assert_eq!(
        scene.origin.bytes_sent("/a.war"),
        300_000,
        "no byte came twice"
    );
}

/// After a reboot each volume shows what it had, its origin down or without the artifact.
#[test]
fn after_a_reboot_pods_come_back_without_the_origin_and_deleted_ones_go() {
    let scene = Scene::new();
    let (stays, goes) = (scene.published("stays"), scene.published("goes"));
    let swept = scene.published("swept");
    fs::write(stays.target().join("written"), "by the pod").unwrap();
    scene
        .origin
        .behave("/a.war", vec![Behaviour::Refused { status: 404 }.always()]);
    let Scene {
        driver,
        origin,
        sandbox,
        content,
        url,
    } = scene;
    drop(driver);
    reboot(&sandbox, &[], "another-boot");
    for call in [&stays, &goes, &swept] {
        detach(&call.target());
    }
    fs::remove_dir_all(swept.target().parent().unwrap()).unwrap();
    let driver = Driver::start(&sandbox);
    assert_eq!(
        sandbox.bucket("volumes").len(),
        2,
        "whose pod is gone goes with it"
    );
    driver.publish(&stays).unwrap();
    assert!(read(&stays.target()) == content);
    assert!(!stays.target().join("written").exists());
    driver.unpublish(&goes).unwrap();
    assert!(!goes.target().exists());
    // Not even an attribute that is refused by now is final for it (docs/design/laws.md, law 1).
    detach(&stays.target());
    let odd = stays
        .clone()
        .mounted(|m| m.volume_mount_group = "staff".to_owned());
    let (code, words) = driver.publish(&odd).unwrap_err();
    assert_eq!(code, Code::Unavailable, "{words}");
    driver.unpublish(&stays).unwrap();
    let scene = Scene {
        driver,
        origin,
        sandbox,
        content,
        url,
    };
    scene.nothing_left();
}

/// The pod vanished while nobody looked.
#[test]
fn a_volume_whose_pod_is_gone_is_swept_by_the_next_driver() {
    let scene = Scene::new();
    let (gone, mounted, there) = (
        scene.published("gone"),
        scene.published("mounted"),
        scene.published("there"),
    );
    detach(&gone.target());
    fs::remove_dir_all(gone.target().parent().unwrap()).unwrap();
    detach(&there.target());
    let scene = scene.killed();
    assert_eq!(scene.sandbox.bucket("volumes").len(), 2);
    scene.shows(&mounted);
    scene.driver.publish(&there).unwrap();
    scene.shows(&there);
}

/// An older driver meets what a newer one has made.
#[test]
fn with_a_newer_store_nothing_is_misread_and_pods_still_go() {
    let scene = Scene::new();
    let call = scene.published("pod");
    let Scene {
        driver,
        origin,
        sandbox,
        ..
    } = scene;
    assert!(driver.stop().success());
    fs::create_dir_all(sandbox.root().join("v2/volumes")).unwrap();
    let driver = Driver::begin(&sandbox, &[]);
    until("it answers", || driver.probe() == Some(false));
    let new = driver.inline("new", &origin.url("/a.war"));
    let (code, words) = driver.publish(&new).unwrap_err();
    assert_eq!(code, Code::Unavailable, "{words}");
    assert!(words.contains("newer war-vol"), "{words}");
    let (code, _) = driver.publish(&call).unwrap_err();
    assert_eq!(code, Code::Unavailable);
    assert_eq!(mounts_at(&call.target()).len(), 1);
    driver.unpublish(&call).unwrap();
    assert!(!call.target().exists());
    driver.unpublish(&new).unwrap();
    assert!(sandbox.root().join("v2/volumes").exists());
    assert_eq!(
        sandbox.bucket("volumes").len(),
        1,
        "it is left to who knows what it is"
    );
}
