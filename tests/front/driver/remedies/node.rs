//! The same for the node and its driver: a setting is changed, or what is missing is given, as the page says.

use std::ffi::CString;
use std::fs;
use std::process::Command;

use rustix::mount::{MountFlags, mount, mount_bind};
use tonic::Code;

use super::super::ops::{ANY, get};
use super::super::provision::refused;
use super::super::scene::Scene;
use super::super::{Driver, read};
use crate::node::{bytes, until};
use crate::origin::{Object, Origin};
use crate::sandbox::{Ran, Sandbox};

fn origin() -> (Origin, String) {
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(81, 50_000)));
    let url = origin.url("/a.war");
    (origin, url)
}

/// A driver that is not ready says this, to kubelet too.
fn waits(driver: &Driver, url: &str, says: &str) {
    until("it answers", || driver.probe() == Some(false));
    let call = driver.inline("pod", url);
    until("it says why", || {
        let words = refused(driver.publish(&call), Code::Unavailable);
        words.contains(says)
    });
}

/// A driver that shows volumes.
fn works(driver: &Driver, url: &str) {
    driver.is_ready();
    let call = driver.inline("pod", url);
    driver.publish(&call).unwrap();
    assert!(read(&call.target()) == bytes(81, 50_000), "other bytes");
    driver.unpublish(&call).unwrap();
}

#[test]
fn mounts_that_nobody_sees_are_seen_once_they_are_shared() {
    let (sandbox, (_origin, url)) = (Sandbox::new(), origin());
    let kubelet = sandbox.path("kubelet");
    fs::create_dir(&kubelet).unwrap();
    let driver = Driver::run(&sandbox, &[]);
    waits(&driver, &url, "mountPropagation: Bidirectional");
    assert!(driver.stop().success());
    mount_bind(&kubelet, &kubelet).unwrap();
    let shared = Command::new("mount")
        .arg("--make-rshared")
        .arg(&kubelet)
        .status();
    assert!(shared.unwrap().success());
    works(&Driver::run(&sandbox, &[]), &url);
}

#[test]
fn a_store_on_an_overlay_is_put_on_a_disk() {
    let (sandbox, (_origin, url)) = (Sandbox::new(), origin());
    for dir in ["lower", "upper", "work", "merged"] {
        fs::create_dir(sandbox.path(dir)).unwrap();
    }
    let layers = format!(
        "lowerdir={},upperdir={},workdir={}",
        sandbox.path("lower").display(),
        sandbox.path("upper").display(),
        sandbox.path("work").display()
    );
    let merged = sandbox.path("merged");
    let (kind, flags) = ("overlay", MountFlags::empty());
    let layers = CString::new(layers).unwrap();
    mount(kind, &merged, kind, flags, layers.as_c_str()).unwrap();
    let driver = Driver::begin(&sandbox, &["--root", merged.to_str().unwrap()]);
    waits(&driver, &url, "is on an overlay file system");
    assert!(driver.stop().success());
    works(&Driver::begin(&sandbox, &[]), &url);
}

#[test]
fn a_second_driver_with_a_root_of_its_own_does_not_wait() {
    let scene = Scene::new();
    scene.published("pod");
    let socket = format!("unix://{}", scene.sandbox.path("other/csi.sock").display());
    let endpoint = ["--endpoint", &socket];
    let waiting = Driver::begin(&scene.sandbox, &[&ANY[..], &endpoint].concat());
    let http = waiting.http();
    until("it says who has the store", || {
        get(http, "/readyz").is_some_and(|(_, text)| text.contains("is in use by process"))
    });
    assert!(waiting.stop().success());
    let own = scene.sandbox.path("own");
    let root = ["--root", own.to_str().unwrap()];
    let other = Driver::begin(&scene.sandbox, &[&ANY[..], &endpoint, &root].concat());
    until("it is ready", || {
        get(other.http(), "/readyz") == Some((200, "ready\n".to_owned()))
    });
}

/// And what a command mounts beside a driver that sees other mounts.
#[test]
fn a_command_in_another_mount_namespace_takes_a_root_of_its_own() {
    let scene = Scene::new();
    let elsewhere = |more: &[&str]| {
        let program = scene.sandbox.war_vol();
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation", "private"])
            .arg(program.get_program())
            .args(["mount", &scene.url, "other"])
            .args(more)
            .env("WAR_VOL_ROOT", scene.sandbox.root())
            .env("WAR_VOL_KEEP_FREE", "0")
            .current_dir(scene.sandbox.path(""));
        Ran::of(command.output().unwrap())
    };
    elsewhere(&[]).must(2).says("choose another --root");
    elsewhere(&["--root", "own"]).must(0);
}

#[test]
fn after_a_downgrade_what_the_newer_one_has_made_can_be_removed() {
    let scene = Scene::new();
    assert!(scene.driver.stop().success());
    let newer = scene.sandbox.root().join("v2");
    fs::create_dir_all(newer.join("volumes")).unwrap();
    let driver = Driver::begin(&scene.sandbox, &[]);
    waits(&driver, &scene.url, "which a newer war-vol has created");
    assert!(driver.stop().success());
    fs::remove_dir_all(newer).unwrap();
    let driver = Driver::start(&scene.sandbox);
    driver.publish(&driver.inline("pod", &scene.url)).unwrap();
}

#[test]
fn a_cache_that_may_hold_more_takes_what_it_refused() {
    let scene = Scene::new();
    assert!(scene.driver.stop().success());
    let size = |size| Driver::begin(&scene.sandbox, &["--cache-size", size]);
    let driver = size("100Ki");
    driver.is_ready();
    let call = driver.inline("pod", &scene.url);
    let words = refused(driver.publish(&call), Code::ResourceExhausted);
    assert!(
        words.contains("the cache is limited to 100.0 KiB"),
        "{words}"
    );
    assert!(driver.stop().success());
    let driver = size("1Mi");
    driver.is_ready();
    driver.publish(&call).unwrap();
    driver.unpublish(&call).unwrap();
}

#[test]
fn a_root_whose_path_is_too_long_is_made_shorter() {
    let (sandbox, (_origin, url)) = (Sandbox::new(), origin());
    let long = sandbox.path(&vec!["d".repeat(200); 12].join("/"));
    fs::create_dir_all(&long).unwrap();
    let ran = sandbox.run(["mount", &url, "dir", "--root", long.to_str().unwrap()]);
    assert_ne!(ran.code, 0, "{}", ran.stderr);
    ran.says("put the store into a directory with a shorter path");
    sandbox.mount(&url, "dir", &[]);
    sandbox.run(["unmount", "dir"]).must(0);
}

/// What kubelet makes, the driver has to see.
#[test]
fn a_target_without_a_parent_is_taken_once_that_is_seen() {
    let scene = Scene::new();
    let call = scene.driver.inline("pod", &scene.url);
    let parent = call.target().parent().unwrap().to_owned();
    fs::remove_dir(&parent).unwrap();
    let words = refused(scene.driver.publish(&call), Code::Unavailable);
    assert!(
        words.contains("check its hostPath and mount propagation"),
        "{words}"
    );
    fs::create_dir(&parent).unwrap();
    scene.driver.publish(&call).unwrap();
    scene.driver.unpublish(&call).unwrap();
    scene.nothing_left();
}
