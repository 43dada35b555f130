//! `war-vol fetch`: an artifact to a file, without a store.

mod again;
mod certificate;
mod destination;
mod flags;
mod headers;
mod several;
mod words;

use std::process::{Output, Stdio};

use crate::node::{bytes, digest};
use crate::origin::{Object, Origin};
use crate::sandbox::{Ran, Sandbox};

/// A message to whoever typed a command names flags, and nothing that only a volume's YAML has.
pub(crate) fn speaks_no_yaml(ran: &Ran) {
    let yaml = [
        "attribute",
        "secret",
        "fileName",
        "pullPolicy",
        "maxSize",
        "set checksum",
        "StorageClass",
        "the pod",
        "the driver",
    ];
    for word in yaml {
        assert!(!ran.stderr.contains(word), "{word}: {}", ran.stderr);
    }
}

const LENGTH: usize = 300_000;

/// A directory, and an origin with an artifact.
struct Scene {
    sandbox: Sandbox,
    origin: Origin,
    url: String,
    bytes: Vec<u8>,
    pin: String,
}

impl Scene {
    fn new() -> Self {
        let origin = Origin::start();
        let bytes = bytes(77, LENGTH);
        origin.put("/a.war", Object::new(bytes.clone()));
        Self {
            sandbox: Sandbox::new(),
            url: origin.url("/a.war"),
            pin: digest(&bytes),
            origin,
            bytes,
        }
    }

    /// Runs `fetch`, whose standard output may be the artifact.
    fn fetch(&self, arguments: &[&str], stdout: Stdio) -> Output {
        let mut command = self.sandbox.war_vol();
        let command = command.arg("fetch").args(arguments).stdout(stdout);
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        child.wait_with_output().unwrap()
    }

    /// The bytes of a file.
    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.sandbox.path(name)).unwrap()
    }

    /// What lies in the directory, hidden files too.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.sandbox.path(".")).unwrap();
        let mut names: Vec<_> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}
