//! What users of curl, aria2 and oras reach for.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{Scene, speaks_no_yaml};
use crate::node::until;
use crate::origin::Behaviour;

/// Bare digits, any case, and the line that sha256sum prints.
#[test]
fn a_checksum_is_taken_as_it_lies_before_one() {
    let scene = Scene::new();
    let hex = scene.pin.replace("sha256:", "");
    let upper = hex.to_uppercase();
    for checksum in [
        hex.clone(),
        upper.clone(),
        format!("SHA256:{upper}"),
        format!("{hex}  a.war"),
        format!("{hex} *a.war"),
        format!("SHA256 (a.war) = {hex}"),
    ] {
        let arguments = ["fetch", &scene.url, "-o", "out", "--checksum", &checksum];
        scene.sandbox.run(arguments).must(0);
    }
    let wrong = format!("{}  a.war", "0".repeat(64));
    let arguments = ["fetch", &scene.url, "-o", "other", "--checksum", &wrong];
    scene.sandbox.run(arguments).must(6);
    let arguments = ["mount", &scene.url, "dir", "--checksum", &hex];
    scene.sandbox.run(arguments).must(0);
}

/// A URL without a scheme gets advice, also one with a port, which reads as a scheme.
#[test]
fn a_url_without_a_scheme_gets_advice() {
    let scene = Scene::new();
    for url in [
        "example.com/x.war",
        "example.com:8080/x.war?canary",
        "localhost:80/x",
        "x.war",
        "//h/x",
    ] {
        for arguments in [&["fetch", url][..], &["mount", url, "dir"]] {
            let ran = scene.sandbox.run(arguments).must(2);
            let ran = ran.says("no scheme; put https:// in front of it");
            assert!(!ran.stderr.contains("canary") && !ran.stderr.contains("relative"));
            speaks_no_yaml(&ran);
        }
    }
}

/// It takes at least as long as the rate says, and is no stall.
#[test]
fn a_rate_is_kept_by_fetch_and_by_mount() {
    let scene = Scene::new();
    for arguments in [&["fetch", &scene.url][..], &["mount", &scene.url, "dir"]] {
        let began = Instant::now();
        let limited = [
            arguments,
            &["--limit-rate", "200k", "--stall-time", "500ms"],
        ]
        .concat();
        scene.sandbox.run(limited).must(0);
        let least = Duration::from_millis(1500); // 300,000 bytes at 200,000 a second
        assert!(began.elapsed() >= least, "{:?}", began.elapsed());
    }
    assert_eq!(scene.origin.gets("/a.war"), 2);
    for (rate, says) in [
        ("0", "not a size"),
        ("fast", "not a size"),
        ("1Ki", "--stall-speed"),
    ] {
        let ran = scene
            .sandbox
            .run(["fetch", &scene.url, "--limit-rate", rate]);
        ran.must(2).says("--limit-rate").says(says);
    }
}

/// A limited download ends at once where it is interrupted: it does not sleep until its bytes are paid for.
#[test]
fn a_limited_download_can_be_interrupted() {
    let scene = Scene::new();
    let mut command = scene.sandbox.war_vol();
    let slow = [
        "--limit-rate",
        "2",
        "--stall-speed",
        "1",
        "--stall-time",
        "1h",
    ];
    let command = command.args(["fetch", &scene.url, "-c"]).args(slow);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let data = scene.sandbox.path("a.war.war-vol-part/data");
    until("its first bytes are there", || {
        std::fs::metadata(&data).is_ok_and(|m| m.len() > 0)
    });
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    until("it ends", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// `-q`: errors alone. `-v`: what is done. Neither changes the result.
#[test]
fn quiet_says_errors_alone_and_verbose_what_is_done() {
    let scene = Scene::new();
    let once = || {
        let reset = Behaviour::ResetAt { at: 100_000 }.times(1);
        scene.origin.behave("/a.war", vec![reset]);
    };
    let run = |flags: &[&str]| {
        let command = [&["fetch", &*scene.url, "-o", "out"], flags].concat();
        scene.sandbox.run(command)
    };
    for (flags, info) in [
        (&["-v"][..], true),
        (&["-vv"], true),
        (&["--verbose", "--log-level", "error"], true),
        (&["--log-level", "INFO"], true),
        (&[], false),
        (&["-q"], false),
        (&["--quiet", "--log-level", "info"], false),
    ] {
        once();
        let ran = run(flags).must(0);
        assert!(ran.stdout.starts_with(&scene.pin), "{}", ran.stdout);
        assert_eq!(
            ran.stderr.contains("INFO"),
            info,
            "{flags:?}: {}",
            ran.stderr
        );
        if !info {
            assert_eq!(ran.stderr, "", "{flags:?}");
        }
    }
    let ran = run(&["-q", "--checksum", &"0".repeat(64)]).must(6);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    run(&["-q", "-v"]).must(2);
    // Remarks are no errors.
    let unmount = scene.sandbox.run(["unmount", "none", "-q"]).must(0);
    assert_eq!(unmount.stderr, "");
    scene
        .sandbox
        .run(["unmount", "none"])
        .must(0)
        .says("no war-vol volume is mounted");
}

/// A level that is none was taken for the name of a module, and silence.
#[test]
fn a_log_level_that_is_none_is_refused() {
    let scene = Scene::new();
    for level in ["loud", "", "info,loud", "war_vol=loud", "=info", "2"] {
        let flag = format!("--log-level={level}");
        let ran = scene.sandbox.run(["fetch", &scene.url, &flag]).must(2);
        ran.says("--log-level").says("warn");
    }
    for level in ["INFO", "warn,war_vol::acquire=debug"] {
        let flag = format!("--log-level={level}");
        scene.sandbox.run(["fetch", &scene.url, &flag]).must(0);
    }
    let mut command = scene.sandbox.war_vol();
    let command = command
        .args(["fetch", &scene.url])
        .env("WAR_VOL_LOG", "loud");
    crate::sandbox::Ran::of(command.output().unwrap())
        .must(2)
        .says("--log-level");
}

/// Also what is wrong with the command line itself is one document for programs.
#[test]
fn a_usage_error_is_json_where_json_is_asked_for() {
    let scene = Scene::new();
    for arguments in [
        &["fetch", "--output", "json"][..],
        &["--output=json", "mount", "x"],
        &["fetch", "x", "--bogus", "--output", "json"],
        &["--output", "json", "fetch", "x", "--tries", "many"],
        &["--output", "json", "bogus"],
        &["--output", "json"],
        &["cache", "--output", "json"],
        &["--output", "json", "fetch", "example.com/x"],
    ] {
        let ran = scene.sandbox.run(arguments).must(2);
        let said = ran.json();
        assert_eq!(said["error"]["fault"], "invalid", "{arguments:?}");
        let words = said["error"]["message"].as_str().unwrap();
        assert!(!words.is_empty() && !words.contains("Usage"), "{words}");
        assert!(!ran.stderr.is_empty());
    }
    let bare = scene.sandbox.run(["--output", "json", "cache"]).must(2);
    let words = bare.json()["error"]["message"].to_string();
    assert!(words.contains("no command given"), "{words}");
    // Behind `--` it is no flag, and without it stdout stays empty.
    for arguments in [
        &["fetch", "--bogus", "--", "--output=json"][..],
        &["fetch", "--bogus"],
    ] {
        assert_eq!(scene.sandbox.run(arguments).must(2).stdout, "");
    }
}

/// Twelve lines, not the whole help.
#[test]
fn a_bare_command_says_what_commands_there_are() {
    let scene = Scene::new();
    let ran = scene.sandbox.run::<&str>([]).must(2);
    let lines = ran.stderr.lines().count();
    assert!((8..=14).contains(&lines), "{lines} lines:\n{}", ran.stderr);
    for word in [
        "serve",
        "fetch",
        "mount",
        "unmount",
        "cache",
        "volumes",
        "war-vol help",
    ] {
        assert!(ran.stderr.contains(word), "{word}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("--log-level") && ran.stdout.is_empty());
    let ran = scene.sandbox.run(["cache"]).must(2);
    assert!(ran.stderr.lines().count() <= 12, "{}", ran.stderr);
    assert!(ran.stderr.contains("prune") && ran.stderr.contains("war-vol help cache"));
    let help = scene.sandbox.run(["--help"]).must(0);
    assert!(
        help.stdout.contains("--log-level"),
        "the whole of it is asked for"
    );
}
