//! A disk hangs in one call of the driver (docs/design/faults.md, 48): the other calls, the timers and health go on.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use tonic::Code;

use super::Driver;
use super::calls::{Answer, Call};
use super::ops::{ANY, get};
use super::scene::Scene;
use crate::disk::{Ext4, Frozen, ServedDisk, on_tmpfs};
use crate::node::{bytes, mounts_at, until};
use crate::origin::{Behaviour, Object};
use crate::sandbox::Sandbox;
use crate::stuck::Stuck;

/// What a call may take in these tests, and far longer than any that does not hang.
const DEADLINE: Duration = Duration::from_secs(8);

fn scene(sandbox: Sandbox) -> Scene {
    let driver = Driver::begin(&sandbox, &ANY);
    driver.is_ready();
    Scene::of(sandbox, driver)
}

fn bucket(scene: &Scene, name: &str) -> PathBuf {
    scene.sandbox.root().join("v1").join(name)
}

/// Publishes something in the background that hangs in the directory, and meanwhile tries everything else.
fn hangs_alone(scene: &Scene, call: &Call, directory: &str, after: usize) -> Answer {
    let what = format!("{directory} after {after}");
    let others: Vec<Call> = (0..3)
        .map(|n| scene.published(&format!("other-{n}-{directory}-{after}")))
        .collect();
    let before = mounts_at(&others[0].target());
    let http = scene.driver.http();
    let answer = thread::scope(|threads| {
        let stuck = Stuck::at(&bucket(scene, directory), scene.driver.pid(), after);
        let hangs = threads.spawn(|| scene.driver.publish_within(call, DEADLINE));
        stuck.holds(1);
        let ended: Vec<_> = others[1..]
            .iter()
            .map(|other| threads.spawn(|| scene.driver.unpublish_within(other, DEADLINE)))
            .collect();
        for ended in ended {
            assert_eq!(ended.join().unwrap(), Ok(()), "{what}");
        }
        let republished = scene.driver.publish_within(&others[0], DEADLINE);
        assert_eq!(republished, Ok(()), "{what}");
        assert_eq!(mounts_at(&others[0].target()), before);
        assert_eq!(scene.driver.probe(), Some(true), "{what}");
        assert_eq!(get(http, "/healthz"), Some((200, "ok\n".to_owned())));
        // Its caller has an answer, too, while the disk still hangs.
        let answer = hangs.join().unwrap();
        drop(stuck);
        answer
    });
    scene.driver.unpublish(&others[0]).unwrap();
    answer
}

#[test]
fn a_publish_that_hangs_in_the_index_holds_up_no_other_call() {
    let scene = scene(Sandbox::new());
    scene.published("first");
    for after in 0..3 {
        let call = scene.driver.inline(&format!("pod-{after}"), &scene.url);
        match hangs_alone(&scene, &call, "index", after) {
            Err((Code::Aborted, _)) => {}
            other => panic!("after {after}: {other:?}"),
        }
        scene.driver.publish(&call).unwrap();
        scene.shows(&call);
    }
}

/// It is gone before there is a download that the unpublish could stop.
#[test]
fn a_pod_that_ends_during_the_first_look_leaves_no_download_behind() {
    let scene = scene(Sandbox::new());
    // Its entry in the index is what the disk does not give.
    scene.driver.unpublish(&scene.published("first")).unwrap();
    let pause = Behaviour::Pause {
        at: 1 << 19,
        ms: 120_000,
    };
    scene.origin.put("/a.war", Object::new(bytes(8, 1 << 20)));
    scene.origin.behave("/a.war", vec![pause.always()]);
    let always = [("pullPolicy", "Always")];
    let call = scene.driver.inline("pod", &scene.url).context(&always);
    let (code, words) = thread::scope(|threads| {
        let stuck = Stuck::at(&bucket(&scene, "index"), scene.driver.pid(), 0);
        let hangs = threads.spawn(|| scene.driver.publish(&call));
        stuck.holds(1);
        scene.driver.unpublish(&call).unwrap();
        drop(stuck);
        hangs.join().unwrap().unwrap_err()
    });
    assert_eq!(code, Code::Aborted, "{words}");
    assert!(words.contains("was unpublished"), "{words}");
    until("the download ends", || {
        let (_, page) = get(scene.driver.http(), "/metrics").unwrap();
        page.contains("war_vol_downloads_in_flight 0\n")
            && scene.sandbox.bucket("partial").is_empty()
    });
}

/// A disk that is too full is looked at again, and each look reads what could be removed.
#[test]
fn a_publish_that_makes_room_holds_up_no_other_call() {
    let sandbox = Sandbox::new();
    on_tmpfs(&sandbox, "size=24m");
    let scene = scene(sandbox);
    let large = scene.origin.url("/large.war");
    scene
        .origin
        .put("/large.war", Object::new(bytes(1, 64 << 20)));
    for directory in ["partial", "trash", "blobs"] {
        let call = scene.driver.inline(&format!("large-{directory}"), &large);
        let (code, words) = scene.driver.publish(&call).unwrap_err();
        assert_eq!(code, Code::ResourceExhausted, "{words}");
        let (code, words) = hangs_alone(&scene, &call, directory, 0).unwrap_err();
        assert_eq!(code, Code::Aborted, "{directory}: {words}");
        let (code, words) = scene.driver.publish(&call).unwrap_err();
        assert_eq!(code, Code::ResourceExhausted, "{words}");
    }
}

/// Volumes that are published, some to be unpublished and some to be asked for again, and others that are not.
struct Calls {
    /// They end while the disk hangs.
    end: Vec<Call>,
    /// They are there, and stay.
    stay: Vec<Call>,
    /// Two of what is cached, two of what is not.
    new: Vec<Call>,
}

impl Calls {
    fn of(scene: &Scene) -> Self {
        let published = |name: &str, count: usize| -> Vec<Call> {
            let names = (0..count).map(|n| format!("{name}-{n}"));
            names.map(|name| scene.published(&name)).collect()
        };
        let other = scene.origin.url("/other.war");
        scene
            .origin
            .put("/other.war", Object::new(bytes(7, 200_000)));
        let new = |n: usize, url: &str| scene.driver.inline(&format!("new-{n}"), url);
        Self {
            end: published("end", 6),
            stay: published("stay", 2),
            new: vec![
                new(0, &scene.url),
                new(1, &scene.url),
                new(2, &other),
                new(3, &other),
            ],
        }
    }

    /// While the disk hangs each call has its answer in time, and health and republishes go on; after that the same
    /// calls come to their end.
    fn outlast<T>(&self, scene: &Scene, hang: impl FnOnce() -> T) -> String {
        let http = scene.driver.http();
        let hangs = hang();
        let (driver, deadline) = (&scene.driver, Duration::from_secs(5));
        let said = thread::scope(|threads| {
            let publishes = self
                .new
                .iter()
                .map(|call| threads.spawn(move || driver.publish_within(call, deadline)));
            let ends = self
                .end
                .iter()
                .map(|call| threads.spawn(move || driver.unpublish_within(call, deadline)));
            let waiting: Vec<_> = publishes.chain(ends).collect();
            while !waiting.iter().all(thread::ScopedJoinHandle::is_finished) {
                assert_eq!(get(http, "/healthz"), Some((200, "ok\n".to_owned())));
                for call in &self.stay {
                    assert_eq!(driver.publish_within(call, deadline), Ok(()));
                }
            }
            let mut said = String::new();
            for answer in waiting {
                match answer.join().unwrap() {
                    // What needs no write that hangs.
                    Ok(()) => {}
                    // Said by the driver itself, and before its caller gives up.
                    Err((Code::Aborted, words)) => said.extend([words.as_str(), "\n"]),
                    other => panic!("{other:?}"),
                }
            }
            said
        });
        drop(hangs);
        // As kubelet does: what filled the disk may take a moment to go.
        for call in &self.new {
            until("it is published", || scene.driver.publish(call).is_ok());
        }
        for call in self.new[..2].iter().chain(&self.stay) {
            scene.shows(call);
        }
        for call in self.new.iter().chain(&self.stay).chain(&self.end) {
            scene.driver.unpublish(call).unwrap();
        }
        scene.nothing_left();
        said
    }
}

#[test]
fn a_frozen_file_system_holds_up_no_answer_and_after_the_thaw_all_is_complete() {
    let sandbox = Sandbox::new();
    let disk = Ext4::under_store(&sandbox, 64);
    let scene = scene(sandbox);
    let said = Calls::of(&scene).outlast(&scene, || Frozen::new(&disk));
    assert!(said.contains("unmounting the volume"), "{said}");
}

/// Not even what is read comes back.
#[test]
fn a_disk_whose_server_is_stopped_holds_up_no_answer_and_later_all_is_complete() {
    let sandbox = Sandbox::new();
    let disk = ServedDisk::under_store(&sandbox, 64);
    let scene = scene(sandbox);
    Calls::of(&scene).outlast(&scene, || disk.stop());
}

/// Writable volumes have to make room first, and cannot: what could be removed is on the disk that hangs.
#[test]
fn the_same_below_the_share_that_is_to_stay_free() {
    let sandbox = Sandbox::new();
    let disk = Ext4::under_store(&sandbox, 64);
    let driver = Driver::begin(&sandbox, &[&ANY[..], &["--keep-free", "50%"]].concat());
    driver.is_ready();
    let scene = Scene::of(sandbox, driver);
    let calls = Calls::of(&scene);
    scene
        .origin
        .put("/unused.war", Object::new(bytes(9, 20 << 20)));
    let unused = scene
        .driver
        .inline("unused", &scene.origin.url("/unused.war"));
    scene.driver.publish(&unused).unwrap();
    scene.driver.unpublish(&unused).unwrap();
    scene.nothing_in_the_trash();
    let ballast = disk.at.join("ballast");
    std::fs::write(&ballast, bytes(3, 20 << 20)).unwrap();
    let said = calls.outlast(&scene, || {
        let frozen = Frozen::new(&disk);
        Thawed {
            _frozen: frozen,
            ballast,
        }
    });
    assert!(said.contains("freeing space on the node's disk"), "{said}");
}

/// The ballast goes with the frost.
struct Thawed<'a> {
    _frozen: Frozen<'a>,
    ballast: PathBuf,
}

impl Drop for Thawed<'_> {
    fn drop(&mut self) {
        let ballast = self.ballast.clone();
        // It waits for the thaw, which comes after this.
        thread::spawn(move || std::fs::remove_file(ballast).unwrap());
    }
}

/// One layer takes long to delete, and 64 volumes end behind it.
#[test]
fn a_layer_of_200_000_files_holds_up_no_unpublish() {
    let sandbox = Sandbox::new();
    on_tmpfs(&sandbox, "size=2g,nr_inodes=0");
    let scene = scene(sandbox);
    let http = scene.driver.http();
    let large = scene.published("large");
    for n in 0..200 {
        let dir = large.target().join(n.to_string());
        std::fs::create_dir(&dir).unwrap();
        for m in 0..1000 {
            std::fs::write(dir.join(m.to_string()), "").unwrap();
        }
    }
    let others: Vec<Call> = (0..64)
        .map(|n| scene.published(&format!("other-{n}")))
        .collect();
    let stays = scene.published("stays");
    // The kernel's own work of taking the mount away is not what is tried here.
    scene.driver.unpublish(&large).unwrap();
    let trash = || scene.sandbox.bucket("trash").len();
    assert!(trash() > 0, "it was deleted before anybody could wait");
    thread::scope(|threads| {
        let driver = &scene.driver;
        let ends: Vec<_> = others
            .iter()
            .map(|call| threads.spawn(move || driver.unpublish_within(call, DEADLINE)))
            .collect();
        for end in ends {
            assert_eq!(end.join().unwrap(), Ok(()));
        }
    });
    assert_eq!(get(http, "/healthz"), Some((200, "ok\n".to_owned())));
    assert_eq!(scene.driver.publish_within(&stays, DEADLINE), Ok(()));
    let names = std::fs::read_dir(format!("/proc/{}/task", scene.driver.pid())).unwrap();
    let names: Vec<String> = names
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .collect();
    let janitors = names.iter().filter(|name| name.trim() == "janitor").count();
    assert_eq!(janitors, 1, "{names:?}");
    scene.driver.unpublish(&stays).unwrap();
    scene.nothing_left();
}
