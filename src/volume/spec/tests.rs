use secrecy::SecretString;

use super::*;
use crate::policy::Pod;
use crate::volume::interests::Facts;

fn read(pairs: &[(&str, &str)]) -> Result<VolumeTemplate, Error> {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    VolumeTemplate::parse(&pairs.iter().map(pair).collect())
}

/// With the Secret's keys `v` and `w`, in the seventh state of the volume.
fn filled(pairs: &[(&str, &str)], v: &str) -> Result<VolumeSpec, Error> {
    let secrets = BTreeMap::from([
        ("v".to_owned(), SecretString::from(v)),
        ("w".to_owned(), SecretString::from("2")),
    ]);
    let pod = Pod::default();
    let values = Values {
        pod: Some(&pod),
        node: "n1",
        secrets: &secrets,
        claim: None,
        facts: &Facts::default(),
        swap: 7,
    };
    read(pairs)?.fill(&values)
}

fn parse(pairs: &[(&str, &str)]) -> Result<VolumeSpec, Error> {
    filled(pairs, "1")
}

const URL: (&str, &str) = ("downloadURL", "https://example.com/v2/sample.war");

#[test]
fn defaults() {
    let spec = parse(&[URL]).unwrap();
    assert_eq!(spec.place.to_path().to_str(), Some("sample.war"));
    assert_eq!(spec.pull, PullPolicy::Always);
    let read = read(&[URL]).unwrap();
    assert_eq!((read.layout, read.scratch), (Layout::Auto, false));
    assert_eq!(read.changes, Changes::default());
    assert!(!read.may_change());
    let pin = format!("sha256:{}", "0".repeat(64));
    assert_eq!(
        parse(&[URL, ("checksum", &pin)]).unwrap().pull,
        PullPolicy::IfNotPresent
    );
}

#[test]
fn every_refusal_names_the_attribute_and_what_is_allowed() {
    let long = "a".repeat(1 << 20);
    for (pairs, says) in [
        (vec![], "the attribute downloadURL is missing"),
        (vec![URL, ("downloadUrl", "x")], "did you mean downloadURL?"),
        (vec![URL, ("filename", "x")], "did you mean fileName?"),
        (
            vec![URL, ("zzz", "x")],
            "unknown attribute \"zzz\"; known attributes: downloadURL, repository",
        ),
        (vec![URL, (long.as_str(), "x")], "unknown attribute"),
        (
            vec![URL, ("unpack", "auto")],
            "the attribute unpack is not supported yet",
        ),
        (
            vec![URL, ("rollback", "1s")],
            "the attribute rollback: \"1s\"; use a time from 5s to 1h",
        ),
        (
            vec![URL, ("refresh", "9s")],
            "the attribute refresh: \"9s\"; use a time from 10s to 30days",
        ),
        (
            vec![URL, ("settle", "soon")],
            "the attribute settle: \"soon\": expected number at 0; use a time from 0s to 10m",
        ),
        (
            vec![URL, ("refresh", "1m"), ("pullPolicy", "Never")],
            "the server is not asked with pullPolicy: Never",
        ),
        (
            vec![URL, ("checksum", "md5:1")],
            "the attribute checksum: \"md5:1\"",
        ),
        (vec![URL, ("checksum", &long)], "the attribute checksum"),
        (
            vec![URL, ("maxSize", "big")],
            "the attribute maxSize: \"big\": not a size",
        ),
        (
            vec![URL, ("pullPolicy", "always")],
            "Always, IfNotPresent or Never",
        ),
        (
            vec![URL, ("layout", "flat")],
            "the attribute layout: \"flat\"; use auto or overlay or copy",
        ),
        (vec![URL, ("writable", "true")], "use scratch"),
        (vec![URL, ("path", "../x")], "the attribute path: \"../x\""),
        (vec![URL, ("path", "/x")], "absolute"),
        (
            vec![URL, ("fileName", "a/b")],
            "the attribute fileName: \"a/b\"",
        ),
        (
            vec![("downloadURL", "file:///etc/passwd")],
            "\"file\" is not supported",
        ),
        (
            vec![("downloadURL", "https://u:canary@example.com/a")],
            "user or password",
        ),
        (
            vec![("downloadURL", "https://example.com/")],
            "set fileName",
        ),
    ] {
        let text = parse(&pairs).unwrap_err().to_string();
        assert!(text.contains(says), "{text}");
        assert!(text.len() <= 1000 && !text.contains("canary"), "{text}");
    }
}

fn url(text: &str) -> (&str, &str) {
    ("downloadURL", text)
}

#[test]
fn variables_are_filled_in_where_they_stand() {
    let pin = "0".repeat(64);
    let spec = filled(
        &[
            url("https://example.com/${secret['v']}/sample.war?of=${secret['v']}"),
            ("checksum", "sha256:${secret['v']}"),
            ("fileName", "ROOT##${swap}.war"),
            ("path", "apps/${secret['w']}"),
        ],
        &pin,
    );
    let spec = spec.unwrap();
    let expected = format!("https://example.com/{pin}/sample.war?of={pin}");
    assert_eq!(spec.artifact.url.canonical(), expected);
    assert_eq!(spec.artifact.pin, format!("sha256:{pin}").parse().ok());
    let place = spec.place.to_path();
    assert_eq!(place.to_str(), Some("apps/2/ROOT##00000007.war"));
    assert_eq!(spec.pull, PullPolicy::IfNotPresent);
    let left_out = [URL, ("checksum", "${secret['none']:-}")];
    let spec = parse(&left_out).unwrap();
    assert_eq!((spec.artifact.pin, spec.pull), (None, PullPolicy::Always));
}

#[test]
fn a_file_says_the_checksum_and_a_variable_names_no_other_server() {
    let file = |file: &str, v: &str| {
        let spec = filled(&[URL, ("checksum", file), ("refresh", "1m")], v)?;
        assert_eq!((spec.artifact.pin, spec.pull), (None, PullPolicy::Always));
        Ok::<_, Error>(spec.artifact.checksum_file.unwrap().canonical().to_owned())
    };
    let beside = "file:sums/${secret['v']}.txt";
    assert_eq!(
        file(beside, "1.0+b").unwrap(),
        "https://example.com/v2/sums/1.0%2Bb.txt"
    );
    let elsewhere = "file:https://sums.example.com/${secret['v']}";
    assert_eq!(file(elsewhere, "1").unwrap(), "https://sums.example.com/1");
    for (text, v) in [
        ("file:https://${secret['v']}.example.com/a", "1"),
        ("file:${secret['v']}://example.com/a", "http"),
    ] {
        let said = file(text, v).unwrap_err().to_string();
        assert!(said.contains("the attribute checksum"), "{text}: {said}");
    }
    // What is no file as it is written is none.
    let variable = [URL, ("checksum", "${secret['v']}")];
    let said = filled(&variable, "file:SHA256SUMS")
        .unwrap_err()
        .to_string();
    assert!(said.contains("the attribute checksum"), "{said}");
    let nameless = [
        url("https://example.com/"),
        ("fileName", "a.war"),
        ("checksum", "file:a"),
    ];
    assert!(parse(&nameless).is_err());
}

#[test]
fn what_may_change_is_known_before_it_does() {
    for (pairs, may) in [
        (vec![URL], false),
        (vec![URL, ("refresh", "never")], false),
        (vec![URL, ("refresh", "1m")], true),
        (vec![url("https://example.com/${secret['v']}/a.war")], true),
        (vec![url("https://example.com/${pod.name}/a.war")], false),
        (
            vec![url("https://example.com/$${secret['v']}/a.war")],
            false,
        ),
        (vec![URL, ("fileName", "${swap}.war")], false),
        (vec![URL, ("fileName", "${secret['v']}.war")], true),
    ] {
        assert_eq!(read(&pairs).unwrap().may_change(), may, "{pairs:?}");
        let attributes = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        assert_eq!(may_change(&attributes.collect()), may, "{pairs:?}");
    }
}

#[test]
fn a_variable_names_no_server_no_credential_and_no_version_of_tomcat() {
    let swap = "use ${swap}";
    for (pairs, v, says) in [
        (
            vec![url("https://${secret['v']}/a.war")],
            "x",
            "write scheme, host and port out",
        ),
        (
            vec![url("${secret['v']}")],
            "x",
            "write scheme, host and port out",
        ),
        (
            vec![url("https://example.com:${secret['v']}/a")],
            "80",
            "write scheme, host",
        ),
        (
            vec![url("https://example.com${secret['v']}/a")],
            "x",
            "write scheme, host",
        ),
        (
            vec![url("https:${secret['v']}//example.com/a")],
            "x",
            "write scheme, host",
        ),
        (
            vec![url("https://example.com/${swap}/a.war")],
            "x",
            "${swap} is only for fileName",
        ),
        (
            vec![url("https://example.com/${secret['token']}/a")],
            "x",
            "is a credential",
        ),
        (
            vec![url("https://example.com/${secret['header.x']}/a")],
            "x",
            "is a credential",
        ),
        (
            vec![URL, ("fileName", "ROOT##${secret['v']}.war")],
            "9",
            swap,
        ),
        (
            vec![URL, ("fileName", "ROOT#${secret['v']}.war")],
            "#9",
            swap,
        ),
        (
            vec![url("https://example.com/ROOT%23%23${secret['v']}.war")],
            "9",
            swap,
        ),
        (vec![URL, ("fileName", "${secret['v']}")], "a\\b##1", swap),
        (vec![URL, ("path", "${secret['v']}")], "a/b", "contains a /"),
        (
            vec![URL, ("checksum", "sha256:${secret['v']}")],
            "12",
            "the attribute checksum",
        ),
        (
            vec![URL, ("checksum", "${secret['v']}"), ("refresh", "1m")],
            "12",
            "remove refresh",
        ),
        (
            vec![URL, ("settle", "${secret['v']}")],
            "1m",
            "the attribute settle",
        ),
        (
            vec![URL, ("fileName", "${pod.labels['v']}")],
            "x",
            "the pod has no such label",
        ),
    ] {
        let error = filled(&pairs, v).unwrap_err().to_string();
        assert!(error.contains(says), "{pairs:?}: {error}");
    }
    parse(&[url("https://example.com/${secret['v']}/ROOT%23%231.war")]).unwrap();
    parse(&[URL, ("fileName", "${secret['v']}##${swap}.war")]).unwrap();
}
