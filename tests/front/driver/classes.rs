//! The calls of external-resizer, and what becomes of a class at the other calls.

use std::collections::HashMap;
use std::time::Duration;

use tonic::Code;
use war_vol::csi::proto::controller_client::ControllerClient;
use war_vol::csi::proto::controller_service_capability::Type;
use war_vol::csi::proto::controller_service_capability::rpc::Type as Can;
use war_vol::csi::proto::node_client::NodeClient;
use war_vol::csi::proto::volume_capability::access_mode::Mode;
use war_vol::csi::proto::{
    ControllerGetCapabilitiesRequest, ControllerModifyVolumeRequest, CreateVolumeRequest,
    NodeGetCapabilitiesRequest, ValidateVolumeCapabilitiesRequest,
};

use super::calls::{Answer, said};
use super::provision::{URL, capability, claim, refused};
use super::{Driver, kubelet_shares_its_mounts};
use crate::sandbox::Sandbox;

const FLAG: &str = "--volume-attributes-classes";

impl Driver {
    /// Starts it with its controller, where it follows classes. Of the API server there is an address, and no more.
    pub(crate) fn with_classes(sandbox: &Sandbox) -> Self {
        kubelet_shares_its_mounts(sandbox);
        let mut command = sandbox.war_vol();
        command.env("KUBERNETES_SERVICE_HOST", "127.0.0.1");
        command.args(["serve", "--mode", "all", "--node-id", "node-1"]);
        let driver = Self::of(sandbox, command, &["--watch-objects", FLAG]);
        driver.is_ready();
        driver
    }

    fn modify(&self, id: &str, class: &[(&str, &str)]) -> Answer {
        let request = ControllerModifyVolumeRequest {
            volume_id: id.to_owned(),
            mutable_parameters: map(class),
            ..Default::default()
        };
        self.wait(async {
            let channel = self.dial().await.expect("the driver answers");
            let mut client = ControllerClient::new(channel);
            let answer = client.controller_modify_volume(request).await;
            answer.map(drop).map_err(said)
        })
    }

    fn can_modify(&self) -> bool {
        self.wait(async {
            let channel = self.dial().await.expect("the driver answers");
            let mut client = ControllerClient::new(channel);
            let request = ControllerGetCapabilitiesRequest {};
            let answer = client.controller_get_capabilities(request).await;
            let all = answer.unwrap().into_inner().capabilities;
            all.iter().any(|capability| match &capability.r#type {
                Some(Type::Rpc(rpc)) => rpc.r#type() == Can::ModifyVolume,
                None => false,
            })
        })
    }
}

fn map(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn with_class(parameters: &[(&str, &str)], class: &[(&str, &str)]) -> CreateVolumeRequest {
    CreateVolumeRequest {
        mutable_parameters: map(class),
        ..claim("pvc-1", parameters)
    }
}

/// The volume is the same, whatever its class: that is in the PersistentVolume, where the nodes read it.
#[test]
fn a_claim_with_a_class_is_provisioned_without_what_the_class_sets() {
    let sandbox = Sandbox::new();
    let driver = Driver::controller(&sandbox, &[FLAG]);
    assert!(driver.can_modify());
    let asked = with_class(
        &[("writable", "scratch")],
        &[("downloadURL", URL), ("settle", "5s")],
    );
    let volume = driver.create(&asked).unwrap();
    let echoed = map(&[
        ("writable", "scratch"),
        ("maxSize", "1073741824"),
        ("csi.storage.k8s.io/pvc/name", "sample"),
        ("csi.storage.k8s.io/pvc/namespace", "default"),
    ]);
    assert_eq!(volume.volume_context, echoed);
    let other = with_class(
        &[("writable", "scratch")],
        &[("downloadURL", "https://b.example.com/a.war")],
    );
    assert!(driver.create(&other).unwrap() == volume);
    let id = &*volume.volume_id;
    driver
        .modify(id, &[("downloadURL", URL), ("refresh", "1m")])
        .unwrap();
    driver.modify(id, &[]).unwrap();
    let (confirmed, message) = driver
        .validate(ValidateVolumeCapabilitiesRequest {
            volume_id: id.to_owned(),
            volume_capabilities: vec![capability(Mode::MultiNodeReaderOnly)],
            parameters: map(&[("writable", "scratch")]),
            mutable_parameters: map(&[("downloadURL", URL)]),
            ..Default::default()
        })
        .unwrap();
    assert_eq!(message, "");
    assert_eq!(
        confirmed.unwrap().mutable_parameters,
        map(&[("downloadURL", URL)])
    );
}

/// Each replica of the controller has records of its own, and loses them with its pod.
#[test]
fn a_class_is_checked_without_a_record_of_the_volume() {
    let (first, second) = (Sandbox::new(), Sandbox::new());
    let provisioned =
        Driver::controller(&first, &[FLAG]).create(&claim("pvc-1", &[("downloadURL", URL)]));
    let driver = Driver::controller(&second, &[FLAG]);
    let id = provisioned.unwrap().volume_id;
    driver.modify(&id, &[("downloadURL", URL)]).unwrap();
    for unknown in ["vol-1", "../../key"] {
        let words = refused(driver.modify(unknown, &[]), Code::NotFound);
        assert!(words.contains("no volume"), "{words}");
    }
    refused(driver.modify("", &[]), Code::InvalidArgument);
}

#[test]
fn a_class_that_no_volume_can_have_is_refused_by_name() {
    let sandbox = Sandbox::new();
    let driver = Driver::controller(&sandbox, &[FLAG]);
    let volume = driver.create(&claim("pvc-0", &[("downloadURL", URL)]));
    let id = volume.unwrap().volume_id;
    for (class, says) in [
        (
            ("downloadUrl", URL),
            "unknown attribute \"downloadUrl\" (did you mean downloadURL?)",
        ),
        (
            ("layout", "copy"),
            "the attribute layout cannot be set in a VolumeAttributesClass; set it in the StorageClass",
        ),
        (
            ("maxSize", "2Gi"),
            "the attribute maxSize cannot be set in a VolumeAttributesClass",
        ),
        (("refresh", "1s"), "refresh"),
        (
            (
                "downloadURL",
                "https://example.com/${pvc.labels['v']}/a.war",
            ),
            "write the value out",
        ),
    ] {
        let modified = driver.modify(&id, &[class]);
        let words = refused(modified, Code::InvalidArgument);
        assert!(words.contains(says), "{words}");
        let asked = with_class(&[("downloadURL", URL)], &[class]);
        let words = refused(driver.create(&asked), Code::InvalidArgument);
        assert!(words.contains(says), "{words}");
    }
    // Right by itself, and wrong together.
    let pinned = [("downloadURL", URL), ("checksum", &*"0".repeat(64))];
    let asked = with_class(&pinned, &[("refresh", "1m")]);
    let words = refused(driver.create(&asked), Code::InvalidArgument);
    assert!(words.contains("remove refresh or checksum"), "{words}");
    assert_eq!(sandbox.bucket("claims").len(), 1);
}

#[test]
fn classes_are_refused_where_no_node_follows_them() {
    let sandbox = Sandbox::new();
    let driver = Driver::controller(&sandbox, &[]);
    assert!(!driver.can_modify());
    let class = [("downloadURL", URL)];
    let advice = "set node.upgrade.classes: true in the chart";
    let words = refused(
        driver.create(&with_class(&class, &class)),
        Code::InvalidArgument,
    );
    assert!(words.contains(advice), "{words}");
    let volume = driver.create(&claim("pvc-1", &class)).unwrap();
    let words = refused(
        driver.modify(&volume.volume_id, &class),
        Code::Unimplemented,
    );
    assert!(words.contains(advice), "{words}");
}

#[test]
fn a_node_that_follows_classes_needs_to_watch() {
    let sandbox = Sandbox::new();
    kubelet_shares_its_mounts(&sandbox);
    let kubelet = sandbox.path("kubelet");
    let mode = ["serve", "--check", "--mode", "node", "--node-id", "node-1"];
    let at = ["--kubelet-dir", kubelet.to_str().unwrap(), FLAG];
    let run = sandbox.run(mode.into_iter().chain(at));
    run.must(2).says("nodes also need --watch-objects");
}

/// kubelet names the volume in the path alone, and only for a claim that is true.
#[test]
fn the_volume_of_a_claim_waits_for_its_class_and_one_of_a_pod_does_not() {
    let sandbox = Sandbox::new();
    let driver = Driver::with_classes(&sandbox);
    let deadline = Duration::from_secs(2);
    let mut call = driver.claim(
        "claimed",
        "http://127.0.0.1:1/a.war",
        Mode::MultiNodeReaderOnly,
    );
    call.request.readonly = true;
    let words = refused(driver.publish_within(&call, deadline), Code::Aborted);
    let waits = "waiting for the API server to report the class of the PersistentVolume webapps";
    assert!(words.contains(waits), "{words}");
    driver.unpublish(&call).unwrap();
    let call = driver.inline("inline", "http://127.0.0.1:1/a.war");
    let words = refused(driver.publish_within(&call, deadline), Code::Unavailable);
    assert!(words.contains("cannot connect"), "{words}");
    driver.unpublish(&call).unwrap();
}

/// external-resizer asks that at the controller's socket, and ends where nobody answers.
#[test]
fn a_controller_alone_says_that_its_node_can_nothing() {
    let capabilities = |driver: &Driver| {
        driver.wait(async {
            let channel = driver.dial().await.expect("the driver answers");
            let request = NodeGetCapabilitiesRequest {};
            NodeClient::new(channel)
                .node_get_capabilities(request)
                .await
        })
    };
    let sandbox = Sandbox::new();
    let driver = Driver::controller(&sandbox, &[FLAG]);
    let can = capabilities(&driver).unwrap().into_inner().capabilities;
    assert_eq!(can.len(), 0);
    drop(driver);
    let sandbox = Sandbox::new();
    let driver = Driver::controller(&sandbox, &[]);
    let refused = capabilities(&driver).map(drop).unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}
