//! What a repository says and must not be believed, and coordinates that name nothing.

use war_vol::fault::Fault;

use super::*;

#[test]
fn a_wrong_checksum_is_named_and_another_one_can_be_chosen() {
    let scene = Scene::new();
    scene.deploy(RELEASE, 1, &["sha512", "sha256", "sha1"]);
    scene.put(&format!("{RELEASE}.sha512"), "0".repeat(128));
    let (fault, words) = failed(scene.node.publish(&scene.release("one")));
    assert_eq!(fault, Fault::Mismatch, "{words}");
    let from = format!("(from {}.sha512)", scene.origin.url(&at(RELEASE)));
    assert!(
        words.contains(&from) && words.contains("sidecar:sha256 or sidecar:sha1"),
        "{words}"
    );
    assert!(scene.sandbox.bucket("blobs").is_empty());
    for function in ["sha256", "sha1"] {
        let chosen = scene
            .release(function)
            .with("checksum", &format!("sidecar:{function}"));
        scene.node.publish(&chosen).unwrap();
        scene.shows(function, "sample-2.0.war", 1);
    }
    // One chose for itself, and not for the others.
    let (fault, words) = failed(scene.node.publish(&scene.release("two")));
    assert_eq!(fault, Fault::Mismatch, "{words}");
    // A wrong SHA-1 is as wrong.
    scene.deploy("2.1/sample-2.1.war", 2, &["sha1"]);
    scene.put("2.1/sample-2.1.war.sha1", "0".repeat(40));
    let weak = scene.request("weak", "maven:com.example:sample:2.1:war");
    let (fault, words) = failed(scene.node.publish(&weak));
    assert_eq!(fault, Fault::Mismatch, "{words}");
    let expected = format!("expected sha1:{} (from ", "0".repeat(40));
    assert!(
        words.contains(&expected) && words.contains("got sha1:"),
        "{words}"
    );
}

#[test]
fn what_is_no_checksum_and_no_metadata_is_refused_and_never_passed_over() {
    let scene = Scene::new();
    scene.deploy_build(1, 1);
    let page = "<!DOCTYPE html><form>Sign in</form>";
    scene.put(&format!("{}.sha512", build(1)), page);
    let (fault, words) = failed(scene.node.publish(&scene.request("sidecar", SNAPSHOT)));
    assert_eq!(fault, Fault::NotFound, "{words}");
    assert!(
        words.contains(".sha512: the checksum beside the file is a page of HTML"),
        "{words}"
    );
    scene.put(BUILDS, page);
    let (fault, words) = failed(scene.node.publish(&scene.request("metadata", SNAPSHOT)));
    assert_eq!(fault, Fault::NotFound, "{words}");
    assert!(
        words.contains(SNAPSHOT) && words.contains("is an HTML page, not Maven metadata"),
        "{words}"
    );
    scene.put(BUILDS, vec![b' '; 2 << 20]);
    let (_, words) = failed(scene.node.publish(&scene.request("long", SNAPSHOT)));
    assert!(words.contains("at most 1048576 are read"), "{words}");
    let latest = scene.request("latest", "maven:com.example:other:LATEST:war");
    let (fault, words) = failed(scene.node.publish(&latest));
    assert_eq!(fault, Fault::NotFound, "{words}");
    assert!(
        words.contains("other/maven-metadata.xml does not exist"),
        "{words}"
    );
    assert_eq!(
        scene.origin.gets(&at(RELEASE)) + scene.origin.gets(&at(&build(1))),
        0
    );
}

#[test]
fn a_no_of_the_repository_is_no_missing_file() {
    for (path, status, expected) in [
        (BUILDS, 401, Fault::Unauthenticated),
        (BUILDS, 403, Fault::Denied),
        ("2.0/sample-2.0.war.sha512", 403, Fault::Denied),
    ] {
        let scene = Scene::new();
        scene.deploy(RELEASE, 1, &["sha512", "sha256"]);
        scene.deploy_build(1, 1);
        let no = Behaviour::Refused { status };
        scene.origin.behave(&at(path), vec![no.always()]);
        let request = match path {
            BUILDS => scene.request("pod", SNAPSHOT),
            _ => scene.release("pod"),
        };
        let (fault, words) = failed(scene.node.publish(&request));
        assert_eq!(fault, expected, "{words}");
        assert!(words.contains(path), "{words}");
        failed(scene.node.publish(&request));
        assert_eq!(scene.origin.log().len(), 1, "asked again at once");
    }
}

/// Somebody may have had it without its checksum, which it may never have had.
#[test]
fn a_copy_that_a_url_gave_is_none_of_coordinates_and_a_pin_needs_no_other_checksum() {
    let scene = Scene::new();
    scene.deploy(RELEASE, 1, &["sha512"]);
    let plain = scene.node.request("plain", &scene.origin.url(&at(RELEASE)));
    scene.node.publish(&plain).unwrap();
    let (fault, words) = failed(
        scene
            .node
            .publish(&scene.release("never").with("pullPolicy", "Never")),
    );
    assert_eq!(fault, Fault::NotFound, "{words}");
    let wrong = scene.release("wrong").pinned(&digest(&bytes(2, LENGTH)));
    let (fault, words) = failed(scene.node.publish(&wrong));
    assert_eq!(fault, Fault::Mismatch, "{words}");
    let right = scene.release("right").pinned(&digest(&bytes(1, LENGTH)));
    scene.node.publish(&right).unwrap();
    assert_eq!(scene.origin.gets(&at(&format!("{RELEASE}.sha512"))), 0);
}

#[test]
fn attributes_that_do_not_fit_say_what_does() {
    let scene = Scene::new();
    let coordinates = "maven:com.example:sample:2.0:war";
    let node = &scene.node;
    for (n, (request, says)) in [
        (
            node.request("0", coordinates),
            "downloadURL: Maven coordinates need the URL of a repository; set repository",
        ),
        (
            node.request("1", "https://example.com/a.war")
                .with("repository", "https://example.com"),
            "repository: it is only for Maven coordinates",
        ),
        (
            node.request("2", coordinates)
                .with("repository", "https://${secret['host']}"),
            "repository: variables are not allowed here",
        ),
        (
            node.request("3", coordinates)
                .with("repository", "repo.example.com"),
            "repository: \"repo.example.com\" is not a URL",
        ),
        (
            scene.request("4", "maven:com.example:sample"),
            "has too few parts",
        ),
        (
            scene.request("5", "maven:com.example:sample:[1,2)"),
            "is a range of versions",
        ),
        (
            scene.request("6", "maven:com.example:../sample:1"),
            "may have only letters",
        ),
        (
            scene
                .request("7", coordinates)
                .with("checksum", "sidecar:md5"),
            "use sha512, sha256 or sha1",
        ),
        (
            scene
                .request("8", coordinates)
                .with("checksum", "ab".repeat(20).as_str()),
            "SHA-1, which can be forged",
        ),
        (
            node.request("9", "https://example.com/a.war")
                .with("checksum", "sidecar:sha1"),
            "sidecar: is for Maven coordinates",
        ),
        (
            scene.versioned("10", "2:0"),
            "the value of a variable has a colon",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let (fault, words) = failed(node.publish(&request));
        assert_eq!(fault, Fault::Invalid, "{n}: {words}");
        assert!(words.contains(says), "{n}: {words}");
    }
    assert!(scene.origin.log().is_empty());
    // Whose checksum a file has may be another one later.
    let chosen = scene.versioned("12", "2.0").with("refresh", "1m");
    let chosen = chosen.with("checksum", "sidecar:sha1");
    scene.deploy(RELEASE, 1, &["sha1"]);
    node.publish(&chosen).unwrap();
    // A version may come from a variable.
    scene.deploy(RELEASE, 1, &["sha1"]);
    node.publish(&scene.versioned("11", "2.0")).unwrap();
    scene.shows("11", "sample-2.0.war", 1);
}
