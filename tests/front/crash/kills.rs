//! The program is killed at random moments, and at random calls of the phases that are too short to hit by chance.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use super::origin::Artifact;
use super::rig::{Rig, ended, finish, is_whole, start, was_killed};
use super::strace::{self, Aim};
use super::{Random, pause, until};

const ROUNDS: usize = 320;

/// How often each phase must be hit.
const LEAST: usize = 20;

/// Where in its work a killed process was, as the store tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Nothing of the command is seen yet.
    Before,
    /// Bytes are there, not all of them.
    Download,
    /// All bytes are there, and the mount is not begun: durable or not, in the index or not, a blob or not.
    Commit,
    /// The volume's directory is in the making, or made and not mounted.
    Publish,
    /// Mounted, and nobody was told.
    Mounted,
    /// The mount is gone, and something else of the volume is still there.
    Unpublish,
    /// The command ended before the kill.
    Ended,
}

#[test]
fn killed_at_random_moments_nothing_finished_is_lost_and_nothing_leaks() {
    let mut course = Course::new();
    let began = Instant::now();
    let mut rounds = 0;
    // Somewhat longer if chance left a phase out.
    while rounds < ROUNDS || course.least_hit() < LEAST && rounds < 2 * ROUNDS {
        course.round(rounds);
        rounds += 1;
        if rounds.is_multiple_of(40) {
            let seconds = began.elapsed().as_secs();
            println!("kills: round {rounds} ({seconds} s): {:?}", course.hits);
        }
    }
    course.rig.assert_blobs_whole();
    println!("kills: {rounds} rounds: {:?}", course.hits);
    assert!(
        course.least_hit() >= LEAST,
        "a phase was hit so seldom that this proves nothing: {:?}",
        course.hits
    );
    assert!(course.acknowledged.len() >= ROUNDS / 4);
}

struct Course {
    rig: Rig,
    random: Random,
    hits: BTreeMap<Phase, usize>,
    /// What a mount that ended well has put into the store.
    acknowledged: Vec<Artifact>,
    /// The volume's directory: one target, one name.
    volume: PathBuf,
}

impl Course {
    fn new() -> Self {
        let rig = Rig::new();
        let random = Random::new("kills");
        rig.origin.pace(Duration::from_millis(15));
        let artifact = rig.origin.artifact("first", 1000);
        rig.mounted(&artifact);
        let volume = rig.volume_dir();
        ended(rig.unmount()).must(0);
        Self {
            rig,
            random,
            hits: BTreeMap::new(),
            acknowledged: vec![artifact],
            volume,
        }
    }

    /// How often the phase was hit that was hit least.
    fn least_hit(&self) -> usize {
        let hits = |phase| self.hits.get(&phase).copied().unwrap_or_default();
        let phases = [
            Phase::Download,
            Phase::Commit,
            Phase::Publish,
            Phase::Unpublish,
        ];
        phases.into_iter().map(hits).min().unwrap_or_default()
    }

    /// One kill, what must be so after it, and a life of the volume to its end.
    fn round(&mut self, round: usize) {
        let size = 1 + self.random.below(200 << 10);
        let artifact = match self.random.below(8) {
            0 => self.random.pick(&self.acknowledged).clone(),
            _ => self.rig.origin.artifact(&format!("round{round}"), size),
        };
        let known = self.is_acknowledged(&artifact);
        let unmounts = self.random.below(3) == 0;
        if unmounts {
            self.rig.mounted(&artifact);
            self.acknowledge(&artifact);
        }
        let child = self.begin(unmounts, &artifact);
        let status = finish(child);
        let phase = if was_killed(status) {
            self.phase(&artifact, unmounts, known)
        } else {
            assert_eq!(status.code(), Some(0), "neither killed nor done");
            if !unmounts {
                self.acknowledge(&artifact);
            }
            Phase::Ended
        };
        *self.hits.entry(phase).or_default() += 1;
        self.assert_acknowledged_is_there();
        let after = self.random.below(4);
        if unmounts && after < 2 {
            self.rig.goes(&artifact);
        } else {
            self.rig
                .recovers(&artifact, self.is_acknowledged(&artifact));
            self.acknowledge(&artifact);
        }
        if after == 0 {
            // Somebody who is long done is served from the cache as before.
            let old = self.random.pick(&self.acknowledged).clone();
            self.rig.recovers(&old, true);
        }
    }

    /// Starts what will be killed: at a moment, or at a call.
    fn begin(&mut self, unmounts: bool, artifact: &Artifact) -> Child {
        let command = if unmounts {
            self.rig.unmount()
        } else {
            self.rig.mount(artifact)
        };
        let how = self.random.below(4);
        if how < 2 {
            let moment = Duration::from_micros(self.random.below(80_000) as u64);
            let asked = self.rig.origin.asked(artifact);
            let mut child = start(command);
            // From the start, or from the question on: a download takes about 50 ms then.
            if how == 0 && !unmounts {
                until("the question, or the end", || {
                    self.rig.origin.asked(artifact) > asked || child.try_wait().unwrap().is_some()
                });
            }
            pause(moment);
            child.kill().unwrap();
            return child;
        }
        let aims = if unmounts {
            self.aims_of_unmount()
        } else {
            self.aims_of_mount(artifact)
        };
        let aim = self.random.pick(&aims);
        let log = self.rig.sandbox.path("strace.log");
        start(strace::under(&aim.inject("signal=KILL"), &log, &command))
    }

    fn aims_of_mount(&self, artifact: &Artifact) -> Vec<Aim> {
        let name = self.volume.file_name().unwrap().to_str().unwrap();
        vec![
            Aim::at("pwrite64", 2),
            Aim::at("fchown", 1),
            Aim::at("fchmod", 1),
            Aim::at("fsync", 1),
            Aim::at("fsync", 2),
            Aim::at("rename", 1),
            Aim::at("fsync", 3),
            Aim::at("renameat2", 1),
            Aim::at("fsync", 4),
            Aim::at("linkat", 1),
            Aim::at("linkat", 1).on(self.rig.blob(artifact)),
            Aim::at("chmod", 4),
            Aim::at("mkdirat", 1),
            Aim::at("mount", 1).on(format!("war-vol:{name}")),
        ]
    }

    fn aims_of_unmount(&self) -> Vec<Aim> {
        vec![
            Aim::at("unlinkat", 1).on("vol"),
            Aim::at("utimensat", 1),
            Aim::at("rename", 1).on(&self.volume),
            Aim::at("unlinkat", 1).on("want.json"),
        ]
    }

    /// What the store tells about the moment of the kill. `known`: the artifact was cached before.
    fn phase(&self, artifact: &Artifact, unmounts: bool, known: bool) -> Phase {
        let sandbox = &self.rig.sandbox;
        let mounted = sandbox.mounts_at(&self.rig.target()) > 0;
        let volumes = sandbox.bucket("volumes").len();
        if unmounts {
            return match (mounted, volumes + sandbox.bucket("trash").len()) {
                (true, _) => Phase::Before,
                (false, 0) => Phase::Ended,
                (false, _) => Phase::Unpublish,
            };
        }
        if mounted {
            return Phase::Mounted;
        }
        if volumes > 0 {
            return Phase::Publish;
        }
        if known {
            return Phase::Before;
        }
        if self.rig.blob(artifact).exists() {
            return Phase::Commit;
        }
        let partial = sandbox.bucket("partial").pop();
        let data = partial.and_then(|dir| fs::metadata(dir.join("data")).ok());
        match data.map(|meta| meta.size()) {
            None | Some(0) => Phase::Before,
            Some(size) if size == artifact.bytes.len() as u64 => Phase::Commit,
            Some(_) => Phase::Download,
        }
    }

    fn is_acknowledged(&self, artifact: &Artifact) -> bool {
        self.acknowledged.iter().any(|a| a.path == artifact.path)
    }

    fn acknowledge(&mut self, artifact: &Artifact) {
        if !self.is_acknowledged(artifact) {
            self.acknowledged.push(artifact.clone());
        }
    }

    /// All are there with their size, and one of them is read.
    fn assert_acknowledged_is_there(&mut self) {
        for artifact in &self.acknowledged {
            let size = fs::metadata(self.rig.blob(artifact))
                .expect("an acknowledged blob")
                .len();
            assert_eq!(size, artifact.bytes.len() as u64);
        }
        let one = self.random.pick(&self.acknowledged);
        assert!(is_whole(&self.rig.blob(one)));
    }
}
