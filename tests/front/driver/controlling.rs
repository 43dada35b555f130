//! A claim's volume is provisioned, or the mistake is named.

use std::collections::HashMap;
use std::fs;

use tonic::Code;
use war_vol::csi::proto::volume_capability::access_mode::Mode;
use war_vol::csi::proto::volume_capability::{AccessType, BlockVolume, MountVolume};
use war_vol::csi::proto::volume_content_source::{Type, VolumeSource};
use war_vol::csi::proto::{
    CapacityRange, CreateVolumeRequest, ValidateVolumeCapabilitiesRequest, VolumeCapability,
    VolumeContentSource,
};

use super::provision::{URL, capability, claim, refused};
use super::{Driver, read};
use crate::node::{bytes, until};
use crate::origin::{Object, Origin};
use crate::sandbox::Sandbox;

#[test]
fn a_claim_is_provisioned_and_shown_with_what_was_echoed_and_deleted() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    let content = bytes(61, 200_000);
    origin.put("/a.war", Object::new(content.clone()));
    let url = origin.url("/a.war");
    let driver = Driver::all(&sandbox);
    let volume = driver
        .create(&claim("pvc-1", &[("downloadURL", &url)]))
        .unwrap();
    assert_eq!(volume.capacity_bytes, 1 << 30);
    assert!(volume.volume_id.starts_with("wv-"), "{}", volume.volume_id);
    let echoed = HashMap::from([
        ("downloadURL".to_owned(), url.clone()),
        ("maxSize".to_owned(), (1_u64 << 30).to_string()),
    ]);
    assert_eq!(volume.volume_context, echoed);
    assert_eq!(origin.gets("/a.war"), 0, "provisioning needs no network");
    let mut call = driver.claim("pod", &url, Mode::MultiNodeReaderOnly);
    call.request.volume_id.clone_from(&volume.volume_id);
    call.request.volume_context.extend(volume.volume_context);
    driver.publish(&call).unwrap();
    assert!(read(&call.target()) == content);
    assert!(fs::write(call.target().join("new"), "").is_err());
    driver.unpublish(&call).unwrap();
    driver.delete(&volume.volume_id).unwrap();
    driver.delete(&volume.volume_id).unwrap();
    until("its trash is gone", || sandbox.bucket("trash").is_empty());
    sandbox.assert_no_volume_left();
    assert!(sandbox.bucket("claims").is_empty());
}

/// The claim's size is its limit: a node never hears of it in another way.
#[test]
fn an_artifact_larger_than_its_claim_is_refused_when_it_is_shown() {
    let sandbox = Sandbox::new();
    let origin = Origin::start();
    origin.put("/a.war", Object::new(bytes(62, 200_000)));
    let url = origin.url("/a.war");
    let driver = Driver::all(&sandbox);
    let mut asked = claim("pvc-1", &[("downloadURL", &url), ("maxSize", "1Gi")]);
    asked.capacity_range = Some(CapacityRange {
        required_bytes: 100_000,
        limit_bytes: 0,
    });
    let volume = driver.create(&asked).unwrap();
    assert_eq!(volume.capacity_bytes, 100_000);
    let mut call = driver.claim("pod", &url, Mode::MultiNodeReaderOnly);
    call.request.volume_context.extend(volume.volume_context);
    let words = refused(driver.publish(&call), Code::OutOfRange);
    assert!(words.contains("maxSize"), "{words}");
}

#[test]
fn every_mistake_is_refused_by_name_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let driver = Driver::all(&sandbox);
    let url = ("downloadURL", URL);
    let long = "n".repeat(1 << 20);
    let with = |parameters: &[(&str, &str)]| claim("pvc-1", parameters);
    let changed = |change: &dyn Fn(&mut CreateVolumeRequest)| {
        let mut asked = with(&[url]);
        change(&mut asked);
        asked
    };
    let sized = |required_bytes, limit_bytes| {
        changed(&|asked| {
            asked.capacity_range = Some(CapacityRange {
                required_bytes,
                limit_bytes,
            });
        })
    };
    let used =
        |use_: VolumeCapability| changed(&|asked| asked.volume_capabilities.push(use_.clone()));
    let flagged = VolumeCapability {
        access_type: Some(AccessType::Mount(MountVolume {
            mount_flags: vec!["noexec".to_owned()],
            ..Default::default()
        })),
        ..capability(Mode::SingleNodeWriter)
    };
    let block = VolumeCapability {
        access_type: Some(AccessType::Block(BlockVolume {})),
        ..capability(Mode::SingleNodeWriter)
    };
    let source = VolumeContentSource {
        r#type: Some(Type::Volume(VolumeSource {
            volume_id: "wv-1".to_owned(),
        })),
    };
    let pair = ("a".to_owned(), "b".to_owned());
    for (asked, code, says) in [
        (with(&[]), Code::InvalidArgument, "downloadURL is missing"),
        (
            with(&[("downloadUrl", URL)]),
            Code::InvalidArgument,
            "did you mean downloadURL?",
        ),
        (
            with(&[url, ("unpack", "auto")]),
            Code::InvalidArgument,
            "unpack is not supported yet",
        ),
        (
            with(&[url, ("maxSize", "-1")]),
            Code::InvalidArgument,
            "maxSize",
        ),
        (
            with(&[url, (&long, "x")]),
            Code::InvalidArgument,
            "unknown attribute",
        ),
        (
            with(&[url, ("fstype", "ext4")]),
            Code::InvalidArgument,
            "csi.storage.k8s.io/fstype",
        ),
        (
            with(&[url, ("fsType", "ext4")]),
            Code::InvalidArgument,
            "csi.storage.k8s.io/fstype",
        ),
        (
            changed(&|a| a.name.clear()),
            Code::InvalidArgument,
            "name is missing",
        ),
        (
            changed(&|a| a.name.clone_from(&long)),
            Code::InvalidArgument,
            "name has 1048576 bytes",
        ),
        (
            changed(&|a| a.volume_capabilities.clear()),
            Code::InvalidArgument,
            "volume_capabilities",
        ),
        (
            used(VolumeCapability::default()),
            Code::InvalidArgument,
            "access_type is missing",
        ),
        (used(block), Code::InvalidArgument, "volumeMode: Filesystem"),
        (used(flagged), Code::InvalidArgument, "\"noexec\""),
        (
            used(capability(Mode::MultiNodeMultiWriter)),
            Code::InvalidArgument,
            "ReadOnlyMany",
        ),
        (
            used(capability(Mode::MultiNodeSingleWriter)),
            Code::InvalidArgument,
            "ReadOnlyMany",
        ),
        (
            changed(&|a| a.volume_content_source = Some(source.clone())),
            Code::InvalidArgument,
            "dataSource",
        ),
        (
            changed(&|a| drop(a.mutable_parameters.insert(pair.0.clone(), pair.1.clone()))),
            Code::InvalidArgument,
            "VolumeAttributesClass",
        ),
        (sized(-1, 0), Code::InvalidArgument, "required_bytes is -1"),
        (
            sized(0, i64::MIN),
            Code::InvalidArgument,
            "limit_bytes is -",
        ),
        (
            sized(2, 1),
            Code::OutOfRange,
            "the claim requests 2 bytes, more than its limit of 1",
        ),
    ] {
        let words = refused(driver.create(&asked), code);
        assert!(words.contains(says), "{words}");
    }
    assert!(sandbox.bucket("claims").is_empty());
    // The largest that can be asked for is no mistake.
    let largest = driver.create(&sized(i64::MAX, i64::MAX)).unwrap();
    assert_eq!(largest.capacity_bytes, i64::MAX);
}

#[test]
fn what_is_echoed_is_what_was_written_and_the_smaller_of_the_two_sizes() {
    let sandbox = Sandbox::new();
    let driver = Driver::all(&sandbox);
    let cases = [
        ("none", None, (0, 0), None),
        ("limit", None, (0, 500), Some("500")),
        ("both", Some("1Ki"), (700, 900), Some("700")),
        ("smaller", Some("1Ki"), (1 << 30, 0), Some("1Ki")),
        ("alone", Some("1.5GiB"), (0, 0), Some("1.5GiB")),
    ];
    for (name, max, (required_bytes, limit_bytes), echoed) in cases {
        let mut parameters = vec![("downloadURL", URL), ("pullPolicy", "Never")];
        parameters.extend(max.map(|m| ("maxSize", m)));
        let mut asked = claim(name, &parameters);
        asked.capacity_range = Some(CapacityRange {
            required_bytes,
            limit_bytes,
        });
        let volume = driver.create(&asked).unwrap();
        assert_eq!(volume.capacity_bytes, required_bytes, "{name}");
        let mut expected: HashMap<String, String> = parameters
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        expected.remove("maxSize");
        expected.extend(echoed.map(|size| ("maxSize".to_owned(), size.to_owned())));
        assert_eq!(volume.volume_context, expected, "{name}");
        if (required_bytes, limit_bytes) == (0, 0) {
            asked.capacity_range = None;
            assert!(driver.create(&asked).unwrap() == volume, "{name}");
        }
    }
}

#[test]
fn a_use_is_confirmed_if_it_can_be_had_and_else_the_reason_is_told() {
    let sandbox = Sandbox::new();
    let driver = Driver::all(&sandbox);
    let volume = driver.create(&claim("pvc-1", &[("downloadURL", URL)]));
    let volume = volume.unwrap();
    let ask = |id: &str, uses: &[VolumeCapability], parameters: &[(&str, &str)]| {
        driver.validate(ValidateVolumeCapabilitiesRequest {
            volume_id: id.to_owned(),
            volume_context: volume.volume_context.clone(),
            volume_capabilities: uses.to_vec(),
            parameters: claim("", parameters).parameters,
            ..Default::default()
        })
    };
    let good = [
        capability(Mode::SingleNodeWriter),
        capability(Mode::MultiNodeReaderOnly),
    ];
    let written = [("downloadURL", URL)];
    let (confirmed, message) = ask(&volume.volume_id, &good, &written).unwrap();
    let confirmed = confirmed.unwrap();
    assert!(confirmed.volume_capabilities == good);
    assert_eq!(confirmed.volume_context, volume.volume_context);
    assert_eq!(message, "");
    let bad = [good[0].clone(), capability(Mode::MultiNodeMultiWriter)];
    let (confirmed, message) = ask(&volume.volume_id, &bad, &written).unwrap();
    assert!(
        confirmed.is_none() && message.contains("ReadOnlyMany"),
        "{message}"
    );
    let (confirmed, message) = ask(&volume.volume_id, &good, &[("unpack", "auto")]).unwrap();
    assert!(
        confirmed.is_none() && message.contains("unpack"),
        "{message}"
    );
    for unknown in [
        "wv-00000000000000000000000000000000",
        "x",
        "../../key",
        "wv-../../../../key",
    ] {
        refused(ask(unknown, &good, &written), Code::NotFound);
    }
    refused(ask("", &good, &written), Code::InvalidArgument);
    refused(ask(&volume.volume_id, &[], &written), Code::InvalidArgument);
}
