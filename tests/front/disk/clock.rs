//! The clock jumps (docs/design/faults.md, 20).

use std::fs;
use std::path::PathBuf;

use crate::node::bytes;
use crate::origin::{Object, Origin};
use crate::sandbox::{Ran, Sandbox};

/// The library that lies about the time, for a program that is linked dynamically, as a test's is.
fn faketime() -> PathBuf {
    let triples = fs::read_dir("/usr/lib").unwrap();
    let candidates = triples.map(|t| t.unwrap().path().join("faketime/libfaketime.so.1"));
    let mut there = candidates.filter(|path| path.is_file());
    there.next().expect("libfaketime is missing: make tools")
}

/// Runs the program so many years from now.
fn run_at(sandbox: &Sandbox, years: i32, arguments: &[&str]) -> Ran {
    let mut command = sandbox.war_vol();
    command
        .args(arguments)
        .env("LD_PRELOAD", faketime())
        .env("FAKETIME", format!("{years:+}y"))
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    Ran::of(command.output().unwrap()).must(0)
}

/// What is cached, in the order of the last use.
fn order(sandbox: &Sandbox) -> Vec<String> {
    let listed = sandbox.run(["cache", "ls", "--output", "json"]).must(0);
    let listed = listed.json();
    let mut all: Vec<_> = listed["artifacts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| {
            let url = a["from"][0].as_str().unwrap().to_owned();
            (a["lastUsed"].as_u64().unwrap(), url)
        })
        .collect();
    all.sort();
    all.into_iter()
        .map(|(_, url)| url.rsplit('/').next().unwrap().to_owned())
        .collect()
}

/// Ten years forth or back are another order and no reason to remove anything.
#[test]
fn a_clock_that_jumps_ten_years_evicts_nothing() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    let names = [
        "now.war",
        "later.war",
        "earlier.war",
        "new.war",
        "newer.war",
    ];
    for (seed, name) in names.into_iter().enumerate() {
        let object = Object::new(bytes(seed as u64, 1 << 20));
        origin.put(&format!("/{name}"), object);
    }
    let limit = ["--cache-size", "3500Ki"];
    for (name, years) in names[..3].iter().zip([0, 10, -10]) {
        let url = origin.url(&format!("/{name}"));
        run_at(&sandbox, years, &["mount", &url, "dir", limit[0], limit[1]]);
        assert!(sandbox.path("dir").join(name).exists());
        run_at(&sandbox, years, &["unmount", "dir"]);
    }
    assert_eq!(order(&sandbox), ["earlier.war", "now.war", "later.war"]);
    // Nothing has to go, so nothing goes, at whatever time.
    for years in [10, -10, 0] {
        let url = origin.url("/now.war");
        run_at(&sandbox, years, &["mount", &url, "dir", limit[0], limit[1]]);
        run_at(&sandbox, years, &["unmount", "dir"]);
        assert_eq!(sandbox.bucket("blobs").len(), 3);
    }
    // One has to go, so one goes: the one that was used the longest ago, as far as the clock tells.
    for (years, new, gone) in [
        (10, "new.war", "earlier.war"),
        (-10, "newer.war", "now.war"),
    ] {
        assert_eq!(order(&sandbox)[0], gone);
        let url = origin.url(&format!("/{new}"));
        run_at(&sandbox, years, &["mount", &url, "dir", limit[0], limit[1]]);
        run_at(&sandbox, years, &["unmount", "dir"]);
        let after = order(&sandbox);
        assert_eq!(after.len(), 3, "one went: {after:?}");
        assert!(!after.iter().any(|name| name == gone), "{after:?}");
    }
}
