//! Others lock what is ours (docs/design/faults.md, 43).

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::only;
use crate::node::bytes;
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

/// A process that holds a write lease on a file: the next one that opens it waits, unless it says that it does not.
struct Lease(Child);

impl Lease {
    fn on(path: &Path) -> Self {
        // 1024 is F_SETLEASE, 1 is F_WRLCK (fcntl(2)).
        let script = "open(F, '<', $ARGV[0]) or die; $SIG{IO} = 'IGNORE'; fcntl(F, 1024, 1) or die \"$!\"; \
                      $| = 1; print \"held\\n\"; sleep 1000";
        let mut child = Command::new("perl")
            .args(["-e", script])
            .arg(path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut words = BufReader::new(child.stdout.take().unwrap());
        words.read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        Self(child)
    }

    /// Whether it is still there: the kernel breaks a lease that somebody waits for after 45 seconds.
    fn held(&self, path: &Path) -> bool {
        let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
        let locks = fs::read_to_string("/proc/locks").unwrap();
        let ours = format!(":{inode} ");
        locks
            .lines()
            .any(|line| line.contains("LEASE") && line.contains(&ours) && !line.contains("BREAKER"))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn cached(sandbox: &Sandbox) -> std::path::PathBuf {
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(43, 1 << 20)));
    sandbox.mount(&origin.url("/a.war"), "dir", &[]);
    only(sandbox.bucket("blobs"))
}

/// A lease that somebody has on shared content does not hold up the scrub, which says what it has not seen.
#[test]
fn verify_does_not_wait_for_a_lease() {
    let sandbox = Sandbox::new();
    let blob = cached(&sandbox);
    let lease = Lease::on(&blob);
    let arguments = ["cache", "verify", "--output", "json"];
    let seen = sandbox.run(arguments).must(0).json();
    assert!(lease.held(&blob), "it waited until the kernel broke it");
    assert_eq!((&seen["whole"], &seen["skipped"]), (&0.into(), &1.into()));
    let words = sandbox.run(["cache", "verify"]).must(0).stdout;
    assert!(words.contains("1 skipped"), "{words}");
    drop(lease);
    assert_eq!(sandbox.run(arguments).must(0).json()["whole"], 1);
}

/// Neither does a lock.
#[test]
fn verify_does_not_wait_for_a_lock() {
    let sandbox = Sandbox::new();
    let blob = fs::File::open(cached(&sandbox)).unwrap();
    blob.lock().unwrap();
    let seen = sandbox.run(["cache", "verify", "--output", "json"]).must(0);
    assert_eq!(seen.json()["whole"], 1);
    sandbox.run(["unmount", "dir"]).must(0);
    sandbox.run(["cache", "prune"]).must(0);
    assert_eq!(sandbox.bucket("blobs").len(), 0);
}
