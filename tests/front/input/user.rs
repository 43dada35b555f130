//! Without root; and `fetch`, which needs none.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::node::{bytes, digest, until};
use crate::origin::{Behaviour, Object, Origin};
use crate::sandbox::{Ran, Sandbox};

const LENGTH: usize = 500_000;
const NOBODY: u32 = 65534;

struct Scene {
    sandbox: Sandbox,
    origin: Origin,
    url: String,
}

impl Scene {
    /// A directory of nobody's with a program in it.
    fn new() -> Self {
        let origin = Origin::start();
        origin.put("/a.war", Object::new(bytes(55, LENGTH)));
        let sandbox = Sandbox::new();
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(sandbox.path("."), open).unwrap();
        let program = env!("CARGO_BIN_EXE_war-vol");
        let here = sandbox.path("war-vol");
        fs::hard_link(program, &here)
            .or_else(|_| fs::copy(program, &here).map(drop))
            .unwrap();
        let home = sandbox.path("home");
        fs::create_dir(&home).unwrap();
        chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
        Self {
            sandbox,
            url: origin.url("/a.war"),
            origin,
        }
    }

    fn home(&self) -> PathBuf {
        self.sandbox.path("home")
    }

    /// The program as nobody runs it.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
            .arg(self.sandbox.path("war-vol"))
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("WAR_VOL_RETRY_PAUSE", "10ms")
            .env("WAR_VOL_LONGEST_PAUSE", "100ms")
            .current_dir(self.home())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// What lies in nobody's directory, hidden files too.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.home()).unwrap();
        let mut names: Vec<_> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// What mounts needs root, and says so before it does anything.
#[test]
fn commands_that_need_root_say_so() {
    let scene = Scene::new();
    for arguments in [
        &["mount", &scene.url, "dir"][..],
        &["unmount", "dir"],
        &["cache", "ls"],
        &["cache", "prune"],
        &["volumes"],
    ] {
        scene.run(arguments).must(5).says("needs root");
    }
    assert_eq!(scene.origin.gets("/a.war"), 0);
    assert_eq!(scene.files(), Vec::<String>::new());
}

/// `fetch` needs neither root nor a store.
#[test]
fn fetch_needs_no_root_and_leaves_the_file_alone() {
    let scene = Scene::new();
    let pin = digest(&bytes(55, LENGTH));
    let ran = scene
        .run(&["fetch", &scene.url, "--checksum", &pin])
        .must(0);
    assert!(ran.stdout.starts_with(&pin), "{}", ran.stdout);
    assert_eq!(scene.files(), ["a.war"]);
    let file = scene.home().join("a.war");
    assert!(fs::read(&file).unwrap() == bytes(55, LENGTH));
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o644, "as any new file, by the umask");
    let json = scene
        .run(&["fetch", &scene.url, "--output", "json"])
        .must(0)
        .json();
    assert_eq!(json["digest"], pin.as_str());
    assert_eq!(json["size"], LENGTH);
}

/// A failure leaves what was there, and nothing else; only a complete and verified file replaces it.
#[test]
fn a_fetch_that_fails_leaves_nothing_and_replaces_nothing() {
    let scene = Scene::new();
    let file = scene.home().join("a.war");
    let wrong = digest(b"other");
    for old in [None, Some("old")] {
        if let Some(old) = old {
            fs::write(&file, old).unwrap();
            chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let before = scene.files();
        let failing = [
            (vec![], &["--checksum", &wrong][..], 6),
            (vec![Behaviour::Refused { status: 404 }.always()], &[], 3),
            (vec![Behaviour::FinAt { at: 0 }.always()], &[], 11),
            (vec![], &["--max-size", "100"], 7),
            (
                vec![Behaviour::Chunked.always()],
                &["--max-size", "100Ki"],
                7,
            ),
        ];
        for (spells, flags, code) in failing {
            scene.origin.behave("/a.war", spells);
            let arguments = [&["fetch", &scene.url, "-o", "a.war"], flags].concat();
            scene.run(&arguments).must(code);
            assert_eq!(scene.files(), before);
        }
        let content = fs::read_to_string(&file).ok();
        assert_eq!(content.as_deref(), old);
    }
    scene.origin.behave("/a.war", vec![]);
    scene.run(&["fetch", &scene.url, "-o", "a.war"]).must(0);
    assert!(fs::read(&file).unwrap() == bytes(55, LENGTH));
    scene
        .run(&["fetch", &scene.url, "-o", "missing/a.war"])
        .must(11)
        .says("missing");
    scene
        .run(&["fetch", &scene.url, "-o", "/a.war"])
        .must(11)
        .says("denied");
    fs::create_dir(scene.home().join("dir")).unwrap();
    let ran = scene.run(&["fetch", &scene.url, "-o", "dir"]).says("dir");
    assert_ne!(ran.code, 0);
    chown(scene.home().join("dir"), Some(NOBODY), Some(NOBODY)).unwrap();
    assert_eq!(scene.files(), ["a.war", "dir"]);
}

/// Ctrl-C, and a polite end: nothing is left.
#[test]
fn an_interrupted_fetch_leaves_nothing() {
    let scene = Scene::new();
    let silence = Behaviour::SilenceAt { at: 200_000 };
    scene.origin.behave("/a.war", vec![silence.always()]);
    for (n, signal) in [Signal::INT, Signal::TERM].into_iter().enumerate() {
        let child = scene
            .command(&["fetch", &scene.url])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        until("it downloads", || {
            scene.origin.bytes_sent("/a.war") >= 200_000 * (n as u64 + 1)
        });
        kill_process(Pid::from_child(&child), signal).unwrap();
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.stdout.as_str()), (130, ""), "{}", ran.stderr);
        assert_eq!(scene.files(), Vec::<String>::new());
    }
}

/// A disk that is full says so with the code for it.
#[test]
fn a_fetch_onto_a_full_disk_is_no_space_and_leaves_nothing() {
    let scene = Scene::new();
    for spells in [vec![], vec![Behaviour::Chunked.always()]] {
        let home = scene.home();
        rustix::mount::mount(
            "small",
            &home,
            "tmpfs",
            rustix::mount::MountFlags::empty(),
            c"size=256k,uid=65534",
        )
        .unwrap();
        scene.origin.behave("/a.war", spells);
        scene.run(&["fetch", &scene.url]).must(10).says("No space");
        assert_eq!(scene.files(), Vec::<String>::new());
        crate::node::detach(&home);
    }
}
