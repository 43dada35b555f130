//! `--continue`: what an earlier fetch left is gone on with, and what is there is not downloaded again.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use super::Scene;
use crate::node::{bytes, digest, until};
use crate::origin::{Behaviour, Object, Validator};

const PART: &str = "a.war.war-vol-part";

/// Leaves a part of the download behind, as a connection that broke for good does.
fn broken(scene: &Scene, more: &[&str]) {
    let cut = Behaviour::FinAt { at: 200_000 };
    scene.origin.behave("/a.war", vec![cut.always()]);
    let arguments = [&["fetch", &scene.url, "-c", "--tries", "1"], more].concat();
    scene.sandbox.run(arguments).must(11);
    scene.origin.behave("/a.war", vec![]);
    let part = scene.sandbox.path(PART);
    assert!(fs::metadata(part.join("data")).unwrap().len() >= 100_000);
    assert_eq!(fs::metadata(&part).unwrap().mode() & 0o777, 0o700);
    assert!(!scene.sandbox.path("a.war").exists(), "half a file");
}

#[test]
fn a_broken_fetch_goes_on_where_it_stopped() {
    let scene = Scene::new();
    for pinned in [false, true] {
        broken(&scene, &[]);
        let before = scene.origin.bytes_sent("/a.war");
        let pin = ["--checksum", &*scene.pin];
        let arguments = ["fetch", &scene.url, "-c"];
        let more = if pinned { &pin[..] } else { &[] };
        scene.sandbox.run([&arguments[..], more].concat()).must(0);
        assert!(scene.read("a.war") == scene.bytes);
        let sent = scene.origin.bytes_sent("/a.war") - before;
        assert!(sent <= 200_000, "{sent} bytes came again");
        assert!(scene.origin.log().last().unwrap().range.is_some());
        assert_eq!(scene.files(), ["a.war"]);
        let mode = fs::metadata(scene.sandbox.path("a.war")).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o644);
        fs::remove_file(scene.sandbox.path("a.war")).unwrap();
    }
}

/// Ctrl-C, and a kill.
#[test]
fn a_killed_fetch_goes_on_where_it_stopped() {
    let scene = Scene::new();
    for signal in [Signal::INT, Signal::KILL] {
        let silence = Behaviour::SilenceAt { at: 200_000 };
        scene.origin.behave("/a.war", vec![silence.always()]);
        let before = scene.origin.bytes_sent("/a.war");
        let mut command = scene.sandbox.war_vol();
        let command = command.args(["fetch", &scene.url, "-c"]);
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let data = scene.sandbox.path(PART).join("data");
        until("it downloads", || {
            scene.origin.bytes_sent("/a.war") >= before + 200_000
                && fs::metadata(&data).is_ok_and(|m| m.len() > 0)
        });
        kill_process(Pid::from_child(&child), signal).unwrap();
        child.wait().unwrap();
        let there = fs::metadata(&data).unwrap().len();
        assert!(there > 0);
        scene.origin.behave("/a.war", vec![]);
        scene.sandbox.run(["fetch", &scene.url, "-c"]).must(0);
        let range = scene.origin.log().last().unwrap().range;
        assert_eq!(range.map(|r| r.first), Some(there));
        assert!(scene.read("a.war") == scene.bytes);
        assert_eq!(scene.files(), ["a.war"]);
        fs::remove_file(scene.sandbox.path("a.war")).unwrap();
    }
}

/// Bytes of two objects are never joined: not where the object changed, nor where the URL is another one.
#[test]
fn what_is_of_another_object_is_not_gone_on_with() {
    let scene = Scene::new();
    let other = bytes(78, super::LENGTH);
    // Behind the same tag, as two servers may have it.
    let tag = Behaviour::Offers(Validator::Strong).always();
    broken(&scene, &[]);
    scene.origin.put("/b/a.war", Object::new(other.clone()));
    scene.origin.behave("/b/a.war", vec![tag]);
    let before = scene.origin.log().len();
    scene
        .sandbox
        .run(["fetch", &scene.origin.url("/b/a.war"), "-c"])
        .must(0);
    assert!(scene.read("a.war") == other, "parts of two objects");
    assert!(
        scene.origin.log()[before..]
            .iter()
            .all(|seen| seen.range.is_none())
    );
    fs::remove_file(scene.sandbox.path("a.war")).unwrap();

    broken(&scene, &[]);
    scene.origin.put("/a.war", Object::new(other.clone()));
    scene.sandbox.run(["fetch", &scene.url, "-c"]).must(0);
    assert!(scene.read("a.war") == other, "parts of two objects");
    assert_eq!(scene.files(), ["a.war"]);
}

/// A final failure leaves nothing to be continued.
#[test]
fn what_cannot_be_continued_is_not_left() {
    let scene = Scene::new();
    broken(&scene, &[]);
    let wrong = digest(b"other");
    let arguments = ["fetch", &scene.url, "-c", "--checksum", &wrong];
    scene.sandbox.run(arguments).must(6);
    assert_eq!(scene.files(), Vec::<String>::new());
}

/// The same checksum is not downloaded twice.
#[test]
fn a_file_that_has_the_checksum_is_not_downloaded_again() {
    let scene = Scene::new();
    let long =
        "sha512:".to_owned() + &hex::encode(<sha2::Sha512 as sha2::Digest>::digest(&scene.bytes));
    let fetch = |pin: &str, more: &[&str]| {
        let arguments = [&["fetch", &scene.url, "-c", "--checksum", pin], more].concat();
        scene.sandbox.run(arguments)
    };
    fetch(&scene.pin, &[]).must(0);
    for pin in [&scene.pin, &long] {
        let ran = fetch(pin, &["--output", "json"])
            .must(0)
            .says("already exists and has the checksum");
        let said = ran.json();
        assert_eq!(said["digest"], scene.pin.as_str());
        assert_eq!(
            (&said["size"], &said["downloaded"]),
            (&super::LENGTH.into(), &false.into())
        );
    }
    assert_eq!(scene.origin.gets("/a.war"), 1);
    // Another file is none, and neither is one whose checksum nobody gave.
    fs::write(scene.sandbox.path("a.war"), "old").unwrap();
    fetch(&scene.pin, &[]).must(0);
    scene.sandbox.run(["fetch", &scene.url, "-c"]).must(0);
    assert_eq!(scene.origin.gets("/a.war"), 3);
    assert!(scene.read("a.war") == scene.bytes);
    assert_eq!(scene.files(), ["a.war"]);
}

/// Puts something in the place of what an earlier fetch left.
type Make = fn(&std::path::Path);

/// What somebody else may write to is believed by nobody.
#[test]
fn a_leftover_that_is_not_ones_own_is_refused() {
    let scene = Scene::new();
    let part = scene.sandbox.path(PART);
    let make: [(&str, Make); 4] = [
        ("another's", |part| {
            fs::create_dir(part).unwrap();
            fs::set_permissions(part, fs::Permissions::from_mode(0o700)).unwrap();
            chown(part, Some(1234), Some(1234)).unwrap();
        }),
        ("open to all", |part| {
            fs::create_dir(part).unwrap();
            fs::set_permissions(part, fs::Permissions::from_mode(0o777)).unwrap();
        }),
        ("a symlink", |part| symlink("elsewhere", part).unwrap()),
        ("a file", |part| fs::write(part, "").unwrap()),
    ];
    fs::create_dir(scene.sandbox.path("elsewhere")).unwrap();
    for (what, make) in make {
        make(&part);
        let ran = scene.sandbox.run(["fetch", &scene.url, "-c"]);
        let ran = ran.must(9).says(PART);
        assert!(
            ran.stderr.contains("not a partial download of this user"),
            "{what}"
        );
        fs::remove_file(&part)
            .or_else(|_| fs::remove_dir(&part))
            .unwrap();
    }
    assert_eq!(scene.origin.log().len(), 0);
}

/// Two at a time would write into each other's bytes.
#[test]
fn two_do_not_continue_the_same_file_at_a_time() {
    let scene = Scene::new();
    let silence = Behaviour::SilenceAt { at: 200_000 };
    scene.origin.behave("/a.war", vec![silence.always()]);
    let mut command = scene.sandbox.war_vol();
    let mut first = command.args(["fetch", &scene.url, "-c"]).spawn().unwrap();
    until("it downloads", || {
        scene.origin.bytes_sent("/a.war") >= 200_000
    });
    let ran = scene.sandbox.run(["fetch", &scene.url, "-c"]);
    ran.must(9).says("another process is downloading to it");
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn what_is_no_file_cannot_be_continued() {
    let scene = Scene::new();
    for name in ["-", "/dev/null"] {
        let ran = scene.sandbox.run(["fetch", &scene.url, "-c", "-o", name]);
        ran.must(9).says("only a regular file can be resumed");
    }
    assert_eq!(scene.origin.log().len(), 0);
}
