//! What is at the place that `-o` names is looked at first: files are replaced, what else takes bytes is written to,
//! and the rest is refused before the origin is asked.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{CWD, Dev, FileType, Mode, makedev, mknodat};
use rustix::mount::{MountFlags, mount, mount_bind};

use super::Scene;
use crate::node::digest;
use crate::origin::Object;

fn make(path: &Path, kind: FileType, device: Dev) {
    mknodat(CWD, path, kind, Mode::from_raw_mode(0o666), device).unwrap();
}

/// As root it replaced them by a regular file: `/dev/null` of a whole machine was one command away.
#[test]
fn a_device_is_written_to_and_stays_a_device() {
    let scene = Scene::new();
    let null = scene.sandbox.path("null");
    make(&null, FileType::CharacterDevice, makedev(1, 3));
    symlink("null", scene.sandbox.path("link")).unwrap();
    for name in ["null", "link", "/dev/null"] {
        let ran = scene.sandbox.run(["fetch", &scene.url, "-o", name]).must(0);
        assert!(ran.stdout.starts_with(&scene.pin), "{}", ran.stdout);
        let meta = fs::metadata(scene.sandbox.path(name)).unwrap();
        assert!(meta.file_type().is_char_device(), "{name}");
        assert_eq!(meta.rdev(), makedev(1, 3));
    }
    // One that takes no bytes says so itself, and stays too.
    let full = scene.sandbox.path("full");
    make(&full, FileType::CharacterDevice, makedev(1, 7));
    let ran = scene
        .sandbox
        .run(["fetch", &scene.url, "-o", "full"])
        .must(10);
    let ran = ran.says("cannot write to full").says("No space left");
    assert!(!ran.stdout.contains(&scene.pin));
    assert!(fs::metadata(full).unwrap().file_type().is_char_device());
    assert_eq!(scene.files(), ["full", "link", "null"]);
}

/// Whoever reads a pipe gets all of the verified bytes, or none.
#[test]
fn a_pipe_gets_the_bytes_once_they_are_verified() {
    let scene = Scene::new();
    let pipe = scene.sandbox.path("pipe");
    make(&pipe, FileType::Fifo, 0);
    // Nobody reads it: a command that opened it would wait for ever.
    let wrong = digest(b"other");
    let arguments = ["fetch", &scene.url, "-o", "pipe", "--checksum", &wrong];
    scene.sandbox.run(arguments).must(6);
    let read = pipe.clone();
    let reader = std::thread::spawn(move || fs::read(read).unwrap());
    scene
        .sandbox
        .run(["fetch", &scene.url, "-o", "pipe"])
        .must(0);
    assert!(reader.join().unwrap() == scene.bytes, "other bytes came");
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    assert_eq!(scene.files(), ["pipe"]);
}

/// Standard output is the artifact's alone; what there is to say is on standard error.
#[test]
fn standard_output_gets_nothing_but_the_artifact() {
    let scene = Scene::new();
    for name in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let out = scene.fetch(&[&scene.url, "-o", name], Stdio::piped());
        let words = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(0), "{name}: {words}");
        assert!(out.stdout == scene.bytes, "{name}: other bytes came");
        assert!(words.contains(&scene.pin), "{words}");

        // Into a file that the shell has opened, behind what is there: `{ date; war-vol fetch …; } > log`.
        let path = scene.sandbox.path("log");
        let mut log = File::create(&path).unwrap();
        log.write_all(b"before ").unwrap();
        let inode = log.metadata().unwrap().ino();
        let json = [&scene.url, "-o", name, "--output", "json"];
        let out = scene.fetch(&json, log.into());
        assert_eq!(out.status.code(), Some(0));
        assert!(scene.read("log") == [b"before ", &*scene.bytes].concat());
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode, "it was replaced");
        let words = String::from_utf8(out.stderr).unwrap();
        let said: serde_json::Value = serde_json::from_str(words.trim()).unwrap();
        assert_eq!(said["digest"], scene.pin.as_str());

        let wrong = digest(b"other");
        let failing = [
            &*scene.url,
            "-o",
            name,
            "--checksum",
            &wrong,
            "--output",
            "json",
        ];
        let out = scene.fetch(&failing, Stdio::piped());
        assert_eq!(out.status.code(), Some(6));
        assert!(out.stdout.is_empty(), "{name}: unverified bytes were shown");
        let words = String::from_utf8(out.stderr).unwrap();
        assert!(words.contains("\"mismatch\""), "{words}");
    }
    assert_eq!(scene.files(), ["log"]);
}

/// A descriptor that the shell has opened: written to where it stands, and not opened anew.
#[test]
fn another_descriptor_is_written_to() {
    let scene = Scene::new();
    let program = env!("CARGO_BIN_EXE_war-vol");
    let line = format!(
        "echo before >&3; '{program}' fetch '{}' -o /dev/fd/3",
        scene.url
    );
    for redirection in ["3>log", "3>>log"] {
        let _ = fs::remove_file(scene.sandbox.path("log"));
        let mut shell = Command::new("sh");
        let line = format!("{{ {line}; }} {redirection}");
        let shell = shell
            .args(["-c", &line])
            .current_dir(scene.sandbox.path("."));
        assert!(shell.output().unwrap().status.success());
        assert!(scene.read("log") == [b"before\n", &*scene.bytes].concat());
    }
}

/// A symlink stays, and what it leads to is the place.
#[test]
fn a_symlink_stays_and_its_target_is_replaced() {
    let scene = Scene::new();
    let (dir, file) = (scene.sandbox.path("dir"), scene.sandbox.path("dir/file"));
    fs::create_dir(&dir).unwrap();
    fs::write(&file, "old").unwrap();
    for (name, to) in [
        ("one", "two"),
        ("two", "dir/file"),
        ("new", "dir/fresh"),
        ("into", "dir"),
    ] {
        symlink(to, scene.sandbox.path(name)).unwrap();
    }
    for (name, file) in [
        ("one", "dir/file"),
        ("new", "dir/fresh"),
        ("into", "dir/a.war"),
    ] {
        scene.sandbox.run(["fetch", &scene.url, "-o", name]).must(0);
        assert!(scene.read(file) == scene.bytes, "{name}");
        assert!(
            fs::symlink_metadata(scene.sandbox.path(file))
                .unwrap()
                .is_file()
        );
    }
    for name in ["one", "two", "new", "into"] {
        assert!(
            fs::symlink_metadata(scene.sandbox.path(name))
                .unwrap()
                .is_symlink(),
            "{name}"
        );
    }
    // Where it leads nowhere a file can be, nothing is asked.
    let before = scene.origin.gets("/a.war");
    symlink("loop", scene.sandbox.path("loop")).unwrap();
    symlink("none/file", scene.sandbox.path("lost")).unwrap();
    for (name, says) in [("loop", "symbolic links"), ("lost", "No such file")] {
        let ran = scene
            .sandbox
            .run(["fetch", &scene.url, "-o", name])
            .must(11);
        ran.says(says);
    }
    assert_eq!(scene.origin.gets("/a.war"), before);
}

/// Who could read the file before can read it after.
#[test]
fn a_file_that_is_replaced_keeps_its_mode_and_owner() {
    let scene = Scene::new();
    let file = scene.sandbox.path("file");
    fs::write(&file, "old").unwrap();
    chown(&file, Some(1234), Some(2345)).unwrap();
    for (mode, kept) in [(0o640, 0o640), (0o400, 0o400), (0o6755, 0o755)] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let inode = fs::metadata(&file).unwrap().ino();
        scene
            .sandbox
            .run(["fetch", &scene.url, "-o", "file"])
            .must(0);
        let meta = fs::metadata(&file).unwrap();
        assert!(scene.read("file") == scene.bytes);
        assert_ne!(meta.ino(), inode, "it was not replaced in one step");
        assert_eq!(
            (meta.uid(), meta.gid(), meta.mode() & 0o7777),
            (1234, 2345, kept)
        );
    }
    // Who may not give a file away does not take it either.
    fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(scene.sandbox.path("."), Permissions::from_mode(0o777)).unwrap();
    let before = scene.origin.gets("/a.war");
    let program = scene.sandbox.path("war-vol");
    fs::copy(env!("CARGO_BIN_EXE_war-vol"), &program).unwrap();
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(program)
        .args(["fetch", &scene.url, "-o", "file"])
        .current_dir(scene.sandbox.path("."));
    let out = command.output().unwrap();
    let words = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(9), "{words}");
    assert!(
        words.contains("belongs to user 1234 and group 2345"),
        "{words}"
    );
    assert_eq!(scene.origin.gets("/a.war"), before, "the origin was asked");
    assert_eq!(scene.files(), ["file", "war-vol"]);
}

/// A directory gets the file in it, by the URL's name.
#[test]
fn a_directory_gets_the_file_in_it() {
    let scene = Scene::new();
    for name in ["dir", "other"] {
        fs::create_dir(scene.sandbox.path(name)).unwrap();
    }
    let other = scene.sandbox.path("other/");
    for (named, file) in [
        ("dir", "dir/a.war"),
        (other.to_str().unwrap(), "other/a.war"),
        (".", "a.war"),
    ] {
        let ran = scene
            .sandbox
            .run(["fetch", &scene.url, "-o", named])
            .must(0);
        assert!(ran.stdout.contains("a.war"), "{}", ran.stdout);
        assert!(scene.read(file) == scene.bytes);
    }
    let nameless = scene.origin.url("/x/");
    let ran = scene.sandbox.run(["fetch", &nameless, "-o", "dir"]).must(2);
    ran.says("ends without a file name");
    assert_eq!(scene.origin.gets("/x/"), 0);
}

/// Where `-o` names the file, the URL needs no name.
#[test]
fn a_url_needs_no_name_where_the_file_is_named() {
    let scene = Scene::new();
    for path in ["/", "/x/", "/%FF", "/a%2Fb"] {
        scene.origin.put(path, Object::new(scene.bytes.clone()));
        let url = scene.origin.url(path);
        scene.sandbox.run(["fetch", &url, "-o", "file"]).must(0);
        assert!(scene.read("file") == scene.bytes, "{path}");
        fs::remove_file(scene.sandbox.path("file")).unwrap();
        scene.sandbox.run(["fetch", &url]).must(2);
    }
}

/// What is neither replaced nor written to is refused before the origin is asked, and stays.
#[test]
fn everything_else_is_refused_before_the_first_byte() {
    let scene = Scene::new();
    let at = |name: &str| scene.sandbox.path(name);
    let _socket = UnixListener::bind(at("socket")).unwrap();
    fs::create_dir_all(at("dir/a.war")).unwrap();
    fs::write(at("file"), "old").unwrap();
    // As `docker run -v FILE:FILE` does it.
    fs::write(at("bound"), "").unwrap();
    mount_bind(at("file"), at("bound")).unwrap();
    fs::create_dir(at("read-only")).unwrap();
    let tmpfs = "tmpfs";
    mount(tmpfs, at("read-only"), tmpfs, MountFlags::RDONLY, None).unwrap();
    for (name, code, says) in [
        ("socket", 9, "it is a socket"),
        ("dir", 9, "it is a directory"),
        ("bound", 9, "a file is mounted there"),
        ("missing/file", 11, "No such file"),
        ("missing/", 11, "No such file"),
        ("file/below", 11, "Not a directory"),
        ("file/", 11, "Not a directory"),
        ("read-only/file", 11, "Read-only file system"),
    ] {
        let ran = scene
            .sandbox
            .run(["fetch", &scene.url, "-o", name])
            .must(code);
        let ran = ran.says(says);
        assert_eq!(ran.stdout, "");
    }
    assert_eq!(scene.origin.log().len(), 0, "the origin was asked");
    assert_eq!(scene.read("file"), b"old");
    assert!(fs::metadata(at("socket")).unwrap().file_type().is_socket());
}

/// A place that becomes something else while the download runs is not replaced either.
#[test]
fn a_place_that_changes_meanwhile_is_not_replaced() {
    let scene = Scene::new();
    let silence = crate::origin::Behaviour::Pause {
        at: 100_000,
        ms: 1500,
    };
    scene.origin.behave("/a.war", vec![silence.always()]);
    let pipe = scene.sandbox.path("file");
    let (origin, made) = (&scene.origin, &pipe);
    let out = std::thread::scope(|threads| {
        threads.spawn(move || {
            crate::node::until("it downloads", || origin.gets("/a.war") > 0);
            make(made, FileType::Fifo, 0);
        });
        scene.fetch(&[&scene.url, "-o", "file"], Stdio::piped())
    });
    let words = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(9), "{words}");
    assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
    assert_eq!(scene.files(), ["file"]);
}
