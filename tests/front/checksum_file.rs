//! `checksum: file:URL`: a file at a server says what the artifact must hash to, and is asked before it.

use war_vol::fault::Fault;

use crate::node::{Node, RequestExt, bytes, digest, failed};
use crate::origin::{Behaviour, Object, Origin};
use crate::sandbox::Sandbox;

const WAR: &str = "/v2/sample.war";
const SUMS: &str = "/v2/SHA256SUMS";
const LENGTH: usize = 300_000;

fn scene() -> (Sandbox, Origin, Node) {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    shows(&origin, 1);
    let node = Node::start(&sandbox);
    (sandbox, origin, node)
}

fn list(seed: u64) -> String {
    let digest = digest(&bytes(seed, LENGTH));
    let hex = digest.strip_prefix("sha256:").unwrap_or(&digest);
    format!("{}  other.war\n{hex}  sample.war\n", "0".repeat(64))
}

/// The origin has this version of both.
fn shows(origin: &Origin, seed: u64) {
    origin.put(WAR, Object::new(bytes(seed, LENGTH)));
    origin.put(SUMS, Object::new(list(seed).into_bytes()));
}

#[test]
fn the_file_is_asked_for_each_time_and_the_artifact_only_where_that_is_new() {
    let (_sandbox, origin, node) = scene();
    let request = |pod: &str| {
        let request = node.request(pod, &origin.url(WAR));
        request.with("checksum", "file:SHA256SUMS")
    };
    for pod in ["one", "two"] {
        node.publish(&request(pod)).unwrap();
    }
    assert_eq!((origin.gets(SUMS), origin.gets(WAR)), (2, 1));
    shows(&origin, 2);
    node.publish(&request("three")).unwrap();
    assert_eq!((origin.gets(SUMS), origin.gets(WAR)), (3, 2));
    let shown = std::fs::read(node.target("three").join("sample.war")).unwrap();
    assert!(shown == bytes(2, LENGTH));
    // Whoever asks nobody has the last one that was proven.
    node.publish(&request("four").with("pullPolicy", "Never"))
        .unwrap();
    node.publish(&request("five").with("pullPolicy", "IfNotPresent"))
        .unwrap();
    assert_eq!((origin.gets(SUMS), origin.gets(WAR)), (3, 2));
}

/// Somebody may have had it without a promise, and it may never have been the right one.
#[test]
fn a_copy_that_nobody_promised_proves_nothing() {
    let (_sandbox, origin, node) = scene();
    node.publish(&node.request("plain", &origin.url(WAR)))
        .unwrap();
    let never = node
        .request("never", &origin.url(WAR))
        .with("checksum", "file:SHA256SUMS")
        .with("pullPolicy", "Never");
    let (fault, words) = failed(node.publish(&never));
    assert_eq!(fault, Fault::NotFound, "{words}");
    assert_eq!(origin.gets(SUMS), 0);
}

#[test]
fn other_bytes_are_refused_until_one_of_both_is_mended() {
    let (sandbox, origin, node) = scene();
    let request = node
        .request("pod", &origin.url(WAR))
        .with("checksum", &format!("file:{}", origin.url(SUMS)));
    // With nothing that the origin could be asked with later: what was wrong would be remembered for ten minutes.
    let wrong = Object {
        etag: None,
        last_modified: None,
        ..Object::new(bytes(3, LENGTH))
    };
    origin.put(WAR, wrong);
    let (fault, words) = failed(node.publish(&request));
    assert_eq!(fault, Fault::Mismatch, "{words}");
    let from = format!(
        "expected {} (from {})",
        digest(&bytes(1, LENGTH)),
        origin.url(SUMS)
    );
    assert!(words.contains(&from), "{words}");
    assert!(sandbox.bucket("blobs").is_empty());
    failed(node.publish(&request));
    assert_eq!(origin.gets(WAR), 1, "known to be wrong");
    origin.put(SUMS, Object::new(list(3).into_bytes()));
    node.publish(&request).unwrap();
}

/// Bytes that were refused come by another way: that makes them no better for whoever does not ask the file.
#[test]
fn what_was_refused_is_not_taken_without_a_question() {
    let (_sandbox, origin, node) = scene();
    origin.put(WAR, Object::new(bytes(3, LENGTH)));
    let request = |pod: &str| {
        let request = node.request(pod, &origin.url(WAR));
        request.with("checksum", "file:SHA256SUMS")
    };
    let (fault, words) = failed(node.publish(&request("pod")));
    assert_eq!(fault, Fault::Mismatch, "{words}");
    node.publish(&node.request("plain", &origin.url(WAR)))
        .unwrap();
    for policy in ["IfNotPresent", "Never"] {
        let request = request(policy).with("pullPolicy", policy);
        failed(node.publish(&request));
    }
}

#[test]
fn what_is_wrong_with_the_file_is_said_and_nothing_is_downloaded() {
    let (_sandbox, origin, node) = scene();
    let long = vec![b'#'; 5 << 20];
    for (n, (file, says)) in [
        (
            &b"<!DOCTYPE html><form>Sign in</form>"[..],
            "is HTML or XML",
        ),
        (b"", "is empty"),
        (b"0000  sample.war", "lists no SHA-256"),
        (
            &list(1).replace("sample", "example").into_bytes(),
            "does not list \"sample.war\"",
        ),
        (&long, "is longer than 4.0 MiB"),
    ]
    .into_iter()
    .enumerate()
    {
        origin.put(SUMS, Object::new(file.to_vec()));
        let request = node.request(&format!("pod-{n}"), &origin.url(WAR));
        let (fault, words) = failed(node.publish(&request.with("checksum", "file:SHA256SUMS")));
        assert_eq!(fault, Fault::NotFound, "{words}");
        let said = format!("{}: the checksum file {says}", origin.url(SUMS));
        assert!(
            words.contains(&said) && words.contains("; correct it, or the attribute checksum"),
            "{words}"
        );
    }
    origin.put(SUMS, Object::new(list(1).into_bytes()));
    for (n, (behaviour, expected)) in [
        (Behaviour::Refused { status: 404 }, Fault::NotFound),
        (Behaviour::Refused { status: 403 }, Fault::Denied),
        (Behaviour::Gzipped, Fault::NotFound),
    ]
    .into_iter()
    .enumerate()
    {
        origin.behave(SUMS, vec![behaviour.always()]);
        let url = format!("{}?{n}", origin.url(SUMS));
        let request = node.request(&format!("refused-{n}"), &origin.url(WAR));
        let (fault, words) =
            failed(node.publish(&request.with("checksum", &format!("file:{url}"))));
        assert_eq!(fault, expected, "{words}");
        assert!(words.contains("SHA256SUMS"), "{words}");
    }
    assert_eq!(origin.gets(WAR), 0);
    let blocked = node.request("blocked", &origin.url(WAR));
    let blocked = blocked.with("checksum", "file:http://169.254.169.254/latest");
    let (fault, words) = failed(node.publish(&blocked));
    assert_eq!(fault, Fault::Denied, "{words}");
}

#[test]
fn a_file_that_breaks_off_or_is_late_is_asked_for_again() {
    let (_sandbox, origin, node) = scene();
    origin.behave(
        SUMS,
        vec![
            Behaviour::ResetAt { at: 40 }.times(1),
            Behaviour::TooLong { more: 10 }.times(1),
            Behaviour::Busy {
                status: 503,
                retry_after: crate::origin::RetryAfter::Unsaid,
            }
            .times(1),
        ],
    );
    let request = node.request("pod", &origin.url(WAR));
    node.publish(&request.with("checksum", "file:SHA256SUMS"))
        .unwrap();
    assert_eq!(origin.gets(WAR), 1);
}

#[test]
fn credentials_go_to_the_artifacts_own_origin_alone() {
    let (_sandbox, origin, node) = scene();
    let other = Origin::start();
    shows(&other, 1);
    let guarded = |object: Object| object.guarded("Bearer canary");
    origin.put(WAR, guarded(Object::new(bytes(1, LENGTH))));
    origin.put(SUMS, guarded(Object::new(list(1).into_bytes())));
    let request = |pod: &str, file: &str| {
        let mut request = node
            .request(pod, &origin.url(WAR))
            .with("checksum", &format!("file:{file}"));
        request.secrets.insert("token".to_owned(), "canary".into());
        request
    };
    node.publish(&request("here", "SHA256SUMS")).unwrap();
    node.publish(&request("there", &other.url(SUMS))).unwrap();
    assert_eq!(other.gets(SUMS), 1);
    assert!(origin.has_seen("canary") && !other.has_seen("canary"));
}

#[test]
fn the_command_line_takes_it_too() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    shows(&origin, 1);
    let url = origin.url(WAR);
    let fetch = |more: &[&str]| {
        let fixed = ["fetch", &url, "--checksum", "file:SHA256SUMS", "-o", "out"];
        sandbox.run(fixed.iter().chain(more))
    };
    fetch(&[]).must(0);
    assert!(std::fs::read(sandbox.path("out")).unwrap() == bytes(1, LENGTH));
    fetch(&["-c"]).must(0);
    assert_eq!(
        (origin.gets(SUMS), origin.gets(WAR)),
        (2, 1),
        "it is there already"
    );
    origin.put(SUMS, Object::new(list(2).into_bytes()));
    fetch(&[]).must(6).says("(from http://");
    assert!(std::fs::read(sandbox.path("out")).unwrap() == bytes(1, LENGTH));
    fetch(&["--checksum", "file:"]).must(2);
    let mount = ["mount", &url, "dir", "--checksum", "file:SHA256SUMS"];
    sandbox.run(mount).must(6).says("(from http://");
}
