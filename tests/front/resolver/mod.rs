//! A name has the addresses that it has for every other program of the machine.
//!
//! Each test has a network of its own with name servers of the test's, and files of its own in `/etc`. What the
//! program finds is read off a SOCKS proxy that refuses everything, so that all of a name's addresses are tried.

mod servers;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use rustix::mount::mount_bind;

use self::servers::{Serves, refuses, server, server_by_name};
use crate::sandbox::{Ran, Sandbox};

/// Runs a test on a machine with these files; no text means no such file. It has a thread of its own, and with it
/// namespaces of its own.
fn on_a_machine(
    hosts: Option<&str>,
    resolv_conf: Option<&str>,
    test: impl FnOnce(&Sandbox) + Send,
) {
    thread::scope(|scope| {
        let ran = scope.spawn(|| test(&machine(hosts, resolv_conf))).join();
        ran.unwrap_or_else(|e| std::panic::resume_unwind(e));
    });
}

fn machine(hosts: Option<&str>, resolv_conf: Option<&str>) -> Sandbox {
    let sandbox = Sandbox::new();
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    for arguments in [
        &["link", "set", "lo", "up"][..],
        &["link", "add", "d0", "type", "veth", "peer", "name", "d1"],
        &["link", "set", "d1", "up"],
        &["link", "set", "d0", "up"],
        &["addr", "add", "10.9.9.9/24", "dev", "d0"],
        &["addr", "add", "fd09::9/64", "dev", "d0", "nodad"],
    ] {
        assert!(
            Command::new("ip")
                .args(arguments)
                .status()
                .unwrap()
                .success()
        );
    }
    // A directory of its own over the whole of /etc, as a file that is missing cannot be mounted.
    let etc = sandbox.path("etc");
    fs::create_dir(&etc).unwrap();
    let files = [
        ("hosts", hosts),
        ("resolv.conf", resolv_conf),
        ("nsswitch.conf", Some("hosts: files dns\n")),
        ("host.conf", Some("multi on\n")),
    ];
    for (name, text) in files {
        if let Some(text) = text {
            fs::write(etc.join(name), text).unwrap();
        }
    }
    // Whom to trust, and how programs are loaded.
    for name in ["ssl", "ld.so.cache", "alternatives"] {
        let from = fs::canonicalize(format!("/etc/{name}")).unwrap();
        assert!(
            Command::new("cp")
                .arg("-a")
                .args([&from, &etc])
                .status()
                .unwrap()
                .success()
        );
    }
    mount_bind(&etc, "/etc").unwrap();
    sandbox
}

/// What the program finds.
fn ours(sandbox: &Sandbox, name: &str) -> (BTreeSet<String>, Ran) {
    let (proxy, asked) = refuses();
    let mut command = sandbox.war_vol();
    command.args(["fetch", &format!("http://{name}/a.war"), "--tries", "1"]);
    command
        .env("http_proxy", proxy)
        .env("WAR_VOL_STALL_TIME", "1m");
    let ran = Ran::of(command.output().unwrap()).must(11);
    let found: BTreeSet<String> = asked.lock().unwrap().drain(..).collect();
    assert_eq!(
        found.is_empty(),
        ran.stderr.contains("cannot resolve"),
        "{}",
        ran.stderr
    );
    (found, ran)
}

/// What the system's resolver finds.
fn systems(name: &str) -> BTreeSet<String> {
    let output = Command::new("getent")
        .args(["ahosts", name])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let first = |line: &str| line.split_whitespace().next().unwrap().to_owned();
    text.lines().map(first).collect()
}

fn set(addresses: &[&str]) -> BTreeSet<String> {
    addresses.iter().map(|a| (*a).to_owned()).collect()
}

const HOSTS: &str = "127.0.0.1 localhost\n10.1.0.1 a.test alias\n10.1.0.2 a.test\nfd00::1 a.test # b.test\n\
                     10.1.0.3\tUPPER.test\n#10.1.0.4 c.test\n10.1.0.5 short\n";

#[test]
fn a_name_has_the_addresses_that_getent_finds() {
    let names = Serves::Names(&[
        ("dns.test.", "10.2.0.1"),
        ("dns.test.", "fd00::2"),
        ("host.two.test.", "10.2.0.3"),
        ("a.b.", "10.2.0.4"),
        ("a.b.one.test.", "10.2.0.5"),
        ("x.y.z.two.test.", "10.2.0.6"),
        // Who is in the hosts file is not asked for.
        ("short.one.test.", "10.2.0.7"),
        ("a.test.", "10.2.0.8"),
    ]);
    let resolv = "# ours\nsearch one.test two.test\n; more\nnameserver 127.0.0.1\noptions ndots:2 timeout:1 attempts:1\n";
    let rows = [
        ("a.test", &["10.1.0.1", "10.1.0.2", "fd00::1"][..]),
        ("alias", &["10.1.0.1"]),
        ("upper.TEST", &["10.1.0.3"]),
        ("short", &["10.1.0.5"]),
        ("dns.test", &["10.2.0.1", "fd00::2"]),
        ("dns.test.", &["10.2.0.1", "fd00::2"]),
        ("host", &["10.2.0.3"]),
        ("host.", &[]),
        // Fewer dots than two: the domains come first.
        ("a.b", &["10.2.0.5"]),
        ("a.b.", &["10.2.0.4"]),
        ("x.y.z", &["10.2.0.6"]),
        ("c.test", &[]),
        ("b.test", &[]),
        ("localhost", &["127.0.0.1"]),
    ];
    on_a_machine(Some(HOSTS), Some(resolv), |sandbox| {
        server("127.0.0.1", names);
        for (name, expected) in rows {
            assert_eq!(systems(name), set(expected), "getent: {name}");
            assert_eq!(ours(sandbox, name).0, set(expected), "{name}");
        }
    });
}

#[test]
fn who_is_in_the_hosts_file_needs_no_name_server() {
    let dead = "nameserver 127.0.0.1\nnameserver 127.0.0.2\n";
    for resolv in [None, Some(""), Some("search x.test\n"), Some(dead)] {
        on_a_machine(Some(HOSTS), resolv, |sandbox| {
            let asked = server("127.0.0.1", Serves::Nothing);
            let rows = [
                ("a.test", &["10.1.0.1", "10.1.0.2", "fd00::1"][..]),
                ("short", &["10.1.0.5"]),
            ];
            for (name, expected) in rows {
                assert_eq!(ours(sandbox, name).0, set(expected), "{name} {resolv:?}");
                assert_eq!(systems(name), set(expected), "getent: {name} {resolv:?}");
            }
            assert!(asked.lock().unwrap().is_empty(), "{resolv:?}");
        });
    }
}

/// With no hosts file either.
#[test]
fn the_loopback_has_its_name_without_any_file() {
    on_a_machine(None, None, |sandbox| {
        let asked = server("127.0.0.1", Serves::Names(&[("localhost.", "10.2.0.1")]));
        for name in ["localhost", "LOCALHOST.", "a.localhost"] {
            assert_eq!(ours(sandbox, name).0, set(&["127.0.0.1", "::1"]), "{name}");
        }
        assert!(asked.lock().unwrap().is_empty());
    });
}

/// Where no server is named, this machine is asked, as by glibc, and nobody else.
#[test]
fn without_a_named_server_this_machine_is_asked_and_the_words_say_so() {
    for resolv in [None, Some("# nothing\n")] {
        on_a_machine(Some(HOSTS), resolv, |sandbox| {
            let (found, ran) = ours(sandbox, "dns.test");
            assert!(found.is_empty());
            ran.says("it is not in /etc/hosts, and /etc/resolv.conf lists no name server");
            server("127.0.0.1", Serves::Names(&[("dns.test.", "10.2.0.1")]));
            assert_eq!(systems("dns.test"), set(&["10.2.0.1"]));
            assert_eq!(ours(sandbox, "dns.test").0, set(&["10.2.0.1"]));
        });
    }
}

#[test]
fn a_server_that_is_dead_or_in_trouble_is_followed_by_the_next_and_a_no_is_believed() {
    const GOOD: Serves = Serves::Names(&[("dns.test.", "10.2.0.1")]);
    let resolv = "nameserver 127.0.0.1\nnameserver ::1\nnameserver 127.0.0.3\noptions timeout:1 attempts:2\n";
    for (first, second, expected) in [
        (Serves::Nothing, GOOD, &["10.2.0.1"][..]),
        (Serves::Error(2), GOOD, &["10.2.0.1"]),
        (Serves::Error(5), GOOD, &["10.2.0.1"]),
        (Serves::Names(&[]), GOOD, &[]),
        (Serves::Nothing, Serves::Error(2), &["10.2.0.9"]),
    ] {
        on_a_machine(None, Some(resolv), |sandbox| {
            server("127.0.0.1", first);
            server("::1", second);
            server("127.0.0.3", Serves::Names(&[("dns.test.", "10.2.0.9")]));
            assert_eq!(systems("dns.test"), set(expected), "getent");
            assert_eq!(ours(sandbox, "dns.test").0, set(expected));
        });
    }
}

/// A question for both kinds of address is two, and a server can fail one of them.
#[test]
fn a_no_for_one_kind_of_address_says_nothing_of_the_other() {
    const V4: Serves = Serves::Names(&[("dns.test.", "10.2.0.1")]);
    const V6: Serves = Serves::Names(&[("dns.test.", "fd00::2")]);
    const GONE: Serves = Serves::Names(&[]);
    const SILENT: Serves = Serves::Nothing;
    const FAILS: Serves = Serves::Error(2);
    const REFUSES: Serves = Serves::Error(5);
    let resolv = "nameserver 127.0.0.1\nnameserver ::1\noptions timeout:1 attempts:2\n";
    for (first, second, expected, as_getent) in [
        // No address of the other kind (RFC 2308 §2.2), or no such name for it (RFC 4074 §4.2). glibc believes the
        // server here, and so getent finds nothing.
        (Serves::Kinds(&FAILS, &V4), V4, &["10.2.0.1"][..], false),
        (Serves::Kinds(&REFUSES, &V4), V4, &["10.2.0.1"], false),
        (Serves::Kinds(&FAILS, &GONE), V4, &["10.2.0.1"], false),
        (Serves::Kinds(&SILENT, &V4), V4, &["10.2.0.1"], true),
        (Serves::Kinds(&V6, &FAILS), V6, &["fd00::2"], false),
        // Addresses of one kind will do: nobody else is asked for the other.
        (Serves::Kinds(&V4, &FAILS), V6, &["10.2.0.1"], true),
        (Serves::Kinds(&V4, &SILENT), V6, &["10.2.0.1"], true),
        (Serves::Kinds(&FAILS, &V6), V4, &["fd00::2"], true),
        (Serves::Kinds(&GONE, &V4), V4, &[], true),
    ] {
        on_a_machine(None, Some(resolv), |sandbox| {
            server("127.0.0.1", first);
            server("::1", second);
            if as_getent {
                assert_eq!(systems("dns.test"), set(expected), "getent: {first:?}");
            }
            assert_eq!(ours(sandbox, "dns.test").0, set(expected), "{first:?}");
        });
    }
    // Each is asked as often as the file says, and it is the failure that is told.
    on_a_machine(None, Some(resolv), |sandbox| {
        let all = ["127.0.0.1", "::1"].map(|at| server(at, Serves::Kinds(&FAILS, &V4)));
        let (found, ran) = ours(sandbox, "dns.test");
        assert!(found.is_empty());
        ran.says("the name server 127.0.0.1 answered \"Server Failure\"")
            .says("the name server ::1 answered \"Server Failure\"");
        for asked in all {
            // Both kinds, and then at least the one that failed.
            assert!(asked.lock().unwrap().len() > 2);
        }
    });
}

/// With the next one of `search`, and with the name itself.
#[test]
fn a_search_domain_in_trouble_is_followed_by_the_next_name() {
    const FAILS: Serves = Serves::Error(2);
    const REFUSES: Serves = Serves::Error(5);
    const GONE: Serves = Serves::Names(&[]);
    const GOOD: Serves = Serves::Names(&[("host.b.test.", "10.2.0.1"), ("x.test.", "10.2.0.2")]);
    let resolv =
        "search a.test b.test\nnameserver 127.0.0.1\noptions timeout:1 attempts:1 ndots:2\n";
    for (domain, as_getent) in [
        (FAILS, true),
        (Serves::Kinds(&GONE, &FAILS), true),
        (Serves::Kinds(&FAILS, &GONE), true),
        // Here glibc goes on with the name itself at once.
        (REFUSES, false),
    ] {
        on_a_machine(None, Some(resolv), |sandbox| {
            server_by_name("127.0.0.1", move |name| match name.ends_with(".a.test.") {
                true => domain,
                false => GOOD,
            });
            for (name, expected) in [("host", &["10.2.0.1"][..]), ("x.test", &["10.2.0.2"])] {
                if as_getent {
                    assert_eq!(systems(name), set(expected), "getent: {name} {domain:?}");
                }
                assert_eq!(ours(sandbox, name).0, set(expected), "{name} {domain:?}");
            }
            // Where no name is found it is the trouble that is told.
            let (found, ran) = ours(sandbox, "none");
            assert!(found.is_empty());
            ran.says("the name server 127.0.0.1 answered")
                .says("(asked for none.a.test.)");
        });
    }
}

/// In the time that resolv.conf gives them, with each named.
#[test]
fn dead_servers_are_given_up_in_the_time_that_the_file_says() {
    let resolv = "nameserver 127.0.0.1\nnameserver ::1\noptions timeout:1 attempts:2\n";
    on_a_machine(None, Some(resolv), |sandbox| {
        let asked = [
            server("127.0.0.1", Serves::Nothing),
            server("::1", Serves::Nothing),
        ];
        let (found, ran) = ours(sandbox, "dns.test");
        assert!(found.is_empty());
        ran.says("the name server 127.0.0.1 did not answer within 1s")
            .says("the name server ::1 did not answer within 1s");
        for asked in asked {
            assert!(!asked.lock().unwrap().is_empty());
        }
    });
}
