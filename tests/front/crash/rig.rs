//! A sandbox with an origin, and what must be so after a crash.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use sha2::{Digest, Sha256};

use super::origin::{Artifact, Origin};
use super::until;
use crate::sandbox::{Ran, Sandbox};

pub(super) struct Rig {
    pub(super) sandbox: Sandbox,
    pub(super) origin: Origin,
}

impl Rig {
    /// With a store that was opened once: its key stays, so that names in it are known.
    pub(super) fn new() -> Self {
        Self::on(|_| ()).0
    }

    /// The same, where something is made ready in the sandbox before.
    pub(super) fn on<T>(ready: impl FnOnce(&Sandbox) -> T) -> (Self, T) {
        let sandbox = Sandbox::new();
        let made = ready(&sandbox);
        sandbox.run(["volumes"]).must(0);
        let origin = Origin::new();
        (Self { sandbox, origin }, made)
    }

    pub(super) fn target(&self) -> PathBuf {
        self.sandbox.path("vol")
    }

    pub(super) fn mount(&self, artifact: &Artifact) -> Command {
        let mut command = self.sandbox.war_vol();
        command.args(["mount", &artifact.url, "vol", "--checksum"]);
        command.arg(format!("sha256:{}", artifact.sha256));
        command
    }

    /// Mounts it, which must succeed.
    pub(super) fn mounted(&self, artifact: &Artifact) {
        let pin = format!("sha256:{}", artifact.sha256);
        let more = ["--checksum", pin.as_str()];
        drop(self.sandbox.mount(&artifact.url, "vol", &more));
    }

    pub(super) fn unmount(&self) -> Command {
        let mut command = self.sandbox.war_vol();
        command.args(["unmount", "vol"]);
        command
    }

    pub(super) fn fetch(&self, artifact: &Artifact) -> Command {
        let mut command = self.sandbox.war_vol();
        command.args(["fetch", &artifact.url, "-o", "file", "--checksum"]);
        command.arg(format!("sha256:{}", artifact.sha256));
        command
    }

    pub(super) fn v1(&self, name: &str) -> PathBuf {
        self.sandbox.root().join("v1").join(name)
    }

    /// An empty store with the same key.
    pub(super) fn start_anew(&self) {
        let _ = fs::remove_dir_all(self.sandbox.root().join("v1"));
    }

    pub(super) fn blob(&self, artifact: &Artifact) -> PathBuf {
        self.v1("blobs").join(&artifact.sha256)
    }

    /// The name of the one volume's directory, from one that is mounted now.
    pub(super) fn volume_dir(&self) -> PathBuf {
        let volume = self.sandbox.bucket("volumes").pop().expect("a volume");
        volume.canonicalize().unwrap()
    }

    /// Whatever has a blob's name is whole.
    pub(super) fn assert_blobs_whole(&self) {
        for blob in self.sandbox.bucket("blobs") {
            assert!(
                is_whole(&blob),
                "{} is not what it is called",
                blob.display()
            );
        }
    }

    pub(super) fn assert_shown(&self, artifact: &Artifact) {
        let file = self.target().join(&artifact.path[1..]);
        assert!(
            fs::read(&file).unwrap() == *artifact.bytes,
            "{} has other bytes",
            file.display()
        );
    }

    /// What must be so after a crash: no name stands for half an object, what was acknowledged is there and is not
    /// fetched again, the next mount works, and after the last unmount nothing is left.
    pub(super) fn recovers(&self, artifact: &Artifact, acknowledged: bool) {
        self.assert_blobs_whole();
        if acknowledged {
            assert!(self.blob(artifact).exists(), "an acknowledged blob is gone");
        }
        let asked = self.origin.asked(artifact);
        self.mounted(artifact);
        self.assert_shown(artifact);
        let again = self.origin.asked(artifact) - asked;
        assert!(
            again == 0 || !acknowledged,
            "what was acknowledged was fetched {again} times more"
        );
        self.goes(artifact);
    }

    /// Unmounts, and nothing is left of the volume.
    pub(super) fn goes(&self, artifact: &Artifact) {
        ended(self.unmount()).must(0);
        assert!(!self.target().exists(), "the target is left");
        self.sandbox.assert_nothing_left();
        self.assert_blobs_whole();
        self.assert_unleased();
        assert!(self.blob(artifact).exists(), "unmount took the blob");
        let stray: Vec<_> = fs::read_dir(self.sandbox.root())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .filter(|n| !["lock", "key", "v1"].iter().any(|known| n == known))
            .collect();
        assert_eq!(stray, Vec::<std::ffi::OsString>::new(), "left in the root");
        for entry in self.sandbox.bucket("index") {
            let name = entry.file_name().unwrap().to_str().unwrap();
            assert_eq!(name.len(), 64, "left in the index: {name}");
        }
    }

    /// No volume holds a blob.
    pub(super) fn assert_unleased(&self) {
        for blob in self.sandbox.bucket("blobs") {
            let links = fs::metadata(&blob).unwrap().nlink();
            assert_eq!(links, 1, "links of {}", blob.display());
        }
    }
}

pub(super) fn is_whole(blob: &Path) -> bool {
    let digest = hex::encode(Sha256::digest(fs::read(blob).unwrap()));
    blob.file_name().unwrap() == digest.as_str()
}

/// Runs to the end, and says what was said.
pub(super) fn ended(mut command: Command) -> Ran {
    Ran::of(command.output().expect("the program runs"))
}

/// Starts without a word.
pub(super) fn start(mut command: Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the program starts")
}

/// Waits for the end of what was started; kills it and fails after half a minute.
pub(super) fn finish(mut child: Child) -> ExitStatus {
    let mut status = None;
    until("the end of the program", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

pub(super) fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(9)
}
