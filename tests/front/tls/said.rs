//! Each failure has its own cause and its own way out, in words.

use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};
use rustls::version::{TLS12, TLS13};

use super::{
    authority, fetch, is_ca, made, names_issuers_place, says, server, server_with, silent,
};
use crate::sandbox::Sandbox;

const HERE: &[&str] = &["127.0.0.1"];

/// What a library would say, and the advice that is right for one cause only.
const NEVER: &[&str] = &[
    "Context",
    "UnixTime",
    "DnsName",
    "InvalidCert",
    "Alert",
    "(UNIX)",
    "Unknown",
    "received fatal",
];

fn said(sandbox: &Sandbox, port: u16, ca: Option<&str>, words: &[&str], advice: bool) {
    let mut ran = fetch(sandbox, "127.0.0.1", port, ca).must(11);
    for words in words {
        ran = ran.says(words);
    }
    for never in NEVER {
        assert!(!ran.stderr.contains(never), "{never}: {}", ran.stderr);
    }
    let given = ran.stderr.contains("with --ca-file");
    assert_eq!(given, advice, "{}", ran.stderr);
}

#[test]
fn a_certificate_out_of_its_time_is_told_with_both_dates_and_no_word_of_a_ca() {
    let sandbox = Sandbox::new();
    let root = authority("the root", None);
    let ca = root.pem();
    let old = made("x", HERE, Some(&root), |p| {
        p.not_after = date_time_ymd(2001, 2, 3)
    });
    let words = [
        "its certificate expired on 2001-02-03T00:00:00Z",
        "this node's clock says 2",
        "correct the clock",
    ];
    said(&sandbox, server(&old, &[]), Some(&ca), &words, false);
    let young = made("x", HERE, Some(&root), |p| {
        p.not_before = date_time_ymd(2099, 2, 3)
    });
    let words = [
        "its certificate is not valid before 2099-02-03T00:00:00Z",
        "this node's clock says 2",
        "correct the clock",
    ];
    said(&sandbox, server(&young, &[]), Some(&ca), &words, false);
    let above = made("the old one", &[], Some(&root), |p| {
        is_ca(p);
        p.not_after = date_time_ymd(2001, 2, 3);
    });
    let leaf = made("x", HERE, Some(&above), |_| {});
    let words = ["the certificate of its issuer \"the old one\" expired on 2001-02-03"];
    said(&sandbox, server(&leaf, &[&above]), Some(&ca), &words, false);
}

#[test]
fn a_certificate_for_others_is_told_with_whom_it_is_for() {
    let sandbox = Sandbox::new();
    let root = authority("the root", None);
    let ca = root.pem();
    let other = made(
        "x",
        &["good.test", "*.b.test", "10.1.2.3"],
        Some(&root),
        |_| {},
    );
    let words = ["its certificate is for good.test, *.b.test, 10.1.2.3, not for 127.0.0.1"];
    said(&sandbox, server(&other, &[]), Some(&ca), &words, false);
    let many: Vec<String> = (0..9).map(|n| format!("n{n}.test")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let other = made("x", &many, Some(&root), |_| {});
    said(
        &sandbox,
        server(&other, &[]),
        Some(&ca),
        &["n4.test and 4 more, not for"],
        false,
    );
    let none = made("127.0.0.1", &[], Some(&root), |_| {});
    said(
        &sandbox,
        server(&none, &[]),
        Some(&ca),
        &["its certificate names no host"],
        false,
    );
    let purpose = made("x", HERE, Some(&root), |p| {
        p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    said(
        &sandbox,
        server(&purpose, &[]),
        Some(&ca),
        &["its certificate is not for servers"],
        false,
    );
}

#[test]
fn an_issuer_that_is_not_trusted_is_named_and_the_ca_file_where_there_is_one() {
    let sandbox = Sandbox::new();
    let (root, other) = (authority("the root", None), authority("another root", None));
    let leaf = made("x", HERE, Some(&root), |_| {});
    let words = [
        "its certificate is from \"the root\", which is not trusted",
        "if that is your CA",
    ];
    said(&sandbox, server(&leaf, &[]), None, &words, true);
    let words =
        ["its certificate is from the CA \"the root\", which is not trusted; if it is yours"];
    said(&sandbox, server(&leaf, &[&root]), None, &words, true);
    let words = ["from \"the root\", which is missing from the CA file ca.pem; add it there"];
    said(
        &sandbox,
        server(&leaf, &[]),
        Some(&other.pem()),
        &words,
        false,
    );
    let words = ["the CA file ca.pem does not contain that CA"];
    said(
        &sandbox,
        server(&leaf, &[&root]),
        Some(&other.pem()),
        &words,
        false,
    );
    // The CA was made anew under its old name.
    let twin = authority("the root", None);
    let words = [
        "not signed with the key of the trusted CA \"the root\"",
        "put its new certificate into the CA file ca.pem",
    ];
    said(
        &sandbox,
        server(&leaf, &[]),
        Some(&twin.pem()),
        &words,
        false,
    );
    let issued = made("x", HERE, Some(&leaf), |_| {});
    let words = ["issued by one that may not issue any"];
    said(
        &sandbox,
        server(&issued, &[&leaf]),
        Some(&root.pem()),
        &words,
        false,
    );
}

#[test]
fn a_chain_that_is_not_sent_is_told_from_a_ca_that_is_not_known() {
    let sandbox = Sandbox::new();
    let root = authority("the root", None);
    let middle = authority("the middle", Some(&root));
    let leaf = made("x", HERE, Some(&middle), names_issuers_place);
    let words = [
        "does not send the certificate of \"the middle\"",
        "configure it to send the whole chain",
    ];
    said(&sandbox, server(&leaf, &[]), None, &words, false);
    let words = [
        "from \"the middle\", which is missing from the CA file ca.pem",
        "send the whole chain",
    ];
    said(
        &sandbox,
        server(&leaf, &[]),
        Some(&root.pem()),
        &words,
        false,
    );
    fetch(
        &sandbox,
        "127.0.0.1",
        server(&leaf, &[&middle]),
        Some(&root.pem()),
    )
    .must(0);
}

#[test]
fn a_certificate_that_is_signed_by_itself_is_told() {
    let sandbox = Sandbox::new();
    let other = authority("another root", None);
    for change in [|_: &mut _| {}, is_ca] {
        let own = made("x", HERE, None, change);
        let words = ["self-signed and not trusted; if it is yours, add that certificate"];
        said(&sandbox, server(&own, &[]), None, &words, true);
        let words =
            ["self-signed and not trusted; the CA file ca.pem does not contain that certificate"];
        said(
            &sandbox,
            server(&own, &[]),
            Some(&other.pem()),
            &words,
            false,
        );
    }
}

#[test]
fn a_server_that_wants_a_certificate_is_told_whenever_it_says_so() {
    let sandbox = Sandbox::new();
    let root = authority("the root", None);
    let leaf = made("x", HERE, Some(&root), |_| {});
    for version in [&TLS12, &TLS13] {
        let port = server_with(&leaf, &[], Some(&root), &[version]);
        said(
            &sandbox,
            port,
            Some(&root.pem()),
            &["it requires a client certificate"],
            false,
        );
    }
}

#[test]
fn a_server_that_speaks_otherwise_is_told() {
    let sandbox = Sandbox::new();
    // A server's hello in TLS 1.0.
    static HELLO: [u8; 47] = {
        let mut hello = [7; 47];
        let head = [0x16, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
        let mut at = 0;
        while at < head.len() {
            hello[at] = head[at];
            at += 1;
        }
        hello[43] = 0;
        hello[44] = 0;
        hello[45] = 0x2f;
        hello[46] = 0;
        hello
    };
    for (bytes, words) in [
        (&b"\x15\x03\x01\x00\x02\x02\x46"[..], "older than 1.2"),
        (&HELLO, "older than 1.2"),
        (
            b"\x15\x03\x03\x00\x02\x02\x28",
            "no cipher suite, group or signature scheme in common",
        ),
        (b"\x15\x03\x03\x00\x02\x02\x70", "does not know that name"),
        (b"\x15\x03\x03\x00\x02\x02\x50", "reports an internal error"),
        (b"\x15\x03\x03\x00\x02\x02\x73", "alert 115"),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "is not TLS; check that this port serves https, or use http:// in the URL",
        ),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "is not TLS"),
        (b"", "closed during the TLS handshake"),
    ] {
        said(&sandbox, says(bytes), None, &[words], false);
    }
    let port = silent();
    let mut command = sandbox.war_vol();
    let url = format!("https://127.0.0.1:{port}/a.war");
    command.args(["fetch", &url, "--tries", "1", "--stall-time", "300ms"]);
    let ran = crate::sandbox::Ran::of(command.output().unwrap()).must(11);
    ran.says("the TLS handshake did not finish within 300ms");
}

#[test]
fn a_broken_certificate_in_a_bundle_is_told_by_its_number_and_line() {
    let sandbox = Sandbox::new();
    let (root, other) = (authority("the root", None), authority("another root", None));
    let bad = other.pem().replacen("MII", "M!I", 1);
    let text = format!("# mine\n{}\n# theirs\n{bad}", root.pem());
    let line = text
        .lines()
        .enumerate()
        .filter(|(_, l)| l.contains("BEGIN"))
        .nth(1)
        .unwrap()
        .0
        + 1;
    let says = format!("certificate 2 (line {line}): it is not base64");
    fetch(&sandbox, "127.0.0.1", 1, Some(&text))
        .must(2)
        .says(&says);
    fetch(&sandbox, "127.0.0.1", 1, Some("# nothing"))
        .must(2)
        .says("contains no certificate");
}
