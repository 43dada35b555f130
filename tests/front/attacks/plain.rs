//! The control: what a driver that binds shared bytes read-only would suffer.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::OnceLock;

use rustix::mount::{MountFlags, mount_bind, mount_remount};

use super::{FILE, Facts, Interference, Plain, attack, of_kind, pod};
use crate::container::Handed;
use crate::sandbox::Sandbox;

/// Two volumes of one blob as a naive driver makes them: hard links, each in a directory of its own, bound.
struct Naive {
    blob: PathBuf,
    a: PathBuf,
    b: PathBuf,
}

impl Naive {
    fn new(sandbox: &Sandbox, name: &str, read_only: bool) -> Self {
        let blob = sandbox.path(&format!("{name}-blob"));
        fs::write(&blob, [7; 20_000]).unwrap();
        fs::set_permissions(&blob, Permissions::from_mode(0o444)).unwrap();
        let volume = |volume: &str| {
            let (dir, target) = (
                sandbox.path(&format!("{name}-{volume}")),
                sandbox.path(&format!("{name}-{volume}-target")),
            );
            fs::create_dir(&dir).unwrap();
            fs::create_dir(&target).unwrap();
            fs::hard_link(&blob, dir.join(FILE)).unwrap();
            mount_bind(&dir, &target).unwrap();
            if read_only {
                let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
                mount_remount(&target, MountFlags::BIND | flags, c"").unwrap();
                fs::write(target.join("x"), "").expect_err("the bind is read-only");
            }
            target
        };
        let (a, b) = (volume("a"), volume("b"));
        Self { blob, a, b }
    }
}

/// The control, once; every test of the engine comes after it.
pub(super) fn must_suffer() {
    static CONTROL: OnceLock<()> = OnceLock::new();
    CONTROL.get_or_init(|| {
        let sandbox = Sandbox::new();
        let naive = Naive::new(&sandbox, "naive", true);
        let before = Facts::of(&naive.blob);
        let outcomes = attack(&pod(&sandbox, &naive.a, Handed::ReadWrite), &naive.b);
        for outcome in of_kind(&outcomes, Plain::Reaches) {
            assert!(
                outcome.succeeded() && outcome.reached,
                "not conclusive: on a plain bind it comes to nothing, too: {outcome:?}"
            );
        }
        for outcome in of_kind(&outcomes, Plain::Succeeds) {
            assert!(outcome.succeeded(), "not conclusive: {outcome:?}");
        }
        let after = Facts::of(&naive.blob);
        assert!(
            before.sha256 != after.sha256
                && before.mode != after.mode
                && before.owner != after.owner
                && before.size != after.size
                && before.modified != after.modified
                && before.attributes != after.attributes
                && before.flags != after.flags,
            "not conclusive: the shared file survived: {before:?} {after:?}"
        );
        let naive = Naive::new(&sandbox, "quiet", true);
        let (a, b) = (
            pod(&sandbox, &naive.a, Handed::ReadWrite),
            pod(&sandbox, &naive.b, Handed::ReadWrite),
        );
        let all = Interference {
            lease: true,
            lock: true,
            watch: true,
        };
        assert_eq!(Interference::between(&a, &b), all, "not conclusive");
    });
}

/// The same for pods with a user namespace. A runtime does not make a bind writable there, so a naive driver that
/// wants to be of use binds it writable itself.
pub(super) fn must_suffer_in_a_user_namespace() {
    static CONTROL: OnceLock<()> = OnceLock::new();
    CONTROL.get_or_init(|| {
        let sandbox = Sandbox::new();
        let naive = Naive::new(&sandbox, "naive", false);
        let pod = pod(&sandbox, &naive.a, Handed::ReadWrite).in_user_namespace();
        let outcomes = attack(&pod, &naive.b);
        for outcome in of_kind(&outcomes, Plain::Reaches) {
            assert!(
                outcome.succeeded() && outcome.reached,
                "not conclusive: {outcome:?}"
            );
        }
    });
}

#[test]
fn every_attack_on_a_plain_read_only_bind_succeeds_where_the_runtime_says_rw() {
    must_suffer();
}

#[test]
fn every_attack_on_a_plain_bind_succeeds_from_a_user_namespace() {
    must_suffer_in_a_user_namespace();
}

#[test]
fn a_read_only_bind_handed_over_rw_does_not_start_in_a_user_namespace() {
    let sandbox = Sandbox::new();
    let naive = Naive::new(&sandbox, "naive", true);
    let ran = pod(&sandbox, &naive.a, Handed::ReadWrite)
        .in_user_namespace()
        .run("echo started");
    assert_ne!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("cannot clear locked flags"), "{ran:?}");
}
