//! The same CA file is taken as curl takes it.

use std::process::{Command, Stdio};

use rcgen::{IsCa, date_time_ymd};

use super::{Made, authority, fetch, is_ca, made, server};
use crate::sandbox::Sandbox;

const HERE: &[&str] = &["localhost"];

/// Asks both; returns whether we take it, and whether curl does.
fn both(sandbox: &Sandbox, port: u16, ca: &str) -> (bool, bool) {
    let ours = fetch(sandbox, "localhost", port, Some(ca));
    assert!([0, 11].contains(&ours.code), "{}", ours.stderr);
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "20", "--noproxy", "*", "--cacert"]);
    curl.arg(sandbox.path("ca.pem"))
        .arg(format!("https://localhost:{port}/a.war"));
    let curls = curl
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    (ours.code == 0, curls.success())
}

#[test]
fn whatever_curl_takes_with_a_ca_file_is_taken_and_nothing_else() {
    let sandbox = Sandbox::new();
    let root = authority("the root", None);
    let middle = authority("the middle", Some(&root));
    let leaf = made("x", HERE, Some(&middle), |_| {});
    let own = |change: fn(&mut _)| made("x", HERE, None, change);
    let (no_ca, explicit, ca) = (
        own(|_| {}),
        own(|p| p.is_ca = IsCa::ExplicitNoCa),
        own(is_ca),
    );
    let wrong = made("x", &["other.test"], None, is_ca);
    let old = own(|p| {
        is_ca(p);
        p.not_after = date_time_ymd(2001, 1, 1);
    });
    let whole = format!(
        "# all of them\r\n{}{}",
        wrong.pem().replace('\n', "\r\n"),
        root.pem()
    );
    let rows: &[(&str, &Made, &[&Made], String, bool)] = &[
        ("the root", &leaf, &[&middle], root.pem(), true),
        (
            "the root, which is sent too",
            &leaf,
            &[&middle, &root],
            root.pem(),
            true,
        ),
        (
            "the root, and the chain is not sent",
            &leaf,
            &[],
            root.pem(),
            false,
        ),
        ("an intermediate alone", &leaf, &[], middle.pem(), true),
        (
            "an intermediate alone, which is sent too",
            &leaf,
            &[&middle],
            middle.pem(),
            true,
        ),
        (
            "the server's own, which a CA issued",
            &leaf,
            &[],
            leaf.pem(),
            true,
        ),
        ("signed by itself", &no_ca, &[], no_ca.pem(), true),
        (
            "signed by itself, no CA",
            &explicit,
            &[],
            explicit.pem(),
            true,
        ),
        (
            "signed by itself, a CA, as openssl makes it",
            &ca,
            &[],
            ca.pem(),
            true,
        ),
        (
            "signed by itself for another name",
            &wrong,
            &[],
            wrong.pem(),
            false,
        ),
        ("signed by itself and expired", &old, &[], old.pem(), false),
        (
            "another one that is signed by itself",
            &ca,
            &[],
            no_ca.pem(),
            false,
        ),
        (
            "a bundle with remarks and all kinds of line ends",
            &leaf,
            &[&middle],
            whole,
            true,
        ),
    ];
    for (what, server_of, above, file, expected) in rows {
        let seen = both(&sandbox, server(server_of, above), file);
        assert_eq!(seen, (*expected, *expected), "{what}: (ours, curl's)");
    }
}

/// The limits that docs/install.md lists.
#[test]
fn what_curl_takes_and_we_do_not_is_on_a_page() {
    let sandbox = Sandbox::new();
    let root = authority("the root", None);
    // A host in the common name alone (RFC 2818 §3.1, no more since RFC 9110 §4.3.4).
    let common = made("localhost", &[], Some(&root), |_| {});
    assert_eq!(
        both(&sandbox, server(&common, &[]), &root.pem()),
        (false, true)
    );
    // And the other way round: the dates of what is in the CA file are not looked at.
    let old = made("the old root", &[], None, |p| {
        is_ca(p);
        p.not_after = date_time_ymd(2001, 1, 1);
    });
    let leaf = made("x", HERE, Some(&old), |_| {});
    assert_eq!(
        both(&sandbox, server(&leaf, &[]), &old.pem()),
        (true, false)
    );
}
