//! The content of a volume changes while a pod uses it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use sha2::{Digest as _, Sha256};
use tonic::Code;
use war_vol::csi::proto::volume_capability::access_mode::Mode as Access;

use super::Call;
use super::scene::Scene;
use crate::node::{bytes, mounts_at, until};
use crate::origin::{Behaviour, Object};

/// The ways to show a volume whose content may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Bind,
    Overlay,
    Copy,
}

pub(super) const WAYS: [Way; 3] = [Way::Bind, Way::Overlay, Way::Copy];

/// A zip archive that says which version it is, and is of no size that another one has.
pub(super) fn war(version: u32) -> Vec<u8> {
    let mut archive = rawzip::ZipArchiveWriter::new(Vec::new());
    let (mut entry, config) = archive.new_file("version.txt").start().unwrap();
    let mut writer = config.wrap(&mut entry);
    writer
        .write_all(&bytes(version.into(), 10_000 + version as usize))
        .unwrap();
    let (_, descriptor) = writer.finish().unwrap();
    entry.finish(descriptor).unwrap();
    archive.finish().unwrap()
}

impl Scene {
    /// With the versions 1 and 2 at the origin.
    pub(super) fn versions() -> Self {
        let scene = Self::new();
        for version in [1, 2] {
            scene.release(version);
        }
        scene
    }

    pub(super) fn release(&self, version: u32) {
        self.origin.put(&path(version), Object::new(war(version)));
    }

    /// A volume whose version is a key of its Secret, at 1.
    pub(super) fn upgradable(&self, pod: &str, way: Way) -> Call {
        let call = self
            .driver
            .inline(pod, &self.template())
            .context(&[("settle", "0s")]);
        match way {
            Way::Bind => call.read_only(),
            Way::Overlay => call,
            Way::Copy => call.context(&[("layout", "copy")]),
        }
        .secret("version", "1")
    }

    /// What was broken off stays, for whoever wants it later.
    fn no_volume(&self) {
        assert_eq!(self.sandbox.bucket("volumes"), Vec::<PathBuf>::new());
    }

    fn template(&self) -> String {
        self.origin.url("/v${secret['version']}/app.war")
    }

    /// kubelet publishes again, as it does after any change of the pod.
    pub(super) fn upgrade(&self, call: &Call, version: u32) {
        let call = call.clone().secret("version", &version.to_string());
        self.driver.publish(&call).unwrap();
    }

    /// The same, and it comes.
    pub(super) fn upgraded(&self, call: &Call, version: u32) {
        self.upgrade(call, version);
        shows(call, version);
        until("it is noted", || self.notes(call, version));
    }

    /// Whether the volume's record says so, too: what was not noted when the driver was killed may be lost in a reboot.
    fn notes(&self, call: &Call, version: u32) -> bool {
        let records = self.sandbox.bucket("volumes");
        let records = records.iter().filter_map(|dir| {
            let record = fs::read(dir.join("want.json")).ok()?;
            serde_json::from_slice::<serde_json::Value>(&record).ok()
        });
        let target = call.target();
        let mut its = records.filter(|record| record["target"].as_str() == target.to_str());
        its.any(|record| {
            let digest = record["sha256"].as_str();
            digest.is_some_and(|is| is.ends_with(&hex::encode(Sha256::digest(war(version)))))
        })
    }
}

pub(super) fn path(version: u32) -> String {
    format!("/v{version}/app.war")
}

pub(super) fn file(call: &Call) -> PathBuf {
    call.target().join("app.war")
}

pub(super) fn shows(call: &Call, version: u32) {
    let expected = war(version);
    let what = format!("{} shows version {version}", call.target().display());
    until(&what, || {
        fs::read(file(call)).is_ok_and(|is| is == expected)
    });
}

pub(super) fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "what a file's time is compared with"
)]
fn is_in_the_future(time: SystemTime) -> bool {
    time > SystemTime::now()
}

#[test]
fn another_version_is_shown_under_the_same_mount_and_going_back_asks_nobody() {
    let scene = Scene::versions();
    for way in WAYS {
        let call = scene.upgradable(&format!("{way:?}"), way);
        scene.driver.publish(&call).unwrap();
        shows(&call, 1);
        let mounts = mounts_at(&call.target());
        if way != Way::Bind {
            fs::write(call.target().join("written"), "by the pod").unwrap();
        }
        let before = modified(&file(&call));
        scene.upgraded(&call, 2);
        let after = modified(&file(&call));
        assert!(
            before < after && !is_in_the_future(after),
            "{before:?} {after:?}"
        );
        assert_eq!(mounts_at(&call.target()), mounts);
        let asked = scene.origin.log().len();
        for path in [path(1), path(2)] {
            scene
                .origin
                .behave(&path, vec![Behaviour::Refused { status: 500 }.always()]);
        }
        scene.upgraded(&call, 1);
        assert!(modified(&file(&call)) > after);
        assert_eq!(
            scene.origin.log().len(),
            asked,
            "{way:?}: {:?}",
            scene.origin.log()
        );
        if way != Way::Bind {
            let written = fs::read_to_string(call.target().join("written")).unwrap();
            assert_eq!(written, "by the pod");
        }
        let names = fs::read_dir(call.target()).unwrap().count();
        assert_eq!(
            names,
            if way == Way::Bind { 1 } else { 2 },
            "nothing else is seen"
        );
        for path in [path(1), path(2)] {
            scene.origin.behave(&path, Vec::new());
        }
        scene.driver.unpublish(&call).unwrap();
    }
    scene.nothing_left();
}

/// The group of the pod and the mode hold.
#[test]
fn who_could_write_the_old_file_can_write_the_new_one() {
    let scene = Scene::versions();
    for way in [Way::Overlay, Way::Copy] {
        let call = scene.upgradable(&format!("{way:?}"), way);
        let call = call.mounted(|m| m.volume_mount_group = "4242".to_owned());
        scene.driver.publish(&call).unwrap();
        scene.upgraded(&call, 2);
        let meta = fs::metadata(file(&call)).unwrap();
        assert_eq!(
            (meta.uid(), meta.gid(), meta.mode() & 0o777),
            (0, 4242, 0o664),
            "{way:?}"
        );
    }
}

#[test]
fn what_cannot_change_is_refused_before_it_is_shown() {
    let scene = Scene::versions();
    let claim = |pod: &str| {
        let call = scene
            .driver
            .claim(pod, &scene.template(), Access::MultiNodeReaderOnly);
        call.secret("version", "1")
    };
    let refused = |call: &Call| {
        let (code, words) = scene.driver.publish(call).unwrap_err();
        assert_eq!(code, Code::InvalidArgument, "{words}");
        words
    };
    let words = refused(&claim("claim"));
    assert!(
        words.contains("persistentVolumeClaim.readOnly: true"),
        "{words}"
    );
    assert!(words.contains("writable: scratch"), "{words}");
    let overlay = scene
        .upgradable("overlay", Way::Bind)
        .context(&[("layout", "overlay")]);
    let words = refused(&overlay);
    assert!(words.contains("without layout: overlay"), "{words}");
    let call = scene.driver.inline("missing", &scene.template());
    let words = refused(&call);
    assert!(
        words.contains("${secret['version']} has no value"),
        "{words}"
    );
    let words = refused(&call.secret("version", "../../etc/passwd"));
    assert!(
        words.contains("contains a /") && !words.contains("passwd"),
        "{words}"
    );
    scene.nothing_left();
    // With the way out it is shown, and changes.
    let call = claim("read-only")
        .read_only()
        .context(&[("settle", "0s"), ("spread", "0s")]);
    scene.driver.publish(&call).unwrap();
    scene.upgraded(&call, 2);
}

/// kubelet gets OK, the old content stays, and once the cause is fixed the new version comes by itself.
#[test]
fn whatever_fails_the_old_version_stays() {
    let scene = Scene::versions();
    for way in WAYS {
        let call = scene.upgradable(&format!("{way:?}"), way);
        scene.driver.publish(&call).unwrap();
        shows(&call, 1);
        let page = b"<html>Sign in</html>".repeat(1000);
        scene.origin.put("/v3/app.war", Object::new(page));
        for (version, says) in [
            ("3", "is not a zip archive"),
            ("4", "404"),
            ("a/b", "contains a /"),
        ] {
            let wrong = call.clone().secret("version", version);
            scene.driver.publish(&wrong).unwrap();
            let said = |line: &&str| line.contains("keeps its content") && line.contains(says);
            until(&format!("the log says {says}"), || {
                let log = scene.driver.log();
                log.lines()
                    .filter(|line| line.contains(&format!("{way:?}")))
                    .any(|line| said(&line))
            });
            shows(&call, 1);
        }
        let wanted = call.clone().secret("version", "3");
        scene.driver.publish(&wanted).unwrap();
        scene.release(3);
        shows(&call, 3);
        scene.driver.unpublish(&call).unwrap();
    }
    scene.nothing_left();
}

/// The last of many changes is what is shown, and what nobody wants any more is not downloaded to its end.
#[test]
fn of_many_changes_the_last_one_counts() {
    let scene = Scene::versions();
    let call = scene.upgradable("pod", Way::Overlay);
    scene.driver.publish(&call).unwrap();
    let silence = Behaviour::SilenceAt { at: 100 };
    scene.origin.behave(&path(2), vec![silence.always()]);
    scene.upgrade(&call, 2);
    until("the second version is asked for", || {
        scene.origin.gets(&path(2)) == 1
    });
    for version in 10..200 {
        scene.upgrade(&call, version);
    }
    scene.release(3);
    scene.upgraded(&call, 3);
    until("nothing is asked for any more", || scene.origin.is_idle());
    scene.driver.unpublish(&call).unwrap();
    scene.no_volume();
}

#[test]
fn an_unpublish_wins_over_a_swap() {
    let scene = Scene::versions();
    let silence = Behaviour::SilenceAt { at: 100 };
    scene.origin.behave(&path(2), vec![silence.always()]);
    for way in WAYS {
        let call = scene.upgradable(&format!("{way:?}"), way);
        scene.driver.publish(&call).unwrap();
        scene.upgrade(&call, 2);
        until("it is on its way", || !scene.origin.is_idle());
        scene.driver.unpublish(&call).unwrap();
        until("nobody wants it any more", || scene.origin.is_idle());
    }
    scene.no_volume();
}

/// Whatever a pod puts where its artifact is, nothing outside of the volume is opened, followed or changed.
#[test]
fn what_a_pod_puts_in_the_way_is_replaced_or_refused_and_leads_nowhere() {
    let scene = Scene::versions();
    let outside = scene.sandbox.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("app.war"), "another's").unwrap();
    for way in [Way::Overlay, Way::Copy] {
        let call = scene.upgradable(&format!("{way:?}"), way);
        scene.driver.publish(&call).unwrap();
        // A pipe that nobody writes to, and a link: they go.
        fs::remove_file(file(&call)).unwrap();
        let mode = Mode::from_raw_mode(0o666);
        mknodat(CWD, file(&call), FileType::Fifo, mode, 0).unwrap();
        scene.upgrade(&call, 2);
        // To read the pipe would wait.
        let is_file = || fs::symlink_metadata(file(&call)).is_ok_and(|meta| meta.is_file());
        until("the pipe is replaced", is_file);
        shows(&call, 2);
        fs::remove_file(file(&call)).unwrap();
        symlink(outside.join("app.war"), file(&call)).unwrap();
        scene.upgraded(&call, 1);
        assert!(fs::symlink_metadata(file(&call)).unwrap().is_file());
        // A link in place of a directory is not followed.
        let deep = scene.upgradable(&format!("deep-{way:?}"), way);
        let deep = deep.context(&[("path", "sub")]);
        scene.driver.publish(&deep).unwrap();
        fs::remove_dir_all(deep.target().join("sub")).unwrap();
        symlink(&outside, deep.target().join("sub")).unwrap();
        scene.upgrade(&deep, 2);
        until("the log says that it cannot change", || {
            let log = scene.driver.log();
            let mut lines = log
                .lines()
                .filter(|line| line.contains("keeps its content"));
            lines.any(|line| line.contains(&format!("deep-{way:?}")))
        });
    }
    assert_eq!(
        fs::read_to_string(outside.join("app.war")).unwrap(),
        "another's"
    );
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}
