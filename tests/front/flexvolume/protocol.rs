//! What kubelet says, and what it hears.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::*;

#[test]
fn init_says_false_to_all_that_counts_as_true_where_it_is_missing() {
    let sandbox = Sandbox::new();
    let said = answer(sandbox.run(["flexvolume", "init"]));
    let missing = ["attach", "selinuxRelabel", "fsGroup", "requiresFSResize"];
    assert_eq!(said["status"], "Success");
    for capability in missing {
        assert_eq!(said["capabilities"][capability], false, "{capability}");
    }
}

#[test]
fn every_call_is_answered_by_one_object_whatever_it_holds() {
    let node = Node::new();
    let dir = node.dir("pod");
    let elsewhere = node
        .sandbox
        .path("pods/1/volumes/geektime~war-vol/app-volume");
    let (at, url) = (dir.to_str().unwrap(), node.origin.url("/a.war"));
    let long = "x".repeat(120_000);
    let many: serde_json::Map<_, _> = (0..4000)
        .map(|n| (format!("option-{n}"), Value::from("x")))
        .collect();
    let many = Value::from(many).to_string();
    let with = |name: &str, value: &str| json!({ "downloadURL": url, name: value }).to_string();
    let rows: [(&[&str], &str, &str); 26] = [
        (&["attach", "{}", "node-1"], "Not supported", ""),
        (&["getvolumename", "{}"], "Not supported", ""),
        (&["isattached", "{}", "node-1"], "Not supported", ""),
        (&["mountdevice", at, "/dev/sdx", "{}"], "Not supported", ""),
        (&["expandvolume"], "Not supported", ""),
        (&["help"], "Not supported", ""),
        (&["Mount", at, "{}"], "Not supported", ""),
        (&["mount"], "Failure", "mount takes DIR and OPTIONS"),
        (&["mount", at], "Failure", "mount takes DIR and OPTIONS"),
        (&["mount", at, "/dev/sdx", "{}"], "Failure", "mount takes"),
        (&["mount", at, ""], "Failure", "not a JSON object"),
        (&["mount", at, "[]"], "Failure", "not a JSON object"),
        (
            &["mount", at, "{\"downloadURL\":"],
            "Failure",
            "not a JSON object",
        ),
        (&["mount", at, &long], "Failure", "not a JSON object"),
        (
            &["mount", at, "{}"],
            "Failure",
            "the attribute downloadURL is missing",
        ),
        (&["mount", at, &many], "Failure", "unknown attribute"),
        (
            &["mount", at, &with("downloadUrl", "x")],
            "Failure",
            "did you mean downloadURL?",
        ),
        (
            &["mount", at, &with("refresh", "1m")],
            "Failure",
            "only volumes that kubelet mounts through CSI are refreshed",
        ),
        (
            &["mount", at, &with("fileName", &long)],
            "Failure",
            "the attribute fileName",
        ),
        (
            &["mount", at, &with("kubernetes.io/readwrite", "maybe")],
            "Failure",
            "ro or rw",
        ),
        (
            &["mount", "/etc", &with("a", "b")],
            "Failure",
            "the directory \"/etc\"",
        ),
        (
            &["mount", elsewhere.to_str().unwrap(), &with("path", "p")],
            "Failure",
            "below",
        ),
        (&["unmount"], "Failure", "unmount takes DIR"),
        (
            &["unmount", ""],
            "Failure",
            "not a volume directory of a pod",
        ),
        (
            &["unmount", "/"],
            "Failure",
            "not a volume directory of a pod",
        ),
        (&["unmount", at], "Success", ""),
    ];
    for (call, status, words) in rows {
        fs::create_dir_all(&dir).unwrap();
        let said = node.call(call);
        assert_eq!(said["status"], status, "{said}");
        let message = said["message"].as_str().unwrap_or_default();
        assert!(message.contains(words), "{words:?} is not in {said}");
    }
    let odd = OsString::from_vec(b"/pods/1/volumes/a~b/\xff".to_vec());
    failed(
        &node.call(&[OsString::from("unmount"), odd.clone()]),
        "not UTF-8",
    );
    let call = [OsString::from("mount"), dir.clone().into(), odd];
    failed(&node.call(&call), "not a JSON object");
    assert_eq!(node.origin.gets("/a.war"), 0);
    node.nothing_left(&dir);
}

/// In the answer, in the driver's log, whatever goes wrong (docs/design/faults.md, 44).
#[test]
fn a_secret_reaches_the_origin_and_nothing_else() {
    use base64::Engine;
    let mut node = Node::new();
    node.lose_driver();
    let driver = Driver::begin(&node.sandbox, &["--log-level", "trace"]);
    driver.is_ready();
    node.driver = Some(driver);
    let war = Object::new(node.content.clone()).guarded("Bearer c4nary-right");
    node.origin.put("/a.war", war);
    let dir = node.dir("pod");
    let encoded = |text: &str| base64::prelude::BASE64_STANDARD.encode(text);
    let mut heard = String::new();
    for (key, value, words) in [
        ("token", encoded("c4nary-wrong"), "answered 401"),
        ("token", "c4nary-bare".to_owned(), "not base64"),
        (
            "token",
            encoded("c4nary\n"),
            "the Secret: the token is empty",
        ),
        (
            "tokn",
            encoded("c4nary-right"),
            "the Secret: unknown key \"tokn\"",
        ),
        ("token", encoded("c4nary-right"), ""),
    ] {
        let name = format!("kubernetes.io/secret/{key}");
        let said = node.mount(&dir, &json!({ name: value }));
        heard.push_str(&said.to_string());
        match words {
            "" => assert_eq!(said, success()),
            words => failed(&said, words),
        }
    }
    node.shows(&dir);
    assert!(node.origin.has_seen("c4nary-right") && node.origin.has_seen("c4nary-wrong"));
    assert_eq!(node.unmount(&dir), success());
    heard.push_str(&node.driver().log());
    assert!(heard.contains("mount: done"), "{heard}");
    for secret in ["c4nary", &encoded("c4nary-right"), &encoded("c4nary-wrong")] {
        assert!(!heard.contains(secret), "{heard}");
    }
    node.nothing_left(&dir);
}

/// Word for word, save that documentation names no host but example.com.
#[test]
fn the_example_has_the_columns_volume() {
    let column = r#"
  volumes:
  - name: app-volume
    flexVolume:
      driver: "geektime/war-vol"
      fsType: "ext4"
      options:
        downloadURL: "https://github.com/geektime/sample/releases/download/v2/sample.war"
"#;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples/flexvolume.yaml");
    let example = fs::read_to_string(file).unwrap();
    assert!(example.ends_with(&column.replace("github.com", "example.com")));
}
