//! Which version a volume shows, from its first to its last (docs/upgrade.md).

use std::fs;

use tonic::Code;

use super::scene::Scene;
use super::upgrade::{WAYS, Way, file, modified, path, shows, war};
use super::{Call, Driver};
use crate::disk::reboot::reboot;
use crate::node::{detach, until};
use crate::origin::{Behaviour, Object};

/// What was last swapped in is shown, and the pod's own files are gone, as after any reboot.
#[test]
fn after_a_kill_and_after_a_reboot_the_last_version_is_shown_without_an_origin() {
    let mut scene = Scene::versions();
    let calls: Vec<Call> = WAYS
        .map(|way| scene.upgradable(&format!("{way:?}"), way))
        .into();
    for call in &calls {
        scene.driver.publish(call).unwrap();
        scene.upgraded(call, 2);
    }
    scene = scene.killed();
    for call in &calls {
        let stamp = modified(&file(call));
        scene.upgraded(call, 2);
        assert_eq!(modified(&file(call)), stamp, "the same version is no swap");
        scene.upgraded(call, 1);
        scene.upgraded(call, 2);
    }
    for path in [path(1), path(2)] {
        scene
            .origin
            .behave(&path, vec![Behaviour::Refused { status: 404 }.always()]);
    }
    scene = scene.killed_and(|sandbox| {
        reboot(sandbox, &[], "another-boot");
        for call in &calls {
            detach(&call.target());
        }
        Driver::start(sandbox)
    });
    for call in &calls {
        scene
            .driver
            .publish(&call.clone().secret("version", "2"))
            .unwrap();
        assert!(fs::read(file(call)).unwrap() == war(2));
        scene.upgraded(call, 1);
        scene.driver.unpublish(call).unwrap();
    }
    scene.nothing_left();
}

/// Tomcat's parallel deployment: a name of its own for each version, and the old one goes later.
#[test]
fn a_counter_names_each_version_and_the_old_one_goes_after_its_time() {
    let scene = Scene::versions();
    for way in WAYS {
        let call = scene.upgradable(&format!("{way:?}"), way);
        let call = call.context(&[("fileName", "ROOT##${swap}.war"), ("drain", "2s")]);
        scene.driver.publish(&call).unwrap();
        let at = |swap: u32| call.target().join(format!("ROOT##{swap:08}.war"));
        let is = |swap: u32, version| fs::read(at(swap)).is_ok_and(|is| is == war(version));
        assert!(is(1, 1));
        for (swap, version) in [(2, 2), (3, 1)] {
            scene.upgrade(&call, version);
            until("the next one is there", || is(swap, version));
            assert!(at(swap - 1).exists(), "the old one is still there");
            until("the old one has gone", || !at(swap - 1).exists());
        }
        scene.driver.unpublish(&call).unwrap();
    }
    scene.nothing_left();
}

/// No second swap within the settle time, and then the newest; a first one that comes soon is stamped once more.
#[test]
fn versions_settle() {
    let scene = Scene::versions();
    let call = scene
        .upgradable("pod", Way::Overlay)
        .context(&[("settle", "5s")]);
    scene.driver.publish(&call).unwrap();
    scene.upgraded(&call, 2);
    let first = modified(&file(&call));
    scene.release(3);
    scene.upgrade(&call, 1);
    scene.upgraded(&call, 3);
    let third = modified(&file(&call));
    let apart = third.duration_since(first).unwrap();
    assert!(apart.as_secs() >= 4, "{apart:?}");
    let other = scene
        .upgradable("other", Way::Bind)
        .context(&[("settle", "3s")]);
    scene.driver.publish(&other).unwrap();
    scene.upgraded(&other, 2);
    let first = modified(&file(&other));
    until("its time is set once more", || {
        modified(&file(&other)) > first
    });
    shows(&other, 2);
}

/// The server is asked conditionally, and kubelet's calls wait for nothing of that.
#[test]
fn a_refresh_takes_what_is_newer() {
    let scene = Scene::versions();
    let url = scene.origin.url(&path(1));
    let calls = WAYS.map(|way| {
        let call = scene.driver.inline(&format!("{way:?}"), &url);
        let call = call.context(&[("refresh", "10s"), ("settle", "0s")]);
        match way {
            Way::Bind => call.read_only(),
            Way::Overlay => call,
            Way::Copy => call.context(&[("layout", "copy")]),
        }
    });
    for call in &calls {
        scene.driver.publish(call).unwrap();
        shows(call, 1);
    }
    let sent = scene.origin.bytes_sent(&path(1));
    until("each has asked again", || scene.origin.gets(&path(1)) >= 5);
    assert_eq!(scene.origin.bytes_sent(&path(1)), sent, "nothing was new");
    scene.origin.put(&path(1), Object::new(war(2)));
    for call in &calls {
        shows(call, 2);
    }
    let log = scene.driver.log();
    assert!(!log.contains("keeps its content"), "{log}");
}

/// Nothing publishes a volume of theirs again.
#[test]
fn a_command_line_has_no_variables() {
    let scene = Scene::new();
    let url = scene.origin.url("/${pod.name}/a.war");
    let told = scene.sandbox.run(["mount", &url, "somewhere"]).must(2);
    let words = "${pod.name} works only in volumes that kubelet mounts through CSI";
    assert!(told.stderr.contains(words), "{}", told.stderr);
}

/// The advice of docs/troubleshooting.md.
#[test]
fn a_wrong_variable_is_taken_once_it_is_mended() {
    let scene = Scene::versions();
    let url = |path: &str| scene.origin.url(path);
    let fixed = url("/v1/app.war");
    let template = url("/v${secret['version']}/app.war");
    let elsewhere = "http://${secret['version']}/app.war";
    let rows: [(&str, &str, &str, &str); 12] = [
        (
            "downloadURL",
            &url("/v${secret['version'/app.war"),
            "is not closed",
            &template,
        ),
        (
            "downloadURL",
            &url("/v${version}/app.war"),
            "unknown variable ${version}",
            &template,
        ),
        (
            "downloadURL",
            &url("/v${pod.labels['v']}/app.war"),
            "needs access to the API server",
            &template,
        ),
        (
            "downloadURL",
            elsewhere,
            "write scheme, host and port out",
            &template,
        ),
        (
            "downloadURL",
            &url("/v${secret['token']}/app.war"),
            "is a credential",
            &template,
        ),
        (
            "downloadURL",
            &url("/v${swap}/app.war"),
            "${swap} is only for fileName",
            &template,
        ),
        (
            "fileName",
            "a##${secret['version']}.war",
            "after ##: Tomcat compares",
            "a##${swap}.war",
        ),
        (
            "path",
            "${secret['none']}",
            "has no value",
            "${secret['none']:-apps}",
        ),
        ("refresh", "1s", "use a time from 10s", "10s"),
        ("settle", "1h", "use a time from 0s to 10m", "10m"),
        ("drain", "soon", "use a time from 0s to 1day", "0"),
        (
            "checksum",
            "${secret['version']}",
            "the attribute checksum",
            "${secret['none']:-}",
        ),
    ];
    for (i, (name, wrong, says, right)) in rows.into_iter().enumerate() {
        let call = scene.driver.inline(&format!("pod{i}"), &fixed);
        let (code, words) = scene
            .driver
            .publish(&call.clone().context(&[(name, wrong)]))
            .unwrap_err();
        assert_eq!(code, Code::InvalidArgument, "{words}");
        assert!(words.contains(says), "{says} is not in {words}");
        // A key that nothing names would be refused as one that is misspelt.
        let call = match right.contains("secret['version']") {
            true => call.secret("version", "1"),
            false => call,
        };
        let call = call.context(&[(name, right)]);
        scene.driver.publish(&call).unwrap();
        scene.driver.unpublish(&call).unwrap();
    }
    let pinned = scene.driver.inline("pinned", &fixed);
    let pinned = pinned.context(&[("checksum", &"0".repeat(64)), ("refresh", "1m")]);
    let (_, words) = scene.driver.publish(&pinned).unwrap_err();
    assert!(
        words.contains("there is nothing newer with the same checksum"),
        "{words}"
    );
}
