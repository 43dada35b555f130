//! What is typed: URLs, checksums, sizes, times, names, paths (docs/design/faults.md, 36 and 42).

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use war_vol::fault::Fault;

use crate::node::{Node, RequestExt, bytes, failed};
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

const URL: &str = "http://127.0.0.1:9/a.war";

/// The first row: refused before anything is asked or made.
#[test]
fn what_is_typed_wrong_is_invalid_and_names_what_is_allowed() {
    let sandbox = Sandbox::new();
    let long = "n".repeat(256);
    let huge = "n".repeat(100_000);
    let short = "ab".repeat(31);
    let url = |url: &'static str| vec![url, "dir"];
    let with = |flag: &'static str, value: &str| {
        vec![URL.to_owned(), "dir".to_owned(), format!("{flag}={value}")]
    };
    let urls: Vec<(Vec<&str>, &str)> = vec![
        (vec![], "<URL>"),
        (url(""), "empty; use an http or https URL"),
        (url("a.war"), "is not a URL"),
        (
            url("file:///etc/passwd"),
            "the scheme \"file\" is not supported; use http or https",
        ),
        (
            url("ftp://example.com/a"),
            "the scheme \"ftp\" is not supported",
        ),
        (url("s3://bucket/a"), "the scheme \"s3\" is not supported"),
        (url("http:///a"), "URL: "),
        (url("https://me:canary@example.com/a"), "user or password"),
        (
            url("https://canary@example.com/a"),
            "provide credentials separately",
        ),
        (url("https://example.com/a#canary"), "has a fragment"),
        (url("https://example.com/"), "set --file-name"),
        (
            url("https://example.com/%2e%2e%2fetc%2fpasswd"),
            "set --file-name",
        ),
        (url("https://example.com/a%00b"), "set --file-name"),
        (url("https://example.com/a%0ab"), "set --file-name"),
        (
            url("https://example.com/%FF.war"),
            "is not UTF-8; set --file-name",
        ),
        (url("https://example.com/a b"), "white space"),
    ];
    let flags = [
        (with("--checksum", ""), "use sha256:<64 hex digits>"),
        (
            with("--checksum", "md5:d41d8cd98f00b204e9800998ecf8427e"),
            "unknown algorithm",
        ),
        (with("--checksum", &format!("sha256:{short}")), "62 digits"),
        (with("--checksum", &huge), "--checksum: "),
        (with("--max-size", "lots"), "not a size"),
        (with("--max-size", "-1"), "--max-size"),
        (with("--max-size", "0"), "above 0"),
        (with("--stall-time", "soon"), "use a time above 0"),
        (with("--stall-time", "0s"), "use a time above 0"),
        (with("--retry-pause", "-5s"), "--retry-pause"),
        (with("--tries", "0"), "--tries"),
        (
            with("--keep-free", "120"),
            "use a whole number from 0 to 99",
        ),
        (with("--downloads", "65"), "1..=64"),
        (with("--file-name", ".."), "not a file name"),
        (with("--file-name", "a/b"), "contains a /"),
        (with("--file-name", "/etc/passwd"), "contains a /"),
        (with("--file-name", "a\nb"), "contains a control character"),
        (with("--file-name", ""), "empty"),
        (with("--file-name", &long), "too long"),
        (with("--file-name", &huge), "at most 255 bytes"),
        (with("--path", "../x"), "--path: \"../x\""),
        (with("--path", "a/../../x"), "without .."),
        (with("--path", "/etc"), "absolute"),
        (with("--path", "a\u{1b}[31m"), "\\u{1b}"),
        (with("--path", &long), "too long"),
        (with("--path", &"d/".repeat(17)), "too deep"),
        (with("--path", &huge), "too long"),
        (
            with("--pull-policy", "sometimes"),
            "Always, IfNotPresent or Never",
        ),
        (with("--layout", "flat"), "use auto or overlay or copy"),
        (with("--log-level", "=,="), "not a log level; use"),
    ];
    let flags = flags
        .iter()
        .map(|(a, s)| (a.iter().map(String::as_str).collect(), *s));
    for (arguments, says) in urls.into_iter().chain(flags) {
        let ran = sandbox.run([vec!["mount"], arguments.clone()].concat());
        let shown: Vec<_> = arguments.iter().map(|a| a.get(..60).unwrap_or(a)).collect();
        assert_eq!(ran.code, 2, "{shown:?}: {}", ran.stderr);
        let ran = ran.says(says);
        assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
        assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
        crate::fetch::speaks_no_yaml(&ran);
        assert!(!sandbox.path("dir").exists(), "{shown:?}");
    }
}

/// The same by way of a request, where a value may be anything; nothing is touched.
#[test]
fn attributes_of_a_request_are_invalid_by_name() {
    let sandbox = Sandbox::new();
    let node = Node::start(&sandbox);
    let megabyte = "a".repeat(1 << 20);
    let hostile = [
        "../../etc",
        "/etc/passwd",
        "a\0b",
        "a\nb",
        megabyte.as_str(),
    ];
    let names = [
        "checksum",
        "path",
        "fileName",
        "maxSize",
        "pullPolicy",
        "layout",
        "writable",
        "downloadURL",
    ];
    let mut cases: Vec<(&str, &str, String)> = Vec::new();
    for name in names {
        for value in hostile {
            // A relative path is one, and a long name is too long.
            cases.push((name, value, format!("the attribute {name}")));
        }
    }
    cases.extend([
        (
            "unpack",
            "auto",
            "the attribute unpack is not supported yet".into(),
        ),
        (
            "refresh",
            "1m",
            "the attribute refresh: only volumes that kubelet mounts through CSI".into(),
        ),
        ("refresh", "1s", "use a time from 10s to 30days".into()),
        (
            "rollback",
            "1m",
            "the attribute rollback: only volumes that kubelet mounts through CSI".into(),
        ),
        ("stripComponents", "1", "is not supported yet".into()),
        ("include", "*", "is not supported yet".into()),
        ("checkSum", "x", "did you mean checksum?".into()),
        ("file-name", "x", "did you mean fileName?".into()),
        (
            "zzz",
            "x",
            "unknown attribute \"zzz\"; known attributes: downloadURL".into(),
        ),
        (&megabyte, "x", "unknown attribute".into()),
        ("\0", "x", "unknown attribute".into()),
        ("maxSize", "true", "not a size".into()),
        ("maxSize", "{}", "not a size".into()),
        ("writable", "true", "use scratch".into()),
    ]);
    for (name, value, says) in cases {
        let request = node.request("pod", URL).with(name, value);
        let (fault, words) = failed(node.publish(&request));
        assert_eq!(fault, Fault::Invalid, "{words}");
        assert!(words.contains(&says), "{says} is not in {words}");
        assert!(words.len() <= 1000, "{} bytes", words.len());
        assert!(!request.target.path().exists());
        sandbox.assert_nothing_left();
    }
}

#[test]
fn a_volume_id_never_becomes_a_path() {
    let sandbox = Sandbox::new();
    let node = Node::start(&sandbox);
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(36, 1000)));
    let megabyte = "v".repeat(1 << 20);
    for id in [
        "../../../../etc",
        "/etc/passwd",
        "..",
        ".",
        "",
        "a\0b",
        "a/b",
        "a,b:c\\d",
        &megabyte,
    ] {
        let mut request = node.request("pod", &origin.url("/a.war"));
        request.volume = id.to_owned();
        node.publish(&request).unwrap();
        for path in sandbox.bucket("volumes") {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(
                name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit()),
                "{name}"
            );
        }
        assert_eq!(sandbox.bucket("volumes").len(), 1);
        node.publish(&request).unwrap();
        // Another id is another volume: it cannot take this one's place, nor end it.
        let mut other = request.clone();
        other.volume.push('x');
        assert_eq!(failed(node.publish(&other)).0, Fault::Occupied);
        assert_eq!(failed(node.unpublish(&other)).0, Fault::Occupied);
        node.unpublish(&request).unwrap();
        sandbox.assert_nothing_left();
    }
}

/// An argument that is no text is refused, and the words are text.
#[test]
fn arguments_that_are_not_utf_8_are_invalid() {
    let sandbox = Sandbox::new();
    let odd = OsStr::from_bytes(b"a\xffb");
    for flag in ["--checksum", "--file-name", "--path", "--layout"] {
        let arguments = ["mount", URL, "dir", flag].map(OsStr::new);
        sandbox.run([&arguments[..], &[odd]].concat()).must(2);
    }
    sandbox
        .run([OsStr::new("mount"), odd, OsStr::new("dir")])
        .must(2);
    let ran = sandbox.run([OsStr::new("mount"), OsStr::new(URL), odd]);
    ran.must(2).says("not UTF-8");
    assert_eq!(
        fs::read_dir(sandbox.path(".")).unwrap().count(),
        1,
        "the root alone"
    );
}

/// A secret that is not one, and a file of credentials that is none.
#[test]
fn credentials_that_are_none_are_invalid_and_not_shown() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("credentials");
    for (text, says) in [
        ("canary", "line 1 has no ="),
        (
            "tokens=canary",
            "unknown key \"tokens\"; use lines of token=",
        ),
        ("token=can ary", "white space"),
        ("token=canary\nusername=u", "both a token and a username"),
        ("username=canary", "a username is given without a password"),
        ("password=canary", "a password is given without a username"),
        ("username=can:ary\npassword=p", "colon"),
    ] {
        fs::write(&file, text).unwrap();
        let credentials = file.to_str().unwrap();
        let ran = sandbox.run(["mount", URL, "dir", "--credentials", credentials]);
        let ran = ran.must(2).says(says);
        assert!(!ran.stderr.contains("ary"), "{}", ran.stderr);
    }
    sandbox
        .run(["mount", URL, "dir", "--credentials", "/nonexistent"])
        .must(2)
        .says("the credentials file /nonexistent");
    sandbox
        .run(["mount", URL, "dir", "--ca-file", "/nonexistent"])
        .must(2)
        .says("the CA file /nonexistent");
    fs::write(&file, "no certificate").unwrap();
    sandbox
        .run(["mount", URL, "dir", "--ca-file", file.to_str().unwrap()])
        .must(2)
        .says("contains no certificate");
}
