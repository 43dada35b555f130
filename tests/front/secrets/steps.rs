//! The steps of a download, each of which fails once.

use std::fs;
use std::net::TcpListener;

use super::cage::{CANARY, CODED, Cage, Given, behave, origins, secret_url, silent};
use crate::node::{bytes, digest};
use crate::origin::{Behaviour, Object, Origin, RetryAfter};

#[test]
fn nothing_sings_where_all_goes_well() {
    let mut cage = Cage::new();
    let (origin, proxy) = origins();
    let url = secret_url(&origin);
    for arguments in [
        &["mount", &url, "dir"][..],
        &["mount", &url, "dir"],
        &["volumes"],
        &["cache", "ls"],
        &["cache", "verify"],
        &["unmount", "dir"],
        &["fetch", &url, "-o", "out"],
    ] {
        cage.listen(&proxy, arguments, &[0]);
    }
    assert!(origin.has_seen(&format!("Bearer {CANARY}-token")));
    assert!(origin.has_seen(&format!("sig={CANARY}-sig")));
    assert!(origin.has_seen(CODED));
    assert!(proxy.has_seen("Basic "), "the proxy was asked");
    assert!(cage.heard.contains("downloaded"), "nothing was logged");
    let files = fs::read_dir(cage.sandbox.root()).unwrap().count();
    assert!(files >= 3, "the store was looked at");
}

#[test]
fn nothing_sings_where_an_origin_refuses_or_fails() {
    let mut cage = Cage::new();
    let (origin, proxy) = origins();
    let url = secret_url(&origin);
    let busy = Behaviour::Busy {
        status: 500,
        retry_after: RetryAfter::Unsaid,
    };
    let failures: [(Behaviour, i32); 9] = [
        (Behaviour::Refused { status: 401 }, 4),
        (Behaviour::Refused { status: 403 }, 5),
        (Behaviour::Refused { status: 404 }, 3),
        (busy, 11),
        (Behaviour::Garbage, 11),
        (Behaviour::FinAt { at: 1000 }, 11),
        (Behaviour::RedirectNowhere, 5),
        (Behaviour::Gzipped, 2),
        (Behaviour::Endless, 7),
    ];
    for (failure, code) in failures {
        behave(&origin, &proxy, failure);
        let arguments = ["mount", &url, "dir", "--tries", "2", "--max-size", "2Mi"];
        cage.listen(&proxy, &arguments, &[code, 11]);
    }
}

#[test]
fn nothing_sings_in_a_redirect() {
    let mut cage = Cage::new();
    let (origin, proxy) = origins();
    let (second, _) = origins();
    let url = secret_url(&origin);
    let theirs = format!("sig={CANARY}-theirs");
    crate::input::names(&cage.sandbox, "");
    for (to, codes) in [
        (second.url(&format!("/a.war?{theirs}")), [0, 3, 8, 11]),
        (second.url(&format!("/none?{theirs}")), [0, 3, 8, 11]),
        (format!("http://127.0.0.1:9/a.war?{theirs}"), [0, 3, 8, 11]),
        (
            format!("http://169.254.169.254/a.war?{theirs}"),
            [5, 3, 8, 11],
        ),
        (
            format!("http://u:{CANARY}@{}/a.war", second.address()),
            [0, 3, 8, 11],
        ),
        (
            format!("http://nowhere.invalid/a.war?{theirs}"),
            [0, 3, 8, 11],
        ),
        (
            format!("ftp://u:{CANARY}@127.0.0.1/a.war?{theirs}"),
            [5, 3, 8, 11],
        ),
        (format!("http://[{CANARY}/a.war?{theirs}"), [5, 3, 8, 11]),
    ] {
        behave(&origin, &proxy, Behaviour::RedirectElsewhere { to });
        cage.listen(&proxy, &["mount", &url, "dir", "--tries", "2"], &codes);
        let _ = cage.sandbox.run(["unmount", "dir"]);
        cage.sandbox.run(["cache", "prune"]).must(0);
    }
    assert!(second.has_seen(&theirs), "it was followed");
    assert!(!second.has_seen("-token") && !second.has_seen(CODED));
}

#[test]
fn nothing_sings_where_there_is_no_name_no_connection_and_no_certificate() {
    let mut cage = Cage::new();
    let (origin, proxy) = origins();
    crate::input::names(&cage.sandbox, "");
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let tls = Origin::start_tls();
    tls.put("/a.war", Object::new(bytes(44, 1000)));
    let query = format!("?sig={CANARY}-sig");
    for url in [
        format!("http://nowhere.invalid/a.war{query}"),
        format!("http://{closed}/a.war{query}"),
        format!("https://{closed}/a.war{query}"),
        tls.url(&format!("/a.war{query}")),
    ] {
        let arguments = ["mount", &url, "dir", "--tries", "2", "--stall-time", "1s"];
        cage.listen(&proxy, &arguments, &[3, 5, 11]);
    }
    // A proxy that is not there.
    let gone = Origin::start();
    let address = gone.address();
    drop(gone);
    let through = format!("http://{CANARY}-u:{CANARY}-p@{address}");
    for scheme in ["http", "https"] {
        let url = origin.url("/a.war").replace("http:", &format!("{scheme}:"));
        let mut command = cage.command(
            Given::Token,
            &origin,
            &["mount", &url, "dir", "--tries", "1"],
        );
        command
            .env("HTTP_PROXY", &through)
            .env("HTTPS_PROXY", &through);
        let ran = command.output().unwrap();
        assert_eq!(ran.status.code(), Some(11));
        silent(&String::from_utf8_lossy(&ran.stderr), "stderr");
    }
}

#[test]
fn nothing_sings_where_the_bytes_are_wrong_or_do_not_fit() {
    let mut cage = Cage::new();
    let (origin, proxy) = origins();
    let url = secret_url(&origin);
    let wrong = digest(b"wrong");
    cage.listen(
        &proxy,
        &["mount", &url, "dir", "--checksum", &wrong],
        &[6, 11],
    );
    cage.listen(
        &proxy,
        &["mount", &url, "dir", "--max-size", "1Ki"],
        &[7, 11],
    );
    cage.listen(
        &proxy,
        &["mount", &url, "dir", "--cache-size", "1Ki"],
        &[10, 11],
    );
    cage.listen(
        &proxy,
        &["mount", &url, "dir", "--pull-policy", "Never"],
        &[3],
    );
    cage.listen(&proxy, &["fetch", &url, "-o", "missing/out"], &[11]);
}
