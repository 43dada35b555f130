//! A volume is asked for, and seen, and seen no more.

use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::process::{Pid, Signal, kill_process};
use tonic::Code;
use war_vol::csi::proto::volume_capability::access_mode::Mode;
use war_vol::csi::proto::volume_capability::{AccessType, BlockVolume};

use super::scene::Scene;
use super::{Call, read};
use crate::crash::strace::attach;
use crate::node::{digest, mounts_at};

#[test]
fn an_inline_volume_shows_its_artifact_and_goes_with_its_pod() {
    let scene = Scene::new();
    let call = scene.driver.inline("pod", &scene.url);
    scene.driver.publish(&call).unwrap();
    assert!(read(&call.target()) == scene.content);
    fs::write(call.target().join("ROOT"), "unpacked").unwrap();
    let before = mounts_at(&call.target());
    scene.driver.publish(&call).unwrap();
    assert_eq!(
        mounts_at(&call.target()),
        before,
        "a republish touches nothing"
    );
    assert_eq!(scene.origin.gets("/a.war"), 1);
    scene.driver.unpublish(&call).unwrap();
    scene.driver.unpublish(&call).unwrap();
    scene.nothing_left();
}

#[test]
fn a_claim_is_read_only_whatever_its_access_mode_unless_it_is_scratch_space() {
    let scene = Scene::new();
    let modes = [
        Mode::SingleNodeWriter,
        Mode::SingleNodeMultiWriter,
        Mode::SingleNodeSingleWriter,
        Mode::SingleNodeReaderOnly,
        Mode::MultiNodeReaderOnly,
    ];
    for (i, mode) in modes.into_iter().enumerate() {
        let call = scene.driver.claim(&format!("claim{i}"), &scene.url, mode);
        scene.driver.publish(&call).unwrap();
        let refused = fs::write(call.target().join("new"), "").unwrap_err();
        assert_eq!(
            refused.kind(),
            std::io::ErrorKind::ReadOnlyFilesystem,
            "{}",
            mode.as_str_name()
        );
        let scratch = scene.driver.claim(&format!("scratch{i}"), &scene.url, mode);
        let scratch = scratch.context(&[("writable", "scratch")]);
        scene.driver.publish(&scratch).unwrap();
        let reads_only = matches!(mode, Mode::SingleNodeReaderOnly | Mode::MultiNodeReaderOnly);
        assert_eq!(
            fs::write(scratch.target().join("new"), "").is_err(),
            reads_only,
            "{}",
            mode.as_str_name()
        );
        scene.driver.unpublish(&call).unwrap();
        scene.driver.unpublish(&scratch).unwrap();
    }
    scene.nothing_left();
}

#[test]
fn a_volume_that_is_asked_for_read_only_is_a_bind_and_cannot_be_written() {
    let scene = Scene::new();
    let call = scene.driver.inline("pod", &scene.url).read_only();
    scene.driver.publish(&call).unwrap();
    let refused = fs::write(call.target().join("new"), "").unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    assert!(read(&call.target()) == scene.content);
    let writable = scene.driver.inline("pod", &scene.url);
    let (code, words) = scene.driver.publish(&writable).unwrap_err();
    assert_eq!(code, Code::AlreadyExists, "{words}");
    scene.driver.unpublish(&call).unwrap();
    scene.nothing_left();
}

#[test]
fn the_group_of_a_pod_may_write_and_does_not_matter_where_nobody_may() {
    let scene = Scene::new();
    let group = |mount: &mut war_vol::csi::proto::volume_capability::MountVolume| {
        mount.volume_mount_group = "4711".to_owned();
        mount.fs_type = "ext4".to_owned();
    };
    let call = scene.driver.inline("pod", &scene.url).mounted(group);
    scene.driver.publish(&call).unwrap();
    let root = fs::metadata(call.target()).unwrap();
    assert_eq!((root.gid(), root.mode() & 0o7777), (4711, 0o2777));
    let read_only = scene
        .driver
        .inline("other", &scene.url)
        .read_only()
        .mounted(group);
    scene.driver.publish(&read_only).unwrap();
    assert_ne!(
        fs::metadata(read_only.target().join("a.war"))
            .unwrap()
            .gid(),
        4711
    );
    let wrong = scene
        .driver
        .inline("third", &scene.url)
        .mounted(|m| m.volume_mount_group = "staff".to_owned());
    let (code, words) = scene.driver.publish(&wrong).unwrap_err();
    assert_eq!(code, Code::InvalidArgument);
    assert!(words.contains("fsGroup"), "{words}");
}

#[test]
fn a_second_pod_is_refused_where_the_access_mode_allows_one() {
    let scene = Scene::new();
    for mode in [Mode::SingleNodeWriter, Mode::SingleNodeSingleWriter] {
        let first = scene.driver.claim("first", &scene.url, mode);
        let second = first.clone().at(&scene.driver, "second");
        scene.driver.publish(&first).unwrap();
        let (code, words) = scene.driver.publish(&second).unwrap_err();
        assert_eq!(code, Code::FailedPrecondition, "{words}");
        assert!(
            words.contains(first.request.target_path.as_str()),
            "{words}"
        );
        assert!(!second.target().exists());
        scene.driver.publish(&first).unwrap();
        // Mounts count, and no record does.
        crate::node::detach(&first.target());
        scene.driver.publish(&second).unwrap();
        scene.driver.unpublish(&first).unwrap();
        scene.driver.unpublish(&second).unwrap();
    }
    for mode in [
        Mode::SingleNodeMultiWriter,
        Mode::SingleNodeReaderOnly,
        Mode::MultiNodeReaderOnly,
    ] {
        let first = scene.driver.claim("first", &scene.url, mode);
        let second = first.clone().at(&scene.driver, "second");
        scene.driver.publish(&first).unwrap();
        scene.driver.publish(&second).unwrap();
        scene.driver.unpublish(&first).unwrap();
        assert!(read(&second.target()) == scene.content);
        scene.driver.unpublish(&second).unwrap();
    }
    scene.nothing_left();
}

#[test]
fn what_cannot_be_honoured_is_refused_by_name() {
    let scene = Scene::new();
    let ask = || {
        scene
            .driver
            .claim("pod", &scene.url, Mode::SingleNodeMultiWriter)
    };
    let mut block = ask();
    if let Some(capability) = &mut block.request.volume_capability {
        capability.access_type = Some(AccessType::Block(BlockVolume {}));
    }
    let mut nothing = ask();
    nothing.request.volume_capability = None;
    let many = |mode| scene.driver.claim("pod", &scene.url, mode);
    let flag = |flag: &'static str| {
        ask().mounted(move |m| m.mount_flags = vec!["ro".to_owned(), flag.to_owned()])
    };
    let inline = |key| {
        scene
            .driver
            .inline("pod", &scene.url)
            .context(&[(key, "x")])
    };
    let cases = [
        (block, "volumeMode: Filesystem"),
        (nothing, "volume_capability"),
        (many(Mode::MultiNodeMultiWriter), "ReadOnlyMany"),
        (many(Mode::MultiNodeSingleWriter), "ReadOnlyMany"),
        (flag("noexec"), "noexec"),
        (flag("uid=0"), "supported options: ro, rw, nosuid"),
        (
            inline("csi.storage.k8s.io/pvc/name"),
            "csi.storage.k8s.io/pvc/name",
        ),
        (inline("csi.storage.k8s.io/pv/name"), "cannot be set"),
        (
            inline("csi.storage.k8s.io/serviceAccount.tokens"),
            "cannot be set",
        ),
        (
            ask().context(&[("downloadUrl", "x")]),
            "did you mean downloadURL?",
        ),
        (ask().secret("api-key", "x"), "api-key"),
    ];
    for (call, part) in cases {
        let (code, words) = scene.driver.publish(&call).unwrap_err();
        assert_eq!(code, Code::InvalidArgument, "{words}");
        assert!(words.contains(part), "{part}: {words}");
        assert!(!call.target().exists());
    }
    scene.nothing_left();
}

/// What a newer driver refuses is no reason to lose a volume that is there (docs/design/laws.md, laws 1 and 3).
#[test]
fn a_request_that_is_not_taken_any_more_hurts_no_volume_that_is_there() {
    let scene = Scene::new();
    let call = scene.driver.inline("pod", &scene.url);
    scene.driver.publish(&call).unwrap();
    let before = mounts_at(&call.target());
    let odd = call
        .clone()
        .mounted(|m| m.mount_flags = vec!["noexec".to_owned()]);
    scene.driver.publish(&odd).unwrap();
    assert_eq!(mounts_at(&call.target()), before);
    crate::node::detach(&call.target());
    let (code, words) = scene.driver.publish(&odd).unwrap_err();
    assert_eq!(code, Code::Unavailable, "{words}");
    assert!(words.contains("noexec"), "{words}");
    scene.driver.publish(&call).unwrap();
    scene.driver.unpublish(&call).unwrap();
    scene.nothing_left();
}

#[test]
fn a_target_that_is_none_is_refused_and_nothing_is_touched() {
    let scene = Scene::new();
    let call = scene.driver.inline("pod", &scene.url);
    let kubelet = scene.driver.kubelet.to_str().unwrap();
    std::os::unix::fs::symlink("/tmp", scene.driver.kubelet.join("link")).unwrap();
    let long = format!("{kubelet}/{}", "a/".repeat(1 << 19));
    let bad = [
        "relative".to_owned(),
        "/etc/war-vol".to_owned(),
        format!("{kubelet}/../outside"),
        format!("{kubelet}2/x"),
        format!("{kubelet}/link/x"),
        kubelet.to_owned(),
        String::new(),
        long,
    ];
    for path in bad {
        let mut call = call.clone();
        call.request.target_path.clone_from(&path);
        let (code, words) = scene.driver.publish(&call).unwrap_err();
        assert_eq!(code, Code::InvalidArgument, "{words}");
        let (code, words) = scene.driver.unpublish(&call).unwrap_err();
        assert_eq!(code, Code::InvalidArgument, "{words}");
    }
    for id in [String::new(), "v".repeat(129), "v".repeat(1 << 20)] {
        let mut call = call.clone();
        call.request.volume_id = id;
        let (code, words) = scene.driver.publish(&call).unwrap_err();
        assert_eq!(code, Code::InvalidArgument, "{words}");
    }
    scene.nothing_left();
    assert_eq!(scene.origin.gets("/a.war"), 0);
}

#[test]
fn what_goes_wrong_has_its_code_and_its_words() {
    let scene = Scene::new();
    let ask = |name: &str| scene.driver.inline("pod", &scene.origin.url(name));
    let wrong = digest(b"something else");
    let cases = [
        (ask("/missing.war"), Code::NotFound, "404"),
        // kubelet takes the message for a format.
        (ask("/not%20there.war"), Code::NotFound, "/not%%20there.war"),
        (
            ask("/a.war").context(&[("checksum", &wrong)]),
            Code::DataLoss,
            "checksum",
        ),
        (
            ask("/a.war").context(&[("maxSize", "1000")]),
            Code::OutOfRange,
            "maxSize",
        ),
        (
            ask("/a.war").context(&[("pullPolicy", "Never")]),
            Code::NotFound,
            "Never",
        ),
    ];
    for (call, code, part) in cases {
        let answer = scene.driver.publish(&call).unwrap_err();
        assert_eq!(answer.0, code, "{}", answer.1);
        assert!(answer.1.contains(part), "{}", answer.1);
        assert!(!call.target().exists(), "a final error leaves nothing");
    }
    scene.nothing_left();
}

#[test]
fn the_usage_of_a_volume_is_its_artifact_and_what_was_written_on_the_disk_of_the_cache() {
    let scene = Scene::new();
    let call = scene.driver.inline("pod", &scene.url);
    let (id, path) = (
        call.request.volume_id.as_str(),
        call.request.target_path.as_str(),
    );
    assert_eq!(scene.driver.stats(id, path).unwrap_err().0, Code::NotFound);
    scene.driver.publish(&call).unwrap();
    fs::write(call.target().join("written"), vec![1; 1 << 20]).unwrap();
    let (used, total, available) = scene.driver.stats(id, path).unwrap();
    assert_eq!(used, i64::try_from(scene.content.len()).unwrap());
    assert!(total > available && available > 0);
    crate::node::until("what was written counts", || {
        scene.driver.stats(id, path).unwrap().0 >= used + (1 << 20)
    });
    for (id, path, code) in [
        ("other", path, Code::NotFound),
        (id, "/etc", Code::NotFound),
        (id, "relative/../path", Code::NotFound),
        ("", path, Code::InvalidArgument),
        (id, "", Code::InvalidArgument),
    ] {
        assert_eq!(
            scene.driver.stats(id, path).unwrap_err().0,
            code,
            "{id} {path}"
        );
    }
}

#[test]
fn a_publish_of_what_is_cached_looks_at_the_directory_of_its_volume_once() {
    let scene = Scene::new();
    let checksum = digest(&scene.content);
    let pinned = |pod| {
        let call = scene.driver.inline(pod, &scene.url);
        call.context(&[("checksum", &checksum)])
    };
    scene.driver.publish(&pinned("first")).unwrap();
    for (pod, readonly) in [("overlay", false), ("bind", true)] {
        let mut call = pinned(pod);
        call.request.readonly = readonly;
        let seen = scene.traced(&call);
        let volume = scene.sandbox.bucket("volumes");
        let named = |line: &&String| {
            let texts = line.split('"').skip(1).step_by(2);
            texts
                .into_iter()
                .any(|text| volume.iter().any(|v| v.to_str() == Some(text)))
        };
        let (made, looks): (Vec<_>, Vec<_>) = seen
            .iter()
            .filter(named)
            .partition(|line| line.contains(" rename"));
        assert_eq!(made.len(), 1, "{seen:#?}");
        assert_eq!(looks.len(), 1, "{looks:#?}");
        let record = |line: &&String| line.contains("want.json\"") && !line.contains("O_CREAT");
        assert_eq!(
            seen.iter().find(record),
            None,
            "a record is read that is not there"
        );
    }
}

impl Scene {
    /// Publishes, and says which calls with paths the driver made for it.
    fn traced(&self, call: &Call) -> Vec<String> {
        let (log, process) = (self.sandbox.path("strace"), self.driver.pid());
        let filter = ["-e", "trace=%file", "-s", "4096"].map(str::to_owned);
        let process = process.as_raw_nonzero().get().try_into().unwrap();
        let mut strace = attach(&filter, &log, process);
        self.driver.publish(call).unwrap();
        // strace leaves at that, and what it traced goes on.
        kill_process(Pid::from_child(&strace), Signal::TERM).unwrap();
        strace.wait().unwrap();
        let text = fs::read_to_string(&log).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}
