//! What a pod leaves in its writable volume, and what becomes of it at the end (docs/design/faults.md, 43).

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
use rustix::mount::{MountFlags, mount_bind, mount_remount};

use super::pod;
use crate::container::{Handed, attack_program};
use crate::origin::{Object, Origin};
use crate::sandbox::{Ran, Sandbox};

/// So deep that neither a path to its end nor a handle for each level can be had ([`frugal`]).
const DEEP: usize = 3_000;

/// Runs a test in a mount namespace that is read-only but for the sandbox: should the product follow a link out of a
/// volume after all, this machine must not be what it deletes.
fn caged(test: fn(&Sandbox)) {
    let (sandbox, _) = (Sandbox::new(), attack_program());
    let cage = || {
        let inside = sandbox.path(".");
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        mount_bind(&inside, &inside).unwrap();
        mount_remount("/", MountFlags::BIND | MountFlags::RDONLY, c"").unwrap();
        test(&sandbox);
    };
    let ended = thread::scope(|scope| scope.spawn(cage).join());
    if let Err(panic) = ended {
        // The standard library, which removes the sandbox, cannot remove what is too deep for its stack.
        let _ = Command::new("rm").arg("-rf").arg(sandbox.root()).status();
        std::panic::resume_unwind(panic);
    }
}

/// Files that nobody may touch, beside the volumes and in the store.
fn plant(sandbox: &Sandbox) -> Vec<PathBuf> {
    let places = ["canary", "root/canary", "root/v1/canary"].map(|place| sandbox.path(place));
    let planted = places.map(|place| {
        fs::create_dir_all(place.join("sub")).unwrap();
        fs::write(place.join("sub/file"), "alive").unwrap();
        place.join("sub/file")
    });
    planted.into()
}

/// Runs the program with few handles to spare.
fn frugal(sandbox: &Sandbox, arguments: &[&str]) -> Ran {
    let program = sandbox.war_vol();
    let given = program.get_envs();
    let mut frugal = Command::new("prlimit");
    frugal
        .arg("--nofile=256")
        .arg(program.get_program())
        .args(arguments)
        .env_clear()
        .envs(given.filter_map(|(name, value)| Some((name, value?))))
        .current_dir(sandbox.path("."));
    Ran::of(frugal.output().expect("prlimit is of util-linux"))
}

#[test]
fn unmount_deletes_all_that_a_pod_left_and_nothing_else() {
    caged(|sandbox| {
        let origin = Origin::start();
        origin.put("/app.war", Object::new(vec![7; 1000]));
        for dir in ["a", "b"] {
            sandbox.mount(&origin.url("/app.war"), dir, &[]);
        }
        let canaries = plant(sandbox);
        let script = format!(
            "set -e; cd /vol
            ln -s / root; ln -s ../.. up; ln -s ../../../../../../../.. far
            ln -s {canary} canary; ln -s {canary}/sub/file file
            mkfifo pipe; attack socket /vol/socket; mkdir sub; attack socket /vol/sub/socket
            mknod null c 1 3; mknod disk b 254 0
            if echo x > disk; then echo 'opened a disk'; exit 1; fi
            mkdir locked; : > locked/file; ln -s / locked/root; chmod 0 locked/file locked
            mkdir many; cd many
            i=0; while [ $i -lt 20000 ]; do : > $i; i=$((i + 1)); done
            cd ..; attack nest . {DEEP}; : > -rf; : > \"$(printf 'a\\nb')\"
            rm -f app.war; ln -s / app.war",
            canary = sandbox.path("canary").display(),
        );
        let pod = pod(sandbox, &sandbox.path("a"), Handed::ReadWrite);
        let ran = pod.run(&script).must(0);
        assert!(ran.stdout.contains("nest ok"), "{ran:?}");
        assert_eq!(ran.stdout.matches("socket ok").count(), 2, "{ran:?}");
        // And what only the host can make: a link where kubelet looks.
        symlink(sandbox.path("canary"), sandbox.path("a/host")).unwrap();
        let unmounted = frugal(sandbox, &["unmount", "a"]).must(0);
        assert_eq!(unmounted.stderr, "");
        assert!(!sandbox.path("a").exists());
        assert_eq!(sandbox.bucket("volumes").len(), 1, "the other volume stays");
        assert_eq!(sandbox.bucket("trash"), Vec::<PathBuf>::new());
        for canary in canaries {
            assert_eq!(fs::read_to_string(&canary).unwrap(), "alive", "{canary:?}");
        }
        let other = fs::read(sandbox.path("b/app.war")).unwrap();
        assert_eq!(other, vec![7; 1000]);
        sandbox.run(["cache", "verify"]).must(0);
        sandbox.run(["unmount", "b"]).must(0);
    });
}

#[test]
fn unmount_ends_while_a_pod_still_writes() {
    caged(|sandbox| {
        let origin = Origin::start();
        origin.put("/app.war", Object::new(vec![7; 1000]));
        sandbox.mount(&origin.url("/app.war"), "a", &[]);
        let canaries = plant(sandbox);
        // Directories become links, and links directories, under the eyes of whoever deletes them.
        let script = format!(
            "cd /vol; mkdir -p x/y; echo started
            while :; do
                mkdir -p x/y/z; : > x/y/z/file; mv x/y was; ln -s {} x/y; rm x/y; mv was x/y; rm -r x/y/z
            done 2> /dev/null",
            sandbox.path("canary").display(),
        );
        let mut running = pod(sandbox, &sandbox.path("a"), Handed::ReadWrite).start(&script);
        assert_eq!(running.line().as_deref(), Some("started"));
        sandbox.run(["unmount", "a"]).must(0);
        assert_eq!(sandbox.mounts(), 1, "the cage, and nothing else");
        assert_eq!(sandbox.bucket("volumes"), Vec::<PathBuf>::new());
        drop(running);
        // What the pod made while its volume was deleted goes with the next command at the latest.
        sandbox.run(["cache", "ls"]).must(0);
        assert_eq!(sandbox.bucket("trash"), Vec::<PathBuf>::new());
        for canary in canaries {
            assert_eq!(fs::read_to_string(&canary).unwrap(), "alive", "{canary:?}");
        }
    });
}

/// A pod that was given CAP_LINUX_IMMUTABLE can do it to a private copy.
#[test]
fn what_cannot_be_deleted_is_said_and_keeps_nothing_else_from_working() {
    let (sandbox, origin) = (Sandbox::new(), Origin::start());
    origin.put("/app.war", Object::new(vec![7; 1000]));
    for dir in ["a", "b"] {
        sandbox.mount(&origin.url("/app.war"), dir, &["--layout", "copy"]);
    }
    let kept = File::open(sandbox.path("a/app.war")).unwrap();
    let flags = ioctl_getflags(&kept).unwrap();
    ioctl_setflags(&kept, flags | IFlags::IMMUTABLE).unwrap();
    for dir in ["a", "b"] {
        let unmounted = sandbox.run(["unmount", dir]).must(0);
        assert!(unmounted.stderr.contains("cannot delete"), "{unmounted:?}");
        assert_eq!(sandbox.mounts(), usize::from(dir == "a"));
    }
    assert_eq!(sandbox.bucket("volumes"), Vec::<PathBuf>::new());
    assert_eq!(sandbox.bucket("trash").len(), 1, "the other volume is gone");
    sandbox.mount(&origin.url("/app.war"), "c", &[]);
    ioctl_setflags(&kept, flags).unwrap();
    sandbox.run(["unmount", "c"]).must(0);
    sandbox.assert_nothing_left();
}
