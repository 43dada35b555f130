//! The laws of volumes (docs/design/laws.md), with a model of mounts and a real store: whatever is asked, in whatever
//! order, with whatever failing in between.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseResult, TestRunner};
use rustix::io::Errno;
use war_vol::fault::Fault;
use war_vol::mount::{Act, Memory, Mounter, Probe, Target};
use war_vol::volume::{Caller, Context, Error, Owner, PublishRequest, Sharing, Volumes, Writable};

use crate::engine::{Engine, sha256};
use crate::origin::{Object, Origin};

const VOLUMES: usize = 3;

/// What somebody does, or what happens.
#[derive(Clone, Debug)]
enum Op {
    Publish { volume: usize, how: How },
    Unpublish { volume: usize },
    Refuse { act: Act, errno: Errno },
    Restart,
    Reboot,
}

/// What a publish asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct How {
    artifact: usize,
    readonly: bool,
    copy: bool,
    writable: bool,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let how = (0..2_usize, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(artifact, readonly, copy, writable)| How {
            artifact,
            readonly,
            copy,
            writable,
        },
    );
    let act = prop_oneof![
        Just(Act::Create),
        Just(Act::Bind),
        Just(Act::Overlay),
        Just(Act::Unmount)
    ];
    let errno = prop_oneof![
        Just(Errno::IO),
        Just(Errno::NOSPC),
        Just(Errno::PERM),
        Just(Errno::BUSY)
    ];
    let op = prop_oneof![
        6 => (0..VOLUMES, how).prop_map(|(volume, how)| Op::Publish { volume, how }),
        3 => (0..VOLUMES).prop_map(|volume| Op::Unpublish { volume }),
        2 => (act, errno).prop_map(|(act, errno)| Op::Refuse { act, errno }),
        1 => Just(Op::Restart),
        1 => Just(Op::Reboot),
    ];
    proptest::collection::vec(op, 1..25)
}

struct World {
    memory: Memory,
    volumes: Option<Volumes<Memory>>,
    origin: Origin,
    runtime: tokio::runtime::Runtime,
    /// What each volume was published as.
    known: [Option<How>; VOLUMES],
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory::default();
        memory.directory(&PathBuf::from("/kubelet/pods"));
        let origin = Origin::start();
        for artifact in 0..2 {
            origin.put(&path(artifact), Object::new(bytes(artifact)));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(war_vol::volume::WORKERS)
            .enable_all()
            .build()
            .unwrap();
        let mut world = Self {
            memory,
            volumes: None,
            origin,
            runtime,
            known: [None; VOLUMES],
            dir,
        };
        world.start();
        world
    }

    /// The driver begins, or begins again: it knows what the disk and the table of mounts tell.
    fn start(&mut self) {
        if let Some(before) = self.volumes.take() {
            before.clean_up();
        }
        let engine = Engine::open(&self.dir.path().join("root"), None);
        let store = Arc::clone(&engine.store);
        let opened = Volumes::open(
            store,
            engine.acquire,
            engine.policy,
            self.memory.clone(),
            Context::default(),
        );
        self.volumes = Some(opened.unwrap());
    }

    fn publish(&self, volume: usize, how: How) -> Result<(), Error> {
        let mut attributes = BTreeMap::from([
            (
                "downloadURL".to_owned(),
                self.origin.url(&path(how.artifact)),
            ),
            (
                "checksum".to_owned(),
                sha256(&bytes(how.artifact)).to_string(),
            ),
        ]);
        if how.copy {
            attributes.insert("layout".to_owned(), "copy".to_owned());
        }
        let request = PublishRequest {
            volume: format!("v{volume}"),
            target: target(volume),
            attributes,
            secrets: BTreeMap::new(),
            readonly: how.readonly,
            writable: if how.writable {
                Writable::Yes
            } else {
                Writable::No
            },
            sharing: Sharing::ManyTargets,
            group: None,
            pod: None,
            claim: None,
            persistent_volume: None,
            node: None,
            owner: Owner::Kubelet {
                dir: "/kubelet".into(),
                inode: 1,
            },
        };
        self.runtime.block_on(
            self.volumes
                .as_ref()
                .unwrap()
                .publish(request, &Caller::stays()),
        )
    }

    fn unpublish(&self, volume: usize) -> Result<(), Error> {
        let volumes = self.volumes.as_ref().unwrap();
        self.runtime
            .block_on(volumes.unpublish(&format!("v{volume}"), &target(volume)))
    }

    fn directories(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("root/v1/volumes"))
            .unwrap()
            .count()
    }

    fn act(&mut self, op: Op) -> TestCaseResult {
        match op {
            Op::Restart => self.start(),
            Op::Reboot => {
                self.memory.reboot();
                self.start();
            }
            Op::Refuse { act, errno } => self.memory.refuse(act, errno),
            Op::Publish { volume, how } => self.check_publish(volume, how)?,
            Op::Unpublish { volume } => {
                if self.unpublish(volume).is_ok() {
                    self.known[volume] = None;
                    let left = self.memory.probe_at(&target(volume)).unwrap();
                    prop_assert_eq!(left, Probe::Missing, "unpublish left the target");
                }
            }
        }
        let known = self.known.iter().flatten().count();
        prop_assert_eq!(
            self.directories(),
            known,
            "directories of volumes that nobody knows, or lost ones"
        );
        Ok(())
    }

    fn check_publish(&mut self, volume: usize, how: How) -> TestCaseResult {
        let before = self.memory.probe_at(&target(volume)).unwrap();
        let was = self.known[volume];
        match self.publish(volume, how) {
            Ok(()) => {
                let after = self.memory.probe_at(&target(volume)).unwrap();
                prop_assert!(matches!(after, Probe::Mount(_)), "OK, but nothing is seen");
                if matches!(before, Probe::Mount(_)) {
                    prop_assert_eq!(before, after, "a healthy volume was touched (law 3)");
                }
                self.known[volume] = Some(how);
            }
            Err(error) => {
                let differs = error.fault() == Fault::Differs;
                prop_assert_eq!(
                    differs,
                    was.is_some_and(|was| is_other(was, how)),
                    "law 2: {}",
                    error
                );
                if was.is_none() {
                    // Law 1. A target directory that could not be taken back may stay; a mount or a lease may not.
                    let after = self.memory.probe_at(&target(volume)).unwrap();
                    prop_assert!(
                        !matches!(after, Probe::Mount(_)),
                        "an error, and yet a mount"
                    );
                } else if !differs {
                    let retried = [Fault::Unavailable, Fault::NoSpace, Fault::Pending];
                    prop_assert!(
                        retried.contains(&error.fault()),
                        "a final error for a known volume: {error}"
                    );
                    prop_assert!(
                        !matches!(before, Probe::Mount(_)),
                        "an error for a healthy volume (law 3): {error}"
                    );
                }
            }
        }
        Ok(())
    }
}

/// What is compared is what was written: attributes and `readonly`, never the access mode (law 2).
fn is_other(was: How, is: How) -> bool {
    (was.artifact, was.readonly, was.copy) != (is.artifact, is.readonly, is.copy)
}

fn path(artifact: usize) -> String {
    format!("/{artifact}.war")
}

fn bytes(artifact: usize) -> Vec<u8> {
    vec![artifact as u8; 100]
}

fn target(volume: usize) -> Target {
    let path = PathBuf::from(format!("/kubelet/pods/v{volume}"));
    Target::within(&PathBuf::from("/kubelet"), &path).unwrap()
}

#[test]
fn the_laws_hold_whatever_happens_and_in_the_end_nothing_is_left() {
    let config = Config {
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::with_cases(150)
    };
    let outcome = TestRunner::new(config).run(&ops(), |ops| {
        let mut world = World::new();
        for op in ops {
            world.act(op)?;
        }
        for volume in 0..VOLUMES {
            // Refusals that were not used up yet may fail the first tries.
            let gone = (0..30).any(|_| world.unpublish(volume).is_ok());
            prop_assert!(gone, "v{volume} cannot be unpublished");
        }
        prop_assert_eq!(world.directories(), 0);
        world.start();
        let engine = world.volumes.take();
        drop(engine);
        let blobs = world.dir.path().join("root/v1/blobs");
        for blob in std::fs::read_dir(blobs).unwrap() {
            use std::os::unix::fs::MetadataExt;
            prop_assert_eq!(
                blob.unwrap().metadata().unwrap().nlink(),
                1,
                "a link too many"
            );
        }
        Ok(())
    });
    outcome.unwrap_or_else(|e| panic!("{e}"));
}
