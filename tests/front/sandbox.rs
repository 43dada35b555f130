//! A place for one test: a mount namespace and a directory of its own, and the program in it.
//!
//! A namespace belongs to a thread here (`unshare(CLONE_NEWNS)`), and the processes that the thread starts inherit it:
//! what a test mounts is seen by nobody else and is gone with the thread.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};
use serde_json::Value;
use tempfile::TempDir;

/// One test's directory, in its own mount namespace.
pub(crate) struct Sandbox {
    dir: TempDir,
}

impl Sandbox {
    /// Needs root: without it the test fails and says so.
    pub(crate) fn new() -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "this test mounts: run the tests as root"
        );
        unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace of its own");
        let all = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
        mount_change("/", all).expect("private propagation");
        Self {
            dir: tempfile::Builder::new()
                .prefix("war-vol-test-")
                .tempdir()
                .unwrap(),
        }
    }

    /// A path in the sandbox.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The store's root.
    pub(crate) fn root(&self) -> PathBuf {
        self.path("root")
    }

    /// The program, with the sandbox's store, short pauses and no settings from outside. The share of free space is
    /// not looked at: a test machine's disk may be nearly full.
    pub(crate) fn war_vol(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_war-vol"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("WAR_VOL_ROOT", self.root())
            .env("WAR_VOL_KEEP_FREE", "0")
            .env("WAR_VOL_RETRY_PAUSE", "10ms")
            .env("WAR_VOL_LONGEST_PAUSE", "100ms")
            .env("WAR_VOL_STALL_TIME", "5s")
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        Ran::of(
            self.war_vol()
                .args(arguments)
                .output()
                .expect("the program runs"),
        )
    }

    /// Mounts an artifact on a directory of the sandbox, which must succeed.
    pub(crate) fn mount(&self, url: &str, dir: &str, more: &[&str]) -> Ran {
        let mut arguments = vec!["mount", url, dir];
        arguments.extend(more);
        self.run(arguments).must(0)
    }

    /// How many mounts there are in the sandbox's directory.
    pub(crate) fn mounts(&self) -> usize {
        mounts_below(self.dir.path()).len()
    }

    /// How many mounts are stacked on one directory.
    pub(crate) fn mounts_at(&self, dir: &Path) -> usize {
        let all = mounts_below(self.dir.path());
        all.iter().filter(|target| *target == dir).count()
    }

    /// What is left in one of the store's buckets.
    pub(crate) fn bucket(&self, name: &str) -> Vec<PathBuf> {
        let mut all: Vec<_> = match fs::read_dir(self.root().join("v1").join(name)) {
            Ok(entries) => entries.map(|e| e.unwrap().path()).collect(),
            Err(_) => Vec::new(),
        };
        all.sort();
        all
    }

    /// Nothing is mounted, no volume and no partial download is left, and nothing waits to be deleted.
    pub(crate) fn assert_nothing_left(&self) {
        assert_eq!(self.mounts(), 0, "mounts are left");
        self.assert_no_volume_left();
    }

    /// The same, where the test itself has mounted something.
    pub(crate) fn assert_no_volume_left(&self) {
        for bucket in ["volumes", "partial", "trash"] {
            assert_eq!(
                self.bucket(bucket),
                Vec::<PathBuf>::new(),
                "{bucket} is not empty"
            );
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // So that removing the directory removes nothing that is only mounted there.
        for target in mounts_below(self.dir.path()).into_iter().rev() {
            let _ = unmount(&target, UnmountFlags::DETACH);
        }
    }
}

fn mounts_below(dir: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let targets = table
        .lines()
        .filter_map(|line| line.split(' ').nth(4).map(PathBuf::from));
    targets.filter(|t| t.starts_with(dir)).collect()
}

/// What the program said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("stdout is text"),
            stderr: String::from_utf8(output.stderr).expect("stderr is text"),
        }
    }

    /// Ended with this code.
    pub(crate) fn must(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Said this on stderr, within the length that an event of Kubernetes has.
    pub(crate) fn says(self, words: &str) -> Self {
        assert!(
            self.stderr.contains(words),
            "{words:?} is not in {}",
            self.stderr
        );
        let longest = self.stderr.lines().map(str::len).max().unwrap_or_default();
        assert!(longest <= 1020, "a line of {longest} bytes");
        self
    }

    /// Stdout as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout))
    }
}
