use proptest::prelude::*;

use super::super::Document;

/// What is said about a bad document.
fn error(bytes: impl AsRef<[u8]>) -> String {
    let error = Document::parse(bytes.as_ref()).map(|_| "read").unwrap_err();
    assert!(error.to_string().len() < 700, "{error}");
    error.to_string()
}

#[test]
fn a_file_that_says_nothing_is_the_default() {
    for text in [
        "",
        "\n\n",
        "# a comment\n",
        "---\n",
        "---\n...\n",
        "~",
        "{}",
        "\u{feff}",
        "\u{feff}# a comment\r\n",
        "preset: internal",
        "rules: []\nclaims: []",
    ] {
        let read = Document::parse(text.as_bytes());
        assert_eq!(read, Ok(Document::default()), "{text:?}");
    }
}

#[test]
fn the_form_of_the_file_makes_no_difference() {
    let text = "preset: listed\ncontact: x\nrules:\n- name: a\n  allow:\n    urls: [https://a.example.com]\n  maxSize: 1Gi\n";
    let read = Document::parse(text.as_bytes()).unwrap();
    for same in [
        text.replace('\n', "\r\n"),
        format!("\u{feff}{text}"),
        text.replace("[https://a.example.com]", "[\n    'https://a.example.com', # x\n    ]"),
        format!("---\n{text}...\n").replacen("---\n", "--- # x\n", 1),
        r#"{"preset":"listed","contact":"x",
            
            "rules":[{"name":"a","allow":{"urls":["HTTPS://a.example.com:443/"]},"maxSize":1073741824}]}"#
            .to_owned(),
    ] {
        let other = Document::parse(same.as_bytes()).unwrap_or_else(|e| panic!("{e}: {same}"));
        // The same but for the lines.
        let mut other = other;
        other.rules[0].line = read.rules[0].line;
        assert_eq!(other, read, "{same}");
    }
}

#[test]
fn a_bad_value_is_named_with_its_place_and_what_to_write() {
    for (text, says) in [
        (
            "[]",
            "line 1, column 1: is a list; it must be a mapping of keys to values",
        ),
        (
            "internal",
            "line 1, column 1: is text; it must be a mapping",
        ),
        (
            "\npreset: intern",
            r#"line 2, column 9: preset: "intern" is unknown (did you mean internal?); use internal, listed, open"#,
        ),
        ("preset:", "preset: has no value; it must be text"),
        (
            "preset: 1",
            r#"preset: is a number or a boolean in YAML; quote it: "1""#,
        ),
        (
            "rule: []",
            "line 1, column 1: rule: unknown key (did you mean rules?); the keys are preset, contact, rules, claims",
        ),
        ("Preset: open", "Preset: unknown key (did you mean preset?)"),
        ("xyz: 1", "xyz: unknown key; the keys are"),
        ("\"a\\nb\": 1", r#"line 1, column 1: "a\nb": unknown key"#),
        ("1: 1", "1: unknown key"),
        ("contact: ''", "contact: is empty"),
        ("contact: \"a\\nb\"", "contact: contains a line break"),
        (
            &format!("contact: {}", "x".repeat(201)),
            "contact: has more than 200 characters",
        ),
        ("rules: {}", "rules: is a mapping; it must be a list"),
        ("rules:", "rules: has no value; it must be a list"),
        ("rules: [a]", "rules[0]: is text; it must be a mapping"),
        (
            "rules:\n- deny: x",
            "line 2, column 3: rules[0]: has no name; add one",
        ),
        ("rules: [{name: }]", "rules[0].name: has no value"),
        (
            "rules: [{name: yes, deny: true}]",
            "rules[0].deny: is a number or a boolean",
        ),
        (
            "rules:\n- name: a\n- {name: b}\n- name: a",
            r#"line 4, column 9: rules[2].name: the rule in line 2 has the same name, "a"; rename one"#,
        ),
        (
            "rules:\n- name: a\n  storageClasses: [x]",
            "line 3, column 3: rules[0].storageClasses: is for rules below claims",
        ),
        (
            "rules: [{name: a, namespace: [x]}]",
            "rules[0].namespace: unknown key (did you mean namespaces?)",
        ),
        (
            "rules: [{name: a, allow: {url: [x]}}]",
            "rules[0].allow.url: unknown key (did you mean urls?)",
        ),
        (
            "rules: [{name: a, allow: {plainHttp: true}}]",
            "did you mean plainHTTP?",
        ),
        (
            "rules: [{name: a, namespaces: x}]",
            "rules[0].namespaces: is text; it must be a list",
        ),
        (
            "rules: [{name: a, namespaces: []}]",
            "rules[0].namespaces: is empty; remove namespaces to match all",
        ),
        (
            "rules: [{name: a, namespaces: [x, 12]}]",
            r#"rules[0].namespaces[1]: is a number or a boolean in YAML; quote it: "12""#,
        ),
        (
            "rules: [{name: a, namespaces: [A]}]",
            "rules[0].namespaces[0]: \"A\": no name can match",
        ),
        (
            "claims: [{name: a, storageClasses: []}]",
            "claims[0].storageClasses: is empty",
        ),
        (
            "rules: [{name: a, namespaceLabels: {}}]",
            "rules[0].namespaceLabels: is empty",
        ),
        (
            "rules: [{name: a, namespaceLabels: {a: 1}}]",
            "rules[0].namespaceLabels.a: is a number",
        ),
        (
            "rules: [{name: a, namespaceLabels: {a: }}]",
            "rules[0].namespaceLabels.a: has no value",
        ),
        (
            "rules: [{name: a, deny: x, maxSize: 1Gi}]",
            "rules[0].maxSize: has no effect beside deny; remove one",
        ),
        (
            "rules: [{name: a, deny: x, allow: {}}]",
            "rules[0].allow: has no effect beside deny",
        ),
        ("rules: [{name: a, deny: }]", "rules[0].deny: has no value"),
        (
            "rules: [{name: a, allow: }]",
            "rules[0].allow: has no value",
        ),
        (
            "rules: [{name: a, allow: {urls: }}]",
            "rules[0].allow.urls: has no value; it must be a list",
        ),
        (
            "rules: [{name: a, allow: {urls: []}}]",
            "rules[0].allow.urls: is empty; remove urls to allow any",
        ),
        (
            "rules: [{name: a, allow: {urls: [repo.example.com]}}]",
            "rules[0].allow.urls[0]: \"repo.example.com\": has no scheme",
        ),
        (
            "rules: [{name: a, allow: {urls: ['http://example.com'], plainHTTP: false}}]",
            "rules[0].allow.plainHTTP: is false, but one of the urls begins with http://",
        ),
        (
            "rules: [{name: a, allow: {urls: ['https://example.com'], plainHTTP: true}}]",
            "rules[0].allow.plainHTTP: is true, but none of the urls",
        ),
        (
            "rules: [{name: a, allow: {plainHTTP: 'true'}}]",
            "plainHTTP: is text; it must be true or false, without quotes",
        ),
        (
            "rules: [{name: a, allow: {plainHTTP: yes}}]",
            "it must be true or false",
        ),
        (
            "rules: [{name: a, allow: {plainHTTP: 1}}]",
            "it must be true or false",
        ),
        (
            "rules: [{name: a, allow: {addresses: [10.0.0.0/40]}}]",
            "rules[0].allow.addresses[0]: \"10.0.0.0/40\" is not a network",
        ),
        (
            "rules: [{name: a, allow: {addresses: [169.254.169.254]}}]",
            "no policy can allow",
        ),
        (
            "rules: [{name: a, require: checksums}]",
            "rules[0].require: \"checksums\" is unknown (did you mean checksum?); use nothing, checksum, signature",
        ),
        (
            "rules: [{name: a, maxSize: big}]",
            "rules[0].maxSize: \"big\": not a size",
        ),
        ("rules: [{name: a, maxSize: 0}]", "not a size"),
        ("rules: [{name: a, maxSize: -1}]", "not a size"),
        (
            "rules: [{name: a, cacheSize: [1]}]",
            "rules[0].cacheSize: is a list; it must be a size",
        ),
        (
            "rules: [{name: a, credentials: nexus}]",
            "rules[0].credentials: is text; it must be a list",
        ),
    ] {
        let said = error(text);
        assert!(said.contains(says), "{text}:\n{said}\n{says}");
    }
}

#[test]
fn what_is_not_yaml_or_more_than_json_is_named_with_its_place() {
    for (text, says) in [
        (
            "preset: open\npreset: listed",
            r#"line 2, column 1: "preset": the same key is in line 1; keep one"#,
        ),
        ("rules: [{name: a, 'name': b}]", "the same key is in line 1"),
        ("{\"a\": 1, \"\\u0061\": 2}", "the same key"),
        (
            "preset: open\n---\npreset: listed",
            "line 2, column 1: a second document begins here",
        ),
        ("---\n---\n", "a second document"),
        ("preset: open\n...\npreset: listed", "a second document"),
        ("rules:\n\t- name: a", "line 2, column "),
        ("rules:\n- name: a\n\tdeny: x", "is not YAML"),
        ("rules: [", "is not YAML"),
        ("rules: ]", "is not YAML"),
        ("preset: \"open", "is not YAML"),
        ("a: b: c", "is not YAML"),
        ("%YAML 1.2\n---\npreset: open", "is not YAML"),
        ("preset: *x", "is not YAML"),
        (
            "contact: &x y\npreset: *x",
            "line 2, column 9: aliases (*…) are not supported; repeat the value",
        ),
        ("contact: &x y\n*x : 1", "aliases (*…) are not supported"),
        ("<<: {preset: open}", r#""<<": unknown key"#),
        ("preset: !!str open", "tags (!…) are not supported"),
        ("rules: !x []", "tags (!…) are not supported"),
        ("? [a]\n: b", "a key must be a word"),
        ("? {a: b}\n: c", "a key must be a word"),
        (": b", "a key must be a word"),
        ("preset: open\u{0}", "is not YAML"),
    ] {
        let said = error(text);
        assert!(said.contains(says), "{text:?}:\n{said}\n{says}");
    }
    assert!(error(b"preset: open\n\xff").contains("is not UTF-8 in line 2"));
    assert!(error(b"\xff\xfep\0r\0e\0").contains("is not UTF-8 in line 1"));
}

#[test]
fn hostile_files_end_soon() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..40 {
        let aliases = format!("*a{}, ", i - 1).repeat(9);
        bomb += &format!("a{i}: &a{i} [{aliases}]\n");
    }
    let many = |text: &str| text.repeat(((1 << 20) - 200) / text.len());
    for (text, says) in [
        ("x".repeat((1 << 20) + 1), "is larger than 1.0 MiB"),
        (bomb, "line 2, column 10: aliases (*…) are not supported"),
        (
            "[".repeat(100_000),
            "more than 16 lists and mappings are inside of each other",
        ),
        ("{a: ".repeat(100_000), "more than 16"),
        ("- ".repeat(100_000), "more than 16"),
        ("[".repeat(17) + &"]".repeat(17), "more than 16"),
        (
            (0..1000)
                .map(|i| format!("{}a:\n", " ".repeat(i)))
                .collect(),
            "more than 16",
        ),
        (
            format!("rules: [{}]", many("{}, ")),
            "rules[0]: has no name",
        ),
        (format!("rules: [{}]", many("a,")), "rules[0]: is text"),
        (many("# x\n") + "preset: x", "preset: \"x\" is unknown"),
        (
            format!("contact: '{}'", many("x")),
            "more than 200 characters",
        ),
        (format!("{}: 1", "k".repeat(2000)), "is not YAML"),
        (format!("? {}\n: 1", many("k")), "unknown key; the keys are"),
        (many("? a\n"), "the same key"),
        (
            format!("rules: [{{name: a, namespaces: ['{}']}}]", many("*")),
            "more than 253",
        ),
        (
            format!(
                "rules: [{{name: a, allow: {{urls: ['https://{}']}}}}]",
                many("a.")
            ),
            "has more than 8192 bytes",
        ),
        (
            format!("rules: [{{name: a, maxSize: {}}}]", many("9")),
            "not a size",
        ),
    ] {
        let began = std::time::Instant::now();
        let said = error(&text);
        let start: String = text.chars().take(40).collect();
        assert!(said.contains(says), "{start}: {said}");
        let took = began.elapsed();
        assert!(took.as_secs() < 5, "{start}: {took:?}");
    }
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(
        words in prop::collection::vec(prop::sample::select(&WORDS[..]), 0..40),
        noise in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let _ = Document::parse(words.concat().as_bytes());
        let _ = Document::parse(&noise);
    }
}

const WORDS: [&str; 32] = [
    "preset", "rules", "claims", "name", "allow", "urls", "deny", "require", "maxSize", ": ", ": ",
    "\n", "\n", "\n  ", "- ", "- ", "[", "]", "{", "}", ", ", "'", "\"", "|", ">", "&a ", "*a",
    "!t ", "? ", "---\n", "\t", "1Gi",
];
