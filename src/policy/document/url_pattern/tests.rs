use proptest::prelude::*;

use super::*;

fn pattern(text: &str) -> UrlPattern {
    text.parse().unwrap_or_else(|e| panic!("{e}"))
}

fn fit(text: &str, url: &str) -> Fit {
    pattern(text).fit(&Url::parse(url).unwrap())
}

#[test]
fn a_pattern_fits_the_urls_that_begin_so() {
    for (text, url) in [
        ("https://h.example.com", "https://h.example.com/a/b?c"),
        ("https://h.example.com/", "https://h.example.com"),
        (
            "https://h.example.com/",
            "https://h.example.com/%2e%2e/%5c/%zz",
        ),
        ("https://h.example.com/a", "https://h.example.com/a"),
        ("https://h.example.com/a", "https://h.example.com/a/"),
        ("https://h.example.com/a", "https://h.example.com/a/b"),
        (
            "https://h.example.com/a/",
            "https://h.example.com/a/b?x=../..",
        ),
        ("https://h.example.com/a/", "https://h.example.com/a"),
        ("https://h.example.com/a", "https://h.example.com/%61/b"),
        ("https://h.example.com/%61", "https://h.example.com/a/b"),
        ("https://h.example.com/a", "https://h.example.com/x/../a/b"),
        (
            "https://h.example.com/a",
            "https://h.example.com/x/%2E./a/b",
        ),
        ("https://h.example.com/a b", "https://h.example.com/a b/c"),
        ("https://h.example.com/é", "https://h.example.com/%C3%A9/c"),
        (
            "https://h.example.com/a",
            "https://h.example.com/a/b%2Fc/d..e",
        ),
        (
            "https://h.example.com/a",
            "https://h.example.com/a/100%25.war",
        ),
        (
            "https://h.example.com/g%2Fp/x",
            "https://h.example.com/g%2fp/x/y",
        ),
        ("HTTPS://H.Example.COM/a", "https://h.example.com/a"),
        ("https://h.example.com:443/a", "https://h.example.com/a"),
        ("http://h.example.com/a", "http://h.example.com:80/a"),
        ("https://h.example.com:8443", "https://h.example.com:8443/a"),
        ("https://h.example.com", "https://H.EXAMPLE.com./a"),
        ("https://h.example.com.", "https://h.example.com/a"),
        ("https://*.example.com/", "https://a.example.com/x"),
        ("https://*.example.com/", "https://a.b.Example.com./x"),
        (
            "https://*.Bücher.example/",
            "https://a.xn--bcher-kva.example/x",
        ),
        ("http://10.0.0.1:8081/a", "http://10.0.0.1:8081/a/b"),
        ("http://10.0.0.1/", "http://0xa000001/"),
        ("http://[fd00::1]/a", "http://[fd00:0::1]/a"),
    ] {
        let text = text.replace("a b", "a%20b");
        assert_eq!(fit(&text, url), Fit::Yes, "{text} and {url}");
    }
}

#[test]
fn a_pattern_fits_no_others() {
    for (text, url) in [
        ("https://h.example.com/a", "https://h.example.com/ab"),
        ("https://h.example.com/a", "https://h.example.com/"),
        ("https://h.example.com/a", "https://h.example.com/A/b"),
        ("https://h.example.com/a/b", "https://h.example.com/a"),
        ("https://h.example.com/a/b", "https://h.example.com/a/bc"),
        ("https://h.example.com/a", "https://h.example.com//a/b"),
        ("https://h.example.com/a", "https://h.example.com/a/../b"),
        (
            "https://h.example.com/a",
            "https://h.example.com/a/%2e%2e/b",
        ),
        ("https://h.example.com/a", "https://h.example.com/a/.%2E/b"),
        ("https://h.example.com/a", "https://h.example.com/a\\..\\b"),
        ("https://h.example.com/a", "https://h.example.com/a%2Fb"),
        (
            "https://h.example.com/a",
            "https://h.example.com/a%2F..%2Fb",
        ),
        ("https://h.example.com/a", "https://h.example.com/a;x/b"),
        ("https://h.example.com/a", "https://h.example.com/a%00/b"),
        ("https://h.example.com/a/b", "https://h.example.com/a%2Fb"),
        ("https://h.example.com/a%2Fb", "https://h.example.com/a/b"),
        ("https://h.example.com/a%2561", "https://h.example.com/aa"),
        ("https://h.example.com/a", "https://h.example.com/%2561/b"),
        ("https://h.example.com", "http://h.example.com/"),
        ("http://h.example.com", "https://h.example.com/"),
        ("http://h.example.com", "https://h.example.com:80/"),
        ("https://h.example.com", "https://h.example.com:8443/"),
        ("https://h.example.com:8443", "https://h.example.com/"),
        (
            "https://h.example.com",
            "https://h.example.com.evil.example/",
        ),
        ("https://h.example.com", "https://xh.example.com/"),
        (
            "https://h.example.com",
            "https://h.example.com@evil.example/",
        ),
        ("https://h.example.com", "https://h.example.com../"),
        ("https://*.example.com/", "https://example.com/"),
        ("https://*.example.com/", "https://evilexample.com/"),
        ("https://*.example.com/", "https://.example.com/"),
        (
            "https://*.example.com/",
            "https://a.example.com.evil.example/",
        ),
        (
            "https://*.example.com/",
            "https://evil.example/a.example.com/",
        ),
        ("http://10.0.0.1/", "http://[::ffff:10.0.0.1]/"),
        ("http://*.1/", "http://10.0.0.1/"),
    ] {
        let Ok(parsed) = text.parse::<UrlPattern>() else {
            assert_eq!(text, "http://*.1/");
            continue;
        };
        let fit = parsed.fit(&Url::parse(url).unwrap());
        assert_eq!(fit, Fit::No, "{text} and {url}");
    }
}

#[test]
fn what_a_server_may_resolve_behind_the_prefix_is_ambiguous() {
    for path in [
        "..%2Fb",
        "x%2F..%2F..%2Fb",
        "%2e%2e%2fb",
        "%252e%252e/b",
        "%252e%252e%252fb",
        "%25252e%25252e/b",
        "..%5Cb",
        "..%255Cb",
        "x%5Cb",
        "..;/b",
        "..;a=b/b",
        "%2e%2e;/b",
        ".%3B/b",
        "x%00",
        "x%0d%0a",
        "%C0%AE%C0%AE/b",
        "%u002e%u002e/b",
        "%2",
        "x%",
        "%2525252525252e",
        "%25zz%2f%252e%252e",
    ] {
        let url = format!("https://h.example.com/a/{path}");
        assert_eq!(
            fit("https://h.example.com/a", &url),
            Fit::Ambiguous,
            "{url}"
        );
        // Where all of the host is allowed, a path leads nowhere else.
        assert_eq!(fit("https://h.example.com/", &url), Fit::Yes, "{url}");
    }
}

#[test]
fn texts_that_mean_the_same_are_equal() {
    for (a, b) in [
        ("https://H.example.com", "https://h.example.com:443/"),
        ("https://h.example.com/a", "https://h.example.com./%61/"),
        ("https://h.example.com/g%2Fp", "https://h.example.com/g%2fp"),
    ] {
        assert_eq!(pattern(a), pattern(b));
        assert_eq!(pattern(a).to_string(), pattern(b).to_string());
    }
    assert_ne!(
        pattern("https://h.example.com/a%2Fb").to_string(),
        pattern("https://h.example.com/a/b").to_string()
    );
}

#[test]
fn rejected_patterns_say_what_to_write() {
    for (bad, says) in [
        ("", "has no scheme"),
        (
            "repo.example.com/a",
            "has no scheme; use https://host/path/",
        ),
        ("//repo.example.com/a", "has no scheme"),
        ("*://repo.example.com/", "scheme is not supported"),
        ("ftp://repo.example.com/", "use https or http"),
        ("s3://bucket/", "use https or http"),
        ("maven:com.example.*", "the URL of the repository"),
        ("https://", "has no host"),
        ("https:///a", "has no host"),
        ("https://*./a", "has no host"),
        ("https://*/", "a * can only replace the first labels"),
        ("https://*", "a * can only"),
        ("https://*.*.example.com/", "a * can only"),
        ("https://a.*.example.com/", "a * can only"),
        ("https://*example.com/", "a * can only"),
        ("https://example.com/*", "a * can only"),
        ("https://*.", "is not a URL"),
        ("https://*.10.0.0.1/", "an address has no subdomains"),
        ("https://*.[::1]/", "an address has no subdomains"),
        ("https://example.com/a?b", "not supported"),
        ("https://example.com/#a", "not supported"),
        ("https://me@example.com/", "not supported"),
        ("https://example.com\\a", "not supported"),
        ("https://example.com/a b", "white space"),
        ("https://example.com:port/", "is not a URL"),
        ("https://example.com/a//b", "empty segments"),
        ("https://example.com//", "empty segments"),
        ("https://example.com/a/../b", "different ways"),
        ("https://example.com/a/%2e%2e/b", "different ways"),
        ("https://example.com/a/..%2f", "different ways"),
        ("https://example.com/a%5cb", "different ways"),
        ("https://example.com/%zz", "different ways"),
    ] {
        let why = bad.parse::<UrlPattern>().unwrap_err();
        assert!(why.contains(says), "{bad}: {why}");
    }
}

/// Where a server may look that decodes a path as often as it likes, takes backslashes for slashes, drops what is behind a
/// semicolon, merges slashes and then resolves dots.
fn sloppy(path: &str, decodings: usize) -> Vec<String> {
    let mut path = path.to_owned();
    for _ in 0..decodings {
        path = percent_decode_str(&path).decode_utf8_lossy().into_owned();
    }
    let mut place = Vec::new();
    for piece in path.split(['/', '\\']) {
        match piece.split(';').next().unwrap() {
            "" | "." => {}
            ".." => drop(place.pop()),
            name => place.push(name.to_owned()),
        }
    }
    place
}

const PIECES: [&str; 18] = [
    "/",
    "/",
    "/",
    "a",
    "b",
    "..",
    ".",
    "%2e",
    "%2E%2e",
    "%252e%252e",
    "%2f",
    "%252F",
    "%5c",
    "\\",
    ";",
    ";x=",
    "%25",
    "%zz",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn no_server_leaves_the_prefix(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 1..12)) {
        let url = format!("https://h.example.com/a/{}", pieces.concat());
        let url = Url::parse(&url).unwrap();
        if pattern("https://h.example.com/a").fit(&url) == Fit::Yes {
            for decodings in 0..6 {
                let place = sloppy(url.path(), decodings);
                prop_assert_eq!(place.first().map(String::as_str), Some("a"), "{} decoded {} times", url, decodings);
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,60}", path in ".{0,60}") {
        let _ = text.parse::<UrlPattern>();
        let _ = format!("https://*.example.com/{text}").parse::<UrlPattern>();
        if let Ok(url) = Url::parse(&format!("https://h.example.com/a/{path}")) {
            pattern("https://h.example.com/a/b").fit(&url);
        }
    }
}
