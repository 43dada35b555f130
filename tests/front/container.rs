//! A pod's container: runc, given what kubelet and containerd give it.
//!
//! A volume comes into a container by one bind that the runtime makes. It says `ro` where kubelet's call said
//! `readonly`, and `rw` everywhere else, whatever flags the driver's own mount has; a runc of 1.2 or newer does as it
//! is told (opencontainers/runc#4824). So an attack that fails under an older one proves nothing.
//!
//! Left out on purpose: cgroup limits and the mount of the cgroups, seccomp (Kubernetes' default is unconfined).

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::{Ran, Sandbox};
use crate::tools::tool;

/// After so long without a word a container hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// What containerd gives a container that asks for nothing.
const CAPABILITIES: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// How the runtime hands a volume over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handed {
    /// As kubelet says it where the call was not `readonly`.
    ReadWrite,
    /// As kubelet says it where the call was `readonly`.
    ReadOnly,
}

/// A container that may be run, as often as wanted.
#[derive(Clone)]
pub(crate) struct Pod<'a> {
    sandbox: &'a Sandbox,
    mounts: Vec<(PathBuf, &'static str, Handed)>,
    capabilities: Vec<&'static str>,
    user_namespace: bool,
}

impl<'a> Pod<'a> {
    pub(crate) fn new(sandbox: &'a Sandbox) -> Self {
        Self {
            sandbox,
            mounts: Vec::new(),
            capabilities: CAPABILITIES.into(),
            user_namespace: false,
        }
    }

    /// With a volume at a path in the container.
    pub(crate) fn with(mut self, source: &Path, at: &'static str, handed: Handed) -> Self {
        self.mounts.push((source.to_owned(), at, handed));
        self
    }

    /// With `hostUsers: false`.
    pub(crate) fn in_user_namespace(mut self) -> Self {
        self.user_namespace = true;
        self
    }

    /// With `securityContext.capabilities.add`.
    pub(crate) fn may(mut self, capabilities: &[&'static str]) -> Self {
        self.capabilities.extend(capabilities);
        self
    }

    /// Runs a script to its end.
    pub(crate) fn run(&self, script: &str) -> Ran {
        self.start(script).end()
    }

    /// Starts a script. In it are busybox and `attack` (attack.c).
    pub(crate) fn start(&self, script: &str) -> Running {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("war-vol-test-{}-{number}", std::process::id());
        let bundle = self.sandbox.path(&name);
        make_rootfs(
            &bundle.join("rootfs"),
            self.mounts.iter().map(|(_, at, _)| *at),
        );
        // Root of a user namespace must be able to walk to its own root directory.
        fs::set_permissions(self.sandbox.path("."), Permissions::from_mode(0o711)).unwrap();
        fs::write(bundle.join("config.json"), self.config(script).to_string()).unwrap();
        let mut command = runc(&self.sandbox.path("runc"));
        command.args(["run", "--bundle"]).arg(bundle).arg(&name);
        Running::new(command, runc(&self.sandbox.path("runc")), &name)
    }

    fn config(&self, script: &str) -> Value {
        // kubelet gives each pod 65,536 ids of its own.
        let ids = json!([{"containerID": 0, "hostID": 1_048_576, "size": 65_536}]);
        let mut mounts = vec![
            json!({"destination": "/proc", "type": "proc", "source": "proc",
                "options": ["nosuid", "noexec", "nodev"]}),
            json!({"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
                "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]}),
            json!({"destination": "/sys", "type": "sysfs", "source": "sysfs",
                "options": ["nosuid", "noexec", "nodev", "ro"]}),
        ];
        for (source, at, handed) in &self.mounts {
            let word = match handed {
                Handed::ReadWrite => "rw",
                Handed::ReadOnly => "ro",
            };
            // containerd's CRI plugin, WithMounts: neither nosuid nor nodev, and mappings without "idmap".
            let mut mount = json!({"destination": at, "type": "bind", "source": source,
                "options": ["rbind", "rprivate", word]});
            if self.user_namespace {
                mount["uidMappings"] = ids.clone();
                mount["gidMappings"] = ids.clone();
            }
            mounts.push(mount);
        }
        let mut namespaces: Vec<_> = ["pid", "network", "ipc", "uts", "mount"].into();
        let mut linux = json!({
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "maskedPaths": ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        });
        if self.user_namespace {
            namespaces.push("user");
            linux["uidMappings"] = ids.clone();
            linux["gidMappings"] = ids;
        }
        linux["namespaces"] = namespaces
            .into_iter()
            .map(|kind| json!({"type": kind}))
            .collect();
        json!({
            "ociVersion": "1.2.0",
            "process": {
                "user": {"uid": 0, "gid": 0},
                "args": ["/bin/sh", "-c", script],
                "env": ["PATH=/bin"],
                "cwd": "/",
                "capabilities": {"bounding": self.capabilities, "effective": self.capabilities,
                    "permitted": self.capabilities},
            },
            "root": {"path": "rootfs"},
            "mounts": mounts,
            "linux": linux,
        })
    }
}

fn runc(state: &Path) -> Command {
    let mut command = Command::new(tool("runc"));
    command.arg("--root").arg(state);
    command
}

/// The directories to mount on are made here: root of a user namespace may not make them.
fn make_rootfs(root: &Path, mounts: impl Iterator<Item = &'static str>) {
    let dirs = ["/bin", "/dev", "/proc", "/sys", "/tmp"];
    for dir in dirs.into_iter().chain(mounts) {
        fs::create_dir_all(root.join(&dir[1..])).unwrap();
    }
    fs::set_permissions(root.join("tmp"), Permissions::from_mode(0o1777)).unwrap();
    fs::copy(attack_program(), root.join("bin/attack")).unwrap();
    let busybox = root.join("bin/busybox");
    let found = ["/bin/busybox", "/usr/bin/busybox"].map(|path| fs::copy(path, &busybox));
    assert!(
        found.iter().any(Result::is_ok),
        "busybox is missing: run `make tools`"
    );
    for applet in [
        "cat", "chmod", "grep", "ln", "mkdir", "mkfifo", "mknod", "mv", "printf", "rm", "sh",
    ] {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
}

/// `attack.c`, linked statically, once per process.
pub(crate) fn attack_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("attack");
        let new = path.with_extension(std::process::id().to_string());
        let made = Command::new("gcc")
            .args(["-static", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&new)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/front/attack.c"))
            .status()
            .expect("gcc is missing: run `make tools`");
        assert!(made.success(), "attack.c cannot be compiled");
        fs::rename(&new, &path).unwrap();
        path
    })
}

/// A container that runs. It ends with its value.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
    delete: Command,
}

impl Running {
    fn new(mut run: Command, mut delete: Command, name: &str) -> Self {
        let mut child = run
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("runc runs");
        let (stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        delete.args(["delete", "--force", name]);
        Self {
            child,
            lines,
            stderr: Some(stderr),
            delete,
        }
    }

    /// Waits for the next line; none at the end.
    pub(crate) fn line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the container hangs"),
        }
    }

    /// Closes its stdin and waits for its end.
    pub(crate) fn end(mut self) -> Ran {
        drop(self.child.stdin.take());
        let mut stdout = String::new();
        while let Some(line) = self.line() {
            stdout += &line;
            stdout.push('\n');
        }
        let stderr = self.stderr.take().unwrap().join().unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        Ran {
            code,
            stdout,
            stderr,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.stderr.is_some() {
            let _ = self.delete.stderr(Stdio::null()).status();
            let _ = self.child.wait();
        }
    }
}

#[test]
fn runc_is_one_that_does_as_it_is_told() {
    let output = Command::new(tool("runc"))
        .arg("--version")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let version = text
        .lines()
        .next()
        .and_then(|l| l.strip_prefix("runc version "));
    let mut numbers = version
        .unwrap_or_default()
        .split('.')
        .map(str::parse::<u32>);
    let (major, minor) = (numbers.next().unwrap(), numbers.next().unwrap());
    assert!(
        (major.unwrap(), minor.unwrap()) >= (1, 3),
        "attacks under an older runc than 1.3 prove nothing: {text}"
    );
}

#[test]
fn a_container_has_the_capabilities_of_any_pod_and_no_more() {
    let sandbox = Sandbox::new();
    let script = "grep -E 'Cap(Prm|Eff|Bnd)' /proc/self/status; cat /proc/self/uid_map";
    let plain = Pod::new(&sandbox).run(script).must(0);
    assert_eq!(
        plain.stdout.matches("00000000a80425fb").count(),
        3,
        "{plain:?}"
    );
    let mapped = Pod::new(&sandbox).in_user_namespace().run(script).must(0);
    assert_eq!(mapped.stdout.matches("00000000a80425fb").count(), 3);
    assert!(mapped.stdout.contains("1048576      65536"), "{mapped:?}");
}
