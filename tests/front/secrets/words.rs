//! What is typed wrong, and what a killed program leaves.

use std::fs;
use std::process::Stdio;

use super::cage::{CANARY, Cage, Given, origins, secret_url, silent};
use crate::node::until;
use crate::origin::Behaviour;

#[test]
fn nothing_sings_in_what_is_typed_wrong() {
    let mut cage = Cage::new();
    let (origin, proxy) = origins();
    let good = secret_url(&origin);
    for url in [
        format!("https://me:{CANARY}@example.com/a.war"),
        format!("https://{CANARY}@example.com/a.war"),
        format!("https://example.com/?{CANARY}"),
        format!("https://example.com/a#{CANARY}"),
        format!("https://example.com:99999/a?{CANARY}"),
        format!("example.com/a?{CANARY}"),
        format!("//me:{CANARY}@example.com/a"),
        format!("s3://bucket/a?{CANARY}"),
        format!("https://example.com/a b?{CANARY}"),
    ] {
        let ran = cage.command(Given::Token, &proxy, &["mount", &url, "dir"]);
        let ran = { ran }.output().unwrap();
        assert_eq!(ran.status.code(), Some(2), "{url}");
        silent(&String::from_utf8_lossy(&ran.stderr), "stderr");
        silent(&String::from_utf8_lossy(&ran.stdout), "stdout");
    }
    for arguments in [
        &["mount", &good][..],
        &["mount", &good, "dir", "--bogus"],
        &["mount", &good, "dir", "--tries", "x"],
        &["mount", &good, "dir", "--path", "../x"],
        &["mount", "--help"],
    ] {
        let ran = cage
            .command(Given::Password, &proxy, arguments)
            .output()
            .unwrap();
        silent(&String::from_utf8_lossy(&ran.stderr), "stderr");
        silent(&String::from_utf8_lossy(&ran.stdout), "stdout");
    }
}

/// Killed in the middle of a download: what lies in the store then, and what another program says about the holder of
/// the lock.
#[test]
fn nothing_sings_after_a_kill_and_in_the_lock() {
    let mut cage = Cage::new();
    let (origin, proxy) = origins();
    let url = secret_url(&origin);
    origin.behave(
        "/a.war",
        vec![Behaviour::SilenceAt { at: 200_000 }.always()],
    );
    for given in [Given::Token, Given::Password, Given::File] {
        let before = origin.bytes_sent("/a.war");
        // The URL first: what a holder writes into the lock must not come from there.
        let mut command = cage.command(given, &proxy, &["mount", &url, "dir"]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        until("it downloads", || origin.bytes_sent("/a.war") > before);
        until("its bytes are there", || {
            cage.sandbox
                .bucket("partial")
                .iter()
                .any(|p| p.join("meta").exists())
        });
        let lock = fs::read_to_string(cage.sandbox.root().join("lock")).unwrap();
        assert_eq!(lock, format!("process {} (war-vol mount)", child.id()));
        child.kill().unwrap();
        let ended = child.wait_with_output().unwrap();
        silent(&String::from_utf8_lossy(&ended.stderr), "stderr");
        cage.files_are_silent();
    }
    let flags_first = ["--log-level", "trace", "mount", &url, "dir", "--tries", "1"];
    let ran = cage
        .sandbox
        .war_vol()
        .args(flags_first)
        .env("WAR_VOL_STALL_TIME", "1s")
        .output();
    assert_eq!(ran.unwrap().status.code(), Some(11));
    cage.files_are_silent();
}
