//! Where there is no IPv4, no IPv6, or both: one `--http-addr` does, and what is named by an IPv6 address is fetched.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::Command;

use nix::sched::{CloneFlags, unshare};

use super::ops::get;
use super::{Driver, kubelet_shares_its_mounts, read};
use crate::node::{bytes, until};
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

/// What the chart says, with any port that is free.
const EVERYWHERE: [&str; 2] = ["--http-addr", "[::]:0"];

/// A network of the test's own, in which nothing but the loopback device is, with ::1 and 127.0.0.1. Threads and
/// processes that are started from now on are in it.
fn network_of_its_own() {
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace of its own");
    ip(&["link", "set", "lo", "up"]);
}

fn ip(arguments: &[&str]) {
    let ran = Command::new("ip").args(arguments).output();
    let ran = ran.expect("ip is missing: run `make tools`");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "ip {arguments:?}: {said}");
}

fn well() -> Option<(u16, String)> {
    Some((200, "ok\n".to_owned()))
}

#[test]
fn where_there_is_ipv6_alone_probes_are_answered_and_artifacts_fetched() {
    let sandbox = Sandbox::new();
    network_of_its_own();
    ip(&["address", "del", "127.0.0.1/8", "dev", "lo"]);
    let refused = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    assert!(refused.is_err(), "there is IPv4 after all");
    let origin = Origin::start_v6();
    let content = bytes(61, 70_000);
    origin.put("/a.war", Object::new(content.clone()));
    let url = origin.url("/a.war");
    assert!(url.starts_with("http://[::1]:"), "{url}");

    let driver = Driver::begin(&sandbox, &EVERYWHERE);
    driver.is_ready();
    let http = SocketAddr::from((Ipv6Addr::LOCALHOST, driver.http().port()));
    assert_eq!(get(http, "/healthz"), well());
    let ready = Some((200, "ready\n".to_owned()));
    until("it is ready", || get(http, "/readyz") == ready);
    let (status, text) = get(http, "/metrics").unwrap();
    assert_eq!(status, 200, "{text}");

    let call = driver.inline("pod", &url);
    driver.publish(&call).unwrap();
    assert!(read(&call.target()) == content, "other bytes");
    driver.unpublish(&call).unwrap();
    assert_eq!(origin.gets("/a.war"), 1);
    until("nothing of it is left", || {
        sandbox.bucket("trash").is_empty()
    });
    drop(driver);
    let fetched = sandbox.path("fetched.war");
    let words = ["fetch", &url, "-o", fetched.to_str().unwrap()];
    sandbox.run(words).must(0);
    assert!(fs::read(fetched).unwrap() == content, "other bytes");
    sandbox.assert_no_volume_left();
}

#[test]
fn every_address_is_one_of_ipv4_too_whatever_the_kernel_prefers() {
    let sandbox = Sandbox::new();
    network_of_its_own();
    fs::write("/proc/sys/net/ipv6/bindv6only", "1").unwrap();
    let driver = Driver::begin(&sandbox, &EVERYWHERE);
    let port = driver.http().port();
    for ip in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] {
        assert_eq!(get(SocketAddr::new(ip, port), "/healthz"), well(), "{ip}");
    }
}

/// `ipv6.disable=1`: not an address is missing, but the kind of socket.
#[test]
fn where_the_kernel_has_no_ipv6_every_address_is_one_of_ipv4() {
    let sandbox = Sandbox::new();
    let without = sandbox.path("no_ipv6");
    let made = Command::new("gcc")
        .args(["-static", "-Wall", "-Werror", "-o"])
        .arg(&without)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/front/driver/no_ipv6.c"
        ))
        .status()
        .expect("gcc is missing: run `make tools`");
    assert!(made.success(), "no_ipv6.c cannot be compiled");
    kubelet_shares_its_mounts(&sandbox);
    let usual = sandbox.war_vol();
    let mut command = Command::new(without);
    command.env_clear();
    command.envs(
        usual
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    command.current_dir(usual.get_current_dir().unwrap());
    command.arg(usual.get_program());
    command.args(["serve", "--mode", "node", "--node-id", "node-1"]);
    let driver = Driver::of(&sandbox, command, &EVERYWHERE);
    let http = driver.http();
    assert_eq!(http.ip(), Ipv4Addr::UNSPECIFIED, "{}", driver.log());
    let http = SocketAddr::from((Ipv4Addr::LOCALHOST, http.port()));
    assert_eq!(get(http, "/healthz"), well());
    let said = "this machine has no IPv6 address=[::]:0 instead=0.0.0.0:0";
    assert!(driver.log().contains(said), "{}", driver.log());
}
