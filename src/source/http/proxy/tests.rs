use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<Proxies, Error> {
    Proxies::read(|name| {
        let found = pairs.iter().find(|(n, _)| *n == name);
        found.map(|(_, v)| OsString::from(v))
    })
}

fn of(pairs: &[(&str, &str)], url: &str) -> String {
    let proxies = read(pairs).unwrap();
    let proxy = proxies.of(&Url::parse(url).unwrap());
    proxy.map_or_else(|| "direct".to_owned(), |p| format!("{p:?}"))
}

#[test]
fn a_proxy_is_read_in_every_form() {
    for (value, shown) in [
        ("http://p.test:3128", "http://p.test:3128"),
        ("http://p.test:3128/", "http://p.test:3128"),
        ("p.test:3128", "http://p.test:3128"),
        ("p.test", "http://p.test:80"),
        ("http://p.test:80", "http://p.test:80"),
        ("http://p.test:443", "http://p.test:443"),
        ("HTTPS://p.test", "https://p.test:443"),
        ("https://p.test:80", "https://p.test:80"),
        ("socks5://p.test", "socks5://p.test:1080"),
        ("socks5h://10.0.0.1:80", "socks5h://10.0.0.1:80"),
        ("http://[::1]:3128", "http://[::1]:3128"),
        ("http://u:p@p.test:3128", "http://p.test:3128 with a login"),
    ] {
        let shown = format!("{shown} (http_proxy)");
        assert_eq!(of(&[("http_proxy", value)], "http://a.test/"), shown);
    }
}

#[test]
fn a_value_that_is_no_proxy_is_refused_by_the_name_of_its_variable() {
    for value in [
        "http://us er:canary@p.test",
        "http://u:canary@p.test\n",
        "http://u:canary#x@p.test:3128",
        "http://u:1/canary@p.test:3128",
        "http://u:1?canary@p.test:3128",
        "http://p.test/canary",
        "http://p.test:canary",
        "http://p.test:3128\\canary",
        "http://",
        "://canary",
        "ftp://canary.test",
        "socks4://canary.test",
        "socks5://canary@p.test",
        "http://canary%3Au:x@p.test",
        "http://%ffcanary:x@p.test",
        "http://169.254.169.254:80/",
    ] {
        for name in HTTP.iter().chain(&HTTPS) {
            let text = read(&[(name, value)]).unwrap_err().to_string();
            assert!(text.starts_with(&format!("{name}: ")), "{text}");
            assert!(text.contains("use [http"), "{text}");
            assert!(!text.contains("canary"), "{text}");
        }
    }
}

#[test]
fn small_letters_count_before_capitals_and_an_empty_variable_is_not_set() {
    let all = [
        ("http_proxy", "a.test"),
        ("HTTP_PROXY", "b.test"),
        ("HTTPS_PROXY", "c.test"),
        ("ALL_PROXY", "d.test"),
    ];
    for (pairs, http, https) in [
        (&all[..], "a.test", "c.test"),
        (&all[1..], "b.test", "c.test"),
        (&all[3..], "d.test", "d.test"),
        (
            &[("http_proxy", ""), all[1], ("https_proxy", ""), all[3]],
            "b.test",
            "d.test",
        ),
        (&[("http_proxy", ""), ("ALL_PROXY", "")], "direct", "direct"),
        (
            &[all[3], ("no_proxy", ""), ("NO_PROXY", "x.test")],
            "direct",
            "direct",
        ),
    ] {
        assert!(of(pairs, "http://x.test/").contains(http), "{pairs:?}");
        assert!(of(pairs, "https://x.test/").contains(https), "{pairs:?}");
    }
}

#[test]
fn a_login_is_decoded_and_never_printed() {
    let proxies = read(&[("all_proxy", "http://us%20er:c%40n%3Aary@p.test")]).unwrap();
    let proxy = proxies.of(&Url::parse("http://a.test/").unwrap()).unwrap();
    assert_eq!(proxy.login(), Some(("us er", "c@n:ary")));
    let expected = STANDARD.encode("us er:c@n:ary");
    assert_eq!(proxy.basic().unwrap(), format!("Basic {expected}").as_str());
    for text in [
        format!("{proxies}"),
        format!("{proxy} {proxy:?}"),
        format!("{:?}", proxy.basic()),
    ] {
        assert!(!text.contains("ary") && !text.contains(&expected), "{text}");
    }
}

#[test]
fn each_variable_is_part_of_the_trust_context() {
    let mut seen = std::collections::BTreeSet::new();
    seen.insert(read(&[]).unwrap().identity.to_vec());
    for name in HTTP.iter().chain(&HTTPS[..2]).chain(&EXCEPT) {
        let proxies = read(&[(name, "p.test")]).unwrap();
        assert!(seen.insert(proxies.identity.to_vec()), "{name}");
    }
}
