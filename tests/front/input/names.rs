//! Names that are odd and right come out byte for byte (docs/design/faults.md, 42).

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use crate::node::bytes;
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

fn names_in(dir: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(dir).unwrap();
    entries.map(|e| e.unwrap().file_name()).collect()
}

/// Twins by case or by form, spaces, quotes, whatever a shell would trip over, and the longest.
#[test]
fn odd_names_come_out_byte_for_byte() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(42, 5000)));
    let url = origin.url("/a.war");
    let longest = "n".repeat(255);
    let longest_of_two_bytes = format!("{}x", "é".repeat(127));
    let names = [
        "A.war",
        "a.war",
        "\u{e9}.war",
        "e\u{301}.war",
        "ROOT##2.war",
        " a b ",
        "...",
        "-rf",
        "'\"\\`$(x)",
        "a,b:c\\d=e",
        "\u{202e}gnp.war",
        "💥",
        &longest,
        &longest_of_two_bytes,
        &longest,
    ];
    let layouts = ["--layout=overlay", "--layout=copy", "--read-only"];
    for (name, layout) in names.into_iter().zip(layouts.into_iter().cycle()) {
        let flag = format!("--file-name={name}");
        sandbox.mount(&url, "dir", &[&flag, "--path", "x y/ä", layout]);
        let inside = sandbox.path("dir/x y/ä");
        assert_eq!(names_in(&inside), [OsStr::new(name)]);
        assert!(fs::read(inside.join(name)).unwrap() == bytes(42, 5000));
        sandbox.run(["unmount", "dir"]).must(0);
        fs::create_dir(sandbox.path("out")).unwrap();
        let file = format!("out/{name}");
        sandbox.run(["fetch", &url, "-o", &file]).must(0);
        assert_eq!(names_in(&sandbox.path("out")), [OsStr::new(name)]);
        fs::remove_dir_all(sandbox.path("out")).unwrap();
    }
    sandbox.assert_nothing_left();
}

/// The last segment of a URL is decoded, once.
#[test]
fn a_name_from_a_url_is_decoded_once() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    let long = "n".repeat(255);
    for (path, name) in [
        ("/x/v%C3%A9.war", "v\u{e9}.war"),
        ("/a%20b.war", "a b.war"),
        ("/a%2541.war", "a%41.war"),
        ("/%3Ba=b;c=d", ";a=b;c=d"),
        (&format!("/{long}"), &long),
    ] {
        origin.put(path, Object::new(bytes(42, 100)));
        sandbox.mount(&origin.url(path), "dir", &[]);
        assert_eq!(names_in(&sandbox.path("dir")), [OsStr::new(name)]);
        sandbox.run(["unmount", "dir"]).must(0);
    }
    let too_long = origin.url(&format!("/{}", "n".repeat(256)));
    sandbox
        .run(["mount", &too_long, "dir"])
        .must(2)
        .says("too long");
}

/// A directory may be called anything that is text: what the kernel escapes in its table is found again, and no
/// control character reaches a terminal.
#[test]
fn a_directory_of_any_name_is_mounted_on_and_found_again() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(42, 100)));
    let url = origin.url("/a.war");
    let longest = "d".repeat(255);
    for dir in [
        "a b",
        "tab\there",
        "new\nline",
        "back\\slash",
        "x\\040y",
        "a,b:c",
        "#",
        "é",
        &longest,
    ] {
        sandbox.mount(&url, dir, &[]);
        assert!(sandbox.path(dir).join("a.war").exists());
        let listed = sandbox.run(["volumes", "--output", "json"]).must(0).json();
        assert_eq!(
            listed["volumes"][0]["dir"],
            sandbox.path(dir).to_str().unwrap()
        );
        assert_eq!(listed["volumes"][0]["mounted"], true);
        sandbox.mount(&url, dir, &[]);
        sandbox.run(["unmount", dir]).must(0);
        let words = sandbox.run(["unmount", dir]).must(0).stderr;
        assert!(!words.trim_end().contains(char::is_control), "{words:?}");
        sandbox.assert_nothing_left();
    }
    let too_long = "d".repeat(256);
    sandbox
        .run(["mount", &url, &too_long])
        .must(2)
        .says("255 bytes");
}
