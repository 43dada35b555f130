//! What a command says, it says in the words of the command line.

use super::{Scene, speaks_no_yaml};
use crate::driver::Driver;
use crate::node::{Node, RequestExt, failed};
use crate::origin::{Behaviour, Object};
use crate::sandbox::Sandbox;

/// What is asked for and set, what the origin does, the exit code, and what `mount`, `fetch` and a volume are told.
type Case<'a> = (&'a str, Option<Behaviour>, &'a [&'a str], i32, [&'a str; 3]);

/// The kind: every message that names a setting, from a URL's name to what an origin answers.
#[test]
fn a_message_to_a_command_names_the_flag_and_one_to_a_volume_the_attribute() {
    let scene = Scene::new();
    let nameless = scene.origin.url("/x/");
    scene.origin.put("/x/", Object::new(scene.bytes.clone()));
    let url = scene.url.clone();
    let coded = Behaviour::EncodingLabel { coding: "br" };
    let cases: [Case; 7] = [
        (
            &nameless,
            None,
            &[],
            2,
            [
                "set --file-name",
                "set -o FILE",
                "the attribute downloadURL",
            ],
        ),
        (
            &url,
            None,
            &["checksum", "md5:1"],
            2,
            ["--checksum: ", "--checksum: ", "the attribute checksum: "],
        ),
        (
            &url,
            Some(Behaviour::CloseDelimited),
            &[],
            2,
            ["set --checksum", "set --checksum", "set checksum"],
        ),
        (
            &url,
            Some(coded),
            &[],
            2,
            ["set --checksum to", "set --checksum to", "set checksum to"],
        ),
        (
            &url,
            Some(Behaviour::Refused { status: 401 }),
            &[],
            4,
            [
                "with --credentials FILE",
                "with --credentials FILE",
                "in a Secret",
            ],
        ),
        (
            &url,
            Some(Behaviour::Refused { status: 403 }),
            &[],
            5,
            [
                "with --credentials FILE",
                "with --credentials FILE",
                "in a Secret",
            ],
        ),
        (
            &url,
            None,
            &["pullPolicy", "Never"],
            3,
            ["--pull-policy is Never", "", "pullPolicy is Never"],
        ),
    ];
    for (url, behaviour, setting, code, [mount, fetch, volume]) in cases {
        scene.origin.behave(
            "/a.war",
            behaviour.into_iter().map(Behaviour::always).collect(),
        );
        let flag = match setting {
            ["checksum", value] => vec!["--checksum", value],
            ["pullPolicy", value] => vec!["--pull-policy", value],
            _ => vec![],
        };
        let ran = scene
            .sandbox
            .run([&["mount", url, "dir"], &*flag].concat())
            .must(code)
            .says(mount);
        speaks_no_yaml(&ran);
        if !fetch.is_empty() {
            let ran = scene
                .sandbox
                .run([&["fetch", url], &*flag].concat())
                .must(code)
                .says(fetch);
            speaks_no_yaml(&ran);
        }
        let other = Sandbox::new();
        let node = Node::start(&other);
        let request = node.request("pod", url);
        let request = match setting {
            [name, value] => request.with(name, value),
            _ => request,
        };
        let (_, words) = failed(node.publish(&request));
        assert!(words.contains(volume), "{words}");
        assert!(!words.contains("--"), "{words}");
    }
    assert_eq!(scene.files(), ["root"]);
}

/// The limit is the command's own where the command downloads.
#[test]
fn a_limit_is_named_as_the_flag_that_was_typed() {
    let scene = Scene::new();
    for command in [&["mount", &scene.url, "dir"][..], &["fetch", &scene.url]] {
        let ran = scene
            .sandbox
            .run([command, &["--max-size", "1Ki"]].concat())
            .must(7);
        let ran = ran.says("exceeds --max-size of 1.0 KiB");
        speaks_no_yaml(&ran);
    }
}

/// Only a copy of one's own can be a copy.
#[test]
fn a_copy_that_is_read_only_is_refused_in_flags() {
    let scene = Scene::new();
    let arguments = [
        "mount",
        &scene.url,
        "dir",
        "--layout",
        "copy",
        "--read-only",
    ];
    let ran = scene
        .sandbox
        .run(arguments)
        .must(2)
        .says("--layout copy")
        .says("--read-only");
    speaks_no_yaml(&ran);
    assert_eq!(scene.origin.log().len(), 0);
}

/// Credentials are of a file or of the environment, and the message says of which.
#[test]
fn wrong_credentials_are_named_by_where_they_are_from() {
    let scene = Scene::new();
    let mut command = scene.sandbox.war_vol();
    let command = command
        .args(["fetch", &scene.url])
        .env("WAR_VOL_USERNAME", "canary");
    let ran = crate::sandbox::Ran::of(command.output().unwrap()).must(2);
    let ran = ran
        .says("WAR_VOL_PASSWORD")
        .says("a username is given without a password");
    speaks_no_yaml(&ran);
    assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
    std::fs::write(scene.sandbox.path("login"), "token=can ary").unwrap();
    let arguments = ["fetch", &scene.url, "--credentials", "login"];
    let ran = scene
        .sandbox
        .run(arguments)
        .must(2)
        .says("the credentials file login: the token is empty, or");
    speaks_no_yaml(&ran);
    assert!(!ran.stderr.contains("ary"), "{}", ran.stderr);
}

/// A driver that does it for a command speaks to the command, and of its own limit as its own.
#[test]
fn a_driver_that_is_asked_by_a_command_speaks_of_flags() {
    let scene = Scene::new();
    let driver = Driver::begin(
        &scene.sandbox,
        &["--max-size", "1Mi", "--log-level", "trace"],
    );
    driver.is_ready();
    let nameless = scene.origin.url("/x/");
    let refused = scene.origin.url("/refused.war");
    let large = scene.origin.url("/large.war");
    scene
        .origin
        .put("/large.war", Object::new(vec![0; 2 << 20]));
    let status = Behaviour::Refused { status: 401 };
    scene.origin.behave("/refused.war", vec![status.always()]);
    let mount = |more: &[&str]| scene.sandbox.run([&["mount"], more, &["dir"]].concat());
    speaks_no_yaml(&mount(&[&nameless]).must(2).says("set --file-name"));
    speaks_no_yaml(&mount(&[&refused]).must(4).says("with --credentials FILE"));
    mount(&[&large])
        .must(7)
        .says("the driver's --max-size of 1.0 MiB");
    // A header goes the same way.
    mount(&["-H", "X-Api-Key: c4nary", &scene.url]).must(0);
    assert!(scene.origin.has_seen("c4nary"));
    assert!(!driver.log().contains("c4nary"), "{}", driver.log());
    scene.sandbox.run(["unmount", "dir"]).must(0);
}
