//! The same for claims: the class or the claim is mended, and external-provisioner asks again.

use tonic::Code;
use war_vol::csi::proto::volume_capability::access_mode::Mode;
use war_vol::csi::proto::volume_content_source::{Type, VolumeSource};
use war_vol::csi::proto::{CapacityRange, CreateVolumeRequest, VolumeContentSource};

use super::super::Driver;
use super::super::provision::{URL, capability, claim, refused};
use crate::node::until;
use crate::sandbox::Sandbox;

#[test]
fn a_claim_that_is_refused_is_provisioned_once_it_is_mended() {
    let sandbox = Sandbox::new();
    let driver = Driver::all(&sandbox);
    let url = ("downloadURL", URL);
    let plain = |name: &str| claim(name, &[url]);
    let changed = |change: &dyn Fn(&mut CreateVolumeRequest)| {
        let mut asked = plain("pvc-1");
        change(&mut asked);
        asked
    };
    let source = VolumeContentSource {
        r#type: Some(Type::Volume(VolumeSource {
            volume_id: "wv-1".to_owned(),
        })),
    };
    let class = || ("a".to_owned(), "b".to_owned());
    let many = capability(Mode::MultiNodeMultiWriter);
    let between = |required_bytes, limit_bytes| {
        let range = CapacityRange {
            required_bytes,
            limit_bytes,
        };
        changed(&|asked| asked.capacity_range = Some(range))
    };
    for (code, says, wrong, right) in [
        (
            Code::InvalidArgument,
            "remove the claim's dataSource",
            changed(&|asked| asked.volume_content_source = Some(source.clone())),
            plain("pvc-1"),
        ),
        (
            Code::InvalidArgument,
            "remove the claim's volumeAttributesClassName",
            changed(&|asked| asked.mutable_parameters.extend([class()])),
            plain("pvc-1"),
        ),
        (
            Code::InvalidArgument,
            "remove it",
            claim("pvc-1", &[url, ("fsType", "ext4")]),
            plain("pvc-1"),
        ),
        (
            Code::InvalidArgument,
            "or ReadOnlyMany",
            changed(&|asked| asked.volume_capabilities = vec![many.clone()]),
            plain("pvc-1"),
        ),
        (
            Code::OutOfRange,
            "lower the request or raise the limit",
            between(2 << 30, 1 << 30),
            between(1 << 30, 2 << 30),
        ),
        (
            Code::InvalidArgument,
            "did you mean downloadURL?",
            claim("pvc-1", &[("downloadUrl", URL)]),
            plain("pvc-1"),
        ),
    ] {
        let words = refused(driver.create(&wrong), code);
        assert!(words.contains(says), "{says:?} is not in {words}");
        let volume = driver.create(&right).unwrap();
        driver.delete(&volume.volume_id).unwrap();
    }
    // The class was made anew while a claim was provisioned: delete the claim.
    let volume = driver.create(&plain("pvc-2")).unwrap();
    let other = claim("pvc-2", &[url, ("fileName", "other.war")]);
    let words = refused(driver.create(&other), Code::AlreadyExists);
    assert!(words.contains("delete and recreate the claim"), "{words}");
    driver.delete(&volume.volume_id).unwrap();
    driver.create(&other).unwrap();
    until("one claim is left", || sandbox.bucket("claims").len() == 1);
}
