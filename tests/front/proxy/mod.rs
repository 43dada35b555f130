//! Through a proxy, where the environment names one.

mod exceptions;
mod said;
mod server;
mod socks;

use self::server::{Does, Proxy};
use crate::origin::{Object, Origin};
use crate::sandbox::{Ran, Sandbox};

/// `user:password`.
const LOGIN: &str = "dXNlcjpwYXNzd29yZA==";

/// An origin with an artifact, in TLS or not; the sandbox knows whom to trust.
fn origin(sandbox: &Sandbox, tls: bool) -> Origin {
    let origin = match tls {
        true => Origin::start_tls(),
        false => Origin::start(),
    };
    std::fs::write(sandbox.path("ca.pem"), &crate::origin::authority().pem).unwrap();
    origin.put("/a.war", Object::new(b"bytes".to_vec()));
    origin
}

/// The program's fetch, with this in its environment.
fn fetch(sandbox: &Sandbox, url: &str, environment: &[(&str, &str)]) -> Ran {
    let mut command = sandbox.war_vol();
    command.args([
        "fetch",
        url,
        "-o",
        "out",
        "--ca-file",
        "ca.pem",
        "--tries",
        "2",
    ]);
    command.envs(environment.iter().copied());
    Ran::of(command.output().unwrap())
}

#[test]
fn http_and_https_go_through_the_proxy_and_what_is_excepted_does_not() {
    let sandbox = Sandbox::new();
    for (tls, variable) in [
        (false, "HTTP_PROXY"),
        (true, "HTTPS_PROXY"),
        (true, "all_proxy"),
    ] {
        let origin = origin(&sandbox, tls);
        for proxy in [Proxy::start(Does::Work), Proxy::start_tls(Does::Work)] {
            // The scheme says how the proxy itself is spoken to.
            let scheme = if proxy.is_tls { "https" } else { "http" };
            let through = proxy.url(scheme);
            let set = |no_proxy| [(variable, through.as_str()), ("NO_PROXY", no_proxy)];
            fetch(&sandbox, &origin.url("/a.war"), &set("")).must(0);
            assert_eq!(std::fs::read(sandbox.path("out")).unwrap(), b"bytes");
            assert_eq!(proxy.asked().len(), 1, "{variable} was not used");
            fetch(&sandbox, &origin.url("/a.war"), &set("127.0.0.1")).must(0);
            assert_eq!(proxy.asked().len(), 1, "NO_PROXY was not heeded");
        }
    }
}

#[test]
fn a_login_is_for_the_proxy_and_never_reaches_the_origin() {
    let sandbox = Sandbox::new();
    for tls in [false, true] {
        let origin = origin(&sandbox, tls);
        let proxy = Proxy::start(Does::WorkFor(LOGIN));
        let through = format!("http://user:p%61ssword@{}", proxy.address);
        fetch(&sandbox, &origin.url("/a.war"), &[("all_proxy", &through)]).must(0);
        let asked = proxy.asked();
        assert!(asked[0].ends_with(&format!(" Basic {LOGIN}")), "{asked:?}");
        for seen in origin.log() {
            let names = seen.headers.iter().map(|(name, _)| name.as_str());
            assert!(
                !names.clone().any(|n| n.starts_with("proxy-")),
                "{:?}",
                seen.headers
            );
        }
    }
}

/// The administrator has set the proxy, and policies are about what volumes name.
#[test]
fn a_policy_is_about_the_origin_and_not_about_the_proxy() {
    let (sandbox, origin) = (Sandbox::new(), Origin::start());
    origin.put("/a.war", Object::new(b"bytes".to_vec()));
    std::fs::write(sandbox.path("ca.pem"), &crate::origin::authority().pem).unwrap();
    std::fs::write(sandbox.path("policy.yaml"), "preset: internal\n").unwrap();
    let proxy = Proxy::start(Does::Work);
    let through = proxy.url("http");
    let set = [
        ("HTTP_PROXY", through.as_str()),
        ("WAR_VOL_POLICY", "policy.yaml"),
    ];
    fetch(&sandbox, &origin.url("/a.war"), &set)
        .must(5)
        .says("127.0.0.1 is a loopback address");
    let by_name = format!("http://localhost:{}/a.war", origin.address().port());
    fetch(&sandbox, &by_name, &set).must(0);
    assert_eq!(proxy.asked().len(), 1);
}

#[test]
fn a_link_local_address_is_refused_before_a_proxy_is_asked() {
    let (sandbox, proxy) = (Sandbox::new(), Proxy::start(Does::Work));
    let set = [("HTTP_PROXY", proxy.url("http"))];
    let set: Vec<_> = set.iter().map(|(n, v)| (*n, v.as_str())).collect();
    std::fs::write(sandbox.path("ca.pem"), &crate::origin::authority().pem).unwrap();
    fetch(&sandbox, "http://169.254.169.254/latest/meta-data", &set).must(5);
    assert!(proxy.asked().is_empty());
}

/// Whatever is wrong with a variable, the traffic does not go past the proxy, and nothing of the value is said.
#[test]
fn a_variable_that_names_no_proxy_is_refused_by_its_name() {
    let sandbox = Sandbox::new();
    let origin = origin(&sandbox, false);
    for variable in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ] {
        for value in [
            "http://us er:canary@127.0.0.1:1",
            "http://user:can#ary@127.0.0.1:1",
            "socks4://canary.test:1",
            "canary.test:port",
            "http://127.0.0.1:1\n",
        ] {
            let ran = fetch(&sandbox, &origin.url("/a.war"), &[(variable, value)]).must(2);
            let ran = ran.says(&format!("{variable}: "));
            assert!(
                !ran.stderr.contains("canary") && !ran.stderr.contains("ary@"),
                "{}",
                ran.stderr
            );
            let mut check = sandbox.war_vol();
            check
                .args(["serve", "--check", "--mode", "controller"])
                .env(variable, value);
            Ran::of(check.output().unwrap())
                .must(2)
                .says(&format!("{variable}: "));
        }
    }
    assert!(origin.log().is_empty(), "it was asked past the proxy");
    // What downloads nothing goes on.
    let mut command = sandbox.war_vol();
    command.args(["volumes"]).env("http_proxy", "nonsense://");
    Ran::of(command.output().unwrap()).must(0);
}

#[test]
fn the_driver_says_at_its_start_which_proxies_are_in_force_and_no_login() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.war_vol();
    let endpoint = format!("unix://{}", sandbox.path("csi/csi.sock").display());
    std::fs::create_dir(sandbox.path("csi")).unwrap();
    command
        .args(["serve", "--mode", "controller", "--endpoint", &endpoint])
        .env("http_proxy", "http://user:canary@proxy.test:3128")
        .env("HTTPS_PROXY", "socks5h://proxy.test")
        .env("no_proxy", "a.test, 10.0.0.0/8 http://wrong")
        .stderr(std::process::Stdio::piped());
    let mut driver = command.spawn().unwrap();
    let said = std::io::BufRead::lines(std::io::BufReader::new(driver.stderr.take().unwrap()));
    let mut lines = Vec::new();
    for line in said {
        lines.push(line.unwrap());
        if lines.last().unwrap().contains("starting") {
            break;
        }
    }
    driver.kill().unwrap();
    driver.wait().unwrap();
    let said = lines.join("\n");
    for words in [
        "http: http://proxy.test:3128 with a login (http_proxy)",
        "https: socks5h://proxy.test:1080 (HTTPS_PROXY)",
        "except: a.test 10.0.0.0/8",
        "no_proxy: these entries, counted from 1, match no host",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("canary"), "{said}");
}
