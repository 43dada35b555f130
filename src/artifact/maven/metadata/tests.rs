use super::*;

/// Metadata with this in its `<versioning>`.
fn document(versioning: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata modelVersion=\"1.1.0\">\n  <groupId>g</groupId>\n  \
         <versioning>{versioning}</versioning>\n</metadata>\n"
    )
}

fn metadata(versioning: &str) -> Metadata {
    Metadata::read(document(versioning).as_bytes()).unwrap_or_else(|e| panic!("{versioning}: {e}"))
}

fn text(version: Result<Version, Error>) -> String {
    version.map_or_else(|e| format!("error: {e}"), |version| version.to_string())
}

#[test]
fn latest_and_release_are_what_the_repository_names_and_nothing_computed() {
    let list = "<versions><version>1</version><version>2</version></versions>";
    let none = "error: does not say which version is";
    for (versioning, latest, release) in [
        ("<latest>3</latest><release>2</release>", "3", "2"),
        ("<release> 2\n</release>", "2", "2"),
        ("<latest> </latest><release>2</release>", "2", "2"),
        ("<latest><!-- x -->3</latest>", "3", none),
        ("<latest><![CDATA[3]]></latest>", "3", none),
        ("<latest>1.0-SNAPSHOT</latest>", "1.0-SNAPSHOT", none),
        ("<bar><latest>8</latest></bar>", none, none),
        (list, none, none),
        ("", none, none),
    ] {
        let metadata = metadata(versioning);
        assert!(text(metadata.latest()).starts_with(latest), "{versioning}");
        assert!(
            text(metadata.release()).starts_with(release),
            "{versioning}"
        );
    }
    let none = Metadata::read(b"<metadata/>").unwrap();
    let says = text(none.latest());
    assert!(says.contains("it has no version); use a version"), "{says}");
    let says = text(metadata(list).latest());
    assert!(
        says.contains("(it has the last one listed: \"2\")"),
        "{says}"
    );
    let says = text(metadata("<latest>3-SNAPSHOT</latest>").release());
    assert!(says.contains("latest: \"3-SNAPSHOT\")"), "{says}");
}

#[test]
fn a_snapshot_is_what_maven_makes_of_it() {
    let entry = |inside: &str| format!("<snapshotVersion>{inside}</snapshotVersion>");
    let of = |extension: &str, value: &str, updated: &str| {
        entry(&format!(
            "<extension>{extension}</extension><value>{value}</value><updated>{updated}</updated>"
        ))
    };
    let classified = |classifier: &str| {
        let rest = "<extension>war</extension><value>1-c</value>";
        entry(&format!("<classifier>{classifier}</classifier>{rest}"))
    };
    let list = |entries: &[&String]| {
        let entries: String = entries.iter().map(|entry| entry.as_str()).collect();
        format!("<snapshotVersions>{entries}</snapshotVersions>")
    };
    let snapshot = |time: &str, number: &str, more: &str| {
        format!(
            "<snapshot>{more}<timestamp>{time}</timestamp><buildNumber>{number}</buildNumber></snapshot>"
        )
    };
    let (old, new, pom) = (
        of("war", "1-o", "1"),
        of("war", "1-n", "2"),
        of("pom", "1-p", "3"),
    );
    let (undated, other) = (of("war", "1-u", ""), of("war", "1-v", ""));
    let valueless = entry("<extension>war</extension>");
    let (none, main, tests) = (classified(""), classified(" "), classified("tests"));
    let built = snapshot("20260131.120000", "9", "");
    let local = "<localCopy>true</localCopy>";

    let literal = "1-SNAPSHOT";
    for (classifier, versioning, version) in [
        ("", String::new(), literal),
        ("", built.clone(), "1-20260131.120000-9"),
        (":tests", built.clone(), "1-20260131.120000-9"),
        // An empty list is none; in any other, only the file's own entry counts.
        ("", format!("{built}{}", list(&[])), "1-20260131.120000-9"),
        ("", format!("{built}{}", list(&[&pom])), literal),
        ("", format!("{built}{}", list(&[&valueless])), literal),
        ("", format!("{built}{}", list(&[&old, &pom])), "1-o"),
        ("", list(&[&old, &new]), "1-n"),
        ("", list(&[&new, &old]), "1-n"),
        ("", list(&[&undated, &other]), "1-u"),
        ("", list(&[&undated, &old]), "1-o"),
        ("", list(&[&none]), "1-c"),
        ("", list(&[&main]), "1-c"),
        ("", list(&[&tests]), literal),
        (":tests", list(&[&tests, &new]), "1-c"),
        (":tests", list(&[&new]), literal),
        // A local copy has no time; where there is one, Maven takes it.
        ("", format!("<snapshot>{local}</snapshot>"), literal),
        ("", snapshot("5", "3", local), "1-5-3"),
        ("", snapshot("", "3", ""), literal),
        ("", snapshot("5", "", ""), literal),
        ("", snapshot("5", "0", ""), literal),
        ("", snapshot("5", "x", ""), literal),
        ("", snapshot(" 5 ", " 007 ", ""), "1-5-7"),
    ] {
        let file = format!("maven:g:a:1-SNAPSHOT:war{classifier}");
        let file: Coordinates = file.parse().unwrap();
        let found = metadata(&versioning).snapshot(file.version(), &file);
        assert_eq!(text(found), version, "{classifier} {versioning}");
    }
}

#[test]
fn a_version_of_the_metadata_is_checked_like_any_other() {
    let file: Coordinates = "maven:g:a:1-SNAPSHOT".parse().unwrap();
    for bad in ["/../../x", "a/b", "a\\b", "1 0", "a&#9;b", "[1,2)"] {
        let built = format!("<timestamp>{bad}</timestamp><buildNumber>1</buildNumber>");
        let listed = format!("<extension>jar</extension><value>{bad}</value>");
        let listed = format!("<snapshotVersion>{listed}</snapshotVersion>");
        let snapshot = |inside| metadata(inside).snapshot(file.version(), &file);
        for found in [
            metadata(&format!("<latest>{bad}</latest>")).latest(),
            metadata(&format!("<release>{bad}</release>")).release(),
            snapshot(&format!("<snapshot>{built}</snapshot>")),
            snapshot(&format!("<snapshotVersions>{listed}</snapshotVersions>")),
        ] {
            let text = text(found);
            assert!(
                text.contains("names a version that cannot be used"),
                "{text}"
            );
        }
    }
    assert!(metadata("<latest>..</latest>").latest().is_err());
}

#[test]
fn what_is_not_metadata_says_what_it_is() {
    let entity = "<!DOCTYPE metadata [<!ENTITY e 'x'>]><metadata><a>&e;</a></metadata>";
    let cases: [(&[u8], &str); 17] = [
        (b"", "is empty"),
        (b" \r\n", "is empty"),
        ("\u{feff}".as_bytes(), "is empty"),
        (b"<!DOCTYPE html>\n<html><br></html>", "is an HTML page"),
        (b"\n<!doctype HTML><p>", "is an HTML page"),
        (b"<HTML lang=en>", "is an HTML page"),
        (
            b"<project><version>1</version></project>",
            "root element is \"project\"",
        ),
        (
            b"<m:metadata xmlns:m='x'><m/></m:metadata><x/>",
            "is not XML",
        ),
        (b"{\"errors\": []}", "is not XML"),
        (b"<metadata><versioning>", "is not XML"),
        (entity.as_bytes(), "has a DTD"),
        (b"<metadata><a>&e;</a></metadata>", "entity"),
        (b"\xff\xfe<\0m\0", "is not UTF-8"),
        (b"<metadata>\xe9</metadata>", "is not UTF-8"),
        (
            b"<metadata><versioning/><versioning/></metadata>",
            "more than one <versioning>",
        ),
        (
            b"<metadata><versioning><latest>1</latest><latest>2</latest></versioning></metadata>",
            "more than one <latest>",
        ),
        (
            b"<metadata><versioning><latest>1<b/></latest></versioning></metadata>",
            "an element in <latest>",
        ),
    ];
    for (bytes, says) in cases {
        let text = Metadata::read(bytes).unwrap_err().to_string();
        assert!(text.contains(says), "{says}: {text}");
        assert!(
            text.contains("check that the URL of the repository"),
            "{text}"
        );
        assert!(text.len() < 400, "{text}");
    }
}

#[test]
fn what_maven_reads_is_read() {
    for good in [
        "\u{feff}<metadata><versioning><latest>3</latest></versioning></metadata>",
        "\n<?xml version='1.0'?>\n<metadata><versioning><latest>3</latest></versioning></metadata>\n<!-- end -->",
        "<metadata xmlns='urn:example:metadata'><foo><latest>8</latest></foo><versioning><bar/>\
         <latest>3</latest></versioning></metadata>",
    ] {
        let metadata = Metadata::read(good.as_bytes()).unwrap();
        assert_eq!(text(metadata.latest()), "3", "{good}");
    }
}

#[test]
fn hostile_metadata_ends_soon() {
    let size = LONGEST - 200;
    let many = |piece: &str| piece.repeat(size / piece.len());
    let attributes: String = (0..60_000).map(|n| format!(" a{n}=''")).collect();
    let namespaces: String = (0..40_000)
        .map(|n| format!("<a xmlns:n{n}='{n}'>"))
        .collect();
    for (hostile, says) in [
        ("x".repeat(LONGEST + 1), "at most 1048576 are read"),
        (many("<a>"), "nodes limit"),
        (
            format!("<metadata>{}</metadata>", many("<a/>")),
            "nodes limit",
        ),
        (
            format!("<metadata{attributes}/>"),
            "attributes or equals signs",
        ),
        (namespaces, "attributes or equals signs"),
    ] {
        let text = Metadata::read(hostile.as_bytes()).unwrap_err().to_string();
        assert!(text.contains(says), "{says}: {text}");
    }
    // As long as it may be, and real.
    let versions = many("<version>1.0.1234567890</version>\n");
    let long = document(&format!("<versions>{versions}</versions>"));
    assert!(
        Metadata::read(long[..].as_bytes()).is_ok(),
        "{}",
        long.len()
    );
}
