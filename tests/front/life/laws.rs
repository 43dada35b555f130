//! The laws of volumes (docs/design/laws.md) that no fault tells whole, and the fault 45 (docs/design/faults.md).

use std::fs;

use war_vol::fault::Fault;

use crate::node::{Node, RequestExt, bytes, detach, digest, failed, mounts_at};
use crate::origin::{Behaviour, Object, Origin, Validator};
use crate::sandbox::Sandbox;

const LENGTH: usize = 200_000;

fn origin() -> (Origin, String) {
    let origin = Origin::start();
    let content = bytes(78, LENGTH);
    let pin = digest(&content);
    origin.put("/a.war", Object::new(content));
    (origin, pin)
}

/// Law 1: a final error leaves nothing, of a volume that was never published.
#[test]
fn a_final_error_leaves_nothing() {
    let sandbox = Sandbox::new();
    let node = Node::start(&sandbox);
    let (origin, _) = origin();
    let url = origin.url("/a.war");
    for (request, expected) in [
        (
            node.request("p", &url).with("unpack", "auto"),
            Fault::Invalid,
        ),
        (
            node.request("p", &url).with("maxSize", "1"),
            Fault::TooLarge,
        ),
        (
            node.request("p", &url).pinned(&digest(b"other")),
            Fault::Mismatch,
        ),
        (node.request("p", &origin.url("/none")), Fault::NotFound),
        (
            node.request("p", &url).secret("tokens", "t"),
            Fault::Invalid,
        ),
        (node.request("p", "http://169.254.1.1/a"), Fault::Denied),
        (
            node.request("p", &url).with("pullPolicy", "Never"),
            Fault::NotFound,
        ),
    ] {
        let (fault, words) = failed(node.publish(&request));
        assert_eq!(fault, expected, "{words}");
        assert!(!request.target.path().exists());
        sandbox.assert_nothing_left();
    }
}

/// Law 1: of a volume that was published, every error is one after which kubelet asks again.
#[test]
fn an_error_of_a_published_volume_is_never_final() {
    let sandbox = Sandbox::new();
    let node = Node::start(&sandbox);
    let (origin, _) = origin();
    let request = node.request("pod", &origin.url("/a.war"));
    node.publish(&request).unwrap();
    detach(&request.target.path());
    fs::remove_dir(request.target.path()).unwrap();
    fs::write(request.target.path(), "a file in the way").unwrap();
    let (fault, words) = failed(node.publish(&request));
    assert_eq!(fault, Fault::Unavailable, "{words}");
    assert!(words.contains("not a directory"), "{words}");
    fs::remove_file(request.target.path()).unwrap();
    node.publish(&request).unwrap();
}

/// Law 3: the origin is down, or has something else, or refuses: a republish does not even ask it.
#[test]
fn a_republish_asks_nobody() {
    let sandbox = Sandbox::new();
    let node = Node::start(&sandbox);
    let (origin, _) = origin();
    let request = node.request("pod", &origin.url("/a.war"));
    let request = request.with("pullPolicy", "Always");
    node.publish(&request).unwrap();
    let before = mounts_at(&request.target.path());
    origin.put("/a.war", Object::new(bytes(79, LENGTH)));
    origin.behave("/a.war", vec![Behaviour::Refused { status: 403 }.always()]);
    node.publish(&request).unwrap();
    assert_eq!(origin.gets("/a.war"), 1, "law 8: Always speaks once");
    drop(origin);
    node.publish(&request).unwrap();
    assert_eq!(mounts_at(&request.target.path()), before);
    let shown = fs::read(request.target.path().join("a.war")).unwrap();
    assert!(shown == bytes(78, LENGTH));
}

/// Law 6: a target outside kubelet's directory is none, and a symlink below it leads nowhere.
#[test]
fn a_target_outside_the_kubelet_directory_is_refused() {
    use war_vol::mount::Target;
    let sandbox = Sandbox::new();
    let node = Node::start(&sandbox);
    let kubelet = sandbox.path("kubelet");
    let outside = sandbox.path("outside");
    fs::create_dir(&outside).unwrap();
    for bad in [
        outside.join("x"),
        kubelet.join("pods/../../outside/x"),
        kubelet.clone(),
    ] {
        assert_eq!(
            Target::within(&kubelet, &bad).unwrap_err().fault(),
            Fault::Invalid
        );
    }
    let (origin, _) = origin();
    let mut request = node.request("pod", &origin.url("/a.war"));
    std::os::unix::fs::symlink(&outside, kubelet.join("pods/link")).unwrap();
    request.target = Target::within(&kubelet, &kubelet.join("pods/link/x")).unwrap();
    let (fault, words) = failed(node.publish(&request));
    assert_eq!(fault, Fault::Invalid, "{words}");
    assert_eq!(origin.gets("/a.war"), 0, "judged before the download");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    sandbox.assert_nothing_left();
}

/// Law 7: a digest is no key to the cache: another URL that is pinned to it is downloaded.
#[test]
fn another_url_with_the_same_digest_is_downloaded() {
    let sandbox = Sandbox::new();
    let node = Node::start(&sandbox);
    let (origin, pin) = origin();
    let theirs = Origin::start();
    // It claims that nothing has changed, whatever it is asked.
    theirs.put("/stolen.war", Object::new(bytes(0, 10)));
    let first = node.request("first", &origin.url("/a.war")).pinned(&pin);
    node.publish(&first).unwrap();
    let second = node.request("second", &theirs.url("/stolen.war"));
    let second = second.pinned(&pin);
    let (fault, words) = failed(node.publish(&second));
    assert_eq!(fault, Fault::Mismatch, "{words}");
    assert_eq!(theirs.gets("/stolen.war"), 1);
    for seen in theirs.log() {
        let conditional = |(name, _): &(String, String)| name.starts_with("if-");
        assert!(!seen.headers.iter().any(conditional), "{seen:?}");
    }

    // The right bytes from elsewhere are downloaded once, and kept once.
    theirs.put("/copy.war", Object::new(bytes(78, LENGTH)));
    for pod in ["third", "fourth"] {
        let request = node.request(pod, &theirs.url("/copy.war")).pinned(&pin);
        node.publish(&request).unwrap();
    }
    assert_eq!(theirs.gets("/copy.war"), 1);
    assert_eq!(node.store.cached().unwrap().len(), 1);
    assert_eq!(node.store.cached().unwrap()[0].leases, 3);
}

/// Law 7: other credentials are another context: what one was given the other has to ask for.
#[test]
fn other_credentials_do_not_share_what_a_url_gave() {
    let sandbox = Sandbox::new();
    let node = Node::start(&sandbox);
    let (origin, pin) = origin();
    let secret = Object::new(bytes(78, LENGTH)).guarded("Bearer right");
    origin.put("/a.war", secret);
    let request = |pod: &str| node.request(pod, &origin.url("/a.war")).pinned(&pin);
    node.publish(&request("owner").secret("token", "right"))
        .unwrap();
    node.publish(&request("again").secret("token", "right"))
        .unwrap();
    assert_eq!(origin.gets("/a.war"), 1);
    for (pod, thief) in [
        ("without", request("without")),
        ("wrong", request("wrong").secret("token", "wrong")),
        (
            "basic",
            request("basic")
                .secret("username", "u")
                .secret("password", "right"),
        ),
        ("never", request("never").with("pullPolicy", "Never")),
    ] {
        let (fault, words) = failed(node.publish(&thief));
        let expected = if pod == "never" {
            Fault::NotFound
        } else {
            Fault::Unauthenticated
        };
        assert_eq!(fault, expected, "{pod}: {words}");
        assert!(!thief.target.path().exists());
    }
    // Nobody's answer is asked about in another's name either.
    let foreign = origin.log();
    let foreign = foreign.iter().filter(|seen| seen.status == 401);
    for seen in foreign {
        assert!(!seen.headers.iter().any(|(n, _)| n.starts_with("if-")));
    }
}

/// Law 8: a wrong pin is not downloaded again while the origin says that its object is the same one; where it cannot
/// say so, not for a while.
#[test]
fn a_wrong_pin_is_not_downloaded_again() {
    for validator in [Validator::Strong, Validator::None] {
        let sandbox = Sandbox::new();
        let node = Node::start(&sandbox);
        let (origin, _) = origin();
        origin.behave("/a.war", vec![Behaviour::Offers(validator).always()]);
        let wrong = digest(b"something else");
        let request = node.request("pod", &origin.url("/a.war")).pinned(&wrong);
        for _ in 0..4 {
            let (fault, words) = failed(node.publish(&request));
            assert_eq!(fault, Fault::Mismatch, "{words}");
            for part in [&wrong, &digest(&bytes(78, LENGTH)), "195.3 KiB"] {
                assert!(words.contains(part), "{part} is not in {words}");
            }
            assert_eq!(origin.bytes_sent("/a.war"), LENGTH as u64);
        }
        sandbox.assert_nothing_left();
        assert_eq!(node.store.cached().unwrap(), []);
        if validator == Validator::Strong {
            // The object is mended: the next call finds that out.
            origin.put("/a.war", Object::new(b"something else".to_vec()));
            node.publish(&request).unwrap();
        }
    }
}

/// Law 5: an origin that is asked by way of a redirect never hears the credentials of the first one.
#[test]
fn credentials_reach_the_first_origin_and_no_other() {
    let sandbox = Sandbox::new();
    let node = Node::start(&sandbox);
    let (first, second) = (Origin::start(), Origin::start());
    let content = Object::new(bytes(5, 1000));
    first.put("/a.war", content.clone());
    second.put("/b.war", content);
    let to = second.url("/b.war?sig=theirs");
    first.behave("/a.war", vec![Behaviour::RedirectElsewhere { to }.always()]);
    let pods = [
        node.request("bearer", &first.url("/a.war"))
            .secret("token", "canary-t"),
        node.request("basic", &first.url("/a.war"))
            .secret("username", "canary-u")
            .secret("password", "canary-p"),
    ];
    for request in pods {
        node.publish(&request).unwrap();
    }
    let sent = |origin: &Origin, name: &str| -> Vec<String> {
        let headers = origin.log().into_iter().flat_map(|seen| seen.headers);
        let named = headers.filter(|(n, _)| n == name);
        named.map(|(_, value)| value).collect()
    };
    let known = sent(&first, "authorization");
    assert_eq!(known.len(), 2);
    assert_eq!(known[0], "Bearer canary-t");
    assert!(known[1].starts_with("Basic "), "{}", known[1]);
    assert_eq!(second.gets("/b.war"), 2);
    for name in ["authorization", "cookie", "referer", "proxy-authorization"] {
        assert_eq!(sent(&second, name), Vec::<String>::new());
    }
    assert!(!second.has_seen("canary"));
}
