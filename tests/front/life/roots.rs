//! Two programs and one root (docs/design/faults.md, 29).

use std::fs;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::node::{bytes, until};
use crate::origin::{Behaviour, Object, Origin};
use crate::sandbox::{Ran, Sandbox};

/// Starts the program, and gives back its process.
fn begin(sandbox: &Sandbox, arguments: &[&str]) -> Child {
    let mut command = sandbox.war_vol();
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn silent_origin() -> Origin {
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(29, 500_000)));
    let silence = Behaviour::SilenceAt { at: 300_000 };
    origin.behave("/a.war", vec![silence.times(1)]);
    origin
}

fn waits(sandbox: &Sandbox, child: &Child) {
    // What sleeps in flock(2) waits for the lock.
    let stack = format!("/proc/{}/wchan", child.id());
    let locks = || std::fs::read_to_string("/proc/locks").unwrap();
    let ours = format!(" {} ", child.id());
    until("it waits for the lock", || {
        let waiting = locks()
            .lines()
            .any(|line| line.contains("->") && line.contains(&ours));
        waiting || std::fs::read_to_string(&stack).is_ok_and(|s| s.contains("lock"))
    });
    assert!(sandbox.root().join("lock").exists());
}

/// The second names the first and waits; the lock is the kernel's, and ends with its holder, however that ends.
#[test]
fn two_programs_on_one_root_work_one_after_the_other() {
    let sandbox = Sandbox::new();
    let origin = silent_origin();
    let url = origin.url("/a.war");
    let mut first = begin(&sandbox, &["mount", &url, "a"]);
    until("the first downloads", || origin.bytes_sent("/a.war") > 0);
    let commands: [&[&str]; 4] = [
        &["mount", &url, "b"],
        &["cache", "prune"],
        &["volumes"],
        &["unmount", "a"],
    ];
    let children: Vec<_> = commands.iter().map(|c| begin(&sandbox, c)).collect();
    for child in &children {
        waits(&sandbox, child);
    }
    assert_eq!(sandbox.mounts(), 0, "nobody goes ahead");
    let holder = first.id();
    kill_process(Pid::from_child(&first), Signal::KILL).unwrap();
    first.wait().unwrap();
    for (child, command) in children.into_iter().zip(commands) {
        let ran = Ran::of(child.wait_with_output().unwrap()).must(0);
        let names = |pid: u32| {
            ran.stderr
                .contains(&format!("process {pid} (war-vol mount)"))
        };
        assert!(names(holder), "{command:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("waiting for it to finish"));
    }
    assert_eq!(sandbox.mounts(), 1);
    assert_eq!(
        std::fs::read(sandbox.path("b/a.war")).unwrap(),
        bytes(29, 500_000)
    );
}

#[test]
fn whoever_waits_for_the_lock_can_be_interrupted() {
    let sandbox = Sandbox::new();
    let origin = silent_origin();
    let url = origin.url("/a.war");
    let mut first = begin(&sandbox, &["mount", &url, "a"]);
    until("the first downloads", || origin.bytes_sent("/a.war") > 0);
    let second = begin(&sandbox, &["mount", &url, "b"]);
    waits(&sandbox, &second);
    kill_process(Pid::from_child(&second), Signal::INT).unwrap();
    let ran = Ran::of(second.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    first.kill().unwrap();
    first.wait().unwrap();
    sandbox.mount(&url, "a", &[]);
}

/// An interrupt leaves nothing half done: the next command goes on where this one was.
#[test]
fn an_interrupted_mount_leaves_no_volume_and_is_taken_up_again() {
    let sandbox = Sandbox::new();
    let origin = silent_origin();
    let url = origin.url("/a.war");
    for signal in [Signal::INT, Signal::TERM] {
        let before = origin.gets("/a.war");
        origin.behave("/a.war", vec![Behaviour::SilenceAt { at: 50_000 }.times(1)]);
        let child = begin(&sandbox, &["mount", &url, "dir"]);
        until("it downloads", || {
            let sent = origin.gets("/a.war") > before;
            let mut partials = sandbox.bucket("partial").into_iter();
            // What was sent may still be on its way to the disk.
            sent && partials.any(|p| fs::metadata(p.join("data")).is_ok_and(|m| m.len() >= 50_000))
        });
        kill_process(Pid::from_child(&child), signal).unwrap();
        let ran = Ran::of(child.wait_with_output().unwrap()).must(130);
        assert!(ran.stderr.contains("interrupted"), "{}", ran.stderr);
        assert_eq!(sandbox.mounts(), 0);
        assert_eq!(sandbox.bucket("volumes").len(), 0);
        assert!(!sandbox.path("dir").exists());
    }
    sandbox.mount(&url, "dir", &[]);
    assert!(origin.log().last().unwrap().range.is_some(), "from zero");
}
