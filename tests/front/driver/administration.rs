//! The command line beside a running driver: the same words and the same end as without one.

mod ends;
mod mounting;
mod reach;

use std::fs;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Driver, read};
use crate::disk::on_tmpfs;
use crate::node::{bytes, digest, until};
use crate::origin::{Behaviour, Object, Origin};
use crate::sandbox::{Ran, Sandbox};

const LENGTH: usize = 300_000;

fn origin() -> Origin {
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(60, LENGTH)));
    origin
}

/// What a command says, and how it ends.
fn said(sandbox: &Sandbox, arguments: &[&str]) -> (i32, String, String) {
    let ran = sandbox.run(arguments);
    (ran.code, ran.stdout, ran.stderr)
}

/// A command that runs. Killed when dropped.
struct Running {
    child: Child,
    words: PathBuf,
}

fn begin(sandbox: &Sandbox, arguments: &[&str]) -> Running {
    let words = tempfile::NamedTempFile::new_in(sandbox.path("")).unwrap();
    let (file, words) = words.keep().unwrap();
    let mut command = sandbox.war_vol();
    command.args(arguments).stdout(Stdio::piped()).stderr(file);
    Running {
        child: command.spawn().unwrap(),
        words,
    }
}

impl Running {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// What it has said on stderr.
    fn stderr(&self) -> String {
        fs::read_to_string(&self.words).unwrap()
    }

    /// Waits until it says so.
    fn says(&self, words: &str) {
        until(words, || self.stderr().contains(words));
    }

    /// Waits for its end.
    fn ended(mut self) -> Ran {
        let mut stdout = String::new();
        let mut pipe = self.child.stdout.take().unwrap();
        pipe.read_to_string(&mut stdout).unwrap();
        Ran {
            code: self.child.wait().unwrap().code().unwrap_or(-1),
            stdout,
            stderr: self.stderr(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An origin that is silent in the middle of `/a.war`, once.
fn silent() -> Origin {
    let origin = origin();
    let silence = Behaviour::SilenceAt { at: 100_000 };
    origin.behave("/a.war", vec![silence.times(1)]);
    origin
}

/// Waits until some of it is on disk.
fn downloads(sandbox: &Sandbox, origin: &Origin) {
    until("it downloads", || {
        let partial = sandbox.bucket("partial").into_iter().next();
        let data = partial.and_then(|p| fs::metadata(p.join("data")).ok());
        origin.bytes_sent("/a.war") > 0 && data.is_some_and(|d| d.len() > 0)
    });
}

/// Something that takes long to verify, and nothing to make: `bytes` zeros.
fn cache_zeros(sandbox: &Sandbox, name: char, bytes: u64) {
    let name: String = std::iter::repeat_n(name, 64).collect();
    let path = sandbox.root().join("v1/blobs").join(name);
    fs::File::create(path).unwrap().set_len(bytes).unwrap();
}

#[test]
fn lists_say_the_same_with_a_driver_and_without() {
    let sandbox = Sandbox::new();
    let origin = origin();
    origin.put("/b.war", Object::new(bytes(61, 1000)));
    let driver = Driver::start(&sandbox);
    driver
        .publish(&driver.inline("pod", &origin.url("/a.war")))
        .unwrap();
    sandbox.mount(&origin.url("/b.war"), "dir", &["--read-only"]);
    fs::create_dir(
        sandbox
            .root()
            .join("v1/volumes/0123456789abcdef0123456789abcdef"),
    )
    .unwrap();
    let commands: [&[&str]; 6] = [
        &["volumes"],
        &["volumes", "--output", "json"],
        &["cache", "ls"],
        &["cache", "ls", "--output", "json"],
        &["cache", "verify"],
        &["cache", "verify", "--output", "json"],
    ];
    let with = commands.map(|c| said(&sandbox, c));
    assert!(driver.stop().success());
    let without = commands.map(|c| said(&sandbox, c));
    assert_eq!(with, without);
    assert!(with.iter().all(|(code, ..)| *code == 0), "{with:?}");
    for words in ["kubelet", "command line", "its record cannot be read"] {
        assert!(with[0].1.contains(words), "{words}: {}", with[0].1);
    }
    assert!(with[2].1.contains("2 artifacts"), "{}", with[2].1);
    assert_eq!(with[4].2.matches("verifying sha256:").count(), 2);
    sandbox.run(["unmount", "dir"]).must(0);
}

#[test]
fn prune_says_the_same_with_a_driver_and_without() {
    let sandbox = Sandbox::new();
    let origin = origin();
    let pruned = || {
        sandbox.mount(&origin.url("/a.war"), "dir", &[]);
        let in_use = said(&sandbox, &["cache", "prune"]);
        sandbox.run(["unmount", "dir"]).must(0);
        let unused = said(&sandbox, &["cache", "prune", "--output", "json"]);
        assert_eq!(sandbox.bucket("blobs").len(), 0);
        (in_use, unused)
    };
    let driver = Driver::start(&sandbox);
    let with = pruned();
    assert!(driver.stop().success());
    assert_eq!(with, pruned());
    assert!(with.0.1.contains("removed 0 artifacts"), "{with:?}");
    let data: Value = serde_json::from_str(&with.1.1).unwrap();
    assert_eq!(
        (&data["removed"], &data["bytes"]),
        (&1.into(), &LENGTH.into())
    );
}

#[test]
fn a_damaged_artifact_is_found_through_the_driver_and_fetched_anew() {
    let sandbox = Sandbox::new();
    let origin = origin();
    let driver = Driver::start(&sandbox);
    let call = driver.inline("pod", &origin.url("/a.war"));
    driver.publish(&call).unwrap();
    let blob = sandbox.bucket("blobs").remove(0);
    let file = fs::File::options().write(true).open(blob).unwrap();
    file.write_all_at(&[!bytes(60, LENGTH)[1234]], 1234)
        .unwrap();
    let ran = sandbox.run(["cache", "verify", "--output", "json"]).must(6);
    let damaged = &ran.json()["damaged"][0];
    assert_eq!(damaged["digest"], digest(&bytes(60, LENGTH)).as_str());
    assert_eq!(damaged["volumes"], 1);
    assert_eq!(sandbox.bucket("blobs").len(), 0);
    let other = driver.inline("other", &origin.url("/a.war"));
    driver.publish(&other).unwrap();
    assert!(read(&other.target()) == bytes(60, LENGTH));
    assert_eq!(origin.gets("/a.war"), 2);
    for call in [call, other] {
        driver.unpublish(&call).unwrap();
    }
}

#[test]
fn prune_leaves_a_running_download_alone() {
    let sandbox = Sandbox::new();
    let origin = origin();
    let (at, ms) = (100_000, 5000);
    origin.behave("/a.war", vec![Behaviour::Pause { at, ms }.always()]);
    let driver = Driver::start(&sandbox);
    let call = driver.inline("pod", &origin.url("/a.war"));
    std::thread::scope(|threads| {
        let published = threads.spawn(|| driver.publish(&call));
        downloads(&sandbox, &origin);
        for _ in 0..3 {
            sandbox.run(["cache", "prune"]).must(0);
        }
        assert!(!published.is_finished(), "it was pruned too late");
        published.join().unwrap().unwrap();
    });
    assert!(read(&call.target()) == bytes(60, LENGTH));
    assert_eq!(origin.gets("/a.war"), 1);
    driver.unpublish(&call).unwrap();
}

/// What has landed and is not linked yet is nobody's for a moment, and is fetched again if it goes then.
#[test]
fn prune_that_meets_a_publish_costs_at_most_one_more_download() {
    let sandbox = Sandbox::new();
    let origin = origin();
    let driver = Driver::start(&sandbox);
    for round in 1..=10 {
        let before = origin.gets("/a.war");
        let call = driver.inline("pod", &origin.url("/a.war"));
        std::thread::scope(|threads| {
            let published = threads.spawn(|| driver.publish(&call));
            while !published.is_finished() {
                sandbox.run(["cache", "prune"]).must(0);
            }
            published.join().unwrap().unwrap();
        });
        assert!(read(&call.target()) == bytes(60, LENGTH), "round {round}");
        let asked = origin.gets("/a.war") - before;
        assert!((1..=2).contains(&asked), "round {round}: {asked} times");
        driver.unpublish(&call).unwrap();
        sandbox.run(["cache", "prune"]).must(0);
    }
}

#[test]
fn a_list_of_ten_thousand_volumes_arrives_whole() {
    let sandbox = Sandbox::new();
    let origin = origin();
    on_tmpfs(&sandbox, "size=200m");
    let driver = Driver::start(&sandbox);
    sandbox.mount(&origin.url("/a.war"), "dir", &[]);
    let record = fs::read(sandbox.bucket("volumes")[0].join("want.json")).unwrap();
    let mut record: Value = serde_json::from_slice(&record).unwrap();
    for n in 0..10_000 {
        let dir = sandbox.root().join(format!("v1/volumes/{n:032x}"));
        fs::create_dir(&dir).unwrap();
        record["target"] = format!("{}/{n}", sandbox.path("dirs").display()).into();
        fs::write(dir.join("want.json"), record.to_string()).unwrap();
    }
    let list = || {
        let ran = sandbox.run(["volumes", "--output", "json"]).must(0);
        ran.json()["volumes"].as_array().unwrap().clone()
    };
    let with = list();
    assert!(driver.stop().success());
    assert_eq!(with.len(), 10_001);
    assert!(with == list());
    sandbox.run(["unmount", "dir"]).must(0);
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}
