//! `-H 'Name: value'`: a header of the user's own.

use super::{Scene, speaks_no_yaml};
use crate::origin::{Behaviour, Object, Origin};

/// It goes to the URL's own origin with every request, also with that for the rest, and to no other origin.
#[test]
fn a_header_goes_to_its_origin_and_to_no_other() {
    let scene = Scene::new();
    let other = Origin::start();
    other.put("/b.war", Object::new(scene.bytes.clone()));
    let to = other.url("/b.war");
    for command in ["fetch", "mount"] {
        let reset = Behaviour::ResetAt { at: 100_000 }.times(1);
        scene.origin.behave("/a.war", vec![reset]);
        let before = scene.origin.log().len();
        let mut arguments = vec![command, &*scene.url];
        arguments.extend((command == "mount").then_some("dir"));
        arguments.extend([
            "-H",
            "X-Api-Key: canary",
            "--header",
            "user-agent:mine",
            "--log-level",
            "trace",
        ]);
        let ran = scene.sandbox.run(&arguments).must(0);
        assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
        let log = scene.origin.log();
        assert!(log.len() >= before + 2, "it was not resumed");
        for seen in &log[before..] {
            let value = |name: &str| {
                let named = seen
                    .headers
                    .iter()
                    .filter(|(n, _)| n.eq_ignore_ascii_case(name));
                named.map(|(_, v)| v.clone()).collect::<Vec<_>>()
            };
            assert_eq!(value("x-api-key"), ["canary"]);
            assert_eq!(value("user-agent"), ["mine"]);
        }
    }
    let elsewhere = Behaviour::RedirectElsewhere { to };
    scene.origin.behave("/a.war", vec![elsewhere.always()]);
    let arguments = [
        "fetch",
        &scene.url,
        "-o",
        "b",
        "-H",
        "X-Api-Key: canary",
        "-H",
        "Cookie: canary",
    ];
    scene.sandbox.run(arguments).must(0);
    assert_eq!(other.gets("/b.war"), 1);
    assert!(!other.has_seen("canary"));
}

/// What came to one who showed a header is not given to one who did not (docs/design/laws.md, law 7).
#[test]
fn a_header_is_a_part_of_the_trust_context() {
    let scene = Scene::new();
    let pull = ["--pull-policy", "IfNotPresent"];
    for (dir, header, gets) in [
        ("one", Some("X-Api-Key: a"), 1),
        ("two", Some("x-api-key:a"), 1),
        ("three", Some("X-Api-Key: b"), 2),
        ("four", None, 3),
    ] {
        let mut arguments = vec!["mount", &*scene.url, dir];
        arguments.extend(pull);
        arguments.extend(header.into_iter().flat_map(|header| ["-H", header]));
        scene.sandbox.run(&arguments).must(0);
        assert_eq!(scene.origin.gets("/a.war"), gets, "{dir}");
    }
    crate::secrets::cage::files_are_silent(&scene.sandbox.root());
}

/// What a user may not set is refused by its name, and its value is not shown.
#[test]
fn a_header_that_cannot_be_set_is_refused_by_name() {
    let scene = Scene::new();
    for (header, says) in [
        ("Host: canary", "\"host\" is set by war-vol itself"),
        ("RANGE: canary", "\"range\" is set by war-vol itself"),
        ("If-Range: canary", "\"if-range\""),
        ("Accept-Encoding: canary", "\"accept-encoding\""),
        ("Content-Length: canary", "\"content-length\""),
        ("Transfer-Encoding: canary", "\"transfer-encoding\""),
        ("Connection: canary", "\"connection\""),
        ("canary", "no colon"),
        (": canary", "an invalid name"),
        ("X Y: canary", "an invalid name"),
        ("X:", "no value"),
        ("X: can\nary", "a header cannot contain"),
    ] {
        let ran = scene
            .sandbox
            .run(["fetch", &scene.url, "-H", header])
            .must(2);
        let ran = ran.says("-H: ").says(says);
        assert!(!ran.stderr.contains("ary"), "{}", ran.stderr);
        speaks_no_yaml(&ran);
    }
    let twice = ["fetch", &scene.url, "-H", "X: canary", "-H", "x: canary"];
    scene.sandbox.run(twice).must(2).says("given twice");
    let mut command = scene.sandbox.war_vol();
    command.args(["fetch", &scene.url, "-H", "Authorization: canary"]);
    let out = command.env("WAR_VOL_TOKEN", "canary").output().unwrap();
    let words = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(2), "{words}");
    assert!(
        words.contains("and a token") && !words.contains("canary"),
        "{words}"
    );
    assert_eq!(scene.origin.log().len(), 0, "the origin was asked");
}
