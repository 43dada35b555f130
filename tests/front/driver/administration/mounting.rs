//! Volumes of the command line in a driver's hands.

use std::fs;

use rustix::mount::{UnmountFlags, unmount};

use super::*;

#[test]
fn mount_and_unmount_do_and_say_the_same_with_a_driver_and_without() {
    let sandbox = Sandbox::new();
    let origin = origin();
    let url = origin.url("/a.war");
    let course = || {
        let runs: [&[&str]; 9] = [
            &["mount", &url, "dir"],
            &["mount", &url, "dir"],
            &["mount", &url, "dir", "--read-only"],
            &["mount", &url, "there/", "--read-only", "--output", "json"],
            &["unmount", "dir", "--output", "json"],
            &["unmount", "dir", "--output", "json"],
            &["unmount", "there"],
            &["mount", &url, "dir", "--layout", "copy", "--output", "json"],
            &["unmount", "dir"],
        ];
        fs::create_dir(sandbox.path("there")).unwrap();
        let said = runs.map(|run| said(&sandbox, run));
        assert!(!exists(&sandbox.path("dir")), "it was made for the volume");
        fs::remove_dir(sandbox.path("there")).expect("it was there before");
        until("its trash is gone", || sandbox.bucket("trash").is_empty());
        sandbox.assert_no_volume_left();
        said
    };
    let driver = Driver::start(&sandbox);
    let with = course();
    assert!(driver.stop().success());
    assert_eq!(with, course());
    let codes = with.each_ref().map(|(code, ..)| *code);
    assert_eq!(codes, [0, 0, 8, 0, 0, 0, 0, 0, 0], "{with:?}");
    assert_eq!(
        origin.gets("/a.war"),
        6,
        "each mount that is new asks the origin"
    );
}

#[test]
fn a_mount_that_fails_ends_and_says_the_same_with_a_driver_and_without() {
    let sandbox = Sandbox::new();
    let origin = origin();
    let (url, missing) = (origin.url("/a.war"), origin.url("/missing.war"));
    fs::create_dir_all(sandbox.path("full/of")).unwrap();
    fs::write(sandbox.path("wrong"), "nonsense\n").unwrap();
    fs::write(sandbox.path("unknown"), "key=value\n").unwrap();
    let long = format!("https://example.com/{}", "x".repeat(100_000));
    let pin = format!("sha256:{}", "0".repeat(64));
    let runs: [(&[&str], i32); 12] = [
        (&["mount", &missing, "dir"], 3),
        (&["mount", &url, "full"], 9),
        (&["mount", &url, "no/parent"], 2),
        (&["mount", &url, "wrong/dir"], 2),
        (&["mount", &url, "wrong"], 9),
        (&["mount", &url, "/"], 2),
        (&["mount", &url, ""], 2),
        (&["mount", &url, "dir", "--layout", "side by side"], 2),
        (&["mount", &url, "dir", "--credentials", "wrong"], 2),
        (&["mount", &url, "dir", "--credentials", "unknown"], 2),
        (&["mount", &long, "dir"], 2),
        (&["mount", &url, "dir", "--checksum", &pin], 6),
    ];
    // What is wrong and unchanged is remembered.
    sandbox.run(runs[11].0).must(6);
    let course = || {
        let said = runs.map(|(run, code)| {
            let text = said(&sandbox, run);
            assert_eq!(text.0, code, "{run:?}: {text:?}");
            let json = [run, &["--output", "json"]].concat();
            (text, self::said(&sandbox, &json))
        });
        until("what was discarded is deleted", || {
            sandbox.bucket("trash").is_empty()
        });
        sandbox.assert_no_volume_left();
        assert!(!exists(&sandbox.path("dir")));
        said
    };
    let driver = Driver::start(&sandbox);
    let with = course();
    assert!(driver.stop().success());
    assert_eq!(with, course());
}

/// What one driver has mounted for the command line the next one leaves alone, whatever becomes of the directory.
#[test]
fn a_volume_of_the_command_line_outlives_the_driver_and_is_never_swept() {
    let sandbox = Sandbox::new();
    let origin = origin();
    let driver = Driver::start(&sandbox);
    fs::create_dir(sandbox.path("parent")).unwrap();
    sandbox.mount(&origin.url("/a.war"), "parent/gone", &[]);
    sandbox.mount(&origin.url("/a.war"), "dir", &[]);
    let before = crate::node::mounts_at(&sandbox.path("dir"));
    assert!(driver.stop().success());
    unmount(sandbox.path("parent/gone"), UnmountFlags::DETACH).unwrap();
    fs::remove_dir_all(sandbox.path("parent")).unwrap();
    let _driver = Driver::start(&sandbox);
    assert_eq!(crate::node::mounts_at(&sandbox.path("dir")), before);
    let listed = sandbox.run(["volumes", "--output", "json"]).must(0).json();
    let mut mounted: Vec<_> = listed["volumes"].as_array().unwrap().iter().collect();
    mounted.sort_by_key(|v| v["dir"].to_string());
    assert_eq!(mounted.len(), 2);
    assert!(mounted.iter().all(|v| v["owner"] == "command line"));
    assert_eq!(
        (&mounted[0]["mounted"], &mounted[1]["mounted"]),
        (&true.into(), &false.into())
    );
    for dir in ["dir", "parent/gone"] {
        sandbox.run(["unmount", dir]).must(0);
    }
    until("its trash is gone", || sandbox.bucket("trash").is_empty());
    sandbox.assert_no_volume_left();
}

#[test]
fn a_volume_of_kubelets_is_not_the_command_lines_to_unmount() {
    let sandbox = Sandbox::new();
    let origin = origin();
    let driver = Driver::start(&sandbox);
    let call = driver.inline("pod", &origin.url("/a.war"));
    driver.publish(&call).unwrap();
    let target = call.target();
    let with = said(&sandbox, &["unmount", target.to_str().unwrap()]);
    assert_eq!(with.0, 2, "{with:?}");
    assert!(
        with.2.contains("the volume of a pod; delete the pod"),
        "{with:?}"
    );
    assert!(read(&target) == bytes(60, LENGTH));
    assert!(driver.stop().success());
    assert_eq!(with, said(&sandbox, &["unmount", target.to_str().unwrap()]));
}

#[test]
fn commands_at_once_share_one_download_and_do_not_wait_for_each_other() {
    let sandbox = Sandbox::new();
    let origin = origin();
    let (at, ms) = (100_000, 1000);
    origin.behave("/a.war", vec![Behaviour::Pause { at, ms }.always()]);
    let url = origin.url("/a.war");
    let driver = Driver::start(&sandbox);
    // Whoever comes after the last byte has it, too.
    let pin = digest(&bytes(60, LENGTH));
    let call = driver.inline("pod", &url).context(&[("checksum", &pin)]);
    std::thread::scope(|threads| {
        let published = threads.spawn(|| driver.publish(&call));
        downloads(&sandbox, &origin);
        // Two of them the same.
        let children = ["a", "a", "b", "c"]
            .map(|dir| begin(&sandbox, &["mount", &url, dir, "--checksum", &pin]));
        let listed = sandbox.run(["volumes", "--output", "json"]).must(0).json();
        assert_eq!(
            listed["volumes"],
            serde_json::json!([]),
            "the list does not wait"
        );
        for child in children {
            child.ended().must(0);
        }
        published.join().unwrap().unwrap();
    });
    assert_eq!(origin.gets("/a.war"), 1);
    for dir in ["a", "b", "c"] {
        assert!(read(&sandbox.path(dir)) == bytes(60, LENGTH));
        assert_eq!(sandbox.mounts_at(&sandbox.path(dir)), 1);
    }
    let children = ["a", "a", "b", "c"].map(|dir| begin(&sandbox, &["unmount", dir]));
    for child in children {
        child.ended().must(0);
    }
    driver.unpublish(&call).unwrap();
    until("its trash is gone", || sandbox.bucket("trash").is_empty());
    sandbox.assert_no_volume_left();
}

#[test]
fn credentials_without_end_are_refused() {
    let sandbox = Sandbox::new();
    let token = format!("token={}\n", "x".repeat(3 << 20));
    fs::write(sandbox.path("long"), token).unwrap();
    let _driver = Driver::start(&sandbox);
    sandbox
        .run([
            "mount",
            "https://example.com/a.war",
            "dir",
            "--credentials",
            "long",
        ])
        .must(2)
        .says("shorten the credentials");
    sandbox.run(["volumes"]).must(0);
}

/// A limit that does not hold must not look as if it did.
#[test]
fn settings_that_are_the_drivers_are_said_not_to_count() {
    let sandbox = Sandbox::new();
    let origin = origin();
    let mount = |more: &[&str]| sandbox.mount(&origin.url("/a.war"), "dir", more).stderr;
    let driver = Driver::start(&sandbox);
    let typed = ["--max-size", "1Mi", "--cache-size=1Gi", "--path", "a"];
    let words = "the driver uses its own settings and ignores --cache-size, --max-size\n";
    assert_eq!(mount(&typed), words);
    assert_eq!(mount(&["--path", "a"]), "");
    assert!(driver.stop().success());
    assert_eq!(mount(&typed), "");
    sandbox.run(["unmount", "dir"]).must(0);
}

/// Canary secrets (docs/design/faults.md, 44).
#[test]
fn the_credentials_of_a_mount_reach_the_origin_and_no_log() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    let war = Object::new(bytes(60, LENGTH)).guarded("Bearer c4nary-token");
    origin.put("/a.war", war);
    let driver = Driver::begin(&sandbox, &["--log-level", "trace"]);
    driver.is_ready();
    let url = origin.url("/a.war?sig=c4nary-sig");
    let mut heard = String::new();
    for (token, code) in [("c4nary-token", 0), ("c4nary-wrong", 4)] {
        for dir in ["dir", "other"] {
            let mut command = sandbox.war_vol();
            command
                .args(["mount", &url, dir, "--log-level", "trace"])
                .env("WAR_VOL_TOKEN", token);
            let ran = Ran::of(command.output().unwrap());
            // What is there stays there.
            assert!([0, code].contains(&ran.code), "{}", ran.stderr);
            heard.push_str(&ran.stderr);
            heard.push_str(&ran.stdout);
        }
        sandbox.run(["unmount", "other"]).must(0);
    }
    assert!(origin.has_seen("c4nary-token") && origin.has_seen("c4nary-wrong"));
    heard.push_str(&driver.log());
    assert!(heard.contains("mount: done"), "{heard}");
    assert!(!heard.contains("c4nary"), "{heard}");
    sandbox.run(["unmount", "dir"]).must(0);
}
