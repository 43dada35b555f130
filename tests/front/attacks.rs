//! What a pod may try on bytes that it shares with others (docs/design/layouts.md), from inside a real container.
//!
//! Every attack is made on a plain read-only bind first, as a naive driver would mount it, under the same runtime:
//! where it does not reach the other volume there, that it fails on ours says nothing, and the test fails as not
//! conclusive. The attacks themselves are in `attack.c`.

mod kubelet;
mod leftovers;
mod plain;
mod program;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::container::{Handed, Pod};
use crate::sandbox::Sandbox;

/// The one file of every volume here.
const FILE: &str = "app.war";

/// What an attack does to a plain bind that the runtime made writable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plain {
    /// Succeeds, and the other volume of the same artifact sees it.
    Reaches,
    /// Succeeds; its reach is tested otherwise, or is the volume's own directory.
    Succeeds,
    /// The kernel refuses it to every pod; tried nevertheless.
    Refused,
}

/// The attacks, by their names in `attack.c`.
const ATTACKS: [(&str, Plain); 28] = [
    ("lease", Plain::Succeeds),
    ("lock", Plain::Succeeds),
    ("watch", Plain::Succeeds),
    ("write", Plain::Reaches),
    ("write-mapped", Plain::Reaches),
    ("mprotect", Plain::Refused),
    ("proc-fd", Plain::Reaches),
    ("map-files", Plain::Refused),
    ("handle", Plain::Refused),
    ("user-write", Plain::Reaches),
    ("user-remount", Plain::Reaches),
    ("remount-bind", Plain::Refused),
    ("remount", Plain::Refused),
    ("chmod", Plain::Reaches),
    ("utimes", Plain::Reaches),
    ("setxattr", Plain::Reaches),
    ("setcap", Plain::Reaches),
    ("flags", Plain::Reaches),
    ("immutable", Plain::Refused),
    ("redirect", Plain::Refused),
    ("clone", Plain::Refused),
    ("punch", Plain::Reaches),
    ("truncate", Plain::Reaches),
    ("chown", Plain::Reaches),
    ("link-out", Plain::Refused),
    ("link-beside", Plain::Succeeds),
    ("rename-over", Plain::Succeeds),
    ("unlink", Plain::Succeeds),
];

/// What an administrator may add to a container that is still a container.
const MORE: [&str; 5] = [
    "CAP_SYS_ADMIN",
    "CAP_DAC_READ_SEARCH",
    "CAP_LEASE",
    "CAP_LINUX_IMMUTABLE",
    "CAP_CHECKPOINT_RESTORE",
];

/// What became of one attack.
#[derive(Clone, Debug)]
struct Outcome {
    name: String,
    /// `ok`, or the name of the error.
    result: String,
    /// Whether the same artifact in another volume changed.
    reached: bool,
}

impl Outcome {
    fn succeeded(&self) -> bool {
        self.result == "ok"
    }
}

/// Makes every attack, from one container, on the volume at `/vol`; `other` shows the same artifact.
fn attack(pod: &Pod<'_>, other: &Path) -> Vec<Outcome> {
    let script = format!("attack all /vol/{FILE} /other/{FILE}");
    let ran = pod.clone().with(other, "/other", Handed::ReadOnly);
    let ran = ran.run(&script).must(0);
    let outcomes: Vec<_> = ran.stdout.lines().map(outcome).collect();
    let names: Vec<_> = outcomes.iter().map(|o| o.name.as_str()).collect();
    assert_eq!(
        names,
        ATTACKS.map(|(name, _)| name),
        "not every attack was made: {ran:?}"
    );
    outcomes
}

fn outcome(line: &str) -> Outcome {
    let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
    let [name, result, reached] = words.try_into().expect("three words");
    Outcome {
        name,
        result,
        reached: reached == "reached",
    }
}

fn of_kind(outcomes: &[Outcome], kind: Plain) -> impl Iterator<Item = &Outcome> {
    let both = outcomes.iter().zip(ATTACKS);
    both.filter(move |(_, (_, k))| *k == kind).map(|(o, _)| o)
}

fn assert_none_reaches(outcomes: &[Outcome]) {
    for outcome in outcomes {
        assert!(!outcome.reached, "{outcome:?}");
    }
}

/// A writable volume is for writing; only a user namespace of the container's own making has no rights in it.
fn may_be_used(outcomes: &[Outcome]) {
    for outcome in of_kind(outcomes, Plain::Reaches) {
        assert!(
            outcome.succeeded() || outcome.name.starts_with("user-"),
            "{outcome:?}"
        );
    }
}

/// What one pod can do to another with no more than reading the same artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interference {
    /// An open waits for a lease of the other.
    lease: bool,
    /// A shared lock is refused because of a lock of the other.
    lock: bool,
    /// Opens and reads are seen by the other.
    watch: bool,
}

impl Interference {
    const NONE: Self = Self {
        lease: false,
        lock: false,
        watch: false,
    };

    /// `a` holds something on its file while `b` uses its own.
    fn between(a: &Pod<'_>, b: &Pod<'_>) -> Self {
        let under = |hold: &str, act: &str| {
            let mut holder = a.start(&format!("attack {hold} /vol/{FILE}"));
            let held = holder.line().expect("the holder says what it holds");
            assert!(held.starts_with(hold), "{held}");
            let acted = b.run(&format!("attack {act} /vol/{FILE}")).must(0);
            (acted.stdout, holder.end().must(0).stdout)
        };
        Self {
            // Whoever opens without O_NONBLOCK waits as long as /proc/sys/fs/lease-break-time says.
            lease: under("hold-lease", "open-now").0.contains("EAGAIN"),
            lock: under("hold-lock", "lock-now").0.contains("EAGAIN"),
            watch: under("hold-watch", "open-now").1.contains("saw"),
        }
    }
}

/// Everything about a file that a reader could notice.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    sha256: String,
    mode: u32,
    owner: (u32, u32),
    size: u64,
    modified: (i64, i64),
    attributes: Vec<(String, Vec<u8>)>,
    flags: u32,
}

impl Facts {
    fn of(path: &Path) -> Self {
        let file = File::open(path).unwrap();
        let meta = file.metadata().unwrap();
        let mut names = vec![0; 1 << 16];
        let length = rustix::fs::flistxattr(&file, &mut names[..]).unwrap();
        let names = names[..length].split(|b| *b == 0).filter(|n| !n.is_empty());
        let attributes = names.map(|name| {
            let mut value = vec![0; 1 << 16];
            let length = rustix::fs::fgetxattr(&file, name, &mut value[..]).unwrap();
            value.truncate(length);
            (String::from_utf8(name.to_vec()).unwrap(), value)
        });
        Self {
            sha256: hex::encode(Sha256::digest(fs::read(path).unwrap())),
            mode: meta.mode(),
            owner: (meta.uid(), meta.gid()),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            attributes: attributes.collect(),
            flags: rustix::fs::ioctl_getflags(&file)
                .unwrap_or(rustix::fs::IFlags::empty())
                .bits(),
        }
    }
}

/// A pod with one volume at `/vol`.
fn pod<'a>(sandbox: &'a Sandbox, volume: &Path, handed: Handed) -> Pod<'a> {
    Pod::new(sandbox).with(volume, "/vol", handed)
}
