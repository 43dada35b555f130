//! Several URLs, and `--from-file`.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use super::{Scene, speaks_no_yaml};
use crate::node::{bytes, digest};
use crate::origin::Object;
use crate::sandbox::Ran;

/// One that fails does not keep the others from being fetched; the exit code is that of the first failure.
#[test]
fn one_that_fails_does_not_stop_the_others() {
    let scene = Scene::new();
    scene.origin.put("/b.war", Object::new(bytes(2, 1000)));
    let (b, none) = (
        scene.origin.url("/b.war"),
        scene.origin.url("/none.war?canary"),
    );
    fs::create_dir(scene.sandbox.path("dir")).unwrap();
    let ran = scene
        .sandbox
        .run(["fetch", &none, &scene.url, &b, "-o", "dir"])
        .must(3);
    assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stdout);
    assert!(scene.read("dir/a.war") == scene.bytes && scene.read("dir/b.war") == bytes(2, 1000));
    let ran = ran.says("none.war");
    assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);

    let json = [
        "fetch", &none, &scene.url, &b, "-o", "dir", "--output", "json",
    ];
    let said = scene.sandbox.run(json).must(3).json();
    assert_eq!(said["fetched"].as_array().unwrap().len(), 2);
    assert_eq!(said["fetched"][0]["digest"], scene.pin.as_str());
    assert_eq!(said["failed"][0]["fault"], "not-found");
    assert!(
        said["failed"][0]["url"]
            .as_str()
            .unwrap()
            .ends_with("/none.war?…")
    );
    scene
        .sandbox
        .run(["fetch", &scene.url, &b, "-o", "dir"])
        .must(0);
}

#[test]
fn several_urls_need_a_directory_and_a_name_each() {
    let scene = Scene::new();
    let other = scene.origin.url("/x/a.war");
    fs::write(scene.sandbox.path("file"), "old").unwrap();
    for (more, says) in [
        (&["-o", "file"][..], "-o file is not a directory"),
        (&["-o", "none"], "-o none is not a directory"),
        (&["-o", "-"], "-o - is not a directory"),
        (&["--checksum", &scene.pin], "--checksum applies to one URL"),
        (&[], "two URLs have the file name \"a.war\""),
    ] {
        let arguments = [&["fetch", &scene.url, &other], more].concat();
        let ran = scene.sandbox.run(arguments).must(2).says(says);
        speaks_no_yaml(&ran);
    }
    let nameless = scene.origin.url("/x/");
    let ran = scene.sandbox.run(["fetch", &scene.url, &nameless]).must(2);
    speaks_no_yaml(&ran.says("/x/ has no file name").says("--from-file"));
    assert_eq!(scene.origin.log().len(), 0, "the origin was asked");
    assert_eq!(scene.read("file"), b"old");
}

/// Checksums and names are each line's own.
#[test]
fn a_list_names_urls_with_their_checksums_and_names() {
    let scene = Scene::new();
    scene.origin.put("/b/", Object::new(bytes(2, 1000)));
    scene.origin.put("/c.war", Object::new(bytes(3, 1000)));
    let (b, c) = (scene.origin.url("/b/"), scene.origin.url("/c.war"));
    let hex = digest(&bytes(2, 1000)).replace("sha256:", "");
    let list = format!(
        "# what this machine needs\n\n{}\t{}\r\n  {b}   {hex}   with blanks.war  \n{c} - d.war\n",
        scene.url,
        scene.pin.to_uppercase()
    );
    fs::write(scene.sandbox.path("list"), &list).unwrap();
    scene.sandbox.run(["fetch", "--from-file", "list"]).must(0);
    assert_eq!(scene.files(), ["a.war", "d.war", "list", "with blanks.war"]);
    assert!(scene.read("with blanks.war") == bytes(2, 1000));

    fs::create_dir(scene.sandbox.path("dir")).unwrap();
    let mut command = scene.sandbox.war_vol();
    let command = command.args(["fetch", "--from-file", "-", "-o", "dir", "-c"]);
    let command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(list.as_bytes())
        .unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap()).must(0);
    assert_eq!(ran.stdout.lines().count(), 3);
    assert!(scene.read("dir/d.war") == bytes(3, 1000));
}

/// A line that cannot be taken is named, and nothing is fetched: a mistyped checksum must not pass for a name.
#[test]
fn a_line_that_cannot_be_taken_is_named() {
    let scene = Scene::new();
    for (line, says) in [
        (
            "example.com/a.war",
            "line 2: URL: \"example.com\" is not a URL",
        ),
        (
            "https://example.com/a.war sha256:abc",
            "line 2: --checksum: ",
        ),
        (
            "https://example.com/a.war b.war",
            "line 2: --checksum: \"b.war\"",
        ),
        ("https://example.com/a.war - a/b", "contains a /"),
        ("https://me:canary@example.com/a.war", "line 2: URL: "),
    ] {
        fs::write(
            scene.sandbox.path("list"),
            format!("{}\n{line}\n", scene.url),
        )
        .unwrap();
        let ran = scene
            .sandbox
            .run(["fetch", "--from-file", "list"])
            .must(2)
            .says(says);
        let ran = ran.says("the list list: ");
        assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
        speaks_no_yaml(&ran);
    }
    fs::write(scene.sandbox.path("list"), "# nothing\n").unwrap();
    scene
        .sandbox
        .run(["fetch", "--from-file", "list"])
        .must(2)
        .says("contains no URL");
    scene
        .sandbox
        .run(["fetch", "--from-file", "none"])
        .must(2)
        .says("No such file");
    scene.sandbox.run(["fetch"]).must(2).says("URL");
    assert_eq!(scene.origin.log().len(), 0, "the origin was asked");
}
