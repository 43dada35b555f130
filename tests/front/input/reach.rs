//! Addresses that are never asked (docs/design/faults.md, 7).

use std::fs;

use rustix::mount::mount_bind;

use crate::node::bytes;
use crate::origin::{Behaviour, Object, Origin};
use crate::sandbox::Sandbox;

/// Gives names addresses, for this test alone: lines of `/etc/hosts`; no other name has any.
pub(crate) fn names(sandbox: &Sandbox, hosts: &str) {
    for (name, text) in [
        ("hosts", hosts),
        // Nobody answers there.
        (
            "resolv.conf",
            "nameserver 127.0.0.1\noptions timeout:1 attempts:1",
        ),
    ] {
        let file = sandbox.path(name);
        fs::write(&file, format!("{text}\n")).unwrap();
        let over = fs::canonicalize(format!("/etc/{name}")).unwrap();
        mount_bind(&file, &over).unwrap();
    }
}

fn refused(sandbox: &Sandbox, url: &str) {
    let ran = sandbox.run(["mount", url, "dir"]).must(5);
    ran.says("refused").says("link-local or metadata address");
    assert!(!sandbox.path("dir").exists());
    sandbox.assert_nothing_left();
}

/// Directly, in whatever notation.
#[test]
fn a_link_local_address_is_denied() {
    let sandbox = Sandbox::new();
    for host in [
        "169.254.169.254",
        "169.254.0.1:8080",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "metadata.google.internal",
        "METADATA.google.internal.",
    ] {
        refused(&sandbox, &format!("http://{host}/latest/meta-data"));
    }
}

/// By a redirect, at every hop.
#[test]
fn a_redirect_to_a_link_local_address_is_denied() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(7, 100)));
    for form in 0..4 {
        let redirect = Behaviour::RedirectToLinkLocal { form };
        origin.behave("/a.war", vec![redirect.always()]);
        refused(&sandbox, &origin.url("/a.war"));
    }
    let second = Origin::start();
    second.put("/b.war", Object::new(bytes(7, 100)));
    let redirect = Behaviour::RedirectToLinkLocal { form: 0 };
    second.behave("/b.war", vec![redirect.always()]);
    let to = second.url("/b.war");
    origin.behave("/a.war", vec![Behaviour::RedirectElsewhere { to }.always()]);
    refused(&sandbox, &origin.url("/a.war"));
}

/// By DNS, in front of a redirect and behind one.
#[test]
fn a_name_at_a_link_local_address_is_denied() {
    let sandbox = Sandbox::new();
    let hosts = "169.254.169.254 meta.test\nfe80::1 six.test\n127.0.0.1 good.test";
    names(&sandbox, hosts);
    refused(&sandbox, "http://meta.test/a.war");
    refused(&sandbox, "http://six.test/a.war");
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(7, 100)));
    let to = "http://meta.test/a.war".to_owned();
    origin.behave("/a.war", vec![Behaviour::RedirectElsewhere { to }.always()]);
    refused(&sandbox, &origin.url("/a.war"));
    // Not for want of a resolver: a good name is asked.
    origin.behave("/a.war", vec![]);
    let port = origin.address().port();
    sandbox.mount(&format!("http://good.test:{port}/a.war"), "dir", &[]);
}
