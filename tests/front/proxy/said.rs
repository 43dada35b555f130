//! Who is named when a proxy, and not the origin, has said no.

use std::net::TcpListener;

use super::server::{Does, Proxy};
use super::{fetch, origin};
use crate::sandbox::Sandbox;

/// An address that nobody listens at.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn a_proxy_that_refuses_a_tunnel_is_named_with_its_status() {
    let sandbox = Sandbox::new();
    let origin = origin(&sandbox, true);
    let url = origin.url("/a.war");
    for (says, code, asked, words) in [
        (
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            5,
            1,
            "answered 403 to CONNECT 127.0.0.1:",
        ),
        (
            "HTTP/1.1 404 Not Found\r\n\r\n",
            5,
            1,
            "answered 404 to CONNECT",
        ),
        ("HTTP/1.0 503 x\nA: b\n\n", 11, 2, "answered 503 to CONNECT"),
        (
            "HTTP/1.1 502 \r\n\r\n",
            11,
            2,
            "has a problem or cannot reach the server",
        ),
        (
            "HTTP/1.1 302 x\r\nLocation: http://x/\r\n\r\n",
            5,
            1,
            "answered 302 to CONNECT",
        ),
        (
            "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n",
            4,
            1,
            "http://USER:PASSWORD@",
        ),
        (
            "HTTP/1.1 407 x\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n",
            4,
            1,
            "it offers Negotiate, NTLM, but only Basic is supported",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", 11, 2, "does not speak HTTP"),
        ("HTTP/1.1 abc\r\n\r\n", 11, 2, "does not speak HTTP"),
        ("", 11, 2, "closed the connection without answering CONNECT"),
        (
            "HTTP/1.1 200",
            11,
            2,
            "closed the connection without answering CONNECT",
        ),
    ] {
        let proxy = Proxy::start(Does::Says(says));
        let ran = fetch(&sandbox, &url, &[("https_proxy", &proxy.url("http"))]).must(code);
        let ran = ran
            .says(words)
            .says(&format!("the proxy {} (https_proxy) ", proxy.address));
        assert!(
            !ran.stderr.contains("check that the server is up"),
            "{}",
            ran.stderr
        );
        assert_eq!(proxy.asked().len(), asked, "{says}");
    }
    assert!(origin.log().is_empty());
}

#[test]
fn a_proxy_that_is_away_or_silent_is_named() {
    let sandbox = Sandbox::new();
    let nobody = nobody();
    for tls in [false, true] {
        let origin = origin(&sandbox, tls);
        let url = origin.url("/a.war");
        let ran = fetch(&sandbox, &url, &[("ALL_PROXY", &nobody)]).must(11);
        ran.says(&format!(
            "cannot connect to the proxy {nobody} (ALL_PROXY): "
        ))
        .says("refused");
        let ran = fetch(&sandbox, &url, &[("ALL_PROXY", "no.such.invalid:3128")]).must(11);
        ran.says("cannot resolve the proxy no.such.invalid:3128 (ALL_PROXY): ");
        let silent = Proxy::start(Does::Nothing);
        let set = [
            ("ALL_PROXY", silent.url("http")),
            ("WAR_VOL_STALL_TIME", "300ms".to_owned()),
        ];
        let set: Vec<_> = set.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let ran = fetch(&sandbox, &url, &set).must(11);
        ran.says(&format!("the proxy {} (ALL_PROXY)", silent.address))
            .says("within 300ms");
        assert!(origin.log().is_empty());
    }
}

/// What comes through a proxy may be its own: it is named beside the origin, and its 407 is nobody else's.
#[test]
fn an_answer_that_came_through_a_proxy_says_so() {
    let sandbox = Sandbox::new();
    let origin = origin(&sandbox, false);
    let url = origin.url("/a.war");
    for (says, code, words) in [
        (
            "HTTP/1.1 407 x\r\nProxy-Authenticate: Digest a=b\r\nContent-Length: 0\r\n\r\n",
            4,
            "answered 407 to GET",
        ),
        (
            "HTTP/1.1 502 x\r\nContent-Length: 0\r\n\r\n",
            11,
            ", through the proxy ",
        ),
        (
            "HTTP/1.1 403 x\r\nContent-Length: 0\r\n\r\n",
            5,
            ", through the proxy ",
        ),
        (
            "HTTP/1.1 200 x\r\nContent-Length: 10\r\n\r\n12345",
            11,
            ", through the proxy ",
        ),
        ("nonsense\r\n\r\n", 11, ", through the proxy "),
    ] {
        let proxy = Proxy::start(Does::Says(says));
        let ran = fetch(&sandbox, &url, &[("HTTP_PROXY", &proxy.url("http"))]).must(code);
        ran.says(words)
            .says(&format!("{} (HTTP_PROXY)", proxy.address));
    }
    assert!(origin.log().is_empty());
}

#[test]
fn behind_a_tunnel_the_origin_is_named_for_what_it_says() {
    let sandbox = Sandbox::new();
    let origin = origin(&sandbox, true);
    let proxy = Proxy::start(Does::Work);
    let set = [("https_proxy", proxy.url("http"))];
    let set: Vec<_> = set.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let ran = fetch(&sandbox, &origin.url("/missing"), &set).must(3);
    let said = format!("{} answered 404", origin.address());
    let ran = ran.says(&said);
    assert!(!ran.stderr.contains("proxy"), "{}", ran.stderr);
    let breaks = Proxy::start(Does::Breaks);
    let ran = fetch(
        &sandbox,
        &origin.url("/a.war"),
        &[("https_proxy", &breaks.url("http"))],
    );
    ran.must(11).says("during the TLS handshake");
}

/// A proxy in TLS has to prove who it is, as an origin has.
#[test]
fn a_proxy_with_a_certificate_that_is_not_trusted_is_named() {
    let sandbox = Sandbox::new();
    let proxy = Proxy::start_tls(Does::Work);
    let through = proxy.url("https");
    let mut command = sandbox.war_vol();
    command
        .args(["fetch", "http://127.0.0.1:1/a.war"])
        .env("http_proxy", through);
    let ran = crate::sandbox::Ran::of(command.output().unwrap()).must(11);
    ran.says(&format!(
        "TLS with the proxy {} (http_proxy) failed: ",
        proxy.address
    ))
    .says("the tests' own CA");
}
