//! docs/troubleshooting.md gives advice, and it is followed here: what was refused with the words of the page is taken
//! once it is mended as the page says. What needs a real kubelet is in tests/e2e/cases.

mod claims;
mod node;

use tonic::Code;
use war_vol::csi::proto::volume_capability::access_mode::Mode;
use war_vol::csi::proto::volume_capability::{AccessType, BlockVolume, MountVolume};

use super::Call;
use super::provision::refused;
use super::scene::Scene;
use crate::node::{bytes, digest};
use crate::origin::{Behaviour, Object, Spell, Times};

/// Refused with this code and these words; and what the advice makes of it is shown.
fn helps(scene: &Scene, code: Code, says: &str, wrong: &Call, right: &Call) {
    let words = refused(scene.driver.publish(wrong), code);
    assert!(words.contains(says), "{says:?} is not in {words}");
    scene
        .driver
        .publish(right)
        .unwrap_or_else(|(_, words)| panic!("{says}: the advice does not help: {words}"));
    assert_eq!(crate::node::mounts_at(&right.target()).len(), 1, "{says}");
    scene.driver.unpublish(right).unwrap();
}

/// Of an inline volume, as they are written.
type Attributes<'a> = &'a [(&'a str, &'a str)];

#[test]
fn a_wrong_attribute_is_taken_once_it_is_mended() {
    let scene = Scene::new();
    let path = scene.url.rsplit_once('/').unwrap().0.to_owned();
    let at = |rest: &str| format!("{path}{rest}");
    let put = |name: &str| scene.origin.put(name, Object::new(bytes(51, 300_000)));
    for name in ["/dir/", "/two%20words.war"] {
        put(name);
    }
    let pin = digest(&scene.content);
    let user = scene.url.replace("http://", "http://u:p@");
    let (url, dir, spaced, coded) = (
        scene.url.as_str(),
        at("/dir/"),
        at("/two words.war"),
        at("/two%20words.war"),
    );
    let fragment = at("/a.war#part");
    let schemeless = url.trim_start_matches("http://");
    let ftp = url.replace("http://", "ftp://");
    let cases: [(&str, Attributes<'_>, Attributes<'_>); 18] = [
        ("downloadURL is missing", &[], &[("downloadURL", url)]),
        (
            "did you mean checksum?",
            &[("downloadURL", url), ("chekcsum", &pin)],
            &[("downloadURL", url), ("checksum", &pin)],
        ),
        (
            "is not supported yet; remove it",
            &[("downloadURL", url), ("unpack", "auto")],
            &[("downloadURL", url)],
        ),
        (
            "is reserved for Kubernetes and cannot be set in an inline volume; remove it",
            &[("downloadURL", url), ("csi.storage.k8s.io/pvc/name", "x")],
            &[("downloadURL", url)],
        ),
        (
            "not a URL",
            &[("downloadURL", "//")],
            &[("downloadURL", url)],
        ),
        (
            "URL",
            &[("downloadURL", schemeless)],
            &[("downloadURL", url)],
        ),
        (
            "the scheme",
            &[("downloadURL", &ftp)],
            &[("downloadURL", url)],
        ),
        (
            "contains a user or password",
            &[("downloadURL", &user)],
            &[("downloadURL", url)],
        ),
        (
            "has a fragment",
            &[("downloadURL", &fragment)],
            &[("downloadURL", url)],
        ),
        (
            "ends without a file name; set fileName",
            &[("downloadURL", &dir)],
            &[("downloadURL", &dir), ("fileName", "a.war")],
        ),
        (
            "contains white space or control characters",
            &[("downloadURL", &spaced)],
            &[("downloadURL", &coded)],
        ),
        (
            "no algorithm before a colon",
            &[("downloadURL", url), ("checksum", "latest")],
            &[("downloadURL", url), ("checksum", &pin)],
        ),
        (
            "unknown algorithm",
            &[
                ("downloadURL", url),
                ("checksum", "md5:d41d8cd98f00b204e9800998ecf8427e"),
            ],
            &[("downloadURL", url), ("checksum", &pin)],
        ),
        (
            "not hexadecimal digits",
            &[
                ("downloadURL", url),
                (
                    "checksum",
                    "sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
                ),
            ],
            &[("downloadURL", url), ("checksum", &pin)],
        ),
        (
            "not a size",
            &[("downloadURL", url), ("maxSize", "much")],
            &[("downloadURL", url), ("maxSize", "2Gi")],
        ),
        (
            "a single file name",
            &[("downloadURL", url), ("fileName", "apps/ROOT.war")],
            &[
                ("downloadURL", url),
                ("fileName", "ROOT.war"),
                ("path", "apps"),
            ],
        ),
        (
            "a relative path of at most",
            &[("downloadURL", url), ("path", "/apps")],
            &[("downloadURL", url), ("path", "apps")],
        ),
        (
            "a relative path of at most",
            &[("downloadURL", url), ("path", "../apps")],
            &[("downloadURL", url), ("path", "apps")],
        ),
    ];
    let blank = |pairs: &[(&str, &str)]| {
        let mut call = scene.driver.inline("pod", url);
        call.request.volume_context.remove("downloadURL");
        call.context(pairs)
    };
    for (says, wrong, right) in cases {
        let (wrong, right) = (blank(wrong), blank(right));
        helps(&scene, Code::InvalidArgument, says, &wrong, &right);
    }
    scene.nothing_left();
}

#[test]
fn a_wrong_use_of_a_volume_is_taken_once_it_is_mended() {
    let scene = Scene::new();
    let inline = || scene.driver.inline("pod", &scene.url);
    let claimed = |mode| scene.driver.claim("pod", &scene.url, mode);
    let ask = || claimed(Mode::SingleNodeMultiWriter);
    let mut block = ask();
    if let Some(capability) = &mut block.request.volume_capability {
        capability.access_type = Some(AccessType::Block(BlockVolume {}));
    }
    let flags = |flags: &[&str]| {
        let flags = flags.iter().map(|f| (*f).to_owned()).collect();
        ask().mounted(move |m: &mut MountVolume| m.mount_flags = flags)
    };
    let group = |group: &str| {
        let group = group.to_owned();
        inline().mounted(move |m: &mut MountVolume| m.volume_mount_group = group)
    };
    let copy = || ask().context(&[("layout", "copy")]);
    let cases = [
        ("set volumeMode: Filesystem", block, ask()),
        (
            "ReadWriteOnce, ReadWriteOncePod or ReadOnlyMany",
            claimed(Mode::MultiNodeMultiWriter),
            claimed(Mode::MultiNodeReaderOnly),
        ),
        (
            "is not supported; supported options",
            flags(&["noexec", "nosuid"]),
            flags(&["nosuid"]),
        ),
        ("set fsGroup to one", group("staff"), group("2000")),
        (
            "is not supported for a volume that the driver makes read-only",
            copy(),
            copy().read_only(),
        ),
        (
            "is not supported for a volume that the driver makes read-only",
            copy(),
            copy().context(&[("writable", "scratch")]),
        ),
        (
            "use the keys token, or username and password",
            inline().secret("api-key", "x"),
            inline().secret("token", "x"),
        ),
        (
            "use the keys token, or username and password",
            inline().secret("token", "x").secret("username", "x"),
            inline().secret("username", "x").secret("password", "y"),
        ),
    ];
    for (says, wrong, right) in cases {
        helps(&scene, Code::InvalidArgument, says, &wrong, &right);
    }
    scene.nothing_left();
}

#[test]
fn what_an_origin_does_is_lived_with_as_the_page_says() {
    let scene = Scene::new();
    let pin = digest(&scene.content);
    let always = |path: &str, behaviour: Behaviour| {
        scene.origin.put(path, Object::new(scene.content.clone()));
        let times = Times::Always;
        scene.origin.behave(path, vec![Spell { behaviour, times }]);
    };
    let ask = |path: &str, more: &[(&str, &str)]| {
        let url = scene.origin.url(path);
        scene.driver.inline("pod", &url).context(more)
    };
    always("/close.war", Behaviour::CloseDelimited);
    always("/label.war", Behaviour::EncodingLabel { coding: "gzip" });
    always("/nowhere.war", Behaviour::RedirectForever { fresh: false });
    always("/cloud.war", Behaviour::RedirectToLinkLocal { form: 0 });
    let guarded = Object::new(scene.content.clone()).guarded("Bearer sesame");
    scene.origin.put("/private.war", guarded);
    let pinned: &[(&str, &str)] = &[("checksum", &pin)];
    let wrong = digest(b"something else");
    let final_url = ask("/a.war", &[]);
    for (code, says, wrong, right) in [
        (
            Code::InvalidArgument,
            "neither Content-Length nor chunks",
            ask("/close.war", &[]),
            ask("/close.war", pinned),
        ),
        (
            Code::InvalidArgument,
            "set checksum to match the bytes as sent",
            ask("/label.war", &[]),
            ask("/label.war", pinned),
        ),
        (
            Code::PermissionDenied,
            "use the final URL",
            ask("/nowhere.war", &[]),
            final_url.clone(),
        ),
        (
            Code::PermissionDenied,
            "use another host",
            ask("/cloud.war", &[]),
            final_url.clone(),
        ),
        (
            Code::Unauthenticated,
            "answered 401",
            ask("/private.war", &[]),
            ask("/private.war", &[]).secret("token", "sesame"),
        ),
        (
            Code::Unauthenticated,
            "answered 401",
            ask("/private.war", &[]).secret("token", "sesam"),
            ask("/private.war", &[]).secret("token", "sesame"),
        ),
        (
            Code::NotFound,
            "pullPolicy is Never",
            ask(
                "/label.war",
                &[("pullPolicy", "Never"), ("fileName", "new")],
            )
            .secret("token", "never-seen"),
            ask("/label.war", pinned)
                .context(&[("pullPolicy", "IfNotPresent"), ("fileName", "new")])
                .secret("token", "never-seen"),
        ),
        (
            Code::NotFound,
            "check the path of the URL",
            ask("/v2/a.war", &[]),
            final_url,
        ),
        (
            Code::DataLoss,
            "correct the checksum",
            ask("/a.war", &[("checksum", &wrong)]),
            ask("/a.war", pinned),
        ),
        (
            Code::OutOfRange,
            "raise that limit",
            ask("/a.war", &[("maxSize", "1000")]),
            ask("/a.war", &[("maxSize", "1Mi")]),
        ),
    ] {
        helps(&scene, code, says, &wrong, &right);
    }
    scene.nothing_left();
}

/// What stands in the way goes, as the page says, and then the same call does.
#[test]
fn what_stands_in_the_way_is_taken_away() {
    let scene = Scene::new();
    // Of a pod that is asked for with other attributes: delete it.
    let first = scene.published("pod");
    let other = first.clone().context(&[("fileName", "other.war")]);
    let words = refused(scene.driver.publish(&other), Code::AlreadyExists);
    assert!(words.contains("unpublish it first"), "{words}");
    scene.driver.unpublish(&first).unwrap();
    scene.driver.publish(&other).unwrap();
    scene.driver.unpublish(&other).unwrap();
    // A claim of another pod: end that one.
    let first = scene
        .driver
        .claim("first", &scene.url, Mode::SingleNodeSingleWriter);
    let second = first.clone().at(&scene.driver, "second");
    scene.driver.publish(&first).unwrap();
    let words = refused(scene.driver.publish(&second), Code::FailedPrecondition);
    assert!(words.contains("delete the other pod first"), "{words}");
    let many = scene
        .driver
        .claim("third", &scene.url, Mode::MultiNodeReaderOnly);
    for pod in ["third", "fourth"] {
        let many = many.clone().at(&scene.driver, pod);
        scene.driver.publish(&many).unwrap();
    }
    for call in [&first, &many, &many.clone().at(&scene.driver, "fourth")] {
        scene.driver.unpublish(call).unwrap();
    }
    scene.driver.publish(&second).unwrap();
    scene.driver.unpublish(&second).unwrap();
    // Files, or a file, where the volume should go.
    let call = scene.driver.inline("pod", &scene.url);
    let target = call.target();
    std::fs::create_dir_all(&target).unwrap();
    std::fs::write(target.join("theirs"), "x").unwrap();
    let words = refused(scene.driver.publish(&call), Code::FailedPrecondition);
    assert!(words.contains("nothing was changed"), "{words}");
    std::fs::remove_file(target.join("theirs")).unwrap();
    scene.driver.publish(&call).unwrap();
    scene.driver.unpublish(&call).unwrap();
    let _ = std::fs::remove_dir(&target);
    std::fs::write(&target, "x").unwrap();
    let words = refused(scene.driver.publish(&call), Code::FailedPrecondition);
    assert!(
        words.contains("not a directory; choose a directory"),
        "{words}"
    );
    std::fs::remove_file(&target).unwrap();
    scene.driver.publish(&call).unwrap();
    scene.driver.unpublish(&call).unwrap();
    scene.nothing_left();
}
