//! `NO_PROXY` means what it means to curl.

use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, unshare};

use super::server::{Does, Proxy};
use crate::input::names;
use crate::sandbox::Sandbox;

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/// A list, a host, and whether that is asked past the proxy; and where some curl thinks otherwise, why we do not.
const ROWS: &[(&str, &str, bool, Option<&str>)] = &[
    ("", "a.test", false, None),
    ("*", "a.test", true, None),
    ("*", "10.0.0.1", true, None),
    ("*", "[::1]", true, None),
    ("a.test", "a.test", true, None),
    ("a.test", "A.Test", true, None),
    ("a.test", "b.a.test", true, None),
    ("a.test", "xa.test", false, None),
    ("a.test", "a.test.", true, None),
    ("a.test.", "a.test", true, None),
    (".a.test", "a.test", true, None),
    (".a.test", "b.a.test", true, None),
    (".a.test", "xa.test", false, None),
    ("x.test,a.test", "a.test", true, None),
    ("x.test, a.test", "a.test", true, None),
    ("x.test a.test", "a.test", true, None),
    (" , a.test ,, ", "a.test", true, None),
    ("10.0.0.1", "10.0.0.1", true, None),
    ("10.0.0.1", "10.0.0.2", false, None),
    ("10.0.0.0/8", "10.1.2.3", true, None),
    ("10.0.0.0/8", "11.1.2.3", false, None),
    ("10.0.0.0/31", "10.0.0.1", true, None),
    ("10.0.0.0/32", "10.0.0.1", false, None),
    ("10.0.0.0/33", "10.0.0.0", false, None),
    ("::1", "[::1]", true, None),
    ("::2", "[::1]", false, None),
    (
        "fd00::/8",
        "[fd12::1]",
        true,
        Some("curl means to, and forgets that a URL's address has brackets (curl/curl#19828)"),
    ),
    ("fd00::/8", "[fe12::1]", false, None),
    ("10.0.0.0/8", "a.test", false, None),
    (
        "x.test,*",
        "a.test",
        true,
        Some("curl knows the star only by itself; everybody else knows it in a list"),
    ),
    (
        "*.a.test",
        "b.a.test",
        true,
        Some("curl knows no such star; it is what people write for .a.test"),
    ),
    (
        "a.test:80",
        "a.test",
        true,
        Some("curl knows no ports here; Go, Python and others do"),
    ),
    ("a.test:81", "a.test", false, None),
    ("10.0.0.1:80", "10.0.0.1", true, Some("as for names")),
    (
        "[::1]",
        "[::1]",
        true,
        Some("curl wants it without brackets; a URL has them"),
    ),
    (
        "0.0.0.0/0",
        "10.0.0.1",
        true,
        Some("curl took /0 for the one address 0.0.0.0 for long (curl/curl#20306)"),
    ),
];

/// Nothing leaves the machine: the network is one of its own, with the loopback alone.
#[test]
fn each_form_of_an_exception_means_what_it_means_to_curl() {
    let sandbox = Sandbox::new();
    names(&sandbox, "127.0.0.1 localhost");
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    let up = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status();
    assert!(up.unwrap().success());
    let proxy = Proxy::start(Does::Says(ANSWER));
    let through = proxy.url("http");
    let past = |command: &mut Command| {
        let before = proxy.asked().len();
        command
            .env("http_proxy", &through)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let ran = command.status().unwrap();
        let asked = proxy.asked().len() > before;
        // Past the proxy there is nobody.
        assert_eq!(ran.success(), asked, "{command:?}");
        !asked
    };
    for (list, host, expected, otherwise) in ROWS {
        let url = format!("http://{host}/a.war");
        let mut ours = sandbox.war_vol();
        ours.args(["fetch", &url, "-o", "out", "--tries", "1"])
            .env("no_proxy", list);
        assert_eq!(past(&mut ours), *expected, "{list:?} {host}");
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "20", &url]).env_clear();
        curl.env("PATH", std::env::var_os("PATH").unwrap())
            .env("no_proxy", list);
        let curls = past(&mut curl);
        match otherwise {
            None => assert_eq!(curls, *expected, "curl: {list:?} {host}"),
            Some(why) => println!("{list:?} {host}: curl {curls}, we {expected}: {why}"),
        }
    }
}
