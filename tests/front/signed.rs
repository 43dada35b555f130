//! Signed URLs: the same object under ever new queries, of which the origin lets some in and others not.

use war_vol::fault::Fault;

use crate::node::{Node, RequestExt, bytes, digest, failed};
use crate::origin::{Behaviour, Object, Origin};
use crate::sandbox::Sandbox;

const LENGTH: usize = 1 << 20;

fn scene() -> (Sandbox, Origin, Node) {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(81, LENGTH)));
    let node = Node::start(&sandbox);
    (sandbox, origin, node)
}

#[test]
fn a_new_signature_is_asked_for_once_and_its_body_is_not_read() {
    let (sandbox, origin, node) = scene();
    let pin = digest(&bytes(81, LENGTH));
    let request = |pod: &str, query: &str| {
        let url = format!("{}?{query}", origin.url("/a.war"));
        node.request(pod, &url).pinned(&pin)
    };
    node.publish(&request("first", "sig=1")).unwrap();
    assert_eq!(origin.gets("/a.war"), 1);
    let sent = origin.bytes_sent("/a.war");
    // Ten times as many as are remembered.
    for n in 2..162 {
        let next = request(&format!("pod-{n}"), &format!("sig={n}"));
        node.publish(&next).unwrap();
        assert_eq!(origin.gets("/a.war"), n, "each is asked for once");
        node.unpublish(&next).unwrap();
    }
    assert!(
        origin.bytes_sent("/a.war") - sent < LENGTH as u64 / 2,
        "no body was needed"
    );
    assert_eq!(sandbox.bucket("index").len(), 1, "one object has one entry");
    // What was let in a moment ago is not asked for again.
    let again = request("again", "sig=161");
    node.publish(&again).unwrap();
    assert_eq!(origin.gets("/a.war"), 161);
}

#[test]
fn a_bogus_or_expired_signature_gets_the_origins_answer_and_never_the_cache() {
    let (_sandbox, origin, node) = scene();
    let pin = digest(&bytes(81, LENGTH));
    let url = |query: &str| format!("{}?{query}", origin.url("/a.war"));
    node.publish(&node.request("first", &url("sig=1")).pinned(&pin))
        .unwrap();
    for (status, fault) in [
        (403, Fault::Denied),
        (401, Fault::Unauthenticated),
        (404, Fault::NotFound),
    ] {
        origin.behave("/a.war", vec![Behaviour::Refused { status }.always()]);
        let request = node
            .request(
                &format!("bogus-{status}"),
                &url(&format!("sig=bogus-{status}")),
            )
            .pinned(&pin);
        let (found, words) = failed(node.publish(&request));
        assert_eq!(found, fault, "{words}");
        assert!(words.contains(&status.to_string()), "{words}");
        assert!(!request.target.path().exists());
    }
    // Nobody may be asked: only what was let in before has a copy.
    let never = |pod: &str, query: &str| {
        let request = node.request(pod, &url(query)).pinned(&pin);
        request.with("pullPolicy", "Never")
    };
    let (found, words) = failed(node.publish(&never("never", "sig=2")));
    assert_eq!(found, Fault::NotFound, "{words}");
    node.publish(&never("known", "sig=1")).unwrap();
}

#[test]
fn without_a_checksum_another_query_is_another_object() {
    let (_sandbox, origin, node) = scene();
    for n in 0..3 {
        let url = format!("{}?version={n}", origin.url("/a.war"));
        node.publish(&node.request(&format!("pod-{n}"), &url))
            .unwrap();
    }
    assert!(origin.bytes_sent("/a.war") >= 3 * LENGTH as u64);
}

/// An origin that does not like a signature may say so with 200 and a page.
#[test]
fn a_page_with_status_200_opens_no_cache() {
    let (_sandbox, origin, node) = scene();
    let pin = digest(&bytes(81, LENGTH));
    let url = |query: &str| format!("{}?{query}", origin.url("/a.war"));
    let request = |pod: &str, query: &str| node.request(pod, &url(query)).pinned(&pin);
    node.publish(&request("first", "sig=1")).unwrap();
    // Of the same length, too.
    for (n, page) in [b"please log in".to_vec(), bytes(82, LENGTH)]
        .into_iter()
        .enumerate()
    {
        origin.put("/a.war", Object::new(page));
        let bogus = request(&format!("bogus-{n}"), &format!("sig=bogus-{n}"));
        let (found, words) = failed(node.publish(&bogus));
        assert_eq!(found, Fault::Mismatch, "{words}");
        assert!(!bogus.target.path().exists());
    }
}

/// An open redirect on the object's path leads to whoever is named in it, and that one knows the tag.
#[test]
fn another_origin_lets_nobody_in() {
    let (_sandbox, origin, node) = scene();
    let other = Origin::start();
    other.put("/elsewhere", Object::new(bytes(81, LENGTH)));
    let pin = digest(&bytes(81, LENGTH));
    let url = |query: &str| format!("{}?{query}", origin.url("/a.war"));
    node.publish(&node.request("first", &url("sig=1")).pinned(&pin))
        .unwrap();
    let to = other.url("/elsewhere");
    origin.behave("/a.war", vec![Behaviour::RedirectElsewhere { to }.always()]);
    node.publish(&node.request("second", &url("sig=2")).pinned(&pin))
        .unwrap();
    assert!(
        other.bytes_sent("/elsewhere") >= LENGTH as u64,
        "only the bytes themselves prove it"
    );
}

/// What the URL gave before it had this checksum does not hide what it gives now.
#[test]
fn an_older_entry_of_the_same_url_costs_no_download_each_time() {
    let (_sandbox, origin, node) = scene();
    let url = format!("{}?v=latest", origin.url("/a.war"));
    node.publish(&node.request("old", &url)).unwrap();
    origin.put("/a.war", Object::new(bytes(83, LENGTH)));
    let pin = digest(&bytes(83, LENGTH));
    node.publish(&node.request("new", &url).pinned(&pin))
        .unwrap();
    let asked = origin.gets("/a.war");
    for n in 0..3 {
        let request = node.request(&format!("again-{n}"), &url).pinned(&pin);
        node.publish(&request).unwrap();
    }
    assert_eq!(origin.gets("/a.war"), asked);
}
