//! One of the two ends in the middle.

use super::*;

/// An interrupt, a kill: nothing is half done, and the next one goes on where this one was.
#[test]
fn a_mount_that_is_given_up_stops_its_download_and_is_taken_up_again() {
    let sandbox = Sandbox::new();
    let origin = origin();
    let url = origin.url("/a.war");
    let driver = Driver::start(&sandbox);
    let ends = [Signal::INT, Signal::TERM, Signal::KILL];
    for (n, end) in ends.into_iter().enumerate() {
        let before = origin.gets("/a.war");
        let at = 50_000;
        origin.behave("/a.war", vec![Behaviour::SilenceAt { at }.times(1)]);
        let child = begin(&sandbox, &["mount", &url, "dir"]);
        until("it downloads", || {
            origin.gets("/a.war") > before && origin.log().last().unwrap().sent >= at
        });
        child.signal(end);
        let ran = child.ended();
        if end != Signal::KILL {
            assert_eq!(ran.code, 130, "{ran:?}");
            assert!(
                ran.stderr.contains("nothing is left half done"),
                "{}",
                ran.stderr
            );
        }
        until("the driver gives up", || {
            driver.log().matches("abandoned by its caller").count() == n + 1
        });
        until("the origin is left alone", || origin.is_idle());
        assert_eq!(sandbox.bucket("volumes").len(), 0);
        assert!(!exists(&sandbox.path("dir")));
    }
    sandbox.mount(&url, "dir", &[]);
    assert!(origin.log().last().unwrap().range.is_some(), "from zero");
    assert!(read(&sandbox.path("dir")) == bytes(60, LENGTH));
    sandbox.run(["unmount", "dir"]).must(0);
}

#[test]
fn one_of_two_that_gives_up_leaves_the_download_to_the_other() {
    let sandbox = Sandbox::new();
    let origin = origin();
    let (at, ms) = (100_000, 5000);
    origin.behave("/a.war", vec![Behaviour::Pause { at, ms }.always()]);
    let url = origin.url("/a.war");
    let driver = Driver::start(&sandbox);
    let children = [0, 1].map(|_| begin(&sandbox, &["mount", &url, "dir"]));
    downloads(&sandbox, &origin);
    let [stays, goes] = children;
    until("both wait", || {
        driver
            .log()
            .matches("a command is waiting for a mount")
            .count()
            == 2
    });
    goes.signal(Signal::INT);
    assert_eq!(goes.ended().code, 130);
    stays.ended().must(0);
    assert!(read(&sandbox.path("dir")) == bytes(60, LENGTH));
    assert_eq!(origin.gets("/a.war"), 1);
    sandbox.run(["unmount", "dir"]).must(0);
}

/// An interrupt does not take away what was there.
#[test]
fn a_mount_that_is_there_survives_an_interrupt_of_the_next() {
    let sandbox = Sandbox::new();
    let origin = origin();
    let url = origin.url("/a.war");
    let driver = Driver::start(&sandbox);
    sandbox.mount(&url, "dir", &[]);
    let before = crate::node::mounts_at(&sandbox.path("dir"));
    kill_process(driver.pid(), Signal::STOP).unwrap();
    let child = begin(&sandbox, &["mount", &url, "dir"]);
    kill_process(driver.pid(), Signal::CONT).unwrap();
    child.signal(Signal::INT);
    child.ended();
    sandbox.run(["volumes"]).must(0);
    assert_eq!(crate::node::mounts_at(&sandbox.path("dir")), before);
    sandbox.run(["unmount", "dir"]).must(0);
}

#[test]
fn an_unmount_ends_the_wait_of_a_mount() {
    let sandbox = Sandbox::new();
    let origin = silent();
    let driver = Driver::start(&sandbox);
    let child = begin(&sandbox, &["mount", &origin.url("/a.war"), "dir"]);
    downloads(&sandbox, &origin);
    sandbox.run(["unmount", "dir"]).must(0);
    let ran = child.ended().must(12);
    assert!(
        ran.stderr.contains("was unpublished while it was waiting"),
        "{}",
        ran.stderr
    );
    assert!(!exists(&sandbox.path("dir")));
    drop(driver);
}

/// SIGTERM: who waits is told, and what was downloaded is kept.
#[test]
fn a_driver_that_stops_says_so_to_who_waits() {
    let sandbox = Sandbox::new();
    let origin = silent();
    let driver = Driver::start(&sandbox);
    let child = begin(&sandbox, &["mount", &origin.url("/a.war"), "dir"]);
    downloads(&sandbox, &origin);
    assert!(driver.stop().success());
    let ran = child.ended().must(11);
    assert!(
        ran.stderr.contains("the driver is shutting down"),
        "{}",
        ran.stderr
    );
    assert!(
        !exists(&sandbox.root().join("admin.sock")),
        "its socket goes with it"
    );
    sandbox.mount(&origin.url("/a.war"), "dir", &[]);
    assert!(origin.log().last().unwrap().range.is_some(), "from zero");
    sandbox.run(["unmount", "dir"]).must(0);
}

/// A command that hangs does not keep the driver from ending, nor the next one from beginning.
#[test]
fn a_command_that_hangs_holds_up_nobody() {
    let sandbox = Sandbox::new();
    let origin = silent();
    let driver = Driver::start(&sandbox);
    let hangs = begin(&sandbox, &["mount", &origin.url("/a.war"), "dir"]);
    downloads(&sandbox, &origin);
    hangs.signal(Signal::STOP);
    sandbox.run(["volumes"]).must(0);
    let log = driver.log().len();
    assert!(driver.stop().success());
    let log = std::fs::read_to_string(sandbox.path("log"))
        .unwrap()
        .split_off(log);
    assert!(log.contains("stopped") && !log.contains("cut off"), "{log}");
    sandbox.mount(&origin.url("/a.war"), "dir", &[]);
    hangs.signal(Signal::CONT);
    let ran = hangs.ended().must(11);
    assert!(ran.stderr.contains("the driver"), "{}", ran.stderr);
    sandbox.run(["unmount", "dir"]).must(0);
}

#[test]
fn a_driver_that_is_killed_is_missed_and_the_store_is_whole() {
    let sandbox = Sandbox::new();
    let origin = silent();
    let driver = Driver::start(&sandbox);
    cache_zeros(&sandbox, 'f', 1 << 40);
    let pid = driver.pid();
    let mount = begin(&sandbox, &["mount", &origin.url("/a.war"), "dir"]);
    let verify = begin(&sandbox, &["cache", "verify", "--output", "json"]);
    verify.says("verifying sha256:ffff");
    downloads(&sandbox, &origin);
    drop(driver);
    for (child, asked) in [(verify, "verify the cache"), (mount, "mount")] {
        let ran = child.ended().must(11);
        let words = [
            format!("process {pid}"),
            format!("did not answer the request to {asked}"),
        ];
        assert!(
            words.iter().all(|w| ran.stderr.contains(w)),
            "{}",
            ran.stderr
        );
    }
    std::fs::remove_file(sandbox.root().join("v1/blobs").join("f".repeat(64))).unwrap();
    sandbox.run(["volumes"]).must(0);
    sandbox.mount(&origin.url("/a.war"), "dir", &[]);
    sandbox.run(["unmount", "dir"]).must(0);
    sandbox.assert_no_volume_left();
}

/// Who verifies and goes away keeps neither the driver busy nor the next one from it.
#[test]
fn a_verify_that_is_given_up_makes_way_for_the_next() {
    let sandbox = Sandbox::new();
    let driver = Driver::start(&sandbox);
    cache_zeros(&sandbox, 'e', 1 << 30);
    cache_zeros(&sandbox, 'f', 1 << 30);
    let first = begin(&sandbox, &["cache", "verify"]);
    first.says("verifying");
    let second = begin(&sandbox, &["cache", "verify"]);
    sandbox.run(["cache", "ls"]).must(0);
    first.signal(Signal::INT);
    assert_eq!(first.ended().code, 130);
    second.ended().must(6);
    // What the first was at is set aside although nobody listens any more.
    assert_eq!(
        driver.log().matches("is damaged and was discarded").count(),
        2
    );
    assert_eq!(sandbox.bucket("blobs").len(), 0);
}
