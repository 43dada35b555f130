//! What an origin answers, or does not.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

use crate::node::{bytes, digest};
use crate::origin::{Behaviour, Object, Origin, RetryAfter};
use crate::sandbox::Sandbox;

const LENGTH: usize = 300_000;

fn origin() -> Origin {
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(11, LENGTH)));
    origin
}

/// The row: the status and the host, and a code of its own.
#[test]
fn a_refusal_has_a_code_of_its_own_and_names_status_and_host() {
    let sandbox = Sandbox::new();
    let origin = origin();
    let host = origin.address().to_string();
    for (status, code, advice) in [
        (401, 4, "provide credentials"),
        (403, 5, "that may read it, or correct their permissions"),
        (404, 3, "check the path"),
        (410, 3, "choose another version"),
    ] {
        origin.behave("/a.war", vec![Behaviour::Refused { status }.always()]);
        let before = origin.gets("/a.war");
        let url = origin.url("/a.war?sig=canary");
        let ran = sandbox.run(["mount", &url, "dir"]).must(code);
        let ran = ran.says(&format!("{host} answered {status}")).says(advice);
        assert!(
            ran.stderr.contains(&origin.url("/a.war?…")),
            "{}",
            ran.stderr
        );
        assert!(!ran.stderr.contains("canary"));
        assert_eq!(origin.gets("/a.war"), before + 1, "final: asked once");
        let json = sandbox
            .run(["mount", &url, "dir", "--output", "json"])
            .json();
        let fault = ["", "", "", "not-found", "unauthenticated", "denied"][code as usize];
        assert_eq!(json["error"]["fault"], fault);
        sandbox.assert_nothing_left();
        assert!(!sandbox.path("dir").exists());
    }
}

/// Both digests and the size; nothing kept, nothing visible; not downloaded again while unchanged.
#[test]
fn a_wrong_checksum_says_both_digests_and_the_size_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let origin = origin();
    let url = origin.url("/a.war");
    let (wrong, right) = (digest(b"other"), digest(&bytes(11, LENGTH)));
    for time in 1..=3 {
        sandbox
            .run(["mount", &url, "dir", "--checksum", &wrong])
            .must(6)
            .says(&format!("expected {wrong}, got {right} (293.0 KiB)"))
            .says("correct the checksum");
        assert_eq!(sandbox.bucket("blobs").len(), 0);
        assert!(!sandbox.path("dir").exists());
        sandbox.assert_nothing_left();
        assert_eq!(origin.gets("/a.war"), time, "asked whether it changed");
        assert_eq!(
            origin.bytes_sent("/a.war"),
            LENGTH as u64,
            "downloaded once"
        );
    }
    let sha512 = format!("sha512:{}", "0f".repeat(64));
    sandbox
        .run(["mount", &url, "dir", "--checksum", &sha512])
        .must(6)
        .says(&sha512);
    sandbox.mount(&url, "dir", &["--checksum", &right]);
}

/// The row: the cause, and that it may pass.
#[test]
fn an_origin_that_is_down_is_unavailable() {
    let sandbox = Sandbox::new();
    // A port that nobody listens on any more.
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    sandbox
        .run(["mount", &format!("http://{closed}/a.war"), "dir"])
        .must(11)
        .says(&format!("cannot connect to {closed}"))
        .says("refused")
        .says("check that the server is up");
    let origin = origin();
    for (behaviour, says) in [
        (Behaviour::ClosedOnAccept, "was cut off"),
        (Behaviour::Garbage, "sent something other than HTTP/1"),
        (
            Behaviour::Busy {
                status: 503,
                retry_after: RetryAfter::Unsaid,
            },
            "answered 503; the server has a problem",
        ),
    ] {
        origin.behave("/a.war", vec![behaviour.always()]);
        sandbox
            .run(["mount", &origin.url("/a.war"), "dir"])
            .must(11)
            .says(says);
        assert_eq!(sandbox.mounts(), 0);
        assert!(!sandbox.path("dir").exists());
    }
    origin.behave("/a.war", vec![Behaviour::SilenceAt { at: 9 }.always()]);
    sandbox
        .run([
            "mount",
            &origin.url("/a.war"),
            "dir",
            "--stall-time",
            "100ms",
        ])
        .must(11)
        .says("sent less than 1.0 KiB/s for 100ms");
}

/// The row: a name that has no address.
#[test]
fn a_name_without_an_address_is_unavailable_and_named() {
    let sandbox = Sandbox::new();
    super::reach::names(&sandbox, "");
    sandbox
        .run(["mount", "http://nowhere.invalid/a.war", "dir"])
        .must(11)
        .says("cannot resolve nowhere.invalid")
        .says("check the name and the node's DNS");
    assert!(!sandbox.path("dir").exists());
}

/// The row: which certificate, and which flag adds a CA.
#[test]
fn a_certificate_of_an_unknown_ca_names_the_flag_that_adds_it() {
    let sandbox = Sandbox::new();
    let origin = Origin::start_tls();
    origin.put("/a.war", Object::new(bytes(11, LENGTH)));
    let url = origin.url("/a.war");
    let host = origin.address().to_string();
    sandbox
        .run(["mount", &url, "dir"])
        .must(11)
        .says(&format!("TLS with {host} failed"))
        .says("certificate")
        .says("--ca-file");
    let ca = sandbox.path("ca.pem");
    fs::write(&ca, origin.ca_pem()).unwrap();
    sandbox.mount(&url, "dir", &["--ca-file", ca.to_str().unwrap()]);
    assert!(fs::read(sandbox.path("dir/a.war")).unwrap() == bytes(11, LENGTH));

    // The right CA and the wrong name.
    let port = origin.address().port();
    super::reach::names(&sandbox, "127.0.0.1 other.test");
    let other = format!("https://other.test:{port}/a.war");
    sandbox
        .run(["mount", &other, "x", "--ca-file", ca.to_str().unwrap()])
        .must(11)
        .says(", not for other.test");
    // Plain http where TLS was meant: a server says so, in plain words.
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/a.war", plain.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut connection, _) = plain.accept().unwrap();
        let _ = connection.read(&mut [0; 16]).unwrap();
        let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    sandbox
        .run(["mount", &url, "x"])
        .must(11)
        .says("check that this port serves https");
    server.join().unwrap();
}

/// The row: `Never` without a copy says so.
#[test]
fn never_without_a_copy_is_not_found_and_says_so() {
    let sandbox = Sandbox::new();
    let origin = origin();
    let url = origin.url("/a.war");
    sandbox
        .run(["mount", &url, "dir", "--pull-policy", "Never"])
        .must(3)
        .says("--pull-policy is Never");
    assert_eq!(origin.gets("/a.war"), 0);
    sandbox.mount(&url, "dir", &[]);
    sandbox.mount(&url, "other", &["--pull-policy", "Never"]);
    assert_eq!(origin.gets("/a.war"), 1);
    // `Always` never takes the old bytes where the origin cannot be asked.
    drop(origin);
    sandbox.run(["mount", &url, "third"]).must(11);
}
