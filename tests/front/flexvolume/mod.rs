//! kubelet's older interface: the program that it runs for every call, the driver that it asks, and what is left.

mod alone;
mod drivers;
mod install;
mod lives;
mod protocol;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::driver::Driver;
use crate::node::{bytes, until};
use crate::origin::{Object, Origin};
use crate::sandbox::{Ran, Sandbox};

const LENGTH: usize = 300_000;

/// A node with an origin that has `/a.war`, and a driver if one was started.
struct Node {
    driver: Option<Driver>,
    origin: Origin,
    sandbox: Sandbox,
    content: Vec<u8>,
}

impl Node {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let driver = Some(Driver::start(&sandbox));
        let (origin, content) = (Origin::start(), bytes(70, LENGTH));
        origin.put("/a.war", Object::new(content.clone()));
        Self {
            driver,
            origin,
            sandbox,
            content,
        }
    }

    fn driver(&self) -> &Driver {
        self.driver.as_ref().unwrap()
    }

    /// kill -9, and no driver until the next one.
    fn lose_driver(&mut self) {
        drop(self.driver.take().unwrap());
    }

    fn begin_driver(&mut self) {
        self.driver = Some(Driver::start(&self.sandbox));
    }

    /// A directory that kubelet has made for a pod's volume.
    fn dir(&self, pod: &str) -> PathBuf {
        let dir = self
            .sandbox
            .path("kubelet/pods")
            .join(pod)
            .join("volumes/geektime~war-vol/app-volume");
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// What kubelet gives to `mount`.
    fn options(&self, more: &Value) -> String {
        let mut options = json!({
            "downloadURL": self.origin.url("/a.war"),
            "kubernetes.io/fsType": "ext4",
            "kubernetes.io/readwrite": "rw",
            "kubernetes.io/pod.name": "javaweb",
            "kubernetes.io/pod.namespace": "default",
            "kubernetes.io/pod.uid": "1b2c",
            "kubernetes.io/pvOrVolumeName": "app-volume",
            "kubernetes.io/serviceAccount.name": "default",
        });
        let all = options.as_object_mut().unwrap();
        all.extend(more.as_object().unwrap().clone());
        options.to_string()
    }

    fn call<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Value {
        answer(Ran::of(self.command(arguments).output().unwrap()))
    }

    fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = self.sandbox.war_vol();
        command.arg("flexvolume").args(arguments);
        command
    }

    fn mount(&self, dir: &Path, more: &Value) -> Value {
        self.call(&[
            OsStr::new("mount"),
            dir.as_os_str(),
            self.options(more).as_ref(),
        ])
    }

    /// The same, and it goes on.
    fn begin(&self, dir: &Path) -> Running {
        let options = self.options(&json!({}));
        let mut command = self.command(&[OsStr::new("mount"), dir.as_os_str(), options.as_ref()]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(command.spawn().unwrap())
    }

    fn unmount(&self, dir: &Path) -> Value {
        self.call(&[OsStr::new("unmount"), dir.as_os_str()])
    }

    /// Waits until bytes come.
    fn downloads(&self) {
        until("bytes come", || {
            let partial = self.sandbox.bucket("partial").into_iter().next();
            partial.is_some_and(|p| fs::metadata(p.join("data")).is_ok_and(|m| m.len() > 0))
        });
    }

    fn shows(&self, dir: &Path) {
        assert!(fs::read(dir.join("a.war")).unwrap() == self.content);
        assert_eq!(self.sandbox.mounts_at(dir), 1);
    }

    /// No mount on the directory, no volume, and nothing in the directory itself, which is kubelet's.
    fn nothing_left(&self, dir: &Path) {
        until("what was thrown away is deleted", || {
            self.sandbox.bucket("trash").is_empty()
        });
        self.sandbox.assert_no_volume_left();
        assert_eq!(self.sandbox.mounts_at(dir), 0);
        assert_eq!(fs::read_dir(dir).map_or(0, Iterator::count), 0);
    }
}

/// A call that goes on. Killed when dropped.
struct Running(Child);

impl Running {
    fn ended(mut self) -> Value {
        let mut ran = Ran {
            code: -1,
            stdout: String::new(),
            stderr: String::new(),
        };
        let (mut stdout, mut stderr) = (self.0.stdout.take(), self.0.stderr.take());
        std::io::Read::read_to_string(stdout.as_mut().unwrap(), &mut ran.stdout).unwrap();
        std::io::Read::read_to_string(stderr.as_mut().unwrap(), &mut ran.stderr).unwrap();
        ran.code = self.0.wait().unwrap().code().unwrap_or(-1);
        answer(ran)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One JSON object on stdout, nothing on stderr, and 0: else kubelet reads garbage, or logs the secrets.
fn answer(ran: Ran) -> Value {
    let ran = ran.must(0);
    assert_eq!(ran.stderr, "");
    assert_eq!(ran.stdout.lines().count(), 1, "{}", ran.stdout);
    assert!(ran.stdout.len() < 1100, "an event has room for 1024 bytes");
    let answer = ran.json();
    assert!(answer.is_object(), "{answer}");
    answer
}

fn success() -> Value {
    json!({ "status": "Success" })
}

/// It has failed, and says why.
fn failed(answer: &Value, words: &str) {
    assert_eq!(answer["status"], "Failure", "{answer}");
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains(words), "{words:?} is not in {message}");
}
