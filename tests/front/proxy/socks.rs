//! SOCKS 5.

use super::server::{Does, Proxy};
use super::{fetch, origin};
use crate::input::names;
use crate::sandbox::Sandbox;

#[test]
fn socks5_gets_addresses_and_socks5h_gets_names() {
    let sandbox = Sandbox::new();
    names(&sandbox, "127.0.0.1 localhost origin.test");
    let proxy = Proxy::start(Does::Socks);
    for (tls, name) in [(false, "origin.test"), (true, "localhost")] {
        let origin = origin(&sandbox, tls);
        let port = origin.address().port();
        let scheme = if tls { "https" } else { "http" };
        let url = format!("{scheme}://{name}:{port}/a.war");
        for (kind, target) in [("socks5", "127.0.0.1"), ("socks5h", name)] {
            fetch(&sandbox, &url, &[("all_proxy", &proxy.url(kind))]).must(0);
            assert_eq!(std::fs::read(sandbox.path("out")).unwrap(), b"bytes");
            assert_eq!(proxy.asked().pop().unwrap(), format!("{target}:{port}"));
        }
    }
    let asked = proxy.asked().len();
    // Only the proxy knows that name.
    let url = "http://unknown.test:1/a.war";
    fetch(&sandbox, url, &[("all_proxy", &proxy.url("socks5"))])
        .must(11)
        .says("cannot resolve unknown.test");
    assert_eq!(proxy.asked().len(), asked);
}

/// With addresses the rule of addresses holds; with names the URL's does, as behind any proxy.
#[test]
fn no_socks_proxy_is_asked_for_a_link_local_address() {
    let sandbox = Sandbox::new();
    names(&sandbox, "169.254.169.254 meta.test\n127.0.0.1 origin.test");
    std::fs::write(sandbox.path("ca.pem"), &crate::origin::authority().pem).unwrap();
    let proxy = Proxy::start(Does::Socks);
    for (kind, url) in [
        ("socks5", "http://meta.test/a.war"),
        ("socks5", "http://169.254.169.254/a.war"),
        ("socks5h", "http://169.254.169.254/a.war"),
        ("socks5h", "http://metadata.google.internal/a.war"),
    ] {
        let ran = fetch(&sandbox, url, &[("all_proxy", &proxy.url(kind))]).must(5);
        ran.says("link-local or metadata address");
    }
    assert!(proxy.asked().is_empty(), "{:?}", proxy.asked());
}

#[test]
fn a_login_for_socks_is_sent_and_a_wrong_one_is_told() {
    let sandbox = Sandbox::new();
    let origin = origin(&sandbox, false);
    let proxy = Proxy::start(Does::SocksFor("user", "p@ss"));
    let with = |login: &str| {
        let through = format!("socks5h://{login}{}", proxy.address);
        fetch(&sandbox, &origin.url("/a.war"), &[("http_proxy", &through)])
    };
    with("user:p%40ss@").must(0);
    for login in ["user:canary@", ""] {
        let ran = with(login).must(4).says("it requires a user and password");
        assert!(!ran.stderr.contains("canary"));
    }
}

#[test]
fn each_reply_of_a_socks_proxy_has_its_words() {
    let sandbox = Sandbox::new();
    let origin = origin(&sandbox, false);
    for (reply, code, words) in [
        (1, 11, "it reports a general failure"),
        (2, 5, "its rules forbid it"),
        (3, 11, "network unreachable"),
        (4, 11, "host unreachable"),
        (5, 11, "connection refused"),
        (6, 11, "TTL expired"),
        (8, 5, "it does not support this type of address"),
    ] {
        let proxy = Proxy::start(Does::SocksSays(reply));
        let ran = fetch(
            &sandbox,
            &origin.url("/a.war"),
            &[("all_proxy", &proxy.url("socks5"))],
        );
        let who = format!("the proxy {} (all_proxy) cannot connect to ", proxy.address);
        ran.must(code).says(words).says(&who);
    }
    // One that speaks HTTP, and one that is silent.
    for (does, words) in [
        (Does::Says("HTTP/1.1 400 Bad\r\n\r\n"), "proxy"),
        (Does::Nothing, "did not answer within 300ms"),
    ] {
        let proxy = Proxy::start(does);
        let set = [
            ("all_proxy", proxy.url("socks5")),
            ("WAR_VOL_STALL_TIME", "300ms".to_owned()),
        ];
        let set: Vec<_> = set.iter().map(|(n, v)| (*n, v.as_str())).collect();
        fetch(&sandbox, &origin.url("/a.war"), &set)
            .must(11)
            .says(words);
    }
}
