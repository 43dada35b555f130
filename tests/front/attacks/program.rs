//! Volumes of `war-vol mount`, handed over read-write as a runtime does it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::{FILE, Facts, Interference, MORE, Outcome, Plain, attack, of_kind, plain, pod};
use super::{assert_none_reaches, may_be_used};
use crate::container::{Handed, Pod};
use crate::node::{bytes, digest};
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

/// Two volumes of one artifact, and the blob that they share.
struct Pair {
    sandbox: Sandbox,
    origin: Origin,
    flags: Vec<String>,
    blob: PathBuf,
    facts: Facts,
    shown: Facts,
}

impl Pair {
    fn new(flags: &[&str]) -> Self {
        let (sandbox, origin) = (Sandbox::new(), Origin::start());
        let content = bytes(43, 20_000);
        let pin = digest(&content);
        origin.put("/app.war", Object::new(content));
        let flags = ["--checksum", &pin]
            .into_iter()
            .chain(flags.iter().copied());
        let flags: Vec<_> = flags.map(str::to_owned).collect();
        for dir in ["a", "b"] {
            mount(&sandbox, &origin, dir, &flags);
        }
        let [blob] = <[_; 1]>::try_from(sandbox.bucket("blobs")).expect("one blob");
        assert!(blob.ends_with(Facts::of(&blob).sha256));
        assert_eq!(fs::metadata(&blob).unwrap().nlink(), 3, "two leases");
        Self {
            facts: Facts::of(&blob),
            shown: Facts::of(&sandbox.path("b").join(FILE)),
            blob,
            flags,
            origin,
            sandbox,
        }
    }

    fn pod(&self, dir: &str) -> Pod<'_> {
        pod(&self.sandbox, &self.sandbox.path(dir), Handed::ReadWrite)
    }

    /// Attacks the one volume.
    fn attack(&self, pod: &Pod<'_>) -> Vec<Outcome> {
        attack(pod, &self.sandbox.path("b"))
    }

    fn interference(&self) -> Interference {
        Interference::between(&self.pod("a"), &self.pod("b"))
    }

    /// The cached bytes and the other volume are what they were, and so is one made afterwards.
    fn assert_unharmed(&self) {
        assert_eq!(Facts::of(&self.blob), self.facts);
        assert_eq!(fs::metadata(&self.blob).unwrap().nlink(), 3);
        let (b, c) = (self.sandbox.path("b"), self.sandbox.path("c"));
        assert_eq!(Facts::of(&b.join(FILE)), self.shown);
        mount(&self.sandbox, &self.origin, "c", &self.flags);
        let fresh = Facts::of(&c.join(FILE));
        assert_eq!(fresh.sha256, self.shown.sha256);
        assert_eq!(fresh.mode, self.shown.mode);
        assert_eq!(self.origin.gets("/app.war"), 1, "it was fetched again");
        self.sandbox.run(["cache", "verify"]).must(0);
        for dir in ["a", "b", "c"] {
            self.sandbox.run(["unmount", dir]).must(0);
        }
        assert_eq!(Facts::of(&self.blob), self.facts);
        self.sandbox.assert_nothing_left();
    }
}

fn mount(sandbox: &Sandbox, origin: &Origin, dir: &str, flags: &[String]) {
    let flags: Vec<_> = flags.iter().map(String::as_str).collect();
    sandbox.mount(&origin.url("/app.war"), dir, &flags);
}

#[test]
fn attacks_on_a_writable_volume_reach_only_its_own_layer() {
    plain::must_suffer();
    for flags in [&[] as &[&str], &["--layout", "copy"]] {
        let pair = Pair::new(flags);
        assert_eq!(pair.interference(), Interference::NONE);
        let outcomes = pair.attack(&pair.pod("a"));
        assert_none_reaches(&outcomes);
        may_be_used(&outcomes);
        pair.assert_unharmed();
    }
}

#[test]
fn attacks_on_a_read_only_volume_fail_although_the_runtime_says_rw() {
    plain::must_suffer();
    let pair = Pair::new(&["--read-only"]);
    assert_eq!(pair.interference(), Interference::NONE);
    let outcomes = pair.attack(&pair.pod("a"));
    assert_none_reaches(&outcomes);
    for outcome in of_kind(&outcomes, Plain::Reaches) {
        assert!(!outcome.succeeded(), "{outcome:?}");
    }
    assert_eq!(Facts::of(&pair.sandbox.path("a").join(FILE)), pair.shown);
    pair.assert_unharmed();
}

#[test]
fn attacks_with_more_capabilities_reach_nothing_shared_either() {
    plain::must_suffer();
    for flags in [&[] as &[&str], &["--read-only"], &["--layout", "copy"]] {
        let pair = Pair::new(flags);
        assert_none_reaches(&pair.attack(&pair.pod("a").may(&MORE)));
        pair.assert_unharmed();
    }
}

/// Known, and why `layout: copy` exists: the kernel maps no ids on an overlay (docs/design/layouts.md). One that does
/// is welcome, and must be safe.
#[test]
fn an_overlay_does_not_start_in_a_user_namespace() {
    plain::must_suffer_in_a_user_namespace();
    for flags in [&[] as &[&str], &["--read-only"]] {
        let pair = Pair::new(flags);
        let pod = pair.pod("a").in_user_namespace();
        let ran = pod.run("echo started");
        if ran.stdout.contains("started") {
            println!(
                "NEWS: this kernel maps ids on an overlay; `layout: copy` has lost its reason"
            );
            assert_none_reaches(&pair.attack(&pod));
        } else {
            assert!(ran.stderr.contains("MOUNT_ATTR_IDMAP"), "{ran:?}");
            assert!(ran.stderr.contains("invalid argument"), "{ran:?}");
        }
        pair.assert_unharmed();
    }
}
